"""Test live events in processes that fork."""
import os
import threading

import pytest
from realtime_tools import run_script

pytest_plugins = ['realtime_fixtures']

pytestmark = [pytest.mark.every_python,
              pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork')]

CHILDREN = '''
import os, signal, warnings
# Newer Pythons warn about forks beside threads.
warnings.simplefilter('ignore', DeprecationWarning)
def in_child(function):
    child = os.fork()
    if not child:
        signal.alarm(15)
        function()
        sys.exit(5)
    while True:
        try:
            return os.waitpid(child, 0)[1]
        except OSError as interrupted:
            # On Python 2, a signal interrupts the call.
            pass
'''


@pytest.fixture
def flood(server):
    """Let the server emit events almost without a pause."""
    over = threading.Event()

    def emit():
        number = 0
        while not over.wait(0.001):
            number += 1
            server.emit('tick', {'number': number, 'data': 'x' * 1000})
    thread = threading.Thread(target=emit)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.parametrize('how', ['plain', 'patched'])
@pytest.mark.parametrize('server', ['python', 'node-polling'], indirect=True)
def test_child__under_a_flood(server, flood, how):
    assert run_script(CHILDREN + '''
events.subscribe('/me', {})
def destroy():
    global events
    del events
for action in (events.close, events.stop, destroy, lambda: events.connected):
    status = in_child(action)
    if status != 5 << 8:
        print(status)
    time.sleep(0.01)
print('end')
''', server.url, how) == ['end']


def test_child__does_not_get_the_events_of_its_parent(server):
    def serve():
        server.expect('authenticate')
        server.emit('realtime', {'number': 1})
        assert server.expect('authenticate')['payload']['of'] == 'child'
        server.emit('realtime', {'number': 2})
    thread = threading.Thread(target=serve)
    thread.start()
    assert run_script(CHILDREN + '''
came = []
def callback(event):
    came.append(event['number'])
    events.stop()
events.on('realtime', callback)
events.subscribe('/me', {'of': 'parent'})
while not any(name == 'realtime' for name, _ in list(events._background.mailbox._events)):
    time.sleep(0.01)
def listen():
    events.forget()
    events.wait(0)
    events.subscribe('/me', {'of': 'child'})
    events.wait(10)
    print(came)
    sys.stdout.flush()
    events.close()
print(in_child(listen))
events.wait(10)
print(came)
''', server.url) == ['[2]', str(5 << 8), '[1]']
    thread.join()


def test_child__subscribes_as_its_parent(server):
    def serve():
        server.expect('authenticate')
        server.expect('authenticate')
        server.emit('realtime', {})
    thread = threading.Thread(target=serve)
    thread.start()
    assert run_script(CHILDREN + '''
events.subscribe('/me', {})
events.on('realtime', lambda event: events.stop())
def listen():
    events.wait(10)
    print('child')
    sys.stdout.flush()
print(in_child(listen))
events.wait(10)
print('parent')
''', server.url) == ['child', str(5 << 8), 'parent']
    thread.join()


@pytest.mark.parametrize('ending', ['sys.exit(5)', 'return', 'raise KeyError'])
def test_child__of_a_callback(server, ending):
    def serve():
        server.expect('authenticate')
        server.emit('go', {})
        server.expect('authenticate')
        server.emit('realtime', {})
    thread = threading.Thread(target=serve)
    thread.start()
    out = run_script(CHILDREN + '''
def go(event):
    child = os.fork()
    if child:
        print(os.waitpid(child, 0)[1] >> 8)
    else:
        signal.alarm(15)
        events.on('realtime', lambda event: events.stop())
        events.wait(10)
        print('child')
        sys.stdout.flush()
        ENDING
    events.stop()
events.on('go', go)
parent = os.getpid()
events.subscribe('/me', {})
try:
    events.wait(20)
except KeyError:
    pass
if os.getpid() != parent:
    sys.exit(5)
print(events.connected)
'''.replace('ENDING', ending), server.url)
    assert out == ['child', '5', 'True']
    thread.join()
