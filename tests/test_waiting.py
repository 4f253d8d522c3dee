"""The clock, and the events that are waited for by it."""
import signal
import subprocess
import sys
import threading
import time

import pytest

from amigocloud import waiting

PATIENCE = 20

#: Tests shorten the pauses of the module; this is the function that users have.
BACKOFF = waiting.backoff


def test_now__is_not_the_clock_of_the_day(monkeypatch):
    before = waiting.now()
    monkeypatch.setattr(time, 'time', lambda: 0)
    assert before <= waiting.now() < before + PATIENCE


@pytest.mark.every_python
@pytest.mark.skipif(not hasattr(signal, 'setitimer'), reason='Windows has no timers that send signals')
def test_event__is_set_by_signal_handlers():
    # With the lock of threading.Event, the handler would wait for ever for the code that it interrupts.
    script = """
import signal
from amigocloud.waiting import new_event
event = new_event()
signal.signal(signal.SIGALRM, lambda number, frame: event.set())
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for _ in range(5000):
    event.clear()
    event.wait(5)
signal.setitimer(signal.ITIMER_REAL, 0)
"""
    process = subprocess.Popen([sys.executable, '-c', script])
    watchdog = threading.Timer(3 * PATIENCE, process.kill)
    watchdog.start()
    assert process.wait() == 0
    watchdog.cancel()


def test_backoff__doubles_up_to_its_limit(monkeypatch):
    bounds = []

    class Source(object):
        def uniform(self, low, high):
            bounds.append((low, high))
    monkeypatch.setattr(waiting.random, 'SystemRandom', Source)
    for failures in (1, 2, 3, 6, 7, 5000):
        BACKOFF(failures)
    assert bounds == [(0.25, 0.5), (0.5, 1), (1, 2), (8, 16), (15, 30), (15, 30)]
    del bounds[:]
    for failures in (1, 2, 6, 7):
        BACKOFF(failures, 0.1, 5)
    assert bounds == [(0.05, 0.1), (0.1, 0.2), (1.6, 3.2), (2.5, 5)]


def test_backoff__differs_each_time():
    assert len({BACKOFF(10) for _ in range(10)}) > 1


def test_event__set_and_cleared():
    event = waiting.new_event()
    assert not event.is_set() and not event.wait(0) and not event.wait(0.02)
    event.set()
    event.set()
    assert event.is_set() and event.wait() and event.wait(0)
    event.clear()
    assert not event.is_set() and not event.wait(0.02)


@pytest.mark.parametrize('timeout', [None, PATIENCE])
def test_event__wakes_every_waiting_thread(timeout):
    event = waiting.new_event()
    woken = []
    threads = [threading.Thread(target=lambda: woken.append(event.wait(timeout))) for _ in range(3)]
    for thread in threads:
        thread.start()
    event.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert woken == [True, True, True]


def test_event__ends_although_the_clock_of_the_day_is_set_back(monkeypatch):
    monkeypatch.setattr(time, 'time', lambda: 0)
    monkeypatch.setattr(threading, '_time', lambda: 0, raising=False)
    assert not waiting.new_event().wait(0.05)


def test_event__does_not_poll():
    pytest.importorskip('resource', reason='switches of a thread are counted on POSIX')
    # In a process of its own, whose other threads would count too.
    switches = subprocess.check_output([sys.executable, '-c', """if 1:
        import resource
        from amigocloud import waiting
        event = waiting.new_event()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        event.wait(0.5)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before)
    """])
    # A threading.Event of Python 2 wakes up ten times.
    assert int(switches) < 6
