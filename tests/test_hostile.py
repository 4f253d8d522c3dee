# -*- coding: utf-8 -*-
"""Answers that no honest server gives: the call raises AmigoCloudError, whose text is safe to print."""
from __future__ import unicode_literals

import gzip
import io
import pickle
import re
import threading

import pytest
import requests
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.events import background
from amigocloud.exceptions import TEXT_LIMIT

CONTENT = b'0123456789'

#: JSON that is no object, or one without the members that are due or with others in their place.
SHAPES = [None, True, 5, 'text', [], [[]], [{}], {}, {'detail': 'no'}]
#: What may stand in the place of a member.
VALUES = [None, True, -1, 1.5, 'text', [], [None], [5], [[]], {}, {'a': 1}]

#: What a terminal acts on.
ESCAPES = '\x00\x07\x1b[2J\x1b]0;title\x07\x9b31m\u202e\u061c\u200e\u200f\r'
UNSAFE = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]')


def text_of(error):
    """str(error), as text on Python 2 too."""
    return six.ensure_text(str(error))


def json_answer(value):
    return Answer(b'null') if value is None else Answer(value)


# JSON of the wrong shape

def with_member(name, **others):
    return SHAPES + [dict(others, **{name: value}) for value in VALUES]


@pytest.mark.parametrize('answer', SHAPES)
@pytest.mark.parametrize('arguments', [(), ('/projects/1',)])
def test_shape__login(wire, client, answer, arguments):
    wire.answers['/api/v1/me'] = wire.answers['/api/v1/projects/1/'] = json_answer(answer)
    with pytest.raises(AmigoCloudError):
        client.authenticate('other', *arguments)
    with pytest.raises(AmigoCloudError):
        AmigoCloud('other', *arguments, base_url=wire.url, use_websockets=False)
    assert client._token == 'secret'


@pytest.mark.parametrize('answer', SHAPES + [
    {'upload_id': value} for value in VALUES + [''] if value not in ('text', -1)])
def test_shape__chunk(wire, client, answer):
    wire.answers['/api/v1/x'] = json_answer(answer)
    with pytest.raises(AmigoCloudError, match='upload_id'):
        client.upload_file(None, 'x', io.BytesIO(CONTENT))
    assert len(wire.requests) == 1


@pytest.mark.parametrize('answer', with_member('offset', detail='Offsets do not match'))
def test_shape__offset(wire, client, answer):
    wire.answers['/api/v1/x'] = [{'upload_id': 'U', 'offset': 5}, Answer(json_answer(answer).body, 400)]
    with pytest.raises(AmigoCloudError) as caught:
        client.upload_file(None, 'x', io.BytesIO(CONTENT), 5)
    assert len(wire.requests) == 2 and (caught.value.upload_id, caught.value.offset) == ('U', 5)


@pytest.mark.parametrize('page', with_member('results', next=None) + with_member('data', next=None)
                         + with_member('next', results=[1]) + with_member('count', next=None))
def test_shape__page(wire, client, page):
    wire.answers['/api/v1/x'] = json_answer(page)
    for use in (list, lambda cursor: cursor.has_next, lambda cursor: cursor.get('count'), repr):
        try:
            use(client.get_cursor('x'))
        except (AmigoCloudError, ValueError) as error:
            assert not UNSAFE.search(text_of(error))
    assert len(wire.requests) <= 2 + 3


ADDRESSES = {'data': [{'amigo_id': 'a', 'address': 'x'}], 'next': None}
PLACE = {'features': [{'geometry': {'coordinates': [1, 2]}}]}
GEOCODING = {'/api/v1/projects/1/datasets/2': [answer for answer in with_member('feature_count')
                                               if answer != {'feature_count': True}],
             '/api/v1/projects/1/sql': with_member('data') + [{'data': [{'amigo_id': value}]} for value in VALUES]}
PLACES = (with_member('features') + [{'features': [value]} for value in VALUES]
          + [{'features': [{'geometry': value}]} for value in VALUES]
          + [{'features': [{'geometry': {'coordinates': value}}]}
             for value in VALUES + ['ab', [1, 2, 'x'], ['1', '2']]])


def geocode(wire, client):
    wire.answers.setdefault('/api/v1/projects/1/datasets/2', {'feature_count': 1})
    wire.answers.setdefault('/api/v1/projects/1/sql', ADDRESSES)
    wire.answers.setdefault('/api/v1/me/geocoder/search', PLACE)
    return client.geocode_addresses(1, 2, 'address', 'geom', progress=lambda done, total: None)


@pytest.mark.parametrize('path, answer', [(path, answer) for path in sorted(GEOCODING) for answer in GEOCODING[path]])
def test_shape__geocoding(wire, client, path, answer):
    wire.answers[path] = json_answer(answer)
    try:
        summary = geocode(wire, client)
    except AmigoCloudError:
        assert not any(request.method == 'POST' for request in wire.requests)
    else:
        # No rows, or an amigo_id that is a text: nothing is wrong with that.
        assert summary['rows'] == 0 or answer == {'data': [{'amigo_id': 'text'}]}


@pytest.mark.parametrize('answer', SHAPES)
def test_shape__geocoding_count(wire, client, answer):
    wire.answers['/api/v1/projects/1/sql'] = [ADDRESSES, {'count': 1}, json_answer(answer)]
    assert geocode(wire, client)['geocoded'] == 1


@pytest.mark.parametrize('answer', PLACES)
def test_shape__place(wire, client, answer):
    wire.answers['/api/v1/me/geocoder/search'] = json_answer(answer)
    summary = geocode(wire, client)
    good = answer == {'features': [{'geometry': {'coordinates': [1, 2, 'x']}}]}
    assert summary['geocoded'] == good and summary['failed'] == (not good)


@pytest.mark.parametrize('answer', SHAPES)
def test_shape__websocket_session(wire, monkeypatch, answer):
    monkeypatch.setattr(background, 'READY_SECONDS', 0.1)
    wire.answers['/api/v1/me/start_websocket_session'] = json_answer(answer)
    with AmigoCloud('secret', base_url=wire.url) as client:
        with pytest.raises(AmigoCloudError, match="no 'websocket_session'"):
            client.listen_user_events()


# Bodies

@pytest.mark.parametrize('content_type, status', [
    ('application/json', 200), ('text/html', 500), ('', 400)])
def test_page_of_megabytes(wire, client, status, content_type):
    body = b'<p>\x80' * 500000
    wire.answers['/api/v1/x'] = Answer(body, status, {'Content-Type': content_type})
    with pytest.raises(AmigoCloudError) as caught:
        client.post('x')
    assert len(text_of(caught.value)) < TEXT_LIMIT + 300
    assert len(repr(caught.value)) < 300
    assert caught.value.response.content == body and len(caught.value.text) == len(body)


BROKEN = [(name, b'no such thing') for name in ('gzip', 'deflate', 'gzip, gzip', 'nonsense')]


def zipped(content):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode='wb', mtime=0) as archive:
        archive.write(content)
    return packed.getvalue()


@pytest.mark.parametrize('status', [200, 404, 500])
@pytest.mark.parametrize('encoding, body', BROKEN + [
    ('gzip', zipped(b'{"a": ' + b'1' * 10000)[:-20]), ('gzip', zipped(b'{"a": 1}')[:15] + b'\xff\xff\xff')])
def test_broken_encoding(wire, client, status, encoding, body):
    wire.answers['/api/v1/x'] = Answer(body, status, {'Content-Encoding': encoding})
    for call in (client.get, client.post, lambda url: list(client.get_cursor(url)),
                 lambda url: client.upload_file(None, url, io.BytesIO(CONTENT))):
        with pytest.raises(AmigoCloudError) as caught:
            call('x')
        assert str(caught.value) and (status == 200 or caught.value.status_code == status)
        assert pickle.loads(pickle.dumps(caught.value)).status_code == caught.value.status_code


CHARSETS = ['utf-16', 'utf-7', 'latin-1', 'hex', 'base64', 'zlib', 'bz2', 'uu', 'quopri', 'rot13', 'idna', 'punycode',
            'undefined', 'unicode_escape', 'no-such-thing', '', '\x01', 'x' * 1000, '"utf-8', '../../etc/passwd']


@pytest.mark.parametrize('charset', CHARSETS)
def test_wrong_charset(wire, client, charset):
    content_type = {'Content-Type': str('application/json; charset=' + charset)}
    wire.answers['/api/v1/x'] = Answer(b'{"a": "\xc3\xa9\xff"}', 200, content_type)
    try:
        assert list(client.get('x')) in (['a'], ['n'])
    except AmigoCloudError as error:
        assert charset == 'utf-16' and str(error)
    wire.answers['/api/v1/x'] = Answer(b'{"a": "\xc3\xa9\xff"}', 403, content_type)
    with pytest.raises(AmigoCloudError, match='403') as caught:
        client.get('x')
    assert caught.value.text and str(pickle.loads(pickle.dumps(caught.value)))


@pytest.mark.parametrize('body', [
    b'\x00', b'[' * 1000000, b'{"a":' * 100000, b'1' + b'0' * 5000 + b'x', b'{"a": 1}}', b'"\\ud800',
                                  b'<?xml version="1.0"?>', b'\xff\xfe', b'\xef\xbb\xbf'])
def test_no_json(wire, client, body):
    wire.answers['/api/v1/x'] = Answer(body)
    with pytest.raises(AmigoCloudError, match='not JSON') as caught:
        client.get('x')
    assert isinstance(caught.value, ValueError) and not UNSAFE.search(text_of(caught.value))


# Slowly

def drip(wire, bytes_in_all, pause):
    """Has a server send a body byte by byte; gives the number sent so far."""
    sent = []

    class Dripping(wire.RequestHandlerClass):
        def handle_request(self):
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n')
            wire.requests.append(self.path)
            for number in range(bytes_in_all):
                self.wfile.write(b'1')
                sent.append(number)
                self.wfile.flush()
                if pause.wait(0.05):
                    break
            pause.wait(20)
            self.close_connection = True

        do_GET = do_POST = handle_request
    wire.RequestHandlerClass = Dripping
    return sent


@pytest.mark.every_python
@pytest.mark.parametrize('method, tries', [('get', 4), ('post', 1)])
def test_drip__that_stops(wire, method, tries):
    """The time-out counts from byte to byte: a body that stops ends it, each try for itself."""
    over = threading.Event()
    client = AmigoCloud(base_url=wire.url, use_websockets=False)
    sent = drip(wire, 3, over)
    with pytest.raises(AmigoCloudError):
        getattr(client, method)('x', timeout=1)
    over.set()
    assert len(wire.requests) == tries and len(sent) == 3 * tries


@pytest.mark.every_python
def test_drip__that_goes_on(wire):
    """Bytes that keep coming keep the call: it lasts longer than its time-out, and is right in the end."""
    over = threading.Event()
    client = AmigoCloud(base_url=wire.url, use_websockets=False)
    sent = drip(wire, 1000, over)
    threading.Timer(1.5, over.set).start()
    assert client.post('x', timeout=1) == int('1' * len(sent))
    assert len(sent) > 10 and len(wire.requests) == 1


# Redirects

@pytest.mark.parametrize('method', ['get', 'post', 'put', 'patch', 'delete'])
@pytest.mark.parametrize('status', [301, 303, 307, 308])
def test_redirects__endless(wire, make_wire, client, method, status):
    """Each to another URL, and from one host to the other."""
    other = make_wire()

    def send_on(request):
        target = wire if int(request.params['n']) % 2 else other
        location = '{}/api/v1/x?n={}'.format(target.url, int(request.params['n']) + 1)
        return Answer(b'moved' * 100, status, {'Location': location})
    wire.answers['/api/v1/x'] = other.answers['/api/v1/x'] = send_on
    followed = method == 'get' or status != 301
    with pytest.raises(requests.TooManyRedirects if followed else AmigoCloudError) as caught:
        getattr(client, method)('x?n=0')
    assert isinstance(caught.value, AmigoCloudError)
    assert len(wire.requests) + len(other.requests) == (31 if followed else 1)


@pytest.mark.parametrize('location', [
    'https://[', 'http://[::1', 'http://', 'https://:1', 'http://127.0.0.1:99999/', 'http://127.0.0.1:x/',
    'http://..', 'http://.', 'mailto:x', 'data:text/html,x', '\x00', 'http://a b/', 'http://*'])
def test_redirects__to_nowhere(wire, client, location):
    wire.answers['/api/v1/x'] = Answer(b'', 302, {'Location': str(location)})
    try:
        client.get('x')
    except AmigoCloudError as error:
        assert not UNSAFE.search(text_of(error))


# Safe to print

def raw_status(wire, line):
    """Has a server answer with a status line of its own."""
    class Raw(wire.RequestHandlerClass):
        def handle_request(self):
            self.wfile.write(b'HTTP/1.1 ' + line + b'\r\nContent-Length: 2\r\n\r\n{}')

        do_GET = do_POST = handle_request
    wire.RequestHandlerClass = Raw


@pytest.mark.parametrize('reason', [
    ESCAPES.replace('\r', '').encode('utf-8'), b'\xff\xfe caf\xe9', b'x' * 60000, b'token=secret', b'secret', b''])
def test_printed__reason(wire, reason):
    client = AmigoCloud('secret', base_url=wire.url, use_websockets=False)
    client.close()
    raw_status(wire, b'418 ' + reason)
    with pytest.raises(AmigoCloudError, match='418') as caught:
        client.get('x')
    again = pickle.loads(pickle.dumps(caught.value))
    for text in (text_of(caught.value), six.ensure_text(repr(caught.value)), text_of(again)):
        assert not UNSAFE.search(text) and 'secret' not in text


@pytest.mark.parametrize('line', [b'', b'200', b'abc', b'99999 x', b'-1 x', b'200\x00 OK'])
def test_printed__status_line(wire, line):
    client = AmigoCloud(base_url=wire.url, use_websockets=False, retries=0)
    raw_status(wire, line)
    try:
        client.get('x')
    except AmigoCloudError as error:
        assert not UNSAFE.search(text_of(error))


@pytest.mark.parametrize('status', [200, 403])
def test_printed__body_and_headers(wire, client, status):
    content_type = str('text/html\x1b[2J')
    wire.answers['/api/v1/x'] = Answer(ESCAPES.encode('utf-8') + b'\xff', status, {'Content-Type': content_type})
    with pytest.raises(AmigoCloudError) as caught:
        client.get('x')
    assert not UNSAFE.search(text_of(caught.value)) and not UNSAFE.search(six.ensure_text(repr(caught.value)))
    assert '\x1b[2J' in caught.value.text


@pytest.mark.parametrize('url', [
    'http://127.0.0.1:1/' + ESCAPES, 'http://' + ESCAPES + '/', 'http://127.0.0.1:1/caf\u00e9',
                                 'http://127.0.0.1:x\x1b[2J/', 'https://[\x1b[2J', 'http://\u00e9' + 'x' * 70])
def test_printed__url(wire, client, url):
    calls = [client.get, client.post, lambda url: list(client.get_cursor(url)),
             lambda url: client.upload_file(url, url, io.BytesIO(CONTENT), force_chunked=True)]
    for call in calls:
        for given in (url, url.encode('utf-8') if six.PY2 else url):
            with pytest.raises(AmigoCloudError) as caught:
                call(given)
            assert not UNSAFE.search(text_of(caught.value))


@pytest.mark.parametrize('key', ['\x1b[2J', 'caf\u00e9', '\u202e'])
def test_printed__cursor(wire, client, key):
    wire.answers['/api/v1/x'] = {key: 1, 'count': key, 'results': [], 'next': None}
    cursor = client.get_cursor('x')
    with pytest.raises(ValueError) as caught:
        cursor.get('missing')
    for text in (text_of(caught.value), six.ensure_text(repr(cursor))):
        assert not UNSAFE.search(text)


@pytest.mark.parametrize('link', ['http://127.0.0.1:1/' + ESCAPES, [ESCAPES], {ESCAPES: ESCAPES}])
def test_printed__next_link(wire, client, link):
    wire.answers['/api/v1/x'] = {'results': [], 'next': link}
    with pytest.raises(AmigoCloudError) as caught:
        client.get_cursor('x').has_next
    assert not UNSAFE.search(text_of(caught.value))
