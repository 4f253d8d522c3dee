# -*- coding: utf-8 -*-
"""The token stays home: where requests really go, and what is said about them, on an internet of three servers.

Every name leads to this machine: https at the service's own names to ``home``, all the rest to ``evil`` (which has a
certificate that the client trusts for each name it is asked for) or, without TLS, to ``plain``.
"""
from __future__ import unicode_literals

import io
import itertools
import logging
import os
import pickle
import socket
import subprocess
import sys
import traceback
import warnings

import pytest
import requests
import six
import urllib3
from conftest import Answer
from servers.tls import make_certificate, speak_tls
from test_chunks import CHUNKED, CONTENT, Server, before

import amigocloud
from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.events import background

BASE = 'https://app.amigocloud.com'
TOKEN = 'R7sLmX93q'
METHODS = ['get', 'post', 'put', 'patch', 'delete']

#: Names that certificates are made for; the last two look like the service's with a Cyrillic letter.
HOME_NAMES = ['app.amigocloud.com', '*.amigocloud.com']
EVIL_NAMES = ['app.amigocloud.com', 'www.amigocloud.com', 'evil.example', '*.evil.example', '*.com.evil.example',
              'amigocloud.com', 'evilamigocloud.com', 'app.amigocloud.com.evil.example', 'cdn.example',
              'app.xn--migocloud-zyh.com', 'xn--pp-6kc.evil.example']

#: Where the token may not go, though some read as if it might.
ELSEWHERE = [
    'http://app.amigocloud.com/x', 'https://app.amigocloud.com:8443/x',
    'https://amigocloud.com/x', 'https://evilamigocloud.com/x',
    'https://amigocloud.com.evil.example/x', 'https://app.amigocloud.com.evil.example/x',
    'https://evil.example/x?https://app.amigocloud.com', 'https://evil.example/https://app.amigocloud.com/x',
    'https://evil.example?.amigocloud.com', 'https://evil.example#.amigocloud.com/x',
    'https://app.amigocloud.com@evil.example/x', 'https://app.amigocloud.com:443@evil.example/x',
    'https://app.amigocloud.com%2f@evil.example/x', 'https://user:word@evil.example/x',
    'https://evil.example\\@app.amigocloud.com/x', 'https://evil.example\\.amigocloud.com/x',
    'https://evil.example/\\app.amigocloud.com/x', 'https://evil.example:443\\.amigocloud.com/x',
    'https://app.аmigocloud.com/x', 'https://аpp.evil.example/x', 'https://cdn.example/thumbnail.png?signature=1',
    'HTTPS://EVIL.EXAMPLE/x', 'https://app.amigocloud.com./x',
]

#: What cannot be sent to: plain HTTP at a port of TLS, dots of other scripts.
UNSENDABLE = ['http://app.amigocloud.com:443/x', 'https://app.amigocloud.com．evil.example/x',
              'https://app.amigocloud.com。evil.example/x']

#: Where it may.
AT_HOME = ['https://www.amigocloud.com/x', 'HTTPS://APP.AMIGOCLOUD.COM/x', 'https://app.amigocloud.com:443/x',
           'https://user@app.amigocloud.com/x',
           'https://app.amigocloud.com\\@evil.example/x', 'https://app.amigocloud.com/\\evil.example',
           'https://app.amigocloud.com/@evil.example', 'https://app.amigocloud.com?@evil.example']


@pytest.fixture(scope='module')
def certificate(tmpdir_factory):
    return make_certificate(tmpdir_factory.mktemp('home'), *HOME_NAMES + EVIL_NAMES)


class Internet(object):
    def __init__(self, home, evil, plain):
        self.home, self.evil, self.plain = home, evil, plain
        self.lookup = socket.getaddrinfo

    def getaddrinfo(self, host, port, *args, **kwargs):
        if host == '127.0.0.1':
            return self.lookup(host, port, *args, **kwargs)
        if host == 'gone.amigocloud.com':
            raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')
        # As a resolver does: without a dot at the end, in one case.
        is_home = six.ensure_text(host).lower().endswith('.amigocloud.com') and port == 443
        wire = self.home if is_home else self.evil if port in (443, 8443) else self.plain
        return self.lookup('127.0.0.1', wire.server_port, *args, **kwargs)

    def elsewhere(self):
        return self.evil.requests + self.plain.requests


def carries_token(request):
    return TOKEN in request.target or TOKEN in str(request.headers) or TOKEN.encode('ascii') in request.body


@pytest.fixture
def internet(make_wire, certificate, monkeypatch):
    wires = [make_wire() for _ in range(3)]
    for wire in wires[:2]:
        speak_tls(wire, certificate)
    made = Internet(*wires)
    monkeypatch.setattr(socket, 'getaddrinfo', made.getaddrinfo)
    monkeypatch.setenv(str('REQUESTS_CA_BUNDLE'), str(certificate))
    return made


@pytest.fixture
def client(internet):
    with AmigoCloud(TOKEN, use_websockets=False) as made:
        del internet.home.requests[:]
        yield made


def try_call(call, *args, **kwargs):
    """Some of the URLs cannot be sent to at all, which is as good."""
    try:
        return call(*args, **kwargs)
    except AmigoCloudError as error:
        return error


def test_the_test_itself(internet, client):
    for url in AT_HOME:
        client.get(url)
        request = internet.home.requests.pop()
        assert request.params['token'] == TOKEN, request
    assert not internet.elsewhere()


# Where it goes

@pytest.mark.parametrize('url', ELSEWHERE + UNSENDABLE)
def test_elsewhere__absolute_url(internet, client, url):
    for method in METHODS:
        for given in (url, url + ('&' if '?' in url else '?') + 'token=' + TOKEN):
            try_call(getattr(client, method), given)
    assert not any(carries_token(request) for request in internet.elsewhere())
    assert bool(internet.elsewhere()) == (url not in UNSENDABLE)


@pytest.mark.slow
@pytest.mark.parametrize('url', ELSEWHERE + UNSENDABLE)
@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_elsewhere__redirect(internet, client, url, status):
    with_token = url.partition('#')[0] + ('&' if '?' in url else '?') + 'token=' + TOKEN
    for location in (url, with_token):
        # As it stands on the wire, where a header has bytes.
        location = location.encode('utf-8').decode('latin-1') if not six.PY2 else location.encode('utf-8')
        internet.home.answers['/api/v1/x'] = Answer(b'', status, {'Location': location})
        for method in METHODS:
            try_call(getattr(client, method), 'x')
    assert not any(carries_token(request) for request in internet.elsewhere())
    assert len(internet.home.requests) >= 10


@pytest.mark.parametrize('url', ELSEWHERE + UNSENDABLE)
def test_elsewhere__next_link(internet, client, url):
    for given in (url, url.partition('#')[0] + ('&' if '?' in url else '?') + 'token=' + TOKEN):
        internet.home.answers['/api/v1/x'] = {'results': [1], 'next': given}
        cursor = client.get_cursor('x')
        assert next(cursor) == 1
        try_call(list, cursor)
    assert not any(carries_token(request) for request in internet.elsewhere())


@pytest.mark.parametrize('url', ELSEWHERE + UNSENDABLE)
@pytest.mark.parametrize('force_chunked', [False, True])
def test_elsewhere__upload(internet, client, url, force_chunked):
    try_call(client.upload_file, url, url, io.BytesIO(CONTENT), 400, force_chunked)
    assert not any(carries_token(request) for request in internet.elsewhere())


@pytest.mark.parametrize('location', [
    '//evil.example/x', '///evil.example/x', '/\\evil.example/x', '\\\\evil.example/x', 'https:evil.example/x',
    'https:/evil.example/x', 'javascript:alert(1)', 'file:///etc/passwd', 'ftp://app.amigocloud.com/x'])
def test_elsewhere__odd_redirect(internet, client, location):
    internet.home.answers['/api/v1/x'] = Answer(b'', 302, {'Location': location})
    try_call(client.get, 'x')
    assert not any(carries_token(request) for request in internet.elsewhere())


def test_elsewhere__and_back(internet, client):
    internet.home.answers['/api/v1/x'] = Answer(b'', 302, {'Location': 'https://evil.example/y'})
    internet.evil.answers['/y'] = Answer(b'', 302, {'Location': BASE + '/api/v1/z'})
    internet.home.answers['/api/v1/z'] = {'got': 'there'}
    assert client.get('x') == {'got': 'there'}
    assert not any(carries_token(request) for request in internet.elsewhere())


def test_elsewhere__login(internet):
    internet.plain.answers['/projects/1/'] = internet.evil.answers['/projects/1/'] = {'id': 1}
    for project_url in ('http://app.amigocloud.com/projects/1', 'https://evil.example/projects/1'):
        with pytest.raises(AmigoCloudError, match='must be on the host'):
            AmigoCloud(TOKEN, project_url)
    assert not internet.elsewhere()


def test_thumbnail_on_a_cdn(internet, client):
    internet.home.answers['/api/v1/thumbnail'] = Answer(b'', 302, {'Location': 'https://cdn.example/a.png?signature=1'})
    internet.evil.answers['/a.png'] = Answer(b'\x89PNG', headers={'Content-Type': 'image/png'})
    assert client.get('thumbnail', raw=True) == b'\x89PNG'
    assert client.get('https://cdn.example/a.png?signature=1', raw=True) == b'\x89PNG'
    assert [request.target for request in internet.evil.requests] == ['/a.png?signature=1'] * 2
    assert client.get('https://app.amigocloud.com/media/a.png', raw=True) == b'{}'


# What is said about it

@pytest.fixture
def records():
    """Every logging record of any logger, formatted, from DEBUG on."""
    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record) + repr(record.__dict__))

    lines, root, handler = [], logging.getLogger(), Handler(logging.DEBUG)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


def said(error):
    """All that can be seen of an error, by its caller, in a terminal, in a log or in another process."""
    yield six.text_type(error)
    yield repr(error)
    yield six.text_type(error.message)
    for line in traceback.format_exception(type(error), error, sys.exc_info()[2]):
        yield six.ensure_text(line, errors='replace')
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.dumps(error, protocol).decode('latin-1')
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        yield repr(error) + repr(error.args)
        error = getattr(error, '__cause__', None) or getattr(error, '__context__', None)


REDIRECTS = ['https://[/x?token=' + TOKEN, 'https://gone.amigocloud.com/x?token=' + TOKEN,
             'http://app.amigocloud.com:99999/x?token=' + TOKEN, 'ftp://app.amigocloud.com/x?token=' + TOKEN,
             BASE + '/api/v1/loop?token=' + TOKEN, 'https://' + 'a' * 64 + '.example/x?token=' + TOKEN]


def failing(client, internet):
    """Calls that fail, each in a way of its own."""
    loop = itertools.count()
    answers = {
        'error': Answer({'detail': TOKEN + ' is no good', 'next': '/x?token=' + TOKEN}, 403),
        'html': Answer(b'<html>' + TOKEN.encode('ascii')),
        'gateway': Answer(b'', 502),
        'later': Answer(b'', 429, {'Retry-After': '1000'}),
        'cut': Answer(b'{', headers={'Content-Length': '100', 'Connection': 'close'}),
        'lost': None,
        'gzip': Answer(b'no gzip', headers={'Content-Encoding': 'gzip'}),
        'loop': lambda request: Answer(b'', 302, {'Location': '/api/v1/loop?{}&{}'.format(next(loop), request.query)}),
        'list': [], 'error/': Answer({'detail': TOKEN + ' is no good'}, 403),
        'pages': {'results': [1], 'next': BASE + '/api/v1/pages?token=' + TOKEN},
        'numbers': {'results': 5, 'next': BASE + '/x?token=' + TOKEN},
        'links': {'results': [], 'next': [BASE + '/x?token=' + TOKEN]},
        'chunk': {'no': 'id', 'next': BASE + '/x?token=' + TOKEN},
    }
    for name, answer in answers.items():
        internet.home.answers['/api/v1/' + name] = answer
    for name in answers:
        yield client.get, (name,)
        yield client.post, (name + '?token=' + TOKEN, {'token': TOKEN})
        yield list, (client.get_cursor(name + '?token=' + TOKEN),)
        yield client.upload_file, (None, name + '?token=' + TOKEN, io.BytesIO(CONTENT))
    for number, location in enumerate(REDIRECTS):
        path = '/api/v1/redirect{}'.format(number)
        internet.home.answers[path] = Answer(b'', 302, {'Location': location})
        yield client.get, (path[len('/api/v1'):],)
        yield client.post, (path[len('/api/v1'):],)
        yield client.get, (location,)
        yield client.patch, (location,)
    yield client.get, ('https://evil.example:1/x?token=' + TOKEN,)
    yield client.get, ('http://' + 'é' * 70 + '/x?token=' + TOKEN,)
    yield client.get_cursor('list?token=' + TOKEN).get, ('count',)
    yield client.upload_datafile, (1, 2, io.StringIO('text'))
    yield client.authenticate, (TOKEN + ' ',)
    yield client.authenticate, (TOKEN, BASE + '/api/v1/error')
    yield client.authenticate, (TOKEN, 'list')
    yield client.listen_user_events, ()


@pytest.mark.every_python
def test_what_is_said__of_failures(internet, client, records):
    failures = 0
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter('always')
        for call, arguments in failing(client, internet):
            try:
                call(*arguments)
            except AmigoCloudError as error:
                failures += 1
                for text in said(error):
                    assert TOKEN not in text, text
    assert failures > 70
    assert any('token=***' in line for line in records)
    for line in records + [repr(warning.__dict__) for warning in warned]:
        assert TOKEN not in line, line


@pytest.mark.every_python
def test_what_is_said__of_work(internet, client, records, monkeypatch):
    """Retries, redirects, cursors, uploads with faults, connections that the server closed, verify=False, events."""
    monkeypatch.setattr(background, 'READY_SECONDS', 1)
    internet.home.answers.update({
        '/api/v1/busy': [Answer(b'', 503), Answer(b'', 429, {'Retry-After': '0'}), {'got': 'it'}],
        '/api/v1/moved': lambda request: Answer(b'', 302, {'Location': BASE + '/api/v1/x?' + request.query}),
        '/api/v1/closes': Answer({}, hang_up=True),
        '/api/v1/p1': {'results': [1], 'next': BASE + '/api/v1/p2?token=' + TOKEN},
        '/api/v1/p2': {'results': [2], 'next': None},
        '/api/v1/me/start_websocket_session': {'websocket_session': 'S'},
    })
    internet.plain.answers['/api/v1/x'] = [None, {'got': 'it'}]
    server = Server(internet.home)
    server.faults.update({1: before(500), 3: before(502), 4: before(503, headers={'Retry-After': '0'})})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter('always')
        assert client.get('busy') == {'got': 'it'}
        assert AmigoCloud(TOKEN, base_url=internet.plain.url, use_websockets=False).get('x') == {'got': 'it'}
        client.get('moved')
        for _ in range(2):
            client.get('closes')
            internet.home.hung_up.acquire()
        assert list(client.get_cursor('p1')) == [1, 2]
        client.upload_file(None, '/chunked', io.BytesIO(CONTENT), 400)
        client.get('https://www.amigocloud.com/x', verify=False)
        with AmigoCloud(TOKEN) as listening:
            try_call(listening.listen_user_events)
            said_of_client = repr(listening) + repr(listening.get_cursor('x?token=' + TOKEN))
    assert len(server.imported()) == 1 and CHUNKED in ' '.join(records)
    assert any(': try 1 of 4 failed' in line for line in records) and any('Resetting' in line for line in records)
    assert urllib3.exceptions.InsecureRequestWarning in [warning.category for warning in warned]
    for line in records + [said_of_client] + [repr(warning.__dict__) for warning in warned]:
        assert TOKEN not in line, line


UNCAUGHT = """
import sys, threading
from amigocloud import AmigoCloud
client = AmigoCloud(sys.argv[2], base_url=sys.argv[1], use_websockets=False, retries=0)
thread = threading.Thread(target=client.get, args=('lost',))
thread.start()
thread.join()
client.get('error')
"""


def test_what_is_said__of_what_nobody_catches(wire):
    wire.answers.update({'/api/v1/lost': None, '/api/v1/error': Answer({'detail': TOKEN}, 403)})
    script = subprocess.Popen([sys.executable, '-c', UNCAUGHT, wire.url, TOKEN], stderr=subprocess.PIPE)
    error = script.communicate()[1].decode('utf-8')
    assert error.count('Traceback') >= 2 and error.count('AmigoCloudError') > 1
    assert TOKEN not in error


# Certificates

@pytest.fixture
def stranger(make_wire, certificate):
    """A server whose certificate nobody vouches for."""
    wire = make_wire()
    speak_tls(wire, certificate)
    return wire


def test_certificate__is_checked_for_every_call(stranger):
    client = AmigoCloud(base_url=stranger.url, use_websockets=False)
    client._token = TOKEN
    calls = [lambda method=method: getattr(client, method)('x') for method in METHODS]
    calls += [lambda: list(client.get_cursor('x')), lambda: client.get('x', stream=True),
              lambda: AmigoCloud(TOKEN, base_url=stranger.url, use_websockets=False),
              lambda: client.authenticate(TOKEN), lambda: client.upload_file('x', 'x', io.BytesIO(CONTENT)),
              lambda: client.upload_file(None, 'x', io.BytesIO(CONTENT)),
              lambda: client.geocode_addresses(1, 2, 'address', 'geom')]
    for call in calls:
        with pytest.raises(requests.exceptions.SSLError) as caught:
            call()
        assert isinstance(caught.value, AmigoCloudError) and ' tries:' not in str(caught.value)
    assert not stranger.requests and stranger.connections <= len(calls)


def test_certificate__of_another_host(internet, client):
    with pytest.raises(requests.exceptions.SSLError):
        client.get('https://other.example/x')


def test_certificate__check_switched_off_by_the_caller(stranger):
    with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        AmigoCloud(base_url=stranger.url, use_websockets=False).get('x', verify=False)


FILTERS = """
import warnings
import gevent, requests, socketIO_client
before = list(warnings.filters)
import amigocloud, amigocloud.amigocloud, amigocloud.events.connection
amigocloud.AmigoCloud(use_websockets=True, base_url='http://127.0.0.1:1').close()
assert warnings.filters == before, warnings.filters
"""


def test_no_warnings_are_disabled():
    assert subprocess.call([sys.executable, '-c', FILTERS]) == 0
    folder = os.path.dirname(amigocloud.__file__)
    for name in os.listdir(folder):
        if name.endswith('.py'):
            with io.open(os.path.join(folder, name), encoding='utf-8') as code:
                source = code.read()
            for word in ('disable_warnings', 'simplefilter', 'filterwarnings', 'captureWarnings', 'CERT_NONE',
                         '_create_unverified', 'verify=False', 'check_hostname'):
                assert word not in source, (name, word)
