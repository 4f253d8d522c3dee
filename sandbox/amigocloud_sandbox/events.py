"""Events over Socket.IO: who listens to what, by websocket sessions that work once."""
import contextlib
import socket
import urllib.parse
import uuid

import gevent
import socketio
from gevent.event import Event

NAMESPACE = '/amigosocket'
#: The beginning of the paths of all clients; some have `/socket.io/` behind it.
PATH = '/v2_socket.io/'
#: How long a connection that is being closed may take to read what was sent to it, in seconds.
_LAST_WORDS = 2


class Events:
    """The Socket.IO side of the sandbox.

    Args:
        ping_interval (float): seconds between the pings that clients send.
        ping_timeout (float): seconds after which a silent client is given up.
        websocket (bool): False leaves only polling.
    """

    def __init__(self, ping_interval, ping_timeout, websocket):
        self._server = socketio.Server(
            async_mode='gevent', async_handlers=False, ping_interval=ping_interval, ping_timeout=ping_timeout,
            allow_upgrades=websocket, cors_allowed_origins='*')
        self._websocket = websocket
        self._sessions = {}
        self._listeners = {}
        self._websockets = {}
        self._changed = Event()
        self._server.on('connect', self._remember)
        self._server.on('authenticate', self._authenticate, namespace=NAMESPACE)
        for namespace in ('/', NAMESPACE):
            self._server.on('disconnect', self._forget, namespace=namespace)

    def wsgi(self, environ, start_response):
        """Answer a request to the Socket.IO path."""
        query = urllib.parse.parse_qs(environ['QUERY_STRING'])
        sid = query.get('sid', [''])[-1]
        known = self._server.eio.sockets.get(sid)
        if known is not None and known.closed:
            # Engine.IO fails over a closed session, while an unknown one gets a proper answer.
            del self._server.eio.sockets[sid]
        elif known is not None:
            self._remember(sid, environ)
        if query.get('transport') == ['websocket'] and not self._websocket:
            start_response('400 BAD REQUEST', [('Content-Type', 'text/plain')])
            return [b'Invalid transport']
        return self._server.handle_request(environ, start_response)

    def open_session(self, token, dataset_id=None):
        """Return a websocket session: it authenticates one listener, once.

        Args:
            token (dict): the token that asks; revoking it ends the listening.
            dataset_id (int): the dataset to listen to; None for the user's events.
        """
        session = uuid.uuid4().hex
        self._sessions[session] = (token, dataset_id)
        return session

    def tell_user(self, user_id, name, data):
        """Send an event to those who listen to this user's events."""
        self._server.emit(name, data, room='user {}'.format(user_id), namespace=NAMESPACE)

    def tell_dataset(self, dataset_id, name, data):
        """Send an event to those who listen to this dataset."""
        self._server.emit(name, data, room='dataset {}'.format(dataset_id), namespace=NAMESPACE)

    def revoke(self, token):
        """Disconnect those who listen by this token."""
        self._sessions = {session: bound for session, bound in self._sessions.items() if bound[0]['token'] != token}
        for sid in [sid for sid, tokens in self._listeners.items() if token in tokens]:
            self._close(sid)

    def drop(self):
        """Close every connection, and return how many there were."""
        sids = list(self._server.eio.sockets)
        for sid in sids:
            self._close(sid)
        return len(sids)

    def wait_for_listeners(self, number, seconds):
        """Wait until so many connections listen, and return how many do."""
        while len(self._listeners) < number:
            self._changed.clear()
            if not self._changed.wait(seconds):
                break
        return len(self._listeners)

    def _authenticate(self, sid, data=None, *_):
        room = self._admitted(data) if isinstance(data, dict) else None
        if room is None:
            self._close(sid)
            return
        name, token = room
        self._server.enter_room(sid, name, namespace=NAMESPACE)
        self._listeners.setdefault(sid, set()).add(token)
        self._changed.set()

    def _admitted(self, data):
        """Return the room that this login opens and its token, or None."""
        token, dataset_id = self._sessions.pop(str(data.get('websocket_session')), (None, None))
        asked = data.get('datasetid')
        if token is None or str(data.get('userid')) != str(token['user_id']) or str(asked) != str(dataset_id):
            return None
        room = 'user {}'.format(token['user_id']) if dataset_id is None else 'dataset {}'.format(dataset_id)
        return room, token['token']

    def _close(self, sid):
        gevent.spawn(self._close_now, sid)

    def _close_now(self, sid):
        websocket = self._websockets.get(sid)
        with gevent.Timeout(_LAST_WORDS, False):
            self._server.disconnect(sid)
        if websocket is not None and not websocket.closed:
            # Engine.IO 3 for Python leaves the closing to the client; the Node server of the service closes.
            connection = websocket.handler.socket
            websocket.close()
            with contextlib.suppress(OSError):  # the client was quicker
                connection.shutdown(socket.SHUT_RDWR)

    def _remember(self, sid, environ):
        if 'wsgi.websocket' in environ:
            self._websockets[sid] = environ['wsgi.websocket']

    def _forget(self, sid):
        self._listeners.pop(sid, None)
        self._websockets.pop(sid, None)
