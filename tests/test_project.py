"""Project, Dataset and Gallery: what they send, and the ids that they take."""
import io
import pickle
import uuid

import pytest
import six

from amigocloud import AmigoCloud
from amigocloud.exceptions import AmigoCloudError, AmigoCloudValueError

UUID = '0f8fad5b-d9cb-469f-a165-70867728950e'


def paths(wire):
    return [(request.method, request.path) for request in wire.requests]


@pytest.mark.parametrize('project_id, url', [
    (1, '/projects/1'), ('2', '/projects/2'), (0, '/projects/0'), (UUID, '/projects/' + UUID),
    (uuid.UUID(UUID), '/projects/' + UUID), (UUID.replace('-', ''), '/projects/' + UUID.replace('-', ''))])
def test_project__ids(wire, client, project_id, url):
    project = client.project(project_id)
    assert (project.url, project.client, project.id) == (url, client, url.rpartition('/')[2])
    assert project.dataset('3').url == url + '/datasets/3'
    assert not wire.requests


@pytest.mark.parametrize('project_id', [-1, 1.0, True, '', ' ', '1/../2', u'\xe9', [1], {'id': 1}, 'Trees', UUID + '0'])
def test_project__bad_id(wire, client, project_id):
    with pytest.raises(AmigoCloudValueError, match='^project_id must be an integer or a UUID, not '):
        client.project(project_id)
    assert not wire.requests


@pytest.mark.parametrize('dataset_id', [0, -1, 1.5, True, None, '', '1?', UUID])
def test_dataset_and_gallery__bad_id(wire, client, dataset_id):
    with pytest.raises(AmigoCloudValueError, match='^dataset_id must be an integer of at least 1, not '):
        client.project(1).dataset(dataset_id)
    with pytest.raises(AmigoCloudValueError, match='^gallery_id must be an integer of at least 1, not '):
        client.gallery(dataset_id)
    assert not wire.requests


def test_project__none_without_a_project_token(wire, client):
    with pytest.raises(AmigoCloudValueError, match='^project_id is required unless you log in with a project token'):
        client.project()
    assert not wire.requests


def test_project__of_a_project_token(wire):
    below = '/api/v1/users/7/projects/1'
    wire.answers.update({below + '/': {'id': 1}, below + '/datasets': {'results': [{'id': 2}], 'next': None},
                         below + '/datasets/2': {'id': 2}})
    with AmigoCloud('secret', '/users/7/projects/1', base_url=wire.url) as client:
        project = client.project()
        assert list(project.datasets()) == [{'id': 2}]
        assert client.get(project.dataset(2).url) == {'id': 2}
        assert repr(project.dataset(2)) == '<Dataset 2 of <Project 1>>'
    assert [path for _, path in paths(wire)] == [below + '/', below + '/datasets', below + '/datasets/2']


def test_datasets__parameters(wire, client):
    wire.answers['/api/v1/projects/1/datasets'] = {'results': [], 'next': None}
    assert list(client.project(1).datasets(search='oak', type='vector')) == []
    assert wire.requests[0].params == {'search': 'oak', 'type': 'vector', 'token': 'secret'}


def test_upload__as_a_datafile(wire, client, tmpdir):
    path = tmpdir.join('trees.csv')
    path.write('a\n1\n')
    wire.answers['/api/v1/projects/1/datasets/upload'] = {'job': 'j'}
    assert client.project(1).upload(str(path), extra_data={'csv_props.delimiter': ';'}) == {'job': 'j'}
    wire.answers['/api/v1/projects/1/datasets/chunked_upload'] = {'upload_id': 'u', 'offset': 4}
    wire.answers['/api/v1/projects/1/datasets/chunked_upload/complete'] = {'job': 'k'}
    assert client.project(1).upload(str(path), force_chunked=True) == {'job': 'k'}
    assert b'csv_props.delimiter' in wire.requests[0].body


def test_gallery__upload(wire, client, tmpdir):
    path = tmpdir.join('oak.jpg')
    path.write('photo')
    wire.answers['/api/v1/related_tables/3/upload'] = {'id': 5}
    assert client.gallery(3).upload('a1', str(path), metadata={'note': 'tall'}) == {'id': 5}
    for part in (b'name="source_amigo_id"', b'a1', b'name="filename"', b'oak.jpg', b'name="note"', b'tall'):
        assert part in wire.requests[0].body
    assert repr(client.gallery(3)) == '<Gallery 3>'


def test_listen__without_a_user_token(wire):
    with AmigoCloud(base_url=wire.url, use_websockets=False) as anonymous:
        with pytest.raises(AmigoCloudError, match='user token'):
            anonymous.project(1).dataset(2).listen()
    assert not wire.requests


def test_handles__pickled(wire, client):
    wire.answers['/api/v1/projects/1/sql'] = {'columns': [], 'data': [{'a': 1}], 'count': 1, 'next': None}
    copy = pickle.loads(pickle.dumps(client.project(1).dataset(2)))
    assert (copy.url, copy.table_name, copy.project.url) == ('/projects/1/datasets/2', 'dataset_2', '/projects/1')
    assert list(copy.project.sql('SELECT 1')) == [{'a': 1}]
    copy.client.close()


@pytest.fixture
def trees(wire, client, tmpdir):
    """A dataset named trees, and the path of a file with its name."""
    path = tmpdir.join('trees.csv')
    path.write('a;b\n1;2\n')
    datasets = '/api/v1/projects/1/datasets'
    wire.answers.update({datasets + '/2': {'id': 2, 'name': 'trees'}, datasets + '/upload': {'job': 'j'},
                         datasets: {'results': [{'id': 2, 'name': 'trees'}, {'id': 3, 'name': 'trees 3'}],
                                    'next': None}})
    return client.project(1).dataset(2), str(path)


def test_upload__overwrites_a_dataset(wire, client, trees):
    dataset, path = trees
    assert client.project(1).upload(path, overwrite=dataset, delimiter=';', extra_data={'x': 'y'}) == {'job': 'j'}
    parts = wire.requests[-1].body.split(b'\r\n\r\n')
    for name, value in ((b'dataset_write_action', b'overwrite'), (b'csv_props.delimiter', b';'), (b'x', b'y')):
        place, = [number for number, part in enumerate(parts) if part.endswith(b'name="' + name + b'"')]
        assert parts[place + 1].startswith(value + b'\r\n')
    assert [request.method for request in wire.requests] == ['GET', 'GET', 'POST']
    client.project(1).upload(path, delimiter='\t')
    assert b'dataset_write_action' not in wire.requests[-1].body and b'\t' in wire.requests[-1].body
    assert len(wire.requests) == 4


@pytest.mark.parametrize('arguments, message', [
    ({'delimiter': ''}, 'delimiter must be one character'), ({'delimiter': ';;'}, 'one character'),
    ({'delimiter': '\n'}, 'no line break'),
    ({'delimiter': 5}, 'delimiter must be a str'), ({'delimiter': b';' if not six.PY2 else 5}, 'must be a str'),
    ({'delimiter': ';', 'extra_data': {'csv_props.delimiter': ','}}, 'csv_props.delimiter is in extra_data and'),
    ({'delimiter': ';', 'extra_data': 5}, 'extra_data must be a dict'),
    ({'overwrite': 2}, 'overwrite must be a dataset of /projects/1, not 2'), ({'overwrite': 'trees'}, 'a dataset of')])
def test_upload__bad_settings(wire, client, trees, arguments, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        client.project(1).upload(trees[1], **arguments)
    with pytest.raises(AmigoCloudValueError, match='dataset of /projects/1, not <Dataset 2 of <Project 7>>'):
        client.project(1).upload(trees[1], overwrite=client.project(7).dataset(2))
    assert not wire.requests


def test_upload__overwrites_only_what_has_the_name_of_the_file(wire, client, trees, tmpdir):
    dataset, path = trees
    other = tmpdir.join('oaks.csv')
    other.write('a\n1\n')
    for file_obj, cure in ((str(other), "'oaks'; rename"), (io.BytesIO(b'a\n1\n'), 'none; set')):
        with pytest.raises(AmigoCloudValueError, match="2 has the name 'trees', but the file has " + cure):
            client.project(1).upload(file_obj, overwrite=dataset)
    wire.answers['/api/v1/projects/1/datasets'] = {
        'results': [{'id': 2, 'name': 'trees'}, {'id': 3, 'name': 'trees'}], 'next': None}
    with pytest.raises(AmigoCloudValueError, match="Several datasets have the name 'trees'"):
        client.project(1).upload(path, overwrite=dataset)
    assert {request.method for request in wire.requests} == {'GET'}


def test_upload__overwrites_in_the_sandbox(running_sandbox, tmpdir):
    sandbox = running_sandbox[0]
    path = tmpdir.join('overwritten.csv')
    path.write('a,b\n1,2\n')
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        project = amigocloud.project(sandbox.project_id)
        job = amigocloud.wait_for_job(project.upload(str(path)))
        dataset = project.dataset(job['extra']['dataset_ids'][0])
        path.write('a;b\n3;4\n5;6\n')
        job = amigocloud.wait_for_job(project.upload(str(path), overwrite=dataset, delimiter=';'))
        assert job['extra']['dataset_ids'] == [dataset.id]
        assert sorted((row['a'], row['b']) for row in dataset.read()) == [(3, 4), (5, 6)]
