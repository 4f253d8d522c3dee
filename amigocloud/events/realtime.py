"""Live events: subscriptions, and the callbacks of the events.

A background thread keeps the connection and fills a mailbox (see ``background``). ``wait`` takes
the events from there in the thread that calls it, and lets other greenlets of that thread run,
if it has any.
"""
from __future__ import absolute_import

import logging
import os
import weakref

import six

from .. import checks
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shown
from ..waiting import now
from . import greenlets
from .background import Background, websocket_session
from .imports import import_gevent

LOG = logging.getLogger(__name__)

_FOREVER = float('inf')

#: Seconds of the longest sleep of ``wait`` in the main thread. Only a loop that is awake calls the
#: handler of a signal such as Ctrl-C, and one that comes just before the loop falls asleep does not
#: wake it. Other threads handle no signals, and sleep until there is something to do.
SIGNAL_SECONDS = 0.5


class Realtime(object):
    """The live events of one client.

    Args:
        client (AmigoCloud): the client, which is referred to weakly. Its ``get`` requests the
            websocket session of a new subscription. The background thread requests those of a
            reconnection with ``_get_over_new_connection``.
        port (int): the port of the events, if it is not that of the client's base_url.
        session (requests.Session): its ``verify``, ``proxies`` and ``cert`` apply to events too.
        max_events (int): the number of events to keep for ``wait``. When there are more, the
            oldest are dropped, and a ``dropped`` event contains their number. Defaults to no
            limit.

    Raises:
        AmigoCloudValueError: max_events is not an integer of at least 1.
    """

    def __init__(self, client, port=None, session=None, max_events=None):
        if max_events is not None:
            max_events = checks.whole_number('max_events', max_events, 1)
        self._callbacks = {}
        self._latest = Background(
            self, (weakref.ref(client), client.base_url, port, session, max_events))

    def __getattr__(self, name):
        raise AttributeError(
            '{!r} is not supported. Live events have these methods of socketIO-client: on, once, '
            'off, emit, wait and disconnect. The namespace is always /amigosocket.'.format(name))

    @property
    def connected(self):
        """bool: whether every subscription is authenticated on the current connection."""
        return self._background.connected

    def start(self):
        """Start connecting in the background, unless that has been started already.

        Raises:
            AmigoCloudError: the client is closed, or the background thread cannot be started.
        """
        self._background.start()

    def subscribe(self, url, payload):
        """Subscribe to events, now and after each reconnection.

        Args:
            url (str): where a GET returns a ``websocket_session``.
            payload (dict): the arguments of ``authenticate`` besides that session.

        Raises:
            AmigoCloudError: the GET failed, or there is no connection.
        """
        import_gevent()
        session = websocket_session(self._background.client.get(url), url)
        connection = self._background.wait_for_connection((url, payload))
        try:
            connection.authenticate(dict(payload, websocket_session=session))
        except AmigoCloudError as lost:
            LOG.info('The next connection authenticates, because this one ended: %s', lost)

    def on(self, event, callback):
        """Register the callback of an event. It replaces the one that was registered before.

        Args:
            event (str): its name. The library itself sends ``connect``, ``disconnect``,
                ``reconnect`` and ``dropped``.
            callback (callable): takes the data of the event.

        Raises:
            AmigoCloudValueError: callback cannot be called.
        """
        self._register(event, callback, False)

    def once(self, event, callback):
        """Register a callback for only the next event of a name; see ``on``."""
        self._register(event, callback, True)

    def off(self, event):
        """Remove the callback of an event, if it has one.

        Args:
            event (str): its name.
        """
        self._callbacks.pop(six.ensure_text(event), None)

    def emit(self, event, *args):
        """Send an event.

        Args:
            event (str): its name.
            *args: values that JSON can represent.

        Raises:
            AmigoCloudError: there is no connection.
        """
        self._background.wait_for_connection().emit(event, *args)

    def wait(self, seconds=None):
        """Call the callbacks of the events, in the order of arrival, one after another.

        Args:
            seconds (float): how long to wait; 0 for only the events that have arrived already.
                Defaults to waiting until ``stop`` or ``close``.

        Raises:
            AmigoCloudError: the service refuses the subscriptions, or another thread is listening
                already.
            Exception: the exception of a callback. The events after that one are kept for the next
                call.
        """
        if seconds is not None:
            checks.seconds('seconds', seconds)
        deadline = now() + seconds if seconds else _FOREVER
        background = self._background
        with greenlets.listener(import_gevent()) as listener, background.listening(listener):
            longest = SIGNAL_SECONDS if listener.handles_signals else _FOREVER
            remaining = len(background.mailbox) if seconds == 0 else _FOREVER
            switch = greenlets.TimedSwitch(listener.switch)
            while background.is_listening:
                listener.clear()
                left = deadline - now()
                event = background.mailbox.take() if left > 0 and remaining else None
                if event:
                    remaining -= 1
                    self._dispatch(*event)
                    switch.switch_if_due()
                elif background.error:
                    background.raise_error()
                elif background.run is None or left <= 0 or seconds == 0:
                    break
                else:
                    listener.sleep(min(left, longest))

    def stop(self):
        """End ``wait``, from a callback or from any thread.

        If nothing is waiting, the next ``wait`` ends at once.
        """
        self._background.stop()

    def forget(self):
        """Drop the subscriptions, their events and the connection, but keep the callbacks."""
        self._background.disconnect(0)

    def close(self):
        """Close the connection for good and end the background thread."""
        self._background.close()

    disconnect = close

    @property
    def _background(self):
        """Background: the one of this process."""
        if self._latest.process != os.getpid():
            self._latest = self._latest.in_child(self)
        return self._latest

    def _register(self, event, callback, is_once):
        if not callable(callback):
            raise AmigoCloudValueError(
                u'A callback must be a function, not {}.'.format(shown(callback)))
        self._callbacks[six.ensure_text(event)] = callback, is_once

    def _dispatch(self, event, data):
        callback, is_once = self._callbacks.get(event, (None, False))
        if is_once:
            self._callbacks.pop(event, None)
        if callback:
            callback(data)
