# -*- coding: utf-8 -*-
"""The datasets of the sandbox: made, read and written by SQL, changed, exported."""
import io
import json
import math
import threading

import PIL.Image
import pytest

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']


def pytest_generate_tests(metafunc):
    if 'sandbox' in metafunc.fixturenames:
        metafunc.parametrize('sandbox', ['sqlite', 'postgresql'], indirect=True, scope='module')


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
    """SERVICE.md, me, projects, datasets."""
    vehicles = api.get('/users/0/projects/1/datasets/{}'.format(sandbox.vehicles_id))
    assert vehicles['table_name'] == 'dataset_{}'.format(sandbox.vehicles_id)
    assert (vehicles['feature_count'], vehicles['geometry_column']) == (5, 'location')
    assert vehicles['boundingbox'].startswith('BOX(-122.4477 ')
    assert (vehicles['geo_type'], vehicles['type']) == ('POINT', 'vector')
    assert api.get(vehicles['states'])['states'][-1] == api.get(vehicles['master'])['master']
    assert api.send('GET', vehicles['preview_image']).content.startswith(b'\x89PNG')
    assert api.send('GET', vehicles['preview']).headers['Content-Type'].startswith('text/html')
    places = api.get('/projects/1/datasets/{}'.format(sandbox.places_id))
    assert (places['boundingbox'], places['geometry_column']) == (None, 'location')


def test_dataset__is_made_by_a_job(api):
    """SERVICE.md, me, projects, datasets; ours: PATCH."""
    body = {'name': 'new', 'schema': '[{"name": "size", "type": "decimal"}]'}
    answer = api.post('/projects/1/datasets/create', json=body)
    path = '/projects/1/datasets/{}'.format(answer['id'])
    assert list(answer) == ['job', 'id', 'name', 'url'] and answer['url'].endswith(path)
    statuses, extra = api.finished(answer)
    # A slow machine polls less often than the job takes.
    assert statuses == ['PENDING', 'STARTED', 'SUCCESS'][-len(statuses):]
    assert extra == {'dataset_ids': [answer['id']]}
    assert api.get(path)['feature_count'] == 0
    assert api.send('PATCH', path, json={'name': 'other'}).json()['name'] == 'other'
    # GDAL takes an answer with a Content-Type of text/html for a failure: SERVICE.md, Links and lists.
    assert 'Content-Type' not in api.send('DELETE', path, 204).headers
    api.get(path, 404)


def test_schema__keeps_what_was_sent(api):
    """SERVICE.md, me, projects, datasets."""
    sent = [{'name': 'kind', 'type': 'string', 'alias': 'Kind', 'nullable': False, 'default': 'oak', 'visible': False,
             'choices': [{'code': 'oak', 'value': 'Oak'}], 'max_length': 20},
            {'name': 'amigo_id', 'type': 'string'}, {'name': 'place', 'type': 'geometry', 'geometry_type': 'POINT'}]
    answer = api.post('/projects/1/datasets/create', json={'name': 'trees', 'schema': json.dumps(sent)})
    api.finished(answer)
    schema = api.get(answer['url'] + '/schema')['schema']
    assert schema[0] == dict(sent[0], editable=True)
    assert schema[1] == dict(sent[2], alias=None, nullable=True, default=None, editable=True, visible=True)
    assert schema[2:] == [{'name': 'amigo_id', 'alias': None, 'type': 'string', 'nullable': False,
                           'default': 'GENERATE_UUID', 'auto_populate': True, 'max_length': 32}]


def test_schema__of_one_dataset_makes_another(api, sandbox):
    """SERVICE.md, How it is used today: scripts that copy a dataset by SQL strings, and write row by row."""
    vehicles = api.get('/projects/1/datasets/{}'.format(sandbox.vehicles_id))
    schema = api.get(vehicles['schema'])['schema']
    copy = api.post('/projects/1/datasets/create', data={'name': 'copy', 'schema': json.dumps(schema)})
    api.finished(copy)
    assert api.get(copy['url'] + '/schema')['schema'] == schema
    table = api.get(copy['url'])['table_name']
    names = ', '.join(column['name'] for column in schema if column['name'] != 'amigo_id')
    for statement, count in (
            ('INSERT INTO {0} ({1}) SELECT {1} FROM {2}'.format(table, names, vehicles['table_name']), 5),
            ("INSERT INTO {} (name, location) VALUES ('x', ST_GeomFromText('POINT(1 2)', 4326))".format(table), 1)):
        assert api.post('/projects/1/sql', data={'query': statement})['count'] == count
    assert api.get(copy['url'])['feature_count'] == 6


def test_tiles(api, sandbox, as_other):
    """SERVICE.md, Jobs, exports, tiles, maps: what a tile shows, and names, at the place of each vehicle."""
    vehicles = '/projects/1/datasets/{}'.format(sandbox.vehicles_id)
    tiles = api.get(vehicles)['tiles']
    picture, empty = [as_other(None).send('GET', '{}/{}.png?token={}&c=1'.format(tiles, tile, api.token)).content
                      for tile in ('12/655/1583', '12/0/0')]
    picture, empty = [PIL.Image.open(io.BytesIO(content)) for content in (picture, empty)]
    grid = api.get(tiles + '/12/655/1583.json')
    assert len(grid['grid']) == 64 and all(len(line) == 64 for line in grid['grid'])
    seen = []
    rows = api.sql('SELECT amigo_id, ST_X(location) AS x, ST_Y(location) AS y FROM dataset_{}'.format(
        sandbox.vehicles_id))['data']
    for row in rows:
        across, down = pixel_of(row['x'], row['y'], 12)
        if across // 256 == 655 and down // 256 == 1583:
            seen.append(row['amigo_id'])
            assert picture.getpixel((int(across % 256), int(down % 256))) == (204, 51, 51, 255)
            code = ord(grid['grid'][int(down % 256) // 4][int(across % 256) // 4])
            # As the specification of UTFGrid says.
            key = grid['keys'][code - (code >= 93) - (code >= 35) - 32]
            assert grid['data'][key] == {'amigo_id': row['amigo_id']}
    assert 1 < len(seen) < len(rows) and len(grid['keys']) == len(grid['data']) + 1
    assert {feature['amigo_id'] for feature in grid['data'].values()} >= set(seen)
    assert picture.getpixel((0, 0))[3] == 0 and empty.getextrema()[3] == (0, 0)


def test_tiles__after_a_change(api, dataset):
    """SERVICE.md, Jobs, exports, tiles, maps: `cache_busting` is new, so that maps do not show what a cache holds."""
    def tile():
        description = api.get(dataset)
        return description['cache_busting'], api.send('GET', description['tiles'] + '/0/0/0.png').content
    versions = [tile()]
    api.finished(change(api, dataset, type='DML', action='INSERT', data=[
        {'new': {'name': 'x', 'location': 'SRID=4326;POINT(0.7 -0.7)'}}]))
    versions.append(tile())
    assert versions[0][0] != versions[1][0]
    assert [PIL.Image.open(io.BytesIO(content)).getpixel((128, 128))[3] for _, content in versions] == [0, 255]


def pixel_of(longitude, latitude, zoom):
    """Return the place of a position on a map in Web Mercator."""
    pixels, sine = 256 * 2 ** zoom, math.sin(math.radians(latitude))
    return ((longitude + 180) / 360 * pixels,
            (0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * pixels)


def test_relationships(api, sandbox):
    """SERVICE.md, Galleries and related tables."""
    relation = {'primary_dataset_name': 'vehicles', 'foreign_dataset_name': 'places', 'primary_key': 'name',
                'foreign_key': 'address'}
    made = api.post(api.url + '/sandbox/relationships', json=dict(relation, dataset_id=sandbox.vehicles_id))
    path = '/projects/1/datasets/{}/relationships/'.format(sandbox.vehicles_id)
    assert api.get(path)['results'] == [dict(relation, id=made['id'])]


def test_dataset__in_the_second_api(api):
    """SERVICE.md, Jobs, exports, tiles, maps."""
    answer = api.post(api.url + '/api/v2/projects/1/datasets/create', json={'name': 'new'})
    assert sorted(answer) == ['id', 'job_id', 'name', 'url']
    assert api.finished({'job': answer['job_id']})[0][-1] == 'SUCCESS'


def test_dataset__job_that_fails(api):
    """SERVICE.md, Jobs, exports, tiles, maps; ours: the error in `extra`."""
    twice = [{'name': 'x', 'type': 'text'}, {'name': 'x', 'type': 'text'}]
    statuses, extra = api.finished(api.post('/projects/1/datasets/create', json={'name': 'x', 'schema': twice}))
    assert statuses[-1] == 'FAILURE' and extra == {'error': ['column "x" specified more than once']}


def test_sql__reads_in_pages(api, sandbox):
    """SERVICE.md, SQL."""
    query = 'SELECT name, seats FROM dataset_{} ORDER BY seats'.format(sandbox.vehicles_id)
    page = api.sql(query, limit=2)
    assert list(page) == ['query', 'count', 'limit', 'offset', 'columns', 'data', 'next', 'total_rows']
    assert page['columns'] == [{'type': 'string', 'name': 'name', 'max_length': None},
                               {'type': 'integer', 'name': 'seats', 'max_length': None}]
    assert (page['limit'], page['offset'], page['total_rows']) == (2, 0, 5)
    assert (page['count'], page['query'], page['data'][0]) == (5, query, {'name': 'Van 3', 'seats': 8})
    rest = api.get(api.get(page['next'])['next'])
    assert [row['seats'] for row in rest['data']] == [250] and rest['next'] is None


def test_sql__without_a_limit_gives_100_rows(api):
    """SERVICE.md, SQL."""
    many = 'SELECT t1.seats FROM ' + ', '.join('dataset_1 AS t{}'.format(number) for number in range(5))
    page = api.sql(many)
    assert (len(page['data']), page['count'], page['limit'], page['offset']) == (100, 3125, 100, 0)
    assert len(api.get(page['next'])['data']) == 100
    assert len(api.sql(many, limit=3125)['data']) == 3125


def test_sql__next_of_a_post_holds_the_query(api, sandbox):
    """SERVICE.md, SQL; Links and lists."""
    body = {'query': 'SELECT name FROM dataset_{}'.format(sandbox.vehicles_id), 'limit': 3}
    page = api.post('/projects/1/sql', json=body)
    assert len(page['data']) == 3 and len(api.get(page['next'])['data']) == 2


def test_sql__get_does_not_write(api, sandbox):
    """SERVICE.md, SQL."""
    assert api.get('/projects/1/sql', 400, query='DELETE FROM dataset_1') == {
        'query': 'DELETE FROM dataset_1', 'error': 'cannot execute DELETE in a read-only transaction'}


def test_sql__writes(api, dataset):
    """SERVICE.md, SQL; GDAL's AmigoCloud driver: `total_rows`."""
    sql, table = '/projects/{}/sql'.format(dataset.split('/')[2]), 'dataset_' + dataset.rsplit('/', 1)[1]
    insert = "INSERT INTO {} (amigo_id, name) VALUES ('a', 'x'), ('b', 'x')".format(table)
    written = api.post(sql, json={'query': insert})
    assert written == {'query': insert, 'count': 2, 'total_rows': 2,
                       'new_state': api.get(dataset + '/master')['master']}
    delete = 'DELETE FROM {} WHERE name IS NOT NULL'.format(table)
    deleted = api.post(sql, json={'query': delete})
    assert (deleted['count'], sorted(deleted['amigo_ids'])) == (2, ['a', 'b'])
    again = api.post(sql, json={'query': delete})
    assert again == {'query': delete, 'count': 0, 'total_rows': 0}


def test_sql__levels(api, sandbox, as_other, dataset):
    """SERVICE.md, Tokens."""
    sql = '/projects/{}/sql'.format(dataset.split('/')[2])
    table = 'dataset_' + dataset.rsplit('/', 1)[1]
    insert, delete = "INSERT INTO {} (name) VALUES ('x')".format(table), 'DELETE FROM ' + table
    as_other(sandbox.read_token).post(sql, json={'query': 'SELECT 1'})
    as_other(sandbox.read_token).post(sql, 403, json={'query': insert})
    assert as_other(sandbox.create_token).post(sql, data={'query': insert})['count'] == 1
    for query in (delete, 'WITH x AS (SELECT 1) ' + delete, '/* SELECT */ ' + delete):
        as_other(sandbox.create_token).post(sql, 403, json={'query': query})
    assert as_other(sandbox.edit_token).post(sql, json={'query': delete})['count'] == 1


@pytest.mark.parametrize('query', [
    "SELECT pg_read_file('/etc/passwd')", "SELECT lo_import('/etc/passwd')", "COPY {0} TO PROGRAM 'id'",
    "COPY {0} FROM '/etc/passwd'", "SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t (x int)",
    'CREATE EXTENSION dblink', "SELECT set_config('role', 'sandbox', false)", 'SET ROLE sandbox', 'DROP TABLE {0}',
    'SELECT 1; DROP TABLE {0}', 'TRUNCATE {0}', 'CREATE TEMP TABLE x (y int)', 'COMMIT', "LOAD '/tmp/x.so'",
    "ATTACH '/etc/passwd' AS x", 'PRAGMA writable_schema = 1', "SELECT load_extension('/tmp/x.so')",
    "SELECT readfile('/etc/passwd')", 'SELECT * FROM sqlite_master', 'SELECT * FROM sandbox_states',
    'SELECT * FROM sandbox.states', 'DELETE FROM sandbox.states', 'DELETE FROM sandbox_states',
    'SELECT * FROM pg_authid'])
def test_sql__what_nobody_may_do(api, sandbox, query):
    """SERVICE.md, SQL: how it is refused; ours: what."""
    table, sql = 'dataset_{}'.format(sandbox.vehicles_id), '/projects/1/sql'
    query = query.format(table)
    for answer in (api.get(sql, 400, query=query), api.post(sql, 400, json={'query': query})):
        assert sorted(answer) == ['error', 'query']
    assert api.sql('SELECT count(*) FROM ' + table)['data'] == [{'count': 5}]


def test_sql__of_another_project_is_not_seen(api, sandbox, dataset):
    """SERVICE.md, SQL: a query is one of a project."""
    table, own = 'dataset_' + dataset.rsplit('/', 1)[1], dataset.split('/')[2]
    assert api.sql('SELECT * FROM ' + table, own)['count'] == 0
    for query in ('SELECT * FROM ' + table, "INSERT INTO {} (name) VALUES ('x')".format(table)):
        assert 'does not exist' in api.post('/projects/1/sql', 400, json={'query': query})['error']
    assert 'does not exist' in api.get('/projects/{}/sql'.format(own), 400, query='SELECT * FROM dataset_{}'.format(
        sandbox.vehicles_id))['error']


def test_sql__long_query_in_a_url(api, sandbox):
    query = "SELECT name FROM dataset_{} WHERE name <> '{}'".format(sandbox.vehicles_id, 'x' * 50000)
    assert api.sql(query)['count'] == 5


def test_sql__other_requests_are_answered_meanwhile(api, sandbox, make_api):
    slow = 'SELECT count(*) AS number FROM ' + ', '.join(
        '(VALUES (1), (2), (3)) AS t{}(x)'.format(number) for number in range(13))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(make_api(sandbox.url, sandbox.token).sql(slow, 2)))
    thread.start()
    meanwhile = 0
    while thread.is_alive():
        api.get('/me')
        meanwhile += 1
    thread.join()
    assert answers[0]['data'] == [{'number': 3 ** 13}] and meanwhile > 3


def test_change__insert_update_delete(api, dataset):
    """SERVICE.md, Changes, states, history."""
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
    """SERVICE.md, Changes, states, history."""
    change(api, dataset, type='DML', action='INSERT', data=[
        {'new': {'name': 'a'}, 'amigo_id': 'x1'}, {'new': {'name': 'b', 'amigo_id': 'x2'}},
        {'new': {'name': 'c'}, 'amigo_id': None}])
    found = {row['name']: row['amigo_id'] for row in rows_of(api, dataset)}
    assert (found['a'], found['b'], len(found['c'])) == ('x1', 'x2', 32)
    for amigo_id in ('x1', 5, ''):
        change(api, dataset, 400, type='DML', action='INSERT', data=[{'new': {'name': 'd'}, 'amigo_id': amigo_id}])


def test_change__as_large_as_gdal_sends_it(api, dataset):
    """SERVICE.md, GDAL's AmigoCloud driver; ours: where it ends."""
    row = {'new': {'name': 'x' * (15 * 1024 * 1024 - 1000)}}
    change(api, dataset, type='DML', action='INSERT', data=[row])
    assert api.get(dataset)['feature_count'] == 1
    refused = api.send('POST', dataset + '/submit_change', 400, data=b'"' + b'x' * (15 * 1024 * 1024) + b'"',
                       headers={'content-type': 'application/json'})
    assert refused.text.startswith('<!doctype html>')


def test_change__keeps_what_is_in_each_column(api):
    """SERVICE.md, me, projects, datasets: the types of columns."""
    kinds = ['string', 'number', 'float', 'real', 'integer', 'bigint', 'date', 'datetime', 'boolean', 'geometry']
    schema = [dict({'name': kind, 'type': kind}, nullable=True, visible=True) for kind in kinds]
    schema.append({'name': 'other place', 'type': 'geometry', 'geometry_type': 'POINTZ', 'nullable': True})
    answer = api.post('/projects/1/datasets/create', json={'name': 'kinds', 'schema': json.dumps(schema)})
    api.finished(answer)
    path, elsewhere = '/projects/1/datasets/{}'.format(answer['id']), '01010000A0E610' + '0' * 52
    assert [(column['name'], column['type']) for column in api.get(path + '/schema')['schema']] == [
        (kind, kind) for kind in kinds] + [('other place', 'geometry'), ('amigo_id', 'string')]
    new = dict(zip(kinds, [u'\u00e4', 0.5, 0.1, 0.5, -1, 2 ** 63 - 1, '2024-02-29', '2024-02-29 01:02:03.000004+00:00',
                           False, '0101000020E6100000000000000000F03F0000000000000040']), **{'other place': elsewhere})
    change(api, path, type='DML', action='INSERT', data=[{'new': new}, {'new': dict.fromkeys(new)}])
    full, empty = api.sql('SELECT * FROM dataset_{} ORDER BY string'.format(answer['id']))['data']
    assert {name: full[name] for name in new} == new
    assert {name: empty[name] for name in new} == dict.fromkeys(new)


def test_change__whole_or_not_at_all(api, dataset):
    """SERVICE.md, Changes, states, history; ours: the error."""
    change(api, dataset, type='DML', action='INSERT', data=[{'new': {'name': 'a'}}])
    before, states = rows_of(api, dataset), api.get(dataset + '/states')
    answer = change(api, dataset, 400, type='DML', action='UPDATE', data=[
        {'amigo_id': before[0]['amigo_id'], 'new': {'name': 'b'}}, {'amigo_id': 'zork', 'new': {'name': 'b'}}])
    assert answer == {'error': ['no row has the amigo_id "zork"']}
    assert rows_of(api, dataset) == before and api.get(dataset + '/states') == states


def test_change__columns(api, dataset):
    """SERVICE.md, Changes, states, history."""
    change(api, dataset, type='DML', action='INSERT', data=[{'new': {'name': 'a'}}])
    column = {'name': 'Size "m"', 'type': 'integer', 'nullable': False, 'default': 7}
    change(api, dataset, type='DDL', action='ADD COLUMN', data=[{'new': column}])
    project_id, table = dataset.split('/')[2], 'dataset_' + dataset.rsplit('/', 1)[1]
    assert api.sql('SELECT "Size ""m""" AS size FROM ' + table, project_id)['data'] == [{'size': 7}]
    described = api.get(dataset + '/schema')['schema'][-2]
    assert described == dict(column, alias=None, editable=True, visible=True)
    picklist = dict(described, choices=[{'code': 1, 'value': 'One'}])
    before = api.get(dataset + '/master')
    change(api, dataset, type='DDL', action='ALTER COLUMN', data=[{'new': picklist}])
    assert api.get(dataset + '/schema')['schema'][-2] == picklist and api.get(dataset + '/master') != before
    described = {'name': picklist['name'], 'type': 'integer', 'alias': 'Size'}
    change(api, dataset, type='DDL', action='ALTER COLUMN', data=[{'new': described}])
    assert api.get(dataset + '/schema')['schema'][-2] == dict(picklist, alias='Size')
    change(api, dataset, 400, type='DDL', action='ALTER COLUMN', data=[{'new': dict(picklist, type='string')}])
    change(api, dataset, 400, type='DDL', action='ALTER COLUMN', data=[{'new': dict(picklist, name='zork')}])
    change(api, dataset, type='DDL', action='DROP COLUMN', data=[{'old': {'name': 'Size "m"'}}])
    change(api, dataset, 400, type='DDL', action='DROP COLUMN', data=[{'old': {'name': 'Size "m"'}}])
    assert [column['name'] for column in api.get(dataset + '/schema')['schema']] == ['name', 'location', 'amigo_id']
    change(api, dataset, type='DML', action='UPDATE', data=[
        {'amigo_id': rows_of(api, dataset)[0]['amigo_id'], 'new': {'name': 'b'}}])
    assert [row['name'] for row in rows_of(api, dataset)] == ['b']


def test_state__older_one_is_still_read(api, dataset):
    """SERVICE.md, SQL; Changes, states, history; ours: which states are between two."""
    dataset_id = int(dataset.rsplit('/', 1)[1])
    change(api, dataset, type='DML', action='INSERT', data=[{'new': {'name': name}} for name in 'abc'])
    state = api.get(dataset + '/master')['master']
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
    states = api.get(dataset + '/states')['states']
    assert len(states) == 6 and states[1] == state and api.get(dataset + '/master') == {'master': states[-1]}
    empty = rows_of(api, dataset, state=states[0], dataset_id=dataset_id)
    assert empty == [] and sorted(row['name'] for row in rows_of(api, dataset)) == ['c', 'd', 'y']
    between = api.get(dataset + '/states', **{'from': states[1], 'to': states[3]})
    assert between == {'states': states[2:4]}
    api.get(dataset + '/states', 400, to='zork')


def test_state__reverted_one_after_the_other(api, dataset):
    """SERVICE.md, Changes, states, history: a script that undoes what was done since a state."""
    table, project_id = 'dataset_' + dataset.rsplit('/', 1)[1], dataset.split('/')[2]
    change(api, dataset, type='DML', action='INSERT', data=[
        {'amigo_id': name, 'new': {'name': name, 'location': 'POINT(1 2)'}} for name in 'ab'])
    before, state = rows_of(api, dataset), api.get(dataset + '/master')['master']
    for query in ("UPDATE {} SET name = 'z' WHERE name = 'a'", "DELETE FROM {} WHERE name = 'b'",
                  "INSERT INTO {} (amigo_id, name) VALUES ('c', 'c')", "UPDATE {} SET name = 'y' WHERE name = 'z'"):
        api.post('/projects/{}/sql'.format(project_id), json={'query': query.format(table)})
    change(api, dataset, type='DML', action='TRUNCATE', data=None)
    assert rows_of(api, dataset) == []
    states = api.get(dataset + '/states', **{'from': state, 'to': api.get(dataset + '/master')['master']})['states']
    found = [(part['action'], sorted(row['amigo_id'] for row in part['data']))
             for made in states for part in api.get(dataset + '/changeset', hash=made)['changeset']]
    assert found == [('UPDATE', ['a']), ('DELETE', ['b']), ('INSERT', ['c']), ('UPDATE', ['a']), ('DELETE', ['a', 'c'])]
    for made in reversed(states):
        assert list(api.post('{}/revert/{}'.format(dataset, made))) == ['job']
    assert sorted(rows_of(api, dataset), key=lambda row: row['name']) == before
    change(api, dataset, type='DDL', action='ADD COLUMN', data=[{'new': {'name': 'x', 'type': 'integer'}}])
    columns = api.get(dataset + '/master')['master']
    assert api.get(dataset + '/changeset', hash=columns)['changeset'][0]['action'] == 'ADD COLUMN'
    api.post('{}/revert/{}'.format(dataset, columns), 400)


def test_changeset__of_a_project(api, dataset):
    """SERVICE.md, Changes, states, history: GDAL empties a dataset so, the mobile apps send their forms."""
    entity = 'dataset_' + dataset.rsplit('/', 1)[1]
    project = '/projects/' + dataset.split('/')[2]
    changes = [{'type': 'DML', 'entity': entity, 'action': 'INSERT', 'parent': api.get(project)['hash'], 'data': [
        {'new': {}, 'amigo_id': None}]}]
    assert list(api.post(project + '/submit_changeset', json={'changeset': json.dumps(changes)})) == ['job']
    assert api.get(dataset)['feature_count'] == 1 and api.get(project)['hash'] != changes[0]['parent']
    emptied = [{'type': 'DML', 'entity': entity, 'parent': None, 'action': 'TRUNCATE', 'data': None}]
    api.post(project + '/submit_changeset', json={'changeset': json.dumps(emptied)})
    assert api.get(dataset)['feature_count'] == 0


def test_record_history(api, dataset):
    """SERVICE.md, me, projects, datasets; ours: it is not changed otherwise."""
    project_id, dataset_id = dataset.split('/')[2], int(dataset.rsplit('/', 1)[1])
    history, = [row for row in api.get('/projects/{}/datasets'.format(project_id))['results']
                if row['name'] == 'record_history']
    assert history['type'] == 'r_history'
    assert history['id'] == api.get('/projects/' + project_id)['history_dataset_id']
    change(api, dataset, type='DML', action='INSERT', data=[{'new': {'name': name}} for name in 'ab'])
    api.post('/projects/{}/sql'.format(project_id), json={
        'query': "DELETE FROM dataset_{} WHERE name = 'a'".format(dataset_id)})
    rows = api.sql('SELECT dataset_id, change_date, change_type, who_changed_custom_id FROM dataset_{} '
                   'ORDER BY change_date, change_type'.format(history['id']), project_id)['data']
    assert [(row['dataset_id'], row['change_type'], row['who_changed_custom_id']) for row in rows] == [
        (dataset_id, 'inserted', 'ada')] * 2 + [(dataset_id, 'deleted', 'ada')]
    assert rows[0]['change_date'][10] == ' '
    path = '/projects/{}/datasets/{}'.format(project_id, history['id'])
    change(api, path, 403, type='DDL', action='DROP COLUMN', data=[{'old': {'name': 'change_date'}}])
    change(api, path, 403, type='DML', action='TRUNCATE', data=None)
    for method in ('PATCH', 'DELETE'):
        api.send(method, path, 403, json={'name': 'other'})


@pytest.mark.parametrize('kind, start', [
    ('csv', b'name,kind,seats,location,amigo_id'), ('GEOJSON', b'{'), ('kml', b'<?xml'), ('SHP', b'PK')])
def test_export(api, sandbox, as_other, kind, start):
    """SERVICE.md, Jobs, exports, tiles, maps; ours: the formats, and how the file is named."""
    export = api.get('/projects/1/datasets/{}'.format(sandbox.vehicles_id))['export']
    statuses, extra = api.finished(api.post(export, json={'format': kind}))
    assert statuses[-1] == 'SUCCESS'
    assert api.send('GET', extra['link'] + '?token=' + api.token).content
    answer = as_other(None).send('GET', extra['link'])
    name = 'vehicles.' + ('zip' if kind == 'SHP' else kind.lower())
    assert answer.headers['Content-Disposition'] == 'attachment; filename="{}"'.format(name)
    assert answer.content.startswith(start)
