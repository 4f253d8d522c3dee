import pytest
from conftest import Answer
from hypothesis import given
from hypothesis import strategies as st

from amigocloud import Cursor
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


@pytest.mark.parametrize('page', [[1, 2], None, 5, u'x', {'results': 5, 'next': None}, {'results': None, 'next': None}])
def test_cursor__wrong_shape(wire, client, page):
    wire.answers['/api/v1/x'] = page if page is not None else Answer(b'null')
    with pytest.raises(AmigoCloudError, match='not a'):
        list(client.get_cursor('x'))


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
