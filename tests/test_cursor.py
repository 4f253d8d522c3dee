import copy
import os
import pickle
import subprocess
import sys
import threading

import pytest
import six
from conftest import Answer
from hypothesis import given
from hypothesis import strategies as st

from amigocloud import AmigoCloud, Cursor
from amigocloud.amigocloud import AmigoCloudIterator
from amigocloud.exceptions import AmigoCloudError


def serve_pages(wire, pages, rows='results', **members):
    """Pages at /p0, /p1 ...; each ``next`` as the service writes it, with the query and without a token."""
    for number, page in enumerate(pages):
        following = '{}/api/v1/p{}?limit=2&offset={}'.format(wire.url, number + 1, number + 1)
        wire.answers['/api/v1/p{}'.format(number)] = dict(
            {rows: page, 'next': following if number + 1 < len(pages) else None}, **members)


def test_cursor__names():
    assert AmigoCloudIterator is Cursor


@pytest.mark.parametrize('rows', ['results', 'data'])
def test_cursor__rows(wire, client, rows):
    serve_pages(wire, [[1, 2], [], [], [3]], rows)
    assert list(client.get_cursor('p0', {'limit': 2})) == [1, 2, 3]
    assert [request.target for request in wire.requests] == [
        '/api/v1/p0?limit=2&token=secret', '/api/v1/p1?limit=2&offset=1&token=secret',
        '/api/v1/p2?limit=2&offset=2&token=secret', '/api/v1/p3?limit=2&offset=3&token=secret']


def test_cursor__lazy(wire, client):
    serve_pages(wire, [[1, 2], [3]])
    wire.answers['/api/v1/p1'] = Answer(status=500)
    cursor = client.get_cursor('p0')
    assert not wire.requests
    assert cursor.has_next and next(cursor) == 1
    assert cursor.has_next and cursor.next() == 2
    assert len(wire.requests) == 1
    with pytest.raises(AmigoCloudError):
        cursor.has_next


def test_cursor__goes_on_after_an_error(wire, client):
    serve_pages(wire, [[1], [2], [3]])
    page = wire.answers['/api/v1/p1']
    wire.answers['/api/v1/p1'] = [Answer(status=400), Answer(b'<html>'), page]
    cursor = client.get_cursor('p0')
    assert next(cursor) == 1
    for _ in range(2):
        with pytest.raises(AmigoCloudError):
            next(cursor)
    assert list(cursor) == [2, 3]


def test_cursor__goes_on_after_an_error_on_the_first_page(wire, client):
    wire.answers['/api/v1/p0'] = [Answer(status=400), {'results': [1], 'next': None}]
    cursor = client.get_cursor('p0', {'limit': 2})
    with pytest.raises(AmigoCloudError):
        cursor.get('count')
    assert list(cursor) == [1]
    assert [request.params['limit'] for request in wire.requests] == ['2', '2']


def test_cursor__one_object(wire, client):
    wire.answers['/api/v1/x'] = {'id': 5}
    cursor = client.get_cursor('x')
    assert list(cursor) == [{'id': 5}]
    assert cursor.get('id') == 5
    assert not cursor.has_next


def test_cursor__get(wire, client):
    serve_pages(wire, [[1], [2]], count=2, extra=None)
    wire.answers['/api/v1/p1']['count'] = 3
    cursor = client.get_cursor('p0')
    assert cursor.get('count') == 2 and len(wire.requests) == 1
    assert cursor.get('extra') is None
    assert list(cursor) == [1, 2]
    assert cursor.get('count') == 3 and len(wire.requests) == 2
    for name in ('results', 'missing'):
        with pytest.raises(ValueError, match=name):
            cursor.get(name)


def test_cursor__stops(wire, client):
    serve_pages(wire, [[1]])
    cursor = client.get_cursor('p0')
    assert list(cursor) == [1] and list(cursor) == []
    with pytest.raises(StopIteration):
        next(cursor)
    assert len(wire.requests) == 1


def test_cursor__request_kwargs_and_params(wire, client):
    serve_pages(wire, [[1], [2]])
    params = {'limit': 2}
    cursor = client.get_cursor('p0', params, headers={'X-Who': 'me'})
    params['limit'] = 3
    assert list(cursor) == [1, 2]
    assert [request.headers['x-who'] for request in wire.requests] == ['me', 'me']
    assert wire.requests[0].params['limit'] == '2'


def test_cursor__foreign_next(wire, make_wire, client):
    other = make_wire()
    wire.answers['/api/v1/x'] = {'results': [1], 'next': other.url + '/y?offset=1&token=secret'}
    other.answers['/y'] = {'results': [2], 'next': None}
    assert list(client.get_cursor('x')) == [1, 2]
    assert [request.target for request in other.requests] == ['/y?offset=1']


def test_cursor__next_holds_a_token(wire, client):
    wire.answers['/api/v1/x'] = {'results': [1], 'next': wire.url + '/api/v1/y?token=secret&offset=1'}
    wire.answers['/api/v1/y'] = {'results': [2], 'next': None}
    assert list(client.get_cursor('x')) == [1, 2]
    assert wire.requests[1].target == '/api/v1/y?token=secret&offset=1'


def test_cursor__circle(wire, client):
    first = wire.url + '/api/v1/p0?offset=1'
    wire.answers['/api/v1/p0'] = {'results': [1], 'next': first}
    cursor = client.get_cursor(first)
    assert next(cursor) == 1
    for _ in range(2):
        with pytest.raises(AmigoCloudError, match='circle'):
            next(cursor)
    assert len(wire.requests) == 1


def links(circle, start):
    """A ``fetch`` of pages ``0``, ``1`` ..., each with its own number as row; after ``circle - 1`` comes ``start``."""
    def fetch(url, params):
        fetch.asked += 1
        number = int(url)
        return {'results': [number], 'next': str(number + 1 if number + 1 < circle else start)}
    fetch.asked = 0
    return fetch


@pytest.mark.parametrize('length', [1, 2, 3, 7, 40])
@pytest.mark.parametrize('before', [0, 1, 5, 30])
def test_cursor__longer_circle(length, before):
    fetch = links(before + length, before)
    cursor, rows = Cursor(fetch, '0'), []
    with pytest.raises(AmigoCloudError, match='0 lead in a circle, back to [0-9]+'):
        for row in cursor:
            rows.append(row)
    pages = before + length
    assert rows[:pages] == list(range(pages)) and len(rows) <= 3 * pages
    # A page that names itself is noticed at once.
    assert length > 1 or rows == list(range(pages))
    with pytest.raises(AmigoCloudError, match='circle'):
        next(cursor)
    assert fetch.asked == len(rows)


def test_cursor__circle_on_the_wire(wire, client):
    serve_pages(wire, [[1], [2], [3]])
    wire.answers['/api/v1/p2'] = {'results': [3], 'next': wire.url + '/api/v1/p1?limit=2&offset=1&token=secret'}
    with pytest.raises(AmigoCloudError, match='circle') as caught:
        list(client.get_cursor('p0'))
    assert wire.url + '/api/v1/p' in str(caught.value) and 'secret' not in str(caught.value)
    assert len(wire.requests) <= 9


def test_cursor__memory_does_not_grow_with_the_pages():
    def fetch(url, params):
        return {'results': [url], 'next': str(int(url) + 1)}
    cursor = Cursor(fetch, '0')
    sizes = []
    for row in cursor:
        if row in ('500', '5000'):
            sizes.append(len(pickle.dumps(cursor._pages._position)))
        if row == '5000':
            break
    assert sizes[1] < sizes[0] + 50


@pytest.mark.parametrize('answer', [[1, 2], [], [{'a': 1}], None, 5, u'x', False])
def test_cursor__answer_that_is_no_object_is_one_row(wire, client, answer):
    wire.answers['/api/v1/x'] = lambda request: Answer(answer if answer is not None else b'null')
    cursor = client.get_cursor('x')
    assert cursor.has_next
    with pytest.raises(ValueError, match='count.*nothing else'):
        cursor.get('count')
    assert list(cursor) == [answer] and not cursor.has_next
    assert repr(cursor) == '<Cursor over x>'
    assert len(wire.requests) == 1


@pytest.mark.parametrize('rows', ['results', 'data'])
def test_cursor__null_is_an_empty_page(wire, client, rows):
    serve_pages(wire, [None, [1], None, None, [2], None], rows, count=2)
    cursor = client.get_cursor('p0')
    assert list(cursor) == [1, 2]
    assert cursor.get('count') == 2
    serve_pages(wire, [None], rows)
    cursor = client.get_cursor('p0')
    assert not cursor.has_next and list(cursor) == []


@pytest.mark.parametrize('page', [{'results': 5, 'next': None}, {'data': {'a': 1}, 'next': None}])
def test_cursor__rows_that_are_no_list(wire, client, page):
    wire.answers['/api/v1/x'] = page
    with pytest.raises(AmigoCloudError, match='must be a list'):
        list(client.get_cursor('x'))


def test_cursor__empty_answer(wire, client):
    wire.answers['/api/v1/x'] = Answer()
    with pytest.raises(AmigoCloudError, match='empty'):
        list(client.get_cursor('x'))


@pytest.mark.parametrize('url', [5, None, ['x'], {'a': 1}, True])
def test_cursor__bad_url(wire, client, url):
    with pytest.raises(ValueError, match='URL') as caught:
        client.get_cursor(url)
    assert isinstance(caught.value, AmigoCloudError)
    assert not wire.requests


@pytest.mark.skipif(six.PY2, reason='Python 2 has no context of exceptions')
@pytest.mark.parametrize('answer', [Answer(status=500), Answer(b'<html>'), {'results': 5, 'next': None}])
@pytest.mark.parametrize('prefetch', [0, 2])
def test_cursor__error_shows_no_internal_exception(wire, client, answer, prefetch):
    wire.answers['/api/v1/projects/1/sql'] = answer
    cursor = client.project(1).sql('x', prefetch=prefetch)
    for use in (next, list, Cursor.next, lambda cursor: cursor.has_next, lambda cursor: cursor.get('count')):
        with pytest.raises(AmigoCloudError) as caught:
            use(cursor)
        error = caught.value
        while error is not None:
            assert not isinstance(error, LookupError)
            error = error.__context__


@pytest.mark.skipif(six.PY2, reason='Python 2 has no context of exceptions')
def test_cursor__end_shows_no_internal_exception():
    with pytest.raises(StopIteration) as caught:
        next(Cursor(lambda url, params: {'results': [], 'next': None}, '0'))
    assert caught.value.__context__ is None


@pytest.mark.parametrize('prefetch', [0, 2])
def test_cursor__several_threads(wire, client, prefetch):
    numbers = [list(range(10 * page, 10 * page + 10)) if page % 3 else None for page in range(30)]
    serve_pages(wire, numbers)
    for failing in ('/api/v1/p3', '/api/v1/p20'):
        wire.answers[failing] = [Answer(status=400), Answer(b'<html>'), wire.answers[failing]]

    wire.answers['/api/v1/projects/1/sql'] = wire.answers['/api/v1/p0']
    cursor, taken, failures = client.project(1).sql('x', prefetch=prefetch), [], []

    def use():
        while True:
            try:
                taken.append(next(cursor))
            except AmigoCloudError as error:
                failures.append(error)
            except StopIteration:
                return

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(taken) == [row for rows in numbers if rows for row in rows]
    assert len(failures) == 4 and len(wire.requests) == 30 + 4
    assert not cursor.has_next


def test_cursor__first_page_is_asked_for_once():
    asked, opened, waiting = [], threading.Event(), threading.Semaphore(0)

    def fetch(url, params):
        asked.append(url)
        assert opened.wait(10)
        return {'results': [1], 'next': None, 'count': 1}

    def use(call):
        waiting.release()
        results.append(call())

    cursor, results = Cursor(fetch, '0'), []
    calls = [lambda: cursor.get('count'), lambda: cursor.has_next, lambda: cursor._repr_html_() and 1] * 2
    threads = [threading.Thread(target=use, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
        waiting.acquire()
    opened.set()
    for thread in threads:
        thread.join(10)
    assert results == [1] * 6 and asked == ['0']
    assert list(cursor) == [1]


FORK = '''
import os, threading, warnings
from amigocloud import AmigoCloudError, Cursor
warnings.simplefilter('ignore')     # newer Pythons warn of a fork beside threads
reached, opened = threading.Event(), threading.Event()
opened.set()
def fetch(url, params):
    if url == '1':
        reached.set()
        opened.wait(10)
    return {'data': [int(url), int(url)], 'next': str(int(url) + 1) if int(url) < 2 else None}
cursor = Cursor(fetch, '0')
def in_child(call):
    child = os.fork()
    if not child:
        os._exit(call())
    return os.waitpid(child, 0)[1]
'''


def run(program):
    """Runs a program in a new interpreter; what it prints."""
    return subprocess.check_output([sys.executable, '-W', 'error', '-c', program], stderr=subprocess.STDOUT,
                                   env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(__file__)))).decode()


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
def test_cursor__fork():
    assert run(FORK + '''
print(next(cursor))
print(in_child(lambda: list(cursor) != [0, 1, 1, 2, 2]))
print(in_child(lambda: in_child(lambda: list(cursor) != [0, 1, 1, 2, 2]) > 0))
print(list(cursor) == [0, 1, 1, 2, 2])
''').split() == ['0', '0', '0', 'True']


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
def test_cursor__fork_while_a_page_is_on_its_way():
    assert run(FORK + '''
opened.clear()
print([next(cursor), next(cursor)] == [0, 0])
rows = []
thread = threading.Thread(target=lambda: rows.append(next(cursor)))
thread.start()
reached.wait(10)
def in_vain():
    for _ in range(2):
        try:
            next(cursor)
        except AmigoCloudError:
            continue
        return 1
    return 0
print(in_child(in_vain))
opened.set()
thread.join()
print(rows + list(cursor) == [1, 1, 2, 2])
''').split() == ['True', '0', 'True']


def every_cursor(client):
    return [client.get_cursor('p0', {'limit': 2}, headers={'X-Who': 'me'}),
            client.project(1).sql('x'), client.project(1).sql('x', prefetch=2),
            client.project(1).dataset(2).read(), client.project(1).dataset(2).read(prefetch=2)]


def serve_every_cursor(wire):
    serve_pages(wire, [[1, 2], [3], [], [4, 5]], count=5)
    wire.answers['/api/v1/projects/1/sql'] = wire.answers['/api/v1/p0']
    wire.answers['/api/v1/projects/1/datasets/2/master'] = {'master': 'S'}


@pytest.mark.parametrize('number', range(5))
@pytest.mark.parametrize('make_copy', [lambda cursor: pickle.loads(pickle.dumps(cursor)),
                                       lambda cursor: pickle.loads(pickle.dumps(cursor, 2)),
                                       copy.copy, copy.deepcopy])
def test_cursor__copies(wire, client, number, make_copy):
    serve_every_cursor(wire)
    for used in range(6):
        cursor = every_cursor(client)[number]
        assert [next(cursor) for _ in range(used)] == list(range(1, used + 1))
        copied = make_copy(cursor)
        assert repr(copied) == repr(cursor)
        assert [next(cursor) for _ in range(used, 5)] == list(range(used + 1, 6))
        assert list(copied) == list(range(used + 1, 6))
        assert copied.get('count') == 5 and not cursor.has_next


def test_cursor__copy_sends_what_the_cursor_would_have_sent(wire, client):
    serve_every_cursor(wire)
    cursor = every_cursor(client)[0]
    copied = pickle.loads(pickle.dumps(cursor))
    assert not wire.requests
    assert list(copied) == [1, 2, 3, 4, 5]
    sent = [(request.target, request.headers['x-who']) for request in wire.requests]
    del wire.requests[:]
    assert list(cursor) == [1, 2, 3, 4, 5]
    assert [(request.target, request.headers['x-who']) for request in wire.requests] == sent


def test_cursor__copy_notices_a_circle():
    cursor = Cursor(Circle(), '0')
    assert [next(cursor) for _ in range(20)] == list(range(20))
    for _ in range(5):
        cursor = pickle.loads(pickle.dumps(cursor))
        assert next(cursor) < 30
    with pytest.raises(AmigoCloudError, match='circle'):
        for _ in range(100):
            cursor = pickle.loads(pickle.dumps(cursor))
            next(cursor)


class Circle(object):
    def __call__(self, url, params):
        return {'results': [int(url)], 'next': str((int(url) + 1) % 30)}


def test_cursor__copy_in_another_process(wire):
    serve_pages(wire, [[1, 2], [3], [4]])
    with AmigoCloud('secret', base_url=wire.url, use_websockets=False) as client:
        cursor = client.get_cursor('p0')
        assert next(cursor) == 1
        program = 'import pickle\nclient, cursor = pickle.loads({!r})\nprint(list(cursor) == [2, 3, 4])\nclient.close()'
        assert run(program.format(pickle.dumps((client, cursor), 2))).split() == ['True']


@pytest.mark.parametrize('link', [5, {'a': 1}, ['x'], True])
def test_cursor__wrong_next(wire, client, link):
    wire.answers['/api/v1/x'] = {'results': [1], 'next': link}
    cursor = client.get_cursor('x')
    assert next(cursor) == 1
    with pytest.raises(AmigoCloudError, match='str'):
        next(cursor)


@pytest.mark.parametrize('params', ['a=1', [('a', 1)], 5])
def test_cursor__bad_params(wire, client, params):
    with pytest.raises(AmigoCloudError, match='params'):
        client.get_cursor('x', params)
    assert not wire.requests


def test_cursor__repr(wire, client):
    serve_pages(wire, [[1]], count=1)
    cursor = client.get_cursor('p0?token=secret')
    assert repr(cursor) == '<Cursor over p0?token=***>'
    list(cursor)
    assert repr(cursor) == '<Cursor over p0?token=***, 1 rows>'


@given(st.lists(st.lists(st.integers(), max_size=3), min_size=1, max_size=6), st.data())
def test_cursor__each_row_once(pages, data):
    faults = [data.draw(st.integers(0, 2)) for _ in pages]

    def fetch(url, params):
        number = int(url)
        if faults[number]:
            faults[number] -= 1
            raise AmigoCloudError('cut')
        return {'results': list(pages[number]), 'next': str(number + 1) if number + 1 < len(pages) else None}

    cursor, rows = Cursor(fetch, '0'), []
    while True:
        try:
            rows.append(next(cursor))
        except AmigoCloudError:
            continue
        except StopIteration:
            break
    assert rows == sum(pages, [])
