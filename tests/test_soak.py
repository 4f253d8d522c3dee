"""Test live events through a connection on which something fails every few seconds."""
import gc
import os
import random
import threading
import time

import pytest
from realtime_tools import Service
from servers import PATIENCE, lasting_port

from amigocloud.events import background
from amigocloud.events.realtime import Realtime

pytest_plugins = ['event_servers']

#: Seconds for each server and transport. The variable has those of each transport, for two servers.
SECONDS = float(os.environ.get('AMIGOCLOUD_TEST_SOAK_SECONDS', 4)) / 2

#: Bytes of the longest answer without an event. Events are identified by their size, because long
#: answers are compressed.
SHORT = 450


class Soak(object):
    """A client behind a relay, a server that numbers its events, and the numbers that arrived."""

    def __init__(self, make_server, make_relay, variant):
        self._make_server = make_server
        self._variant = variant
        # The client detects silence after three seconds.
        self._options = {'ping_interval': 1, 'ping_timeout': 2}
        self.server = make_server(variant, port=lasting_port(), **self._options)
        self.relay = make_relay(self.server)
        self.sent = 0
        self.last = 0
        self.received = 0
        self.gaps = 0
        self.told = dict.fromkeys(('connect', 'disconnect', 'reconnect'), 0)
        self.wrong = []
        self._lost = False
        self.service = Service(self.relay.url)
        self.events = Realtime(self.service)
        self.events.on('tick', self._tick)
        for name in self.told:
            self.events.on(name, lambda data, name=name: self._tell(name))
        self.events.subscribe('/me', {'userid': 1})

    def _tell(self, name):
        self.told[name] += 1
        self._lost = self._lost or name == 'disconnect'

    def _tick(self, event):
        number = event['number']
        if number <= self.last:
            self.wrong.append('{} after {}'.format(number, self.last))
        elif number > self.last + 1:
            self.gaps += 1
            if not self._lost:
                self.wrong.append('{} after {} without disconnect'.format(number, self.last))
        self.last = number
        self._lost = False
        self.received += 1

    def run(self, seconds):
        """Send events and receive them for some seconds."""
        end = time.time() + seconds
        while True:
            for _ in range(5):
                self.sent += 1
                noise = ''.join(random.choice('0123456789abcdef') for _ in range(1000))
                self.server.emit('tick', {'number': self.sent, 'data': noise})
            self.events.wait(0.02)
            if time.time() >= end:
                return

    def run_until(self, reached):
        end = time.time() + 2 * PATIENCE
        while not reached():
            assert time.time() < end, 'events do not come back'
            self.run(0)

    def break_next(self, change, longer_than=SHORT):
        self.relay.break_next(change, longer_than=longer_than)
        self.run_until(lambda: self.relay.fault is None)

    # Each of the methods below causes a fault.

    def cut_in_the_middle(self):
        self.break_next(lambda piece: piece[:len(piece) // 2])

    def cut_in_the_header(self):
        self.break_next(
            lambda piece: piece[:piece.find(b'charset') + 7 if b'charset' in piece else 1])

    def cut_before_the_length(self):
        self.break_next(lambda piece: piece[:max(1, piece.find(b'Content-Length'))])

    def cut_between(self):
        self.relay.cut()

    def empty(self):
        empty = b'HTTP/1.1 200 OK\r\n\r\n' if self.server.polling else b'\x81\x00'
        self.break_next(lambda piece: empty)

    def bad_gateway(self):
        self.relay.cut()
        answer = b'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno'
        self.break_next(lambda piece: answer, longer_than=0)

    def black_hole(self):
        # Existing connections are dead and new ones work, as after a change of address.
        self.relay.freeze()

    def outage(self):
        lost = self.told['disconnect']
        self.relay.stall()
        # Wait until the client detects the loss. With polling it may not detect a short one,
        # because the events wait in the server.
        self.run_until(lambda: self.told['disconnect'] > lost)
        self.relay.resume()
        self.relay.cut()

    def restart(self):
        self.server.close()
        self.server = self._make_server(self._variant, port=self.server.port, **self._options)

    def goodbye(self):
        self.server.tell('close')

    faults = (cut_in_the_middle, cut_in_the_header, cut_before_the_length, cut_between, empty,
              bad_gateway, black_hole, restart, goodbye, outage)


def files():
    return len(os.listdir('/proc/self/fd'))


@pytest.mark.slow
@pytest.mark.skipif(
    not os.path.isdir('/proc/self/fd'), reason='memory and open files are counted in /proc')
@pytest.mark.parametrize('variant', ['python', 'python-polling', 'node', 'node-polling'])
def test_soak(make_server, make_relay, monkeypatch, variant):
    """Assert that no event is duplicated, reordered or lost unnoticed, and that nothing leaks."""
    monkeypatch.setattr(background, 'BACKOFF_SECONDS', (0.05, 0.2))
    soak = Soak(make_server, make_relay, variant)
    end = time.time() + SECONDS
    samples = []
    faults = []
    while time.time() < end or not faults:
        if not faults:
            faults = random.sample(soak.faults, len(soak.faults))
        # In a run of ten minutes, there is a fault every 10 to 30 seconds.
        soak.run(random.uniform(SECONDS / 60, SECONDS / 20))
        faults.pop()(soak)
        broken = soak.sent
        soak.run_until(lambda broken=broken: soak.last > broken)
        gc.collect()
        samples.append((memory(), len(threading.enumerate()), files()))
    soak.events.close()
    print('{}: {} faults, {} of {} events came, {} gaps, {}; {} wrong'.format(
        variant, len(samples), soak.received, soak.sent, soak.gaps, soak.told, len(soak.wrong)))
    print('MB, threads, open files: {} at first, {} at the end'.format(samples[0], samples[-1]))
    assert not soak.wrong
    assert soak.told['reconnect'] == soak.told['disconnect'] >= len(samples) // 2
    for first, last, slack in zip(samples[len(samples) // 4], samples[-1], (4, 4, 6)):
        assert last <= first + slack


def memory():
    with open('/proc/self/statm') as sizes:
        return int(sizes.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6
