# coding: utf-8
"""Test one connection: real servers, TLS, proxies, and truncated, invalid or hostile answers."""
import base64
import gc
import hashlib
import itertools
import json
import re
import struct
import threading
import warnings

import pytest
import requests
from conftest import Answer
from servers import PATIENCE
from servers.raw import RawServer
from servers.tls import make_certificate, server_context

from amigocloud.events import connection, packets
from amigocloud.events.connection import Connection, ConnectionLost

pytest_plugins = ['event_servers']

PATH = '/v2_socket.io/socket.io/'
POLLING = ['python-polling', 'node-polling']
WEBSOCKET = ['python', 'node']


@pytest.fixture
def connect():
    """Return a function that makes a connection and opens it by default."""
    made = []

    def make(url, opened=True, **options):
        made.append(Connection(url, **options))
        if opened:
            made[-1].open()
        return made[-1]
    yield make
    for each in made:
        each.discard()
    assert not [thread for thread in threading.enumerate() if thread.name == 'amigocloud-heartbeat']


class Engine(object):
    """Answers that make a Wire an Engine.IO server with polling.

    Args:
        wire (Wire): the server, which gives these answers from now on.
        upgrades (list of str): the transports that it offers. Defaults to none.
        **session: further members of the answer to the handshake.

    Attributes:
        payloads (list of bytes): the answers to the polls, in order. Then the wire hangs up.
        answers (dict): other answers, by ``handshake``, ``upgrade``, ``poll`` or ``post``.
        steps (list of tuple): the step and the Request of each request.
    """

    def __init__(self, wire, upgrades=(), **session):
        self.session = {'sid': 'S', 'pingInterval': 25000, 'pingTimeout': 5000,
                        'upgrades': upgrades}
        self.session.update(session)
        self.payloads = [b'15:40/amigosocket,']
        self.answers = {}
        self.steps = []
        wire.answers[PATH] = self.answer

    def answer(self, request):
        step = step_of(request)
        self.steps.append((step, request))
        if step in self.answers:
            return self.answers[step]
        if step == 'handshake':
            return Answer(as_payload('0' + json.dumps(self.session)))
        if step == 'upgrade':
            return Answer(b'no websockets here', 400)
        if step == 'post':
            return Answer(b'ok')
        return Answer(self.payloads.pop(0)) if self.payloads else None


def step_of(request):
    if request.params['transport'] == 'websocket':
        return 'upgrade'
    if request.method == 'POST':
        return 'post'
    return 'poll' if 'sid' in request.params else 'handshake'


def as_payload(*texts):
    return ''.join('{}:{}'.format(len(text), text) for text in texts).encode('ascii')


def event(*arguments):
    return '42/amigosocket,' + json.dumps(arguments)


def entered(server, connect, url=None, **options):
    made = connect(url or server.url, **options)
    server.expect('entered')
    return made


def lost(call):
    with pytest.raises(ConnectionLost) as caught:
        call()
    return caught.value


# These tests use real servers.

def test_connection__events_in_both_directions(server, connect):
    opened = entered(server, connect)
    opened.authenticate({u'n': u'ñ'})
    news = server.expect('authenticate')
    assert news['payload'] == {u'n': u'ñ'}
    assert news['transport'] == ('polling' if server.polling else 'websocket')
    data = {u'text': u'Bogotá 🚌 ' * 100, u'list': [1, 2.5, None, {}]}
    server.emit('realtime', data)
    assert opened.receive() == ('realtime', data)


@pytest.mark.parametrize('how', ['close', 'leave'])
def test_connection__the_server_says_goodbye(server, connect, how):
    opened = entered(server, connect)
    server.emit('last', {})
    assert opened.receive() == ('last', {})
    server.tell(how)
    end = lost(opened.receive)
    assert end.closed_by_server
    assert 'reset' not in end.reason


def test_connection__close_tells_the_server(server, connect):
    opened = entered(server, connect)
    opened.close(1)
    server.expect('gone')
    assert lost(lambda: opened.emit('any')).reason.startswith(server.url)


def test_connection__json_that_is_nested_too_deeply(server, connect):
    opened = entered(server, connect)
    server.tell('raw', text='2/amigosocket,["deep",' + 200000 * '[')
    lost(opened.receive)


def cut(count):
    return lambda piece: piece[:count]


@pytest.mark.every_python
@pytest.mark.parametrize('variant', POLLING)
def test_polling__an_answer_that_is_cut_anywhere(make_server, make_relay, connect, variant):
    server = make_server(variant, shares=True)
    relay = make_relay(server)
    seen = []
    relay.break_next(lambda piece: seen.append(piece) or piece, b'"cut"')
    opened = entered(server, connect, relay.url)
    server.emit('cut', {u'text': u'ñ🚌' * 20})
    assert opened.receive()[0] == 'cut'
    [whole] = seen
    header = whole.index(b'\r\n\r\n')
    length = whole.index(b'Content-Length: ')
    # Cut where a truncated header looks like a complete one, and at regular distances.
    ends = {length + 5, length + len(b'Content-Length: '), length + len(b'Content-Length: 1'),
            header, header + 2, header + 4, header + 5, len(whole) - 1}
    ends |= set(range(0, len(whole), 71))
    ends |= {whole.index(b'charset') + 7} if b'charset' in whole else set()
    for end in sorted(ends):
        opened = entered(server, connect, relay.url)
        relay.break_next(cut(end), b'"cut"')
        server.emit('cut', {u'text': u'ñ🚌' * 20})
        assert not lost(opened.receive).closed_by_server, whole[:end]
        opened.discard()


@pytest.mark.parametrize('variant', WEBSOCKET)
def test_websocket__a_frame_that_is_cut_anywhere(make_server, make_relay, connect, variant):
    server = make_server(variant, shares=True)
    relay = make_relay(server)
    for end in (0, 1, 3, 60):
        opened = entered(server, connect, relay.url)
        relay.break_next(cut(end), b'"cut"')
        server.emit('cut', {u'text': u'ñ🚌' * 20})
        assert not lost(opened.receive).closed_by_server
        opened.discard()


BROKEN_POLLS = [
    b'HTTP/1.1 200 OK\r\n\r\n',
    b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    b'HTTP/1.1 204 No Content\r\n\r\n',
    b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n99:42',
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n',
    b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\nxx',
    b'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno',
    b'HTTP/1.1 200 OK\r\nContent-Type: x; charset',
    b'SSH-2.0-OpenSSH\r\n',
    b'\x00' * 50]

BROKEN_FRAMES = [
    b'\x81\x00', b'\x81\x017', b'\x81\x02\xff\xff', b'\x83\x00', b'\xf1\x00', b'\x80\x014',
    b'\x81\x7f' + b'\xff' * 8, b'HTTP/1.1 200 OK\r\n\r\n', b'\x00' * 50]


@pytest.mark.parametrize('variant, answer', list(itertools.chain(
    itertools.product(POLLING, BROKEN_POLLS), itertools.product(WEBSOCKET, BROKEN_FRAMES))))
def test_receive__anything_else_is_a_lost_connection(
        make_server, make_relay, connect, variant, answer):
    server = make_server(variant, shares=True)
    relay = make_relay(server)
    opened = entered(server, connect, relay.url)
    relay.break_next(lambda piece: answer, b'"odd"')
    server.emit('odd', {})
    lost(opened.receive)


@pytest.mark.parametrize('variant', WEBSOCKET)
def test_goodbye__of_a_server_that_does_not_wait(make_server, make_relay, connect, variant):
    server = make_server(variant, shares=True)
    relay = make_relay(server)
    opened = entered(server, connect, relay.url)
    relay.break_next(lambda piece: piece + b'\x89\x00' * 50 + b'\x88\x06\x03\xe9away', b'"last"')
    server.emit('last', {})
    assert opened.receive() == ('last', {})
    end = lost(opened.receive)
    assert (end.closed_by_server, end.reason) == (True, 'away')


def test_websocket__bytes_are_decoded_once(make_server, connect, monkeypatch):
    monkeypatch.setattr('websocket._abnf.validate_utf8', None)
    server = make_server('python', shares=True)
    opened = entered(server, connect)
    server.emit('long', {u'text': u'ñ🚌' * 100000})
    assert opened.receive() == ('long', {u'text': u'ñ🚌' * 100000})


@pytest.mark.parametrize('variant', WEBSOCKET)
def test_websocket__failure_leaves_polling(make_server, make_relay, connect, variant):
    server = make_server(variant, shares=True)
    relay = make_relay(server)
    refusal = b'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'
    relay.break_next(lambda piece: refusal, b'HTTP/1.1 101')
    opened = entered(server, connect, relay.url)
    opened.authenticate({})
    assert server.expect('authenticate')['transport'] == 'polling'


@pytest.mark.parametrize('error', [RuntimeError("can't start new thread"), AttributeError('x')])
def test_open__without_a_thread_for_the_heartbeat(server, connect, open_files, monkeypatch, error):
    start = threading.Thread.start

    def fail(thread):
        if thread.name == 'amigocloud-heartbeat':
            raise error
        start(thread)
    server.reset()
    before = open_files()
    monkeypatch.setattr(threading.Thread, 'start', fail)
    opened = connect(server.url, opened=False)
    assert str(error) in lost(opened.open).reason
    opened.discard()
    # There may be fewer, because files of earlier tests may have been closed since.
    assert open_files() <= before
    monkeypatch.undo()
    entered(server, connect)


@pytest.mark.parametrize('ends', [KeyboardInterrupt, SystemExit])
def test_receive__what_ends_a_thread_passes(make_server, connect, monkeypatch, ends):
    opened = entered(make_server('python', shares=True), connect)

    def end(*args):
        raise ends()
    monkeypatch.setattr(packets, 'read_message', end)
    opened.emit('authenticate', {})
    opened._transport.send(packets.MESSAGE, packets.CONNECT + connection.NAMESPACE)
    with pytest.raises(ends):
        opened.receive()


@pytest.mark.parametrize('ends', [KeyboardInterrupt, SystemExit])
def test_receive__raises_what_ends_the_heartbeat(make_server, connect, monkeypatch, ends):
    opened = entered(make_server('python', shares=True), connect)

    def end(*args):
        raise ends()
    monkeypatch.setattr(opened._transport, 'send', end)
    with pytest.raises(ends):
        opened.receive()


# These tests use a server that answers anything.

@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
@pytest.mark.parametrize('step', ['handshake', 'poll', 'post', 'upgrade'])
def test_redirects__are_not_followed(make_wire, connect, status, step):
    wire = make_wire()
    other = make_wire()
    engine = Engine(wire, upgrades=['websocket'])
    engine.payloads.append(as_payload(event('a')))
    engine.answers[step] = Answer(b'', status, {'Location': other.url + PATH})
    if step == 'upgrade':
        assert connect(wire.url).receive() == ('a', {})
    else:
        reason = lost(lambda: connect(wire.url)).reason
        assert '{} answered {}'.format(wire.url + PATH, status) in reason
        assert other.url in reason
    assert not other.requests


def test_cookies__of_the_handshake_go_with_what_follows(make_wire, connect):
    wire = make_wire()
    engine = Engine(wire, upgrades=['websocket'])
    cookies = ['AWSALB=first; Path=/', 'AWSALBCORS=second; Path=/; SameSite=None']
    engine.answers['handshake'] = Answer(
        as_payload('0' + json.dumps(engine.session)), headers={'Set-Cookie': cookies})
    session = requests.Session()
    for _ in range(2):
        engine.payloads[:] = [b'15:40/amigosocket,']
        connect(wire.url, session=session)
    # Sort the cookies, because Python 2 keeps them in any order.
    steps = [(step, sorted(request.headers.get('cookie', '').split('; ')))
             for step, request in engine.steps if step != 'poll']
    both = ['AWSALB=first', 'AWSALBCORS=second']
    assert steps == 2 * [('handshake', ['']), ('upgrade', both), ('post', both)]
    assert not session.cookies


def test_cookies__are_renewed_by_polls(make_wire, connect):
    wire = make_wire()
    engine = Engine(wire)
    engine.answers['post'] = Answer(b'ok', headers={'Set-Cookie': 'AWSALB=new'})
    connect(wire.url)
    assert engine.steps[-1][1].headers['cookie'] == 'AWSALB=new'


PAGE = u'<html>\n<head><title>502 Bad Gateway: ñ</title></head>' + 100 * u'<p>x</p>'


@pytest.mark.parametrize('step', ['handshake', 'poll'])
@pytest.mark.parametrize('status, body, shown', [
    (200, PAGE.encode('utf-8'), PAGE[:200] + u'...'),
    (200, b'{"detail": "no"}', u'{"detail": "no"}'),
    (200, b'', u'an empty body'),
    (200, b'3:40', u'3:40'),
    (200, b'6:0{"a"', u'6:0{"a"'),
    (404, b'not here', u'not here'),
    (502, PAGE.encode('utf-8'), PAGE[:200] + u'...'),
    (403, b'', u'an empty body'),
    (401, b'token=secret123 is old', u'token=*** is old'),
])
def test_reasons__say_what_came(make_wire, connect, step, status, body, shown):
    wire = make_wire()
    Engine(wire).answers[step] = Answer(body, status)
    end = lost(lambda: connect(wire.url.replace('127', 'ana:secret123@127', 1)))
    assert end.reason.startswith('{} answered {}'.format(wire.url + PATH, status))
    assert end.reason.endswith(': ' + shown)
    assert not end.closed_by_server


@pytest.mark.parametrize('session', [
    {'pingInterval': 0}, {'pingInterval': -1}, {'pingInterval': float('nan')},
    {'pingInterval': 1e300}, {'pingInterval': '25'}, {'pingInterval': None}, {'pingTimeout': -1},
    {'pingTimeout': []}, {'upgrades': None}, {'upgrades': 1}])
def test_open__a_handshake_of_nonsense(make_wire, connect, session):
    wire = make_wire()
    Engine(wire, **session)
    assert 'answered 200, but not' in lost(lambda: connect(wire.url)).reason


@pytest.mark.parametrize('url', ['', 'localhost', 'http://', 'http://127.0.0.1:x', 'http://[::',
                                 'http://127.0.0.1:1', u'http://\udcff.invalid',
                                 'http://' + 70 * 'x'])
def test_open__a_url_that_leads_nowhere(connect, url):
    assert lost(lambda: connect(url)).reason


def test_open__the_end_of_a_session_is_closed_by_server(make_wire, connect):
    wire = make_wire()
    engine = Engine(wire)
    opened = connect(wire.url)
    engine.answers['poll'] = Answer(b'{"code":1,"message":"Session ID unknown"}', 400)
    end = lost(opened.receive)
    assert end.closed_by_server
    assert 'Session ID unknown' in end.reason


def text_frame(text):
    return struct.pack('>BB', 0x81, len(text)) + text


class Websockets(RawServer):
    """A server that sends its frames in the same piece as the answer to the upgrade.

    It packs texts into frames.
    """

    frames = [b'3probe', b'40/amigosocket,', event('a', {'b': 1}).encode('ascii')]

    def handle(self, connection):
        request = b''
        while b'\r\n\r\n' not in request:
            request += connection.recv(65536)
        if b'transport=polling' in request:
            body = as_payload('0' + json.dumps({
                'sid': 'S', 'pingInterval': 25000, 'pingTimeout': 5000, 'upgrades': ['websocket']}))
            header = 'HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n'.format(len(body))
            connection.sendall(header.encode('ascii') + body)
            return
        key = re.search(b'Sec-WebSocket-Key: (.*)\r', request).group(1)
        digest = hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest()
        frames = [frame if frame[:1] >= b'\x80' or frame[:1] < b' ' else text_frame(frame)
                  for frame in self.frames]
        connection.sendall(
            b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            b'Sec-WebSocket-Accept: ' + base64.b64encode(digest) + b'\r\n\r\n'
            + b''.join(frames))
        try:
            while connection.recv(65536):
                pass
        except EnvironmentError:
            # The client has closed the connection.
            pass


def test_websocket__frames_right_behind_its_header(connect):
    assert connect(Websockets().url).receive() == ('a', {'b': 1})


def test_websocket__frames_in_pieces(connect):
    server = Websockets()
    server.frames = server.frames[:2] + [
        b'\x01\x1242/amigosocket,["\xc3', b'\x89\x02hi', b'\x00\x01\xb1', b'\x80\x02"]',
        b'42/amigosocket,["b"]']
    opened = connect(server.url)
    assert [opened.receive(), opened.receive()] == [(u'\xf1', {}), ('b', {})]


@pytest.mark.parametrize('headers', [{}, {'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='}])
def test_websocket__of_a_server_that_does_not_speak_it(make_wire, connect, headers):
    wire = make_wire()
    engine = Engine(wire, upgrades=['websocket'])
    engine.answers['upgrade'] = Answer(b'', 101, headers)
    engine.payloads.append(as_payload(event('a')))
    assert connect(wire.url).receive() == ('a', {})


def test_websocket__an_empty_frame(connect):
    server = Websockets()
    server.frames = server.frames[:2] + [b'\x81\x00']
    assert server.url + PATH in lost(connect(server.url).receive).reason


@pytest.mark.parametrize('step', ['handshake', 'poll', 'upgrade'])
def test_close__ends_each_step(make_wire, connect, step):
    wire = make_wire()
    requested = threading.Event()
    over = threading.Event()

    def hang(request):
        requested.set()
        over.wait(PATIENCE)
    engine = Engine(wire, upgrades=['websocket'])
    answer = engine.answer
    wire.answers[PATH] = lambda request: (hang if step_of(request) == step else answer)(request)
    opened = connect(wire.url, opened=False)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(lost(opened.open)))
    thread.start()
    assert requested.wait(PATIENCE)
    if step == 'upgrade':
        engine.answers['post'] = Answer(b'', 500)
    opened.close(1)
    thread.join(PATIENCE)
    assert ended
    over.set()


# These tests use TLS and proxies.

@pytest.fixture(autouse=True)
def no_bundles(monkeypatch):
    for name in ('REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope='module')
def certificate(tmpdir_factory):
    return make_certificate(tmpdir_factory.mktemp('tls'), 'localhost')


@pytest.fixture(params=['python', 'python-polling'])
def tls_server(request, make_server, make_relay, certificate):
    server = make_server(request.param, shares=True)
    relay = make_relay(server, context=server_context(certificate))
    server.tls_url = 'https://localhost:{}'.format(relay.port)
    return server


def assert_works(server, connect, url, **options):
    opened = entered(server, connect, url, **options)
    opened.authenticate({})
    transport = 'polling' if server.polling else 'websocket'
    assert server.expect('authenticate')['transport'] == transport
    server.emit('a', {})
    assert opened.receive() == ('a', {})


def session_with(**settings):
    session = requests.Session()
    for name, value in settings.items():
        setattr(session, name, value)
    return session


@pytest.mark.parametrize('how', ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'verify', 'off'])
def test_tls__who_is_trusted(tls_server, connect, monkeypatch, certificate, how):
    session = requests.Session()
    if how in ('verify', 'off'):
        session.verify = certificate if how == 'verify' else False
    else:
        monkeypatch.setenv(how, certificate)
    with warnings.catch_warnings():
        # urllib3 warns if certificates are not verified.
        warnings.simplefilter('ignore' if how == 'off' else 'error')
        assert_works(tls_server, connect, tls_server.tls_url, session=session)


def test_tls__who_is_not_trusted(tls_server, connect):
    assert 'certificate' in lost(lambda: connect(tls_server.tls_url)).reason.lower()


@pytest.mark.parametrize('how', ['https_proxy', 'all_proxy', 'ALL_PROXY', 'proxies', 'proxies all'])
def test_proxy__of_tls(tls_server, make_proxy, connect, monkeypatch, certificate, how):
    proxy = make_proxy('ana:secret')
    session = session_with(verify=certificate)
    if how.startswith('proxies'):
        session.proxies = {how.split()[-1].replace('proxies', 'https'): proxy.url}
    else:
        monkeypatch.setenv(how, proxy.url)
    assert_works(tls_server, connect, tls_server.tls_url, session=session)
    assert set(proxy.seen) == {('CONNECT', tls_server.tls_url.split('//')[1])}
    assert tls_server.polling or len(proxy.seen) == 2


@pytest.mark.parametrize('how', ['http_proxy', 'all_proxy', 'proxies'])
@pytest.mark.parametrize('variant', ['python', 'python-polling'])
def test_proxy__of_plain_http(make_server, make_proxy, connect, monkeypatch, variant, how):
    server = make_server(variant, shares=True)
    proxy = make_proxy('ana:secret')
    session = requests.Session()
    if how == 'proxies':
        session.proxies = {'http': proxy.url}
    else:
        monkeypatch.setenv(how, proxy.url)
    assert_works(server, connect, server.url, session=session)
    methods = [method for method, _ in proxy.seen]
    assert methods[0] == 'GET'
    assert ('CONNECT' in methods) == (not server.polling)


@pytest.mark.parametrize('how', ['NO_PROXY', 'no_proxy', 'trust_env'])
def test_proxy__that_is_not_to_be_used(
        tls_server, make_proxy, connect, monkeypatch, certificate, how):
    proxy = make_proxy()
    monkeypatch.setenv('all_proxy', proxy.url)
    session = session_with(verify=certificate, trust_env=how != 'trust_env')
    if how != 'trust_env':
        monkeypatch.setenv(how, 'localhost')
    assert_works(tls_server, connect, tls_server.tls_url, session=session)
    assert not proxy.seen


@pytest.mark.filterwarnings('ignore:unclosed')
def test_proxy__that_refuses(make_proxy, connect, monkeypatch):
    proxy = make_proxy('ana:secret')
    monkeypatch.setenv('https_proxy', proxy.url.replace('secret', 'wrong123'))
    reason = lost(lambda: connect('https://localhost:1')).reason
    assert '407' in reason
    assert 'wrong123' not in reason
    # Older Pythons leave the socket to the garbage collector. Run it here and not during a later
    # test.
    gc.collect()
