"""The transports of Engine.IO packets: polling, and websockets.

The transports of socketIO-client follow redirects and accept truncated answers, and its websockets
use neither cookies nor the proxy of the environment. These transports use HTTP as the client's
Session does.
"""
from __future__ import absolute_import

import base64
import hashlib
import itertools
import logging
import os
import ssl
import time
import weakref

import requests
import six
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy
from six.moves.http_client import HTTPResponse
from six.moves.urllib.parse import urlsplit
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from websocket import ABNF, WebSocket

# isort: split
# Import websocket first: without it, the import of socketIO_client ends the process.
from socketIO_client.parsers import (
    encode_engineIO_content,
    format_packet_text,
    parse_engineIO_session,
)

from ..exceptions import VALUE_LIMIT, shortened
from . import packets

#: Seconds for each step of the handshake, and for each packet sent while polling.
STEP_SECONDS = 10

#: Bytes of one read from a websocket.
PIECE_SIZE = 1 << 16

#: Seconds of the longest heartbeat that the client accepts, because threads cannot wait longer than
#: a limit of the platform.
LONGEST_HEARTBEAT = 86400

#: Bytes of an unexpected answer that are read for a message. A character has at most four.
SAMPLE_SIZE = 4 * VALUE_LIMIT

_SETTINGS = ('verify', 'proxies', 'cert', 'trust_env')
_WEBSOCKET_GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

LOG = logging.getLogger(__name__)


class TransportError(Exception):
    """A request or a frame failed, or the server sent something that is not Engine.IO."""


class ServerClosedError(TransportError):
    """The server closed the connection properly."""


class Polling(object):
    """Packets in the bodies of HTTP requests.

    Args:
        url (str): the URL of the server, without a query.
        session (requests.Session): its ``verify``, ``proxies``, ``cert`` and ``trust_env`` apply
            here too.

    Attributes:
        http (requests.Session): sends the requests, and keeps the cookies of this connection.
    """

    def __init__(self, url, session=None):
        self._url = url
        self._params = {'EIO': '3', 'transport': 'polling'}
        self._timeout = STEP_SECONDS
        self._numbers = itertools.count()
        self._adapter = _TrackingAdapter()
        self.http = requests.Session()
        if session:
            for name in _SETTINGS:
                setattr(self.http, name, getattr(session, name))
        self.http.mount('http://', self._adapter)
        self.http.mount('https://', self._adapter)

    def handshake(self):
        """Open an Engine.IO session.

        Returns:
            socketIO_client.parsers.EngineIOSession: its id, heartbeat and possible upgrades.

        Raises:
            TransportError: the server did not answer with a valid session.
            requests.RequestException: the request failed.
        """
        response = self._request('GET')
        try:
            text = dict(packets.split(response.content))[packets.OPEN]
            session = parse_engineIO_session(text.encode('utf-8'))
            is_valid = (isinstance(session.transport_upgrades, list)
                        and 0 < session.ping_interval < LONGEST_HEARTBEAT
                        and 0 <= session.ping_timeout < LONGEST_HEARTBEAT)
        except (LookupError, TypeError, ValueError) as error:
            six.raise_from(self._invalid_answer(response), error)
        if not is_valid:
            raise self._invalid_answer(response)
        self._params['sid'] = session.id
        return session

    def receive(self):
        """Wait for the next packets.

        Returns:
            list of (int, str): their types and data.

        Raises:
            ServerClosedError: the server has closed the session.
            TransportError: the server answered with something else.
            requests.RequestException: the request failed.
        """
        response = self._request('GET')
        try:
            return packets.split(response.content)
        except ValueError as error:
            six.raise_from(self._invalid_answer(response), error)

    def send(self, packet_type, data=''):
        """Send a packet, and wait until the server has received it.

        Args:
            packet_type (int): one of the types in ``packets``.
            data (str): the data of the packet. Defaults to none.

        Raises:
            TransportError: the server refused the packet.
            requests.RequestException: the request failed.
        """
        self._request('POST', data=bytes(encode_engineIO_content([(packet_type, data)])),
                      headers={'Content-Type': 'application/octet-stream'})

    def set_timeout(self, seconds):
        """Limit how long the server may be silent, from the next request on."""
        self._timeout = seconds

    def sockets(self):
        """Return the sockets in use. Any thread may shut them down."""
        return self._adapter.sockets()

    def close(self):
        """Close the connections that are kept alive."""
        self.http.close()

    def _request(self, method, **kwargs):
        params = dict(self._params, t='{}-{}'.format(int(1000 * time.time()), next(self._numbers)))
        step = min(STEP_SECONDS, self._timeout)
        response = self.http.request(
            method, self._url, params=params, allow_redirects=False, stream=True,
            timeout=(step, self._timeout if method == 'GET' else step), **kwargs)
        # requests before 2.32 accepts a truncated body unless this is set.
        response.raw.enforce_content_length = True
        if response.status_code == 200:
            # Read the whole body, so that the connection is kept alive.
            response.content  # noqa: B018 - reading the attribute reads the body
            return response
        message = _refusal_text(self._url, response)
        # Node and python-socketio answer a poll with these statuses after they have closed a
        # session.
        if method == 'GET' and 'sid' in params and response.status_code in (400, 500):
            raise ServerClosedError(message)
        raise TransportError(message)

    def _invalid_answer(self, response):
        return TransportError(
            u'{} answered 200, but not with whole packets of Engine.IO 3: {}'.format(
                self._url, _sample(response.content)))


class Websocket(object):
    """Packets in the frames of a websocket.

    Args:
        url (str): the URL of the server, without a query.
    """

    def __init__(self, url):
        self._url = url
        self._adapter = _UpgradeAdapter()
        self._socket = None
        # Skip the validation of UTF-8, which checks byte by byte in Python: receive() decodes the
        # packets, which validates them too.
        self._websocket = _Websocket(enable_multithread=True, skip_utf8_validation=True)

    def open(self, http, session_id):
        """Upgrade an Engine.IO session to a websocket.

        Args:
            http (requests.Session): the one that polls; its cookies and settings are used.
            session_id (str): the id of the Engine.IO session.

        Raises:
            TransportError: the server refused the upgrade.
            requests.RequestException: the request failed.
        """
        key = base64.b64encode(os.urandom(16))
        request = http.prepare_request(requests.Request(
            'GET', self._url, params={'EIO': '3', 'transport': 'websocket', 'sid': session_id},
            headers={'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13',
                     'Sec-WebSocket-Key': key.decode('ascii')}))
        settings = http.merge_environment_settings(request.url, {}, True, None, None)
        # Use the adapter directly, because the Session would follow redirects.
        response = self._adapter.send(request, timeout=STEP_SECONDS, **settings)
        digest = hashlib.sha1(key + _WEBSOCKET_GUID).digest()  # noqa: S324 - RFC 6455 requires it
        expected = base64.b64encode(digest).decode('ascii')
        accepted = response.headers.get('Sec-WebSocket-Accept', '').strip()
        if response.status_code != 101 or accepted != expected:
            raise TransportError(_refusal_text(self._url, response))
        self._socket = self._adapter.take_socket()
        response.close()
        self._websocket.sock = _BufferedSocket(self._socket)
        self._websocket.connected = True
        self.set_timeout(STEP_SECONDS)
        self.send(packets.PING, 'probe')
        if self.receive() != [(packets.PONG, 'probe')]:
            raise TransportError(u'{} did not answer the probe'.format(self._url))
        self.send(packets.UPGRADE)

    def receive(self):
        """Wait for the next packets.

        Returns:
            list of (int, str): their types and data.

        Raises:
            ServerClosedError: the server has closed the websocket.
            TransportError: the server sent something else.
            websocket.WebSocketException: the websocket failed.
        """
        opcode, data = self._websocket.recv_data()
        if opcode == ABNF.OPCODE_CLOSE:
            raise ServerClosedError(data[2:].decode('utf-8', 'replace'))
        if opcode == ABNF.OPCODE_BINARY:
            return []
        try:
            return [packets.read(data.decode('utf-8'))]
        except ValueError as error:
            six.raise_from(TransportError(
                u'The websocket of {} sent a frame that is no packet of Engine.IO 3: {}'.format(
                    self._url, _sample(data))), error)

    def send(self, packet_type, data=''):
        """Send a packet.

        Args:
            packet_type (int): one of the types in ``packets``.
            data (str): the data of the packet. Defaults to none.

        Raises:
            websocket.WebSocketException: the websocket failed.
        """
        self._websocket.send(format_packet_text(packet_type, data).decode('utf-8'))

    def set_timeout(self, seconds):
        """Limit how long the server may be silent, from the next read on."""
        self._websocket.settimeout(seconds)

    def sockets(self):
        """Return the sockets in use. Any thread may shut them down."""
        return [self._socket] if self._socket else self._adapter.sockets()

    def close(self):
        """Close the socket."""
        self._adapter.close()
        if self._socket:
            self._socket.close()


def shut_down(sock):
    """End all sending and receiving of a socket. Any thread may call this.

    The socket is not closed, because a thread that waits for it would not notice that.

    Args:
        sock (socket.socket): a socket, or None.
    """
    try:
        if isinstance(sock, ssl.SSLSocket):
            # Its own method would remove the SSL object that another thread may be using.
            super(ssl.SSLSocket, sock).shutdown(2)
        elif sock is not None:
            sock.shutdown(2)
    except Exception as failure:
        LOG.debug('A socket was not shut down, because it has ended already: %s', failure)


class _Websocket(WebSocket):
    """A websocket that ignores failures to answer a frame, so that later frames can be read."""

    def pong(self, *args, **kwargs):
        self._try(super(_Websocket, self).pong, *args, **kwargs)

    def send_close(self, *args, **kwargs):
        self._try(super(_Websocket, self).send_close, *args, **kwargs)

    def _try(self, answer, *args, **kwargs):
        try:
            answer(*args, **kwargs)
        except Exception as failure:
            LOG.debug('A frame of the server could not be answered: %s', failure)


class _BufferedSocket(object):
    """A socket that is read in large pieces. websocket-client reads each frame in three reads."""

    def __init__(self, sock):
        self._sock = sock
        self._piece = b''
        self._position = 0

    def recv(self, size):
        if self._position == len(self._piece):
            self._piece = self._sock.recv(PIECE_SIZE)
            self._position = 0
        start = self._position
        self._position = min(start + size, len(self._piece))
        return self._piece[start:self._position]

    def __getattr__(self, name):
        return getattr(self._sock, name)


class _TrackingAdapter(HTTPAdapter):
    """An adapter that knows its connections, so that other threads can shut their sockets down."""

    def __init__(self):
        self._connections = weakref.WeakSet()
        super(_TrackingAdapter, self).__init__()

    def init_poolmanager(self, *args, **kwargs):
        super(_TrackingAdapter, self).init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            'http': self._tracking_pool(HTTPConnectionPool),
            'https': self._tracking_pool(HTTPSConnectionPool)}

    def proxy_manager_for(self, proxy, **kwargs):
        if proxy not in self.proxy_manager:
            manager = super(_TrackingAdapter, self).proxy_manager_for(proxy, **kwargs)
            # Derive from the manager's own classes, because those of a SOCKS proxy differ.
            manager.pool_classes_by_scheme = {
                scheme: self._tracking_pool(pool)
                for scheme, pool in manager.pool_classes_by_scheme.items()}
        return self.proxy_manager[proxy]

    def sockets(self):
        return [connection.sock for connection in list(self._connections)]

    def build_response(self, req, resp):
        try:
            return super(_TrackingAdapter, self).build_response(req, resp)
        except Exception:
            # requests would leave the connection open, such as after a truncated header.
            resp.close()
            raise

    def _tracking_pool(self, pool):
        class TrackingPool(pool):
            ConnectionCls = self._tracked_connection(pool.ConnectionCls)

        return TrackingPool

    def _tracked_connection(self, base):
        connections = self._connections

        class TrackedConnection(base):
            def connect(self):
                connections.add(self)
                super(TrackedConnection, self).connect()

        return TrackedConnection


class _UpgradeAdapter(_TrackingAdapter):
    """An adapter that sends one request on a new connection and gives its socket away."""

    # The host, the port and the proxy's headers of a tunnel. A proxy for plain HTTP needs one,
    # because it does not pass an upgrade on.
    _tunnel = None

    def send(self, request, **kwargs):
        proxy = prepend_scheme_if_needed(select_proxy(request.url, kwargs['proxies']) or '', 'http')
        if proxy.startswith('http:') and urlsplit(proxy).netloc and request.url.startswith('http:'):
            target = urlsplit(request.url)
            self._tunnel = target.hostname, target.port or 80, self.proxy_headers(proxy)
        return super(_UpgradeAdapter, self).send(request, **kwargs)

    def request_url(self, request, proxies):
        return request.path_url

    def take_socket(self):
        """Remove the socket from its connection and return it."""
        [connection] = self._connections
        sock = connection.sock
        connection.sock = None
        return sock

    def _tracked_connection(self, base):
        adapter = self

        class UpgradedConnection(super(_UpgradeAdapter, self)._tracked_connection(base)):
            response_class = _UnbufferedResponse

            def connect(self):
                if adapter._tunnel:
                    self.set_tunnel(*adapter._tunnel)
                super(UpgradedConnection, self).connect()

        return UpgradedConnection


class _UnbufferedResponse(HTTPResponse):
    """A response that reads only its header, because frames follow it."""

    def __init__(self, sock, *args, **kwargs):
        HTTPResponse.__init__(self, _UnbufferedFiles(sock), *args, **kwargs)


class _UnbufferedFiles(object):
    """A socket whose files have no buffer."""

    def __init__(self, sock):
        self._sock = sock

    def makefile(self, mode, *buffering):
        return self._sock.makefile(mode, 0)


def _refusal_text(url, response):
    """Return the text for a response that refuses a request, and close it."""
    try:
        body = next(response.iter_content(SAMPLE_SIZE), b'')
    except Exception as failure:
        body = six.ensure_binary(u'the response was truncated ({})'.format(type(failure).__name__))
    location = response.headers.get('Location')
    redirect = u', a redirect to {}, which is not followed'.format(
        six.ensure_text(location, errors='replace')) if location else u''
    response.close()
    return u'{} answered {}{}: {}'.format(url, response.status_code, redirect, _sample(body))


def _sample(body):
    return shortened(body[:SAMPLE_SIZE].decode('utf-8', 'replace')) or u'an empty body'
