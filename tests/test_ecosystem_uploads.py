"""Uploads through test doubles and recorders of requests."""
import io

import pytest
import requests

from amigocloud import AmigoCloud

CONTENT = bytes(bytearray(range(256))) * 4
SIMPLE, CHUNKED, COMPLETE = [
    '/api/v1/s/' + name for name in ('upload', 'chunked_upload', 'chunked_upload/complete')]
BASE_URL = 'https://app.amigocloud.test'
NOT_ON_PYTHON_2 = 'its current releases need Python 3'


def upload(client, force_chunked=False):
    return client.upload_file('/s/upload', '/s/chunked_upload', io.BytesIO(CONTENT), 400,
                              force_chunked, {'a': 'b'})


def test_responses__multipart_matcher():
    responses = pytest.importorskip('responses', reason=NOT_ON_PYTHON_2)
    matcher = responses.matchers.multipart_matcher
    with responses.RequestsMock() as double:
        double.get(BASE_URL + '/api/v1/me', json={'id': 7})
        double.post(BASE_URL + SIMPLE, json={'job': 'simple'},
                    match=[matcher({'datafile': ('datafile', CONTENT)}, {'a': 'b'})])
        for start in (0, 400, 800):
            double.post(BASE_URL + CHUNKED, json={'upload_id': 'U1'},
                        match=[matcher({'datafile': ('datafile', CONTENT[start:start + 400])},
                                       {'upload_id': 'U1'} if start else None)])
        double.post(BASE_URL + COMPLETE, json={'job': 'chunks'})
        client = AmigoCloud('secret', base_url=BASE_URL, use_websockets=False)
        assert [upload(client, force_chunked) for force_chunked in (False, True)] == [
            {'job': 'simple'}, {'job': 'chunks'}]


def test_responses__multipart_matcher_of_another_file():
    responses = pytest.importorskip('responses', reason=NOT_ON_PYTHON_2)
    with responses.RequestsMock() as double:
        double.get(BASE_URL + '/api/v1/me', json={'id': 7})
        double.post(BASE_URL + SIMPLE, json={}, match=[responses.matchers.multipart_matcher(
            {'datafile': ('datafile', CONTENT[1:])}, {'a': 'b'})])
        client = AmigoCloud('secret', base_url=BASE_URL, use_websockets=False)
        with pytest.raises(requests.ConnectionError):
            upload(client)
        double.assert_all_requests_are_fired = False


def test_requests_mock():
    requests_mock = pytest.importorskip('requests_mock', reason=NOT_ON_PYTHON_2)
    with requests_mock.Mocker() as double:
        double.get(BASE_URL + '/api/v1/me', json={'id': 7})
        double.post(BASE_URL + SIMPLE, json={'job': 'simple'})
        double.post(BASE_URL + CHUNKED, json={'upload_id': 'U1'})
        double.post(BASE_URL + COMPLETE, json={'job': 'chunks'})
        client = AmigoCloud('secret', base_url=BASE_URL, use_websockets=False)
        assert [upload(client, force_chunked) for force_chunked in (False, True)] == [
            {'job': 'simple'}, {'job': 'chunks'}]
        simple, first, second, third, complete = double.request_history[1:]
    assert CONTENT in simple.body.read()
    assert CONTENT[:400] in first.body
    assert CONTENT[400:800] in second.body
    assert CONTENT[800:] in third.body
    assert complete.json()['a'] == 'b'


@pytest.mark.parametrize('force_chunked', [False, True])
def test_vcr__records_and_plays(wire, tmpdir, force_chunked):
    vcr = pytest.importorskip('vcr', reason=NOT_ON_PYTHON_2)
    wire.answers[CHUNKED] = {'upload_id': 'U1'}
    wire.answers[SIMPLE] = wire.answers[COMPLETE] = {'job': 'J'}
    path = str(tmpdir.join('upload.yaml'))
    for mode in ('once', 'none'):
        with vcr.use_cassette(path, record_mode=mode) as cassette:
            client = AmigoCloud('secret', base_url=wire.url, use_websockets=False)
            assert upload(client, force_chunked) == {'job': 'J'}
            assert cassette.all_played or mode == 'once'
            recorded = [read(request.body) for request in cassette.requests]
    # Only the recording sends requests to the service; the playback sends none.
    assert recorded[1:] == [request.body for request in wire.requests[1:]]
    paths = [CHUNKED] * 3 + [COMPLETE] if force_chunked else [SIMPLE]
    assert [request.path for request in wire.requests[1:]] == paths


def read(body):
    return body.read() if hasattr(body, 'read') else body
