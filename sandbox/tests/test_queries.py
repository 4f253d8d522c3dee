"""The sandbox answers what PostGIS answers, or on SQLite refuses it."""
import datetime
import decimal
import json
import os
import re

import psycopg
import pytest
from api_client import Api
from psycopg.types.string import TextLoader

from amigocloud_sandbox import Sandbox

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']

PARCELS = [('name', 'string', 'text'), ('owner', 'string', 'text'), ('crop', 'string', 'text'),
           ('area_ha', 'number', 'numeric'), ('yield', 'float', 'double precision'), ('score', 'real', 'real'),
           ('plot_no', 'integer', 'integer'), ('big', 'bigint', 'bigint'), ('planted', 'date', 'date'),
           ('updated', 'datetime', 'timestamptz'), ('opens', 'time', 'time'), ('active', 'boolean', 'boolean'),
           ('geom', 'polygon', 'geometry(Polygon, 4326)')]
VISITS = [('parcel', 'string', 'text'), ('inspector', 'string', 'text'), ('visited', 'datetime', 'timestamptz'),
          ('day', 'date', 'date'), ('note', 'string', 'text'), ('rating', 'integer', 'integer'),
          ('cost', 'number', 'numeric'), ('attrs', 'string', 'text'), ('location', 'point', 'geometry(Point, 4326)')]
ROADS = [('name', 'string', 'text'), ('lanes', 'integer', 'integer'),
         ('line', 'line', 'geometry(LineString, 4326)')]
OWNERS = ['Ana Rivera', "Tom O'Hara", u'José Quispe', None]
CROPS = ['soy', 'maize', 'wheat', None, 'soy']


def parcel(number):
    west, south = -63.2 + 0.03 * (number % 4), -17.9 + 0.05 * (number // 4)
    return {
        'amigo_id': 'p{:02d}'.format(number), 'name': (u'P-{:02d}' if number < 10 else u'Ñu {}').format(number),
        'owner': OWNERS[number % 4], 'crop': CROPS[number % 5], 'area_ha': None if number == 7 else str(number * 1.25),
        'yield': None if number == 8 else number / 3.0, 'score': number / 8.0, 'plot_no': number,
        'big': 10 ** 10 + number, 'planted': '2024-{:02d}-15'.format(1 + number % 9),
        'updated': '2024-03-{:02d} {:02d}:30:00{}+00:00'.format(number + 1, number, '.25' if number % 3 else ''),
        'opens': '{:02d}:15:00'.format(6 + number % 4), 'active': None if number == 9 else number % 3 != 0,
        'geom': 'SRID=4326;POLYGON(({0} {1},{2} {1},{2} {3},{0} {3},{0} {1}))'.format(
            west, south, west + 0.02 + 0.01 * (number % 3), south + 0.03)}


def visit(number):
    return {
        'amigo_id': 'v{:02d}'.format(number), 'parcel': None if number == 5 else 'p{:02d}'.format(1 + number % 8),
        'inspector': ['Eva', 'Luis', u'Zoë'][number % 3],
        'visited': '2024-0{}-{:02d} 1{}:05:06+00:00'.format(1 + number % 4, number + 1, number % 10),
        'day': '2024-02-{:02d}'.format(number + 1), 'note': u'día {}'.format(number) if number % 2 else None,
        'rating': None if number == 3 else 1 + number % 5, 'cost': str(number * 10.5),
        'attrs': '{{"soil": "{}", "depth": {}, "more": [{}, null]}}'.format(
            ['clay', 'loam'][number % 2], number / 2, number) if number % 3 else None,
        'location': None if number == 6 else 'SRID=4326;POINT({} {})'.format(
            -63.19 + 0.013 * number, -17.88 + 0.011 * number)}


def road(number):
    line = 'SRID=4326;LINESTRING(-63.3 {0},-63.15 {1},-63 {0})'.format(-17.9 + 0.04 * number, -17.88 + 0.04 * number)
    return {'amigo_id': 'r{}'.format(number), 'name': 'Road {}'.format(number), 'lanes': number, 'line': line}


#: The types of PostgreSQL for those of the service in the tables of sites.
KINDS = {'number': 'numeric', 'float': 'double precision', 'datetime': 'timestamptz', 'string': 'text',
         'point': 'geometry(Point, 4326)', 'polygon': 'geometry(Polygon, 4326)'}
SITES = [(name, kind, KINDS.get(kind, kind)) for name, kind in (
    ('name', 'string'), ('kind', 'string'), ('seats', 'integer'), ('visitors', 'bigint'), ('price', 'number'),
    ('height', 'float'), ('small', 'real'), ('opened', 'date'), ('checked', 'datetime'), ('starts', 'time'),
    ('active', 'boolean'), ('Big Name', 'string'), ('geom', 'point'))]
SITE_VISITS = [(name, kind, KINDS.get(kind, kind)) for name, kind in (
    ('site', 'string'), ('day', 'date'), ('number', 'integer'), ('cost', 'number'), ('note', 'string'),
    ('area', 'polygon'))]
SITE_ROWS = [
    ('a1', 'Castle', 'museum', 40, 3000000000, '9.50', 12.5, 0.1, '2018-09-12', '2020-06-01 12:00:00+00:00', '08:30:00',
     True, 'Ω', 'SRID=4326;POINT(1 2)'),
    ('a2', 'castle ruin', 'museum', 12, 12, '100.25', 3.25, 1.5, '2019-02-28', '2020-06-01 11:59:59.5+00:00',
     '07:00:00', False, '', 'SRID=4326;POINT(3.5 4)'),
    ('a3', 'Bahía', 'park', None, None, None, None, None, None, None, None, None, None, None),
    ('a4', '50% park', 'park', 7, 700, '0.3', 0.1, 0.25, '2020-02-29', '2021-12-31 23:00:00-02:00', '12:00:00',
     True, 'x', 'SRID=4326;POINT(11 11)'),
    ('a5', 'archive', None, 40, 5, '9.5', -2.5, -3, '2017-01-01', '2016-03-04 05:06:07+00:00', None, False, None,
     'SRID=4326;POINT(-70 -20)'),
    ('a6', 'Zoo', '', 3, 2147483648, '20', 100, 1e10, '2019-12-31', '2019-01-01 00:00:00+00:00', '23:59:59', None, 'y',
     'SRID=4326;POINT(10 10)'),
    ('a7', 'a b', 'park', 25, 0, '-3', 1e-5, 7, '2019-02-01', None, '08:00:00', True, None, 'SRID=4326;POINT(0 0)')]
SITE_VISIT_ROWS = [
    ('v1', 'a1', '2020-01-01', 5, '10.10', 'first', 'SRID=4326;POLYGON((0 0,4 0,4 4,0 4,0 0))'),
    ('v2', 'a1', '2020-02-01', 2, '0.90', 'second', 'SRID=4326;POLYGON((10 10,12 10,12 12,10 10))'),
    ('v3', 'a2', '2020-01-15', 4, None, 'only', None),
    ('v4', None, None, None, '3', None, 'SRID=4326;POLYGON((-80 -30,-60 -30,-60 -10,-80 -10,-80 -30))')]


def as_dicts(columns, rows):
    return [dict(zip(['amigo_id', *[name for name, _, _ in columns]], row)) for row in rows]


TABLES = [(PARCELS, [parcel(number) for number in range(1, 13)]), (VISITS, [visit(number) for number in range(1, 15)]),
          (ROADS, [road(number) for number in range(1, 5)]), (SITES, as_dicts(SITES, SITE_ROWS)),
          (SITE_VISITS, as_dicts(SITE_VISITS, SITE_VISIT_ROWS))]


def statements():
    with open(os.path.join(os.path.dirname(__file__), 'queries.sql'), encoding='utf-8') as file:
        text = re.sub('(?m)^--.*\n', '', file.read())
    return [statement.strip() for statement in re.split(r';\n', text) if statement.strip()]


WRITES = [statement for statement in statements() if re.match('(UPDATE|INSERT|DELETE|WITH (gone|low))', statement)]
READS = [statement for statement in statements() if statement not in WRITES]


@pytest.fixture(scope='module')
def postgis(cluster):
    """A database with the same tables that nothing of the sandbox has touched."""
    with psycopg.connect(cluster.dsn, autocommit=True) as admin:
        admin.execute('CREATE DATABASE direct')
    with psycopg.connect(cluster.dsn, dbname='direct', autocommit=True,
                         options='-c timezone=UTC -c cursor_tuple_fraction=1') as connection:
        connection.execute('CREATE EXTENSION postgis')
        # What has no counterpart in JSON is compared as PostgreSQL writes it.
        for name in ('interval', 'bytea'):
            connection.adapters.register_loader(name, TextLoader)
        for number, (columns, rows) in enumerate(TABLES, 1):
            connection.execute('CREATE TABLE dataset_{} ({}, amigo_id varchar(32) PRIMARY KEY)'.format(
                number, ', '.join('"{}" {}'.format(name, kind) for name, _, kind in columns)))
            for row in rows:
                connection.execute('INSERT INTO dataset_{} ({}) VALUES ({})'.format(
                    number, ', '.join('"{}"'.format(name) for name in row), ', '.join(['%s'] * len(row))),
                    list(row.values()))
        yield connection


@pytest.fixture(scope='module', params=['postgresql', 'sqlite'])
def api(request, cluster):
    """A sandbox with the tables in a new project, whose datasets are numbered on from those of its first."""
    database = cluster.dsn if request.param == 'postgresql' else 'sqlite'
    with Sandbox(database=database, job_seconds=0) as sandbox:
        api = Api(sandbox.url, sandbox.token)
        api.engine = request.param
        project = api.post('/me/projects', 201, json={'name': 'queries'})
        api.path = '/projects/{}'.format(project['id'])
        for number, (columns, _) in enumerate(TABLES, 1):
            schema = [{'name': name, 'type': kind} for name, kind, _ in columns]
            made = api.post(api.path + '/datasets/create', json={'name': 'table', 'schema': schema})
            api.finished(made)
            api.first = made['id'] - number + 1
            fill(api, number)
        yield api
        api.session.close()


def fill(api, number):
    """Give a table its rows anew."""
    entity = 'dataset_{}'.format(api.first + number - 1)
    changeset = [{'type': 'DML', 'entity': entity, 'action': 'TRUNCATE', 'data': None},
                 {'type': 'DML', 'entity': entity, 'action': 'INSERT',
                  'data': [{'new': row} for row in TABLES[number - 1][1]]}]
    api.post(api.path + '/submit_changeset', json={'changeset': json.dumps(changeset)})


def renumbered(text, api):
    """Name the tables as the sandbox does."""
    return re.sub(r'(?i)(dataset_)([1-5])(?!\d)', lambda found: found.group(1) + str(
        int(found.group(2)) + api.first - 1), text)


def plain(value):
    """Return a value of psycopg as the service writes it in JSON."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent >= 0 else float(value)
    if isinstance(value, float) and value != value:
        return 'NaN'
    if isinstance(value, (datetime.date, datetime.time)):
        return str(value)
    return value


def asked(postgis, statement):
    """Return the columns' names, the rows and the count of PostGIS, or its error."""
    try:
        cursor = postgis.execute(statement)
    except psycopg.Error as error:
        return error.diag.message_primary
    names = [column.name for column in cursor.description or ()]
    return names, [dict(zip(names, map(plain, row))) for row in cursor] if names else [], cursor.rowcount


def send(api, method, statement):
    """Return what `asked` does, or the error, of the sandbox."""
    api.session.cookies.clear()
    response = api.session.request(method, api.url + '/api/v1' + api.path + '/sql', timeout=60, params={
        'token': api.token, 'query': renumbered(statement, api), 'limit': 1000})
    answer = response.json()
    if response.status_code != 200:
        assert response.status_code == 400, answer
        return answer['error']
    return [column['name'] for column in answer.get('columns', [])], answer.get('data', []), answer['count']


def agree(api, statement, got, expected):
    """Tell whether the sandbox answers as it should."""
    if isinstance(got, str) and api.engine == 'sqlite':
        return True
    if isinstance(expected, str) or isinstance(got, str):
        return got == renumbered(expected, api) if isinstance(expected, str) else False
    names, rows, count = expected
    if 'table_name' in names or 'f_table_name' in names:
        rows = [{name: renumbered(value, api) if isinstance(value, str) else value
                 for name, value in row.items()} for row in rows]
    if 'ORDER BY' not in statement:
        rows, got = sorted(rows, key=repr), (got[0], sorted(got[1], key=repr), got[2])
    return got == (names, rows, count)


def test_there_are_many():
    assert len(READS) > 500 and len(WRITES) > 60


def test_reads(postgis, api):
    answers = [(statement, send(api, 'GET', statement), asked(postgis, statement)) for statement in READS]
    assert [answer for answer in answers if not agree(api, *answer)] == []
    assert sum(not isinstance(got, str) for _, got, _ in answers) > 160


def test_writes(postgis, api):
    """Each finds the tables as they were made."""
    wrong, refused = [], 0
    for statement in WRITES:
        got, expected = send(api, 'POST', statement), asked(postgis, 'BEGIN')
        expected = asked(postgis, statement)
        refused += isinstance(got, str)
        if not agree(api, statement, got, expected):
            wrong.append((statement, got, expected))
        elif not isinstance(got, str):
            number = int(re.search(r'dataset_(\d)', statement).group(1))
            left = 'SELECT * FROM dataset_{} ORDER BY amigo_id'.format(number)
            answers = send(api, 'GET', left), asked(postgis, left)
            if answers[0] != answers[1]:
                wrong.append((statement, *answers))
            fill(api, number)
        postgis.execute('ROLLBACK')
    assert wrong == [] and refused < len(WRITES) * 2 / 3
