"""Real Socket.IO servers, each a process of its own, and a relay that breaks the wire between them and a client."""
import fcntl
import filecmp
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading

import pytest
from six.moves import queue

HERE = os.path.dirname(os.path.abspath(__file__))

#: Seconds that a test waits for something that is bound to happen.
PATIENCE = 20


class EventServer(object):
    """A Socket.IO server with the namespace /amigosocket that does what it is told; see events.py.

    Args:
        command (list): what starts it.
        polling (bool): offer no websocket.
        port (int): where to listen; 0 for any free port.
        ping_interval (float): seconds between two heartbeats.
        ping_timeout (float): seconds more until a silent peer counts as dead.
        welcome (bool): emit an event to every client that enters.
    """

    def __init__(self, command, polling=False, port=0, ping_interval=0.5, ping_timeout=3, welcome=False):
        options = {'polling': polling, 'welcome': welcome, 'ping_interval': ping_interval, 'ping_timeout': ping_timeout}
        self.polling = polling
        self._process = subprocess.Popen(command + [str(port), json.dumps(options)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, bufsize=0)
        self._news, self._done = queue.Queue(), queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = self.expect('listening')['port']
        self.url = 'http://127.0.0.1:{}'.format(self.port)

    def _read(self):
        for line in iter(self._process.stdout.readline, b''):
            news = json.loads(line.decode('utf-8'))
            (self._done if news['news'] == 'done' else self._news).put(news)

    def tell(self, do, **details):
        """Has the server do something to all its clients, and waits until that is done."""
        self._process.stdin.write((json.dumps(dict(details, do=do)) + '\n').encode('utf-8'))
        self._done.get(timeout=PATIENCE)

    def emit(self, event, *arguments):
        self.tell('emit', event=event, arguments=arguments)

    def refuse(self, do=None, **details):
        """From now on has the server answer ``authenticate`` by something; by nothing, without arguments."""
        self.tell('refuse', how=dict(details, do=do) if do else {})

    def expect(self, name):
        """Waits for the next news of a name, past others."""
        while True:
            news = self._news.get(timeout=PATIENCE)
            if news['news'] == name:
                return news

    def unread(self, name):
        """Gives how often something happened that nobody has waited for."""
        return [news['news'] for news in list(self._news.queue)].count(name)

    def reset(self):
        self.refuse()
        while not self._news.empty():
            self._news.get()

    def close(self):
        """Kills it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()


class Relay(object):
    """Passes TCP connections on to a port, until told otherwise.

    Args:
        port (int): of the server behind it.
        context (ssl.SSLContext): what speaks TLS with the client. By default there is none.
    """

    def __init__(self, port, context=None):
        self._target, self._context = port, context
        self._sockets = []
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.socket()
        self._listener.bind(('127.0.0.1', 0))
        self._listener.listen(16)
        self.port = self._listener.getsockname()[1]
        self.url = 'http://127.0.0.1:{}'.format(self.port)
        self._run(self._accept)

    def stall(self):
        """Passes nothing on, and closes nothing."""
        self._open.clear()

    def resume(self):
        self._open.set()

    def cut(self):
        """Ends all connections, without a goodbye of the protocols above TCP."""
        while self._sockets:
            _shut_down(self._sockets.pop())

    def close(self):
        _shut_down(self._listener)
        self._listener.close()
        self.resume()
        self.cut()

    @staticmethod
    def _run(target, *args):
        thread = threading.Thread(target=target, args=args)
        thread.daemon = True
        thread.start()
        return thread

    def _accept(self):
        while True:
            try:
                near = self._listener.accept()[0]
            except EnvironmentError:
                return
            self._run(self._connect, near)

    def _connect(self, near):
        far = socket.socket()
        try:
            if self._context:
                near = self._context.wrap_socket(near, server_side=True)
            far.connect(('127.0.0.1', self._target))
            self._sockets += [near, far]
            back = self._run(self._pass_on, far, near)
            self._pass_on(near, far)
            back.join()
        except EnvironmentError:
            pass  # The client does not trust the certificate, or the server is down.
        finally:
            near.close()
            far.close()

    def _pass_on(self, source, sink):
        try:
            for chunk in iter(lambda: source.recv(65536), b''):
                self._open.wait()
                sink.sendall(chunk)
        except EnvironmentError:
            pass  # Cut, by one side or by the test.
        _shut_down(sink)


def _shut_down(sock):
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except EnvironmentError:
        pass  # The other side was first.


def lasting_port():
    """Gives a free port that the system gives to nobody by itself, so that a server can come back to it."""
    while True:
        # Systems give out those from 32768 on, or from 49152.
        port = random.randrange(20000, 30000)
        sock = socket.socket()
        try:
            sock.bind(('127.0.0.1', port))
        except EnvironmentError:
            continue
        finally:
            sock.close()
        return port


def python_command():
    """Gives what starts the python-socketio server, or skips the test."""
    for python in (os.environ.get('AMIGOCLOUD_TEST_PYTHON3'), sys.executable, 'python3'):
        if python and _succeeds([python, '-c', 'import asyncio, gevent, geventwebsocket, socketio']):
            return [python, os.path.join(HERE, 'events.py')]
    return pytest.skip('no Python 3 with python-socketio, gevent and gevent-websocket; see AMIGOCLOUD_TEST_PYTHON3')


def node_command(cache):
    """Gives what starts the Node server, or skips the test.

    Args:
        cache (py.path.local): a directory for its packages.
    """
    if not (_succeeds(['node', '--version']) and _succeeds(['npm', '--version'])):
        pytest.skip('no Node.js with npm')
    installed = os.path.join(str(cache), 'node_modules', 'socket.io', 'package.json')
    with open(os.path.join(str(cache), 'lock'), 'w') as lock:
        # The workers of pytest-xdist share the cache.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ('package.json', 'package-lock.json', 'events.js'):
            copy = os.path.join(str(cache), name)
            # A server of another worker may be reading it.
            if not os.path.exists(copy) or not filecmp.cmp(os.path.join(HERE, name), copy):
                shutil.copy(os.path.join(HERE, name), copy)
        if not (os.path.exists(installed)
                or _succeeds(['npm', 'ci', '--no-audit', '--no-fund'], cwd=str(cache))):
            pytest.skip('npm cannot install socket.io')
    return ['node', os.path.join(str(cache), 'events.js')]


def _succeeds(command, **kwargs):
    with open(os.devnull, 'w') as nowhere:
        try:
            return subprocess.call(command, stdout=nowhere, stderr=nowhere, **kwargs) == 0
        except OSError:
            return False
