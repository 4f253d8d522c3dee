# -*- coding: utf-8 -*-
import pytest
from conftest import Answer

from amigocloud import AmigoCloud
from amigocloud.exceptions import AmigoCloudError, AmigoCloudValueError

SQL = '/api/v1/projects/1/sql'
MASTER = '/api/v1/projects/1/datasets/2/master'
COLUMNS = [{'name': 'a', 'type': 'integer'}]


def page(*values, **members):
    return dict({'columns': COLUMNS, 'data': [{'a': value} for value in values], 'count': 3, 'next': None}, **members)


@pytest.fixture
def project(wire):
    """A client with a project token."""
    wire.answers['/api/v1/users/7/projects/1/'] = {'id': 1}
    with AmigoCloud(token='secret', project_url='/users/7/projects/1', base_url=wire.url) as amigocloud:
        del wire.requests[:]
        yield amigocloud


def test_sql__is_lazy(wire, client):
    following = wire.url + SQL + '?query=SELECT+a&limit=2&offset=2'
    wire.answers[SQL] = [page(1, 2, next=following), Answer(status=500)]
    cursor = client.sql('SELECT a', 1, limit=2)
    assert not wire.requests
    assert cursor.get('count') == 3 and cursor.get('columns') == COLUMNS
    assert [next(cursor), next(cursor)] == [{'a': 1}, {'a': 2}]
    assert [(request.method, request.params) for request in wire.requests] == [
        ('GET', {'query': 'SELECT a', 'limit': '2', 'token': 'secret'})]


def test_sql__next_as_it_is(wire, client):
    following = wire.url + SQL + '?query=SELECT+a&limit=2&offset=2'
    wire.answers[SQL] = [page(1, 2, next=following), page(3)]
    assert [row['a'] for row in client.sql('SELECT a', '1', limit=2)] == [1, 2, 3]
    assert wire.requests[1].target == SQL + '?query=SELECT+a&limit=2&offset=2&token=secret'


def test_sql__params(wire, client):
    wire.answers[SQL] = page(1)
    list(client.sql('SELECT 1', 1, state='x', dataset_id=2))
    assert wire.requests[0].params == {
        'query': 'SELECT 1', 'limit': '5000', 'state': 'x', 'dataset_id': '2', 'token': 'secret'}


def test_sql__with_a_project_token(wire, project):
    wire.answers['/api/v1/users/7/projects/1/sql'] = wire.answers['/api/v1/projects/3/sql'] = page(1)
    assert list(project.sql('SELECT 1')) == list(project.sql('SELECT 1', 3)) == [{'a': 1}]
    assert [request.path for request in wire.requests] == ['/api/v1/users/7/projects/1/sql', '/api/v1/projects/3/sql']


def test_execute(wire, client, project):
    wire.answers[SQL] = {'count': 4}
    assert client.execute('DELETE FROM t', 1) == {'count': 4}
    wire.answers['/api/v1/users/7/projects/1/sql'] = {'count': 5}
    assert project.execute('DELETE FROM t') == {'count': 5}
    assert [(request.method, request.json, request.params) for request in wire.requests] == [
        ('POST', {'query': 'DELETE FROM t'}, {'token': 'secret'})] * 2


@pytest.mark.parametrize('call, message', [
    (lambda client: client.sql('SELECT 1'), 'project_id'),
    (lambda client: client.execute('DELETE FROM t'), 'project_id'),
    (lambda client: client.read_dataset(None, 2), 'project_id'),
    (lambda client: client.sql('SELECT 1', '1/../2'), 'project_id'),
    (lambda client: client.sql('SELECT 1', True), 'project_id'),
    (lambda client: client.sql('  ', 1), 'query'),
    (lambda client: client.execute(None, 1), 'query'),
    (lambda client: client.sql('SELECT 1', 1, limit=0), 'limit'),
    (lambda client: client.sql('SELECT 1', 1, prefetch=-1), 'prefetch'),
    (lambda client: client.sql('SELECT 1', 1, prefetch=1.5), 'prefetch'),
    (lambda client: client.read_dataset(1, 'places'), 'dataset_id'),
    (lambda client: client.read_dataset(1, 2, offset=-1), 'offset'),
    (lambda client: client.read_dataset(1, 2, rows='all'), 'rows'),
])
def test_bad_arguments(wire, client, call, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        call(client)
    assert not wire.requests


def test_read_dataset__asks_for_the_state_first(wire, client):
    following = wire.url + SQL + '?query=x&state=s1&dataset_id=2&limit=2&offset=2'
    wire.answers[MASTER] = {'master': 's1'}
    wire.answers[SQL] = [page(1, 2, next=following), page(3)]
    cursor = client.read_dataset(1, 2, limit=2)
    assert not wire.requests
    assert [row['a'] for row in cursor] == [1, 2, 3]
    assert [request.path for request in wire.requests] == [MASTER, SQL, SQL]
    assert wire.requests[1].params == {
        'query': 'SELECT * FROM dataset_2 ORDER BY amigo_id', 'limit': '2', 'dataset_id': '2', 'state': 's1',
        'token': 'secret'}
    assert wire.requests[2].params['state'] == 's1'


def test_read_dataset__with_a_project_token(wire, project):
    wire.answers['/api/v1/users/7/projects/1/datasets/2/master'] = {'master': 's1'}
    wire.answers['/api/v1/users/7/projects/1/sql'] = page(1)
    assert list(project.read_dataset(None, 2)) == [{'a': 1}]


def test_read_dataset__window_at_a_state(wire, client):
    wire.answers[SQL] = page(1)
    list(client.read_dataset(1, 2, offset=10, rows=5, state='s0'))
    list(client.read_dataset(1, 2, rows=0, state='s0'))
    list(client.read_dataset(1, 2, offset=10, state='s0'))
    assert [request.params['query'] for request in wire.requests] == [
        'SELECT * FROM dataset_2 ORDER BY amigo_id' + window
        for window in (' LIMIT 5 OFFSET 10', ' LIMIT 0', ' OFFSET 10')]
    assert {request.params['state'] for request in wire.requests} == {'s0'}


@pytest.mark.parametrize('answer', [{}, {'master': None}, ['s1']])
def test_read_dataset__no_state(wire, client, answer):
    wire.answers[MASTER] = [answer, {'master': 's1'}]
    wire.answers[SQL] = page(1)
    cursor = client.read_dataset(1, 2)
    with pytest.raises(AmigoCloudError, match='state'):
        next(cursor)
    assert list(cursor) == [{'a': 1}]


@pytest.fixture
def sandbox():
    pytest.importorskip('amigocloud.sandbox.server', reason='the sandbox is not installed, or this is Python 2')
    from amigocloud.sandbox import Sandbox
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox_client(sandbox):
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        yield amigocloud


def test_sandbox__sql_and_execute(sandbox, sandbox_client):
    table = 'dataset_{}'.format(sandbox.vehicles_id)
    query = 'SELECT name FROM {} ORDER BY seats'.format(table)
    names = [row['name'] for row in sandbox_client.sql(query, sandbox.project_id, limit=2)]
    assert names == ['Van 3', 'Bus 12', 'Bus 7', 'Tram F', u'Ferry "Bah\xeda"']
    update = "UPDATE {} SET kind = 'road' WHERE kind IN ('bus', 'van')".format(table)
    assert sandbox_client.execute(update, sandbox.project_id)['count'] == 3
    with pytest.raises(AmigoCloudError) as caught:
        list(sandbox_client.sql('SELECT nothing FROM ' + table, sandbox.project_id))
    assert caught.value.status_code == 400 and 'nothing' in caught.value.text


@pytest.mark.parametrize('prefetch', [0, 2])
def test_sandbox__read_dataset_while_it_is_edited(sandbox, sandbox_client, prefetch):
    table = 'dataset_{}'.format(sandbox.places_id)
    before = list(sandbox_client.sql('SELECT * FROM {} ORDER BY amigo_id'.format(table), sandbox.project_id))
    cursor = sandbox_client.read_dataset(sandbox.project_id, sandbox.places_id, limit=2, prefetch=prefetch)
    rows = [next(cursor)]
    sandbox_client.execute(u"DELETE FROM {} WHERE amigo_id <> '{}'".format(table, before[3]['amigo_id']),
                           sandbox.project_id)
    sandbox_client.execute("UPDATE {} SET address = 'moved'".format(table), sandbox.project_id)
    rows.extend(cursor)
    assert rows == before


def test_sandbox__windows_make_up_the_dataset(sandbox, sandbox_client):
    url = '/projects/{}/datasets/{}/master'.format(sandbox.project_id, sandbox.vehicles_id)
    state = sandbox_client.get(url)['master']
    ids = []
    for offset in (0, 2, 4):
        cursor = sandbox_client.read_dataset(sandbox.project_id, sandbox.vehicles_id, limit=1, offset=offset, rows=2,
                                             state=state)
        assert cursor.get('count') == min(2, 5 - offset)
        ids.append([row['amigo_id'] for row in cursor])
    whole = sandbox_client.read_dataset(sandbox.project_id, sandbox.vehicles_id, state=state)
    assert sum(ids, []) == [row['amigo_id'] for row in whole]
