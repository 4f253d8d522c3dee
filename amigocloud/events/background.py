"""The background thread that keeps the connection and puts its events into the mailbox.

The thread knows only its ``Background``, which refers weakly to the client and to its
``Realtime``: a callback that refers to the client does not keep the client alive. In a program
that gevent.monkey has patched, the thread is a greenlet.
"""
from __future__ import absolute_import

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref

import six

from .. import checks
from ..exceptions import AmigoCloudError, text_of
from ..waiting import backoff, new_event, now
from . import greenlets
from .imports import MissingPackageError, import_connection
from .mailbox import Mailbox

#: Seconds to wait for a connection before subscribing or emitting fails.
READY_SECONDS = 10

#: Seconds before the background thread begins. It begins with imports, which would delay the
#: thread that started it.
START_SECONDS = 0.1

#: Seconds of the longest pause after the first failed connection, and of the longest of all.
BACKOFF_SECONDS = (1, 30)

#: Number of consecutive connections that the server may close right after ``authenticate``. One
#: more counts as a refusal.
REFUSALS = 3

#: Seconds for telling the server that the connection is closed.
NOTICE_SECONDS = 0.5

#: Seconds that ``close`` waits for the background thread.
CLOSE_SECONDS = 1.5

#: Seconds that the end of the process waits for the background threads of all clients.
EXIT_SECONDS = 0.7

#: Number of events in the mailbox at which a warning is logged.
MANY_EVENTS = 100000

LOG = logging.getLogger(__name__)

# Weak references to every Background.
_backgrounds = []


class Run(object):
    """One run of the background thread.

    Args:
        work (callable): the work of the thread, a function of this run.
        mailbox (Mailbox): where the thread puts events.

    Attributes:
        thread (threading.Thread): the thread.
        connection (Connection): the connection that it uses, or None.
        mailbox (Mailbox): as given.
        is_fetching (bool): whether it is requesting a websocket session.
        skip_pause: an event that ends the pause before the next connection.
    """

    def __init__(self, work, mailbox):
        self.mailbox = mailbox
        self.connection = None
        self.is_fetching = False
        self.skip_pause = new_event()
        self.thread = threading.Thread(target=work, args=(self,), name='amigocloud-realtime')
        self.thread.daemon = True

    def close_connection(self, seconds):
        """Close the connection, and tell the server if that is possible within these seconds."""
        try:
            if self.connection and seconds > 0:
                self.connection.close(seconds)
        except Exception as failure:
            LOG.debug('The server was not told that the connection is closed: %s', failure)

    def join(self, deadline):
        """Abort the connection and wait until the thread has ended.

        Args:
            deadline (float): when to stop waiting, by ``waiting.now``.
        """
        while True:
            try:
                # Repeat this: the thread may just have made a socket that could not be aborted
                # before.
                if self.connection:
                    self.connection.abort()
            except Exception as failure:
                LOG.debug('The connection was not aborted: %s', failure)
            # A thread that is fetching ends by itself when that request times out.
            if self.is_fetching or not self.thread.is_alive() or now() >= deadline:
                break
            time.sleep(0.01)


class Background(object):
    """The part of a Realtime that its background thread knows. It belongs to one process.

    Args:
        owner (Realtime): referred to weakly; the thread ends when it is destroyed.
        settings (tuple): a weak reference to the client, the URL of the service, the port, the
            session and max_events.
        parent (Background): that of the process from which this one was forked. Defaults to None.

    Attributes:
        process (int): the id of the process.
        mailbox (Mailbox): the events of the current subscriptions.
        run (Run): the run of the thread, or None.
        error (BaseException): the error that ended the last run, until it is raised.
    """

    def __init__(self, owner, settings, parent=None):
        self.process = os.getpid()
        self._settings = settings
        self._client, self._base_url, self._port, self._session, self._max_events = settings
        # Keep the parent's objects referenced but unused: a thread of the parent process may have
        # held their locks during the fork, and nobody releases those in this process.
        self._parent = parent
        self._children = {}
        self._closed = parent is not None and parent._closed
        # This tuple is replaced and never changed, so that a fork copies all of it or nothing.
        self._subscriptions = parent._subscriptions if parent else ()
        self._owner = weakref.ref(owner, self._on_owner_destroyed)
        # The lock guards the attributes below.
        self._lock = greenlets.new_lock()
        self.mailbox = Mailbox(self._max_events)
        self._has_warned = False
        self._waiting = []
        self._listener = None
        self._stopping = False
        self._last_problem = 'no answer yet'
        self.run = None
        # The latest run, which may be about to end.
        self._started = None
        self.error = None
        _backgrounds.append(weakref.ref(self, _backgrounds.remove))

    def in_child(self, owner):
        """Return the Background of this process, which was forked from that of this object.

        This takes no lock.
        """
        return self._children.setdefault(os.getpid(), Background(owner, self._settings, self))

    @property
    def client(self):
        """AmigoCloud: the client. Do not store it, or it cannot be destroyed.

        Raises:
            AmigoCloudError: the client has been destroyed.
        """
        client = self._client()
        if client is None:
            raise AmigoCloudError('The client was destroyed. Keep a reference to it while you '
                                  'use its live events.')
        return client

    @property
    def connected(self):
        """bool: whether every subscription is authenticated on the current connection."""
        run = self.run
        connection = run and run.connection
        return bool(connection) and connection.ready

    @property
    def is_listening(self):
        """bool: whether ``wait`` continues. It does not in a child that a callback has forked."""
        return not self._stopping and self.process == os.getpid()

    def start(self):
        """Start the thread unless it runs already.

        Raises:
            AmigoCloudError: the client is closed, or the thread cannot be started.
        """
        with self._lock:
            if self._closed:
                raise AmigoCloudError('The client is closed. Create a new one.')
            if self.run is None:
                self.error = None
                self.run = Run(self._work, self.mailbox)
                self._started = self.run
                try:
                    self.run.thread.start()
                except threading.ThreadError as failure:
                    self.run = None
                    error = AmigoCloudError(
                        u'The background thread for events cannot be started: {}'.format(
                            text_of(failure)))
                    six.raise_from(error, failure)

    def wait_for_connection(self, subscription=None):
        """Return the connection as soon as it is ready.

        Args:
            subscription (tuple): the URL and the payload of a subscription to add. Defaults to
                none.

        Raises:
            AmigoCloudError: the connection is not ready within READY_SECONDS, or the client was
                closed meanwhile.
            BaseException: the error that ended the thread.
        """
        deadline = now() + READY_SECONDS
        changed = new_event()
        with self._lock:
            self.start()
            self._started.skip_pause.set()
            self._waiting.append(changed)
        try:
            while True:
                changed.clear()
                with self._lock:
                    if self.connected:
                        if subscription and subscription not in self._subscriptions:
                            self._subscriptions += (subscription,)
                        return self.run.connection
                    if self.run is None:
                        self.raise_error('The client was closed.')
                if now() >= deadline:
                    raise AmigoCloudError(
                        u'No connection for events to {} in {} seconds: {}'.format(
                            self._base_url, READY_SECONDS, self._last_problem))
                changed.wait(deadline - now())
        finally:
            self._waiting.remove(changed)

    def raise_error(self, otherwise=None):
        """Raise the error that ended the last run, once.

        Args:
            otherwise (str): the message of an AmigoCloudError to raise if there is none.
        """
        error = self.error
        self.error = None
        raise error or AmigoCloudError(otherwise)

    def stop(self):
        """End the current ``wait``, or the next one if nothing is listening."""
        with self._lock:
            self._stopping = True
            self._notify()

    @contextlib.contextmanager
    def listening(self, listener):
        """Start the thread, and wake a listener after each change.

        Args:
            listener (greenlets.Listener): that of this thread.

        Raises:
            AmigoCloudError: the client is listening already, or the thread cannot be started.
        """
        try:
            with self._lock:
                # Do this first, because other greenlets run while a thread is started.
                if not self.error:
                    self.start()
                if self._listener:
                    raise AmigoCloudError(
                        'The client is listening already. Call stop_listening first.')
                self._listener = listener
            yield
        finally:
            # In a process that was forked meanwhile, the lock belongs to the parent.
            if self.process != os.getpid():
                greenlets.register_greenlet()
            elif self._listener is listener:
                with self._lock:
                    self._listener = None
                    self._stopping = False

    def close(self):
        """Drop everything for good, and wait for the end of the thread."""
        if not self._closed:
            self._closed = True
            self.disconnect(CLOSE_SECONDS)

    def disconnect(self, seconds):
        """Drop everything, and wait at most these seconds for the end of the thread."""
        run = self._reset()
        if run and not greenlets.in_event_loop():
            run.close_connection(NOTICE_SECONDS)
            run.join(now() + (0 if run.thread is threading.current_thread() else seconds))
        elif run:
            run.join(0)

    def close_at_exit(self):
        """Drop everything for good.

        Returns:
            Run: the run to end, or None if it belongs to a parent process.
        """
        self._closed = True
        if self.process != os.getpid():
            return None
        # Do not wake a daemon thread that listens: it would run code of the caller while the
        # interpreter ends.
        self._listener = None
        return self._reset()

    def _reset(self):
        with self._lock:
            self.run = None
            self.error = None
            self._subscriptions = ()
            # The background thread may still put events into the old mailbox.
            self.mailbox = Mailbox(self._max_events)
            self._notify()
        if self._started:
            self._started.skip_pause.set()
        return self._started

    def _notify(self):
        """Wake all threads that wait for a change. The caller holds the lock."""
        for changed in self._waiting:
            changed.set()
        if self._listener:
            self._listener.wake()

    def _on_owner_destroyed(self, _):
        # Check _closed first: when Python 2 ends, the modules are gone already.
        if not self._closed and self.process == os.getpid():
            self.close()

    # Only the background thread calls the methods below.

    def _work(self, run):
        error = None
        try:
            error = self._keep_connected(run)
        except BaseException as failure:
            # Either gevent has patched the program and a signal arrived here, or a hook of the
            # caller has ended the program.
            error = failure
        if self.process != os.getpid():
            greenlets.register_greenlet()
            return
        with self._lock:
            if self.run is run:
                self.run = None
                self.error = None if greenlets.raise_in_main_greenlet(error) else error
                self._notify()

    def _keep_connected(self, run):
        """Connect, and connect again after each loss, until the run is over.

        Returns:
            Exception: the error that ends the run, or None.
        """
        run.skip_pause.wait(START_SECONDS)
        run.skip_pause.clear()
        if self.run is not run:
            return None
        event = 'connect'
        failures = 0
        refusals = 0
        while True:
            connection = None
            try:
                connection = import_connection().Connection(
                    self._base_url, self._port, self._session)
                self._use(connection, run, event)
                return None
            except BaseException as failure:
                if self.process != os.getpid():
                    # A fork has copied this greenlet, but the connection belongs to the parent
                    # process.
                    return None
                problem = failure
                self._last_problem = _described(failure)
                was_ready = connection is not None and connection.ready
                if was_ready:
                    connection.ready = False
                    event = 'reconnect'
                    self._post(run, 'disconnect', {'reason': self._last_problem})
                if not isinstance(failure, Exception):
                    raise
                LOG.info('No connection for events: %s', self._last_problem,
                         exc_info=not isinstance(failure, AmigoCloudError))
            finally:
                run.connection = None
                self._discard(connection)
            is_unconfirmed = connection is not None and connection.is_unconfirmed
            if was_ready and not is_unconfirmed:
                failures = 0
                refusals = 0
            status = getattr(problem, 'status_code', None)
            is_refusal = status in range(400, 500) and status not in (408, 429)
            if is_refusal or isinstance(problem, MissingPackageError):
                return problem
            was_closed_by_server = getattr(problem, 'closed_by_server', False)
            if self._subscriptions and is_unconfirmed and was_closed_by_server:
                refusals += 1
                if refusals > REFUSALS:
                    return AmigoCloudError(
                        u'The service refuses the subscription to events: {}'.format(
                            self._last_problem))
            failures += 1
            run.skip_pause.wait(backoff(failures, *BACKOFF_SECONDS))
            run.skip_pause.clear()

    def _use(self, connection, run, event):
        """Open a connection and receive events until it is lost or the run is over."""
        with self._lock:
            if self.run is not run:
                return
            run.connection = connection
        connection.open()
        for url, payload in self._subscriptions:
            run.is_fetching = True
            try:
                session = websocket_session(self.client._get_over_new_connection(url), url)
            finally:
                run.is_fetching = False
            connection.authenticate(dict(payload, websocket_session=session))
        with self._lock:
            connection.ready = True
            self._notify()
        self._post(run, event, {})
        # This thread may be a greenlet, and then time.sleep is that of gevent.
        switch = greenlets.TimedSwitch(lambda: time.sleep(0))
        while self.run is run:
            self._post(run, *connection.receive())
            switch.switch_if_due()

    def _discard(self, connection):
        try:
            if connection is not None and self.process == os.getpid():
                connection.discard()
        except Exception:
            # The connection is lost already, and the thread opens the next one.
            LOG.info('A connection for events was not discarded.', exc_info=True)

    def _post(self, run, event, data):
        if run.mailbox.put(event, data):
            with self._lock:
                self._notify()
        if len(run.mailbox) >= MANY_EVENTS and not self._has_warned:
            self._has_warned = True
            LOG.warning('%d events wait for start_listening, which delivers them. The client keeps '
                        'all of them unless you pass max_events.', len(run.mailbox))


def websocket_session(answer, url):
    """Return the session in the response of ``start_websocket_session``.

    Args:
        answer: the decoded answer.
        url (str): where it came from.

    Raises:
        AmigoCloudError: the response has none.
    """
    return checks.member(
        answer, 'websocket_session', six.string_types + six.integer_types, url)


def _described(failure):
    if isinstance(failure, AmigoCloudError):
        # A ConnectionLost has its reason as an attribute.
        return getattr(failure, 'reason', None) or text_of(failure)
    return u'{}: {}'.format(type(failure).__name__, text_of(failure))


@atexit.register
def _close_all():
    start = now()
    backgrounds = [reference() for reference in list(_backgrounds)]
    runs = [background.close_at_exit() for background in backgrounds if background]
    runs = [run for run in runs if run]
    for run in runs:
        run.close_connection(start + NOTICE_SECONDS - now())
    for run in runs:
        run.join(start + EXIT_SECONDS)
