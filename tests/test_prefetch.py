import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest
from conftest import Answer
from hypothesis import given
from hypothesis import strategies as st

from amigocloud import Cursor
from amigocloud.exceptions import AmigoCloudError

SQL = '/api/v1/projects/1/sql'


def workers():
    return [thread for thread in threading.enumerate() if thread.name == 'amigocloud-prefetch']


def join_workers():
    for thread in workers():
        thread.join(10)
    assert not workers()


@pytest.fixture(autouse=True)
def no_thread_left():
    yield
    join_workers()


class Source(object):
    """Pages of two rows each, whose numbers it tells when they are asked for; ``faults`` by number."""

    def __init__(self, pages, faults=()):
        self.pages, self.faults = pages, dict(faults)
        self.asked = []
        self.changed = threading.Condition()

    def __call__(self, url, params):
        number = int(url)
        with self.changed:
            self.asked.append(number)
            self.changed.notify_all()
        if self.faults.get(number):
            raise self.faults[number].pop()
        return {'data': [2 * number, 2 * number + 1], 'next': str(number + 1) if number + 1 < self.pages else None}

    def wait(self, count):
        with self.changed:
            while len(self.asked) < count:
                self.changed.wait(10)


def test_prefetch__order_and_requests(wire, client):
    def answer(request):
        offset = int(request.params.get('offset', 0))
        following = '{}{}?query=x&limit=1&offset={}'.format(wire.url, SQL, offset + 1)
        return {'data': [offset], 'next': following if offset < 9 else None, 'count': 10}

    wire.answers[SQL] = answer
    assert list(client.project(1).sql('x', limit=1, prefetch=3)) == list(range(10))
    assert [request.params.get('offset') for request in wire.requests] == [None] + [str(n) for n in range(1, 10)]


@pytest.mark.parametrize('ahead', [1, 2, 5])
def test_prefetch__stays_so_far_ahead(ahead):
    source = Source(20)
    cursor = Cursor(source, '0', prefetch=ahead)
    assert not source.asked and not workers()
    for turned in range(1, 5):
        assert next(cursor) == 2 * (turned - 1)
        source.wait(turned + ahead)
        # It waits for room: no further page is asked for while this one is used.
        assert cursor.has_next and next(cursor) == 2 * turned - 1
        assert source.asked == list(range(turned + ahead))
    join_workers()


def test_prefetch__fetches_while_rows_are_used():
    source = Source(2)
    cursor = Cursor(source, '0', prefetch=1)
    assert next(cursor) == 0
    source.wait(2)
    assert list(cursor) == [1, 2, 3]


def test_prefetch__off_by_default(wire, client):
    wire.answers[SQL] = {'data': [1], 'next': wire.url + '/api/v1/p1'}
    cursor = client.project(1).sql('x')
    assert next(cursor) == 1
    assert not workers() and len(wire.requests) == 1


def test_prefetch__error_at_its_row(wire, client):
    wire.answers[SQL] = {'data': [1, 2], 'next': wire.url + '/api/v1/p1'}
    wire.answers['/api/v1/p1'] = [Answer(status=400), Answer(b'<html>'), {'data': [3], 'next': None}]
    cursor = client.project(1).sql('x', prefetch=4)
    assert [next(cursor), next(cursor)] == [1, 2]
    for _ in range(2):
        with pytest.raises(AmigoCloudError):
            next(cursor)
    assert list(cursor) == [3]
    assert [request.path for request in wire.requests] == [SQL] + ['/api/v1/p1'] * 3


def test_prefetch__does_not_ask_again_by_itself():
    source = Source(3, {1: [AmigoCloudError('cut')]})
    cursor = Cursor(source, '0', prefetch=2)
    assert next(cursor) == 0
    join_workers()
    assert source.asked == [0, 1]
    assert next(cursor) == 1
    with pytest.raises(AmigoCloudError, match='cut'):
        cursor.has_next
    assert source.asked == [0, 1]
    assert list(cursor) == [2, 3, 4, 5]


@pytest.mark.parametrize('error', [TypeError('surprise'), KeyboardInterrupt()])
def test_prefetch__any_error_arrives(error):
    cursor = Cursor(Source(2, {1: [error]}), '0', prefetch=1)
    assert [next(cursor), next(cursor)] == [0, 1]
    with pytest.raises(type(error)):
        next(cursor)
    assert list(cursor) == [2, 3]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(0, 4))
def test_prefetch__each_row_once(faults, ahead):
    source = Source(len(faults), {number: [AmigoCloudError('cut')] * count for number, count in enumerate(faults)})
    cursor, rows, errors = Cursor(source, '0', prefetch=ahead), [], 0
    while True:
        try:
            rows.append(next(cursor))
        except AmigoCloudError:
            errors += 1
        except StopIteration:
            break
    assert rows == list(range(2 * len(faults))) and errors == sum(faults)


class Gate(object):
    """Pages without an end; each from the second on waits until it is let through."""

    def __init__(self):
        self.waiting, self.open = threading.Event(), threading.Event()
        self.asked = 0

    def __call__(self, url, params):
        self.asked += 1
        if self.asked > 1:
            self.waiting.set()
            assert self.open.wait(10)
        return {'data': [self.asked], 'next': str(self.asked)}


def test_prefetch__ends_when_the_cursor_is_dropped():
    gate = Gate()
    cursor = Cursor(gate, '0', prefetch=5)
    assert next(cursor) == 1
    assert gate.waiting.wait(10)
    gone = weakref.ref(cursor)
    gc.disable()
    try:
        del cursor
        assert gone() is None
    finally:
        gc.enable()
    gate.open.set()
    join_workers()
    assert gate.asked == 2


@pytest.mark.skipif(sys.version_info[0] == 2, reason='Python 2 keeps the last exception, and with it all its frames')
def test_prefetch__an_error_keeps_nothing_alive():
    cursor = Cursor(Source(100, {1: [AmigoCloudError('cut')]}), '0', prefetch=2)
    gc.disable()
    try:
        assert [next(cursor), next(cursor)] == [0, 1]
        try:
            next(cursor)
        except AmigoCloudError:
            pass
        gone = weakref.ref(cursor)
        del cursor
        assert gone() is None
    finally:
        gc.enable()


def test_prefetch__keeps_so_many_pages():
    alive = weakref.WeakSet()
    most = []

    class Row(object):
        pass

    def fetch(url, params):
        row = Row()
        alive.add(row)
        most.append(len(alive))
        return {'data': [row], 'next': str(int(url) + 1) if int(url) < 30 else None}

    for _ in Cursor(fetch, '0', prefetch=3):
        pass
    # Three ahead, the one in use, the row that the loop holds, and those of the first page that a notebook shows.
    assert max(most) <= 6


def run(program):
    """Runs a program in a new interpreter; what it prints."""
    return subprocess.check_output([sys.executable, '-W', 'error', '-c', program], stderr=subprocess.STDOUT,
                                   env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(__file__)))).decode()


PAGES = '''
from amigocloud import Cursor
def fetch(url, params):
    return {'data': [int(url)], 'next': str(int(url) + 1) if int(url) < 50 else None}
cursor = Cursor(fetch, '0', prefetch=2)
'''


def test_prefetch__process_ends_with_a_cursor_in_use():
    assert run(PAGES + 'print(next(cursor))').split() == ['0']


@pytest.mark.skipif(sys.version_info[0] > 2, reason='Python 3 stops its daemon threads before it takes modules apart')
def test_prefetch__a_page_comes_when_the_modules_are_gone():
    program = '''
import threading, time
from amigocloud import Cursor
asked, opened, ended = threading.Event(), threading.Lock(), threading.Lock()
opened.acquire()
ended.acquire()

class Held(object):
    def __del__(self, release=ended.release):
        release()

def fetch(url, params, opened=opened, local=threading.local()):
    if url == '1':
        local.held = Held()
        asked.set()
        opened.acquire()
    return {'data': [int(url)], 'next': '1' if url == '0' else None}

class Last(object):
    def __del__(self, release=opened.release, acquire=ended.acquire, sleep=time.sleep):
        release()
        for _ in range(100):
            if acquire(False):
                break
            sleep(0.1)

threading.last = Last()
threading.cursor = cursor = Cursor(fetch, '0', prefetch=1)
print(next(cursor))
asked.wait(10)
'''
    assert run(program).split() == ['0']


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
def test_prefetch__fork_while_a_page_is_on_its_way():
    program = '''
import os, threading, warnings
from amigocloud import AmigoCloudError, Cursor
warnings.simplefilter('ignore')     # newer Pythons warn of a fork beside threads
reached, opened = threading.Event(), threading.Event()
def fetch(url, params):
    if url == '1':
        reached.set()
        opened.wait(10)
    return {'data': [int(url)], 'next': '1' if url == '0' else None}
cursor = Cursor(fetch, '0', prefetch=1)
print(next(cursor))
reached.wait(10)
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1])
    opened.set()
    print(next(cursor))
else:
    try:
        next(cursor)
    except AmigoCloudError:
        os._exit(0)
    os._exit(1)
'''
    assert run(program).split() == ['0', '0', '1']


def test_prefetch__under_gevent():
    pytest.importorskip('gevent')
    program = "from gevent import monkey\nmonkey.patch_all()\n" + PAGES + "print(list(cursor) == list(range(51)))"
    assert run(program).split()[-1] == 'True'
