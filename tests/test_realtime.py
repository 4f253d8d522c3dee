# coding: utf-8
"""Test live events with real Socket.IO servers, also through connections that break."""
import gc
import os
import socket
import sys
import threading
import time
from fractions import Fraction

import gevent
import pytest
from conftest import Answer
from realtime_tools import Service, listen, own_threads, refusal, run_script, subscribed
from servers import PATIENCE, lasting_port
from servers.tls import make_certificate, server_context

import amigocloud
from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.events import background
from amigocloud.events.realtime import Realtime

pytest_plugins = ['realtime_fixtures']

VARIANTS = ['python', 'python-polling', 'node', 'node-polling']


def test_events__arrive_as_they_were_sent(events, server):
    data = {u'name': u'Bogotá 🚌 ' * 100, u'list': [1, 2.5, None, {}]}
    server.emit('realtime', data)
    for number in range(50):
        server.emit('realtime', {u'number': number})
    came = listen(events, 'realtime', count=51)
    numbers = [('realtime', {u'number': number}) for number in range(50)]
    assert came == [('realtime', data)] + numbers


@pytest.mark.parametrize('variant, transport', list(zip(VARIANTS, ['websocket', 'polling'] * 2)))
def test_connection__uses_a_websocket_if_possible(make_server, make_realtime, variant, transport):
    server = make_server(variant, shares=True)
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
    for packet in ('2/amigosocket,{"not":"a list"}', '2/amigosocket,[]', '2/amigosocket,[7]',
                   '2/amigosocket,[', '2/amigosocket', '9', '3/amigosocket,1[]',
                   '2/elsewhere,["none"]', '2["none"]', ''):
        server.tell('raw', text=packet)
    server.emit('last', {})
    came = listen(events, 'none', 'two', 'asked', 'with spaces', u'ñ', '__init__', 'last')
    assert came == [('none', {}), ('two', {'a': 1}), ('asked', {'a': 1}),
                    ('with spaces', {'of': 'with spaces'}), (u'ñ', {'of': u'ñ'}),
                    ('__init__', {'of': '__init__'}), ('last', {})]
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
    assert came == [0]
    assert listen(events, 'number') == [('number', {'number': 2})]


def test_callback__replaces_the_one_before(events, server):
    came = []
    events.on('one', lambda data: came.append(1))
    events.on('one', lambda data: came.append(2))
    server.emit('one', {})
    server.emit('end', {})
    listen(events, 'end')
    assert came == [2]


def test_once_and_off(events, server):
    came = []
    events.once('first', came.append)
    events.on('gone', came.append)
    events.off('gone')
    events.off('never there')
    for name in ('first', 'first', 'gone', 'end'):
        server.emit(name, {'of': name})
    listen(events, 'end')
    assert came == [{'of': 'first'}]


@pytest.mark.parametrize('name', [
    'define', 'get_namespace', 'wait_for_callbacks', 'send', 'anything'])
def test_names_of_socketio_client(make_realtime, name):
    with pytest.raises(AttributeError, match='{}.*not supported.*on, once, off, emit'.format(name)):
        getattr(make_realtime('http://127.0.0.1:1'), name)


def test_on__what_cannot_be_called(make_realtime):
    events = make_realtime('http://127.0.0.1:1')
    for register in (events.on, events.once):
        with pytest.raises(AmigoCloudError, match='callback'):
            register('realtime', 'print')


@pytest.mark.parametrize('seconds', [-1, float('nan'), '5', [], 1j, True])
def test_wait__bad_seconds(make_realtime, seconds):
    events = make_realtime('http://127.0.0.1:1')
    with pytest.raises(AmigoCloudError, match='seconds'):
        events.wait(seconds)
    assert not own_threads()


def test_wait__any_real_number(make_realtime):
    make_realtime('http://127.0.0.1:1').wait(Fraction(1, 1000))


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


def test_start__subscribing_skips_its_delay(make_realtime, python_server, monkeypatch):
    monkeypatch.setattr(background, 'START_SECONDS', 60)
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
    events.on('again', lambda data: events._background.mailbox.put('again', {}))
    events._background.mailbox.put('again', {})
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


@pytest.mark.every_python
@pytest.mark.parametrize('server', ['python', 'node-polling'], indirect=True)
def test_slow_callback__does_not_stop_the_heartbeat(events, server):
    # This is longer than ping_interval plus ping_timeout, after which the server drops a silent
    # client.
    events.on('slow', lambda data: time.sleep(4))
    server.emit('slow', {})
    server.emit('end', {})
    listen(events, 'end')
    assert server.unread('authenticate') == 0
    assert events.connected


@pytest.mark.parametrize('stop', ['callback', 'thread', 'greenlet'])
def test_stop(make_realtime, python_server, stop):
    events = make_realtime(python_server.url)
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


@pytest.mark.every_python
@pytest.mark.parametrize('variant', VARIANTS)
def test_server__killed_and_started_again(make_server, make_realtime, variant):
    first = make_server(variant, port=lasting_port())
    events = subscribed(make_realtime(first.url), first)
    first.close()
    listen(events, 'disconnect')
    assert not events.connected
    second = make_server(variant, port=first.port)
    assert second.expect('authenticate')['payload']['websocket_session'] == 'S2'
    second.emit('realtime', {})
    listen(events, 'realtime')


@pytest.mark.every_python
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


@pytest.mark.every_python
@pytest.mark.parametrize('variant', ['python', 'node'])
def test_wire__cut_again_and_again(make_server, make_relay, make_realtime, variant):
    server = make_server(variant, shares=True)
    relay = make_relay(server)
    events = subscribed(make_realtime(relay.url), server)
    for number in range(2, 8):
        relay.cut()
        assert server.expect('authenticate')['payload']['websocket_session'] == 'S{}'.format(number)
        listen(events, 'reconnect')


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


@pytest.mark.every_python
@pytest.mark.parametrize('how', ['close', 'leave', 'error'])
def test_refusal__comes_out_of_wait(server, make_realtime, how):
    server.refuse(how, payload={'message': 'no such session'} if how == 'error' else None)
    events = make_realtime(server.url)
    events.subscribe('/me', {'userid': 1})
    reason = 'no such session' if how == 'error' else 'refuses'
    with pytest.raises(AmigoCloudError, match=reason) as caught:
        events.wait(PATIENCE)
    assert 'refuses' in str(caught.value)
    sessions = [server.expect('authenticate')['payload']['websocket_session'] for _ in range(4)]
    assert sessions == ['S1', 'S2', 'S3', 'S4']
    server.refuse()
    listen(events, 'connect')
    assert server.expect('authenticate')['payload']['websocket_session'] == 'S5'


@pytest.mark.every_python
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
    """Return the socket of a server that accepts connections and sends nothing."""
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
    monkeypatch.setattr(background, 'READY_SECONDS', 0.3)
    events = make_realtime('http://127.0.0.1:1')
    events.start()
    with pytest.raises(AmigoCloudError, match='127.0.0.1:1.*refused'):
        events.subscribe('/me', {})
    events.wait(0.1)
    with pytest.raises(AmigoCloudError, match='No connection'):
        events.emit('any')


def test_no_connection__silent_server(make_realtime, monkeypatch, silent_url):
    monkeypatch.setattr(background, 'READY_SECONDS', 0.3)
    with pytest.raises(AmigoCloudError, match='No connection'):
        make_realtime(silent_url).subscribe('/me', {})


@pytest.mark.parametrize('answer', [
    (401, 'no'), (200, '<html>'), (200, ''), (200, '5:0{"a"'), (200, '3:0[]')])
def test_no_connection__no_socketio_server(make_realtime, monkeypatch, wire_answer, answer):
    monkeypatch.setattr(background, 'READY_SECONDS', 0.3)
    with pytest.raises(AmigoCloudError, match='No connection'):
        make_realtime(wire_answer(*answer)).subscribe('/me', {})


@pytest.fixture
def wire_answer(make_wire):
    """Return a function that starts a server with one answer to handshakes and returns its URL."""
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
def test_no_connection__no_websocket_session(make_realtime, monkeypatch, service, answer):
    events = make_realtime('http://127.0.0.1:1')
    monkeypatch.setattr(service, 'get', lambda url: answer)
    with pytest.raises(AmigoCloudError, match='/me.*websocket_session'):
        events.subscribe('/me', {})


@pytest.mark.parametrize('package', ['gevent', 'socketIO_client', 'websocket'])
def test_missing_package(make_realtime, monkeypatch, package):
    own = ('amigocloud.events.connection', 'amigocloud.events.transports')
    for name in list(sys.modules):
        if name.split('.')[0] == package or name in own:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(amigocloud.events, 'connection', raising=False)
    monkeypatch.delattr(amigocloud.events, 'transports', raising=False)
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


@pytest.mark.every_python
def test_close__leaves_nothing_behind(make_realtime, server, open_files):
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
    assert open_files() <= before


def test_close__then_nothing_goes(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    events.close()
    events.close()
    assert not events.connected
    for call in (events.start, events.wait, lambda: events.subscribe('/me', {}),
                 lambda: events.emit('any')):
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


@pytest.mark.every_python
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
    payload = python_server.expect('authenticate')['payload']
    assert payload == {'userid': 7, 'websocket_session': 'S1'}
    del client
    gc.collect()
    python_server.expect('gone')
    assert not own_threads()


def test_client__destroyed_before_a_subscription():
    client = Service()
    events = Realtime(client)
    del client
    gc.collect()
    with pytest.raises(AmigoCloudError, match='client was destroyed'):
        events.subscribe('/me', {})
    assert not own_threads()


@pytest.fixture
def trusted(tmpdir):
    """Return a TLS context for localhost and the file of its certificate."""
    certificate = make_certificate(tmpdir, 'localhost')
    return server_context(certificate), certificate


def test_tls__certificate_that_is_trusted(
        trusted, python_server, make_relay, make_realtime, monkeypatch):
    context, certificate = trusted
    for name in ('REQUESTS_CA_BUNDLE', 'WEBSOCKET_CLIENT_CA_BUNDLE'):
        monkeypatch.setenv(name, certificate)
    relay = make_relay(python_server, context=context)
    events = make_realtime('https://localhost:{}'.format(relay.port))
    events.subscribe('/me', {})
    assert python_server.expect('authenticate')['transport'] == 'websocket'
    python_server.emit('realtime', {})
    listen(events, 'realtime')


@pytest.mark.every_python
def test_tls__certificate_that_is_not_trusted(
        trusted, python_server, make_relay, make_realtime, monkeypatch):
    monkeypatch.setattr(background, 'READY_SECONDS', 2)
    # Prevent a second handshake: if the close interrupts one, Python leaves its socket to the
    # garbage collector.
    monkeypatch.setattr(background, 'BACKOFF_SECONDS', (60, 60))
    relay = make_relay(python_server, context=trusted[0])
    with pytest.raises(AmigoCloudError, match='(?i)certificate'):
        make_realtime('https://localhost:{}'.format(relay.port)).subscribe('/me', {})


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
        Realtime(client)
        print([name for name in ('gevent', 'socketIO_client', 'websocket') if name in sys.modules])
    ''') == ['[]']


@pytest.mark.every_python
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
        events._background.mailbox.put('listening', {})
        thread = threading.Thread(target=events.wait)
        thread.daemon = True
        thread.start()
        assert listening.wait(20)
    print('end')
'''


@pytest.mark.every_python
@pytest.mark.parametrize('how', ['plain', 'patched'])
@pytest.mark.parametrize('state', ['at once', 'subscribed', 'listening'])
@pytest.mark.parametrize('variant', ['python', 'node-polling'])
def test_exit__without_a_traceback_or_a_wait(make_server, make_relay, how, state, variant):
    server = make_server(variant, shares=True)
    assert run_script(EXIT, server.url, how, state) == ['end']


@pytest.mark.every_python
@pytest.mark.parametrize('how', ['plain', 'patched'])
def test_exit__server_down(how):
    assert run_script(EXIT, 'http://127.0.0.1:1', how, 'listening') == ['end']


@pytest.mark.every_python
@pytest.mark.parametrize('how', ['plain', 'patched'])
def test_exit__silent_server(silent_url, how):
    assert run_script(EXIT, silent_url, how, 'listening') == ['end']


@pytest.mark.every_python
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
    def serve():
        server.expect('authenticate')
        server.emit('realtime', {})
    thread = threading.Thread(target=serve)
    thread.start()
    assert run_script('''
        import os, signal
        # A shell has its background processes ignore SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # gevent prints KeyboardInterrupt and the time.
        sys.stderr = sys.stdout
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        events.on('connect', lambda data: timer.start())
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
        # Newer Pythons warn about forks beside threads.
        warnings.simplefilter('ignore')
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
        print(len(client.urls))
    ''', server.url) == ['False', '1']
    thread.join()
