# -*- coding: utf-8 -*-
"""The datasets of the sandbox: made, read and written by SQL, changed, exported."""
import json
import os
import subprocess
import sys
import threading

import pytest

pytest.importorskip('flask')

pytest_plugins = ['sandbox_api']


@pytest.fixture
def dataset(api):
    """The path of a new dataset with the columns `name` and `location`."""
    project = api.post('/me/projects', 201, json={'name': 'test'})
    path = '/projects/{}/datasets'.format(project['id'])
    schema = [{'name': 'name', 'type': 'text'}, {'name': 'location', 'type': 'point'}]
    _, extra = api.finished(api.post(path + '/create', json={'name': 'test', 'schema': schema}))
    return '{}/{}'.format(path, extra['dataset_ids'][0])


def change(api, dataset, status=200, **more):
    table = 'dataset_' + dataset.rsplit('/', 1)[1]
    return api.post(dataset + '/submit_change', status, json={'change': json.dumps(dict({'entity': table}, **more))})


def rows_of(api, dataset, **params):
    project_id, table = dataset.split('/')[2], 'dataset_' + dataset.rsplit('/', 1)[1]
    return api.sql('SELECT amigo_id, name, ST_AsText(location) AS place FROM ' + table, project_id, **params)['data']


def test_dataset__describes_itself(api, sandbox):
    vehicles = api.get('/users/0/projects/1/datasets/{}'.format(sandbox.vehicles_id))
    assert vehicles['table_name'] == 'dataset_{}'.format(sandbox.vehicles_id)
    assert (vehicles['feature_count'], vehicles['geometry_column']) == (5, 'location')
    assert vehicles['boundingbox'].startswith('BOX(-122.4477 ')
    assert {'name': 'seats', 'type': 'integer'} in api.get(vehicles['schema'])['schema']
    assert api.get(vehicles['states'])['results'][-1]['id'] == api.get(vehicles['master'])['master']
    for picture in ('preview', 'preview_image'):
        assert api.send('GET', vehicles[picture]).content.startswith(b'\x89PNG')
    places = api.get('/projects/1/datasets/{}'.format(sandbox.places_id))
    assert (places['boundingbox'], places['geometry_column']) == (None, 'location')


def test_dataset__is_made_by_a_job(api):
    body = {'name': 'new', 'schema': '[{"name": "size", "type": "decimal"}]'}
    answer = api.post('/projects/1/datasets/create', json=body)
    path = '/projects/1/datasets/{}'.format(answer['id'])
    api.get(path, 404)
    assert api.finished(answer) == (['PENDING', 'STARTED', 'SUCCESS'], {'dataset_ids': [answer['id']]})
    assert api.get(path)['feature_count'] == 0
    assert api.send('PATCH', path, json={'name': 'other'}).json()['name'] == 'other'
    api.send('DELETE', path, 204)
    api.get(path, 404)


def test_dataset__job_that_fails(api):
    twice = [{'name': 'x', 'type': 'text'}, {'name': 'x', 'type': 'text'}]
    statuses, extra = api.finished(api.post('/projects/1/datasets/create', json={'name': 'x', 'schema': twice}))
    assert statuses[-1] == 'FAILURE' and extra == {'error': ['column "x" specified more than once']}


def test_sql__reads_in_pages(api, sandbox):
    query = 'SELECT name, seats FROM dataset_{} ORDER BY seats'.format(sandbox.vehicles_id)
    page = api.sql(query, limit=2)
    assert page['columns'] == [{'name': 'name', 'type': 'string'}, {'name': 'seats', 'type': 'integer'}]
    assert (page['count'], page['query'], page['data'][0]) == (5, query, {'name': 'Van 3', 'seats': 8})
    rest = api.get(api.get(page['next'])['next'])
    assert [row['seats'] for row in rest['data']] == [250] and rest['next'] is None


def test_sql__without_a_limit_gives_every_row(api):
    many = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000) SELECT x FROM n'
    page = api.sql(many)
    assert len(page['data']) == 3000 and page['next'] is None


def test_sql__next_of_a_post_holds_the_query(api, sandbox):
    body = {'query': 'SELECT name FROM dataset_{}'.format(sandbox.vehicles_id), 'limit': 3}
    page = api.post('/projects/1/sql', json=body)
    assert len(page['data']) == 3 and len(api.get(page['next'])['data']) == 2


def test_sql__get_does_not_write(api, sandbox):
    assert api.get('/projects/1/sql', 400, query='DELETE FROM dataset_1') == {
        'error': ['cannot execute DELETE in a read-only transaction']}


def test_sql__levels(api, sandbox, as_other, dataset):
    sql = '/projects/{}/sql'.format(dataset.split('/')[2])
    table = 'dataset_' + dataset.rsplit('/', 1)[1]
    insert, delete = "INSERT INTO {} (name) VALUES ('x')".format(table), 'DELETE FROM ' + table
    as_other(sandbox.read_token).post(sql, json={'query': 'SELECT 1'})
    as_other(sandbox.read_token).post(sql, 403, json={'query': insert})
    assert as_other(sandbox.create_token).post(sql, data={'query': insert})['count'] == 1
    as_other(sandbox.create_token).post(sql, 403, json={'query': delete})
    assert as_other(sandbox.edit_token).post(sql, json={'query': delete})['count'] == 1


def test_sql__long_query_in_a_url(api, sandbox):
    query = "SELECT name FROM dataset_{} WHERE name <> '{}'".format(sandbox.vehicles_id, 'x' * 50000)
    assert api.sql(query)['count'] == 5


def test_sql__other_requests_are_answered_meanwhile(api, sandbox, make_api):
    slow = ('WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000) '
            'SELECT count(*) AS number FROM n')
    answers = []
    thread = threading.Thread(target=lambda: answers.append(make_api(sandbox.url, sandbox.token).sql(slow, 2)))
    thread.start()
    meanwhile = 0
    while thread.is_alive():
        api.get('/me')
        meanwhile += 1
    thread.join()
    assert answers[0]['data'] == [{'number': 3000000}] and meanwhile > 3


def test_change__insert_update_delete(api, dataset):
    rows = [{'new': {'name': "O'Hara", 'location': 'POINT(1 2)'}},
            {'new': {'name': None, 'location': {'type': 'Point', 'coordinates': [3, 4]}}}]
    answer = change(api, dataset, type='DML', action='INSERT', parent=None, data=rows)
    assert api.finished(answer)[1]['dataset_ids'] == [int(dataset.rsplit('/', 1)[1])]
    first, second = rows_of(api, dataset)
    assert (first['name'], first['place'], second['place']) == ("O'Hara", 'POINT(1 2)', 'POINT(3 4)')
    change(api, dataset, type='DML', action='UPDATE', data=[
        {'amigo_id': first['amigo_id'], 'new': {'name': u"é'", 'location': 'SRID=4326;POINT(5 6)'}}])
    change(api, dataset, type='DML', action='DELETE', data=[{'amigo_id': second['amigo_id']}])
    assert rows_of(api, dataset) == [dict(first, name=u"é'", place='POINT(5 6)')]


def test_change__amigo_id_beside_the_new_row_or_in_it(api, dataset):
    change(api, dataset, type='DML', action='INSERT', data=[
        {'new': {'name': 'a'}, 'amigo_id': 'x1'}, {'new': {'name': 'b', 'amigo_id': 'x2'}},
        {'new': {'name': 'c'}, 'amigo_id': None}])
    found = {row['name']: row['amigo_id'] for row in rows_of(api, dataset)}
    assert (found['a'], found['b'], len(found['c'])) == ('x1', 'x2', 32)
    for amigo_id in ('x1', 5, ''):
        change(api, dataset, 400, type='DML', action='INSERT', data=[{'new': {'name': 'd'}, 'amigo_id': amigo_id}])


def test_change__as_large_as_gdal_sends_it(api, dataset):
    row = {'new': {'name': 'x' * (15 * 1024 * 1024 - 1000)}}
    change(api, dataset, type='DML', action='INSERT', data=[row])
    assert api.get(dataset)['feature_count'] == 1
    refused = api.send('POST', dataset + '/submit_change', 400, data=b'"' + b'x' * (15 * 1024 * 1024) + b'"',
                       headers={'content-type': 'application/json'})
    assert refused.text.startswith('<!doctype html>')


def test_change__keeps_what_is_in_each_column(api):
    kinds = ['string', 'number', 'float', 'real', 'integer', 'bigint', 'date', 'datetime', 'boolean', 'geometry']
    schema = [dict({'name': kind, 'type': kind}, nullable=True, visible=True) for kind in kinds]
    schema.append({'name': 'other place', 'type': 'geometry', 'geometry_type': 'POINTZ', 'nullable': True})
    answer = api.post('/projects/1/datasets/create', json={'name': 'kinds', 'schema': json.dumps(schema)})
    api.finished(answer)
    path, mercator = '/projects/1/datasets/{}'.format(answer['id']), '01010000A0110F' + '0' * 52
    assert [(column['name'], column['type']) for column in api.get(path + '/schema')['schema']] == [
        ('amigo_id', 'string')] + [(kind, kind) for kind in kinds] + [('other place', 'geometry')]
    new = dict(zip(kinds, [u'\u00e4', 0.5, 0.1, 0.5, -1, 2 ** 63 - 1, '2024-02-29', '2024-02-29T01:02:03.000004+00:00',
                           False, '0101000020E6100000000000000000F03F0000000000000040']), **{'other place': mercator})
    change(api, path, type='DML', action='INSERT', data=[{'new': new}, {'new': dict.fromkeys(new)}])
    full, empty = api.sql('SELECT * FROM dataset_{} ORDER BY string'.format(answer['id']))['data']
    assert {name: full[name] for name in new} == new
    assert {name: empty[name] for name in new} == dict.fromkeys(new)


def test_change__whole_or_not_at_all(api, dataset):
    change(api, dataset, type='DML', action='INSERT', data=[{'new': {'name': 'a'}}])
    before, states = rows_of(api, dataset), api.get(dataset + '/states')['count']
    answer = change(api, dataset, 400, type='DML', action='UPDATE', data=[
        {'amigo_id': before[0]['amigo_id'], 'new': {'name': 'b'}}, {'amigo_id': 'zork', 'new': {'name': 'b'}}])
    assert answer == {'error': ['no row has the amigo_id "zork"']}
    assert rows_of(api, dataset) == before and api.get(dataset + '/states')['count'] == states


def test_change__columns(api, dataset):
    change(api, dataset, type='DDL', action='ADD COLUMN', data=[{'new': {'name': 'Size "m"', 'type': 'integer'}}])
    assert api.get(dataset + '/schema')['schema'][-1] == {'name': 'Size "m"', 'type': 'integer'}
    change(api, dataset, type='DML', action='INSERT', data=[{'new': {'name': 'a', 'Size "m"': 5}}])
    change(api, dataset, type='DDL', action='DROP COLUMN', data=[{'old': {'name': 'Size "m"'}}])
    change(api, dataset, 400, type='DDL', action='DROP COLUMN', data=[{'old': {'name': 'Size "m"'}}])
    change(api, dataset, type='DML', action='UPDATE', data=[
        {'amigo_id': rows_of(api, dataset)[0]['amigo_id'], 'new': {'name': 'b'}}])
    assert [row['name'] for row in rows_of(api, dataset)] == ['b']


def test_state__older_one_is_still_read(api, dataset):
    dataset_id = int(dataset.rsplit('/', 1)[1])
    state = change(api, dataset, type='DML', action='INSERT', data=[{'new': {'name': name}} for name in 'abc'])['state']
    before = rows_of(api, dataset)
    first_page = rows_of(api, dataset, limit=1, state=state, dataset_id=dataset_id)
    table = 'dataset_{}'.format(dataset_id)
    for query in ("UPDATE {} SET name = 'z' WHERE name = 'a'", "DELETE FROM {} WHERE name = 'b'",
                  "INSERT INTO {} (name) VALUES ('d')", "UPDATE {} SET name = 'y' WHERE name = 'z'"):
        api.post('/projects/{}/sql'.format(dataset.split('/')[2]), json={'query': query.format(table)})
    assert first_page == before[:1]
    assert sorted(row['name'] for row in rows_of(api, dataset)) == ['c', 'd', 'y']
    older = rows_of(api, dataset, state=state, dataset_id=dataset_id)
    assert sorted(older, key=lambda row: row['name']) == before
    states = api.get(dataset + '/states')['results']
    assert [state['action'] for state in states] == ['CREATE', 'INSERT'] + ['SQL'] * 4
    assert [state['parent'] for state in states] == [None] + [state['id'] for state in states[:-1]]
    empty = rows_of(api, dataset, state=states[0]['id'], dataset_id=dataset_id)
    assert empty == [] and sorted(row['name'] for row in rows_of(api, dataset)) == ['c', 'd', 'y']


@pytest.mark.parametrize('kind, start', [
    ('csv', b'amigo_id,name'), ('GEOJSON', b'{'), ('kml', b'<?xml'), ('SHP', b'PK')])
def test_export(api, sandbox, as_other, kind, start):
    export = api.get('/projects/1/datasets/{}'.format(sandbox.vehicles_id))['export']
    statuses, extra = api.finished(api.post(export, json={'format': kind}))
    assert statuses[-1] == 'SUCCESS'
    answer = as_other(None).send('GET', extra['link'])
    name = 'vehicles.' + ('zip' if kind == 'SHP' else kind.lower())
    assert answer.headers['Content-Disposition'] == 'attachment; filename=' + name
    assert answer.content.startswith(start)


GDAL_SCRIPT = """
import numpy, pyogrio.raw, shapely
print(pyogrio.read_info('AMIGOCLOUD:1 datasets=1')['features'])
print(pyogrio.raw.read('AMIGOCLOUD:1 datasets=1', columns=['name'], where='seats = 110')[3][0].tolist())
points = shapely.to_wkb(numpy.array([shapely.Point(1, 2), shapely.Point(3, 4)]))
pyogrio.raw.write('AMIGOCLOUD:1', points, [numpy.array([5, 6])], ['size'], layer='by GDAL', driver='AmigoCloud',
                  geometry_type='Point', crs='EPSG:4326', append=True)
"""


def test_gdal__reads_and_writes(sandbox, api):
    """GDAL's own client of the service, which is in the wheels of pyogrio."""
    if 'AmigoCloud' not in pytest.importorskip('pyogrio').list_drivers():
        pytest.skip('this GDAL has no AmigoCloud driver')
    env = dict(os.environ, AMIGOCLOUD_API_URL=sandbox.url + '/api/v1', AMIGOCLOUD_API_KEY=sandbox.token)
    output = subprocess.check_output([sys.executable, '-c', GDAL_SCRIPT], env=env, universal_newlines=True)
    assert output == "5\n['Tram F']\n"
    dataset = api.get('/projects/1/datasets', limit=1000)['results'][-1]
    assert (dataset['name'], dataset['boundingbox']) == ('by GDAL', 'BOX(1 2,3 4)')
