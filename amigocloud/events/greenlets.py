"""Support for gevent, in programs whose threads it has replaced by greenlets and in others.

This module imports gevent only where the program has imported it already.
"""
from __future__ import absolute_import

import os
import sys
import threading

from ..waiting import new_event, now

#: Seconds for which one greenlet may handle events before other greenlets run.
SWITCH_SECONDS = 0.01


class _NoLock(object):
    """A lock for greenlets, which do not switch while they hold it."""

    def acquire(self):
        return True

    def release(self):
        pass

    def __enter__(self):
        pass

    def __exit__(self, *exc_info):
        pass


def threads_are_greenlets():
    """Return whether gevent.monkey has patched threading."""
    monkey = sys.modules.get('gevent.monkey')
    return monkey is not None and monkey.is_module_patched('threading')


def new_lock():
    """Return a lock. It is reentrant, because a garbage collection may close a client inside it.

    Greenlets need none, and get one that does nothing: a signal may end a greenlet inside the
    methods of a lock of gevent, which then stays locked.
    """
    return _NoLock() if threads_are_greenlets() else threading.RLock()


def in_event_loop():
    """Return whether this runs in gevent's loop, where nothing may wait. A destructor may."""
    hub = sys.modules.get('gevent.hub')
    # The process may end while another thread imports the module, which then has no Hub yet.
    return hasattr(hub, 'Hub') and isinstance(hub.getcurrent(), hub.Hub)


def register_greenlet():
    """Register a greenlet that a fork has copied as a thread.

    Otherwise Python prints a KeyError when the greenlet ends.
    """
    threading.current_thread()


def raise_in_main_greenlet(error):
    """Have gevent raise a KeyboardInterrupt or SystemExit in the main greenlet.

    Args:
        error (BaseException): the error that ended a greenlet, or None.

    Returns:
        bool: whether gevent raises it. It does not for any other error, nor in a program that
        gevent has not patched, whose background thread is no greenlet.
    """
    if not threads_are_greenlets() or error is None or isinstance(error, Exception):
        return False
    hub = sys.modules['gevent'].get_hub()
    if not isinstance(error, hub.SYSTEM_ERROR):
        return False
    hub.loop.run_callback(hub.handle_system_error, type(error), error)
    return True


class Listener(object):
    """The thread that listens: it sleeps until another thread wakes it.

    If the thread has a hub of gevent, its other greenlets run meanwhile. Otherwise it sleeps
    without gevent, because the interpreter crashes if it ends while a daemon thread runs a hub.

    Args:
        gevent (module): the package, which is passed because importing it takes a lock.

    Attributes:
        handles_signals (bool): whether it is the main thread.
    """

    def __init__(self, gevent):
        self.handles_signals = (
            threads_are_greenlets() or threading.current_thread().name == 'MainThread')
        self._gevent = gevent
        # gevent has no public way to look for the hub of a thread without making one. Import this
        # here: Python 2 crashes if it ends while a thread imports.
        from gevent._hub_local import get_hub_if_exists
        self._hub = get_hub_if_exists
        self._process = os.getpid()
        self._awake = new_event()
        self._loop_awake = gevent.event.Event()
        self._watcher = None

    def wake(self):
        """End the current sleep, or the next one. Any thread may call this."""
        self._awake.set()
        if self._watcher:
            # This is the only function of gevent that another thread may call.
            self._watcher.send()

    def stay_awake(self):
        """Forget what has woken the thread, which looks for the reason next."""
        self._awake.clear()
        self._loop_awake.clear()

    def sleep(self, seconds):
        """Sleep until ``wake`` is called, and for at most these seconds; None for no limit."""
        hub = self._hub()
        if hub is None:
            self._awake.wait(seconds)
            return
        if not self._watcher:
            watcher = hub.loop.async_()
            watcher.start(self._loop_awake.set)
            self._watcher = watcher
        # It may have been woken before there was a watcher.
        if not self._awake.is_set():
            self._loop_awake.wait(seconds)

    def switch(self):
        """Let other greenlets run."""
        if self._hub():
            self._gevent.sleep(0)

    def close(self):
        """Release what the thread needed for sleeping."""
        if self._watcher:
            self._watcher.stop()
        # In a process that was forked meanwhile, the loop belongs to the parent.
        if self._process == os.getpid():
            if self._watcher:
                self._watcher.close()
            # The loop keeps the exception of a time-out until it runs again, and the traceback of
            # that exception keeps the client alive.
            self.switch()


class TimedSwitch(object):
    """Let other greenlets run regularly while events keep coming.

    A switch after each event would take most of the time.

    Args:
        switch (callable): lets other greenlets run.
    """

    def __init__(self, switch):
        self._switch = switch
        self._due = 0

    def switch_if_due(self):
        """Let other greenlets run if the last switch was SWITCH_SECONDS ago."""
        if now() >= self._due:
            self._switch()
            self._due = now() + SWITCH_SECONDS
