import pickle

import pytest
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError, AmigoCloudJobError, jobs

JOB = '/api/v1/me/jobs/17'


@pytest.fixture(autouse=True)
def short_job_pauses(monkeypatch):
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.001, 0.002))


def states(*statuses, **members):
    return [dict(members, id=17, status=status) for status in statuses]


def test_wait_for_job(wire, client):
    wire.answers[JOB] = states('PENDING', 'STARTED', 'STARTED', 'SUCCESS',
                               extra={'dataset_ids': [3]})
    assert client.wait_for_job(17) == {'id': 17, 'status': 'SUCCESS', 'extra': {'dataset_ids': [3]}}
    assert [(request.method, request.path, request.params) for request in wire.requests] == [
        ('GET', JOB, {'token': 'secret'})] * 4


@pytest.mark.parametrize('job, path', [
    ('17', '17'), (u'17', '17'), ({'job': 17}, '17'), ({'id': 4, 'job': 'a-b'}, 'a-b'),
    (u'\xe9/?', '%C3%A9%2F%3F')])
def test_wait_for_job__ways_to_name_it(wire, client, job, path):
    wire.answers['/api/v1/me/jobs/' + path] = states('SUCCESS')
    assert client.wait_for_job(job)['status'] == 'SUCCESS'


def test_wait_for_job__project_token(wire):
    wire.answers['/api/v1/users/1/projects/2/'] = {'id': 2}
    wire.answers[JOB] = states('SUCCESS')
    with AmigoCloud('secret', '/users/1/projects/2', base_url=wire.url) as project:
        assert project.wait_for_job(17)['id'] == 17


@pytest.mark.parametrize('extra, text', [
    ({'error': ['No such', 'thing']}, 'No such thing'), ({'error': 'Bad file'}, 'Bad file'),
    ({'detail': 'gone'}, '{"detail": "gone"}'), (['Bad', 5], 'Bad 5')])
def test_wait_for_job__failure(wire, client, extra, text):
    wire.answers[JOB] = states('STARTED', 'FAILURE', extra=extra)
    with pytest.raises(AmigoCloudJobError) as raised:
        client.wait_for_job({'job': 17})
    assert isinstance(raised.value, AmigoCloudError)
    assert raised.value.job == {'id': 17, 'status': 'FAILURE', 'extra': extra}
    assert str(raised.value) == 'Job 17 ended with FAILURE: ' + text


def test_wait_for_job__revoked(wire, client):
    wire.answers[JOB] = states('REVOKED')
    with pytest.raises(AmigoCloudJobError, match='REVOKED'):
        client.wait_for_job(17)


def test_job_error__pickle():
    error = pickle.loads(pickle.dumps(AmigoCloudJobError('Job 17 failed', {'id': 17})))
    assert type(error) is AmigoCloudJobError
    assert (error.message, error.job, error.response) == ('Job 17 failed', {'id': 17}, None)


def test_wait_for_job__timeout(wire, client):
    wire.answers[JOB] = states('STARTED')
    message = 'Job 17 has not ended after 0 s.* STARTED.* continues on'
    with pytest.raises(AmigoCloudError, match=message) as raised:
        client.wait_for_job(17, timeout=0)
    assert not isinstance(raised.value, AmigoCloudJobError)
    assert len(wire.requests) == 1


def test_wait_for_job__polls_at_the_end_of_the_timeout(wire, client, monkeypatch):
    clock, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (4, 4))
    monkeypatch.setattr(jobs.waiting, 'now', lambda: clock[0])
    monkeypatch.setattr(jobs.time, 'sleep', sleep)
    wire.answers[JOB] = states('STARTED')
    with pytest.raises(AmigoCloudError, match='after 9 s'):
        client.wait_for_job(17, timeout=9)
    assert sum(slept) == pytest.approx(9) and len(wire.requests) == len(slept) + 1


def test_wait_for_job__request_fails(wire, client):
    wire.answers[JOB] = states('STARTED') + [lambda request: None]
    with pytest.raises(AmigoCloudError, match='failed after 4 tries'):
        client.wait_for_job(17)


@pytest.mark.parametrize('extra', [None, {}, [], ''])
def test_wait_for_job__reason_elsewhere(wire, client, extra):
    wire.answers[JOB] = {'status': 'FAILURE', 'extra': extra, 'error_code': 7,
                         'detail': 'Bad file.'}
    with pytest.raises(AmigoCloudJobError, match='"detail": "Bad file."'):
        client.wait_for_job(17)


def test_wait_for_job__long_reason(wire, client):
    wire.answers[JOB] = states('FAILURE', extra={'error': 'x' * 100000})
    with pytest.raises(AmigoCloudJobError, match='100000 characters') as raised:
        client.wait_for_job(17)
    assert len(str(raised.value)) < 2200 and len(raised.value.job['extra']['error']) == 100000


@pytest.mark.parametrize('answer', [[], {}, {'status': None}])
def test_wait_for_job__no_job(wire, client, answer):
    wire.answers[JOB] = lambda request: answer
    with pytest.raises(AmigoCloudError, match="no 'status'"):
        client.wait_for_job(17)


@pytest.mark.parametrize('job', [
    None, True, '', ' ', '..', 1.5, [], {}, {'job': None}, {'job': {'id': 1}}])
def test_wait_for_job__bad_job(wire, client, job):
    with pytest.raises(ValueError, match='job must be the id of a job'):
        client.wait_for_job(job)
    assert not wire.requests


@pytest.mark.parametrize('timeout', [-1, 'x', True, float('nan')])
def test_wait_for_job__bad_timeout(wire, client, timeout):
    with pytest.raises(ValueError, match='timeout must be a number of seconds'):
        client.wait_for_job(17, timeout)
    assert not wire.requests


def test_wait_for_job__interrupted(wire, client, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt
    monkeypatch.setattr(jobs.time, 'sleep', interrupt)
    wire.answers[JOB] = states('STARTED')
    with pytest.raises(KeyboardInterrupt):
        client.wait_for_job(17)
    assert len(wire.requests) == 1


def test_wait_for_job__progress(wire, client):
    wire.answers[JOB] = states('PENDING', 'STARTED', 'SUCCESS')
    told = []
    client.wait_for_job(17, progress=lambda *args: told.append(args))
    assert told == [(0, 1), (0, 1), (1, 1)]


def test_pauses(monkeypatch):
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.1, 5))
    first, second = ([pause for pause, _ in zip(jobs.pauses(), range(30))] for _ in range(2))
    assert 0.05 <= first[0] <= 0.1
    assert all(2.5 <= pause <= 5 for pause in first[15:])
    assert first[15:] != second[15:]
    assert sum(first[:5]) < 3.2


@pytest.mark.parametrize('status', [
    'FAILED', 'ERROR', 'Error', 'failure', 'CANCELLED', 'canceled', 'Revoked'])
def test_wait_for_job__ways_to_fail(wire, client, status):
    wire.answers[JOB] = states('started', status, extra={'error': 'no'})
    message = '^Job 17 ended with {}: no$'.format(status.upper())
    with pytest.raises(AmigoCloudJobError, match=message) as caught:
        client.wait_for_job(17)
    assert caught.value.job['status'] == status


def test_wait_for_job__status_in_any_case(wire, client):
    wire.answers[JOB] = states('pending', 'Received', 'started', 'PROGRESS', 'retry', 'success')
    assert client.wait_for_job(17)['status'] == 'success'
    assert len(wire.requests) == 6


def test_wait_for_job__unknown_status(wire, client):
    wire.answers[JOB] = states('STARTED', u'PAU\x1b[2J\nSED')
    message = "Job 17 has the unknown status 'PAU.*SED'.*/me/jobs/17"
    with pytest.raises(AmigoCloudError, match=message) as caught:
        client.wait_for_job(17)
    assert not isinstance(caught.value, AmigoCloudJobError)
    assert len(wire.requests) == 2


@pytest.mark.parametrize('job', [
    {'job_id': 17}, {'job': None, 'job_id': 17}, {'job': 17, 'job_id': 18}])
def test_wait_for_job__job_id(wire, client, job):
    wire.answers[JOB] = states('SUCCESS')
    assert client.wait_for_job(job)['id'] == 17


@pytest.fixture
def project(wire):
    wire.answers['/api/v1/users/1/projects/2/'] = {'id': 2}
    with AmigoCloud('secret', '/users/1/projects/2', base_url=wire.url) as project:
        del wire.requests[:]
        yield project


def test_wait_for_job__unknown(wire, client):
    wire.answers[JOB] = Answer({'detail': 'no'}, 404)
    with pytest.raises(AmigoCloudError, match='404'):
        client.wait_for_job(17)
    assert len(wire.requests) == 1


@pytest.mark.parametrize('status', ['STARTED', 'FAILURE', 'ODD'])
def test_wait_for_job__control_characters(wire, client, status):
    wire.answers['/api/v1/me/jobs/a%1B%5B2J%C2%9B%0Ab'] = {'status': status}
    with pytest.raises(AmigoCloudError) as caught:
        client.wait_for_job(u'a\x1b[2J\x9b\nb', timeout=0)
    assert caught.value.message.startswith(u'Job a?[2J?\nb ')


def test_wait_for_job__control_characters_in_a_bar(wire, client, capsys):
    pytest.importorskip('tqdm')
    wire.answers['/api/v1/me/jobs/a%1B%5B2Jb'] = {'status': 'SUCCESS'}
    client.wait_for_job(u'a\x1b[2Jb', progress=True)
    assert 'Job a?[2Jb: 100%' in capsys.readouterr().err


def test_export_dataset__project_token(wire, project, tmpdir):
    below = '/api/v1/users/1/projects/2/'
    wire.answers.update({
        below + 'datasets/3': {'export': wire.url + below + 'datasets/3/export'},
        below + 'datasets/3/export': {'job': 17}, '/files/x.csv': Answer(b'a,b'),
        JOB: states('SUCCESS', extra={'link': wire.url + '/files/x.csv'})})
    project.project().dataset(3).export('CSV', str(tmpdir.join('x.csv')))
    assert tmpdir.join('x.csv').read() == 'a,b'
    assert [request.path for request in wire.requests] == [
        below + 'datasets/3', below + 'datasets/3/export', JOB, '/files/x.csv']


def test_export_dataset__no_project(wire, client):
    with pytest.raises(ValueError, match='project_id'):
        client.project().dataset(3).export('CSV')
    assert not wire.requests
