"""Support for gevent, in programs whose threads it has replaced by greenlets and in others.

This module imports gevent only where the program has imported it already.
"""
from __future__ import absolute_import

import contextlib
import os
import sys
import threading

from ..waiting import new_event, now

#: Seconds for which one greenlet may handle events before other greenlets run.
SWITCH_SECONDS = 0.01

# Seconds of the longest single sleep that has a limit.
_DAY = 86400


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


@contextlib.contextmanager
def listener(gevent):
    """Yield the Listener of this thread.

    If the thread gets a hub of gevent meanwhile, destroy it, unless greenlets need it.

    Args:
        gevent (module): the package, which is passed because importing it takes a lock.
    """
    # gevent has no public way to look for a hub without making one.
    get_hub = gevent._hub_local.get_hub_if_exists
    had_hub = get_hub() is not None
    made = Listener(gevent, get_hub)
    process = os.getpid()
    try:
        yield made
        if process == os.getpid():
            # The loop keeps the exception of a time-out until it runs again, and the traceback of
            # that exception keeps the client alive.
            made.switch()
    finally:
        made.close()
        hub = get_hub()
        is_own = not had_hub and hub is not None and not hub.loop.default
        if is_own and process == os.getpid() and gevent.getcurrent() is hub.parent:
            # If the loop has not run yet, or is still running its callbacks, join times out even if
            # nothing needs the hub. After a timer, join ends the loop.
            gevent.sleep(0.001)
            if hub.join(timeout=0):
                hub.destroy(destroy_loop=True)


class Listener(object):
    """Put a thread that listens to sleep, and wake it.

    The main thread, and any thread that has a hub of gevent, sleeps in gevent's loop, so its other
    greenlets run. Another thread sleeps without gevent: the interpreter crashes if it ends while a
    daemon thread is about to enter a loop.

    Args:
        gevent (module): the package.
        get_hub (callable): returns the hub of this thread, or None if it has none.

    Attributes:
        handles_signals (bool): whether this is the main thread, whose loop is the default one.
    """

    def __init__(self, gevent, get_hub):
        self._gevent = gevent
        self._get_hub = get_hub
        self._process = os.getpid()
        self._awake = new_event()
        self._loop_awake = gevent.event.Event()
        self._watcher = None
        hub = gevent.get_hub() if threads_are_greenlets() or _in_main_thread() else get_hub()
        self.handles_signals = hub is not None and hub.loop.default

    def wake(self):
        """End the current sleep, or the next one. Any thread and any signal handler may call it."""
        # In this order, because a thread that makes a watcher looks at the event after it.
        self._awake.set()
        if self._watcher:
            # This is the only function of gevent that another thread may call.
            self._watcher.send()

    def clear(self):
        """Forget earlier calls of ``wake``."""
        self._awake.clear()
        self._loop_awake.clear()

    def sleep(self, seconds):
        """Sleep until ``wake`` is called, and at most these seconds.

        Args:
            seconds (float): the limit, which may be longer than a day; infinity for none.
        """
        hub = self._get_hub()
        # No kind of sleep takes all numbers.
        limit = None if seconds == float('inf') else min(seconds, _DAY)
        if hub is None:
            self._awake.wait(limit)
            return
        if not self._watcher:
            watcher = hub.loop.async_()
            watcher.start(self._loop_awake.set)
            self._watcher = watcher
        if not self._awake.is_set():
            self._loop_awake.wait(limit)

    def switch(self):
        """Let other greenlets run, if the thread has any."""
        # A hub is false until it runs for the first time.
        if self._get_hub() is not None:
            self._gevent.sleep(0)

    def close(self):
        """Close the watcher; in a forked process the loop belongs to the parent."""
        if self._watcher:
            self._watcher.stop()
            if self._process == os.getpid():
                self._watcher.close()


def _in_main_thread():
    if hasattr(threading, 'main_thread'):
        return threading.current_thread() is threading.main_thread()
    # Python 2 has no public way.
    return isinstance(threading.current_thread(), threading._MainThread)


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
