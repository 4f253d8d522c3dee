"""A client for tests of the sandbox that is not the library."""
import time

import requests


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
