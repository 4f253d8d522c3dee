"""One Socket.IO connection, from its handshake to its end.

The ``SocketIO`` class of socketIO-client reconnects by itself, waits without a limit and prevents a
process from ending. A ``Connection`` never reconnects: its owner makes a new one.
"""
from __future__ import absolute_import

import collections
import json
import logging
import os
import re
import threading

import six
from six.moves.urllib.parse import urlsplit

from ..exceptions import AmigoCloudError, printable, text_of
from ..waiting import new_event, now
from . import greenlets, packets
from .transports import (
    STEP_SECONDS,
    Polling,
    ServerClosedError,
    TransportError,
    Websocket,
    shut_down,
)

#: The namespace of the service's events.
NAMESPACE = '/amigosocket'

#: Seconds after ``authenticate`` within which the end of the connection is a refusal, unless an
#: event has arrived.
CONFIRMATION_SECONDS = 5

#: Seconds in which an event must follow an error packet on an unconfirmed connection. If none does,
#: the error packet ends the connection.
ERROR_SECONDS = 1

#: Largest number of characters of a reason.
REASON_LIMIT = 500

LOG = logging.getLogger(__name__)


class ConnectionLost(AmigoCloudError):
    """The connection has ended, or could not be made.

    Args:
        reason (str): why it ended.
        closed_by_server (bool): whether the server closed it properly. Defaults to False.

    Attributes:
        reason (str): as given.
        closed_by_server (bool): as given.
    """

    def __init__(self, reason, closed_by_server=False):
        super(ConnectionLost, self).__init__(u'No connection for events: {}'.format(reason))
        self.reason = reason
        self.closed_by_server = closed_by_server


class Connection(object):
    """A connection to the namespace of the service's events.

    One thread opens, receives and discards; any thread may emit, close or abort. All failures raise
    ConnectionLost, except for the exceptions that end a thread (KeyboardInterrupt, SystemExit and
    GreenletExit).

    Args:
        base_url (str): the URL of the service.
        port (int): the port, if it is not that of base_url.
        session (requests.Session): its ``verify``, ``proxies``, ``cert`` and ``trust_env`` apply
            here too.

    Attributes:
        ready (bool): whether other threads may use the connection. Its owner sets this.
    """

    def __init__(self, base_url, port=None, session=None):
        self.ready = False
        self._base_url = base_url
        self._port = port
        self._session = session
        self._url = base_url
        self._transport = None
        self._heartbeat = None
        self._interruption = None
        # All transports, whose sockets are shut down and closed at the end.
        self._transports = []
        self._sending = threading.Lock()
        self._ended = new_event()
        self._pending = collections.deque()
        # The server may be silent for this number of seconds.
        self._silence_limit = STEP_SECONDS
        self._has_event = False
        self._confirmation_deadline = float('inf')
        # The text of an error packet that ends the connection unless an event follows it in time.
        self._error = None
        self._error_deadline = 0

    @property
    def is_unconfirmed(self):
        """bool: whether it was opened or authenticated just now, and no event has arrived since."""
        return not self._has_event and now() < self._confirmation_deadline

    def open(self):
        """Shake hands, upgrade to a websocket if the server offers it, and enter the namespace.

        Raises:
            ConnectionLost: one of the steps failed or took too long.
        """
        try:
            session = self._handshake()
            self._send(packets.MESSAGE, packets.CONNECT + NAMESPACE)
            self._enter()
            self._silence_limit = session.ping_interval + session.ping_timeout
            self._transport.set_timeout(self._silence_limit)
            self._confirmation_deadline = now() + CONFIRMATION_SECONDS
            heartbeat = threading.Thread(
                target=self._send_heartbeats, args=(session.ping_interval,),
                name='amigocloud-heartbeat')
            heartbeat.daemon = True
            heartbeat.start()
            # Store it only now, because a thread that was not started cannot be joined.
            self._heartbeat = heartbeat
        except Exception as failure:
            self._raise_lost(failure)

    def authenticate(self, payload):
        """Emit ``authenticate``. The connection is unconfirmed until the next event.

        Args:
            payload (dict): the argument of the event.

        Raises:
            ConnectionLost: the event could not be sent.
        """
        self._has_event = False
        self._confirmation_deadline = now() + CONFIRMATION_SECONDS
        self.emit('authenticate', payload)

    def emit(self, event, *args):
        """Emit an event.

        Args:
            event (str): its name.
            *args: values that JSON can represent.

        Raises:
            ConnectionLost: the event could not be sent.
        """
        message = '{}{},{}'.format(packets.EVENT, NAMESPACE, json.dumps((event,) + args))
        try:
            self._send(packets.MESSAGE, message)
        except Exception as failure:
            self.abort()
            self._raise_lost(failure)

    def receive(self):
        """Wait for the next event.

        Returns:
            tuple: its name and its first argument, which is ``{}`` if it has none.

        Raises:
            ConnectionLost: the connection has ended, or the server was silent for longer than the
                interval and the time-out of its heartbeat.
        """
        try:
            while True:
                kind, data = self._next_message()
                if kind == packets.EVENT:
                    self._has_event = True
                    if self._error:
                        self._set_error(None, self._silence_limit)
                    return data[0], data[1] if len(data) > 1 else {}
                if kind == packets.ERROR:
                    if self.is_unconfirmed:
                        self._set_error(_describe(data), ERROR_SECONDS)
                    return 'error', data
                if kind == packets.DISCONNECT or self._error and now() > self._error_deadline:
                    raise ServerClosedError(_describe(data))
        except Exception as failure:
            self._raise_lost(ServerClosedError(self._error) if self._error else failure)

    def close(self, seconds):
        """Tell the server that the connection is closed if nothing else is being sent, and abort.

        Args:
            seconds (float): the time limit for telling the server.
        """
        if self._transport and not self._ended.is_set() and self._sending.acquire(False):
            try:
                self._transport.set_timeout(seconds)
                self._transport.send(packets.CLOSE)
            except Exception as failure:
                LOG.debug('The server was not told that the connection is closed: %s',
                          _describe(failure))
            finally:
                self._sending.release()
        self.abort()

    def abort(self):
        """End all sending and receiving at once. Any thread may call this."""
        self._ended.set()
        for transport in list(self._transports):
            for sock in transport.sockets():
                shut_down(sock)

    def discard(self):
        """Abort, wait for the thread of the heartbeat, and close the sockets."""
        self.abort()
        if self._heartbeat:
            self._heartbeat.join()
        for transport in self._transports:
            _close(transport)

    def _handshake(self):
        self._url = _locate(self._base_url, self._port)
        polling = Polling(self._url, self._session)
        self._transports.append(polling)
        session = polling.handshake()
        self._transport = polling
        if 'websocket' in session.transport_upgrades:
            websocket = Websocket(self._url)
            self._transports.append(websocket)
            try:
                websocket.open(polling.http, session.id)
                self._transport = websocket
            except Exception as failure:
                LOG.info('The client polls, because the websocket failed: %s', _describe(failure))
            _close(websocket if self._transport is polling else polling)
        return session

    def _enter(self):
        deadline = now() + STEP_SECONDS
        # Events may arrive before the response.
        early = []
        while True:
            kind, data = self._next_message()
            if kind == packets.CONNECT:
                self._pending.extendleft(reversed(early))
                return
            if kind == packets.EVENT:
                early.append((kind, data))
            if kind in (packets.DISCONNECT, packets.ERROR):
                raise ServerClosedError(_describe(data))
            if now() > deadline:
                raise TransportError('the server did not let the client enter {} within {} '
                                     'seconds'.format(NAMESPACE, STEP_SECONDS))

    def _next_message(self):
        while not self._pending:
            for packet_type, text in self._transport.receive():
                message = None, None
                if packet_type == packets.CLOSE:
                    message = packets.DISCONNECT, text
                elif packet_type == packets.MESSAGE:
                    message = packets.read_message(text, NAMESPACE)
                self._pending.append(message)
        return self._pending.popleft()

    def _send(self, packet_type, data=''):
        with self._sending:
            self._transport.send(packet_type, data)

    def _send_heartbeats(self, seconds):
        process = os.getpid()
        try:
            while not self._ended.wait(seconds):
                if os.getpid() != process:
                    # A fork has copied this greenlet, but the socket belongs to the parent process.
                    greenlets.register_greenlet()
                    return
                try:
                    self._send(packets.PING)
                except Exception as failure:
                    # Leave it to the receiving thread to end the connection, because it first reads
                    # the packets that have arrived.
                    LOG.debug('The heartbeat failed: %s', _describe(failure))
        except (KeyboardInterrupt, SystemExit) as interruption:
            # A signal may arrive here if threads are greenlets. The receiving greenlet raises it.
            self._interruption = interruption
            self.abort()

    def _set_error(self, error, seconds):
        self._error = error
        self._error_deadline = now() + seconds
        self._transport.set_timeout(seconds)

    def _raise_lost(self, failure):
        if self._interruption:
            raise self._interruption
        reason = _describe(failure)
        if not isinstance(failure, TransportError):
            reason = u'{}: {}'.format(self._url, reason)
        lost = ConnectionLost(reason, isinstance(failure, ServerClosedError))
        six.raise_from(lost, failure)


def _locate(base_url, port):
    parts = urlsplit(base_url)
    is_secure = parts.scheme.lower() == 'https'
    host = '[{}]'.format(parts.hostname) if ':' in parts.hostname else parts.hostname
    port = port or parts.port or (443 if is_secure else 80)
    return '{}://{}:{}{}/v2_socket.io/socket.io/'.format(
        'https' if is_secure else 'http', host, port, parts.path.rstrip('/'))


def _close(transport):
    try:
        transport.close()
    except Exception as failure:
        LOG.debug('A transport could not be closed: %s', _describe(failure))


def _describe(cause):
    """Return the text for the cause of an end.

    Args:
        cause: an exception, or the data of the server's last packet.
    """
    if isinstance(cause, Exception):
        cause = _innermost(cause)
        # Remove the repr of the connection, which urllib3 puts first: the URL says the same.
        cause = re.sub(r'\A(<[^>]*>|\w+\([^)]*\)): ', '', text_of(cause)) or type(cause).__name__
    if not isinstance(cause, six.string_types):
        cause = json.dumps(cause) if cause else ''
    return six.ensure_text(printable(cause))[:REASON_LIMIT] or u'the server closed the connection'


def _innermost(failure):
    """Return the exception that requests and urllib3 have wrapped in their own."""
    inner = getattr(failure, 'reason', None)
    if not isinstance(inner, Exception):
        inner = next((each for each in failure.args if isinstance(each, Exception)), None)
    return failure if inner is None else _innermost(inner)
