# -*- coding: utf-8 -*-
"""The sandbox by itself: tokens, bad requests, lists, and its process. Asked with plain requests."""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from amigocloud_sandbox import Sandbox, SandboxError

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']


def test_engine__is_told(api, sandbox):
    """Ours."""
    assert api.get(api.url + '/sandbox') == {'engine': sandbox.engine}


def test_token__levels(api, sandbox, as_other):
    """Ours: only ADMIN creates projects and changes their names."""
    project = {'name': 'test'}
    refused = as_other(sandbox.read_token).post('/me/projects', 403, json=project)
    assert refused == {'detail': 'You do not have permission to perform this action.'}
    for token in (sandbox.create_token, sandbox.edit_token):
        as_other(token).post('/me/projects', 403, json=project)
    path = '/projects/{}'.format(api.post('/me/projects', 201, json=project)['id'])
    as_other(sandbox.edit_token).send('PATCH', path, 403, json=project)
    api.send('PATCH', path, json=project)


def test_token__none_deletes_a_project(api, sandbox, as_other):
    """SERVICE.md, me, projects, datasets."""
    for token in (sandbox.token, sandbox.project_token, sandbox.read_token):
        as_other(token).send('DELETE', '/projects/1', 403)
    assert api.get('/projects/1')['id'] == 1


def test_token__what_each_level_may_do(api, sandbox, as_other):
    """SERVICE.md, Tokens."""
    rows = {level: as_other(getattr(sandbox, level + '_token')) for level in ('read', 'create', 'edit')}
    rows['admin'] = api
    change = {'type': 'DML', 'entity': 'dataset_2', 'action': 'INSERT', 'data': [{'new': {'address': 'x'}}]}
    column = {'type': 'DDL', 'entity': 'dataset_2', 'action': 'ADD COLUMN', 'data': [{
        'new': {'name': 'note', 'type': 'string'}}]}
    for level, least in (('read', ()), ('create', ('create',)), ('edit', ('create', 'edit')),
                         ('admin', ('create', 'edit', 'admin'))):
        for needed, body in (('create', change), ('edit', dict(change, action='TRUNCATE', data=None)),
                             ('admin', column)):
            rows[level].post('/projects/1/datasets/2/submit_change', 200 if needed in least else 403,
                             json={'change': json.dumps(body)})
        rows[level].post('/related_tables/1/upload', 403 if level == 'read' else 200, data={'source_amigo_id': 'a'},
                         files={'datafile': ('a.jpg', b'x')})
        is_admin = level == 'admin'
        rows[level].post('/projects/1/datasets/create', 200 if is_admin else 403, json={'name': 'x'})
        rows[level].post('/projects/1/datasets/upload', 200 if is_admin else 403, files={'datafile': ('a.csv', b'a')})


def test_token__as_a_bearer(api, sandbox, as_other):
    """SERVICE.md, Tokens."""
    bearer = {'Authorization': 'Bearer ' + sandbox.token}
    assert as_other(None).send('GET', '/me', headers=bearer).json() == api.get('/me')
    as_other(None).send('GET', '/me', 401, headers={'Authorization': 'Bearer zork'})


def test_other_origins(sandbox, as_other):
    """SERVICE.md, Links and lists: pages of other origins ask by OPTIONS, without a token."""
    asked = as_other(None).send('OPTIONS', '/projects/1/sql', headers={
        'Origin': 'http://example.com', 'Access-Control-Request-Method': 'POST'})
    assert 'POST' in asked.headers['Access-Control-Allow-Methods']
    for answer in (asked, as_other(sandbox.token).send('GET', '/me'), as_other(None).send('GET', '/me', 401)):
        assert answer.headers['Access-Control-Allow-Origin'] == '*'


def test_token__unknown_or_missing(as_other):
    """Ours: the texts of Django REST framework."""
    assert as_other('zork').get('/me', 401) == {'detail': 'Invalid token'}
    for missing in (None, ''):
        assert as_other(missing).get('/me', 401) == {'detail': 'Authentication credentials were not provided.'}
    assert 'me' in as_other(None).get('/')


def test_token__of_a_project(sandbox, as_other):
    """SERVICE.md, Tokens; ours: what such a token is refused at."""
    scoped = as_other(sandbox.project_token)
    assert scoped.get('/projects/1')['id'] == scoped.get('/users/1/projects/1/')['id'] == 1
    for outside in ('/me', '/me/projects', '/projects/2', '/users/1/projects', '/me/start_websocket_session'):
        scoped.get(outside, 403)
    assert scoped.get('/related_tables/{}'.format(sandbox.gallery_id))['name'] == 'photos'


def test_token__every_one_sees_its_jobs(api, sandbox, as_other):
    """SERVICE.md, Jobs, exports, tiles, maps: all clients ask at this path, with tokens of a project too."""
    for token in (sandbox.token, sandbox.project_token):
        answer = as_other(token).post('/projects/1/datasets/create', json={'name': 'x'})
        job = as_other(sandbox.project_token).get('/me/jobs/' + answer['job'])
        assert sorted(job) == ['extra', 'id', 'status', 'url'] and job['url'] == api.get(job['url'])['url']
    elsewhere = api.post('/projects/2/datasets/create', json={'name': 'x'})['job']
    as_other(sandbox.project_token).get('/me/jobs/' + elsewhere, 404)
    as_other(sandbox.other_token).get('/me/jobs/' + elsewhere, 404)


def test_token__of_another_user(sandbox, as_other):
    """Ours: what belongs to another user is forbidden, not missing."""
    as_other(sandbox.other_token).get('/projects/1', 403)
    as_other(sandbox.other_token).get('/users/1', 403)


def test_token__last_one_of_two_counts(sandbox, as_other):
    """Ours, as Django reads a query."""
    as_other(None).get('/me?token=zork&token=' + sandbox.token)
    as_other(None).get('/me?token={}&token=zork'.format(sandbox.token), 401)


def test_cookie__is_set_and_must_not_come_back(api):
    """Ours, as Django REST framework treats a session."""
    assert api.send('GET', '/me').cookies['sessionid']
    answer = api.post('/me/projects', 403, json={'name': 'x'}, headers={'Cookie': 'sessionid=x'})
    assert answer['detail'].startswith('CSRF Failed')


@pytest.mark.parametrize('method, path, status, body', [
    ('GET', '/zork', 404, None),
    ('GET', '//me', 404, None),
    ('GET', '/projects/99999999999999999999999999', 404, None),
    ('GET', '/users/2/projects/1', 404, None),
    ('PUT', '/me', 405, None),
    ('GET', '/me?x=%00', 400, None),
    ('POST', '/me/projects', 400, b'{"name": '),
    ('POST', '/me/projects', 400, b'[]'),
    ('POST', '/me/projects', 400, b'{}'),
    ('POST', '/me/projects', 400, b'{"name": 5}'),
    ('POST', '/me/projects', 400, b'{"name": NaN}'),
    ('POST', '/me/projects', 400, b'{"name": "\\u0000"}'),
    ('POST', '/me/projects', 400, b'{"name": "\\ud800"}'),
    ('POST', '/me/projects', 400, b'\xff\xff'),
    ('POST', '/me/projects', 400, b'[' * 200000),
    ('POST', '/projects/1/datasets/create', 400, b'{"name": "x", "schema": "["}'),
    ('POST', '/projects/1/datasets/create', 400, b'{"name": "x", "schema": [{"name": "x", "type": "zork"}]}'),
    ('POST', '/projects/1/datasets/1/submit_change', 400, b'{"change": {}}'),
    ('POST', '/projects/1/datasets/1/submit_change', 400, b'{"change": "[]"}'),
    ('POST', '/projects/1/datasets/1/submit_change', 400, b'{"change": "{\\"type\\": \\"\\\\u0000\\"}"}'),
    ('POST', '/projects/1/datasets/1/export', 400, b'{"format": "zork"}'),
    ('POST', '/projects/1/datasets/1/revert/zork', 400, b'{}'),
    ('POST', '/projects/1/submit_changeset', 400, b'{"changeset": "{}"}'),
    ('POST', '/projects/1/submit_changeset', 400,
     b'{"changeset": "[{\\"type\\": \\"DML\\", \\"action\\": \\"TRUNCATE\\", \\"entity\\": \\"dataset_9\\"}]"}'),
    ('GET', '/projects/1/datasets/1/changeset?hash=zork', 400, None),
    ('GET', '/projects/1/datasets/1/tiles/1/2/0.png', 404, None),
    ('POST', '/projects/1/datasets/upload', 400, b'{}'),
    ('POST', '/projects/1/datasets/chunked_upload/complete', 400, b'{"upload_id": 5}'),
    ('GET', '/projects/1/datasets/chunked_upload', 405, None),
    ('GET', '/projects/1/sql', 400, None),
    ('GET', '/projects/1/sql?query=zork', 400, None),
    ('GET', '/projects/1/sql?query=select+1&state=x', 400, None),
    ('GET', '/projects/1/sql?query=select+1&state=x&dataset_id=1', 400, None),
    ('GET', '/me/geocoder/search?text=', 400, None),
])
def test_bad_request__is_answered_as_the_service_does(api, method, path, status, body):
    """Ours: statuses as Django REST framework has them."""
    answer = api.send(method, path, status, data=body, headers={'Content-Type': 'application/json'})
    assert isinstance(answer.json(), dict)


def test_bad_request__body_that_is_not_json(api):
    """Ours: statuses as Django and its REST framework have them."""
    api.post('/me/projects', 415, data=b'<name/>', headers={'Content-Type': 'text/xml'})
    huge = api.send('POST', '/me/projects', 400, data=b'"' + b'x' * 3000000 + b'"',
                    headers={'Content-Type': 'application/json'})
    assert huge.headers['Content-Type'].startswith('text/html')


def test_list__pages(api):
    """SERVICE.md, Links and lists; ours: a limit or offset that makes no sense counts as not given."""
    count = api.get('/me/projects')['count']
    page = api.get('/me/projects?x=1&x=2&limit=0')
    assert len(page['results']) == 20 and page['previous'] is None
    assert page['next'].startswith(api.url) and page['next'].endswith(
        '?limit=20&offset=20&token={}&x=1&x=2'.format(requests.compat.quote(api.token)))
    last = api.get(page['next'])
    assert len(last['results']) == count - 20 and last['next'] is None
    assert 'offset' not in last['previous'] and api.get(last['previous'])['results'] == page['results']
    assert api.get('/me/projects', limit=-1, offset='x')['results'] == page['results']
    assert api.get('/me/projects', offset='9' * 30)['results'] == []


def test_list__summary(api):
    """SERVICE.md, Links and lists."""
    project, = api.get('/me/projects?summary', limit=1)['results']
    assert list(project) == ['id', 'name', 'url', 'hash', 'preview_image', 'preview_image_hash']
    dataset = api.get('/projects/1/datasets?summary', limit=1)['results'][0]
    assert list(dataset) == ['id', 'name', 'url', 'visible', 'type', 'schema_hash', 'preview_image',
                             'preview_image_hash']


def test_list__search_and_type(api):
    """SERVICE.md, Links and lists."""
    assert [project['name'] for project in api.get('/me/projects/', search='field')['results']] == ['Field work']
    names = [dataset['name'] for dataset in api.get('/projects/1/datasets', type='vector')['results']]
    assert names[:2] == ['vehicles', 'places'] and 'record_history' not in names
    page = api.get('/me/projects', search='project', limit=2)
    assert page['count'] == 27 and 'search=project' in page['next']


PROJECT = """id url name description owner owner_id organization created_on last_updated hash public_read public_write
    permission_level my_permission_level preview_image preview_image_hash dataset_count history_dataset_id datasets
    upload_datasets chunked_upload_datasets upload chunked_upload chunked_upload_complete create_dataset sql
    submit_changeset support_files support_files_hash base_layers contributors invitations grant revoke leave queries
    notifications offline_areas temporary_datasets"""
DATASET = """id url name project table_name visible type description created_on last_updated feature_count boundingbox
    geometry_column geo_type wkt_geo_type read_only online_only auto_sync display_field cache_busting master_state
    schema_hash related_tables_hash preview_image_hash schema master states changeset submit_change export style forms
    forms_summary tiles preview preview_image preview_vector related_tables relationships notifications
    generalization"""
POSTED = ('upload_datasets', 'chunked_upload_datasets', 'upload', 'chunked_upload', 'chunked_upload_complete',
          'create_dataset', 'submit_changeset', 'grant', 'revoke', 'leave', 'submit_change', 'export')
WITH_QUERIES = {'sql': '?query=SELECT+1', 'changeset': '?hash=x', 'tiles': '/0/0/0.png'}


@pytest.mark.parametrize('path, members', [('/projects/1', PROJECT), ('/projects/1/datasets/1', DATASET)])
def test_links__work_as_they_are_and_with_a_token(api, as_other, path, members):
    """SERVICE.md, Links and lists; me, projects, datasets."""
    state = api.get(path)
    assert sorted(state) == sorted(members.split())
    for name, value in state.items():
        if str(value).startswith('http') and name not in WITH_QUERIES:
            assert '?' not in value
            status = 405 if name in POSTED else 200
            api.send('GET', value, status)
            as_other(None).send('GET', '{}?token={}'.format(value, api.token), status)
    api.send('GET', state['preview_image'])
    as_other(None).send('GET', state['preview_image'], 401)


def test_project__named_in_each_way(api, sandbox):
    """SERVICE.md, the short forms."""
    uuid = sandbox.project_uuid
    assert api.get('/projects/' + uuid) == api.get('/users/0/projects/1') == api.get('/users/1/projects/1/')
    expected = api.get('/projects/1/datasets/2')
    for project in ('users/0/projects/0', 'projects/0', 'users/1/projects/0', 'projects/' + uuid):
        assert api.get('/{}/datasets/2'.format(project)) == expected
    api.get('/projects/00000000-0000-0000-0000-000000000000', 404)
    api.get('/projects/0', 404)


def test_project__lists_below_it(api):
    """SERVICE.md, SQL; Jobs, exports, tiles, maps."""
    query = api.post(api.url + '/sandbox/queries', json={'project_id': 1, 'name': 'big', 'query': 'SELECT 1'})['id']
    assert api.get('/projects/1/queries/{}'.format(query))['query'] == 'SELECT 1'
    api.get('/projects/2/queries/{}'.format(query), 404)
    assert api.get('/projects/1/maps')['results'] == []
    layer = api.get(api.get('/projects/1/base_layers')['results'][0]['url'])
    assert api.send('GET', layer['tiles'] + '/1/1/1.png').content.startswith(b'\x89PNG')


def test_failures__on_request(api):
    """SERVICE.md, Changes, states, history: rate limits."""
    knob = api.url + '/sandbox/failures'
    api.post(knob, json={'path': '/me', 'status': 429, 'times': 2, 'retry_after': 3})
    for _ in range(2):
        refused = api.send('GET', '/me', 429)
        assert (refused.json()['detail'], refused.headers['Retry-After']) == ('TOO MANY REQUESTS', '3')
    api.get('/me')
    count = api.get('/me/projects')['count']
    api.post(knob, json={'path': '/me/projects', 'status': 429, 'larger_than': 1000})
    api.post('/me/projects', 429, json={'name': 'x' * 1000})
    api.post(knob, 400, json={'path': '/me/projects', 'status': 429, 'larger_than': 'much'})
    api.post(knob, json={'path': '/me/projects'})
    with pytest.raises(requests.ConnectionError):
        api.post('/me/projects', json={'name': 'lost'})
    assert api.get('/me/projects')['count'] == count + 1


def test_me(api, as_other):
    """SERVICE.md, me, projects, datasets."""
    me = api.get('/me')
    assert list(me) == ['id', 'first_name', 'last_name', 'email', 'custom_id', 'organization', 'projects',
                        'visible_projects', 'images']
    assert (me['id'], me['first_name'], me['last_name'], me['email']) == (1, 'Ada', 'Rivera', 'ada@example.com')
    assert api.get(me['projects'])['count'] == api.get(me['visible_projects'])['count'] > 25
    thumbnail = api.get(me['images'])['thumbnail']
    assert as_other(None).send('GET', thumbnail).content.startswith(b'\x89PNG')


def test_project__is_changed_by_json_and_by_form(api):
    """SERVICE.md, Links and lists; ours: PUT."""
    created = api.post('/me/projects', 201, data={'name': u'Bahía'})
    path = '/users/1/projects/{}'.format(created['id'])
    assert api.get(path)['name'] == u'Bahía' and api.get(created['datasets'], type='vector')['count'] == 0
    assert api.send('PUT', path, json={'name': 'Bay'}).json()['name'] == 'Bay'
    assert api.send('PUT', path, 400, json={}).json() == {'name': ['This field is required.']}


def command(*arguments):
    return subprocess.Popen([sys.executable, '-m', 'amigocloud_sandbox'] + list(arguments), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def is_served(url):
    host, port = url.split('//')[1].split(':')
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_process__keeps_its_data(make_sandbox, tmp_path, make_api):
    # Systems give out ports from 32768 on by themselves, so this one stays free for the second.
    first = make_sandbox(data=tmp_path / 'kept', port=random.randrange(20000, 30000))
    api = make_api(first.url, first.token)
    api.post('/projects/1/sql', json={'query': "UPDATE dataset_1 SET name = 'kept'"})
    photo = api.post('/related_tables/1/upload', files={'datafile': ('a.jpg', b'photo')}, data={'source_amigo_id': 'a'})
    first.close()
    second = make_sandbox(data=tmp_path / 'kept', port=int(first.url.rsplit(':', 1)[1]))
    assert (second.url, second.token) == (first.url, first.token)
    assert api.sql('SELECT DISTINCT name FROM dataset_1')['data'] == [{'name': 'kept'}]
    assert api.send('GET', '/related_tables/1/files/a/{}/a.jpg'.format(photo['amigo_id'])).content == b'photo'


def test_process__job_does_not_outlive_it(make_sandbox, tmp_path, make_api):
    first = make_sandbox(data=tmp_path, job_seconds=600)
    api = make_api(first.url, first.token)
    job = api.post('/projects/1/datasets/create', json={'name': 'x', 'schema': []})
    assert api.get('/me/jobs/' + job['job'])['status'] == 'PENDING'
    # Ours: a dataset is not found before its job is done.
    api.get('/projects/1/datasets/{}'.format(job['id']), 404)
    first.close()
    api.url = make_sandbox(data=tmp_path).url
    assert api.finished(job) == (['FAILURE'], {'error': ['The server was restarted.']})


def test_process__ends_with_its_parent(tmp_path):
    script = tmp_path / 'parent.py'
    script.write_text('from amigocloud_sandbox import Sandbox\nprint(Sandbox().url, flush=True)\ninput()\n')
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          universal_newlines=True, env=dict(os.environ, PYTHONPATH=root)) as parent:
        url = parent.stdout.readline().strip()
        assert is_served(url)
        parent.kill()
    deadline = time.time() + 20
    while is_served(url):
        assert time.time() < deadline


def test_process__that_cannot_start():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen(1)
        with pytest.raises(SandboxError, match='cannot listen'):
            Sandbox(port=taken.getsockname()[1], database='sqlite')


def test_command__serves_until_it_is_interrupted(make_api):
    with command('--port', '0') as process:
        lines = iter(process.stdout.readline, '')
        url = next(lines).split()[-1]
        token = next(line for line in lines if 'token (ADMIN)' in line).split()[-1]
        for line in lines:
            if 'Ctrl-C' in line:
                break
        api = make_api(url, token)
        assert api.get('/me')['id'] == 1
        # What is refused leaves no traceback.
        for query in ('SELECT zork', 'SELEC 1', 'DELETE FROM dataset_99', 'UPDATE dataset_1 SET seats = 1.2.3'):
            api.get('/projects/1/sql', 400, query=query)
            api.post('/projects/1/sql', 400, json={'query': query})
        api.finished(api.post('/projects/1/datasets/upload', files={'datafile': ('x.zip', b'zork')}))
        api.finished(api.post('/projects/1/datasets/create', json={
            'name': 'x', 'schema': [{'name': 'x', 'type': 'text'}] * 2}))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ''


def test_command__without_its_packages(tmp_path):
    (tmp_path / 'flask.py').write_text('raise ModuleNotFoundError("No module named flask", name="flask")')
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join([str(tmp_path), root])
    result = subprocess.run([sys.executable, '-m', 'amigocloud_sandbox'], env=dict(os.environ, PYTHONPATH=path),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=False)
    assert result.returncode == 1
    assert result.stderr == 'The sandbox needs flask: pip install "amigocloud[sandbox]"\n'


def test_connection__is_kept(api):
    for _ in range(3):
        api.get('/me')
        api.get('/zork', 404)
    pools = api.session.get_adapter(api.url).poolmanager.pools
    assert [pools[key].num_connections for key in pools.keys()] == [1]
