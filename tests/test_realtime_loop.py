"""The background thread of live events: what ends it, what does not, and what it leaves behind."""
import gc
import logging
import os
import pickle
import signal
import threading
import time

import gevent
import pytest
import requests
from gevent._hub_local import get_hub_if_exists
from realtime_tools import listen, own_threads, refusal, run_script, subscribed
from servers import PATIENCE

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.events import background, connection, greenlets

pytest_plugins = ['realtime_fixtures']

SESSION = '/api/v1/me/start_websocket_session'


@pytest.fixture
def make_client(make_wire, python_server, short_event_pauses):
    """Makes clients of a REST server and of the event server of Python."""
    made = []

    def make(wire=None, **options):
        wire = wire or make_wire()
        if hasattr(wire, 'answers'):
            wire.answers[SESSION] = {'websocket_session': 'S'}
        made.append(AmigoCloud('secret', base_url=wire.url, websocket_port=python_server.port, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()
    assert not own_threads()


def lost_and_back(events):
    """Listens until the connection was lost and is back; gives the reason."""
    came = listen(events, 'disconnect', 'reconnect')
    assert [name for name, _ in came] == ['disconnect', 'reconnect']
    return came[0][1]['reason']


def raise_once(monkeypatch, method, failure):
    original = getattr(connection.Connection, method)

    def fail(self, *args, **kwargs):
        monkeypatch.setattr(connection.Connection, method, original)
        if method == 'discard':
            original(self)
        raise failure
    monkeypatch.setattr(connection.Connection, method, fail)


@pytest.mark.parametrize('failure', [
    AttributeError('mine'), RuntimeError("can't start new thread"), MemoryError(), ValueError(u'\xf1'), StopIteration(),
    AssertionError('mine')], ids=lambda failure: type(failure).__name__)
def test_exception__is_a_lost_connection(make_realtime, python_server, monkeypatch, failure):
    events = subscribed(make_realtime(python_server.url), python_server)
    raise_once(monkeypatch, 'receive', failure)
    python_server.emit('any', {})
    python_server.emit('any', {})
    assert type(failure).__name__ in lost_and_back(events)
    assert python_server.expect('authenticate')['payload']['websocket_session'] == 'S2'


@pytest.mark.parametrize('method', ['__init__', 'open', 'authenticate', 'discard'])
def test_exception__of_each_step(make_realtime, python_server, monkeypatch, method):
    events = subscribed(make_realtime(python_server.url), python_server)
    raise_once(monkeypatch, method, AttributeError('mine'))
    python_server.tell('close')
    lost_and_back(events)
    python_server.emit('realtime', {})
    listen(events, 'realtime')


def test_exception__of_the_import(make_realtime, python_server, monkeypatch):
    problems = [EnvironmentError(24, 'Too many open files')]
    original = background.import_connection

    def fail():
        if problems:
            raise problems.pop()
        return original()
    monkeypatch.setattr(background, 'import_connection', fail)
    subscribed(make_realtime(python_server.url), python_server)
    assert not problems


def test_deeply_nested_packet(events, server):
    listen(events, 'connect')
    server.tell('raw', text='42/amigosocket,["deep",' + '[' * 100000 + ']' * 100000 + ']')
    server.emit('end', {})
    # A parser without a limit takes it.
    assert listen(events, 'end', 'deep', 'reconnect', count=1)
    assert events.connected


def test_thread__that_cannot_be_started(make_realtime, make_client, python_server, monkeypatch, caplog):
    start = threading.Thread.start
    failures = [threading.ThreadError("can't start new thread") for _ in range(4)]

    def fail(self):
        if failures and self.name == 'amigocloud-realtime':
            raise failures.pop()
        start(self)
    monkeypatch.setattr(threading.Thread, 'start', fail)
    events = make_realtime(python_server.url)
    for call in (events.start, events.wait, lambda: events.subscribe('/me', {})):
        with pytest.raises(AmigoCloudError, match="cannot be started: can't start new thread"):
            call()
        assert not events.connected
    client = make_client()
    assert "can't start new thread" in caplog.text
    client.listen_user_events()
    client.close()
    events.subscribe('/me', {})
    events.close()


@pytest.mark.parametrize('failure', [SystemExit(3), KeyboardInterrupt()], ids=lambda failure: type(failure).__name__)
def test_base_exception__comes_out_of_wait(make_realtime, python_server, monkeypatch, failure):
    events = subscribed(make_realtime(python_server.url), python_server)
    listen(events, 'connect')
    came = []
    events.on('disconnect', came.append)
    raise_once(monkeypatch, 'receive', failure)
    python_server.emit('any', {})
    python_server.emit('any', {})
    with pytest.raises(type(failure)) as caught:
        events.wait(PATIENCE)
    assert caught.value is failure
    assert len(came) == 1
    listen(events, 'connect')
    assert python_server.expect('authenticate')['payload']['websocket_session'] == 'S2'


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['KeyboardInterrupt', 'SystemExit'])
@pytest.mark.parametrize('state', ['listening', 'asleep'])
@pytest.mark.parametrize('variant', ['python', 'node-polling'])
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='signals of POSIX')
def test_signal__in_a_patched_program(make_server, variant, kind, state):
    server = make_server(variant, ping_interval=20, ping_timeout=20)
    over = threading.Event()

    def flood():
        server.expect('authenticate')
        while not over.wait(0.001):
            server.emit('tick', {'data': 'x' * 1000})
    thread = threading.Thread(target=flood)
    thread.start()
    try:
        out = run_script('''
            import random, signal
            kind = {'KeyboardInterrupt': KeyboardInterrupt, 'SystemExit': SystemExit}[sys.argv[3]]
            def interrupt(number, frame):
                raise kind()
            signal.signal(signal.SIGALRM, interrupt)
            sys.stderr = sys.stdout  # gevent prints KeyboardInterrupt and the time.
            events.subscribe('/me', {})
            caught = 0
            # Python loses what is raised in the callback of a weak reference, and gevent what is raised in some
            # of its own: about one of a thousand.
            lost = 0
            while caught < 10 and lost < 3:
                try:
                    events.start()
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.001, 0.03))
                    if sys.argv[4] == 'listening':
                        events.wait(2)
                    else:
                        time.sleep(2)
                    lost += 1
                except kind:
                    caught += 1
            print('caught')
            print(caught)
        ''', server.url, 'patched', kind, state)
        assert out[-2:] == ['caught', '10'], ' '.join(out)
    finally:
        over.set()
        thread.join()


@pytest.mark.skipif(not hasattr(signal, 'pthread_kill'), reason='Python 2 sends no signals to a thread')
def test_signal__that_does_not_wake_the_loop(python_server):
    # One that comes just before the loop falls asleep cannot be timed; one to another thread acts alike.
    assert run_script('''
        import signal
        def interrupt(number, frame):
            events.stop()
        signal.signal(signal.SIGINT, interrupt)
        listening = threading.Event()
        def send():
            listening.wait()
            # Nothing tells that the loop sleeps. A signal before that would not show the fault.
            time.sleep(0.1)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        threading.Thread(target=send).start()
        events.on('connect', lambda data: listening.set())
        events.wait()
        print('ended')
    ''', python_server.url) == ['ended']


def test_wait__wakes_only_in_the_main_thread(make_realtime, python_server, monkeypatch):
    # Other threads get no signals, and would run user code while the interpreter ends.
    def sleep(self, seconds):
        if not sleeps:
            python_server.emit('end', {})
        sleeps.add(seconds)
        return original(self, seconds)
    original = greenlets.Listener.sleep
    monkeypatch.setattr(greenlets.Listener, 'sleep', sleep)
    events = subscribed(make_realtime(python_server.url), python_server)
    events.on('end', lambda data: events.stop())
    for call, expected in ((in_thread, {float('inf')}), (lambda work: work(), {0.5})):
        sleeps = set()
        call(events.wait)
        assert sleeps == expected


@pytest.mark.every_python
@pytest.mark.parametrize('variant', ['python', 'node-polling'])
def test_half_open_network(make_server, make_wire, make_relay, short_event_pauses, variant):
    """After a change of the network the old connections are silent for good, and new ones work."""
    server = make_server(variant, shares=True)
    wire = make_wire()
    wire.answers[SESSION] = {'websocket_session': 'S'}
    rest, relay = make_relay(wire_port(wire)), make_relay(server)
    with AmigoCloud('secret', base_url=rest.url, websocket_port=relay.port) as client:
        client.listen_user_events()
        listen(client.socketio, 'connect')
        rest.freeze()
        relay.freeze()
        lost_and_back(client.socketio)
        server.emit('realtime', {})
        listen(client.socketio, 'realtime')


def wire_port(wire):
    """A Wire as a Relay takes it."""
    wire.port = wire.server_port
    return wire


def test_close__while_the_new_session_is_awaited(make_wire, make_relay, python_server, short_event_pauses):
    wire = make_wire()
    asked, answered = threading.Event(), threading.Event()

    def hold(request):
        if len([each for each in wire.requests if each.path == SESSION]) > 1:
            asked.set()
            answered.wait(PATIENCE)
        return {'websocket_session': 'S'}
    wire.answers[SESSION] = hold
    client = AmigoCloud('secret', base_url=wire.url, websocket_port=python_server.port)
    client.listen_user_events()
    python_server.expect('authenticate')
    python_server.tell('close')
    assert asked.wait(PATIENCE)
    client.close()
    # It was not waited for; it ends with its request.
    answered.set()
    for thread in own_threads():
        thread.join(PATIENCE)
    assert not own_threads()
    assert python_server.unread('authenticate') == 0


def test_reconnection__goes_through_the_session_of_the_caller(make_wire, make_client, python_server):
    class Session(requests.Session):
        def __init__(self):
            super(Session, self).__init__()
            self.seen = []

        def request(self, method, url, **kwargs):
            self.seen.append(url.split('?')[0].split('/')[-1])
            return super(Session, self).request(method, url, **kwargs)

    class Adapter(requests.adapters.HTTPAdapter):
        def __init__(self, note):
            self.note, self.notes = note, []
            super(Adapter, self).__init__()

        def send(self, request, **kwargs):
            self.notes.append(self.note)
            return super(Adapter, self).send(request, **kwargs)

    session, adapter = Session(), Adapter('mine')
    session.mount('http://', adapter)
    before = dict(session.adapters)
    wire = make_wire()
    client = make_client(wire, session=session)
    client.listen_user_events()
    python_server.tell('close')
    lost_and_back(client.socketio)
    assert session.seen == ['me', 'start_websocket_session', 'start_websocket_session']
    assert adapter.notes == ['mine'] * 3
    assert dict(session.adapters) == before
    assert len({request.connection for request in wire.requests[:2]}) == 1
    assert wire.requests[2].connection != wire.requests[1].connection
    assert wire.requests[2].params == {'token': 'secret'}


def test_reconnection__revoked_token_of_a_client(make_wire, make_client, python_server):
    wire = make_wire()
    client = make_client(wire)
    client.listen_user_events()
    python_server.expect('authenticate')
    wire.answers[SESSION] = lambda request: refused()
    python_server.tell('close')
    with pytest.raises(AmigoCloudError) as caught:
        client.start_listening(PATIENCE)
    assert caught.value.status_code == 401
    assert 'secret' not in str(caught.value)


def refused():
    from conftest import Answer
    return Answer({'detail': 'no'}, 401)


@pytest.mark.parametrize('seconds', [0, 0.0])
def test_wait__zero_ends_although_events_keep_coming(make_realtime, python_server, seconds):
    events = subscribed(make_realtime(python_server.url), python_server)
    listen(events, 'connect')
    came = []

    def again(data):
        came.append(data)
        events._background.mailbox.put('again', len(came))
    events.on('again', again)
    events._background.mailbox.put('again', 'first')
    events._background.mailbox.put('again', 'second')
    events.wait(seconds)
    assert came == ['first', 'second']
    events.wait(seconds)
    assert came == ['first', 'second', 1, 2]


def test_wait__ends_although_the_clock_is_set_back(make_realtime, python_server, monkeypatch):
    events = subscribed(make_realtime(python_server.url), python_server)
    monkeypatch.setattr(time, 'time', lambda: 0)
    monkeypatch.setattr(threading, '_time', lambda: 0, raising=False)
    events.wait(0.1)
    events.close()


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_stop__before_the_listening_has_begun(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    for _ in range(20):
        listener = threading.Thread(target=events.wait)
        listener.start()
        events.stop()
        listener.join(PATIENCE)
        assert not listener.is_alive()
    # It counts once.
    python_server.emit('end', {})
    listen(events, 'end')


def test_stop__belongs_to_the_listening_that_it_ends(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)

    def fail(data):
        events.stop()
        raise KeyError('mine')
    events.on('fail', fail)
    python_server.emit('fail', {})
    python_server.emit('end', {})
    with pytest.raises(KeyError):
        events.wait(PATIENCE)
    listen(events, 'end')


@pytest.mark.every_python
@pytest.mark.parametrize('how', ['until a time', 'for what is there', 'until it is stopped', 'with a greenlet'])
def test_thread_that_has_listened__leaves_no_files(make_realtime, python_server, open_files, how):
    events = subscribed(make_realtime(python_server.url), python_server)
    events.on('mine', lambda data: gevent.sleep(0.001))

    def work():
        if how == 'with a greenlet':
            events._background.mailbox.put('mine', {})
        if how == 'until it is stopped':
            timer = threading.Timer(0.02, events.stop)
            timer.start()
            events.wait()
            timer.join()
        else:
            events.wait(0.01 if how == 'until a time' else 0)
    in_thread(work)
    gc.collect()
    before = open_files()
    for _ in range(5):
        in_thread(work)
    gc.collect()
    # Each thread left two; the servers of the test may have opened one meanwhile.
    assert open_files() < before + 5


def test_thread_that_listens__has_no_hub(make_realtime, python_server):
    # The interpreter crashes if it ends while a daemon thread runs a hub: of 600 processes that ended while a thread
    # began to sleep in one, 46 did.
    events = subscribed(make_realtime(python_server.url), python_server)
    hubs = []

    def work():
        listen(events, 'connect')
        events.wait(0.05)
        hubs.append(get_hub_if_exists())
    in_thread(work)
    assert hubs == [None]


@pytest.mark.parametrize('ending', ['callback', 'greenlet'])
def test_thread_that_listens__runs_the_greenlets_of_callbacks(make_realtime, python_server, ending):
    events = subscribed(make_realtime(python_server.url), python_server)
    came, spawned = [], []

    def run(data):
        gevent.sleep(0.05)
        came.append(data)
        if ending == 'greenlet':
            events.stop()

    def callback(data):
        spawned.append(gevent.spawn(run, data))
        if ending == 'callback':
            events.stop()

    def work():
        events.wait(PATIENCE)
        if ending == 'callback':
            gevent.joinall(spawned)
        gevent.get_hub().destroy(destroy_loop=True)
    events.on('spawn', callback)
    python_server.emit('spawn', {'a': 1})
    in_thread(work)
    assert came == [{'a': 1}]


def test_greenlets__made_before_the_listening_run(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    came = []

    def work():
        gevent.spawn(came.append, 1)
        events.wait(0)
        gevent.get_hub().destroy(destroy_loop=True)
    in_thread(work)
    assert came == [1]


def test_greenlets__do_not_delay_the_error_of_a_callback(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    came = []

    def callback(data):
        gevent.spawn(came.append, 1)
        raise KeyError(data)
    events.on('fail', callback)
    python_server.emit('fail', {})
    gevent.get_hub()
    with pytest.raises(KeyError):
        events.wait(PATIENCE)
    assert came == []


def test_wait__for_years(make_realtime, python_server):
    events = subscribed(make_realtime(python_server.url), python_server)
    events.on('end', lambda data: events.stop())
    for call in (in_thread, lambda *work: work[0](*work[1:])):
        timer = threading.Timer(0.05, python_server.emit, ('end', {}))
        timer.start()
        call(events.wait, 1e10)
        timer.join()


@pytest.mark.every_python
@pytest.mark.skipif(not hasattr(signal, 'setitimer'), reason='Windows has no timers that send signals')
def test_stop__by_a_signal_handler_while_events_come(python_server):
    # A handler that waits for a lock of the code that it interrupts would wait for ever.
    assert run_script('''
        import random, signal
        signal.signal(signal.SIGALRM, lambda number, frame: events.stop())
        put = events._background.mailbox.put
        for _ in range(100):
            for _ in range(20000):
                put('e', {})
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0005, 0.004))
            events.wait(5)
        events.close()
        print('ended')
    ''', python_server.url) == ['ended']


def callback_of(client):
    return lambda event: client.stop_listening()


@pytest.mark.parametrize('how', ['lambda', 'method'])
def test_client__is_destroyed_although_a_callback_refers_to_it(make_wire, python_server, how):
    wire = make_wire()
    wire.answers[SESSION] = {'websocket_session': 'S'}
    client = AmigoCloud('secret', base_url=wire.url, websocket_port=python_server.port)
    client.add_callback('any', callback_of(client) if how == 'lambda' else client.get)
    client.listen_user_events()
    python_server.expect('authenticate')
    client.start_listening(0.01)
    del client
    gc.collect()
    # Python 2 keeps what it cannot destroy there; of other tests, too.
    assert not any(isinstance(kept, AmigoCloud) for kept in gc.garbage)
    python_server.expect('gone')
    assert not own_threads()


@pytest.mark.parametrize('limit', [1, 3, 10])
def test_max_events__the_oldest_are_dropped(make_realtime, python_server, limit):
    events = make_realtime(python_server.url, max_events=limit)
    subscribed(events, python_server)
    listen(events, 'connect')
    for number in range(10):
        python_server.emit('tick', {'number': number})
    python_server.emit('last', {})
    wait_until(lambda: ('last', {}) in list(events._background.mailbox._events))
    came = []
    for name in ('tick', 'dropped', 'last'):
        events.on(name, lambda data, name=name: came.append((name, data)))
    events.wait(0)
    kept = [('tick', {'number': number}) for number in range(10)] + [('last', {})]
    assert came == [('dropped', {'number': 11 - limit})] + kept[-limit:]
    del came[:]
    python_server.emit('end', {})
    listen(events, 'end')
    assert came == []


def wait_until(condition):
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


@pytest.mark.parametrize('limit', [0, -1, 1.5, 'ten', True])
def test_max_events__must_be_a_number(make_realtime, limit):
    with pytest.raises(AmigoCloudError, match='max_events must be an integer'):
        make_realtime('http://127.0.0.1:1', max_events=limit)


def test_max_events__of_a_client(make_client, python_server):
    client = make_client(max_events=2)
    client.listen_user_events()
    python_server.expect('authenticate')
    for each in (client, pickle.loads(pickle.dumps(client))):
        assert each.socketio._background._max_events == 2
        each.close()


def test_many_events__are_warned_of_once(make_realtime, python_server, monkeypatch, caplog):
    monkeypatch.setattr(background, 'MANY_EVENTS', 5)
    events = subscribed(make_realtime(python_server.url), python_server)
    for number in range(20):
        python_server.emit('tick', {'number': number})
    wait_until(lambda: len(events._background.mailbox) > 20)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert ['5 events wait' in record.getMessage() for record in warnings] == [True]


def test_exit__has_one_deadline_for_all_clients(make_realtime, python_server, monkeypatch):
    clock, moments = [0], []

    def close(self, seconds):
        moments.append(seconds)
        clock[0] += 0.3
    every = [make_realtime(python_server.url) for _ in range(4)]
    for events in every:
        events.subscribe('/me', {})
    with monkeypatch.context() as patched:
        patched.setattr(background, 'now', lambda: clock[0])
        patched.setattr(connection.Connection, 'close', close)
        background._close_all()
    assert moments == [0.5, 0.2]
    for thread in own_threads():
        thread.join(PATIENCE)
    assert not own_threads()


def test_close__never_raises(make_realtime, python_server, monkeypatch):
    events = subscribed(make_realtime(python_server.url), python_server)

    def fail(*args):
        raise AttributeError('mine')
    monkeypatch.setattr(connection.Connection, 'close', fail)
    events.close()


def test_refusal__has_not_to_do_with_other_errors(make_realtime, python_server, service):
    events = subscribed(make_realtime(python_server.url), python_server)
    service.errors = [AttributeError('mine'), AmigoCloudError('busy', refusal(503)), KeyError('mine')]
    python_server.tell('close')
    lost_and_back(events)
    assert python_server.expect('authenticate')['payload']['websocket_session'] == 'S5'
