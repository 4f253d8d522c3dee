"""Live events: what was subscribed, the thread that keeps the connection, and the mailbox from which callbacks are run.

One background thread owns the connection, makes another when that is lost, and puts what it receives into the mailbox.
``wait`` empties the mailbox in the thread that calls it, and leaves that thread to gevent while there is nothing in it.
Where gevent.monkey has patched threading, the background thread is a greenlet without further ado.
"""
from __future__ import absolute_import

import atexit
import collections
import contextlib
import json
import logging
import random
import sys
import threading
import time
import weakref

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError
from .waiting import now as _now

#: Seconds that ``subscribe`` and ``emit`` wait for a connection.
READY_SECONDS = 10

#: Seconds before the background thread begins, with imports that would keep whoever started it waiting.
START_SECONDS = 0.1

#: Seconds before another try to connect: random, below a limit that doubles from the first to the second of these.
BACKOFF_SECONDS = (1, 30)

#: Reconnections in a row that the server ends right after ``authenticate`` before that is taken for its answer.
REFUSALS = 3

#: Seconds for telling the server of the end, for waiting for the background thread, and for that as the process ends.
GOODBYE_SECONDS, CLOSE_SECONDS, EXIT_SECONDS = 0.5, 1.5, 0.2

#: Seconds for which events that are at hand may keep other greenlets waiting.
BREATH_SECONDS = 0.01

LOG = logging.getLogger(__name__)

_FOREVER = float('inf')
_all = weakref.WeakSet()


class Realtime(object):
    """The live events of one client.

    Args:
        base_url (str): where the service is.
        fetch (callable): takes a URL and gives the value of an authenticated GET.
        port (int): the port of the events, where it is not that of base_url.
        session (requests.Session): its ``verify``, ``proxies`` and ``cert`` hold for events too.
    """

    def __init__(self, base_url, fetch, port=None, session=None):
        self._base_url, self._fetch, self._port, self._session = base_url, fetch, port, session
        self._callbacks = {}
        self._subscriptions = collections.OrderedDict()
        self._mailbox = collections.deque()
        # Guards the rest, and is notified when it changes.
        self._changed = threading.Condition()
        self._closed = self._stopping = False
        self._listener = self._thread = self._connection = self._error = None
        # Stands for one life of the thread; set, it ends the thread's pause before another try.
        self._run = None
        self._trouble = 'no answer yet'
        _all.add(self)

    @property
    def connected(self):
        """bool: there is a connection, and every subscription is authenticated on it."""
        connection = self._connection
        return connection is not None and connection.ready and self._thread.is_alive()

    def start(self):
        """Starts connecting in the background, unless that goes on already.

        Raises:
            AmigoCloudError: the client is closed.
        """
        with self._changed:
            if self._closed:
                raise AmigoCloudError('The client is closed.')
            # A forked child has no such thread, and the connection is its parent's.
            if self._run is None or not self._thread.is_alive():
                self._connection = self._error = None
                self._run = threading.Event()
                self._thread = threading.Thread(target=self._work, args=(self._run,), name='amigocloud-realtime')
                self._thread.daemon = True
                self._thread.start()

    def subscribe(self, url, payload):
        """Asks for events, now and after each reconnection.

        Args:
            url (str): where a GET gives a ``websocket_session``.
            payload (dict): what ``authenticate`` says besides that session.

        Raises:
            AmigoCloudError: the GET failed, or there is no connection.
        """
        _import_gevent()
        session = self._new_session(url)
        with self._changed:
            connection = self._wait_for_connection()
            self._subscriptions[url, json.dumps(payload, sort_keys=True)] = url, payload
        try:
            connection.authenticate(dict(payload, websocket_session=session))
        except AmigoCloudError as lost:
            LOG.info('The next connection authenticates, for this one ended: %s', lost)

    def on(self, event, callback):
        """Adds a callback; those of one event are called in the order in which they were added.

        Args:
            event (str): its name; ``connect``, ``disconnect`` and ``reconnect`` tell of the connection.
            callback (callable): takes what came with the event.

        Raises:
            AmigoCloudError: callback cannot be called.
        """
        if not callable(callback):
            raise AmigoCloudValueError('A callback is a function, not {!r}.'.format(callback))
        self._callbacks.setdefault(six.ensure_text(event), []).append(callback)

    def emit(self, event, *args):
        """Sends an event.

        Args:
            event (str): its name.
            *args: what JSON can hold.

        Raises:
            AmigoCloudError: there is no connection.
        """
        with self._changed:
            connection = self._wait_for_connection()
        connection.emit(event, *args)

    def wait(self, seconds=None):
        """Runs the callbacks of the events that have come and come, in their order, one after another.

        Args:
            seconds (float): how long; 0 for what is there already. Defaults to until ``stop`` or ``close``.

        Raises:
            AmigoCloudError: the service refuses the subscriptions, or this is listening already.
            Exception: what a callback raises; the events after that one are kept for the next call.
        """
        # Here, for it would be a tenth of what the import of all the rest takes.
        import numbers
        if seconds is not None and not (isinstance(seconds, numbers.Real) and seconds >= 0):
            raise AmigoCloudValueError('seconds is a number from 0, or None; not {!r}.'.format(seconds))
        deadline = _FOREVER if seconds is None else _now() + seconds
        gevent = _import_gevent()
        wake, breath = gevent.event.Event(), _Breath(gevent.sleep)
        with self._listening(gevent.get_hub().loop.async_(), wake.set):
            while not self._stopping:
                wake.clear()
                left = deadline - _now()
                if self._mailbox and (left > 0 or seconds == 0):
                    self._dispatch(*self._mailbox.popleft())
                    breath.take()
                elif self._error:
                    error, self._error = self._error, None
                    raise error
                elif self._run is None or left <= 0:
                    break
                else:
                    wake.wait(None if left == _FOREVER else left)

    def stop(self):
        """Ends ``wait``, from a callback or from any thread; does nothing where nobody waits."""
        with self._changed:
            self._stopping = True
            self._tell()

    def forget(self):
        """Drops the subscriptions, their events and the connection; callbacks stay."""
        self._leave(0)

    def close(self):
        """Closes the connection for good and ends the background thread."""
        if not self._closed:
            self._closed = True
            self._leave(CLOSE_SECONDS)

    disconnect = close

    @contextlib.contextmanager
    def _listening(self, watcher, callback):
        with self._changed:
            if self._listener:
                raise AmigoCloudError('The client is listening already.')
            if not self._error:
                self.start()
            self._listener, self._stopping = watcher, False
            watcher.start(callback)
        try:
            yield
        finally:
            with self._changed:
                self._listener = None
            watcher.stop()
            watcher.close()

    def _dispatch(self, event, data):
        for callback in list(self._callbacks.get(event, ())):
            callback(data)

    def _tell(self):
        """Tells the others, with the lock held, that something has changed."""
        self._changed.notify_all()
        if self._listener:
            # Of all of gevent, only this may be called from another thread.
            self._listener.send()

    def _new_session(self, url):
        answer = self._fetch(url)
        if not isinstance(answer, dict) or 'websocket_session' not in answer:
            raise AmigoCloudError('The answer of {} has no websocket_session.'.format(url))
        return answer['websocket_session']

    def _wait_for_connection(self):
        self.start()
        self._run.set()
        deadline = _now() + READY_SECONDS
        while not self.connected:
            if self._run is None:
                raise self._error or AmigoCloudError('The client was closed.')
            if _now() >= deadline:
                raise AmigoCloudError(u'No connection for events to {} in {} seconds: {}'.format(
                    self._base_url, READY_SECONDS, self._trouble))
            self._changed.wait(deadline - _now())
        return self._connection

    def _leave(self, seconds):
        with self._changed:
            run, thread, connection = self._run, self._thread, self._connection
            self._run = self._connection = self._error = None
            self._subscriptions.clear()
            self._mailbox.clear()
            self._tell()
        # A forked child leaves alone what is its parent's.
        if thread is None or not thread.is_alive():
            return
        if run:
            run.set()
        can_wait = not _in_event_loop()
        if connection and can_wait:
            connection.close(GOODBYE_SECONDS)
        deadline = _now() + seconds
        while True:
            if connection:
                # Each time: a socket that was about to be made could not be cut before.
                connection.cut()
            if not can_wait or thread is threading.current_thread() or not thread.is_alive() or _now() >= deadline:
                break
            thread.join(0.1)

    # From here on: the background thread.

    def _work(self, run):
        error = AmigoCloudError('The background thread for events broke down.')
        try:
            error = self._keep_connected(run)
        finally:
            with self._changed:
                if self._run is run:
                    self._run, self._connection, self._error = None, None, error
                    self._tell()

    def _keep_connected(self, run):
        """Connects again and again until the run is over, or gives the error that ends it."""
        self._pause(run, START_SECONDS)
        if self._run is not run:
            return None
        try:
            from .connection import Connection, ConnectionLost
        except ImportError as error:
            return _advice(error)
        news, tries, refusals = 'connect', 0, 0
        while True:
            connection = Connection(self._base_url, self._port, self._session)
            with self._changed:
                if self._run is not run:
                    return None
                self._connection = connection
            try:
                self._use(connection, run, news)
            except AmigoCloudError as error:
                trouble = error
            finally:
                connection.discard()
            self._trouble = trouble.reason if isinstance(trouble, ConnectionLost) else six.text_type(trouble)
            LOG.info('No connection for events: %s', self._trouble)
            if connection.ready:
                connection.ready, news = False, 'reconnect'
                self._post(run, 'disconnect', {'reason': self._trouble})
                if not connection.on_trial:
                    tries = refusals = 0
            if trouble.status_code in range(400, 500) and trouble.status_code not in (408, 429):
                return trouble
            if self._subscriptions and connection.on_trial and isinstance(trouble, ConnectionLost) and trouble.orderly:
                refusals += 1
                if refusals > REFUSALS:
                    return AmigoCloudError(u'The service refuses the subscription to events: {}'.format(trouble.reason))
            first, last = BACKOFF_SECONDS
            self._pause(run, random.SystemRandom().uniform(0, min(last, first * 2 ** tries)))
            tries += 1

    @staticmethod
    def _pause(run, seconds):
        run.wait(seconds)
        run.clear()

    def _use(self, connection, run, news):
        connection.open()
        for url, payload in list(self._subscriptions.values()):
            connection.authenticate(dict(payload, websocket_session=self._new_session(url)))
        with self._changed:
            connection.ready = True
            self._tell()
        self._post(run, news, {})
        breath = _Breath(time.sleep)
        while True:
            self._post(run, *connection.receive())
            # For the case that this is a greenlet.
            breath.take()

    def _post(self, run, event, data):
        with self._changed:
            if self._run is run:
                self._mailbox.append((event, data))
                if len(self._mailbox) == 1:
                    self._tell()


class _Breath(object):
    """Lets other greenlets run now and then while events keep coming; after each one it would take most of the time."""

    def __init__(self, sleep):
        self._sleep, self._due = sleep, 0

    def take(self):
        if _now() >= self._due:
            self._sleep(0)
            self._due = _now() + BREATH_SECONDS


def _import_gevent():
    try:
        import gevent.event
    except ImportError as error:
        six.raise_from(_advice(error), error)
    return gevent


def _advice(error):
    return AmigoCloudError('Live events need two more packages: pip install gevent socketIO-client ({}).'.format(error))


def _in_event_loop():
    """bool: this runs in the loop of gevent, where nothing can wait; a destructor may."""
    hub = sys.modules.get('gevent.hub')
    # A process may end while another thread imports it.
    return hasattr(hub, 'Hub') and isinstance(hub.getcurrent(), hub.Hub)


@atexit.register
def _close_all():
    for realtime in list(_all):
        # A daemon thread that listens is not woken: gevent would crash if it ran on while the interpreter ends.
        realtime._closed, realtime._listener = True, None
        realtime._leave(EXIT_SECONDS)
