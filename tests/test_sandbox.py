# -*- coding: utf-8 -*-
"""The sandbox by itself: tokens, bad requests, lists, and its process. Asked with plain requests."""
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

pytest.importorskip('flask')

from amigocloud.sandbox import Sandbox, SandboxError

pytest_plugins = ['sandbox_api']


def test_token__levels(api, sandbox, as_other):
    project = {'name': 'test'}
    refused = as_other(sandbox.read_token).post('/me/projects', 403, json=project)
    assert refused == {'detail': 'You do not have permission to perform this action.'}
    created = as_other(sandbox.create_token).post('/me/projects', 201, json=project)
    path = '/projects/{}'.format(created['id'])
    as_other(sandbox.create_token).send('PATCH', path, 403, json=project)
    as_other(sandbox.edit_token).send('PATCH', path, json=project)
    as_other(sandbox.edit_token).send('DELETE', path, 403)
    assert api.send('DELETE', path, 204).content == b''
    assert api.get(path, 404) == {'detail': 'Not found.'}


def test_token__unknown_or_missing(as_other):
    assert as_other('zork').get('/me', 401) == {'detail': 'Invalid token'}
    for missing in (None, ''):
        assert as_other(missing).get('/me', 401) == {'detail': 'Authentication credentials were not provided.'}
    assert 'me' in as_other(None).get('/')


def test_token__of_a_project(sandbox, as_other):
    scoped = as_other(sandbox.project_token)
    assert scoped.get('/projects/1')['id'] == scoped.get('/users/1/projects/1/')['id'] == 1
    for outside in ('/me', '/me/projects', '/projects/2', '/users/1/projects', '/me/start_websocket_session'):
        scoped.get(outside, 403)
    assert scoped.get('/related_tables/{}'.format(sandbox.gallery_id))['name'] == 'photos'


def test_token__of_another_user(sandbox, as_other):
    as_other(sandbox.other_token).get('/projects/1', 403)
    as_other(sandbox.other_token).get('/users/1', 403)


def test_token__last_one_of_two_counts(sandbox, as_other):
    as_other(None).get('/me?token=zork&token=' + sandbox.token)
    as_other(None).get('/me?token={}&token=zork'.format(sandbox.token), 401)


def test_cookie__is_set_and_must_not_come_back(api):
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
    ('POST', '/projects/1/datasets/1/realtime', 400, b'{"object_id": 1, "latitude": 1, "longitude": 181}'),
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
    answer = api.send(method, path, status, data=body, headers={'Content-Type': 'application/json'})
    assert isinstance(answer.json(), dict)


def test_bad_request__body_that_is_not_json(api):
    api.post('/me/projects', 415, data=b'<name/>', headers={'Content-Type': 'text/xml'})
    huge = api.send('POST', '/me/projects', 400, data=b'"' + b'x' * 3000000 + b'"',
                    headers={'Content-Type': 'application/json'})
    assert huge.headers['Content-Type'].startswith('text/html')


def test_list__pages(api):
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
    assert api.get('/me/projects?summary', limit=1)['results'] == [{'id': 1, 'name': 'Field work'}]


def test_me(api, as_other):
    me = api.get('/me')
    assert (me['id'], me['first_name'], me['last_name'], me['email']) == (1, 'Ada', 'Rivera', 'ada@example.com')
    assert api.get(me['projects'])['count'] == api.get(me['visible_projects'])['count'] > 25
    thumbnail = api.get(me['images'])['thumbnail']
    assert as_other(None).send('GET', thumbnail.split('?')[0]).content.startswith(b'\x89PNG')


def test_project__is_changed_by_json_and_by_form(api):
    created = api.post('/me/projects', 201, data={'name': u'Bahía'})
    path = '/users/1/projects/{}'.format(created['id'])
    assert api.get(path)['name'] == u'Bahía' and api.get(created['datasets'])['count'] == 0
    assert api.send('PUT', path, json={'name': 'Bay'}).json()['name'] == 'Bay'
    assert api.send('PUT', path, 400, json={}).json() == {'name': ['This field is required.']}


def command(*arguments):
    return subprocess.Popen([sys.executable, '-m', 'amigocloud.sandbox'] + list(arguments), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def is_served(url):
    host, port = url.split('//')[1].split(':')
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_process__keeps_its_data(make_sandbox, tmp_path, make_api):
    first = make_sandbox(data=tmp_path / 'kept')
    api = make_api(first.url, first.token)
    api.post('/projects/1/sql', json={'query': "UPDATE dataset_1 SET name = 'kept'"})
    photo = api.post('/related_tables/1/upload', files={'datafile': ('a.jpg', b'photo')}, data={'source_amigo_id': 'a'})
    first.close()
    second = make_sandbox(data=tmp_path / 'kept', port=int(first.url.rsplit(':', 1)[1]))
    assert (second.url, second.token) == (first.url, first.token)
    assert api.sql('SELECT DISTINCT name FROM dataset_1')['data'] == [{'name': 'kept'}]
    assert api.send('GET', photo['url']).content == b'photo'


def test_process__job_does_not_outlive_it(make_sandbox, tmp_path, make_api):
    first = make_sandbox(data=tmp_path, job_seconds=600)
    api = make_api(first.url, first.token)
    job = api.post('/projects/1/datasets/create', json={'name': 'x', 'schema': []})
    assert api.get('/me/jobs/' + job['job'])['status'] == 'PENDING'
    first.close()
    api.url = make_sandbox(data=tmp_path).url
    assert api.finished(job) == (['FAILURE'], {'error': ['The server was restarted.']})


def test_process__ends_with_its_parent(tmp_path):
    script = tmp_path / 'parent.py'
    script.write_text('from amigocloud.sandbox import Sandbox\nprint(Sandbox().url, flush=True)\ninput()\n')
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
            Sandbox(port=taken.getsockname()[1])


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
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ''


def test_command__without_its_packages(tmp_path):
    (tmp_path / 'flask.py').write_text('raise ModuleNotFoundError("No module named flask", name="flask")')
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join([str(tmp_path), root])
    result = subprocess.run([sys.executable, '-m', 'amigocloud.sandbox'], env=dict(os.environ, PYTHONPATH=path),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=False)
    assert result.returncode == 1
    assert result.stderr == 'The sandbox needs flask: pip install "amigocloud[sandbox]"\n'


def test_connection__is_kept(api):
    for _ in range(3):
        api.get('/me')
        api.get('/zork', 404)
    pools = api.session.get_adapter(api.url).poolmanager.pools
    assert [pools[key].num_connections for key in pools.keys()] == [1]
