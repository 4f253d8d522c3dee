# -*- coding: utf-8 -*-
import pickle

import pytest
from conftest import Answer

from amigocloud import AmigoCloud
from amigocloud.exceptions import AmigoCloudError, AmigoCloudValueError

SQL = '/api/v1/projects/1/sql'
MASTER = '/api/v1/projects/1/datasets/2/master'
COLUMNS = [{'name': 'a', 'type': 'integer'}]


def page(*values, **members):
    return dict({'columns': COLUMNS, 'data': [{'a': value} for value in values], 'count': 3,
                 'next': None}, **members)


@pytest.fixture
def project(wire):
    """A client with a project token."""
    wire.answers['/api/v1/users/7/projects/1/'] = {'id': 1}
    with AmigoCloud(token='secret', project_url='/users/7/projects/1',
                    base_url=wire.url) as amigocloud:
        del wire.requests[:]
        yield amigocloud


def test_sql__is_lazy(wire, client):
    following = wire.url + SQL + '?query=SELECT+a&limit=2&offset=2'
    wire.answers[SQL] = [page(1, 2, next=following), Answer(status=500)]
    cursor = client.project(1).sql('SELECT a', limit=2)
    assert not wire.requests
    assert cursor.get('count') == 3 and cursor.get('columns') == COLUMNS
    assert [next(cursor), next(cursor)] == [{'a': 1}, {'a': 2}]
    assert [(request.method, request.params) for request in wire.requests] == [
        ('GET', {'query': 'SELECT a', 'limit': '2', 'token': 'secret'})]


def test_sql__next_as_it_is(wire, client):
    following = wire.url + SQL + '?query=SELECT+a&limit=2&offset=2'
    wire.answers[SQL] = [page(1, 2, next=following), page(3)]
    assert [row['a'] for row in client.project('1').sql('SELECT a', limit=2)] == [1, 2, 3]
    assert wire.requests[1].target == SQL + '?query=SELECT+a&limit=2&offset=2&token=secret'


def test_sql__params(wire, client):
    wire.answers[SQL] = page(1)
    list(client.project(1).sql('SELECT 1', state='x', dataset_id=2))
    assert wire.requests[0].params == {
        'query': 'SELECT 1', 'limit': '5000', 'state': 'x', 'dataset_id': '2', 'token': 'secret'}


def test_sql__with_a_project_token(wire, project):
    wire.answers['/api/v1/users/7/projects/1/sql'] = page(1)
    wire.answers['/api/v1/projects/3/sql'] = page(1)
    assert list(project.project().sql('SELECT 1')) == [{'a': 1}]
    assert list(project.project(3).sql('SELECT 1')) == [{'a': 1}]
    assert [request.path for request in wire.requests] == ['/api/v1/users/7/projects/1/sql',
                                                           '/api/v1/projects/3/sql']


def test_execute(wire, client, project):
    wire.answers[SQL] = {'count': 4}
    assert client.project(1).execute('DELETE FROM t') == {'count': 4}
    wire.answers['/api/v1/users/7/projects/1/sql'] = {'count': 5}
    assert project.project().execute('DELETE FROM t') == {'count': 5}
    assert [(request.method, request.json, request.params) for request in wire.requests] == [
        ('POST', {'query': 'DELETE FROM t'}, {'token': 'secret'})] * 2


@pytest.mark.parametrize('call, message', [
    (lambda client: client.project().sql('SELECT 1'), 'project_id'),
    (lambda client: client.project().execute('DELETE FROM t'), 'project_id'),
    (lambda client: client.project().dataset(2).read(), 'project_id'),
    (lambda client: client.project('1/../2').sql('SELECT 1'), 'project_id'),
    (lambda client: client.project(True).sql('SELECT 1'), 'project_id'),
    (lambda client: client.project(1).sql('  '), 'query'),
    (lambda client: client.project(1).execute(None), 'query'),
    (lambda client: client.project(1).sql('SELECT 1', limit=0), 'limit'),
    (lambda client: client.project(1).sql('SELECT 1', prefetch=-1), 'prefetch'),
    (lambda client: client.project(1).sql('SELECT 1', prefetch=1.5), 'prefetch'),
    (lambda client: client.project(1).dataset('places').read(), 'dataset_id'),
    (lambda client: client.project(1).dataset(2).read(offset=-1), 'offset'),
    (lambda client: client.project(1).dataset(2).read(offset=False), 'offset'),
    (lambda client: client.project(1).dataset(2).read(offset=0.0), 'offset'),
    (lambda client: client.project(1).dataset(2).read(rows='all'), 'rows'),
])
def test_bad_arguments(wire, client, call, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        call(client)
    assert not wire.requests


def test_read_dataset__asks_for_the_state_first(wire, client):
    following = wire.url + SQL + '?query=x&state=s1&dataset_id=2&limit=2&offset=2'
    wire.answers[MASTER] = {'master': 's1'}
    wire.answers[SQL] = [page(1, 2, next=following), page(3)]
    cursor = client.project(1).dataset(2).read(limit=2)
    assert not wire.requests
    assert [row['a'] for row in cursor] == [1, 2, 3]
    assert [request.path for request in wire.requests] == [MASTER, SQL, SQL]
    assert wire.requests[1].params == {
        'query': 'SELECT * FROM dataset_2 ORDER BY amigo_id', 'limit': '2', 'dataset_id': '2',
        'state': 's1',
        'token': 'secret'}
    assert wire.requests[2].params['state'] == 's1'


def test_read_dataset__with_a_project_token(wire, project):
    wire.answers['/api/v1/users/7/projects/1/datasets/2/master'] = {'master': 's1'}
    wire.answers['/api/v1/users/7/projects/1/sql'] = page(1)
    assert list(project.project().dataset(2).read()) == [{'a': 1}]


def test_read_dataset__window_at_a_state(wire, client):
    wire.answers[SQL] = page(1)
    list(client.project(1).dataset(2).read(offset=10, rows=5, state='s0'))
    list(client.project(1).dataset(2).read(rows=0, state='s0'))
    list(client.project(1).dataset(2).read(offset=10, state='s0'))
    assert [request.params['query'] for request in wire.requests] == [
        'SELECT * FROM dataset_2 ORDER BY amigo_id' + window
        for window in (' LIMIT 5 OFFSET 10', ' LIMIT 0', ' OFFSET 10')]
    assert {request.params['state'] for request in wire.requests} == {'s0'}


@pytest.mark.parametrize('answer', [{}, {'master': None}, {'master': ''}, ['s1']])
def test_read_dataset__no_state(wire, client, answer):
    wire.answers[MASTER] = [answer, {'master': 's1'}]
    wire.answers[SQL] = page(1)
    cursor = client.project(1).dataset(2).read()
    with pytest.raises(AmigoCloudError, match="has no 'master'"):
        next(cursor)
    assert list(cursor) == [{'a': 1}]


@pytest.fixture
def sandbox_client(sandbox):
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        yield amigocloud


def test_sandbox__sql_and_execute(sandbox, sandbox_client):
    table = 'dataset_{}'.format(sandbox.vehicles_id)
    query = 'SELECT name FROM {} ORDER BY seats'.format(table)
    names = [row['name'] for row in sandbox_client.project(sandbox.project_id).sql(query, limit=2)]
    assert names == ['Van 3', 'Bus 12', 'Bus 7', 'Tram F', u'Ferry "Bah\xeda"']
    update = "UPDATE {} SET kind = 'road' WHERE kind IN ('bus', 'van')".format(table)
    assert sandbox_client.project(sandbox.project_id).execute(update)['count'] == 3
    with pytest.raises(AmigoCloudError) as caught:
        list(sandbox_client.project(sandbox.project_id).sql('SELECT nothing FROM ' + table))
    assert caught.value.status_code == 400 and 'nothing' in caught.value.text


@pytest.mark.parametrize('prefetch', [0, 2])
def test_sandbox__read_dataset_while_it_is_edited(sandbox, sandbox_client, prefetch):
    table = 'dataset_{}'.format(sandbox.places_id)
    project = sandbox_client.project(sandbox.project_id)
    before = list(project.sql('SELECT * FROM {} ORDER BY amigo_id'.format(table)))
    cursor = project.dataset(sandbox.places_id).read(limit=2, prefetch=prefetch)
    rows = [next(cursor)]
    project.execute(u"DELETE FROM {} WHERE amigo_id <> '{}'".format(table, before[3]['amigo_id']))
    project.execute("UPDATE {} SET address = 'moved'".format(table))
    rows.extend(cursor)
    assert rows == before


def test_sandbox__windows_make_up_the_dataset(sandbox, sandbox_client):
    dataset = sandbox_client.project(sandbox.project_id).dataset(sandbox.vehicles_id)
    state = sandbox_client.get(dataset.url + '/master')['master']
    ids = []
    for offset in (0, 2, 4):
        cursor = dataset.read(limit=1, offset=offset, rows=2, state=state)
        assert cursor.get('count') == min(2, 5 - offset)
        ids.append([row['amigo_id'] for row in cursor])
    whole = dataset.read(state=state)
    assert sum(ids, []) == [row['amigo_id'] for row in whole]


# filters

DESCRIPTION = {'id': 2, 'geometry_column': 'location'}


@pytest.mark.parametrize('filters, query', [
    ({'columns': ['name', 'Tree height']}, 'SELECT "name", "Tree height" FROM dataset_2 ORDER BY amigo_id'),
    ({'where': 'a > 1 OR b = :b', 'params': {'b': "O'x"}},
     "SELECT * FROM dataset_2 WHERE (a > 1 OR b = 'O''x') ORDER BY amigo_id"),
    ({'order_by': ['height'], 'rows': 5, 'offset': 10},
     'SELECT * FROM dataset_2 ORDER BY "height", amigo_id LIMIT 5 OFFSET 10'),
    ({'where': 'a > 1 -- tall'}, 'SELECT * FROM dataset_2 WHERE (a > 1 -- tall\n) ORDER BY amigo_id'),
    ({'order_by': ['a', 'amigo_id', 'b']}, 'SELECT * FROM dataset_2 ORDER BY "a", amigo_id'),
    ({'order_by': ('a', 'b')}, 'SELECT * FROM dataset_2 ORDER BY "a", "b", amigo_id'),
    ({'order_by': ['-a', 'b']}, 'SELECT * FROM dataset_2 ORDER BY "a" DESC, "b", amigo_id'),
    ({'order_by': ['-amigo_id', 'b']}, 'SELECT * FROM dataset_2 ORDER BY amigo_id DESC'),
    ({'order_by': ['amigo_id']}, 'SELECT * FROM dataset_2 ORDER BY amigo_id')])
def test_read__filters(wire, client, filters, query):
    wire.answers.update({SQL: page(1), MASTER: {'master': 's1'}})
    assert list(client.project(1).dataset(2).read(**filters)) == [{'a': 1}]
    assert [request.path for request in wire.requests] == [MASTER, SQL]
    assert wire.requests[1].params == {
        'query': query, 'limit': '5000', 'state': 's1', 'dataset_id': '2', 'token': 'secret'}


def test_read__bbox(wire, client):
    wire.answers.update({SQL: page(1), MASTER: {'master': 's1'}, '/api/v1/projects/1/datasets/2': DESCRIPTION})
    cursor = client.project(1).dataset(2).read(where="note <> '{x}'", bbox=(-1, 2, 3.5, 4))
    assert not wire.requests
    assert list(pickle.loads(pickle.dumps(cursor))) == [{'a': 1}]
    assert wire.requests[-1].params['query'] == ("SELECT * FROM dataset_2 WHERE (note <> '{x}') AND \"location\" && "
                                                 "ST_MakeEnvelope((-1.0), 2.0, 3.5, 4.0, 4326) " 'ORDER BY amigo_id')


def test_read__intersects(wire, client):
    shapely = pytest.importorskip('shapely')
    wire.answers.update({SQL: page(1), '/api/v1/projects/1/datasets/2': dict(DESCRIPTION, geometry_column='Wo')})
    list(client.project(1).dataset(2).read(intersects=shapely.Point(1, 2), state='s0'))
    assert wire.requests[-1].params['query'] == (
        'SELECT * FROM dataset_2 WHERE ST_Intersects("Wo", '
        "'0101000020E6100000000000000000F03F0000000000000040'::geometry) ORDER BY amigo_id")


def test_read__intersects_in_another_srid(wire, client):
    shapely = pytest.importorskip('shapely')
    wire.answers.update({SQL: page(1), '/api/v1/projects/1/datasets/2': DESCRIPTION})
    list(client.project(1).dataset(2).read(intersects=shapely.set_srid(shapely.Point(1, 2), 3857), state='s0'))
    assert wire.requests[-1].params['query'] == (
        'SELECT * FROM dataset_2 WHERE ST_Intersects("location", ST_Transform('
        "'0101000020110F0000000000000000F03F0000000000000040'::geometry, 4326)) ORDER BY amigo_id")


def test_read__columns_of_numpy(wire, client):
    numpy = pytest.importorskip('numpy')
    wire.answers[SQL] = page(1)
    names = numpy.array(['a', 'b'])
    list(client.project(1).dataset(2).read(columns=names, order_by=names, state='s0'))
    assert wire.requests[0].params['query'] == 'SELECT "a", "b" FROM dataset_2 ORDER BY "a", "b", amigo_id'


@pytest.mark.parametrize('arguments, message', [
    ({'query': u'SELECT \0'}, 'query has null characters'), ({'query': 'SELECT 1', 'state': 5}, 'state must be a str'),
    ({'query': 'SELECT 1', 'dataset_id': 'x'}, 'dataset_id must be an integer')])
def test_sql__bad_arguments(wire, client, arguments, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        client.project(1).sql(**arguments)
    assert not wire.requests


@pytest.mark.skipif(str is bytes, reason='UTF-8 of Python 2 has surrogates.')
def test_sql__half_a_surrogate_pair(wire, client):
    for call in (client.project(1).sql, client.project(1).execute, client.project(1).dataset(2).count):
        with pytest.raises(AmigoCloudValueError, match='has characters that are not valid UTF-8'):
            call(u"SELECT '\udc80'")
    assert not wire.requests


def test_read__no_geometry_column(wire, client):
    wire.answers['/api/v1/projects/1/datasets/2'] = {'id': 2, 'geometry_column': None}
    with pytest.raises(AmigoCloudError, match='no geometry column'):
        list(client.project(1).dataset(2).read(bbox=(0, 0, 1, 1), state='s0'))


@pytest.mark.parametrize('filters, message', [
    ({'columns': 'name'}, 'columns must be a list'), ({'columns': []}, 'at least one'),
    ({'columns': [1]}, 'a name in columns'), ({'order_by': 'name'}, 'order_by must be a list'),
    ({'where': ''}, 'where must be a str'), ({'params': {'a': 1}}, 'pass where too'),
    ({'where': ':a', 'params': {}}, 'no value for :a'), ({'bbox': (1, 2, 3)}, 'bbox must be four numbers'),
    ({'bbox': 'abcd'}, 'bbox must be four numbers'), ({'bbox': (1, 2, 3, float('nan'))}, 'four numbers'),
    ({'bbox': 5}, 'four numbers'), ({'bbox': (3, 2, 1, 4)}, 'antimeridian'), ({'bbox': (1, 4, 3, 2)}, 'in this order'),
    ({'intersects': 'POINT(1 2)'}, 'intersects must be a shapely geometry'),
    ({'intersects': []}, 'intersects must be a shapely geometry'), ({'bbox': (0, 0, 10 ** 400, 1)}, 'four numbers'),
    ({'order_by': ''}, 'order_by must be a list'), ({'order_by': ['']}, 'a name in order_by must be'),
    ({'order_by': ['-']}, 'a column after the minus'),
    ({'order_by': ['a\0']}, 'a name in order_by has null characters'),
    ({'columns': ['a\0']}, 'a name in columns has null characters'), ({'where': "a = '\0'"}, 'where has null'),
    ({'state': 5}, 'state must be a str'), ({'state': ''}, 'state must be a str')])
def test_read__bad_filters(wire, client, filters, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        client.project(1).dataset(2).read(**filters)
    assert not wire.requests


def test_count(wire, client):
    wire.answers[SQL] = {'columns': [], 'data': [{'count': 4}], 'count': 1, 'next': None}
    assert client.project(1).dataset(2).count('a > :a', {'a': 1}) == 4
    assert wire.requests[0].params['query'] == 'SELECT count(*) FROM dataset_2 WHERE (a > 1)'
    wire.answers[SQL] = page()
    with pytest.raises(AmigoCloudError, match="no 'count'"):
        client.project(1).dataset(2).count()


def test_sql_and_execute__params(wire, client):
    wire.answers[SQL] = [page(1), {'count': 1}]
    list(client.project(1).sql('SELECT * FROM t WHERE a IN :a', {'a': [1, 2]}))
    client.project(1).execute('DELETE FROM t WHERE a = :a', {'a': 'x'})
    assert wire.requests[0].params['query'] == 'SELECT * FROM t WHERE a IN (1, 2)'
    assert wire.requests[1].json == {'query': "DELETE FROM t WHERE a = 'x'"}
    with pytest.raises(AmigoCloudValueError, match='no value for :a'):
        client.project(1).execute('DELETE FROM t WHERE a = :a', {})
    assert len(wire.requests) == 2
