# -*- coding: utf-8 -*-
"""What users' public scripts do, written as they write it: with the names of release 1.2.5, JSON and SQL by hand."""
import datetime
import io
import json
import re
import time
import urllib.parse

import pytest
from PIL import Image

from amigocloud import AmigoCloud, AmigoCloudError

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']

SCHEMA = [{'name': 'name', 'type': 'string', 'nullable': True, 'visible': True},
          {'name': 'height', 'type': 'float', 'nullable': True, 'visible': True},
          {'name': 'planted', 'type': 'datetime', 'nullable': True, 'visible': True},
          {'name': 'location', 'type': 'geometry', 'geometry_type': 'POINT', 'nullable': True, 'visible': True}]
#: About 110 m by 111 m near the equator.
PLOTS = 'name,shape\nnorth,"POLYGON((0 0,0.001 0,0.001 0.001,0 0.001,0 0))"\nsouth,"POLYGON((5 5,6 5,6 6,5 6,5 5))"\n'
MOOVBOX = """<?xml version="1.0"?>
<gps id="{vehicle}"><coordinates><coordinate><fix>1</fix><time>{time}</time><latitude>{latitude}</latitude>
<longitude>{longitude}</longitude><altitude>12</altitude><climb>0</climb><speed>30</speed><separation>0</separation>
<track>90</track><satellites>9</satellites></coordinate></coordinates></gps>"""


class Enough(Exception):
    """Raised by a callback, which ends the listening."""


def pytest_generate_tests(metafunc):
    if 'sandbox' in metafunc.fixturenames:
        metafunc.parametrize('sandbox', ['sqlite', 'postgresql'], indirect=True, scope='module')


@pytest.fixture
def connect(sandbox):
    made = []

    def connect_with(**settings):
        made.append(AmigoCloud(token=sandbox.token, base_url=sandbox.url, **settings))
        return made[-1]
    yield connect_with
    for client in made:
        client.close()


@pytest.fixture
def amigocloud(connect):
    return connect(use_websockets=False)


@pytest.fixture
def project(amigocloud):
    return amigocloud.post('me/projects', {'name': 'Scripts'})


@pytest.fixture
def trees(amigocloud, project):
    """A dataset that a script has created."""
    created = amigocloud.post(project['create_dataset'], {'name': 'trees', 'schema': json.dumps(SCHEMA)})
    wait(amigocloud, created)
    return amigocloud.get(created['url'])


def wait(amigocloud, answer):
    """Ask for a job until it ends, and return its extra."""
    deadline = time.time() + 60
    while time.time() < deadline:
        job = amigocloud.get('/me/jobs/' + answer['job'])
        if job['status'] not in ('PENDING', 'STARTED'):
            assert job['status'] == 'SUCCESS', job
            return job['extra']
    raise AssertionError('The job does not end.')


def run(amigocloud, project, query):
    return amigocloud.post(project['sql'], {'query': query})


def plant(amigocloud, project, trees, *names):
    """Insert rows as notebooks do, one statement for each; return the rows by name."""
    for number, name in enumerate(names):
        query = ("INSERT INTO {} (name, height, planted, location) VALUES ('{}', {}, '2026-01-0{} 10:30:00', "
                 "ST_GeomFromText('POINT({} {})', 4326))".format(
                     trees['table_name'], name.replace("'", "''"), number + 0.5, number + 1, -63.1 - number, -17.8))
        assert run(amigocloud, project, query)['count'] == 1
    return rows_of(amigocloud, project, trees)


def rows_of(amigocloud, project, dataset):
    cursor = amigocloud.get_cursor(project['sql'], {'query': 'SELECT * FROM {}'.format(dataset['table_name'])})
    return {row['name']: row for row in cursor}


def submit(amigocloud, dataset, kind, action, data):
    change = {'type': kind, 'entity': dataset['table_name'], 'action': action, 'data': data,
              'parent': amigocloud.get(dataset['master'])['master']}
    wait(amigocloud, amigocloud.post(dataset['submit_change'], {'change': json.dumps(change)}))


def test_columns_are_added_made_picklists_and_dropped(amigocloud, project, trees):
    """SERVICE.md, Changes, states, history."""
    plant(amigocloud, project, trees, 'oak', 'ash')
    for column in ({'name': 'state', 'type': 'string', 'nullable': False, 'default': 'good'},
                   {'name': 'notes', 'type': 'string', 'nullable': True, 'default': None}):
        submit(amigocloud, trees, 'DDL', 'ADD COLUMN', [{'new': column}])
    assert [(row['state'], row['notes']) for row in rows_of(amigocloud, project, trees).values()] == [
        ('good', None)] * 2
    schema = amigocloud.get(trees['schema'])['schema']
    column = next(column for column in schema if column['name'] == 'state')
    column['choices'] = [{'code': 'good', 'value': 'Good'}, {'code': 'bad', 'value': 'Bad'}]
    submit(amigocloud, trees, 'DDL', 'ALTER COLUMN', [{'new': column}])
    submit(amigocloud, trees, 'DDL', 'DROP COLUMN', [{'old': {'name': 'notes'}}])
    schema = amigocloud.get(trees['schema'])['schema']
    assert [column['name'] for column in schema] == ['name', 'height', 'planted', 'location', 'state', 'amigo_id']
    assert schema[-2]['choices'] == column['choices']
    assert schema[-1]['default'] == 'GENERATE_UUID'
    assert plant(amigocloud, project, trees, 'elm')['elm']['state'] == 'good'


def test_rows_are_changed_by_submit_change(amigocloud, project, trees):
    """SERVICE.md, Changes, states, history."""
    rows = plant(amigocloud, project, trees, 'oak', 'ash')
    submit(amigocloud, trees, 'DML', 'INSERT', [{'new': {
        'name': 'elm', 'height': 2, 'location': 'SRID=4326;POINT(-63 -17)'}}])
    submit(amigocloud, trees, 'DML', 'UPDATE', [{'amigo_id': rows['oak']['amigo_id'], 'new': {'height': 30}}])
    submit(amigocloud, trees, 'DML', 'DELETE', [{'amigo_id': rows['ash']['amigo_id']}])
    rows = rows_of(amigocloud, project, trees)
    assert {name: row['height'] for name, row in rows.items()} == {'elm': 2, 'oak': 30}
    submit(amigocloud, trees, 'DML', 'TRUNCATE', None)
    assert amigocloud.get(trees['url'])['feature_count'] == 0


def test_changes_are_reverted(amigocloud, project, trees):
    """SERVICE.md, Changes, states, history."""
    before = plant(amigocloud, project, trees, 'oak', 'ash', 'elm')
    good = amigocloud.get(trees['master'])['master']
    run(amigocloud, project, "DELETE FROM {} WHERE name = 'oak'".format(trees['table_name']))
    run(amigocloud, project, 'UPDATE {} SET height = 0, location = NULL'.format(trees['table_name']))
    submit(amigocloud, trees, 'DML', 'INSERT', [{'new': {'name': 'by mistake'}}])
    assert sorted(rows_of(amigocloud, project, trees)) == ['ash', 'by mistake', 'elm']
    bad = amigocloud.get(trees['master'])['master']
    states = amigocloud.get('{}?from={}&to={}'.format(trees['states'], good, bad))['states']
    deleted = json.dumps(amigocloud.get(trees['changeset'], {'hash': states[0]})['changeset'])
    assert before['oak']['amigo_id'] in deleted and before['ash']['amigo_id'] not in deleted
    for state in reversed(states):
        wait(amigocloud, amigocloud.post('{}/revert/{}'.format(trees['url'], state)))
    assert rows_of(amigocloud, project, trees) == before


def test_history_of_the_records(amigocloud, project, trees):
    """SERVICE.md, me, projects, datasets; SQL."""
    plant(amigocloud, project, trees, 'oak', 'ash')
    run(amigocloud, project, "UPDATE {} SET height = 9 WHERE name = 'oak'".format(trees['table_name']))
    history, = [row for row in amigocloud.get_cursor(project['datasets']) if row['name'] == 'record_history']
    week_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=7)
    query = ("SELECT change_type, count(*) AS number, max(change_date) AS last FROM dataset_{} WHERE dataset_id = {} "
             "AND change_date > '{}' AND who_changed_custom_id = '{}' GROUP BY change_type".format(
                 history['id'], trees['id'], week_ago, amigocloud.get('me')['custom_id']))
    rows = {row['change_type']: row for row in amigocloud.get(project['sql'], {'query': query})['data']}
    assert rows['inserted']['number'] == 2
    last = datetime.datetime.strptime(rows['inserted']['last'][:19], '%Y-%m-%d %H:%M:%S')
    assert last <= datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def test_notebook__rows_by_sql_strings(amigocloud, project, trees):
    """SERVICE.md, How it is used today; SQL."""
    rows = plant(amigocloud, project, trees, 'oak', u'Ñandú', "O'Hara's")
    table = trees['table_name']
    assert datetime.datetime.strptime(rows['oak']['planted'], '%Y-%m-%d %H:%M:%S+00:00').hour == 10
    for name, row in rows.items():
        done = run(amigocloud, project, "UPDATE {} SET height = {}, location = ST_GeomFromText('POINT({} {})', 4326) "
                   "WHERE amigo_id = '{}'".format(table, len(name), -60.5, -15.25, row['amigo_id']))
        assert done['count'] == 1
    answer = amigocloud.get(project['sql'], {
        'query': "SELECT name, height, ST_X(location) AS x, ST_Y(location) AS y FROM {} WHERE planted > '2026-01-01 "
                 "12:00:00' ORDER BY name".format(table)})
    assert answer['data'] == [{'name': "O'Hara's", 'height': 8, 'x': -60.5, 'y': -15.25},
                              {'name': u'Ñandú', 'height': 5, 'x': -60.5, 'y': -15.25}]
    assert [answer[name] for name in ('count', 'limit', 'offset', 'next')] == [2, 100, 0, None]
    assert [(column['type'], column['name']) for column in answer['columns']] == [
        ('string', 'name'), ('float', 'height'), ('float', 'x'), ('float', 'y')]
    deleted = run(amigocloud, project, "DELETE FROM {} WHERE name = 'oak'".format(table))
    assert deleted['amigo_ids'] == [rows['oak']['amigo_id']]
    with pytest.raises(AmigoCloudError) as caught:
        run(amigocloud, project, 'SELECT zork FROM {}'.format(table))
    refused = json.loads(caught.value.text)
    assert sorted(refused) == ['error', 'query'] and 'zork' in refused['error']


def test_notebook__documents_with_photos(amigocloud, project, trees, tmp_path):
    """SERVICE.md, Galleries and related tables; How it is used today."""
    rows = plant(amigocloud, project, trees, 'oak', 'ash')
    gallery = amigocloud.post(trees['related_tables'], {'name': 'photos', 'type': 'gallery'})
    photos = {}
    for name, file_name in (('oak', 'front left.png'), ('oak', u'Árbol #1 (50%).png'), ('ash', 'a+b&c.png')):
        path = tmp_path / file_name
        Image.new('RGB', (900, 300 + len(photos)), 'green').save(str(path))
        photos[file_name] = path.read_bytes()
        amigocloud.upload_gallery_photo(gallery['id'], rows[name]['amigo_id'], str(path))
    entries = amigocloud.get('related_tables/{}/entries'.format(gallery['id']), {
        'source_amigo_id': rows['oak']['amigo_id']})
    assert [entry['filename'] for entry in entries['data']] == ['front left.png', u'Árbol #1 (50%).png']
    assert amigocloud.get(trees['related_tables'])['results'] == [gallery]
    query = ('SELECT t.name, g.amigo_id, g.source_amigo_id, g.filename, g.datetime FROM {} t '
             'LEFT JOIN {} g ON g.source_amigo_id = t.amigo_id'.format(trees['table_name'], gallery['table_name']))
    found = {}
    for row in amigocloud.get_cursor(project['sql'], {'query': query}):
        path = 'related_tables/{}/files/{}/{}/{}'.format(
            gallery['id'], row['source_amigo_id'], row['amigo_id'], urllib.parse.quote(row['filename']))
        found[row['filename']] = amigocloud.get(path, raw=True)
        smaller = Image.open(io.BytesIO(amigocloud.get(path + '?medium', raw=True)))
        assert max(smaller.size) < 900
    assert found == photos


def test_saved_query_is_run_by_its_number(amigocloud, project, trees, sandbox):
    """SERVICE.md, SQL; How it is used today."""
    plant(amigocloud, project, trees, 'oak', 'ash')
    saved = amigocloud.post(sandbox.url + '/sandbox/queries', {
        'project_id': project['id'], 'name': 'tall', 'query': 'SELECT name FROM {} WHERE height > 1'.format(
            trees['table_name'])})
    query = amigocloud.get('users/{}/projects/{}/queries/{}'.format(
        project['owner_id'], project['id'], saved['id']))['query']
    assert amigocloud.get(project['sql'], {'query': query})['data'] == [{'name': 'ash'}]


def test_file_is_imported_and_exported(amigocloud, project, tmp_path):
    """SERVICE.md, Jobs, exports, tiles, maps."""
    (tmp_path / 'plots.csv').write_text(PLOTS)
    job = amigocloud.upload_datafile(project['owner_id'], project['id'], str(tmp_path / 'plots.csv'))
    dataset_id, = wait(amigocloud, job)['dataset_ids']
    dataset = amigocloud.get('users/{}/projects/{}/datasets/{}'.format(project['owner_id'], project['id'], dataset_id))
    assert (dataset['feature_count'], dataset['boundingbox']) == (2, 'BOX(0 0,6 6)')
    for kind, name in (('CSV', 'plots.csv'), ('KML', 'plots.kml')):
        link = wait(amigocloud, amigocloud.post(dataset['export'], {'format': kind}))['link']
        answer = amigocloud.get(link, stream=True)
        assert re.search('filename="(.+?)"', answer.headers['Content-Disposition']).group(1) == name
        assert b'north' in answer.content
        answer.close()


def test_areas_by_geography(amigocloud, project, tmp_path, sandbox):
    """SERVICE.md, SQL."""
    if not sandbox.engine.startswith('PostgreSQL'):
        pytest.skip('SQLite knows no geography, and refuses it')
    (tmp_path / 'plots.csv').write_text(PLOTS)
    job = amigocloud.upload_datafile(project['owner_id'], project['id'], str(tmp_path / 'plots.csv'))
    dataset_id, = wait(amigocloud, job)['dataset_ids']
    rows = list(amigocloud.get_cursor(project['sql'], {'query': (
        'SELECT name, round((ST_Area(shape::geography) / 10000)::numeric, 2) AS hectares, '
        'GeometryType(ST_Buffer(shape::geography, 100000)::geometry) AS around, '
        '(SELECT ST_Extent(shape) FROM dataset_{0})::text AS extent, '
        "Find_SRID('public', 'dataset_{0}', 'shape') AS srid "
        'FROM dataset_{0} ORDER BY ST_Area(shape::geography)').format(dataset_id)}))
    assert rows[0] == {'name': 'north', 'hectares': 1.23, 'around': 'POLYGON', 'extent': 'BOX(0 0,6 6)', 'srid': 4326}
    assert 1200000 < rows[1]['hectares'] < 1240000


def test_vehicle_moves_while_a_script_listens(connect, sandbox):
    """SERVICE.md, Jobs, exports, tiles, maps; Events."""
    pytest.importorskip('socketIO_client', reason='the events of the library need it')
    amigocloud = connect()
    vehicles = amigocloud.get('users/0/projects/0/datasets/{}'.format(sandbox.vehicles_id))
    amigocloud.listen_dataset_events(sandbox.user_id, sandbox.project_id, sandbox.vehicles_id)
    assert amigocloud.get(sandbox.url + '/sandbox/listeners', {'at_least': 1}) == {'listeners': 1}
    for step in range(3):
        point = MOOVBOX.format(vehicle='truck 5', time='2026-01-02T03:04:0{}Z'.format(step), latitude=-17.8 + step,
                               longitude=-63.25)
        content_type = 'application/xml' if step else None
        amigocloud.post(vehicles['url'] + '/realtime', point, send_as_json=False, content_type=content_type)
    seen = []

    def realtime(event):
        seen.extend((event['dataset_id'], point['object_id'], round(point['latitude'], 6), point['longitude'])
                    for point in event['data'])
        if len(seen) == 3:
            raise Enough

    amigocloud.add_callback('realtime', realtime)
    with pytest.raises(Enough):
        amigocloud.start_listening(seconds=60)
    assert seen == [(sandbox.vehicles_id, 'truck 5', latitude, -63.25) for latitude in (-17.8, -16.8, -15.8)]


def test_addresses_become_points(amigocloud, sandbox):
    """SERVICE.md, Jobs, exports, tiles, maps: the sample gives its ids as texts."""
    amigocloud.geocode_addresses(str(sandbox.project_id), str(sandbox.places_id), 'address', 'location',
                                 country='US')
    query = 'SELECT count(location) AS found, count(*) AS rows FROM dataset_{}'.format(sandbox.places_id)
    row, = amigocloud.get('projects/{}/sql'.format(sandbox.project_id), {'query': query})['data']
    assert 0 < row['found'] < row['rows']


def test_datasets_of_a_project_are_copied_into_another(amigocloud, project, sandbox):
    """SERVICE.md, Links and lists; me, projects, datasets; Changes, states, history."""
    source = amigocloud.get('users/{}/projects/{}/'.format(sandbox.user_id, sandbox.project_id))
    copied = {}
    for summary in amigocloud.get_cursor(source['datasets'], {'summary': '', 'type': 'vector', 'limit': 1}):
        dataset = amigocloud.get(summary['url'])
        schema = amigocloud.get(dataset['schema'])['schema']
        made = amigocloud.post(project['create_dataset'], {'name': dataset['name'], 'schema': json.dumps(schema)})
        wait(amigocloud, made)
        rows = list(amigocloud.get_cursor(source['sql'], {'query': 'SELECT * FROM ' + dataset['table_name']}))
        copy = amigocloud.get(made['url'])
        submit(amigocloud, copy, 'DML', 'INSERT', [
            {'amigo_id': row['amigo_id'], 'new': {name: row[name] for name in row if name != 'amigo_id'}}
            for row in rows])
        copied[dataset['name']] = list(amigocloud.get_cursor(
            project['sql'], {'query': 'SELECT * FROM {} ORDER BY amigo_id'.format(copy['table_name'])}))
        assert copied[dataset['name']] == sorted(rows, key=lambda row: row['amigo_id'])
        assert amigocloud.get(copy['schema'])['schema'] == schema
    assert {name: len(rows) for name, rows in copied.items()} == {'vehicles': 5, 'places': 9}
