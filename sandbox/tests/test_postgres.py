"""PostgreSQL under the sandbox: what users may not do there, its processes, and what is left behind."""
import os
import signal
import tempfile
import threading
import time

import psycopg
import pytest

from amigocloud_sandbox import SandboxError
from amigocloud_sandbox.sql.databases import open_engine
from amigocloud_sandbox.sql.postgres import cluster as cluster_module
from amigocloud_sandbox.sql.postgres.server import Server
from amigocloud_sandbox.sql.types import EngineError, SQLError

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']


@pytest.fixture(scope='module')
def server(cluster):
    with tempfile.TemporaryDirectory() as folder:
        server = Server(cluster.dsn, folder, forget=True)
        yield server
        server.close()


@pytest.fixture
def database(server):
    database = server.database(1)
    database.forget(1)
    database.create(1, [{'name': 'name', 'type': 'string'}, {'name': 'geom', 'type': 'point'}],
                    [{'name': 'a', 'geom': 'POINT(1 2)'}, {'name': 'b'}])
    return database


@pytest.fixture
def lenient(database):
    """A database with functions that only a superuser can take away from users."""
    functions = 'pg_catalog.set_config, pg_catalog.pg_advisory_lock(bigint), pg_catalog.pg_lock_status'
    with database._session() as connection:
        connection.execute('GRANT EXECUTE ON FUNCTION {} TO PUBLIC'.format(functions))
    yield database
    with database._session() as connection:
        connection.execute('REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC'.format(functions))


@pytest.fixture
def reachable():
    """A folder that other users reach, for a PostgreSQL that root starts."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder


def column(database, query, **state):
    return [list(row.values())[0] for row in database.read(query, 1000, 0, **state)['data']]


def databases_of(cluster):
    with psycopg.connect(cluster.dsn) as admin:
        return [row[0] for row in admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'amigocloud%'")]


# rights

@pytest.mark.parametrize('query', [
    "SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('/')", "SELECT lo_import('/etc/passwd')",
    'SELECT * FROM pg_authid', 'SELECT * FROM sandbox.states', 'SELECT * FROM sandbox.log_1',
    "SELECT query_to_xml('SELECT * FROM sandbox.states', true, true, '')",
    "SELECT set_config('role', 'sandbox', false)", "SELECT set_config('session_authorization', 'sandbox', false)",
    "SELECT set_config('role', 'none', false), query_to_xml('SELECT * FROM pg_authid', true, true, '')",
    "SELECT DropGeometryTable('dataset_1')", "SELECT AddGeometryColumn('dataset_1', 'more', 4326, 'POINT', 2)",
    "SELECT sandbox.next_state(1)", "SELECT sandbox.show(1, 'x')", "SELECT pg_reload_conf()",
    "SELECT name FROM dataset_1 FOR UPDATE", "SELECT nextval('missing')"])
def test_user__may_not(database, query):
    with pytest.raises(SQLError):
        database.read(query, 10, 0)
    assert column(database, 'SELECT name FROM dataset_1 ORDER BY 1') == ['a', 'b']


@pytest.mark.parametrize('query', [
    'DROP TABLE dataset_1', 'TRUNCATE dataset_1', 'CREATE TABLE x (a int)', 'ALTER TABLE dataset_1 ADD COLUMN x int',
    "COPY dataset_1 TO '/tmp/x'", "COPY dataset_1 FROM PROGRAM 'id'", 'CREATE EXTENSION file_fdw',
    'CREATE TEMP TABLE x ()', "DO 'BEGIN END'", 'CREATE ROLE x SUPERUSER', 'VACUUM',
    'DROP TRIGGER keep_insert ON dataset_1',
    'DISCARD ALL', 'DELETE FROM sandbox.states', 'UPDATE spatial_ref_sys SET srid = 1', 'COMMIT', 'SET ROLE sandbox',
    'CREATE TABLE x AS SELECT 1', 'SELECT 1; DELETE FROM dataset_1', 'EXPLAIN ANALYZE DELETE FROM dataset_1'])
def test_user__may_not_write(database, query):
    with pytest.raises(SQLError):
        if database.writes(query):
            database.write(query)
        else:
            database.read(query, 10, 0)
    assert column(database, 'SELECT name FROM dataset_1 ORDER BY 1') == ['a', 'b']


def test_user__is_no_superuser(database):
    assert column(database, "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
                  ) == [False]
    assert column(database, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'sandbox'") == []


@pytest.mark.parametrize('query, expected', [
    ('WITH x AS (DELETE FROM dataset_1 RETURNING name) SELECT * FROM x', ['Delete']),
    ('WITH x AS (SELECT 1) INSERT INTO dataset_1 (name) SELECT 1', ['Insert']),
    ("INSERT INTO dataset_1 (amigo_id) VALUES (1) ON CONFLICT (amigo_id) DO UPDATE SET name = 'x'",
     ['Insert', 'Update']),
    ('WITH x AS (INSERT INTO dataset_1 (name) VALUES (1) RETURNING 1) DELETE FROM dataset_1', ['Delete', 'Insert']),
    ("SELECT 'DELETE FROM dataset_1'", [])])
def test_writes__are_seen_in_with(database, query, expected):
    assert sorted(database.writes(query)) == expected


def test_writes__in_with_need_edit(make_sandbox, make_api, cluster):
    sandbox = make_sandbox(database=cluster.dsn)
    delete = {'query': 'WITH x AS (DELETE FROM dataset_1 RETURNING name) SELECT * FROM x'}
    make_api(sandbox.url, sandbox.create_token).post('/projects/1/sql', 403, json=delete)
    answer = make_api(sandbox.url, sandbox.edit_token).post('/projects/1/sql', json=delete)
    assert (answer['count'], len(answer['data']), len(answer['amigo_ids'])) == (5, 5, 5)


def test_settings__end_with_the_request(lenient):
    lenient.read("SELECT set_config('search_path', 'pg_catalog', false), set_config('TimeZone', 'Asia/Tokyo', false), "
                  "set_config('statement_timeout', '1', false), pg_advisory_lock(5)", 10, 0)
    assert column(lenient, "SELECT current_setting('search_path')") == ['public']
    assert column(lenient, "SELECT current_setting('TimeZone')") == ['UTC']
    assert column(lenient, 'SELECT count(*) FROM pg_locks WHERE objid = 5 AND locktype = $$advisory$$') == [0]
    assert column(lenient, "SELECT 'ä' FROM set_config('client_encoding', 'LATIN1', false)") == ['\ufffd']
    assert column(lenient, "SELECT 'ä'") == ['ä']


@pytest.mark.parametrize('query', [
    'SELECT pg_sleep(60)', "SELECT set_config('statement_timeout', '0', true) FROM generate_series(1, 1000000000)",
    'SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b'])
def test_time_limit(lenient, monkeypatch, query):
    monkeypatch.setattr('amigocloud_sandbox.sql.postgres.database.STATEMENT_SECONDS', 0.1)
    with pytest.raises(SQLError, match='canceling statement due to statement timeout'):
        lenient.read(query, 1, 0)


# geometry and states

@pytest.mark.parametrize('value, message', [
    ('SRID=3857;POINT(1 2)', 'Geometry SRID (3857) does not match column SRID (4326)'),
    ('LINESTRING(0 0,1 1)', 'Geometry type (LineString) does not match column type (Point)'),
    ('POINT Z (1 2 3)', 'Geometry has Z dimension but column does not')])
def test_geometry__of_another_kind_is_refused(database, value, message):
    with pytest.raises(SQLError) as caught:
        database.change(1, None, 'INSERT', [{'new': {'geom': value}}])
    assert str(caught.value) == message


def test_names__of_any_characters(database):
    database.forget(2)
    names = ['a"b', "it's", '%s', '100%', '{}', ':x', 'select', 'Two Words', 'ä']
    row = dict(zip(names, 'abcdefghi'))
    database.create(2, [{'name': name, 'type': 'string', 'default': '%'} for name in names], [dict(row, amigo_id='r1')])
    assert database.read('SELECT * FROM dataset_2', 10, 0)['data'] == [dict(row, amigo_id='r1')]
    database.change(2, None, 'UPDATE', [{'amigo_id': 'r1', 'new': dict.fromkeys(names, '%s')}])
    database.change(2, None, 'DROP COLUMN', [{'old': {'name': '%s'}}])
    database.change(2, None, 'ADD COLUMN', [{'new': {'name': '%d', 'type': 'integer'}}])
    assert set(database.rows(2)[0].values()) == {'%s', 'r1', None}


def test_geometry__is_transformed_by_an_import(database):
    database.forget(2)
    database.create(2, [{'name': 'geom', 'type': 'geometry'}], [{'geom': 'SRID=3857;POINT(0 0)'}])
    assert column(database, 'SELECT ST_AsEWKT(geom) FROM dataset_2') == ['SRID=4326;POINT(0 0)']
    assert column(database, "SELECT type FROM geometry_columns WHERE f_table_name = 'dataset_2'") == ['POINT']


def test_geometry__of_mixed_kinds_in_an_import(database):
    database.forget(2)
    database.create(2, [{'name': 'geom', 'type': 'geometry'}], [
        {'geom': shape} for shape in ('POINT Z (1 2 3)', 'LINESTRING(0 0,1 1)', None)])
    assert column(database, 'SELECT ST_AsText(geom) FROM dataset_2') == [
        'POINT Z (1 2 3)', 'LINESTRING Z (0 0 0,1 1 0)', None]


@pytest.mark.parametrize('value', [
    'MULTIPOINT Z EMPTY', 'SRID=4326;MULTIPOINT Z (1 2 3)', {'type': 'MultiPoint', 'coordinates': [[1, 2, 3]]},
    '{"type": "MultiPoint", "coordinates": [[1, 2, 3]]}', '01040000A0E610000000000000'])
def test_geometry__in_every_form(database, value):
    database.forget(2)
    database.create(2, [{'name': 'geom', 'type': 'geometry', 'geometry_type': 'MULTIPOINTZ'}], [])
    database.change(2, None, 'INSERT', [{'new': {'geom': value}, 'amigo_id': 'a'}])
    database.change(2, None, 'UPDATE', [{'new': {'geom': value}, 'amigo_id': 'a'}])
    assert column(database, 'SELECT ST_Zmflag(geom) + ST_SRID(geom) FROM dataset_2') == [4328]


def test_states__of_columns_that_came_and_went(database):
    first = database.newest_state(1)
    database.change(1, first, 'ADD COLUMN', [{'new': {'name': 'Size', 'type': 'integer', 'default': 5}}])
    second = database.newest_state(1)
    database.write('UPDATE dataset_1 SET "Size" = 6, name = $$c$$ WHERE name = $$a$$')
    database.change(1, None, 'DROP COLUMN', [{'old': {'name': 'Size'}}])
    assert column(database, 'SELECT name FROM dataset_1 ORDER BY 1') == ['b', 'c']
    for state in (first, second):
        assert column(database, 'SELECT name FROM dataset_1 ORDER BY 1', dataset_id=1, state=state) == ['a', 'b']
    assert [state['action'] for state in database.states(1)] == ['CREATE', 'ADD COLUMN', 'SQL', 'DROP COLUMN']
    with pytest.raises(SQLError, match='dataset 1 has no state "zork"'):
        database.read('SELECT 1', 1, 0, 1, 'zork')


def test_states__written_at_the_same_time(database):
    threads = [threading.Thread(target=database.write, args=["INSERT INTO dataset_1 (name) VALUES ('x')"])
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert column(database, 'SELECT count(*) FROM dataset_1') == [6] and len(database.states(1)) == 5


# processes

def test_slow_queries__do_not_hold_up_other_projects(make_sandbox, make_api, cluster):
    sandbox = make_sandbox(database=cluster.dsn)
    api = make_api(sandbox.url, sandbox.token)
    with psycopg.connect(cluster.dsn, autocommit=True) as admin:
        sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND state = 'active'"
        threads = [threading.Thread(target=send_slow_query, args=[sandbox]) for _ in range(8)]
        for thread in threads:
            thread.start()
        while admin.execute(sleeping).fetchone()[0] < Server.concurrent:
            pass
        assert api.sql('SELECT 1 AS one', 2)['data'] == [{'one': 1}]
        assert admin.execute(sleeping).fetchone()[0] == Server.concurrent
    sandbox.close()
    for thread in threads:
        thread.join()


def send_slow_query(sandbox):
    import requests
    try:
        requests.get(sandbox.url + '/api/v1/projects/1/sql', timeout=60, params={
            'token': sandbox.token, 'query': 'SELECT pg_sleep(50)'})
    except requests.RequestException:
        pass        # The sandbox ended.


def test_private_server__ends_with_a_killed_sandbox(reachable, monkeypatch, make_sandbox):
    monkeypatch.setenv('TMPDIR', reachable)
    sandbox = make_sandbox(database=None)
    if not sandbox.engine.startswith('PostgreSQL'):
        pytest.skip(sandbox.engine)
    assert os.listdir(reachable)
    os.kill(sandbox._process.pid, signal.SIGKILL)
    deadline = time.time() + 60
    while os.listdir(reachable):
        assert time.time() < deadline, os.listdir(reachable)
        time.sleep(0.05)


def test_private_server__keeps_its_data(reachable, make_sandbox, make_api):
    first = make_sandbox(data=reachable, database=None)
    if not first.engine.startswith('PostgreSQL'):
        pytest.skip(first.engine)
    make_api(first.url, first.token).post('/projects/1/sql', json={'query': "UPDATE dataset_1 SET name = 'kept'"})
    first.close()
    second = make_sandbox(data=reachable, database=None)
    assert second.engine == first.engine
    assert make_api(second.url, second.token).sql('SELECT DISTINCT name FROM dataset_1')['data'] == [{'name': 'kept'}]
    with pytest.raises(SandboxError, match='another server might be running|lock file'):
        make_sandbox(data=reachable, database=None)


def test_named_server__drops_what_a_killed_sandbox_left(cluster, make_sandbox, make_api):
    living, killed = make_sandbox(database=cluster.dsn), make_sandbox(database=cluster.dsn)
    before = databases_of(cluster)
    os.kill(killed._process.pid, signal.SIGKILL)
    killed._process.wait()
    third = make_sandbox(database=cluster.dsn)
    assert make_api(living.url, living.token).sql('SELECT count(*) FROM dataset_1')['data'] == [{'count': 5}]
    after = databases_of(cluster)
    assert len([name for name in before if name not in after]) == 2
    third.close()
    assert len([name for name in after if name not in databases_of(cluster)]) == 2


def test_named_server__keeps_what_is_to_be_kept(cluster, make_sandbox, make_api, tmp_path):
    first = make_sandbox(data=tmp_path, database=cluster.dsn)
    make_api(first.url, first.token).post('/projects/1/sql', json={'query': "UPDATE dataset_1 SET name = 'kept'"})
    first.close()
    second = make_sandbox(data=tmp_path, database=cluster.dsn)
    assert make_api(second.url, second.token).sql('SELECT DISTINCT name FROM dataset_1')['data'] == [{'name': 'kept'}]


def test_named_server__by_a_role_that_is_no_superuser(cluster, make_sandbox, make_api):
    with psycopg.connect(cluster.dsn, autocommit=True) as admin:
        admin.execute('CREATE ROLE owner LOGIN CREATEDB CREATEROLE')
    with psycopg.connect(cluster.dsn, dbname='template1', autocommit=True) as template:
        template.execute('CREATE EXTENSION postgis')
    sandbox = make_sandbox(database=cluster.dsn + ' user=owner')
    api = make_api(sandbox.url, sandbox.token)
    assert api.post('/projects/1/sql', json={'query': 'DELETE FROM dataset_1'})['count'] == 5
    before = databases_of(cluster)
    sandbox.close()
    assert len(databases_of(cluster)) == len(before) - 2


def test_named_server__is_refused_with_a_reason(cluster, make_sandbox):
    with psycopg.connect(cluster.dsn, autocommit=True) as admin:
        admin.execute('CREATE ROLE powerless LOGIN')
    with pytest.raises(SandboxError, match='cannot prepare its database: .*may create databases'):
        make_sandbox(database=cluster.dsn + ' user=powerless')
    with pytest.raises(SandboxError, match='cannot connect to its database'):
        make_sandbox(database='postgresql://127.0.0.1:1/x')


def test_engine__without_postgresql(monkeypatch, tmp_path):
    monkeypatch.setattr(cluster_module, '_PLACES', ())
    monkeypatch.setenv('PATH', str(tmp_path))
    engine = open_engine(str(tmp_path), None, forget=True)
    assert engine.name.startswith('SQLite') and 'apt-get install postgresql postgis' in engine.name
    engine.close()


def test_engine__goes_on_with_what_the_folder_was_begun_with(tmp_path):
    engine = open_engine(str(tmp_path), 'sqlite', forget=False)
    engine.database(1)
    engine.close()
    (tmp_path / 'world.json').write_text('{}')
    engine = open_engine(str(tmp_path), None, forget=False)
    assert engine.name.startswith('SQLite')
    engine.close()
    with pytest.raises(EngineError, match='was begun with a database of its own'):
        open_engine(str(tmp_path), 'postgresql://127.0.0.1:1/x', forget=False)
    (tmp_path / 'project_1.sqlite').unlink()
    for database in (None, 'sqlite'):
        with pytest.raises(EngineError, match='was begun with a PostgreSQL server'):
            open_engine(str(tmp_path), database, forget=False)
