"""What users put around requests sees every kind of call: vcrpy, responses, requests-mock, requests_cache, mock."""
import io
import subprocess
import sys

import pytest
from conftest import Answer
from servers.tls import make_certificate, speak_tls

from amigocloud import AmigoCloud

ONLY_PYTHON_3 = 'it is not installed for the tests on Python 2'

CALLS = {
    'get': lambda client: client.get('/x'),
    'post': lambda client: client.post('/x', {'a': 1}),
    'put': lambda client: client.put('/x', {'a': 1}),
    'patch': lambda client: client.patch('/x', {'a': 1}),
    'delete': lambda client: client.delete('/x'),
    'raw': lambda client: client.get('/x', raw=True),
    'cursor': lambda client: list(client.get_cursor('/p1')),
    'sql': lambda client: list(client.project(1).sql('SELECT 1')),
    'execute': lambda client: client.project(1).execute('DELETE FROM dataset_2'),
    'upload': lambda client: client.upload_file('/simple', '/chunked', io.BytesIO(b'abc')),
    'chunks': lambda client: client.upload_file(None, '/chunked', io.BytesIO(b'abcdef'), 3),
    'job': lambda client: client.wait_for_job('J'),
    'download': lambda client: download(client),
}


def download(client):
    output = io.BytesIO()
    client.download('/file', output)
    return output.getvalue()


def answers(base_url):
    """What a server says, by path below the API."""
    return {
        'me': {'id': 7}, 'x': {'got': 'it'}, 'p1': {'results': [1], 'next': base_url + '/api/v1/p2'},
        'p2': {'results': [2], 'next': None}, 'projects/1/sql': {'columns': [], 'data': [{'a': 1}], 'next': None},
        'simple': {'job': 'J'}, 'chunked': {'upload_id': 'U', 'offset': 3}, 'chunked/complete': {'job': 'K'},
        'me/jobs/J': {'status': 'SUCCESS'}, 'file': {'file': 'content'},
    }


def serve(wire):
    wire.answers = {'/api/v1/' + path: Answer(answer) for path, answer in answers(wire.url).items()}


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted(CALLS))
@pytest.mark.parametrize('scheme', ['http', 'https'])
def test_vcrpy(wire, tmpdir, monkeypatch, name, scheme):
    vcr = pytest.importorskip('vcr', reason=ONLY_PYTHON_3)
    if scheme == 'https':
        certificate = make_certificate(tmpdir, 'localhost')
        speak_tls(wire, certificate)
        wire.url = wire.url.replace('127.0.0.1', 'localhost')
        monkeypatch.setenv('REQUESTS_CA_BUNDLE', certificate)
    serve(wire)
    cassette = str(tmpdir.join('cassette.yaml'))
    results = []
    for mode in ('once', 'none'):
        with vcr.use_cassette(cassette, record_mode=mode, allow_playback_repeats=False):
            with AmigoCloud('secret', base_url=wire.url, use_websockets=False) as client:
                results.append(CALLS[name](client))
        if mode == 'once':
            recorded = len(wire.requests)
            assert recorded > 1
    # Nothing of the second run reached the server.
    assert results[0] == results[1] and len(wire.requests) == recorded


@pytest.mark.parametrize('name', sorted(CALLS))
def test_responses(name):
    responses = pytest.importorskip('responses', reason=ONLY_PYTHON_3)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as double:
        for path, answer in answers('https://app.amigocloud.com').items():
            for method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE'):
                double.add(method, 'https://app.amigocloud.com/api/v1/' + path, json=answer)
        CALLS[name](AmigoCloud('secret', use_websockets=False))
        assert all('token=secret' in call.request.url for call in double.calls) and len(double.calls) > 1


@pytest.mark.parametrize('name', sorted(CALLS))
def test_requests_mock(name):
    requests_mock = pytest.importorskip('requests_mock', reason=ONLY_PYTHON_3)
    with requests_mock.Mocker() as double:
        for path, answer in answers('https://app.amigocloud.com').items():
            double.register_uri(requests_mock.ANY, 'https://app.amigocloud.com/api/v1/' + path, json=answer)
        CALLS[name](AmigoCloud('secret', use_websockets=False))
        assert all('token=secret' in request.url for request in double.request_history)
        assert double.call_count > 1


@pytest.mark.parametrize('name', sorted(set(CALLS) - {'download'}))
def test_session_request_is_replaced(monkeypatch, name):
    import requests
    seen = []

    def request(self, method, url, **kwargs):
        seen.append((method, url))
        path = url.partition('?')[0].rpartition('/api/v1/')[2]
        response = requests.Response()
        response.status_code, response.url = 200, url
        response.raw = io.BytesIO(Answer(answers('https://app.amigocloud.com')[path]).body)
        return response
    monkeypatch.setattr('requests.Session.request', request)
    CALLS[name](AmigoCloud('secret', use_websockets=False))
    assert len(seen) > 1 and all('token=secret' in url for _, url in seen)


CACHED = """
import sys
import requests_cache
BEFORE
import amigocloud
AFTER
client = amigocloud.AmigoCloud(base_url=sys.argv[1], use_websockets=False)
print(client.get('/x'), client.get('/x'), list(client.get_cursor('/p1')), list(client.get_cursor('/p1')))
"""


@pytest.mark.parametrize('place', ['BEFORE', 'AFTER'])
def test_requests_cache(wire, place):
    pytest.importorskip('requests_cache', reason=ONLY_PYTHON_3)
    serve(wire)
    script = CACHED.replace(place, 'requests_cache.install_cache(backend="memory")')
    script = script.replace('BEFORE', '').replace('AFTER', '')
    output = subprocess.check_output([sys.executable, '-c', script, wire.url])
    assert output.decode().split() == "{'got': 'it'} {'got': 'it'} [1, 2] [1, 2]".split()
    assert [request.path for request in wire.requests] == ['/api/v1/x', '/api/v1/p1', '/api/v1/p2']
