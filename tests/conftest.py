"""Fixtures: a server that records what reaches it, clients of it, and the sandbox."""
import json
import os
import threading

import pytest
import six
from six.moves.BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer
from six.moves.socketserver import ThreadingMixIn
from six.moves.urllib.parse import parse_qsl, urlsplit

from amigocloud import AmigoCloud, retrying


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
    monkeypatch.setattr(retrying, 'BACKOFF_SECONDS', (0.001, 0.01))


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
    """Makes servers that nobody can connect to any more."""
    def make():
        wire = Wire()
        wire.close()
        return wire
    return make


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
