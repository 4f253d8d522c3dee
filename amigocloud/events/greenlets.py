"""Support for gevent, in programs whose threads it has replaced by greenlets and in others.

This module imports gevent only where the program has imported it already.
"""
from __future__ import absolute_import

import contextlib
import os
import sys
import threading

from ..waiting import now

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


@contextlib.contextmanager
def hub_of_thread(gevent):
    """Yield the hub of this thread. Destroy a new one afterwards, unless greenlets need it.

    Args:
        gevent (module): the package, which is passed because importing it takes a lock.
    """
    # gevent has no public way to look for a hub without making one.
    from gevent._hub_local import get_hub_if_exists
    is_new = get_hub_if_exists() is None
    hub = gevent.get_hub()
    process = os.getpid()
    try:
        yield hub
        if (hub.loop.default or not is_new) and process == os.getpid():
            # The loop keeps the exception of a time-out until it runs again, and the traceback of
            # that exception keeps the client alive.
            gevent.sleep(0)
    finally:
        is_own = is_new and not hub.loop.default and process == os.getpid()
        if is_own and gevent.getcurrent() is hub.parent:
            # If the loop has not run yet, or is still running its callbacks, join times out even if
            # nothing needs the hub. After a timer, join ends the loop.
            gevent.sleep(0.001)
            if hub.join(timeout=0):
                hub.destroy(destroy_loop=True)


class TimedSwitch(object):
    """Let other greenlets run regularly while events keep coming.

    A switch after each event would take most of the time.

    Args:
        sleep (callable): a function that lets other greenlets run when it is called with 0.
    """

    def __init__(self, sleep):
        self._sleep = sleep
        self._due = 0

    def switch_if_due(self):
        """Let other greenlets run if the last switch was SWITCH_SECONDS ago."""
        if now() >= self._due:
            self._sleep(0)
            self._due = now() + SWITCH_SECONDS
