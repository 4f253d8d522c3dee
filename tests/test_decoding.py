# coding: utf-8
"""JSON by orjson, against json."""
import json

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from amigocloud import decoding

if decoding.orjson is None:
    pytest.skip('needs the extra fast, which is not for Python 2', allow_module_level=True)

TEXTS = st.text(st.characters(exclude_categories=()))
NUMBERS = st.from_regex(r'\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?\Z')
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
                      lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner))


def answer(body, encoding='utf-8'):
    response = requests.Response()
    response.status_code, response._content, response.encoding = 200, body, encoding
    return response


def outcome(function, body, encoding):
    """What a function gives or raises, told by types as well as by values."""
    try:
        return repr(function(answer(body, encoding)))
    except ValueError:
        return ValueError


def assert_same(body, encoding='utf-8'):
    assert outcome(decoding.decode, body, encoding) == outcome(requests.Response.json, body, encoding)


@pytest.mark.slow
@given(VALUES, st.booleans(), st.sampled_from([None, 1, '\t']))
def test_values(value, is_ascii, indent):
    assert_same(json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode('utf-8', 'surrogatepass'))


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(NUMBERS, min_size=1), st.sampled_from(['{}', '[{}]', '{{"a":{}}}', '[0,\n{}\t]', '"{}"', '{} ']))
def test_numbers(numbers, around):
    assert_same(around.format(','.join(numbers)).encode())


@given(st.binary())
def test_bytes(body):
    assert_same(body)


@pytest.mark.parametrize('text', [
    u'18446744073709551615', u'18446744073709551616', u'-9223372036854775809', u'1e400', u'NaN', u'-Infinity',
    u'"\\ud800"', u'\ufeff{}', u'{"a": 1, "a": 2}', u'[' * 2000 + u']' * 2000, u'"\\u0000"', u'-0', u'', u'[1,]',
])
@pytest.mark.parametrize('encoding', ['utf-8', 'UTF-8', 'utf-16', 'latin-1'])
def test_cases(text, encoding):
    try:
        assert_same(text.encode(encoding, 'replace'), encoding)
    except RecursionError:
        assert text.startswith(u'[[')


def test_orjson_is_used(monkeypatch):
    loaded = []
    monkeypatch.setattr(decoding.orjson, 'loads', loaded.append)
    page = json.dumps({'data': [{'location': '0101000020E6100000' + 32 * '0', 'height': 0.1234567890123456789}]})
    decoding.decode(answer(page.encode()))
    assert loaded == [page.encode()]


def test_without_orjson(monkeypatch):
    monkeypatch.setattr(decoding, 'orjson', None)
    assert decoding.decode(answer(b'{"a": [1, null]}')) == {'a': [1, None]}
