"""The sandbox's database takes PostGIS SQL as users of the service write it, and answers as the service does."""
import tempfile
import threading

import pytest

from amigocloud_sandbox.sql.databases import open_engine
from amigocloud_sandbox.sql.sqlite import database as sqlite
from amigocloud_sandbox.sql.types import SQLError

pytestmark = pytest.mark.slow

SCHEMA = [{'name': 'name', 'type': 'text'}, {'name': 'size', 'type': 'integer'}, {'name': 'open', 'type': 'boolean'},
          {'name': 'made', 'type': 'datetime'}, {'name': 'Big Name', 'type': 'string'},
          {'name': 'geom', 'type': 'point'}]
POINT_1_2 = '0101000020E6100000000000000000F03F0000000000000040'


@pytest.fixture(scope='module', params=['sqlite', 'postgresql'])
def engine(request):
    # Not below the folder of pytest, which only its user may enter.
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(folder, 'sqlite' if request.param == 'sqlite' else None, forget=True)
        if request.param == 'postgresql' and not engine.name.startswith('PostgreSQL'):
            pytest.skip(engine.name)
        yield engine
        engine.close()


@pytest.fixture
def database(engine):
    """A project's database with one dataset."""
    database = engine.database(1)
    for dataset_id in (1, 2):
        database.forget(dataset_id)
    database.create(1, SCHEMA, [
        {'amigo_id': 'a1', 'name': "O'Neil's", 'size': 5, 'open': True, 'made': '2020-01-02 03:04:05+00:00',
         'geom': 'POINT(1 2)'},
        {'amigo_id': 'a2', 'name': 'bakery', 'size': None, 'open': False,
         'geom': {'type': 'Point', 'coordinates': [3, 4]}},
        {'amigo_id': 'a3', 'name': 'Castle', 'size': 7}])
    return database


def read(database, query, limit=100, offset=0):
    return asked(lambda: database.read(query, limit, offset))


def write(database, query):
    return asked(lambda: database.write(query))


def asked(ask):
    """SQLite may refuse what PostgreSQL answers; test_queries.py sees that it is not too much."""
    try:
        return ask()
    except SQLError as error:
        if str(error).startswith('The embedded engine cannot run'):
            pytest.skip(str(error))
        raise


def values(connection, query):
    """Return the first row of a query."""
    return list(read(connection, query)['data'][0].values())


def column(connection, query):
    """Return the only column of a query."""
    return [list(row.values())[0] for row in read(connection, query)['data']]


def types(connection, query):
    return names_and_types(read(connection, query))


def names_and_types(answer):
    return [(column['name'], column['type']) for column in answer['columns']]


def refusal(function, *args):
    if function in (read, write):
        function = getattr(args[0], function.__name__)
        args = [*args[1:], 100, 0] if function.__name__ == 'read' else args[1:]
    with pytest.raises(SQLError) as caught:
        function(*args)
    return str(caught.value)


# reading

def test_read__columns_and_rows(database):
    query = 'SELECT * FROM dataset_1'
    answer = read(database, query)
    assert answer['query'] == query
    assert answer['count'] == 3
    assert names_and_types(answer) == [
        ('name', 'string'), ('size', 'integer'), ('open', 'boolean'), ('made', 'datetime'), ('Big Name', 'string'),
        ('geom', 'geometry'), ('amigo_id', 'string')]
    assert answer['data'][0] == {
        'amigo_id': 'a1', 'name': "O'Neil's", 'size': 5, 'open': True, 'made': '2020-01-02 03:04:05+00:00',
        'Big Name': None, 'geom': POINT_1_2}
    assert answer['data'][0]['open'] is True


def test_read__pages_count_the_whole_query(database):
    first, last, beyond = [read(database, 'SELECT name FROM dataset_1', 2, offset) for offset in (0, 2, 4)]
    assert [len(page['data']) for page in (first, last, beyond)] == [2, 1, 0]
    assert [page['count'] for page in (first, last, beyond)] == [3, 3, 3]


def test_read__count_is_new_after_a_write(database):
    query = 'SELECT name FROM dataset_1'
    read(database, query, 1)
    write(database, "DELETE FROM dataset_1 WHERE amigo_id = 'a1'")
    assert read(database, query, 1)['count'] == 2


def test_read__columns_are_new_after_one_is_added(database):
    read(database, 'SELECT * FROM dataset_1')
    database.change(1, None, 'ADD COLUMN', [{'new': {'name': 'height', 'type': 'float'}}])
    assert types(database, 'SELECT * FROM dataset_1')[-1] == ('height', 'float')


def test_read__count_of_a_query_with_a_limit_of_its_own(database):
    assert read(database, 'SELECT name FROM dataset_1 LIMIT 2', 1)['count'] == 2


def test_read__in_another_thread(database):
    found = []
    thread = threading.Thread(target=lambda: found.append(read(database, 'SELECT 1 AS one')['data']))
    thread.start()
    thread.join()
    assert found == [[{'one': 1}]]


@pytest.mark.parametrize('query, expected', [
    ('SELECT Name FROM dataset_1', 'name'), ('SELECT "Big Name" FROM dataset_1', 'Big Name'),
    ('SELECT d.SIZE FROM dataset_1 d', 'size'), ('SELECT size AS Big FROM dataset_1', 'big'),
    ('SELECT size "Big" FROM dataset_1', 'Big'), ('SELECT count(*) FROM dataset_1', 'count'),
    ('SELECT ST_AsText(geom) FROM dataset_1', 'st_astext'), ('SELECT size::text FROM dataset_1', 'size'),
    ('SELECT CAST(size AS text) FROM dataset_1', 'size'), ('SELECT size + 1 FROM dataset_1', '?column?'),
    ("SELECT '5'::int", 'int4'), ('SELECT CASE WHEN true THEN 1 ELSE 2 END', 'case'),
    ('SELECT now()', 'now'), ('SELECT x FROM (SELECT Name AS X FROM dataset_1) AS q', 'x'),
    ('WITH q AS (SELECT count(*) FROM dataset_1) SELECT count FROM q', 'count')])
def test_read__column_names_of_postgresql(database, query, expected):
    assert [name for name, _ in types(database, query)] == [expected]


@pytest.mark.parametrize('expression, expected', [
    ('name', 'string'), ('size', 'integer'), ('open', 'boolean'), ('made', 'datetime'), ('geom', 'geometry'),
    ('count(*)', 'bigint'), ('ST_MakePoint(1, 2)', 'geometry'), ('ST_X(geom)', 'float'), ('ST_AsText(geom)', 'string'),
    ('now()', 'datetime'), ('size::text', 'string'), ('size::double precision', 'float'), ('made::date', 'date'),
    ('size > 3', 'boolean'), ("'text'", 'string'), ('true', 'boolean'),
    ('ST_Intersects(geom, geom)', 'boolean')])
def test_read__types_without_a_row(database, expression, expected):
    answer = read(database, 'SELECT {} AS it FROM dataset_1 LIMIT 0'.format(expression))
    assert answer['data'] == []
    assert names_and_types(answer) == [('it', expected)]


@pytest.mark.parametrize('expression, expected', [
    ('1', 'integer'), ('3000000000', 'bigint'), ("'a' || 'b'", 'string'), ('NULL', 'string')])
def test_read__types_by_value(database, expression, expected):
    assert types(database, 'SELECT {} AS it'.format(expression)) == [('it', expected)]


def test_read__two_columns_of_a_name(database):
    answer = read(database, 'SELECT a.name, b.name FROM dataset_1 a JOIN dataset_1 b ON b.amigo_id = a.amigo_id')
    assert [column['name'] for column in answer['columns']] == ['name', 'name']
    assert answer['data'][1] == {'name': 'bakery'}


def test_read__names_that_sqlite_would_change(database):
    names = ['name', 'name:1', 'TRUE', 'column7']
    database.create(2, [{'name': name, 'type': 'text'} for name in names], [dict(zip(names, 'abcd'))])
    answer = read(database, 'SELECT * FROM dataset_2')
    assert [column['name'] for column in answer['columns']] == names + ['amigo_id']
    assert [answer['data'][0][name] for name in names] == list('abcd')


# the dialect

@pytest.mark.parametrize('expression, expected', [
    ("'it''s'", "it's"), (r"E'a\nb\'c'", "a\nb'c"), ("'a -- b'", 'a -- b'), ("'x' || 'y' /* c */ -- d", 'xy'),
    ('$$it\'s$$', "it's"), ("'::text'", '::text'), ('7 / 2', 3), ('TRUE AND NOT false', True),
    ("'5'::integer + 1", 6), ('2.5::text', '2.5'), ("CAST('1.5' AS double precision)", 1.5),
    ("'t'::boolean", True), ("'2020-1-2'::date", '2020-01-02'), ("date '2020-01-02'", '2020-01-02'),
    ("'2020-01-02 3:04Z'::timestamp with time zone", '2020-01-02 03:04:00+00:00'), ("('1' || '2')::int", 12),
    ("'Abc' ILIKE 'aB%'", True), ("'Abc' LIKE 'ab%'", False), ("'Abc' NOT ILIKE 'x%'", True),
    ("'50%' LIKE '50\\%'", True), ("'500' LIKE '50\\%'", False), ("upper('\u00e9')", u'\u00c9'),
    ("left('abc', 2)", 'ab'), ('greatest(1, NULL, 3)', 3), ("coalesce(NULL, 'x')", 'x'), ('1 IN (1, 2)', True),
    ('EXISTS (SELECT 1)', True), ('(SELECT max(column1) FROM (VALUES (1), (2)) AS v)', 2)])
def test_dialect__expressions(database, expression, expected):
    assert values(database, 'SELECT {}\n'.format(expression)) == [expected]


@pytest.mark.parametrize('clauses, expected', [
    ('ORDER BY size', ['a1', 'a3', 'a2']), ('ORDER BY size DESC', ['a2', 'a3', 'a1']),
    ('ORDER BY size DESC NULLS LAST', ['a3', 'a1', 'a2']), ('ORDER BY 1 LIMIT 1 OFFSET 1', ['a2']),
    ('ORDER BY 1 OFFSET 1 LIMIT 1', ['a2']), ('ORDER BY 1 OFFSET 2', ['a3']),
    ('ORDER BY 1 LIMIT ALL', ['a1', 'a2', 'a3']),
    ("WHERE name ILIKE 'o''NEIL%'", ['a1']), ('WHERE open', ['a1']), ('WHERE open = true', ['a1']),
    ('WHERE size IS NOT DISTINCT FROM 5', ['a1']), ('WHERE size BETWEEN 6 AND 8;', ['a3']),
    ('AS d WHERE d.size > 5', ['a3']), ('d WHERE d."name" = \'bakery\'', ['a2'])])
def test_dialect__clauses(database, clauses, expected):
    assert column(database, 'SELECT amigo_id FROM dataset_1 ' + clauses) == expected


def test_dialect__groups(database):
    query = "SELECT open, count(*) AS n, string_agg(amigo_id, '+') FROM dataset_1 WHERE open OR NOT open GROUP BY 1"
    assert read(database, query + ' ORDER BY open')['data'] == [
        {'open': False, 'n': 1, 'string_agg': 'a2'}, {'open': True, 'n': 1, 'string_agg': 'a1'}]


def test_dialect__distinct_and_union(database):
    assert column(database, 'SELECT DISTINCT size > 0 AS it FROM dataset_1 ORDER BY it') == [True, None]
    assert column(database, "SELECT name FROM dataset_1 UNION SELECT 'z' ORDER BY name DESC LIMIT 1") == ['z']


def test_dialect__values_with_names_of_columns(database):
    query = "SELECT v.y, v.x FROM (VALUES (1, 'a'), (2, 'b')) AS v(x, y) ORDER BY x DESC"
    assert read(database, query)['data'] == [{'y': 'b', 'x': 2}, {'y': 'a', 'x': 1}]


# writing

def test_write__the_update_of_geocoding(database):
    query = ("UPDATE dataset_1 as d SET geom = c.geom FROM (values ('a1', ST_SetSRID(ST_MakePoint(-2.5, 10), 4326)),"
             "('a3', ST_SetSRID(ST_MakePoint(1.5, 5.25), 4326))) as c(amigo_id, geom) WHERE c.amigo_id = d.amigo_id")
    assert write(database, query) == {'count': 2, 'query': query, 'new_state': database.newest_state(1)}
    assert column(database, 'SELECT ST_AsEWKT(geom) FROM dataset_1 ORDER BY amigo_id') == [
        'SRID=4326;POINT(-2.5 10)', 'SRID=4326;POINT(3 4)', 'SRID=4326;POINT(1.5 5.25)']


def test_write__insert_makes_an_amigo_id(database):
    answer = write(database, "INSERT INTO dataset_1 (name, size) VALUES ('x', '9'), ('y', 8.6)")
    assert answer['count'] == 2
    rows = read(database, "SELECT amigo_id, size FROM dataset_1 WHERE name IN ('x', 'y') ORDER BY name")['data']
    assert [row['size'] for row in rows] == [9, 9]
    assert all(len(row['amigo_id']) == 32 and int(row['amigo_id'], 16) for row in rows)


def test_write__returning(database):
    query = "UPDATE dataset_1 SET open = 'yes' WHERE amigo_id = 'a2' RETURNING amigo_id, open, geom"
    answer = write(database, query)
    assert names_and_types(answer) == [('amigo_id', 'string'), ('open', 'boolean'), ('geom', 'geometry')]
    assert answer['data'] == [{'amigo_id': 'a2', 'open': True, 'geom': POINT_1_2.replace(
        '000000000000F03F0000000000000040', '00000000000008400000000000001040')}]


def test_write__insert_from_a_query(database):
    write(database, 'INSERT INTO dataset_1 (name, geom) SELECT name || 2, geom FROM dataset_1 WHERE size = 5')
    assert column(database, "SELECT ST_AsText(geom) FROM dataset_1 WHERE name = 'O''Neil''s2'") == ['POINT(1 2)']


@pytest.mark.parametrize('written', ["'SRID=4326;POINT(1 2)'", "'{}'".format(POINT_1_2),
                                     "ST_GeomFromText('POINT(1 2)', 4326)", "'{}'::geometry".format(POINT_1_2)])
def test_write__geometry_in_every_form(database, written):
    write(database, "UPDATE dataset_1 SET geom = {} WHERE amigo_id = 'a3'".format(written))
    write(database, "INSERT INTO dataset_1 (amigo_id, geom) VALUES ('a4', {})".format(written))
    assert column(database, "SELECT geom FROM dataset_1 WHERE amigo_id > 'a2'") == [POINT_1_2, POINT_1_2]


def test_write__conflict(database):
    insert = "INSERT INTO dataset_1 (amigo_id) VALUES ('a1')"
    assert refusal(write, database, insert) == (
        'duplicate key value violates unique constraint "dataset_1_pkey"')
    assert write(database, insert + ' ON CONFLICT DO NOTHING')['count'] == 0


def test_write__other_name_of_the_table_without_as(database):
    assert write(database, "UPDATE dataset_1 d SET size = d.size + 1 WHERE d.amigo_id = 'a1'")['count'] == 1
    assert write(database, "DELETE FROM dataset_1 d WHERE d.size = 6")['count'] == 1


def test_write__bad_value_changes_absent(database):
    query = "INSERT INTO dataset_1 (name, size) VALUES ('good', 1), ('bad', 'many')"
    assert refusal(write, database, query) == 'invalid input syntax for type integer: "many"'
    assert read(database, 'SELECT * FROM dataset_1')['count'] == 3


# PostGIS

SQUARE = "ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 10,0 0))', 4326)"


@pytest.mark.parametrize('expression, expected', [
    ('ST_AsText(ST_MakePoint(1.5, 2))', 'POINT(1.5 2)'), ('ST_AsText(ST_Point(1, 2))', 'POINT(1 2)'),
    ('ST_AsText(ST_MakePoint(1, 2, 3))', 'POINT Z (1 2 3)'), ('ST_SRID(ST_MakePoint(1, 2))', 0),
    ('ST_SRID(ST_SetSRID(ST_MakePoint(1, 2), 4326))', 4326), ("ST_X(ST_PointFromText('POINT(1 2)', 4326))", 1.0),
    ("ST_PointFromText('LINESTRING(0 0,1 1)')", None), ("ST_Y(ST_GeomFromEWKT('SRID=4326;POINT(1 2)'))", 2.0),
    ("ST_AsEWKT(ST_GeomFromEWKT('SRID=3857;MULTIPOINT(1 2,3 4)'))", 'SRID=3857;MULTIPOINT(1 2,3 4)'),
    ("ST_AsText('POLYGON((0 0,9 0,9 9,0 0),(1 1,2 1,2 2,1 1))'::geometry)",
     'POLYGON((0 0,9 0,9 9,0 0),(1 1,2 1,2 2,1 1))'),
    ("ST_AsText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING EMPTY)'::geometry)",
     'GEOMETRYCOLLECTION(POINT(1 2),LINESTRING EMPTY)'),
    ("ST_AsGeoJSON('LINESTRING(0 0,1.5 2)'::geometry)", '{"type":"LineString","coordinates":[[0,0],[1.5,2]]}'),
    ('ST_Contains({}, ST_SetSRID(ST_MakePoint(5, 5), 4326))'.format(SQUARE), True),
    ('ST_Within({}, ST_SetSRID(ST_MakePoint(5, 5), 4326))'.format(SQUARE), False),
    ('ST_Intersects({}, ST_MakeEnvelope(10, 10, 12, 12, 4326))'.format(SQUARE), True),
    ('{} && ST_MakeEnvelope(11, 10, 12, 12, 4326)'.format(SQUARE), False), ('ST_Area({})'.format(SQUARE), 100.0),
    ("ST_Length('LINESTRING(0 0,3 4)')", 5.0), ('ST_Perimeter({})'.format(SQUARE), 40.0),
    ('ST_Distance(ST_MakePoint(0, 0), ST_MakePoint(3, 4))', 5.0),
    ('ST_DWithin(ST_MakePoint(0, 0), ST_MakePoint(3, 4), 5)', True),
    ('ST_DWithin(ST_MakePoint(0, 0), ST_MakePoint(3, 4), 4.9)', False),
    ('ST_AsEWKT(ST_Centroid({}))'.format(SQUARE), 'SRID=4326;POINT(5 5)'),
    ('ST_Area(ST_Buffer(ST_MakePoint(0, 0), 1)) BETWEEN 3.1 AND 3.15', True),
    ('round(ST_Y(ST_Transform(ST_SetSRID(ST_MakePoint(180, 45), 4326), 3857)))', 5621521.0),
    ('ST_X(NULL)', None), ("ST_X('POINT EMPTY')", None), ("ST_Area(ST_Buffer('POINT EMPTY', 1))", 0.0)])
def test_postgis__functions(database, expression, expected):
    assert values(database, 'SELECT {}'.format(expression)) == [expected]


def test_postgis__output_is_hex_ewkb(database):
    assert values(database, 'SELECT ST_SetSRID(ST_MakePoint(1, 2), 4326) AS with, ST_MakePoint(1, 2) AS without') == [
        POINT_1_2, '0101000000000000000000F03F0000000000000040']


def test_postgis__extent(database):
    assert values(database, 'SELECT ST_Extent(geom) FROM dataset_1') == ['BOX(1 2,3 4)']
    assert values(database, 'SELECT ST_Extent(geom) FROM dataset_1 WHERE geom IS NULL') == [None]
    assert database.describe(1) == {'feature_count': 3, 'geometry_column': 'geom', 'boundingbox': 'BOX(1 2,3 4)'}


def test_postgis__collect_and_union(database):
    assert values(database, 'SELECT ST_NumGeometries(ST_Collect(geom)), ST_Equals(ST_Collect(geom), ST_Union(geom)), '
                            'ST_SRID(ST_Union(geom)) FROM dataset_1') == [2, True, 4326]


# errors

def check_refusal(database, refused, message):
    """What PostgreSQL says is right; SQLite has to refuse too, in words of its own."""
    assert refused == message or isinstance(database, sqlite.Database)


@pytest.mark.parametrize('query, message', [
    ('SELECT * FROM absent', 'relation "absent" does not exist'),
    ('SELECT absent FROM dataset_1', 'column "absent" does not exist'),
    ('SELECT "absent" FROM dataset_1', 'column "absent" does not exist'),
    ('SELECT * FORM dataset_1', 'syntax error at or near "FORM"'),
    ('SELEC 1', 'syntax error at or near "SELEC"'),
    ('', 'syntax error at end of input'),
    ('SELECT * FROM dataset_1 WHERE', 'syntax error at end of input'),
    ('SELECT (1', 'syntax error at end of input'),
    ('SELECT 1)', 'syntax error at or near ")"'),
    ("SELECT 'abc", 'unterminated quoted string at or near "\'abc"'),
    ('SELECT ?', 'syntax error at end of input'),
    ('SELECT 1; SELECT 2', 'cannot insert multiple commands into a prepared statement'),
    ("SELECT 1; DROP TABLE dataset_1", 'cannot insert multiple commands into a prepared statement'),
    ("SELECT 'many'::integer", 'invalid input syntax for type integer: "many"'),
    ("SELECT '2020-13-01'::date", 'date/time field value out of range: "2020-13-01"'),
    ('SELECT 1::colour', 'type "colour" does not exist'),
    ('SELECT absent(1)', 'function absent(integer) does not exist'),
    ("SELECT ST_GeomFromText('POINT(1')", 'parse error - invalid geometry'),
    ("SELECT ST_X('0101')", 'WKB structure does not match expected size!'),
    ("SELECT ST_X('LINESTRING(0 0,1 1)')", 'Argument to ST_X() must have type POINT'),
    ('SELECT ST_Distance(geom, ST_MakePoint(1, 2)) FROM dataset_1',
     'ST_Distance: Operation on mixed SRID geometries (Point, 4326) != (Point, 0)'),
    ("DELETE FROM dataset_1", 'cannot execute DELETE in a read-only transaction'),
    ("WITH x AS (SELECT 1) UPDATE dataset_1 SET size = 1", 'cannot execute UPDATE in a read-only transaction'),
    ('CREATE TABLE x (a int)', 'syntax error at or near "int"'),
    ('DROP TABLE dataset_1', 'syntax error at or near "DROP"'),
    ('SELECT name INTO copy FROM dataset_1', 'SELECT ... INTO is not allowed here'),
    ('COPY dataset_1 TO STDOUT', 'syntax error at or near "COPY"'),
    ("ATTACH 'x' AS y", 'syntax error at or near "ATTACH"'),
    ('PRAGMA table_info(dataset_1)', 'syntax error at or near "PRAGMA"'),
    ('SELECT * FROM sqlite_master', 'relation "sqlite_master" does not exist'),
    ("SELECT * FROM pragma_table_info('dataset_1')", 'function pragma_table_info(unknown) does not exist'),
    ("SELECT load_extension('x')", 'function load_extension(unknown) does not exist')])
def test_read__refuses(database, query, message):
    check_refusal(database, refusal(read, database, query), message)
    assert read(database, 'SELECT * FROM dataset_1')['count'] == 3


@pytest.mark.parametrize('query, message', [
    ('DROP TABLE dataset_1', 'must be owner of table dataset_1'),
    ('INSERT INTO absent (a) VALUES (1)', 'relation "absent" does not exist'),
    ('INSERT INTO dataset_1 (absent) VALUES (1)', 'column "absent" of relation "dataset_1" does not exist'),
    ('INSERT INTO dataset_1 (name, size) VALUES (1)', 'INSERT has more target columns than expressions'),
    ('UPDATE dataset_1 SET absent = 1', 'column "absent" of relation "dataset_1" does not exist'),
    ("UPDATE dataset_1 SET geom = 'POINT(1'", 'parse error - invalid geometry'),
    ('UPDATE dataset_1 SET amigo_id = NULL',
     'null value in column "amigo_id" of relation "dataset_1" violates not-null constraint'),
    ('DELETE FROM sqlite_master', 'relation "sqlite_master" does not exist')])
def test_write__refuses(database, query, message):
    check_refusal(database, refusal(write, database, query), message)
    assert read(database, 'SELECT * FROM dataset_1')['count'] == 3


def test_read__words_of_the_grammar_as_names(database):
    schema = [{'name': name, 'type': 'integer'} for name in ('over', 'filter', 'conflict')]
    database.create(2, schema, [])
    write(database, 'INSERT INTO dataset_2 (over, filter, conflict) VALUES (1, 2, 3)')
    assert read(database, 'SELECT over, filter, conflict FROM dataset_2')['data'] == [
        {'over': 1, 'filter': 2, 'conflict': 3}]
    assert values(database, 'SELECT count(*) FILTER (WHERE over > 1), sum(over) OVER (ORDER BY filter) FROM dataset_2 '
                            'GROUP BY over, filter') == [0, 1]


def test_tables_of_the_sandbox_are_not_there(database):
    for table in ('sandbox.states', 'sandbox.log_1', 'sandbox_states', 'sandbox_history_1'):
        refusal(read, database, 'SELECT * FROM ' + table)
        refusal(write, database, 'DELETE FROM ' + table)


def test_read__ends_a_query_that_never_would(database, monkeypatch):
    monkeypatch.setattr('amigocloud_sandbox.sql.sqlite.connection.STATEMENT_SECONDS', 0.05)
    monkeypatch.setattr('amigocloud_sandbox.sql.postgres.database.STATEMENT_SECONDS', 0.05)
    query = 'SELECT count(*) FROM ' + ', '.join('dataset_1 AS t{}'.format(number) for number in range(30))
    assert refusal(read, database, query) == 'canceling statement due to statement timeout'


@pytest.mark.parametrize('query, expected', [
    ('SELECT 1', []), ('  -- a note\n select 1', []), ('WITH x AS (SELECT 1) SELECT * FROM x', []),
    ('VALUES (1)', []), ("SELECT 'DELETE'", []), ('INSERT INTO dataset_1 (name) VALUES (1)', ['Insert']),
    ('WITH x AS (SELECT 1) DELETE FROM dataset_1', ['Delete']),
    ('/* a note */ update dataset_1 set size = 1', ['Update'])])
def test_writes(database, query, expected):
    assert database.writes(query) == expected


# tables

def test_create__every_type(database):
    names = ['text', 'string', 'number', 'decimal', 'float', 'real', 'integer', 'bigint', 'date', 'datetime', 'time',
             'boolean', 'geometry', 'point', 'line', 'polygon', 'multipoint', 'multiline', 'multipolygon']
    row = {'text': '007', 'number': 5, 'float': 5, 'bigint': 2 ** 40, 'date': '2020-01-02', 'time': '3:04',
           'boolean': 'false', 'point': '010100000000000000000000000000000000000000'}
    database.create(2, [{'name': name, 'type': name} for name in names], [row])
    expected = ['string', 'string', 'number', 'number', 'float', 'real', 'integer', 'bigint', 'date', 'datetime',
                'time', 'boolean'] + ['geometry'] * 7 + ['string']
    assert [column['type'] for column in database.schema(2)] == expected
    query = 'SELECT "text", number, "float", "bigint", "date", "time", "boolean", "point" FROM dataset_2'
    assert read(database, query)['data'] == [
        {'text': '007', 'number': 5, 'float': 5.0, 'bigint': 2 ** 40, 'date': '2020-01-02', 'time': '03:04:00',
         'boolean': False, 'point': '0101000020E6100000' + '0' * 32}]


def test_create__default_and_not_null(database):
    database.create(2, [{'name': 'a', 'type': 'text', 'default': "it's"},
                        {'name': 'b', 'type': 'integer', 'nullable': False}], [{'b': 1}])
    assert values(database, 'SELECT a, b FROM dataset_2') == ["it's", 1]
    assert refusal(database.change, 2, None, 'INSERT', [{'new': {'a': 'x'}}]).startswith('null value in column "b"')


@pytest.mark.parametrize('dataset_id, schema, message', [
    (2, [{'name': 'a', 'type': 'colour'}], 'type "colour" does not exist'),
    (2, [{'name': 'a', 'type': 'text'}, {'name': 'a', 'type': 'text'}], 'column "a" specified more than once'),
    (1, [], 'relation "dataset_1" already exists')])
def test_create__refuses(database, dataset_id, schema, message):
    assert refusal(database.create, dataset_id, schema, []) == message


def test_change__all_or_none(database):
    rows = [{'new': {'name': 'good'}}, {'new': {'name': 'bad', 'size': 'many'}}]
    assert refusal(database.change, 1, None, 'INSERT', rows) == 'invalid input syntax for type integer: "many"'
    assert refusal(database.change, 1, None, 'INSERT', [{'new': {'absent': 1}}]) == (
        'column "absent" of relation "dataset_1" does not exist')
    assert read(database, 'SELECT * FROM dataset_1')['count'] == 3


def test_change__whole_float_for_an_integer(database):
    """A column of integers with an empty place is one of floats in pandas."""
    database.create(2, [{'name': 'small', 'type': 'integer'}, {'name': 'big', 'type': 'bigint'}], [{'big': 7.0}])
    database.change(2, None, 'INSERT', [{'new': {'small': 30.0, 'big': 3e10}}])
    query = 'SELECT small, big FROM dataset_2 ORDER BY big'
    assert read(database, query)['data'] == [{'small': None, 'big': 7}, {'small': 30, 'big': 30000000000}]
    for value in (float('nan'), float('inf'), 1e30):
        refusal(database.change, 2, None, 'INSERT', [{'new': {'small': value}}])


def test_change__amigo_ids(database):
    database.change(1, None, 'INSERT', [{'new': {'amigo_id': 'mine', 'name': 'x'}}, {'new': {}, 'amigo_id': None}])
    assert read(database, 'SELECT amigo_id FROM dataset_1')['count'] == 5
    assert column(database, "SELECT amigo_id FROM dataset_1 WHERE name = 'x'") == ['mine']


def test_columns__added_and_dropped(database):
    database.change(1, None, 'ADD COLUMN', [{'new': {'name': 'Wall', 'type': 'polygon'}}])
    assert database.schema(1)[-2:] == [{'name': 'Wall', 'type': 'geometry'}, {'name': 'amigo_id', 'type': 'string'}]
    drop = [{'old': {'name': 'Wall'}}]
    database.change(1, None, 'DROP COLUMN', drop)
    assert database.schema(1)[-2]['name'] == 'geom'
    assert refusal(database.change, 1, None, 'DROP COLUMN', drop).startswith('column "Wall"')
    refusal(database.change, 1, None, 'DROP COLUMN', [{'old': {'name': 'amigo_id'}}])
    assert refusal(database.schema, 9) == 'relation "dataset_9" does not exist'
