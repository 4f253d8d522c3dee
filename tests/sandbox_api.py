"""A client for tests of the sandbox that is not the library, and the fixtures for them; Python 3 only."""
import time

import pytest
import requests

from amigocloud.sandbox import Sandbox


class Api(object):
    """A sandbox's API with one token: no cookies, JSON in both directions."""

    def __init__(self, url, token):
        self.url = url
        self.token = token
        self.session = requests.Session()

    def send(self, method, path, status=200, **kwargs):
        url = path if path.startswith('http') else self.url + '/api/v1' + path
        params = [] if self.token is None or 'token=' in url else [('token', self.token)]
        params += list(kwargs.pop('params', {}).items())
        self.session.cookies.clear()
        answer = self.session.request(method, url, params=params, timeout=30, **kwargs)
        assert answer.status_code == status, answer.text
        return answer

    def get(self, path, status=200, **params):
        return self.send('GET', path, status, params=params).json()

    def post(self, path, status=200, **kwargs):
        return self.send('POST', path, status, **kwargs).json()

    def sql(self, query, project_id=1, **params):
        return self.get('/projects/{}/sql'.format(project_id), query=query, **params)

    def finished(self, answer):
        """Wait for the job of an answer; return every status that it had, and its extra."""
        statuses = []
        deadline = time.time() + 30
        while time.time() < deadline:
            job = self.get('/me/jobs/' + answer['job'])
            if job['status'] not in statuses:
                statuses.append(job['status'])
            if job['status'] in ('SUCCESS', 'FAILURE'):
                return statuses, job['extra']
        raise AssertionError('The job does not end: {}'.format(statuses))


@pytest.fixture(scope='module')
def sandbox():
    with Sandbox(job_seconds=0.1) as running:
        yield running


@pytest.fixture
def make_api():
    """Makes the APIs of a URL and a token."""
    made = []

    def make(url, token):
        made.append(Api(url, token))
        return made[-1]
    yield make
    for api in made:
        api.session.close()


@pytest.fixture
def api(make_api, sandbox):
    return make_api(sandbox.url, sandbox.token)


@pytest.fixture
def as_other(make_api, sandbox):
    """Gives the API with another token."""
    return lambda token: make_api(sandbox.url, token)


@pytest.fixture
def make_sandbox():
    """Makes sandboxes with settings of their own."""
    running = []

    def make(**settings):
        running.append(Sandbox(**settings))
        return running[-1]
    yield make
    for sandbox in running:
        sandbox.close()
