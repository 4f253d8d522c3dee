"""Fixtures: a server that records what reaches it, clients of it, and the sandbox."""
import json
import multiprocessing
import os
import socket
import sys
import threading

import hypothesis
import pytest
import six
from six.moves.BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer
from six.moves.socketserver import ThreadingMixIn
from six.moves.urllib.parse import parse_qsl, urlsplit

# pytest-xdist has '' in the path, where Python 2 finds no modules that are imported after os.chdir.
sys.path[:] = [os.path.abspath(path) for path in sys.path]

from amigocloud import AmigoCloud, waiting  # noqa: E402
from amigocloud.http import retrying, session  # noqa: E402

# No test depends on the speed of the machine.
hypothesis.settings.register_profile('any machine', deadline=None)
hypothesis.settings.load_profile('any machine')


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Most tests wait more than they compute, so -n auto runs four at a time on each processor."""
    if not os.environ.get('PYTEST_XDIST_AUTO_NUM_WORKERS'):
        return 4 * multiprocessing.cpu_count()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the tests that use the sandbox, which takes seconds to start in each worker, and all slow ones."""
    for item in items:
        if 'sandbox' in getattr(item, 'fixturenames', ()) and not item.get_closest_marker('slow'):
            item.add_marker('every_python')
        if item.get_closest_marker('every_python'):
            item.add_marker('slow')


class Request(object):
    """What one request brought over the wire."""

    def __init__(self, method, target, headers, body, connection):
        self.method = method
        self.target = target
        self.path, self.query = urlsplit(target).path, urlsplit(target).query
        self.params = {name: six.ensure_text(value) for name, value in parse_qsl(self.query, keep_blank_values=True)}
        self.headers = headers
        self.body = body
        #: Which TCP connection it came on.
        self.connection = connection

    @property
    def json(self):
        return json.loads(self.body.decode('utf-8'))

    def __repr__(self):
        return str('{} {}').format(self.method, self.target)


class Answer(object):
    """What the server sends back: JSON, or bytes as they are; ``hang_up`` closes the connection without saying so."""

    def __init__(self, body=b'', status=200, headers=None, hang_up=False):
        self.hang_up = hang_up
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode('utf-8')
        self.status = status
        self.headers = dict({'Content-Type': 'application/json', 'Content-Length': str(len(self.body))},
                            **(headers or {}))


class Wire(ThreadingMixIn, HTTPServer):
    """An HTTP server that records each request and answers by path.

    ``answers`` maps a path to a value (sent as JSON), an Answer, or a function of the Request that gives one of the
    two or, to break the connection, None. A list is used up one by one; its last one stays.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        HTTPServer.__init__(self, ('127.0.0.1', 0), _Handler)
        self.url = 'http://127.0.0.1:{}'.format(self.server_port)
        self.requests = []
        self.answers = {'/api/v1/me': {'id': 7}}
        self.connections = 0
        self.hung_up = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.01})
        self.thread.daemon = True
        self.thread.start()

    def answer(self, request):
        found = self.answers.get(request.path, {})
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(request)
        return found if found is None or isinstance(found, Answer) else Answer(found)

    def shutdown_request(self, request):
        HTTPServer.shutdown_request(self, request)
        self.hung_up.release()

    def handle_error(self, request, client_address):
        """A client that goes away is not news."""

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def setup(self):
        BaseHTTPRequestHandler.setup(self)
        self.server.connections += 1
        self.number = self.server.connections

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body, self.number)
        self.server.requests.append(request)
        answer = self.server.answer(request)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            for single in value if isinstance(value, list) else [value]:
                self.send_header(name, single)
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = self.close_connection or answer.hang_up

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def log_message(self, *args):
        """Nothing on stderr."""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith('_proxy') or name.startswith('AMIGOCLOUD_') and 'TEST' not in name:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    backoff = waiting.backoff
    monkeypatch.setattr(waiting, 'backoff', lambda failures, first=0.001, longest=0.01: backoff(
        failures, first, longest))
    monkeypatch.setattr(retrying, 'RATE_LIMIT_PAUSES', (0.001, 0.01))


@pytest.fixture(autouse=True)
def closed_sessions(monkeypatch):
    """Closes the kept-alive connections of every client: urllib3 before 2 has the garbage collector warn of them."""
    sessions = []
    new_session = session.new_session

    def make():
        sessions.append(new_session())
        return sessions[-1]
    monkeypatch.setattr(session, 'new_session', make)
    yield
    for made in sessions:
        made.close()


@pytest.fixture
def make_wire():
    """Makes recording servers."""
    wires = []

    def make():
        wires.append(Wire())
        return wires[-1]
    yield make
    for wire in wires:
        wire.close()


@pytest.fixture
def make_gone():
    """Makes URLs that nobody can connect to."""
    sockets = []

    def make():
        # A port that is bound without listening refuses connections, and is given to nobody else.
        sockets.append(socket.socket())
        sockets[-1].bind(('127.0.0.1', 0))
        return 'http://127.0.0.1:{}'.format(sockets[-1].getsockname()[1])
    yield make
    for each in sockets:
        each.close()


@pytest.fixture(scope='session')
def running_sandbox():
    """A sandbox for all tests, because it takes seconds to start, and the rows of its datasets by their ids."""
    pytest.importorskip('amigocloud_sandbox.server', reason='the sandbox is not installed, or this is Python 2')
    from amigocloud_sandbox import Sandbox
    with Sandbox(job_seconds=0.02) as running:
        with AmigoCloud(running.token, base_url=running.url, use_websockets=False) as amigocloud:
            rows = {dataset: list(amigocloud.project(running.project_id).dataset(dataset).read())
                    for dataset in (running.vehicles_id, running.places_id)}
        yield running, rows


@pytest.fixture
def sandbox(running_sandbox):
    """The sandbox, whose datasets have their rows back at the end."""
    running, rows = running_sandbox
    yield running
    with AmigoCloud(running.token, base_url=running.url, use_websockets=False) as amigocloud:
        for dataset in rows:
            if list(amigocloud.project(running.project_id).dataset(dataset).read()) != rows[dataset]:
                amigocloud.project(running.project_id).execute('DELETE FROM dataset_{}'.format(dataset))
                amigocloud.project(running.project_id).dataset(dataset).insert(rows[dataset])


@pytest.fixture
def wire(make_wire):
    return make_wire()


@pytest.fixture
def client(wire):
    """A client with the user token ``secret``, whose login is not among the recorded requests."""
    with AmigoCloud(token='secret', base_url=wire.url, use_websockets=False) as amigocloud:
        del wire.requests[:]
        yield amigocloud


@pytest.fixture
def text(tmpdir):
    """Makes a file of some bytes and gives its path."""
    def make(content, name='data.csv'):
        path = tmpdir.join(name)
        path.write_binary(content)
        return six.text_type(path)
    return make
