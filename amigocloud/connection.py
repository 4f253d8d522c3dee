"""One Socket.IO connection, from its handshake to its end: the transports of socketIO-client, without its threads.

The ``SocketIO`` class of socketIO-client reconnects by itself, waits without end and keeps a process from ending. A
``Connection`` is opened, used and cut, and whoever wants another one makes another one.
"""
from __future__ import absolute_import

import itertools
import json
import logging
import re
import socket
import threading
import weakref

import requests
import six
from requests.adapters import HTTPAdapter
from six.moves.urllib.parse import urlsplit

# isort: split - the import of socketIO_client ends the process where that of websocket would fail.
from socketIO_client.exceptions import ConnectionError as TransportError
from socketIO_client.exceptions import SocketIOError
from socketIO_client.parsers import encode_engineIO_content, parse_engineIO_session, parse_packet_text
from socketIO_client.transports import WebsocketTransport, XHR_PollingTransport, prepare_http_session
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from websocket import ABNF, WebSocketException

from .exceptions import AmigoCloudError, text_of
from .waiting import now

#: The namespace of the service's events.
NAMESPACE = '/amigosocket'

#: Seconds for each step of the handshake, and for each packet sent while polling.
STEP_SECONDS = 10

#: Seconds after ``authenticate`` in which a goodbye is a refusal, unless an event came first.
TRIAL_SECONDS = 5

#: Seconds that an error packet on trial waits for an event that proves it harmless.
COMPLAINT_SECONDS = 1

#: Characters of a reason; a server may answer with a page of HTML.
REASON_LIMIT = 500

#: Bytes that are read from a websocket at a time.
PIECE_SIZE = 1 << 16

_OPEN, _CLOSE, _PING, _PONG, _MESSAGE, _UPGRADE = range(6)
_CONNECT, _DISCONNECT, _EVENT, _ACK, _ERROR = '01234'
_PACKET = re.compile(r'(?P<kind>\d)(?:\d+-)?(?P<path>/[^,]*)?,?(?:\d+(?=\[))?(?P<data>.*)', re.DOTALL)
_FAILURES = (SocketIOError, requests.RequestException, WebSocketException, EnvironmentError, ValueError, LookupError)

LOG = logging.getLogger(__name__)



class ConnectionLost(AmigoCloudError):
    """The connection has ended, or could not be made.

    Args:
        reason (str): why.
        orderly (bool): the server said goodbye. Defaults to False.
    """

    def __init__(self, reason, orderly=False):
        super(ConnectionLost, self).__init__(u'No connection for events: {}'.format(reason))
        self.reason = reason
        self.orderly = orderly


class _Goodbye(TransportError):
    """The server ended the connection by itself."""


class Connection(object):
    """A connection to the namespace of the service's events.

    One thread opens it, receives and discards it; any thread may emit, close or cut.

    Args:
        base_url (str): where the service is.
        port (int): the port, where it is not that of base_url.
        session (requests.Session): its ``verify``, ``proxies`` and ``cert`` hold here too.

    Attributes:
        ready (bool): kept by the owner: others may use it.
    """

    def __init__(self, base_url, port=None, session=None):
        self.ready = False
        self._is_secure, self._url = _locate(base_url, port)
        self._adapter = _Adapter()
        self._http = prepare_http_session({name: getattr(session, name) for name in ('verify', 'proxies', 'cert')}
                                          if session else {})
        self._http.mount('http://', self._adapter)
        self._http.mount('https://', self._adapter)
        self._transport = self._websocket = self._socket = self._heartbeat = None
        self._sending = threading.Lock()
        self._over = threading.Event()
        self._messages = self._read_messages()
        self._silence = STEP_SECONDS
        self._answered = False
        self._trial_ends = float('inf')
        self._complaint, self._complaint_ends = None, 0

    @property
    def on_trial(self):
        """bool: newly made or newly authenticated, and without an event since."""
        return not self._answered and now() < self._trial_ends

    def open(self):
        """Shakes hands, goes over to a websocket where there is one, and enters the namespace.

        Raises:
            ConnectionLost: one of the steps failed or took too long.
        """
        try:
            session = self._shake_hands()
            self._send(_MESSAGE, _CONNECT + NAMESPACE)
            deadline, early = now() + STEP_SECONDS, []
            for kind, data in self._messages:
                if kind == _CONNECT:
                    break
                if kind == _EVENT:
                    early.append((kind, data))
                if kind in (_DISCONNECT, _ERROR):
                    raise _Goodbye(_describe(data))
                if now() > deadline:
                    raise TransportError('the server does not answer for {}'.format(NAMESPACE))
        except _FAILURES as failure:
            six.raise_from(ConnectionLost(_describe(failure), isinstance(failure, _Goodbye)), failure)
        self._messages = itertools.chain(early, self._messages)
        self._silence = session.ping_interval + session.ping_timeout
        self._set_timeout(self._silence)
        self._trial_ends = now() + TRIAL_SECONDS
        self._heartbeat = threading.Thread(target=self._beat, args=(session.ping_interval,))
        self._heartbeat.name = 'amigocloud-heartbeat'
        self._heartbeat.daemon = True
        self._heartbeat.start()

    def authenticate(self, payload):
        """Emits ``authenticate`` with a payload, and puts the connection on trial; raises as ``emit`` does."""
        self._answered, self._trial_ends = False, now() + TRIAL_SECONDS
        self.emit('authenticate', payload)

    def emit(self, event, *args):
        """Emits an event.

        Args:
            event (str): its name.
            *args: what JSON can hold.

        Raises:
            ConnectionLost: it could not be sent.
        """
        message = '{}{},{}'.format(_EVENT, NAMESPACE, json.dumps((event,) + args))
        try:
            self._send(_MESSAGE, message)
        except _FAILURES as failure:
            self.cut()
            six.raise_from(ConnectionLost(_describe(failure)), failure)

    def receive(self):
        """Waits for the next event.

        Returns:
            tuple: its name and its first argument, ``{}`` where it has none.

        Raises:
            ConnectionLost: the connection has ended, or the server was silent for longer than a heartbeat allows.
        """
        try:
            for kind, data in self._messages:
                if kind == _EVENT:
                    self._answered = True
                    if self._complaint:
                        self._complain(None, self._silence)
                    return data[0], data[1] if len(data) > 1 else {}
                if kind == _ERROR:
                    if self.on_trial:
                        self._complain(_describe(data), COMPLAINT_SECONDS)
                    return 'error', data
                if kind == _DISCONNECT or self._complaint and now() > self._complaint_ends:
                    raise _Goodbye(_describe(data))
        except _FAILURES as failure:
            six.raise_from(ConnectionLost(self._complaint or _describe(failure),
                                          bool(self._complaint) or isinstance(failure, _Goodbye)), failure)

    def close(self, seconds):
        """Says goodbye, if that can be done in a moment, and cuts.

        Args:
            seconds (float): the moment.
        """
        if self._transport and not self._over.is_set() and self._sending.acquire(False):
            try:
                self._set_timeout(seconds)
                self._transport.send_packet(_CLOSE)
            except _FAILURES as failure:
                LOG.debug('The server was not told of the end: %s', _describe(failure))
            finally:
                self._sending.release()
        self.cut()

    def cut(self):
        """Ends what is being sent and received, at once and from any thread."""
        self._over.set()
        for sock in self._adapter.sockets() + [self._socket]:
            try:
                # Not closed, which the thread that waits for it would not notice. Nor by the method of an SSLSocket,
                # which takes it apart in that thread's hands.
                if isinstance(sock, socket.socket):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except EnvironmentError as failure:
                LOG.debug('Cut already: %s', failure)

    def discard(self):
        """Cuts, and gives back the sockets and the thread of the heartbeat."""
        self.cut()
        if self._heartbeat:
            self._heartbeat.join()
        if self._websocket:
            self._websocket.shutdown()
        self._http.close()

    def _shake_hands(self):
        packets = dict(XHR_PollingTransport(self._http, self._is_secure, self._url).recv_packet())
        try:
            session = parse_engineIO_session(packets[_OPEN])
        except (LookupError, TypeError) as failure:
            six.raise_from(TransportError('{} does not speak Engine.IO 3'.format(self._url)), failure)
        self._transport = XHR_PollingTransport(self._http, self._is_secure, self._url, session)
        if 'websocket' in session.transport_upgrades:
            try:
                self._upgrade(session)
            except _FAILURES as failure:
                LOG.info('No websocket, so the client polls: %s', _describe(failure))
        return session

    def _upgrade(self, session):
        # Left alone, its handshake may take as long as the time-out for a ping.
        transport = _Websocket(_for_websocket(self._http), self._is_secure, self._url,
                               session._replace(ping_timeout=STEP_SECONDS))
        self._websocket = transport.connection
        self._socket = self._websocket.sock
        self._websocket.sock = _BufferedSocket(self._socket)
        transport.send_packet(_PING, 'probe')
        if list(transport.recv_packet()) != [(_PONG, b'probe')]:
            raise TransportError('the probe was not answered')
        transport.send_packet(_UPGRADE)
        self._transport = transport
        self._http.close()

    def _send(self, packet_type, data=''):
        with self._sending:
            self._transport.send_packet(packet_type, data)

    def _beat(self, seconds):
        while not self._over.wait(seconds):
            try:
                self._send(_PING)
            except _FAILURES as failure:
                # The receiving thread finds out, and reads what came before the end.
                LOG.debug('The heartbeat failed: %s', _describe(failure))

    def _read_messages(self):
        while True:
            for packet_type, packet in list(self._transport.recv_packet()):
                yield _parse(packet_type, packet.decode('utf-8'))

    def _complain(self, complaint, timeout):
        self._complaint, self._complaint_ends = complaint, now() + timeout
        self._set_timeout(timeout)

    def _set_timeout(self, seconds):
        self._adapter.timeout = seconds
        self._transport.set_timeout(seconds)


class _Websocket(WebsocketTransport):

    @property
    def connection(self):
        return self._connection

    def recv_packet(self):
        opcode, data = self._connection.recv_data()
        if opcode == ABNF.OPCODE_CLOSE:
            yield _CLOSE, data[2:]
        elif opcode == ABNF.OPCODE_TEXT:
            yield parse_packet_text(data)


class _BufferedSocket(object):
    """A socket that is read in large pieces; websocket-client reads each frame in three small ones."""

    def __init__(self, sock):
        self._sock = sock
        self._piece, self._position = b'', 0

    def recv(self, size):
        if self._position == len(self._piece):
            self._piece, self._position = self._sock.recv(PIECE_SIZE), 0
        start, self._position = self._position, min(self._position + size, len(self._piece))
        return self._piece[start:self._position]

    def __getattr__(self, name):
        return getattr(self._sock, name)


class _Adapter(HTTPAdapter):
    """Bounds every request, reads every answer whole (which keeps its connection alive), and knows its sockets."""

    def __init__(self):
        self.timeout = STEP_SECONDS
        self._connections = weakref.WeakSet()
        self._pools = {pool.scheme: self._remembering(pool) for pool in (HTTPConnectionPool, HTTPSConnectionPool)}
        super(_Adapter, self).__init__()

    def init_poolmanager(self, *args, **kwargs):
        super(_Adapter, self).init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args, **kwargs):
        manager = super(_Adapter, self).proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request, **kwargs):
        polls = request.method == 'GET'
        kwargs['timeout'] = (STEP_SECONDS, self.timeout if polls else min(STEP_SECONDS, self.timeout))
        response = super(_Adapter, self).send(request, **kwargs)
        if polls and 'sid=' in request.url and response.status_code in (400, 500):
            # How Node and python-socketio say that they have ended a session.
            raise _Goodbye(response.text)
        if response.content and polls and response.status_code == 200:
            response._content = bytes(encode_engineIO_content(
                (packet[:1], packet[1:]) for packet in _split(response.content)))
        return response

    def sockets(self):
        return [connection.sock for connection in list(self._connections)]

    def _remembering(self, pool):
        connections = self._connections

        class RememberedConnection(pool.ConnectionCls):
            def connect(self):
                connections.add(self)
                super(RememberedConnection, self).connect()

        class RememberingPool(pool):
            ConnectionCls = RememberedConnection

        return RememberingPool


def _for_websocket(http):
    """The settings of a Session as WebsocketTransport takes them: the certificates to trust under ``cert``."""
    trusted = http.verify if isinstance(http.verify, six.string_types) else None
    return prepare_http_session({'verify': bool(http.verify), 'proxies': http.proxies, 'cert': trusted})


def _locate(base_url, port):
    parts = urlsplit(base_url)
    is_secure = parts.scheme.lower() == 'https'
    host = '[{}]'.format(parts.hostname) if ':' in parts.hostname else parts.hostname
    port = port or parts.port or (443 if is_secure else 80)
    return is_secure, '{}:{}{}/v2_socket.io/socket.io'.format(host, port, parts.path.rstrip('/'))


def _split(payload):
    """Splits the answer to a poll into its packets; binary ones are left out.

    python-socketio frames all answers as binary, Socket.IO 2 those with text alone as text, whose lengths are in
    UTF-16 units.
    """
    start = 0
    if payload[:1] in (b'\x00', b'\x01'):
        while start < len(payload):
            mark = payload.index(b'\xff', start)
            end = mark + 1 + int(''.join(str(digit) for digit in bytearray(payload[start + 1:mark])))
            if payload[start:start + 1] == b'\x00':
                yield payload[mark + 1:end].decode('utf-8')
            start = end
    else:
        units = payload.decode('utf-8').encode('utf-16-le')
        while start < len(units):
            mark = units.index(b':\x00', start)
            end = mark + 2 + 2 * int(units[start:mark].decode('utf-16-le'))
            yield units[mark + 2:end].decode('utf-16-le')
            start = end


def _parse(packet_type, text):
    if packet_type == _CLOSE:
        return _DISCONNECT, text
    message = _PACKET.match(text) if packet_type == _MESSAGE else None
    if not message or message.group('path') != NAMESPACE:
        return None, None
    kind, data = message.group('kind'), _decode(message.group('data'))
    is_event = isinstance(data, list) and data and isinstance(data[0], six.string_types)
    if kind not in (_CONNECT, _DISCONNECT, _EVENT, _ERROR) or kind == _EVENT and not is_event:
        LOG.warning('A Socket.IO packet of type %s was left out.', kind)
        return None, None
    return kind, data


def _decode(text):
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _describe(cause):
    """Says in words what ended a connection: an exception, or what the server sent with an error or a goodbye."""
    if isinstance(cause, Exception):
        cause = text_of(cause) or type(cause).__name__
    if not isinstance(cause, six.string_types):
        cause = json.dumps(cause) if cause else ''
    return cause[:REASON_LIMIT] or 'the server closed the connection'
