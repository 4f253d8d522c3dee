# -*- coding: utf-8 -*-
"""What users put around the client: sessions, subclasses, attributes, logging; and arguments that cannot be used."""
import json
import logging
import pickle
import re
import threading

import pytest
import requests
import six
from conftest import Answer
from servers.raw import Raw
from six.moves.urllib.parse import quote

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.tokens import strike_out

TOKEN = 'SECRETtok42'


# Arguments

@pytest.mark.parametrize('base_url', [None, b'\xff', 5, '', 'app.amigocloud.com', 'https://', 'https://a b', 'ftp://a',
                                      ' https://a', 'https://a/?b', 'https://a#b'])
def test_base_url__bad_input(base_url):
    with pytest.raises(AmigoCloudError, match='base_url must be a URL such as'):
        AmigoCloud(base_url=base_url, use_websockets=False)


@pytest.mark.parametrize('ending', ['', '/', '//', '/api/v1', '/api/v1/', '/api/v1//', '//api/v1'])
def test_base_url__endings(wire, ending):
    client = AmigoCloud(base_url=wire.url + ending, use_websockets=False)
    assert client.base_url == wire.url and client.api_url == wire.url + '/api/v1'
    client.get('x')
    assert wire.requests[0].path == '/api/v1/x'


def test_base_url__with_a_password(wire):
    base_url = wire.url.replace('://', '://ada:hidden@')
    client = AmigoCloud(base_url=base_url, use_websockets=False)
    wire.answers['/api/v1/x'] = Answer(status=404)
    with pytest.raises(AmigoCloudError) as caught:
        client.get('x')
    assert wire.requests[0].headers['authorization'].startswith('Basic ')
    for text in (repr(client), str(caught.value), repr(caught.value), repr(client.get_cursor(base_url))):
        assert 'hidden' not in text


@pytest.mark.parametrize('password', ['hid/den', 'hid#den', 'hid?den', 'hid@den', 'hid:den'])
def test_base_url__with_a_password_that_is_not_encoded(password):
    with pytest.raises(AmigoCloudError) as caught:
        AmigoCloud(TOKEN, base_url='http://ada:{}@127.0.0.1:1'.format(password), use_websockets=False, retries=0)
    assert 'hid' not in str(caught.value) and 'den' not in str(caught.value)


def test_token__in_the_place_of_the_project_url(wire):
    for arguments in ((wire.url + '/api/v1/projects/1', TOKEN), ('SECRETtok1', TOKEN), ('SECRETtok1', 1)):
        with pytest.raises(AmigoCloudError) as caught:
            AmigoCloud(*arguments, base_url=wire.url, use_websockets=False)
        assert 'SECRET' not in str(caught.value) and 'project' in str(caught.value)
    assert not wire.requests


def test_token_of_a_project__without_project_url(wire):
    wire.answers['/api/v1/me'] = Answer({'detail': 'no'}, 403)
    with pytest.raises(AmigoCloudError, match='Pass project_url') as caught:
        AmigoCloud(TOKEN, base_url=wire.url, use_websockets=False)
    assert caught.value.status_code == 403


def test_token__twice_in_a_url(wire, client):
    client.get('x?token=mine&token=')
    client.get('x?token=&token=mine')
    assert [request.query for request in wire.requests] == ['token=mine'] * 2


def test_strike_out__short_values():
    assert strike_out('http://host/x', 'h') == 'http://host/x'
    assert strike_out('http://host/x?token=h', 'h') == 'http://host/x?token=***'


# Errors and log records

@pytest.mark.parametrize('answer', [
    'HTTP/1.1 {} broken\r\n\r\n', 'nonsense GET {} HTTP/1.1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\nabc',
    'HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\nab'])
def test_token__in_an_echo(answer):
    server = Raw(answer.format('/api/v1/x?token=' + TOKEN).encode())
    client = AmigoCloud(base_url=server.url, use_websockets=False, retries=0)
    client._token = TOKEN
    with pytest.raises(AmigoCloudError) as caught:
        client.get('x')
    error = caught.value
    for text in (str(error), repr(error), repr(error.args), pickle.dumps(error, 0).decode('latin-1')):
        assert TOKEN not in text
    assert getattr(error, '__context__', None) is None and len(str(error)) < 500


def spellings(token):
    once = quote(token.encode('utf-8'), safe='')
    yield token
    yield once
    yield re.sub('%..', lambda found: found.group().lower(), once)
    yield quote(once, safe='')
    yield quote(quote(once, safe=''), safe='')
    yield json.dumps(token)[1:-1]
    yield token.replace(u'/', u'\\/')
    yield token.replace(u'+', u' ')
    yield token.replace(u'&', u'&amp;').replace(u"'", u'&#x27;').replace(u'"', u'&quot;')
    yield u''.join(u'\\u{:04x}'.format(ord(character)) for character in token)


ODD_TOKENS = [TOKEN, u'R:dTEoFi+N/RO3%41Kb==', u'pass%2Bword%zz', u'clé-é-token', u'tok&en=va"lu\'e']


@pytest.mark.parametrize('token', ODD_TOKENS)
def test_token__in_whatever_spelling(wire, client, caplog, token):
    caplog.set_level(logging.DEBUG)
    client._token = token
    for spelling in set(spellings(token)):
        echo = spelling.encode('utf-8').decode('latin-1')
        echo = echo if str is not bytes else echo.encode('latin-1')
        headers = {'X-Echo': echo, 'Set-Cookie': 'session=' + echo, 'Content-Type': 'text/plain; charset=utf-8'}
        refused = Answer(b'the key ' + spelling.encode('utf-8') + b' is bad', 403, headers)
        no_json = Answer(b'no', 200, {'Content-Type': str('text/') + echo})
        redirect = Answer(b'', 302, {'Location': str('/login?key=') + quote(spelling.encode('utf-8'))})
        for answer in (refused, no_json, redirect):
            wire.answers['/api/v1/x'] = answer
            with pytest.raises(AmigoCloudError) as caught:
                client.post('x')
            error = caught.value
            seen = [str(error), repr(error), repr(error.args), pickle.dumps(error, 0).decode('latin-1')]
            pickled = pickle.loads(pickle.dumps(error)).response
            seen += [str(pickled.headers), str(pickled.content), repr(pickled.cookies)]
            seen += [record.getMessage() for record in caplog.records]
            caplog.clear()
            for text in (six.ensure_text(text, errors='replace') for text in seen):
                assert token[:6] not in text and token[-6:] not in text and spelling not in text


def test_token__is_cut_nowhere(wire, client):
    client._token = TOKEN
    for length in range(1980, 2001, 3):
        wire.answers['/api/v1/x'] = Answer(b'x' * length + b' ' + TOKEN.encode() + b' ' + b'x' * 5000, 403)
        with pytest.raises(AmigoCloudError) as caught:
            client.get('x')
        assert 'SEC' not in str(caught.value)
    for length in range(180, 200, 3):
        server = Raw(b'x' * length + b' ' + TOKEN.encode() + b'\r\n\r\n')
        other = AmigoCloud(base_url=server.url, use_websockets=False, retries=0)
        other._token = TOKEN
        with pytest.raises(AmigoCloudError) as caught:
            other.get('x')
        assert 'SEC' not in str(caught.value)


def test_messages__are_short(wire, client):
    class Long(wire.RequestHandlerClass):
        def handle_request(self):
            self.wfile.write(b'HTTP/1.1 418 ' + b'r' * 5000 + b'\r\nContent-Length: 0\r\n\r\n')

        do_GET = handle_request
    answers = [Answer(status=404), Answer(b'no', headers={'Content-Type': 'c' * 5000}),
               Answer(status=302, headers={'Location': '/' + 'l' * 5000})]
    for answer in answers:
        wire.answers['/api/v1/x'] = answer
        with pytest.raises(AmigoCloudError) as caught:
            client.post('x?' + 'q' * 5000)
        assert len(caught.value.message) < 600
    wire.RequestHandlerClass = Long
    client.close()
    with pytest.raises(AmigoCloudError, match='418') as caught:
        client.get('x')
    assert len(caught.value.message) < 600


def test_token__in_a_record_of_a_broken_header(caplog):
    caplog.set_level(logging.DEBUG)
    header = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n /api/v1/x?token={0}\r\nbroken {0}\r\n\r\n{{}}'.format(TOKEN)
    client = AmigoCloud(base_url=Raw(header.encode()).url, use_websockets=False, retries=0)
    client._token = TOKEN
    try:
        client.get('x')
    except AmigoCloudError as error:
        assert TOKEN not in str(error)
    shown = ' '.join(logging.Formatter().format(record) for record in caplog.records)
    assert 'token=***' in shown and TOKEN not in shown


def test_records_of_others__stay_as_they_are(wire, client, caplog):
    caplog.set_level(logging.DEBUG)
    requests.get(wire.url + '/other?token=of-somebody-else')
    client.get('x')
    theirs, ours = [record for record in caplog.records if record.name.startswith('urllib3')
                    and '"GET' in record.getMessage()]
    assert 'token=of-somebody-else' in theirs.getMessage() and '%s' in theirs.msg and len(theirs.args) > 1
    assert 'secret' not in ours.getMessage()


def test_records__of_a_request_within_another(wire, client, caplog):
    caplog.set_level(logging.DEBUG)

    def ask_more(response, **kwargs):
        client.get('y')
    client.get('x', hooks={'response': ask_more})
    assert [request.path for request in wire.requests] == ['/api/v1/x', '/api/v1/y']
    messages = [record.getMessage() for record in caplog.records if '/api/v1/x' in record.getMessage()]
    assert len(messages) > 1 and not any('secret' in message for message in messages)


def test_no_json__is_a_decode_error(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'<html>', headers={'Content-Type': 'text/html'})
    with pytest.raises(getattr(json, 'JSONDecodeError', ValueError)) as caught:
        client.get('x')
    assert isinstance(caught.value, AmigoCloudError) and caught.value.text == '<html>'
    if hasattr(json, 'JSONDecodeError'):
        assert (caught.value.doc, caught.value.pos) == ('<html>', 0)


def test_error__names_the_request(make_gone):
    """As the exceptions of requests do."""
    with pytest.raises(requests.ConnectionError) as caught:
        AmigoCloud(base_url=make_gone(), use_websockets=False, retries=0).get('x')
    assert caught.value.request.method == 'GET'
    assert pickle.loads(pickle.dumps(caught.value)).request is None


class Double(object):
    """A response of somebody's own."""

    status_code, text = 418, u'short and stout'


def test_error__of_any_response():
    error = AmigoCloudError('m', Double())
    assert error.status_code == 418 and error.text == 'short and stout' and 'stout' in str(error)
    assert pickle.loads(pickle.dumps(error)).text == 'short and stout'


@pytest.mark.parametrize('message', [ValueError('short'), None, 5, {'detail': 'short'}])
@pytest.mark.parametrize('response', [None, object(), 'short'])
def test_error__of_anything(message, response):
    error = AmigoCloudError(message, response)
    assert str(message) in str(error) and error.text is error.status_code is None


def test_error__of_the_caller(wire, monkeypatch):
    class Refused(AmigoCloudError):
        def __init__(self, response):
            self.response = response

    def check(self, response):
        if response.status_code >= 400:
            raise Refused(response)
    monkeypatch.setattr(AmigoCloud, 'check_for_errors', check)
    wire.answers['/api/v1/x'] = Answer(b'gone', 404)
    with AmigoCloud(base_url=wire.url, use_websockets=False) as client:
        with pytest.raises(Refused) as caught:
            client.get('x')
        assert caught.value.response.text == 'gone'


def test_error__of_a_response_without_url(client):
    response = requests.Response()
    response.status_code, response._content = 200, b'<html>'
    client._transport.session.request = lambda method, url, **kwargs: response
    with pytest.raises(AmigoCloudError, match='not JSON') as caught:
        client.get('x')
    assert pickle.loads(pickle.dumps(caught.value)).text == '<html>'


# Around requests

class Answered(object):
    """A response of somebody's own, with what 1.2.5 read of one."""

    status_code = 200
    text = u'{"got": "it"}'
    content = b'{"got": "it"}'

    def json(self):
        return json.loads(self.text)


def test_session__gives_responses_of_its_own(wire, monkeypatch):
    monkeypatch.setattr('requests.Session.request', lambda self, method, url, **kwargs: Answered())
    client = AmigoCloud(base_url=wire.url, use_websockets=False)
    assert client.get('x') == client.post('x') == {'got': 'it'} and list(client.get_cursor('x')) == [{'got': 'it'}]
    monkeypatch.setattr(Answered, 'status_code', 404)
    with pytest.raises(AmigoCloudError, match='404'):
        client.get('x')


def test_user_agent(wire, client):
    client.get('x')
    assert wire.requests[0].headers['user-agent'].startswith('python-amigocloud/1.3.0 python-requests/')


def test_session_of_a_subclass(wire):
    class Session(requests.Session):
        def request(self, method, url, **kwargs):
            return super(Session, self).request(method, url, **dict(kwargs, headers={'X-Login': 'yes'}))
    with AmigoCloud(base_url=wire.url, use_websockets=False, session=Session()) as client:
        client.get('x')
        client.post('x', {'a': 1})
        list(client.get_cursor('x'))
    assert [request.headers['x-login'] for request in wire.requests] == ['yes'] * 3


def test_session__retries(wire):
    wire.answers['/api/v1/x'] = [Answer(status=503), {'got': 'it'}]
    with AmigoCloud(base_url=wire.url, use_websockets=False, session=requests.Session()) as client:
        assert client.get('x') == {'got': 'it'}


def test_session__adapters_of_the_caller_decide(wire):
    class Adapter(requests.adapters.HTTPAdapter):
        pass
    session = requests.Session()
    session.mount('http://', Adapter())
    wire.answers['/api/v1/x'] = Answer(status=503)
    with AmigoCloud(base_url=wire.url, use_websockets=False, session=session) as client:
        with pytest.raises(AmigoCloudError):
            client.get('x')
    assert len(wire.requests) == 1


def test_session__adapters_with_retries_decide(wire):
    session = requests.Session()
    session.mount('http://', requests.adapters.HTTPAdapter(max_retries=1))
    wire.answers['/api/v1/x'] = lambda request: None
    with pytest.raises(requests.ConnectionError):
        AmigoCloud(base_url=wire.url, use_websockets=False, session=session).get('x')
    assert len(wire.requests) == 2


def test_auth__sees_the_token(wire, client):
    signed = []

    def sign(request):
        signed.append(request.url)
        return request
    client.get('x', {'a': 1}, auth=sign)
    client.post('x', auth=sign)
    assert [url.partition('?')[2] for url in signed] == ['a=1&token=secret', 'token=secret']


def test_auth__digest(wire, client):
    challenge = Answer(status=401, headers={'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth"'})
    wire.answers['/api/v1/x'] = lambda request: {} if 'authorization' in request.headers else challenge
    auth = requests.auth.HTTPDigestAuth('ada', 'word')
    for _ in range(2):
        assert client.get('x', auth=auth) == {}
    assert all('uri="/api/v1/x?token=secret"' in request.headers['authorization'] for request in wire.requests[1:])
    assert len(wire.requests) == 3


def test_proxies(wire, make_wire):
    proxy = make_wire()
    proxy.answers['/api/v1/x'] = {'from': 'proxy'}
    client = AmigoCloud(base_url=wire.url, use_websockets=False, proxies={'http': proxy.url})
    assert client.get('x') == {'from': 'proxy'} and not wire.requests
    with pytest.raises(AmigoCloudError, match='on the session'):
        AmigoCloud(use_websockets=False, session=requests.Session(), verify=False)


@pytest.mark.parametrize('given', [
    lambda proxy: {'proxies': {'http': proxy}}, lambda proxy: {'session': proxied(proxy)}])
def test_proxies__of_events(wire, make_wire, given):
    proxy = make_wire()
    asked = threading.Event()
    proxy.answers['/v2_socket.io/socket.io/'] = lambda request: asked.set() or Answer(status=404)
    with AmigoCloud(TOKEN, base_url=wire.url, **given(proxy.url)):
        assert asked.wait(10)
    assert not wire.requests


def proxied(proxy):
    session = requests.Session()
    session.proxies['http'] = proxy
    return session


# Subclasses and attributes of 1.2.5

class Recording(AmigoCloud):
    """Overrides what scripts for 1.2.5 override."""

    calls = ()

    def get(self, url, *args, **kwargs):
        self.calls += (('get', url),)
        return super(Recording, self).get(url, *args, **kwargs)

    def build_url(self, url):
        self.calls += (('build_url', url),)
        return super(Recording, self).build_url(url)

    def check_for_errors(self, response):
        self.calls += (('check_for_errors', response.status_code),)
        if response.status_code != 418:
            super(Recording, self).check_for_errors(response)


def test_subclass(wire):
    wire.answers['/api/v1/x'] = Answer({'tea': True}, 418)
    wire.answers['/api/v1/p'] = {'results': [1], 'next': None}
    client = Recording(TOKEN, base_url=wire.url, use_websockets=False)
    assert client.calls == (('get', '/me'), ('build_url', '/me'), ('check_for_errors', 200))
    client.calls = ()
    assert client.post('x') == {'tea': True}
    assert client.calls == (('build_url', 'x'), ('check_for_errors', 418))
    client.calls = ()
    assert list(client.get_cursor('p')) == [1]
    assert 'get' not in [name for name, _ in client.calls] and ('check_for_errors', 200) in client.calls


def test_attributes__set_before_the_login(wire):
    client = AmigoCloud(use_websockets=False)
    client.base_url = wire.url
    client.api_url = wire.url + '/api/v1'
    client.authenticate(TOKEN)
    client.get('x')
    assert client._user_id == 7 and [request.params['token'] for request in wire.requests] == [TOKEN] * 2
