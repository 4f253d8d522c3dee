"""A relay that passes on less, or other things, than the server sent; and a proxy."""
import base64
import re
import select
import socket

from six.moves.BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer
from six.moves.socketserver import ThreadingMixIn
from six.moves.urllib.parse import urlsplit

from . import Relay, _shut_down


class FaultyRelay(Relay):
    """A Relay that breaks what a server sends.

    Attributes:
        fault (callable): takes each piece of bytes that the server sent, an answer of HTTP in one,
            and returns what is passed on; if that is anything else than the piece, the connection
            ends behind it.
    """

    def __init__(self, port, context=None):
        self.fault = None
        self._frozen = set()
        super(FaultyRelay, self).__init__(port, context)

    def freeze(self):
        """Have the connections there are become silent for good; new ones work."""
        self._frozen = set(self._sockets)

    def break_next(self, change, mark=b'', longer_than=0):
        """Have ``change`` take the next piece in which a mark is and that is long, and no later one."""
        def fault(piece):
            if mark not in piece or len(piece) <= longer_than:
                return piece
            self.fault = None
            return change(piece)
        self.fault = fault

    def _pass_on(self, source, sink):
        try:
            is_answer = source.getpeername()[1] == self._target
            for piece in iter(lambda: source.recv(65536), b''):
                self._open.wait()
                if source in self._frozen or sink in self._frozen:
                    continue
                fault = self.fault if is_answer else None
                passed = piece
                if fault:
                    piece = _whole_answer(piece, source)
                    passed = fault(piece)
                sink.sendall(passed)
                if passed != piece:
                    break
        except EnvironmentError:
            pass  # Cut, by one side or by the test.
        _shut_down(sink)


def _whole_answer(piece, source):
    length = re.search(b'(?i)\r\ncontent-length: ([0-9]+)\r', piece)
    while length and len(piece) < piece.find(b'\r\n\r\n') + 4 + int(length.group(1)):
        more = source.recv(65536)
        if not more:
            break
        piece += more
    return piece


class Proxy(ThreadingMixIn, HTTPServer):
    """An HTTP proxy: CONNECT to anywhere, and plain requests that it sends itself; it passes on no upgrade of those.

    Attributes:
        seen (list of (str, str)): the method and target of each request.
        credentials (str): ``user:password`` that it asks for, or None.
    """

    daemon_threads = True

    def __init__(self, credentials=None):
        HTTPServer.__init__(self, ('127.0.0.1', 0), _Handler)
        self.seen, self.credentials = [], credentials
        self.host = '127.0.0.1:{}'.format(self.server_port)
        self.url = 'http://{}{}'.format(credentials + '@' if credentials else '', self.host)
        self.thread = Relay._run(self.serve_forever, 0.01)

    def handle_error(self, request, client_address):
        """A client that goes away is not news."""

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):

    def handle_request(self):
        self.server.seen.append((self.command, self.path))
        wanted = self.server.credentials
        if wanted and self.headers.get('Proxy-Authorization') != 'Basic ' + base64.b64encode(
                wanted.encode('ascii')).decode('ascii'):
            self.send_error(407)
            return
        is_tunnel = self.command == 'CONNECT'
        target = urlsplit('//' + self.path if is_tunnel else self.path)
        far = socket.create_connection((target.hostname, target.port or 80))
        try:
            if is_tunnel:
                self.send_response(200)
                self.end_headers()
                self._relay(far)
            else:
                self._forward(far, target)
        finally:
            far.close()
            self.close_connection = True

    do_GET = do_POST = do_CONNECT = handle_request

    def _forward(self, far, target):
        path = (target.path or '/') + ('?' + target.query if target.query else '')
        lines = ['{} {} HTTP/1.1'.format(self.command, path), 'Connection: close']
        lines += ['{}: {}'.format(name, value) for name, value in self.headers.items()
                  if name.lower() not in ('connection', 'upgrade', 'proxy-authorization', 'proxy-connection')]
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        far.sendall('\r\n'.join(lines + ['', '']).encode('ascii') + body)
        status, rest = b''.join(iter(lambda: far.recv(65536), b'')).split(b'\r\n', 1)
        self.connection.sendall(status + b'\r\nConnection: close\r\n' + rest)

    def _relay(self, far):
        ends = {self.connection: far, far: self.connection}
        while True:
            for source in select.select(list(ends), [], [])[0]:
                piece = source.recv(65536)
                if not piece:
                    return
                ends[source].sendall(piece)

    def log_message(self, *args):
        """Nothing on stderr."""
