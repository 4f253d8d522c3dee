"""The sandbox's database takes PostGIS SQL as users of the service write it, and answers as the service does."""
import threading

import pytest

pytest.importorskip('shapely')
sql = pytest.importorskip('amigocloud.sandbox.sql')

SCHEMA = [{'name': 'name', 'type': 'text'}, {'name': 'size', 'type': 'integer'}, {'name': 'open', 'type': 'boolean'},
          {'name': 'made', 'type': 'datetime'}, {'name': 'Big Name', 'type': 'string'},
          {'name': 'geom', 'type': 'point'}]
POINT_1_2 = '0101000020E6100000000000000000F03F0000000000000040'


@pytest.fixture
def database():
    connection = sql.connect(':memory:')
    sql.create_table(connection, 'dataset_1', SCHEMA)
    sql.insert_rows(connection, 'dataset_1', [
        {'amigo_id': 'a1', 'name': "O'Neil's", 'size': 5, 'open': True, 'made': '2020-01-02 03:04:05',
         'geom': 'POINT(1 2)'},
        {'amigo_id': 'a2', 'name': 'bakery', 'size': None, 'open': False,
         'geom': {'type': 'Point', 'coordinates': [3, 4]}},
        {'amigo_id': 'a3', 'name': 'Castle', 'size': 7}])
    yield connection
    connection.close()


def values(connection, query):
    """Return the first row of a query."""
    return list(sql.read(connection, query)['data'][0].values())


def column(connection, query):
    """Return the only column of a query."""
    return [list(row.values())[0] for row in sql.read(connection, query)['data']]


def types(connection, query):
    return [(column['name'], column['type']) for column in sql.read(connection, query)['columns']]


def refusal(function, *args):
    with pytest.raises(sql.SQLError) as caught:
        function(*args)
    return str(caught.value)


# reading

def test_read__columns_and_rows(database):
    query = 'SELECT * FROM dataset_1'
    answer = sql.read(database, query)
    assert answer['query'] == query
    assert answer['count'] == 3
    assert answer['columns'] == [
        {'name': 'amigo_id', 'type': 'string'}, {'name': 'name', 'type': 'string'}, {'name': 'size', 'type': 'integer'},
        {'name': 'open', 'type': 'boolean'}, {'name': 'made', 'type': 'datetime'},
        {'name': 'Big Name', 'type': 'string'}, {'name': 'geom', 'type': 'geometry'}]
    assert answer['data'][0] == {
        'amigo_id': 'a1', 'name': "O'Neil's", 'size': 5, 'open': True, 'made': '2020-01-02T03:04:05', 'Big Name': None,
        'geom': POINT_1_2}
    assert answer['data'][0]['open'] is True


def test_read__pages_count_the_whole_query(database):
    first, last, beyond = [sql.read(database, 'SELECT name FROM dataset_1', 2, offset) for offset in (0, 2, 4)]
    assert [len(page['data']) for page in (first, last, beyond)] == [2, 1, 0]
    assert [page['count'] for page in (first, last, beyond)] == [3, 3, 3]


def test_read__count_is_new_after_a_write(database):
    query = 'SELECT name FROM dataset_1'
    sql.read(database, query, 1)
    sql.write(database, "DELETE FROM dataset_1 WHERE amigo_id = 'a1'")
    assert sql.read(database, query, 1)['count'] == 2


def test_read__columns_are_new_after_one_is_added(database):
    sql.read(database, 'SELECT * FROM dataset_1')
    sql.add_column(database, 'dataset_1', 'height', 'double precision')
    assert types(database, 'SELECT * FROM dataset_1')[-1] == ('height', 'float')


def test_read__count_of_a_query_with_a_limit_of_its_own(database):
    assert sql.read(database, 'SELECT name FROM dataset_1 LIMIT 2', 1)['count'] == 2


def test_read__another_connection_writes(tmp_path):
    path = str(tmp_path / 'project.sqlite')
    one, other = sql.connect(path), sql.connect(path)
    sql.create_table(one, 'dataset_1', [])
    sql.insert_rows(one, 'dataset_1', [{}, {}])
    assert sql.read(one, 'SELECT * FROM dataset_1', 1)['count'] == 2
    sql.insert_rows(other, 'dataset_1', [{}])
    assert sql.read(one, 'SELECT * FROM dataset_1', 1)['count'] == 3
    one.close()
    other.close()


def test_read__in_another_thread(database):
    found = []
    thread = threading.Thread(target=lambda: found.append(sql.read(database, 'SELECT 1 AS one')['data']))
    thread.start()
    thread.join()
    assert found == [[{'one': 1}]]


@pytest.mark.parametrize('query, expected', [
    ('SELECT Name FROM dataset_1', 'name'), ('SELECT "Big Name" FROM dataset_1', 'Big Name'),
    ('SELECT d.SIZE FROM dataset_1 d', 'size'), ('SELECT size AS Big FROM dataset_1', 'big'),
    ('SELECT size "Big" FROM dataset_1', 'Big'), ('SELECT count(*) FROM dataset_1', 'count'),
    ('SELECT ST_AsText(geom) FROM dataset_1', 'st_astext'), ('SELECT size::text FROM dataset_1', 'size'),
    ('SELECT CAST(size AS text) FROM dataset_1', 'size'), ('SELECT size + 1 FROM dataset_1', '?column?'),
    ("SELECT '5'::int", 'int4'), ('SELECT true', 'bool'), ('SELECT CASE WHEN true THEN 1 ELSE 2 END', 'case'),
    ('SELECT now()', 'now'), ('SELECT x FROM (SELECT Name AS X FROM dataset_1) AS q', 'x'),
    ('WITH q AS (SELECT count(*) FROM dataset_1) SELECT count FROM q', 'count')])
def test_read__column_names_of_postgresql(database, query, expected):
    assert [name for name, _ in types(database, query)] == [expected]


@pytest.mark.parametrize('expression, expected', [
    ('name', 'string'), ('size', 'integer'), ('open', 'boolean'), ('made', 'datetime'), ('geom', 'geometry'),
    ('count(*)', 'bigint'), ('ST_MakePoint(1, 2)', 'geometry'), ('ST_X(geom)', 'float'), ('ST_AsText(geom)', 'string'),
    ('now()', 'datetime'), ('size::text', 'string'), ('size::double precision', 'float'), ('made::date', 'date'),
    ('size > 3', 'boolean'), ("'0101'::geometry", 'geometry'), ("'text'", 'string'), ('true', 'boolean'),
    ('ST_Intersects(geom, geom)', 'boolean')])
def test_read__types_without_a_row(database, expression, expected):
    answer = sql.read(database, 'SELECT {} AS it FROM dataset_1 GROUP BY amigo_id HAVING false'.format(expression))
    assert answer['data'] == []
    assert answer['columns'] == [{'name': 'it', 'type': expected}]


@pytest.mark.parametrize('expression, expected', [
    ('1', 'integer'), ('3000000000', 'bigint'), ('1.5', 'float'), ("'a' || 'b'", 'string'), ('NULL', 'string')])
def test_read__types_by_value(database, expression, expected):
    assert types(database, 'SELECT {} AS it'.format(expression)) == [('it', expected)]


def test_read__two_columns_of_a_name(database):
    answer = sql.read(database, 'SELECT a.name, b.name FROM dataset_1 a JOIN dataset_1 b ON b.amigo_id = a.amigo_id')
    assert [column['name'] for column in answer['columns']] == ['name', 'name']
    assert answer['data'][1] == {'name': 'bakery'}


def test_read__names_that_sqlite_would_change(database):
    names = ['name', 'name:1', 'TRUE', 'column7']
    sql.create_table(database, 'dataset_2', [{'name': name, 'type': 'text'} for name in names])
    sql.insert_rows(database, 'dataset_2', [dict(zip(names, 'abcd'))])
    answer = sql.read(database, 'SELECT * FROM dataset_2')
    assert [column['name'] for column in answer['columns']] == ['amigo_id'] + names
    assert [answer['data'][0][name] for name in names] == list('abcd')


# the dialect

@pytest.mark.parametrize('expression, expected', [
    ("'it''s'", "it's"), (r"E'a\nb\'c'", "a\nb'c"), ("'a -- b'", 'a -- b'), ("'x' || 'y' /* c */ -- d", 'xy'),
    ('$$it\'s$$', "it's"), ("'::text'", '::text'), ('7 / 2', 3), ('TRUE AND NOT false', True),
    ("'5'::integer + 1", 6), ('2.5::text', '2.5'), ('3.0::text', '3'), ("CAST('1.5' AS double precision)", 1.5),
    ("'t'::boolean", True), ("'2020-1-2'::date", '2020-01-02'), ("date '2020-01-02'", '2020-01-02'),
    ("'2020-01-02 3:04Z'::timestamp with time zone", '2020-01-02T03:04:00+00:00'), ("('1' || '2')::int", 12),
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
    assert sql.read(database, query + ' ORDER BY open')['data'] == [
        {'open': False, 'n': 1, 'string_agg': 'a2'}, {'open': True, 'n': 1, 'string_agg': 'a1'}]


def test_dialect__distinct_and_union(database):
    assert column(database, 'SELECT DISTINCT size > 0 AS it FROM dataset_1 ORDER BY it') == [True, None]
    assert column(database, "SELECT name FROM dataset_1 UNION SELECT 'z' ORDER BY name DESC LIMIT 1") == ['z']


def test_dialect__values_with_names_of_columns(database):
    query = "SELECT v.y, v.x FROM (VALUES (1, 'a'), (2, 'b')) AS v(x, y) ORDER BY x DESC"
    assert sql.read(database, query)['data'] == [{'y': 'b', 'x': 2}, {'y': 'a', 'x': 1}]


# writing

def test_write__the_update_of_geocoding(database):
    query = ("UPDATE dataset_1 as d SET geom = c.geom FROM (values ('a1', ST_SetSRID(ST_MakePoint(-2.5, 10), 4326)),"
             "('a3', ST_SetSRID(ST_MakePoint(1e-05, 5.25), 4326))) as c(amigo_id, geom) WHERE c.amigo_id = d.amigo_id")
    assert sql.write(database, query) == {'count': 2, 'query': query, 'columns': [], 'data': []}
    assert column(database, 'SELECT ST_AsEWKT(geom) FROM dataset_1 ORDER BY amigo_id') == [
        'SRID=4326;POINT(-2.5 10)', 'SRID=4326;POINT(3 4)', 'SRID=4326;POINT(1e-05 5.25)']


def test_write__insert_makes_an_amigo_id(database):
    answer = sql.write(database, "INSERT INTO dataset_1 (name, size) VALUES ('x', '9'), ('y', 8.6)")
    assert answer['count'] == 2
    rows = sql.read(database, "SELECT amigo_id, size FROM dataset_1 WHERE name IN ('x', 'y') ORDER BY name")['data']
    assert [row['size'] for row in rows] == [9, 9]
    assert all(len(row['amigo_id']) == 32 and int(row['amigo_id'], 16) for row in rows)


def test_write__returning(database):
    query = "UPDATE dataset_1 SET open = 'yes' WHERE amigo_id = 'a2' RETURNING amigo_id, open, geom"
    answer = sql.write(database, query)
    assert answer['columns'] == [{'name': 'amigo_id', 'type': 'string'}, {'name': 'open', 'type': 'boolean'},
                                 {'name': 'geom', 'type': 'geometry'}]
    assert answer['data'] == [{'amigo_id': 'a2', 'open': True, 'geom': POINT_1_2.replace(
        '000000000000F03F0000000000000040', '00000000000008400000000000001040')}]


def test_write__insert_from_a_query(database):
    sql.write(database, 'INSERT INTO dataset_1 (name, geom) SELECT name || 2, geom FROM dataset_1 WHERE size = 5')
    assert column(database, "SELECT ST_AsText(geom) FROM dataset_1 WHERE name = 'O''Neil''s2'") == ['POINT(1 2)']


@pytest.mark.parametrize('written', ["'SRID=4326;POINT(1 2)'", "'{}'".format(POINT_1_2),
                                     "ST_GeomFromText('POINT(1 2)', 4326)", "'{}'::geometry".format(POINT_1_2)])
def test_write__geometry_in_every_form(database, written):
    sql.write(database, "UPDATE dataset_1 SET geom = {} WHERE amigo_id = 'a3'".format(written))
    sql.write(database, "INSERT INTO dataset_1 (amigo_id, geom) VALUES ('a4', {})".format(written))
    assert column(database, "SELECT geom FROM dataset_1 WHERE amigo_id > 'a2'") == [POINT_1_2, POINT_1_2]


def test_write__conflict(database):
    insert = "INSERT INTO dataset_1 (amigo_id) VALUES ('a1')"
    assert refusal(sql.write, database, insert) == (
        'duplicate key value violates unique constraint "dataset_1_amigo_id_key"')
    assert sql.write(database, insert + ' ON CONFLICT DO NOTHING')['count'] == 0


def test_write__other_name_of_the_table_without_as(database):
    assert sql.write(database, "UPDATE dataset_1 d SET size = d.size + 1 WHERE d.amigo_id = 'a1'")['count'] == 1
    assert sql.write(database, "DELETE FROM dataset_1 d WHERE d.size = 6")['count'] == 1


def test_write__bad_value_changes_absent(database):
    query = "INSERT INTO dataset_1 (name, size) VALUES ('good', 1), ('bad', 'many')"
    assert refusal(sql.write, database, query) == 'invalid input syntax for type integer: "many"'
    assert sql.read(database, 'SELECT * FROM dataset_1')['count'] == 3


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
    ("ST_AsText(ST_Envelope('LINESTRING(0 0,3 4)'))", 'POLYGON((0 0,3 0,3 4,0 4,0 0))'),
    ('ST_Area(ST_Buffer(ST_MakePoint(0, 0), 1)) BETWEEN 3.1 AND 3.15', True),
    ('ST_AsText(ST_Transform(ST_SetSRID(ST_MakePoint(180, 45), 4326), 3857))',
     'POINT(20037508.3427892 5621521.48619207)'),
    ('round(ST_Y(ST_Transform(ST_Transform(ST_SetSRID(ST_MakePoint(1, 60), 4326), 3857), 4326)), 9)', 60.0),
    ('ST_X(NULL)', None), ("ST_X('POINT EMPTY')", None), ("ST_Area(ST_Buffer('POINT EMPTY', 1))", 0.0)])
def test_postgis__functions(database, expression, expected):
    assert values(database, 'SELECT {}'.format(expression)) == [expected]


def test_postgis__output_is_hex_ewkb(database):
    assert values(database, 'SELECT ST_SetSRID(ST_MakePoint(1, 2), 4326) AS with, ST_MakePoint(1, 2) AS without') == [
        POINT_1_2, '0101000000000000000000F03F0000000000000040']


def test_postgis__extent(database):
    assert values(database, 'SELECT ST_Extent(geom) FROM dataset_1') == ['BOX(1 2,3 4)']
    assert values(database, 'SELECT ST_Extent(geom) FROM dataset_1 WHERE geom IS NULL') == [None]
    assert sql.extent(database, 'dataset_1', 'geom') == 'BOX(1 2,3 4)'


def test_postgis__extent_of_a_round_number_of_batches(database):
    sql.write(database, 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 19998) '
                        'INSERT INTO dataset_1 (geom) SELECT ST_MakePoint(i, -i) FROM n')
    assert sql.extent(database, 'dataset_1', 'geom') == 'BOX(1 -19998,19998 4)'


def test_postgis__collect_and_union(database):
    assert values(database, 'SELECT ST_AsText(ST_Collect(geom)), ST_Equals(ST_Collect(geom), ST_Union(geom)), '
                            'ST_SRID(ST_Union(geom)) FROM dataset_1') == ['MULTIPOINT(1 2,3 4)', True, 4326]


# errors

@pytest.mark.parametrize('query, message', [
    ('SELECT * FROM absent', 'relation "absent" does not exist'),
    ('SELECT absent FROM dataset_1', 'column "absent" does not exist'),
    ('SELECT "absent" FROM dataset_1', 'column "absent" does not exist'),
    ('SELECT * FORM dataset_1', 'syntax error at or near "form"'),
    ('SELEC 1', 'syntax error at or near "selec"'),
    ('', 'syntax error at end of input'),
    ('SELECT * FROM dataset_1 WHERE', 'syntax error at end of input'),
    ('SELECT (1', 'syntax error at end of input'),
    ('SELECT 1)', 'syntax error at or near ")"'),
    ("SELECT 'abc", 'unterminated quoted string at or near "\'abc"'),
    ('SELECT ?', 'syntax error at or near "?"'),
    ('SELECT 1; SELECT 2', 'cannot insert multiple commands into a prepared statement'),
    ("SELECT 1; DROP TABLE dataset_1", 'cannot insert multiple commands into a prepared statement'),
    ("SELECT 'many'::integer", 'invalid input syntax for type integer: "many"'),
    ("SELECT '2020-13-01'::date", 'date/time field value out of range: "2020-13-01"'),
    ('SELECT 1::colour', 'type "colour" does not exist'),
    ('SELECT absent(1)', 'function absent does not exist'),
    ("SELECT ST_GeomFromText('POINT(1')", 'parse error - invalid geometry'),
    ("SELECT ST_X('0101')", 'parse error - invalid geometry'),
    ("SELECT ST_X('LINESTRING(0 0,1 1)')", 'Argument to ST_X() must have type POINT'),
    ('SELECT ST_Distance(geom, ST_MakePoint(1, 2)) FROM dataset_1',
     'st_distance: Operation on mixed SRID geometries (Point, 4326) != (Point, 0)'),
    ("DELETE FROM dataset_1", 'cannot execute DELETE in a read-only transaction'),
    ("WITH x AS (SELECT 1) UPDATE dataset_1 SET size = 1", 'cannot execute UPDATE in a read-only transaction'),
    ('CREATE TABLE x (a int)', 'permission denied to execute CREATE here'),
    ("ATTACH 'x' AS y", 'syntax error at or near "attach"'),
    ('PRAGMA table_info(dataset_1)', 'syntax error at or near "pragma"'),
    ('SELECT * FROM sqlite_master', 'relation "sqlite_master" does not exist'),
    ("SELECT * FROM pragma_table_info('dataset_1')", 'relation "pragma_table_info" does not exist'),
    ("SELECT load_extension('x')", 'permission denied'),
    ('SELECT ' + '(' * 1000 + '1' + ')' * 1000, 'stack depth limit exceeded'),
    ("SELECT '\0'", 'invalid byte sequence for encoding "UTF8": 0x00'),
    (u"SELECT '\ud800'", 'invalid byte sequence for encoding "UTF8"')])
def test_read__refuses(database, query, message):
    assert refusal(sql.read, database, query) == message
    assert sql.read(database, 'SELECT * FROM dataset_1')['count'] == 3


@pytest.mark.parametrize('query, message', [
    ('SELECT 1', 'permission denied to execute SELECT here'),
    ('DROP TABLE dataset_1', 'permission denied to execute DROP here'),
    ('INSERT INTO absent (a) VALUES (1)', 'relation "absent" does not exist'),
    ('INSERT INTO dataset_1 (absent) VALUES (1)', 'column "absent" of relation "dataset_1" does not exist'),
    ('INSERT INTO dataset_1 (name, size) VALUES (1)', 'the numbers of columns and values differ'),
    ('UPDATE dataset_1 SET absent = 1', 'column "absent" does not exist'),
    ("UPDATE dataset_1 SET geom = 'POINT(1'", 'parse error - invalid geometry'),
    ('UPDATE dataset_1 SET amigo_id = NULL', 'null value in column "amigo_id" violates not-null constraint'),
    ('DELETE FROM sqlite_master', 'table sqlite_master may not be modified')])
def test_write__refuses(database, query, message):
    assert refusal(sql.write, database, query) == message
    assert sql.read(database, 'SELECT * FROM dataset_1')['count'] == 3


def test_read__words_of_the_grammar_as_names(database):
    sql.create_table(database, 't', [{'name': name, 'type': 'integer'} for name in ('over', 'filter', 'conflict')])
    sql.write(database, 'INSERT INTO t (over, filter, conflict) VALUES (1, 2, 3)')
    assert sql.read(database, 'SELECT over, filter, conflict FROM t')['data'] == [
        {'over': 1, 'filter': 2, 'conflict': 3}]
    assert values(database, 'SELECT count(*) FILTER (WHERE over > 1), sum(over) OVER (ORDER BY filter) FROM t '
                            'GROUP BY over, filter') == [0, 1]


def test_write__refuses_tables_of_the_sandbox(database):
    database.execute('CREATE TABLE sandbox_notes (text TEXT)')
    assert refusal(sql.read, database, 'SELECT * FROM sandbox_notes') == 'relation "sandbox_notes" does not exist'
    assert refusal(sql.write, database, "INSERT INTO sandbox_notes (text) VALUES ('x')") == 'permission denied'


def test_read__ends_a_query_that_never_would(database, monkeypatch):
    monkeypatch.setattr('amigocloud.sandbox.connection._STATEMENT_TIMEOUT_SECONDS', 0.05)
    query = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n'
    assert refusal(sql.read, database, query) == 'canceling statement due to statement timeout'


@pytest.mark.parametrize('query, expected', [
    ('SELECT 1', False), ('  -- a note\n select 1', False), ('WITH x AS (SELECT 1) SELECT * FROM x', False),
    ('VALUES (1)', False), ('INSERT INTO x VALUES (1)', True), ('WITH x AS (SELECT 1) DELETE FROM y', True),
    ('drop table x', True), ("SELECT 'DELETE'", False), ("SELECT 'open", False), ('', False)])
def test_is_write(query, expected):
    assert sql.is_write(query) is expected


# tables

def test_create_table__every_type():
    connection = sql.connect(':memory:')
    names = ['text', 'string', 'number', 'decimal', 'float', 'real', 'integer', 'bigint', 'date', 'datetime', 'time',
             'boolean', 'geometry', 'point', 'line', 'polygon', 'multipoint', 'multiline', 'multipolygon']
    sql.create_table(connection, 't', [{'name': name, 'type': name} for name in names])
    expected = ['string', 'string', 'string', 'number', 'number', 'float', 'real', 'integer', 'bigint', 'date',
                'datetime', 'time', 'boolean'] + ['geometry'] * 7
    assert [column['type'] for column in sql.columns(connection, 't')] == expected
    row = {'text': '007', 'number': 5, 'float': 5, 'bigint': 2 ** 40, 'date': '2020-01-02', 'time': '3:04',
           'boolean': 'false', 'point': '010100000000000000000000000000000000000000'}
    sql.insert_rows(connection, 't', [row])
    assert sql.read(connection, 'SELECT "text", number, "float", "bigint", "date", "time", "boolean", "point" FROM t')[
        'data'] == [{'text': '007', 'number': 5, 'float': 5.0, 'bigint': 2 ** 40, 'date': '2020-01-02',
                     'time': '03:04:00', 'boolean': False, 'point': '0101000020E6100000' + '0' * 32}]
    connection.close()


def test_create_table__default_and_not_null(database):
    sql.create_table(database, 't', [{'name': 'a', 'type': 'text', 'default': "it's"},
                                     {'name': 'b', 'type': 'integer', 'nullable': False}])
    sql.insert_rows(database, 't', [{'b': 1}])
    assert values(database, 'SELECT a, b FROM t') == ["it's", 1]
    assert refusal(sql.insert_rows, database, 't', [{'a': 'x'}]) == (
        'null value in column "b" violates not-null constraint')


@pytest.mark.parametrize('table, schema, message', [
    ('t', [{'name': 'a', 'type': 'colour'}], 'type "colour" does not exist'),
    ('t', [{'name': 'a', 'type': 'text'}, {'name': 'A', 'type': 'text'}], 'column "A" specified more than once'),
    ('dataset_1', [], 'relation "dataset_1" already exists')])
def test_create_table__refuses(database, table, schema, message):
    assert refusal(sql.create_table, database, table, schema) == message


def test_insert_rows__all_or_none(database):
    rows = [{'name': 'good'}, {'name': 'bad', 'size': 'many'}]
    assert refusal(sql.insert_rows, database, 'dataset_1', rows) == 'invalid input syntax for type integer: "many"'
    assert refusal(sql.insert_rows, database, 'dataset_1', [{'absent': 1}]) == (
        'column "absent" of relation "dataset_1" does not exist')
    assert sql.read(database, 'SELECT * FROM dataset_1')['count'] == 3


def test_insert_rows__amigo_ids(database):
    given, made = sql.insert_rows(database, 'dataset_1', [{'amigo_id': 'mine', 'name': 'x'}, {'amigo_id': None}])
    assert given == 'mine'
    assert column(database, "SELECT count(*) FROM dataset_1 WHERE amigo_id = '{}'".format(made)) == [1]


def test_columns__added_and_dropped(database):
    sql.add_column(database, 'dataset_1', 'Wall', 'polygon')
    assert sql.columns(database, 'dataset_1')[-1] == {'name': 'Wall', 'type': 'geometry'}
    sql.drop_column(database, 'dataset_1', 'Wall')
    assert sql.columns(database, 'dataset_1')[-1] == {'name': 'geom', 'type': 'geometry'}
    assert refusal(sql.drop_column, database, 'dataset_1', 'Wall') == 'column "Wall" does not exist'
    assert refusal(sql.columns, database, 'absent') == 'relation "absent" does not exist'
