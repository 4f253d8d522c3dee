"""The one clock, the pauses between retries, and events that wait by that clock."""
from __future__ import absolute_import

import errno
import os
import random
import select
import socket
import threading
import time


def _elapsed():
    return os.times()[4]


#: Return the seconds of a clock that nobody sets.
now = _elapsed
if hasattr(time, 'monotonic'):
    now = time.monotonic
elif os.name == 'nt':
    # On Windows, os.times() of Python 2 has no elapsed time, but time.clock() does.
    now = time.clock


#: The most doublings of a pause. A float cannot hold the power after a thousand of them.
_DOUBLINGS_LIMIT = 60


def backoff(failures, first=0.5, longest=30):
    """Return the pause before the next retry or poll.

    Args:
        failures (int): the number of failed tries, from 1.
        first (float): the longest pause after one failure, in seconds. Each further failure
            doubles it.
        longest (float): the limit of that growth, in seconds.

    Returns:
        float: seconds, at random from the upper half. Clients that failed together do not retry
        together.
    """
    limit = min(longest, first * 2 ** min(failures - 1, _DOUBLINGS_LIMIT))
    # Processes forked from one parent may share the state of the module's own generator.
    return random.SystemRandom().uniform(limit / 2.0, limit)


def new_event():
    """Return an event like ``threading.Event`` that signal handlers may set.

    The handler of a signal would wait for ever for the lock of ``threading.Event`` if the signal
    interrupts one of its methods. Also, ``wait`` of Python 2 wakes up 20 times a second, and does
    not return while the system clock is set back.
    """
    if hasattr(time, 'monotonic'):
        return _LockEvent()
    return _PolledEvent() if hasattr(select, 'poll') else threading.Event()


class _Event(object):
    """An event without a lock: each wait has something of its own that ends it."""

    def __init__(self):
        self._is_set = False
        self._waits = []

    def is_set(self):
        return self._is_set

    def set(self):
        self._is_set = True
        for wait in list(self._waits):
            try:
                self._end(wait)
            except (EnvironmentError, RuntimeError):
                # It has ended in the meantime.
                pass

    def clear(self):
        self._is_set = False


class _LockEvent(_Event):
    """Wait for a lock, which ``set`` releases."""

    def wait(self, timeout=None):
        lock = threading.Lock()
        lock.acquire()
        self._waits.append(lock)
        try:
            seconds = -1 if timeout is None else max(timeout, 0)
            return self._is_set or lock.acquire(timeout=seconds)
        finally:
            self._waits.remove(lock)

    def _end(self, lock):
        lock.release()


class _PolledEvent(_Event):
    """Wait with ``poll``, in the kernel, on a pair of sockets."""

    def wait(self, timeout=None):
        deadline = None if timeout is None else now() + timeout
        near, far = socket.socketpair()
        readable = select.poll()
        readable.register(near, select.POLLIN)
        self._waits.append(far)
        try:
            while not self._is_set:
                left = None if deadline is None else deadline - now()
                if left is not None and left <= 0:
                    break
                try:
                    # Round up, because poll(0) would not wait.
                    if readable.poll(None if left is None else int(left * 1000) + 1):
                        return True
                except select.error as failure:
                    if failure.args[0] != errno.EINTR:
                        raise
            return self._is_set
        finally:
            self._waits.remove(far)
            near.close()
            far.close()

    def _end(self, sock):
        sock.send(b'1')
