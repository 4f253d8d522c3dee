# -*- coding: utf-8 -*-
import io
import pickle
import traceback

import pytest
import requests
import six

from amigocloud.exceptions import TEXT_LIMIT, AmigoCloudError, failure_error, printable, shown
from amigocloud.tokens import strike_out


def make_response(body, status=400, url='https://app.amigocloud.com/api/v1/me?token=secret', encoding='utf-8'):
    response = requests.Response()
    response.status_code, response.url, response.encoding = status, url, encoding
    response._content = body
    return response


def test_error__without_response():
    error = AmigoCloudError('no luck')
    assert (error.message, error.response, error.text, error.status_code) == ('no luck', None, None, None)
    assert str(error) == 'no luck'
    assert repr(error).startswith("AmigoCloudError('no luck'")


def test_error__text():
    response = make_response(u'{"detail": "Nö"}'.encode('utf-8'), encoding=None)
    error = AmigoCloudError('400', response)
    assert error.response is response
    assert (error.text, error.status_code) == (u'{"detail": "Nö"}', 400)
    assert str(error) == six.ensure_str(u'400\n{"detail": "Nö"}')
    assert six.text_type(error) == u'400\n{"detail": "Nö"}'


def test_error__unknown_charset():
    assert AmigoCloudError('400', make_response(b'caf\xc3\xa9 \xff', encoding='no-such-charset')).text


def test_error__long_text_is_cut():
    error = AmigoCloudError('400', make_response(b'x' * 50000000))
    assert len(error.text) == 50000000
    assert len(str(error)) < TEXT_LIMIT + 100
    assert '50000000 characters' in str(error)


def test_error__safe_to_print():
    error = AmigoCloudError('bad \x1b[2J', make_response(b'\x00\x1b]0;title\x07\xc2\x9b31m\r\n\tend\rx\xe2\x80\xae'))
    assert str(error) == 'bad ?[2J\n??]0;title??31m\n\tend?x?'


def test_error__token_in_text():
    error = AmigoCloudError('401', make_response(b'{"detail": "no token secret", "next": "/x?token=other"}', 401))
    assert 'secret' in error.text
    assert 'secret' not in str(error) and 'other' not in str(error)


def test_error__pickle_holds_no_token():
    response = make_response(b'x')
    response.request = requests.Request('POST', response.url, files={'datafile': io.BytesIO(b'x')}).prepare()
    response.history = [make_response(b'', 302)]
    for error in (AmigoCloudError('400', response), failure_error(ValueError(), '200', response)):
        error.upload_id, error.offset = 'U', 5
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            pickled = pickle.dumps(error, protocol)
            assert b'secret' not in pickled
            again = pickle.loads(pickled)
            assert type(again) is type(error) and (again.upload_id, again.offset, again.text) == ('U', 5, 'x')
    assert response.url.endswith('secret')


def test_error__pickle():
    error = pickle.loads(pickle.dumps(AmigoCloudError('400', make_response(b'x'))))
    assert (error.message, error.text, error.response.status_code) == ('400', 'x', 400)


@pytest.mark.parametrize('kind', [
    requests.ConnectionError, requests.Timeout, requests.ConnectTimeout, requests.exceptions.SSLError, ValueError,
    requests.exceptions.ChunkedEncodingError, requests.TooManyRedirects, requests.exceptions.InvalidURL, UnicodeError,
])
def test_failure_error(kind):
    error = failure_error(kind('x'), 'GET failed')
    assert isinstance(error, AmigoCloudError) and isinstance(error, kind)
    assert str(error) == 'GET failed'
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and again.message == 'GET failed'


def test_error__is_named_like_its_public_class():
    error = failure_error(requests.ConnectionError(), 'GET failed')
    assert repr(error).startswith("AmigoCloudError('GET failed'")
    assert traceback.format_exception_only(type(error), error)[0].split(':')[0].endswith('AmigoCloudError')
    assert '<locals>' not in ''.join(traceback.format_exception_only(type(error), error))


def test_shown__known_tokens():
    assert 'secret' not in shown({'a': 'the secret itself'}, 'secret', None)
    assert 'secret' not in printable('the secret itself', 'secret', None)
    assert len(shown('x' * 1000)) == 200 and '\n' not in shown(['a\nb'])


@pytest.mark.parametrize('text, struck', [
    ('https://x/me?token=secret', 'https://x/me?token=***'), ('a token=x&b', 'a token=***&b'),
    ("('/x?a=1&token=secret')", "('/x?a=1&token=***')"), ('no such thing', 'no such thing'),
    ('upload_token=1', 'upload_token=1'),
])
def test_strike_out(text, struck):
    assert strike_out(text) == struck


@pytest.mark.parametrize('text', [
    u'a é&token b', u'%C3%A9%26token', u'x%c3%a9%26%74oken', u'%25C3%25A9%2526token', u'?é%26token'])
def test_strike_out__known_token(text):
    assert strike_out(text, u'é&token').count('***') == 1
