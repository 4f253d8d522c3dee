"""Projects and datasets by their names, and what else a project and a dataset have."""
import datetime

import pytest

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.exceptions import AmigoCloudValueError

PROJECTS = '/api/v1/me/projects'


def listed(*names):
    return {'results': [{'id': number, 'name': name} for number, name in enumerate(names, 1)], 'next': None}


def test_project_named(wire, client):
    wire.answers[PROJECTS] = listed('Trees of 2023', 'Trees')
    assert client.project_named('Trees').url == '/projects/2'
    assert wire.requests[0].params['search'] == 'Trees'


@pytest.mark.parametrize('pages, message', [
    ([listed('Trees', 'Trees')],
     r'2 entries of /me/projects have the name Trees\. Candidates: Trees \(id 1\), Trees \(id 2\)\.'),
    ([listed('Trees of 2023', 'trees')],
     r'No entries of .* Candidates: Trees of 2023 \(id 1\), trees \(id 2\)\.'),
    ([listed(), listed('Roads')], r'Candidates: Roads \(id 1\)\.'), ([listed(), listed()], 'Candidates: none'),
    ([listed(), listed(*map(str, range(30)))], r'19 \(id 20\), and 10 more\.')])
def test_project_named__not_one(wire, client, pages, message):
    wire.answers[PROJECTS] = pages
    with pytest.raises(AmigoCloudError, match=message):
        client.project_named('Trees')


@pytest.mark.parametrize('name', ['', None, 5, u'a\0'])
def test_named__bad_name(wire, client, name):
    for find in (client.project_named, client.project(1).dataset_named, client.project(1).dataset(2).create_gallery):
        with pytest.raises(AmigoCloudValueError, match='name (must be a str|has null characters)'):
            find(name)
    assert not wire.requests


@pytest.mark.parametrize('since', ['2024-01-01', 5, datetime.date(2024, 1, 1)])
def test_record_history__no_datetime(wire, client, since):
    with pytest.raises(AmigoCloudValueError, match='since must be a datetime, not '):
        client.project(1).record_history(since)
    assert not wire.requests


def test_projects(wire, client):
    wire.answers[PROJECTS] = listed('Trees')
    assert [project['name'] for project in client.projects(search='Tr')] == ['Trees']
    assert wire.requests[0].params == {'search': 'Tr', 'token': 'secret'}


def test_saved_query(wire, client):
    wire.answers['/api/v1/projects/1/queries/5'] = {'query': 'SELECT 1'}
    assert client.project(1).saved_query(5) == 'SELECT 1'
    wire.answers['/api/v1/projects/1/queries/6'] = {}
    with pytest.raises(AmigoCloudError, match="no 'query'"):
        client.project(1).saved_query(6)
    with pytest.raises(AmigoCloudValueError, match='query_id'):
        client.project(1).saved_query('x/..')


def test_sandbox(sandbox):
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        project = amigocloud.project_named('Field work')
        vehicles = project.dataset_named('vehicles')
        assert vehicles.id == sandbox.vehicles_id
        with pytest.raises(AmigoCloudError, match='Candidates: .*vehicles'):
            project.dataset_named('vehicle')
        before = datetime.datetime(2000, 1, 1)
        assert vehicles.count("kind = 'bus'") == 2
        amigo_id, = vehicles.insert([{'name': 'Bus 99'}]).amigo_ids
        assert 'inserted' in [change['change_type'] for change in project.record_history(before)]
        assert list(project.record_history(datetime.datetime(2100, 1, 1))) == []
        vehicles.delete([amigo_id])
        gallery = vehicles.create_gallery('more photos')
        assert {table['id'] for table in vehicles.related_tables()} >= {gallery.id}
        assert isinstance(list(vehicles.relationships()), list)
