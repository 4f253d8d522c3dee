# coding: utf-8
"""Live events, against real Socket.IO servers and through a wire that breaks."""
import gc
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time

import gevent
import pytest
import requests
from conftest import Answer
from servers import PATIENCE, EventServer, Relay, node_command, python_command
from servers.tls import make_certificate, server_context

import amigocloud
from amigocloud import AmigoCloud, AmigoCloudError, connection, realtime
from amigocloud.realtime import Realtime

VARIANTS = ['python', 'python-polling', 'node', 'node-polling']


class Service(object):
    """The REST side: gives websocket sessions, or the errors it is told to give."""

    def __init__(self):
        self.urls, self.errors = [], []

    def fetch(self, url):
        self.urls.append(url)
        if self.errors:
            raise self.errors.pop(0)
        return {'websocket_session': 'S{}'.format(len(self.urls))}


def refusal(status_code):
    response = requests.Response()
    response.status_code, response.url, response._content = status_code, '', b'no'
    return response


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(realtime, 'BACKOFF_SECONDS', (0.05, 0.2))
    monkeypatch.setattr(connection, 'COMPLAINT_SECONDS', 0.2)


@pytest.fixture(scope='session')
def make_server(request):
    """Makes event servers; one that is not for a test alone serves them all."""
    made, shared = [], {}

    def make(variant, shares=False, **options):
        if shares and variant in shared:
            return shared[variant]
        if variant.startswith('node'):
            command = node_command(request.config.cache.makedir('node'))
        else:
            command = python_command()
        made.append(EventServer(command, polling=variant.endswith('polling'), **options))
        if shares:
            shared[variant] = made[-1]
        return made[-1]
    yield make
    for server in made:
        server.close()


@pytest.fixture(params=VARIANTS)
def server(request, make_server):
    shared = make_server(request.param, shares=True)
    shared.reset()
    return shared


@pytest.fixture
def python_server(make_server):
    shared = make_server('python', shares=True)
    shared.reset()
    return shared


@pytest.fixture
def make_relay():
    made = []

    def make(server, **options):
        made.append(Relay(server.port, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def make_realtime(service):
    made = []

    def make(url, **options):
        made.append(Realtime(url, service.fetch, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()
    assert not own_threads()


@pytest.fixture
def events(make_realtime, server):
    """The subscribed events of a server of each kind."""
    return subscribed(make_realtime(server.url), server)


def own_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith('amigocloud')]


def subscribed(events, server):
    events.subscribe('/me', {'userid': 1})
    assert server.expect('authenticate')['payload'] == {'userid': 1, 'websocket_session': 'S1'}
    return events


def listen(events, *names, **options):
    """Listens until as many events of these names came as there are names, or as count says; gives them."""
    came = []

    def add(name):
        def callback(data):
            came.append((name, data))
            if len(came) == options.get('count', len(names)):
                events.stop()
        return callback
    for name in set(names):
        events._callbacks.pop(name, None)
        events.on(name, add(name))
    events.wait(PATIENCE)
    return came


def test_events__arrive_as_they_were_sent(events, server):
    data = {u'name': u'Bogotá 🚌 ' * 100, u'list': [1, 2.5, None, {}]}
    server.emit('realtime', data)
    for number in range(50):
        server.emit('realtime', {u'number': number})
    came = listen(events, 'realtime', count=51)
    assert came == [('realtime', data)] + [('realtime', {u'number': number}) for number in range(50)]


@pytest.mark.parametrize('variant, transport', list(zip(VARIANTS, ['websocket', 'polling'] * 2)))
def test_connection__takes_a_websocket_where_there_is_one(make_server, make_realtime, variant, transport):
    server = make_server(variant, shares=True)
    server.reset()
    make_realtime(server.url).subscribe('/me', {})
    assert server.expect('authenticate')['transport'] == transport


def test_connection__port(python_server, make_realtime):
    subscribed(make_realtime('http://127.0.0.1:1', port=python_server.port), python_server)


@pytest.mark.parametrize('variant', VARIANTS)
def test_events__of_before_the_namespace_was_entered(make_server, make_realtime, variant):
    events = make_realtime(make_server(variant, welcome=True).url)
    assert listen(events, 'connect', 'welcome')[-1] == ('welcome', {'first': True})


def test_events__odd_ones_do_not_end_the_listening(events, server):
    server.emit('first', {})
    listen(events, 'first')
    for payload in ('text', {'a': 1}, [], None, ''):
        server.tell('error', payload=payload)
    server.tell('binary')
    server.emit('none')
    server.emit('two', {'a': 1}, {'b': 2})
    server.tell('ask', event='asked', arguments=[{'a': 1}])
    for name in ('connect', 'disconnect', 'error', 'message', 'with spaces', u'ñ', '__init__'):
        server.emit(name, {'of': name})
    for packet in ('2/amigosocket,{"not":"a list"}', '2/amigosocket,[]', '2/amigosocket,[7]', '2/amigosocket,[',
                   '2/amigosocket', '9', '3/amigosocket,1[]', '2/elsewhere,["none"]', '2["none"]', ''):
        server.tell('raw', text=packet)
    server.emit('last', {})
    came = listen(events, 'none', 'two', 'asked', 'with spaces', u'ñ', '__init__', 'last')
    assert came == [('none', {}), ('two', {'a': 1}), ('asked', {'a': 1}), ('with spaces', {'of': 'with spaces'}),
                    (u'ñ', {'of': u'ñ'}), ('__init__', {'of': '__init__'}), ('last', {})]
    assert server.unread('authenticate') == 0


def test_callback__its_error_leaves_the_later_events(events, server):
    for number in range(3):
        server.emit('number', {'number': number})
    came = []

    def callback(data):
        if data['number'] == 1:
            raise KeyError('mine')
        came.append(data['number'])
    events.on('number', callback)
    with pytest.raises(KeyError, match='mine'):
        events.wait(PATIENCE)
    events.on('number', lambda data: events.stop())
    events.wait(PATIENCE)
    assert came == [0, 2]


def test_callbacks__of_one_event_are_called_in_their_order(events, server):
    came = []
    events.on('one', lambda data: came.append(1))
    events.on('one', lambda data: came.append(2))
    server.emit('one', {})
    server.emit('end', {})
    listen(events, 'end')
    assert came == [1, 2]


def test_on__what_cannot_be_called(make_realtime):
    with pytest.raises(AmigoCloudError, match='callback'):
        make_realtime('http://127.0.0.1:1').on('realtime', 'print')


@pytest.mark.parametrize('seconds', [-1, float('nan'), '5', [], 1j])
def test_wait__bad_seconds(make_realtime, seconds):
    events = make_realtime('http://127.0.0.1:1')
    with pytest.raises(AmigoCloudError, match='seconds'):
        events.wait(seconds)
    assert not own_threads()


def test_wait__zero_takes_what_is_there(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    came = listen(events, 'connect')
    python_server.emit('one', {})
    python_server.emit('two', {})
    events.on('one', came.append)
    while len(came) < 2:
        events.wait(0)


def test_wait__seconds_are_the_end(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    events.on('slow', lambda data: time.sleep(0.05))
    for _ in range(20):
        python_server.emit('slow', {})
    events.wait(0.1)
    python_server.emit('end', {})
    assert listen(events, 'slow', 'end', count=2)[0] == ('slow', {})


def test_wait__twice_at_a_time(make_realtime, python_server):
    events = make_realtime(python_server.url)
    with pytest.raises(AmigoCloudError, match='listening already'):
        events.on('connect', lambda data: events.wait(1))
        events.wait(PATIENCE)


def test_start__who_needs_the_connection_does_not_wait_for_its_start(make_realtime, python_server, monkeypatch):
    monkeypatch.setattr(realtime, 'START_SECONDS', 60)
    events = make_realtime(python_server.url)
    events.start()
    subscribed(events, python_server)


def test_wait__leaves_the_thread_to_other_greenlets(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    turns = []

    def tick():
        while len(turns) < 10:
            turns.append(len(turns))
            gevent.sleep(0.01)
        events.stop()
    greenlet = gevent.spawn(tick)
    events.wait(PATIENCE)
    assert len(turns) == 10
    greenlet.join()


def test_wait__many_events_do_not_starve_other_greenlets(make_realtime, python_server):
    events = make_realtime(python_server.url)
    events.on('again', lambda data: events._mailbox.append(('again', {})))
    events._mailbox.append(('again', {}))
    gevent.spawn_later(0.05, events.stop)
    events.wait(PATIENCE)


def test_wait__in_another_thread(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    came = []

    def work():
        came.extend(listen(events, 'realtime') + [threading.current_thread()])
    thread = threading.Thread(target=work)
    thread.start()
    python_server.emit('realtime', {'a': 1})
    thread.join(PATIENCE)
    assert came == [('realtime', {'a': 1}), thread]


@pytest.mark.parametrize('server', ['python', 'node-polling'], indirect=True)
def test_slow_callback__does_not_stop_the_heartbeat(events, server):
    # Longer than ping_interval and ping_timeout together, after which the server drops a silent client.
    events.on('slow', lambda data: time.sleep(2))
    server.emit('slow', {})
    server.emit('end', {})
    listen(events, 'end')
    assert server.unread('authenticate') == 0
    assert events.connected


@pytest.mark.parametrize('stop', ['callback', 'thread', 'greenlet'])
def test_stop(make_realtime, python_server, stop):
    events = make_realtime(python_server.url)
    events.stop()
    if stop == 'callback':
        events.on('connect', lambda data: events.stop())
    elif stop == 'thread':
        timer = threading.Timer(0.1, events.stop)
        timer.start()
    else:
        gevent.spawn_later(0.1, events.stop)
    events.wait()
    if stop == 'thread':
        timer.join()


def test_emit(make_realtime, python_server):
    make_realtime(python_server.url).emit('authenticate', {'any': u'ñ'})
    assert python_server.expect('authenticate')['payload'] == {'any': u'ñ'}


@pytest.mark.parametrize('how', ['close', 'leave'])
def test_goodbye__subscribes_again_with_a_fresh_session(events, server, how):
    events.subscribe('/dataset', {'userid': 1, 'datasetid': 2})
    server.expect('authenticate')
    server.tell(how)
    again = [server.expect('authenticate')['payload'] for _ in range(2)]
    assert again == [{'userid': 1, 'websocket_session': 'S3'},
                     {'userid': 1, 'datasetid': 2, 'websocket_session': 'S4'}]
    server.emit('realtime', {'a': 1})
    came = listen(events, 'connect', 'disconnect', 'reconnect', 'realtime')
    assert [name for name, _ in came] == ['connect', 'disconnect', 'reconnect', 'realtime']


def test_goodbye__events_just_before_it_are_kept(events, server):
    server.emit('first', {})
    listen(events, 'first')
    for number in range(20):
        server.emit('realtime', {'number': number})
    server.tell('raw', text='1/amigosocket')
    came = listen(events, 'realtime', 'reconnect', count=21)
    assert [data['number'] for name, data in came if name == 'realtime'] == list(range(20))


def test_same_subscription__is_one(make_realtime, python_server, service):
    events = subscribed(make_realtime(python_server.url), python_server)
    events.subscribe('/me', {'userid': 1})
    python_server.expect('authenticate')
    python_server.tell('close')
    python_server.expect('authenticate')
    listen(events, 'reconnect')
    assert python_server.unread('authenticate') == 0
    assert len(service.urls) == 3


@pytest.mark.parametrize('variant', VARIANTS)
def test_server__killed_and_started_again(make_server, make_realtime, variant):
    first = make_server(variant)
    events = subscribed(make_realtime(first.url), first)
    first.close()
    listen(events, 'disconnect')
    assert not events.connected
    second = make_server(variant, port=first.port)
    assert second.expect('authenticate')['payload']['websocket_session'] == 'S2'
    second.emit('realtime', {})
    listen(events, 'realtime')


def test_wire__stalled(server, make_relay, make_realtime):
    relay = make_relay(server)
    events = subscribed(make_realtime(relay.url), server)
    relay.stall()
    listen(events, 'disconnect')
    relay.resume()
    relay.cut()
    assert server.expect('authenticate')['payload']['websocket_session'] == 'S2'
    server.emit('realtime', {'a': 1})
    assert listen(events, 'realtime') == [('realtime', {'a': 1})]


@pytest.mark.parametrize('variant', ['python', 'node'])
def test_wire__cut_again_and_again(make_server, make_relay, make_realtime, variant):
    server = make_server(variant, shares=True)
    server.reset()
    relay = make_relay(server)
    events = subscribed(make_realtime(relay.url), server)
    for number in range(2, 8):
        relay.cut()
        assert server.expect('authenticate')['payload']['websocket_session'] == 'S{}'.format(number)
        listen(events, 'reconnect')


@pytest.mark.parametrize('variant', ['python', 'python-polling'])
def test_soak(make_server, make_relay, make_realtime, variant):
    """Hours of events and lost connections in short; AMIGOCLOUD_TEST_SOAK_SECONDS makes it longer."""
    resource = pytest.importorskip('resource', reason='memory is measured on POSIX')
    # A heartbeat that a busy machine does not miss: what is emitted while the client is away is lost.
    server = make_server(variant, ping_interval=5, ping_timeout=30)
    relay = make_relay(server)
    events = subscribed(make_realtime(relay.url), server)
    came, memory, sent = [0], [], 0

    def tick(event):
        # Never one twice, never one out of its order.
        assert event['number'] == came[0] + 1
        came[0] = event['number']
        if event['number'] == sent:
            events.stop()
    events.on('tick', tick)
    deadline = time.time() + float(os.environ.get('AMIGOCLOUD_TEST_SOAK_SECONDS', 4))
    while time.time() < deadline:
        for _ in range(50):
            sent += 1
            server.emit('tick', {'number': sent, 'data': 'x' * 1000})
        events.wait(PATIENCE)
        assert came[0] == sent
        if sent % 1000 == 0:
            if server.polling:
                # A wire that is cut between two polls is not missed.
                server.tell('close')
            else:
                relay.cut()
            server.expect('authenticate')
            listen(events, 'reconnect')
        gc.collect()
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert len(own_threads()) <= 2
    # In kilobytes; what came by is many times more.
    assert memory[-1] - memory[len(memory) // 4] < 4000


def test_wire__a_websocket_that_cannot_be_made_leaves_polling(make_realtime, python_server, monkeypatch):
    def fail(*args, **kwargs):
        raise EnvironmentError('a proxy that knows no websockets')
    monkeypatch.setattr('socketIO_client.transports.create_connection', fail)
    make_realtime(python_server.url).subscribe('/me', {})
    assert python_server.expect('authenticate')['transport'] == 'polling'


def test_reconnection__tries_again_when_rest_fails(events, server, service):
    service.errors = [AmigoCloudError('no answer'), AmigoCloudError('busy', refusal(503)),
                      AmigoCloudError('busy', refusal(429))]
    server.tell('close')
    assert server.expect('authenticate')['payload']['websocket_session'] == 'S5'
    server.emit('realtime', {})
    listen(events, 'realtime')


def test_reconnection__revoked_token(make_realtime, python_server, service):
    events = subscribed(make_realtime(python_server.url), python_server)
    service.errors = [AmigoCloudError('revoked', refusal(401)) for _ in range(2)]
    python_server.tell('close')
    for _ in range(2):
        with pytest.raises(AmigoCloudError, match='revoked'):
            events.wait(PATIENCE)
    listen(events, 'connect')
    assert python_server.expect('authenticate')['payload']['websocket_session'] == 'S4'


@pytest.mark.parametrize('how', ['close', 'leave', 'error'])
def test_refusal__comes_out_of_wait(server, make_realtime, how):
    server.refuse(how, payload={'message': 'no such session'} if how == 'error' else None)
    events = make_realtime(server.url)
    events.subscribe('/me', {'userid': 1})
    with pytest.raises(AmigoCloudError, match='no such session' if how == 'error' else 'refuses') as caught:
        events.wait(PATIENCE)
    assert 'refuses' in str(caught.value)
    sessions = [server.expect('authenticate')['payload']['websocket_session'] for _ in range(4)]
    assert sessions == ['S1', 'S2', 'S3', 'S4']
    server.refuse()
    listen(events, 'connect')
    assert server.expect('authenticate')['payload']['websocket_session'] == 'S5'


def test_refusal__not_if_an_event_follows_the_error_packet(events, server):
    server.refuse('error', payload='just saying')
    events.subscribe('/me', {'userid': 2})
    server.expect('authenticate')
    server.emit('realtime', {})
    listen(events, 'realtime')
    threading.Event().wait(1)
    server.emit('realtime', {})
    listen(events, 'realtime')
    assert server.unread('authenticate') == 0


@pytest.fixture
def silent_listener():
    """A server that takes connections and says nothing."""
    listener = socket.socket()
    listener.settimeout(PATIENCE)
    listener.bind(('127.0.0.1', 0))
    listener.listen(16)
    yield listener
    listener.close()


@pytest.fixture
def silent_url(silent_listener):
    return 'http://127.0.0.1:{}'.format(silent_listener.getsockname()[1])


def test_no_connection__server_down(make_realtime, monkeypatch):
    monkeypatch.setattr(realtime, 'READY_SECONDS', 0.3)
    events = make_realtime('http://127.0.0.1:1')
    events.start()
    with pytest.raises(AmigoCloudError, match='127.0.0.1:1.*refused'):
        events.subscribe('/me', {})
    events.wait(0.1)
    with pytest.raises(AmigoCloudError, match='No connection'):
        events.emit('any')


def test_no_connection__silent_server(make_realtime, monkeypatch, silent_url):
    monkeypatch.setattr(realtime, 'READY_SECONDS', 0.3)
    with pytest.raises(AmigoCloudError, match='No connection'):
        make_realtime(silent_url).subscribe('/me', {})


@pytest.mark.parametrize('answer', [(401, 'no'), (200, '<html>'), (200, ''), (200, '5:0{"a"'), (200, '3:0[]')])
def test_no_connection__no_socketio_server(make_realtime, monkeypatch, wire_answer, answer):
    monkeypatch.setattr(realtime, 'READY_SECONDS', 0.3)
    with pytest.raises(AmigoCloudError, match='No connection'):
        make_realtime(wire_answer(*answer)).subscribe('/me', {})


@pytest.fixture
def wire_answer(make_wire):
    """Makes servers that answer the handshake by something."""
    def make(status, body):
        wire = make_wire()
        wire.answers['/v2_socket.io/socket.io/'] = Answer(body.encode('utf-8'), status)
        return wire.url
    return make


def test_no_connection__rest_errors_come_out_of_subscribe(make_realtime, python_server, service):
    service.errors = [AmigoCloudError('not yours', refusal(403))]
    with pytest.raises(AmigoCloudError, match='not yours'):
        make_realtime(python_server.url).subscribe('/me', {})


@pytest.mark.parametrize('answer', [{}, [], None, b''])
def test_no_connection__no_websocket_session(python_server, answer):
    events = Realtime(python_server.url, lambda url: answer)
    with pytest.raises(AmigoCloudError, match='/me.*websocket_session'):
        events.subscribe('/me', {})


@pytest.mark.parametrize('package', ['gevent', 'socketIO_client', 'websocket'])
def test_missing_package(make_realtime, monkeypatch, package):
    for name in list(sys.modules):
        if name.split('.')[0] == package or name == 'amigocloud.connection':
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(amigocloud, 'connection', raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    events = make_realtime('http://127.0.0.1:1')
    events.start()
    with pytest.raises(AmigoCloudError, match='pip install'):
        events.subscribe('/me', {})
    with pytest.raises(AmigoCloudError, match='pip install'):
        events.wait(PATIENCE)


def test_forget__and_subscribe_again(events, server):
    server.emit('old', {})
    listen(events, 'connect')
    events.on('disconnect', lambda data: events.stop())
    events.forget()
    server.expect('gone')
    assert not events.connected
    events.subscribe('/me', {'userid': 2})
    assert server.expect('authenticate')['payload'] == {'userid': 2, 'websocket_session': 'S2'}
    server.emit('new', {})
    assert listen(events, 'old', 'new', count=1) == [('new', {})]


def test_forget__ends_wait(make_realtime, python_server):
    events = make_realtime(python_server.url)
    events.on('connect', lambda data: events.forget())
    events.wait()


def test_close__leaves_nothing_behind(make_realtime, server):
    before = None
    for number in range(4):
        events = make_realtime(server.url)
        events.subscribe('/me', {})
        server.expect('authenticate')
        server.tell('close')
        server.expect('authenticate')
        listen(events, 'reconnect')
        events.close()
        server.expect('gone')
        assert not own_threads()
        gc.collect()
        if number == 0:
            before = open_files()
    assert open_files() == before


def open_files():
    if not os.path.isdir('/proc/self/fd'):
        pytest.skip('no /proc to count open files in')
    return len(os.listdir('/proc/self/fd'))


def test_close__then_nothing_goes(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    events.close()
    events.close()
    assert not events.connected
    for call in (events.start, events.wait, lambda: events.subscribe('/me', {}), lambda: events.emit('any')):
        with pytest.raises(AmigoCloudError, match='closed'):
            call()


@pytest.mark.parametrize('where', ['callback', 'thread'])
def test_close__ends_wait(make_realtime, python_server, where):
    events = make_realtime(python_server.url)
    if where == 'callback':
        events.on('connect', lambda data: events.close())
        events.wait()
    else:
        timer = threading.Timer(0.1, events.close)
        timer.start()
        events.wait()
        timer.join()


def test_close__while_the_server_is_silent(make_realtime, silent_listener, silent_url):
    events = make_realtime(silent_url)
    events.start()
    connection, _ = silent_listener.accept()
    assert connection.recv(65536)
    events.close()
    assert not own_threads()
    connection.close()


def test_close__while_the_wire_is_stalled(server, make_relay, make_realtime):
    relay = make_relay(server)
    events = subscribed(make_realtime(relay.url), server)
    relay.stall()
    events.close()
    assert not own_threads()


def test_client__is_closed_when_destroyed(make_wire, python_server):
    wire = make_wire()
    wire.answers['/api/v1/me/start_websocket_session'] = {'websocket_session': 'S1'}
    client = AmigoCloud('token', base_url=wire.url, websocket_port=python_server.port)
    client.listen_user_events()
    assert python_server.expect('authenticate')['payload'] == {'userid': 7, 'websocket_session': 'S1'}
    del client
    gc.collect()
    python_server.expect('gone')
    assert not own_threads()


@pytest.fixture
def trusted(tmpdir):
    """A TLS context for localhost, and the certificate that vouches for it."""
    certificate = make_certificate(tmpdir, 'localhost')
    return server_context(certificate), certificate


def test_tls__certificate_that_is_trusted(trusted, python_server, make_relay, make_realtime, monkeypatch):
    context, certificate = trusted
    for name in ('REQUESTS_CA_BUNDLE', 'WEBSOCKET_CLIENT_CA_BUNDLE'):
        monkeypatch.setenv(name, certificate)
    relay = make_relay(python_server, context=context)
    events = make_realtime('https://localhost:{}'.format(relay.port))
    events.subscribe('/me', {})
    assert python_server.expect('authenticate')['transport'] == 'websocket'
    python_server.emit('realtime', {})
    listen(events, 'realtime')


def test_tls__certificate_that_is_not_trusted(trusted, python_server, make_relay, make_realtime, monkeypatch):
    monkeypatch.setattr(realtime, 'READY_SECONDS', 0.5)
    # Not busy with a handshake as it is closed: Python then leaves the socket to the garbage collector.
    monkeypatch.setattr(realtime, 'BACKOFF_SECONDS', (60, 60))
    relay = make_relay(python_server, context=trusted[0])
    with pytest.raises(AmigoCloudError, match='(?i)certificate'):
        make_realtime('https://localhost:{}'.format(relay.port)).subscribe('/me', {})


def run_script(script, *arguments, **options):
    """Runs a script in a process of its own, to its end; gives what it printed. Nothing may go to its stderr.

    Its standard input ends once ``meanwhile``, a function, has returned.
    """
    path = os.pathsep.join([os.path.dirname(os.path.dirname(amigocloud.__file__)), os.environ.get('PYTHONPATH', '')])
    process = subprocess.Popen([sys.executable, '-c', textwrap.dedent(PRELUDE) + textwrap.dedent(script)]
                               + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=path), universal_newlines=True)
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    if 'meanwhile' in options:
        options['meanwhile']()
    out, err = process.communicate()
    watchdog.cancel()
    watchdog.join()
    assert (process.returncode, err) == (0, '')
    return out.split()


PRELUDE = '''
import sys
if 'patched' in sys.argv:
    from gevent import monkey
    monkey.patch_all()
if 'half' in sys.argv:
    from gevent import monkey
    monkey.patch_all(thread=False)
import threading, time
from amigocloud.realtime import Realtime
sessions = []
def fetch(url):
    sessions.append(url)
    return {'websocket_session': 'S%d' % len(sessions)}
if len(sys.argv) > 1:
    events = Realtime(sys.argv[1], fetch)
'''

LISTENER = '''
    import gevent
    events.subscribe('/me', {'userid': 1})
    ticks = []
    def tick():
        while True:
            ticks.append(1)
            gevent.sleep(0.001)
    gevent.spawn(tick)
    events.on('reconnect', lambda data: events.emit('authenticate', {'ready': True}))
    events.on('realtime', lambda data: events.stop())
    events.wait(20)
    print(len(ticks) > 3)
    for thread in threading.enumerate():
        print(thread.name)
    events.close()
    print(len([thread for thread in threading.enumerate() if thread.name.startswith('amigocloud')]))
'''


def test_import__loads_nothing_that_is_not_needed():
    assert run_script('''
        import amigocloud
        Realtime('http://127.0.0.1:1', fetch)
        print([name for name in ('gevent', 'socketIO_client', 'websocket') if name in sys.modules])
    ''') == ['[]']


@pytest.mark.parametrize('how', ['plain', 'patched', 'half'])
def test_gevent_monkey(server, how):
    if how == 'half' and server.polling:
        pytest.skip('the threads of a half-patched process cannot share the connections of a pool')
    def serve():
        server.expect('authenticate')
        server.tell('close')
        while server.expect('authenticate')['payload'] != {'ready': True}:
            pass
        server.emit('realtime', {})
    thread = threading.Thread(target=serve)
    thread.start()
    out = run_script(LISTENER, server.url, how)
    thread.join()
    assert out[0] == 'True' and out[-1] == '0'
    assert 'amigocloud-realtime' in out


EXIT = '''
    events.start()
    if sys.argv[3] == 'subscribed':
        events.subscribe('/me', {})
    elif sys.argv[3] == 'listening':
        listening = threading.Event()
        events.on('listening', lambda data: listening.set())
        events._mailbox.append(('listening', {}))
        thread = threading.Thread(target=events.wait)
        thread.daemon = True
        thread.start()
        assert listening.wait(20)
    print('end')
'''


@pytest.mark.parametrize('how', ['plain', 'patched'])
@pytest.mark.parametrize('state', ['at once', 'subscribed', 'listening'])
@pytest.mark.parametrize('variant', ['python', 'node-polling'])
def test_exit__without_a_traceback_or_a_wait(make_server, make_relay, how, state, variant):
    server = make_server(variant, shares=True)
    server.reset()
    assert run_script(EXIT, server.url, how, state) == ['end']


@pytest.mark.parametrize('how', ['plain', 'patched'])
def test_exit__server_down(how):
    assert run_script(EXIT, 'http://127.0.0.1:1', how, 'listening') == ['end']


@pytest.mark.parametrize('how', ['plain', 'patched'])
def test_exit__silent_server(silent_url, how):
    assert run_script(EXIT, silent_url, how, 'listening') == ['end']


@pytest.mark.parametrize('how', ['plain', 'patched'])
def test_exit__stalled_wire(server, make_relay, how):
    relay = make_relay(server)

    def stall():
        server.expect('authenticate')
        relay.stall()
    assert run_script('''
        events.subscribe('/me', {})
        sys.stdin.read()
        print('end')
    ''', relay.url, how, meanwhile=stall) == ['end']


def test_keyboard_interrupt__ends_wait_and_leaves_it_usable(server):
    thread = threading.Thread(target=lambda: server.expect('authenticate') and server.emit('realtime', {}))
    thread.start()
    assert run_script('''
        import os, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Ignored by what a shell runs in the background.
        sys.stderr = sys.stdout  # gevent prints KeyboardInterrupt and the time.
        events.on('connect', lambda data: threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start())
        try:
            events.wait(20)
        except KeyboardInterrupt:
            print('interrupted')
        events.on('realtime', lambda data: events.stop())
        events.subscribe('/me', {})
        events.wait(20)
        print('usable')
    ''', server.url)[-2:] == ['interrupted', 'usable']
    thread.join()


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork')
def test_fork__the_child_leaves_the_connection_alone(server):
    def serve():
        while server.expect('authenticate')['payload'] != {'after': 'fork'}:
            pass
        server.emit('realtime', {})
    thread = threading.Thread(target=serve)
    thread.start()
    assert run_script('''
        import os, warnings
        warnings.simplefilter('ignore')  # Newer Pythons warn of what is tested here.
        events.subscribe('/me', {})
        child = os.fork()
        if not child:
            print(events.connected)
            events.close()
            sys.exit()
        os.waitpid(child, 0)
        events.emit('authenticate', {'after': 'fork'})
        events.on('realtime', lambda data: events.stop())
        events.wait(20)
        print(len(sessions))
    ''', server.url) == ['False', '1']
    thread.join()


def test_polling_answers__both_framings():
    packets = [u'0{"sid":"ñ🚌"}', u'40', u'42/amigosocket,["a",{}]', u'3']
    text = u''.join(u'{}:{}'.format(len(packet.encode('utf-16-le')) // 2, packet) for packet in packets)
    binary = b'\x01\x02\xff\x04\xff'
    for packet in packets:
        encoded = packet.encode('utf-8')
        length = bytearray(int(digit) for digit in str(len(encoded)))
        binary += b'\x00' + bytes(length) + b'\xff' + encoded + b'\x01\x01\x00\xff' + b'\x04\x00\xff3456789'
    assert list(connection._split(text.encode('utf-8'))) == packets
    assert list(connection._split(binary)) == packets
