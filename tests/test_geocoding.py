# -*- coding: utf-8 -*-
import threading

import pytest
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError

SQL, DATASET, SEARCH = '/api/v1/projects/1/sql', '/api/v1/projects/1/datasets/2', '/api/v1/me/geocoder/search'


def serve(wire, addresses, column='address'):
    rows = [{'amigo_id': "id'{}".format(number), column: address} for number, address in enumerate(addresses)]

    def sql(request):
        if request.method == 'POST':
            return {'count': 1}
        if 'count(*)' in request.params['query']:
            return {'data': [{'count': 5}], 'next': None}
        offset = int(request.params['offset'])
        return {'data': rows[offset:offset + int(request.params['limit'])], 'next': None}

    def search(request):
        number = len(request.params['text'])
        return {'features': [{'geometry': {'coordinates': [number + 0.5, -number]}}, {'geometry': None}]}
    wire.answers.update({DATASET: {'feature_count': len(rows)}, SQL: sql, SEARCH: search})


def written(wire):
    return [request.json['query'] for request in wire.requests if request.method == 'POST']


def test_geocode(wire, client, capsys):
    serve(wire, ["a'", 'bb'])
    summary = client.geocode_addresses(1, 2, 'address', 'geom', country='US')
    assert written(wire) == [
        "UPDATE dataset_2 as d SET geom = c.geom FROM (values ('id''0', ST_SetSRID(ST_MakePoint(2.5, -2), 4326)),"
        "('id''1', ST_SetSRID(ST_MakePoint(2.5, -2), 4326))) as c(amigo_id, geom) WHERE c.amigo_id = d.amigo_id"]
    dataset, rows = wire.requests[:2]
    assert dataset.path == DATASET
    assert rows.params == {'query': 'SELECT address, amigo_id FROM dataset_2', 'offset': '0', 'limit': '1000',
                           'token': 'secret'}
    searches = [request.params for request in wire.requests if request.path == SEARCH]
    assert sorted(search.pop('text') for search in searches) == ["a'", 'bb']
    assert searches == [{'focus.point.lat': '0', 'focus.point.lon': '0', 'components': 'country:US',
                         'token': 'secret'}] * 2
    seconds = summary.pop('seconds')
    assert summary == {'rows': 2, 'geocoded': 2, 'failed': 0} and seconds >= 0
    assert wire.requests[-1].params['query'] == 'SELECT count(*) FROM dataset_2 WHERE geom IS NOT NULL'
    out, err = capsys.readouterr()
    assert '2 rows to process' in out and '5 of 2 points created' in out and '100%' in err


def test_geocode__failures_are_counted(wire, client):
    answers = {'none': {'features': []}, 'broken': Answer(b'<html>'), 'error': Answer(status=500),
               'null': {'features': [{'geometry': {'coordinates': [None, True]}}]},
               'odd': {'features': [{'geometry': {'coordinates': ['x', 1]}}]}, 'list': [], 'cut': None,
               'nan': {'features': [{'geometry': {'coordinates': [float('nan'), 1]}}]},
               'good': {'features': [{'geometry': {'coordinates': [1, 2]}}]}}
    serve(wire, sorted(answers) + [None, ''])
    wire.answers[SEARCH] = lambda request: answers[request.params['text']]
    summary = client.geocode_addresses(1, 2, 'address', 'geom')
    assert (summary['rows'], summary['geocoded'], summary['failed']) == (len(answers) + 2, 1, len(answers) + 1)
    assert len(written(wire)) == 1 and written(wire)[0].count('ST_MakePoint') == 1
    assert all(request.params['components'] == '' for request in wire.requests if request.path == SEARCH)


def test_geocode__swapped_columns(wire, client):
    serve(wire, ['0101'], 'geom')
    answer = wire.answers[SQL]
    wire.answers[SQL] = lambda request: dict(answer(request), columns=[
        {'name': 'geom', 'type': 'geometry'}, {'name': 'amigo_id', 'type': 'string'}])
    with pytest.raises(AmigoCloudError, match="'geom' is geometry. Perhaps .* are swapped"):
        client.geocode_addresses(1, 2, 'geom', 'address')
    assert not written(wire) and not [request for request in wire.requests if request.path == SEARCH]
    del wire.requests[:]
    with pytest.raises(AmigoCloudError, match='different columns'):
        client.geocode_addresses(1, 2, 'address', 'address')
    assert not wire.requests


def test_geocode__empty_dataset(wire, client):
    serve(wire, [])
    summary = client.geocode_addresses(1, 2, 'address', 'geom')
    assert (summary['rows'], summary['geocoded'], summary['failed']) == (0, 0, 0)
    assert not written(wire)


def test_geocode__pages_and_batches(wire, client):
    serve(wire, ['x' * (number % 5 + 1) for number in range(1031)])
    done = []
    summary = client.geocode_addresses(1, 2, 'address', 'geom', progress=lambda *args: done.append(args))
    assert summary['geocoded'] == 1031
    # Two writes at a time come in any order.
    assert sorted(query.count('ST_MakePoint') for query in written(wire)) == [11] + [30] * 34
    assert done == [(min(30 * (i + 1), 1031), 1031) for i in range(35)]
    pages = [request.params['offset'] for request in wire.requests if 'offset' in request.params]
    assert pages == ['0', '1000']


@pytest.mark.parametrize('progress, shown', [(None, '100%'), (False, '')])
def test_geocode__progress_on_stderr(wire, client, capsys, progress, shown):
    serve(wire, ['x'])
    client.geocode_addresses(1, 2, 'address', 'geom', progress=progress)
    assert capsys.readouterr().err.strip() == shown


def test_geocode__bar(wire, client, capsys):
    pytest.importorskip('tqdm')
    serve(wire, ['x'] * 31)
    client.geocode_addresses(1, 2, 'address', 'geom', progress=True)
    assert '31/31' in capsys.readouterr().err


def test_geocode__thirty_at_a_time(wire, client):
    serve(wire, ['x'] * 60)
    answer = wire.answers[SEARCH]
    counts = {'now': 0, 'most': 0}
    lock, full = threading.Lock(), threading.Event()

    def search(request):
        with lock:
            counts['now'] += 1
            counts['most'] = max(counts['most'], counts['now'])
            if counts['now'] == 30:
                full.set()
        full.wait(10)
        with lock:
            counts['now'] -= 1
        return answer(request)
    wire.answers[SEARCH] = search
    client.geocode_addresses(1, 2, 'address', 'geom')
    assert counts['most'] == 30


def test_geocode__searches_while_it_writes(wire, client):
    serve(wire, ['x'] * 90 + ['y'] * 30)
    answers, lock = dict(wire.answers), threading.Lock()
    begun, second = [], threading.Event()

    def search(request):
        with lock:
            begun.append(request.params['text'])
            if len(begun) == 60:
                second.set()
        return answers[SEARCH](request)

    def sql(request):
        if request.method == 'POST':
            assert second.wait(10)
            # Not far ahead of the first write, for the writing may fail.
            assert 'y' not in begun or len(written(wire)) > 1
        return answers[SQL](request)
    wire.answers.update({SEARCH: search, SQL: sql})
    assert client.geocode_addresses(1, 2, 'address', 'geom')['geocoded'] == 120
    assert len(written(wire)) == 4


def test_geocode__columns(wire, client):
    serve(wire, ['x'], column=u'we"ird é')
    client.geocode_addresses(1, 2, u'we"ird é', 'Geo m')
    assert wire.requests[1].params['query'] == u'SELECT "we""ird é", amigo_id FROM dataset_2'
    assert 'SET "Geo m" = c.geom' in written(wire)[0]


def test_geocode__column_in_upper_case(wire, client):
    serve(wire, ['x'], column='address')
    assert client.geocode_addresses(1, 2, 'Address', 'geom')['geocoded'] == 1
    assert wire.requests[1].params['query'] == 'SELECT Address, amigo_id FROM dataset_2'


@pytest.mark.parametrize('arguments', [
    (1, '2; DROP', 'a', 'g'), (1, 2, '', 'g'), (1, 2, 'a', None), (1, None, 'a', 'g')])
def test_geocode__bad_input(wire, client, arguments):
    with pytest.raises(AmigoCloudError):
        client.geocode_addresses(*arguments)
    assert not wire.requests


def test_geocode__a_later_write_fails(wire, client):
    serve(wire, ['x'] * 95)
    read = wire.answers[SQL]

    # Two writes may be under way at a time, and arrive in either order.
    def refuse_the_third(request):
        is_third = request.method == 'POST' and "'id''60'" in request.json['query']
        return Answer({'error': 'full'}, 400) if is_third else read(request)
    wire.answers[SQL] = refuse_the_third
    with pytest.raises(AmigoCloudError, match='^60 points were written, but then: 400'):
        client.geocode_addresses(1, 2, 'address', 'geom')


@pytest.mark.parametrize('answer', [Answer(status=403), {}, lambda request: None])
def test_geocode__last_request_fails(wire, client, capsys, answer):
    serve(wire, ['x'])
    read = wire.answers[SQL]
    wire.answers[SQL] = lambda request: (
        read(request) if 'count(*)' not in request.target and 'count%28' not in request.target
        else answer(request) if callable(answer) else answer)
    assert client.geocode_addresses(1, 2, 'address', 'geom')['geocoded'] == 1
    assert '1 of 1 points created' in capsys.readouterr()[0]


def test_geocode__writing_fails(wire, client):
    serve(wire, ['x'])
    answer = wire.answers[SQL]
    wire.answers[SQL] = lambda request: Answer(status=403) if request.method == 'POST' else answer(request)
    with pytest.raises(AmigoCloudError, match='403'):
        client.geocode_addresses(1, 2, 'address', 'geom')


@pytest.mark.parametrize('path, answer', [
    (DATASET, Answer(b'[]')), (DATASET, {}), (DATASET, Answer(b'')), (DATASET, {'feature_count': 'many'}),
    (SQL, Answer(b'[]')), (SQL, {}),
    (SQL, {'data': 5}), (SQL, {'data': [5]}), (SQL, {'data': [{'address': 'x'}]}), (SQL, {'data': [{'amigo_id': 5}]}),
])
def test_geocode__wrong_shape(wire, client, path, answer):
    serve(wire, ['x'])
    wire.answers[path] = answer
    with pytest.raises(AmigoCloudError, match='has no'):
        client.geocode_addresses(1, 2, 'address', 'geom')
    assert not written(wire)


def test_geocode__project_token(wire):
    serve(wire, ['x'])
    below = '/api/v1/users/7/projects/1/'
    wire.answers.update({below: {'id': 1}, below + 'sql': wire.answers.pop(SQL),
                         below + 'datasets/2': wire.answers.pop(DATASET)})
    with AmigoCloud(token='secret', project_url='/users/7/projects/1', base_url=wire.url) as project:
        assert project.geocode_addresses(None, 2, 'address', 'geom')['geocoded'] == 1
    assert {request.path for request in wire.requests} == {below, below + 'sql', below + 'datasets/2', SEARCH}


def test_geocode__no_project(wire, client):
    with pytest.raises(AmigoCloudError, match='project_id'):
        client.geocode_addresses(None, 2, 'address', 'geom')
    assert not wire.requests
