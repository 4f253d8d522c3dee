"""What users of a sandbox may not do to each other, to its states, and to the machine, by HTTP."""
import contextlib
import os
import signal
import threading

import psycopg
import pytest
import requests
from api_client import Api

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']
on_postgresql = pytest.mark.parametrize('sandbox', ['postgresql'], indirect=True, scope='module')
on_both = pytest.mark.parametrize('sandbox', ['sqlite', 'postgresql'], indirect=True,
                                  scope='module')


class Project:
    """A new project with the dataset `table`, of two rows."""

    def __init__(self, api):
        self.api = api
        made = api.post('/me/projects', 201, json={'name': 'test'})
        self.id = made['id']
        self.path = '/projects/{}'.format(self.id)
        self.history = 'dataset_{}'.format(made['history_dataset_id'])
        _, extra = self.create({'name': 'name', 'type': 'text'})
        self.dataset = '{}/datasets/{}'.format(self.path, extra['dataset_ids'][0])
        self.table = 'dataset_{}'.format(extra['dataset_ids'][0])
        self.write("INSERT INTO {0} (amigo_id, name) VALUES ('a', 'x'), ('b', 'y')")

    def create(self, *schema):
        return self.api.finished(self.api.post(self.path + '/datasets/create', json={
            'name': 'test', 'schema': schema}))

    def write(self, query, status=200):
        return self.api.post(
            self.path + '/sql', status, json={'query': query.format(self.table, self.history)})

    def read(self, query):
        return [list(row.values(
            ))[0] for row in self.api.sql(query.format(self.table, self.history), self.id)['data']]


@pytest.fixture(scope='module')
def project(sandbox):
    api = Api(sandbox.url, sandbox.token)
    yield Project(api)
    api.session.close()


@contextlib.contextmanager
def allowed(cluster, project, *functions):
    """Give users functions that only a superuser can take away from them."""
    with psycopg.connect(cluster.dsn, autocommit=True) as admin:
        name, = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'amigocloud%%' "
                              "AND datname LIKE %s", ['%\\_{}'.format(project.id)]).fetchone()
    with psycopg.connect(cluster.dsn, dbname=name, autocommit=True) as admin:
        admin.execute('GRANT EXECUTE ON FUNCTION pg_catalog.{} TO PUBLIC'.format(
            ', pg_catalog.'.join(functions)))
        yield admin
        admin.execute('REVOKE EXECUTE ON FUNCTION pg_catalog.{} FROM PUBLIC'.format(
            ', pg_catalog.'.join(functions)))


# other sessions

@on_postgresql
def test_functions__that_reach_beyond_a_statement(project):
    reached = []
    for call in ('pg_stat_get_activity(NULL)', 'pg_stat_get_backend_idset()',
                 'pg_stat_get_backend_activity(1)', 'pg_stat_get_db_numbackends(1)',
                 "pg_stat_get_progress_info('copy')", 'pg_stat_get_wal_senders()',
                 'pg_lock_status()', 'pg_prepared_xact()', 'pg_blocking_pids(1)',
                 'pg_terminate_backend(1)', 'pg_catalog.pg_cancel_backend(pg_backend_pid())',
                 'pg_advisory_lock(1)', 'pg_try_advisory_xact_lock(1, 2)', "pg_notify('a', 'b')",
                 "pg_logical_emit_message(false, 'a', 'b')", 'pg_export_snapshot()',
                 "set_config('statement_timeout', '0', false)", "set_config('work_mem', '1TB', "
                 "true)", 'lo_create(0)', 'lo_creat(-1)', "lo_from_bytea(0, 'x')",
                 "lo_put(1, 0, 'x')", 'lo_unlink(1)', 'lo_open(1, 131072)'):
        for query in ('SELECT {}', 'UPDATE {{0}} SET name = x::text FROM (SELECT {}) AS x'):
            if 'permission denied for function' not in project.write(
                query.format(call), 400)['error']:
                reached.append(call)
    assert reached == []
    for view in ('pg_stat_activity', 'pg_locks', 'pg_stat_database', 'pg_stat_replication',
                 'pg_prepared_xacts'):
        project.api.get(project.path + '/sql', 400, query='SELECT * FROM ' + view)


@on_postgresql
def test_other_projects__are_neither_seen_nor_ended(project, sandbox, cluster):
    refused = []

    def sleep():
        answer = requests.get(sandbox.url + '/api/v1/projects/1/sql', timeout=60, params={
            'token': sandbox.token, 'query': 'SELECT pg_sleep(50)'})
        refused.append(answer.json()['error'])
    with allowed(cluster, project, 'pg_stat_get_activity', 'pg_terminate_backend',
                 'pg_cancel_backend') as admin:
        sleeping = ("SELECT {} FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
                    "AND query LIKE 'FETCH%'")
        thread = threading.Thread(target=sleep)
        thread.start()
        while admin.execute(sleeping.format('pid')).fetchone() is None:
            pass
        pid, = admin.execute(sleeping.format('pid')).fetchone()
        assert project.read("SELECT query FROM pg_stat_activity WHERE pid = {}".format(pid)) == [
            '<insufficient privilege>']
        for function in ('pg_cancel_backend', 'pg_terminate_backend'):
            project.write('SELECT {}({})'.format(function, pid), 400)
        admin.execute('SELECT pg_cancel_backend(%s)', [pid])
        thread.join()
    assert refused == ['canceling statement due to user request']


# states and columns

@on_postgresql
@pytest.mark.parametrize('forged', ['zork', '["forged"]'])
def test_states__are_not_forged_by_settings(project, cluster, forged):
    with allowed(cluster, project, 'set_config'):
        answer = project.write(
            "DELETE FROM {0} WHERE amigo_id = 'a' AND 4 = (SELECT "
            "count(set_config('sandbox.' || name, '%s', true)) "
            "FROM unnest(ARRAY['deleted', 'state', 'action', 'made']) AS name)" % forged)
    assert answer['amigo_ids'] == ['a']
    assert answer['new_state'] == project.api.get(project.dataset + '/master')['master']
    change, = project.api.get(project.dataset + '/changeset', hash=answer['new_state'])['changeset']
    assert (change['type'], change['action']) == ('DML', 'DELETE')
    project.api.post('{}/revert/{}'.format(project.dataset, answer['new_state']))
    assert project.read('SELECT name FROM {0} ORDER BY 1') == ['x', 'y']


@on_both
def test_record_history__is_only_read(project):
    before = project.read('SELECT count(*) FROM {1}')
    for query in ("INSERT INTO {1} (change_type) VALUES ('forged')", "UPDATE {1} SET change_type = "
                  "'forged'", 'DELETE FROM {1}'):
        assert project.write(query,
                             400)['error'] == 'permission denied for table ' + project.history
    assert project.read('SELECT count(*) FROM {1}') == before
    project.write("UPDATE {0} SET name = 'x' WHERE amigo_id = 'a'")
    assert project.read('SELECT count(*) FROM {1}') == [before[0] + 1]


@on_both
@pytest.mark.parametrize('name', ['sandbox_first', 'Sandbox_Next'])
def test_columns__with_names_of_the_sandbox(project, name):
    schema = [{'name': name, 'type': 'integer'}]
    answer = project.api.post(
        project.path + '/datasets/create', 400, json={'name': 'test', 'schema': schema})
    assert answer == {'schema': ['The sandbox keeps the column name "{}" for itself.'.format(name)]}


@on_both
def test_columns__with_objects_for_defaults(project):
    status, extra = project.create({'name': 'a', 'type': 'text', 'default': {'b': [1]}},
                                   {'name': 'c', 'type': 'text', 'default': [1, None]})
    assert status[-1] == 'SUCCESS', extra
    table = 'dataset_{}'.format(extra['dataset_ids'][0])
    project.write("INSERT INTO {} (amigo_id) VALUES ('a')".format(table))
    assert project.read("SELECT a || c FROM " + table) == ['{"b": [1]}[1, null]']


# the machine

def test_pages_in_a_browser__turn_no_knobs(make_sandbox):
    sandbox = make_sandbox()
    url = sandbox.url + '/sandbox/tokens'
    for headers in ({'Origin': 'http://example.com'}, {'Origin': sandbox.url},
                    {'Host': 'example.com'}, {'Host': '127.0.0.1.example.com:80'}):
        for method, path in (('GET', ''), ('POST', '/revoke')):
            answer = requests.request(method, url + path, headers=headers, timeout=30,
                                      data={'token': sandbox.token})
            assert answer.status_code == 403, (headers, answer.text)
    for method, headers in (
        ('GET', {}), ('GET', {'Host': 'localhost:1'}), ('OPTIONS', {}), ('GET', {'Host': '[::1]'})):
        answer = requests.request(method, url, headers=headers, timeout=30)
        assert answer.status_code == 200 and not any('Access-Control' in name
                                                     for name in answer.headers)


def test_temporary_folder__is_removed(make_sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    living, terminated, killed = make_sandbox(), make_sandbox(), make_sandbox()
    unknown = tmp_path / 'amigocloud-sandbox-unknown'
    unknown.mkdir()
    os.kill(terminated._process.pid, signal.SIGTERM)
    assert terminated._process.wait() == 0
    assert len(list(tmp_path.iterdir())) == 3
    os.kill(killed._process.pid, signal.SIGKILL)
    killed._process.wait()
    make_sandbox().close()
    assert len(list(tmp_path.iterdir())) == 2
    assert requests.get(living.url + '/api/v1/me', params={'token': living.token},
                        timeout=30).json()['id'] == 1
    living.close()
    assert list(tmp_path.iterdir()) == [unknown]
