"""Processes with live events that end at random moments: none hangs, crashes or prints more than its own error.

AMIGOCLOUD_TEST_EXITS is the number of processes, AMIGOCLOUD_TEST_EXITS_PYTHON the interpreter that runs them,
AMIGOCLOUD_TEST_EXITS_ENDINGS names the ways to end, and AMIGOCLOUD_TEST_EXITS_SEED another choice of moments.
"""
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import threading

import pytest
from servers import PATIENCE

import amigocloud

pytestmark = pytest.mark.slow

pytest_plugins = ['event_servers']

#: Processes at a time.
ABREAST = 4

#: The exit code of each way to end.
CODES = {'end': 0, 'exit': 3, 'error': 1, 'interrupt': 4, 'fork': 6}

#: Those of CODES that are tried.
ENDINGS = os.environ.get('AMIGOCLOUD_TEST_EXITS_ENDINGS', ' '.join(sorted(CODES))).split()

SCRIPT = '''
import sys
url, port, patched, work, ending, seconds = sys.argv[1:]
if patched == 'patched':
    from gevent import monkey
    monkey.patch_all()
import os, signal, threading, time, warnings
try:
    import faulthandler
    faulthandler.enable()  # The watchdog's signal then tells where it hangs.
except ImportError:
    pass  # Python 2.7.
warnings.simplefilter('ignore', DeprecationWarning)  # Newer Pythons warn of forks beside threads.
from amigocloud import AmigoCloud
signal.signal(signal.SIGINT, signal.default_int_handler)  # Ignored by what a shell runs in the background.
seconds = float(seconds)
client = AmigoCloud('token', base_url=url, websocket_port=int(port))
if ending == 'fork':
    # A callback that refers to the client.
    client.add_callback('tick', lambda event: client.connected)

def pause(seconds):
    # In short: a signal between Python's last look for one and the call of sleep does not end that sleep.
    end = time.time() + seconds
    while time.time() < end:
        time.sleep(min(seconds, 0.1))

def run(seconds):
    client.add_callback('tick', lambda event: None)
    if work == 'idle':
        pause(seconds)
    elif work == 'subscribed':
        client.listen_user_events()
        pause(seconds)
    elif work == 'listening':
        client.listen_user_events()
        client.start_listening(seconds)
    else:
        client.listen_user_events()
        thread = threading.Thread(target=client.start_listening)
        thread.daemon = True
        thread.start()
        pause(seconds)

if ending == 'interrupt':
    import gevent.event  # Extension modules of Cython ignore what a signal raises while they are imported.
    try:
        print('ready')
        sys.stdout.flush()
        run(60)
    except KeyboardInterrupt:
        sys.exit(4)
run(seconds)
if ending == 'exit':
    sys.exit(3)
if ending == 'error':
    raise ValueError('mine')
if ending == 'fork':
    child = os.fork()
    if not child:
        if work == 'idle':
            client.close()
        elif work == 'subscribed':
            del client
        elif work == 'listening':
            client.listen_user_events()
            client.start_listening(0.01)
        sys.exit(5)
    time.sleep(seconds / 4)
    code = os.waitpid(child, 0)[1] >> 8
    sys.exit(6 if code == 5 else 7)
'''


def start(python, wire, server, patched, work, ending, seconds):
    path = os.pathsep.join([os.path.dirname(os.path.dirname(amigocloud.__file__)), os.environ.get('PYTHONPATH', '')])
    process = subprocess.Popen(
        [python, '-c', SCRIPT, wire.url, str(server.port), patched, work, ending, str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, env=dict(os.environ, PYTHONPATH=path))
    process.amigocloud_watchdog = threading.Timer(3 * PATIENCE, process.send_signal, (signal.SIGABRT,))
    process.amigocloud_watchdog.start()
    return process


def end(process, ending, seconds):
    if ending == 'interrupt':
        process.stdout.readline()
        threading.Event().wait(seconds)
        process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    process.amigocloud_watchdog.cancel()
    process.amigocloud_watchdog.join()
    expected = process.returncode == CODES[ending]
    if ending == 'error':
        expected = expected and err.count('Traceback') == 1 and err.endswith('ValueError: mine\n')
    else:
        # gevent prints KeyboardInterrupt and the time.
        expected = expected and not re.sub(r'\AKeyboardInterrupt\n\S*Z\n\Z', '', err)
    return None if expected else (process.returncode, err)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='processes fork')
def test_exit__at_random_moments(make_wire, make_server):
    wire = make_wire()
    wire.answers['/api/v1/me/start_websocket_session'] = {'websocket_session': 'S'}
    servers = [make_server(variant, ping_interval=5, ping_timeout=10) for variant in ('python', 'node-polling')]
    over = threading.Event()

    def flood(server):
        while not over.wait(0.002):
            server.emit('tick', {'data': 'x' * 500})
    floods = [threading.Thread(target=flood, args=(server,)) for server in servers]
    for thread in floods:
        thread.start()
    choice = random.Random(int(os.environ.get('AMIGOCLOUD_TEST_EXITS_SEED', 1)))
    cases = list(itertools.product(
        ('plain', 'patched'), (0, 1), ('idle', 'subscribed', 'listening', 'thread'), ENDINGS))
    choice.shuffle(cases)
    every = list(itertools.islice(itertools.cycle(cases), int(os.environ.get('AMIGOCLOUD_TEST_EXITS', 16))))
    python = os.environ.get('AMIGOCLOUD_TEST_EXITS_PYTHON', sys.executable)
    failures = []
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not every:
                    return
                patched, number, task, ending = every.pop()
                seconds = choice.uniform(0, 0.8)
            problem = end(start(python, wire, servers[number], patched, task, ending, seconds), ending, seconds)
            if problem:
                failures.append((patched, servers[number].polling, task, ending, seconds) + problem)
    workers = [threading.Thread(target=work) for _ in range(ABREAST)]
    try:
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
    finally:
        over.set()
        for thread in floods:
            thread.join()
    assert not failures, '\n'.join('{}'.format(failure) for failure in failures)
