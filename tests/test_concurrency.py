"""One client in many threads, greenlets and processes, and interrupted while it waits."""
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from conftest import Answer

import amigocloud
from amigocloud import AmigoCloud

#: Seconds for a child process, which takes one or two.
PATIENCE = 30


class Echo(object):
    """A lean server: the answer to each request is its query, as JSON."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(64)
        self.url = 'http://127.0.0.1:{}'.format(self.listener.getsockname()[1])
        self.start(self.accept)

    def start(self, target, *args):
        thread = threading.Thread(target=target, args=args)
        thread.daemon = True
        thread.start()

    def accept(self):
        while True:
            connection = self.listener.accept()[0]
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.start(self.serve, connection)

    def serve(self, connection):
        received = b''
        for block in iter(lambda: connection.recv(65536), b''):
            received += block
            while b'\r\n\r\n' in received:
                head, _, received = received.partition(b'\r\n\r\n')
                body = json.dumps(head.split(b' ')[1].decode('ascii').partition('?')[2]).encode('ascii')
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: ' + str(len(body)).encode('ascii')
                                   + b'\r\n\r\n' + body)
        connection.close()


@pytest.mark.slow
def test_sixteen_threads():
    client = AmigoCloud(base_url=Echo().url, use_websockets=False)
    wrong, done = [], []

    def work(thread):
        for number in range(250):
            query = 'thread={}&number={}'.format(thread, number)
            if client.get('x?' + query) != query:
                wrong.append(query)
            done.append(1)
    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(done) == 4000


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system does not fork')
def test_fork__while_threads_are_at_work():
    client = AmigoCloud(base_url=Echo().url, use_websockets=False)
    over, wrong = threading.Event(), []

    def work(thread, times):
        number = 0
        while not over.is_set() and number != times:
            query = 'thread={}&number={}'.format(thread, number)
            if client.get('x?' + query) != query:
                wrong.append(query)
            number += 1
    threads = [threading.Thread(target=work, args=(thread, -1)) for thread in range(4)]
    for thread in threads:
        thread.start()
    child = os.fork()
    if not child:
        work('child', 50)
        os._exit(len(wrong))
    work('parent', 50)
    over.set()
    for thread in threads:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0 and not wrong


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system does not fork')
def test_fork__while_a_thread_holds_a_lock():
    client = AmigoCloud(base_url=Echo().url, use_websockets=False)
    client.get('x?1')
    manager = client._transport.session.get_adapter(client.base_url).poolmanager
    with manager.pools.lock, manager.connection_from_url(client.base_url).pool.mutex:
        child = os.fork()
        if not child:
            # Not held by this thread, as it would be with threads that no child has.
            hung = threading.Timer(3 * PATIENCE, os._exit, (1,))
            hung.start()
            asking = threading.Thread(target=lambda: os._exit(client.get('x?2') != '2'))
            asking.start()
            asking.join()
    assert os.waitpid(child, 0)[1] == 0
    assert client.get('x?3') == '3'


def run(script, *arguments, **kwargs):
    """Runs a script in a process of its own, to its end; gives what it printed. ``started`` is told of the process."""
    path = os.pathsep.join([os.path.dirname(os.path.dirname(amigocloud.__file__)), os.environ.get('PYTHONPATH', '')])
    process = subprocess.Popen([sys.executable, '-c', script] + list(arguments), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=path))
    kwargs.get('started', str)(process)
    watchdog = threading.Timer(3 * PATIENCE, process.kill)
    watchdog.start()
    out, err = process.communicate()
    watchdog.cancel()
    watchdog.join()
    assert process.returncode == 0, err
    return out.decode('utf-8')


PATCHED = """
from gevent import monkey
monkey.patch_all()
import os, sys
import gevent
from amigocloud import AmigoCloud
client = AmigoCloud(base_url=sys.argv[1], use_websockets=False)
def work(greenlet):
    queries = ['greenlet=%d&number=%d' % (greenlet, number) for number in range(50)]
    return [query for query in queries if client.get('x?' + query) != query]
greenlets = [gevent.spawn(work, greenlet) for greenlet in range(16)]
gevent.joinall(greenlets, raise_error=True)
child = os.fork()
if not child:
    os._exit(len(work(16)))
assert not work(17) and os.waitpid(child, 0)[1] == 0
print(sum([greenlet.value for greenlet in greenlets], []))
"""


@pytest.mark.every_python
def test_monkey_patched():
    assert run(PATCHED, Echo().url).split() == ['[]']


GEOCODING = """
from gevent import monkey
monkey.patch_all()
import sys
from amigocloud import AmigoCloud
client = AmigoCloud(base_url=sys.argv[1], use_websockets=False)
print(client.geocode_addresses(1, 2, 'address', 'geom')['geocoded'])
"""


def serve_geocoder(wire, rows):
    wire.answers.update({
        '/api/v1/projects/1/datasets/2': {'feature_count': rows},
        '/api/v1/projects/1/sql': {'data': [{'amigo_id': 'x', 'address': 'x', 'count': 0}] * rows},
        '/api/v1/me/geocoder/search': {'features': [{'geometry': {'coordinates': [1, 2]}}]}})


@pytest.mark.every_python
def test_monkey_patched__geocoding(wire):
    serve_geocoder(wire, 100)
    assert run(GEOCODING, wire.url).split()[-1] == '100'


INTERRUPTED = """
import io, signal, sys
from amigocloud import AmigoCloud, jobs, waiting
# A process in the background of a shell ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
waiting.backoff = lambda failures: 100
jobs.pauses = lambda: iter([1000])
client = AmigoCloud(base_url=sys.argv[1], use_websockets=False)
try:
    CALL
except KeyboardInterrupt:
    print('interrupted')
    print(client.get('after')['got'])
"""

@pytest.fixture
def full_queue():
    """The URL of a server whose queue is full: connecting to it takes for ever."""
    sockets = [socket.socket() for _ in range(5)]
    sockets[0].bind(('127.0.0.1', 0))
    sockets[0].listen(0)
    for filler in sockets[1:]:
        filler.setblocking(False)
        filler.connect_ex(sockets[0].getsockname())
    yield 'http://127.0.0.1:{}/'.format(sockets[0].getsockname()[1])
    for each in sockets:
        each.close()


STALL, SEND_ON = {}, {'to': 'a server that cannot be connected to'}
CUT = Answer(b'{', headers={'Content-Length': '9', 'Connection': 'close'})


@pytest.mark.parametrize('call, path, answer', [
    ("client.get('x', timeout=1000)", 'x', SEND_ON),
    ("client.get('x')", 'x', STALL),
    ("client.get('x')", 'x', Answer(status=503)),
    ("client.get('x')", 'x', CUT),
    ("client.post('x')", 'x', Answer(status=429, headers={'Retry-After': '100'})),
    ("client.upload_file(None, 'x', io.BytesIO(b'abc'))", 'x', Answer(status=500)),
    ("client.upload_file(None, 'x', io.BytesIO(b'abc'))", 'x/complete', Answer(status=500)),
    ("client.geocode_addresses(1, 2, 'address', 'geom')", 'me/geocoder/search', STALL),
    ("client.wait_for_job(1)", 'me/jobs/1', {'id': 1, 'status': 'STARTED'}),
])
def test_keyboard_interrupt(wire, full_queue, call, path, answer):
    serve_geocoder(wire, 1)
    children, over, met = [], threading.Event(), threading.Event()
    wire.answers['/api/v1/x'] = {'upload_id': 'U'}
    wire.answers['/api/v1/after'] = {'got': 'it'}

    def interrupt(request):
        if not met.is_set():
            met.set()
            # Once the answer has been sent, so that it meets the pause after it.
            timer = threading.Timer(0.3, children[0].send_signal, (signal.SIGINT,))
            timer.daemon = True
            timer.start()
        if answer is STALL:
            over.wait(PATIENCE)
        return Answer(status=302, headers={'Location': full_queue}) if answer is SEND_ON else answer
    wire.answers['/api/v1/' + path] = interrupt
    lines = run(INTERRUPTED.replace('CALL', call), wire.url, started=children.append).split()
    over.set()
    assert lines[-2:] == ['interrupted', 'it']
