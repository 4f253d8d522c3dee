"""States of a dataset, and positions."""
import datetime
import json
import uuid

import pytest
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.exceptions import AmigoCloudValueError

DATASET = '/api/v1/projects/1/datasets/2'
JOB = '/api/v1/me/jobs/j'
SQL = '/api/v1/projects/1/sql'


@pytest.fixture
def dataset(client):
    return client.project(1).dataset(2)


def test_states(wire, dataset):
    wire.answers[DATASET + '/states'] = {'states': ['s1', 's2']}
    assert dataset.states() == ['s1', 's2'] == dataset.states('s0', 's3')
    assert [request.params for request in wire.requests] == [
        {'token': 'secret'}, {'from': 's0', 'to': 's3', 'token': 'secret'}]


@pytest.mark.parametrize('answer', [{}, {'states': None}, {'states': [1]}, {'states': ['']}, []])
def test_states__of_another_shape(wire, dataset, answer):
    wire.answers[DATASET + '/states'] = lambda request: Answer(answer)
    with pytest.raises(AmigoCloudError, match='states'):
        dataset.states()


def test_changeset_and_revert(wire, dataset):
    wire.answers.update({DATASET + '/changeset': {'changeset': [{'action': 'INSERT'}]}, JOB: {'status': 'SUCCESS'},
                         DATASET + '/revert/s%2F1': {'job': 'j'}})
    assert dataset.changeset('s/1') == [{'action': 'INSERT'}]
    assert dataset.revert('s/1') == {'status': 'SUCCESS'}
    assert [(request.method, request.path) for request in wire.requests] == [
        ('GET', DATASET + '/changeset'), ('POST', DATASET + '/revert/s%2F1'), ('GET', JOB)]
    assert wire.requests[0].params['hash'] == 's/1'
    wire.answers[DATASET + '/revert/s2'] = {}
    with pytest.raises(AmigoCloudError, match='names no job'):
        dataset.revert('s2')


@pytest.mark.parametrize('call', [
    lambda dataset: dataset.states(since=''), lambda dataset: dataset.states(until=5),
    lambda dataset: dataset.changeset(None), lambda dataset: dataset.revert(' '),
    lambda dataset: dataset.restore([None]), lambda dataset: dataset.diff(5), lambda dataset: dataset.diff('s1', 5)])
def test_bad_arguments(wire, dataset, call):
    with pytest.raises(AmigoCloudValueError, match='must be a str'):
        call(dataset)
    assert not wire.requests


@pytest.fixture
def deleted(wire, dataset):
    """A dataset whose rows a and b were deleted after the state s1, and its column wheels after s0."""
    rows = [{'amigo_id': name, 'name': name, 'wheels': 4} for name in 'ab']

    def sql(request):
        found = rows if request.params.get('state') == 's1' else []
        return {'columns': [], 'data': found, 'count': len(found), 'next': None}
    wire.answers.update({
        '/api/v1/projects/1/sql': sql, DATASET + '/master': {'master': 's2'}, DATASET + '/states': {
            'states': ['s1', 's2']}, DATASET + '/schema': {'schema': [{'name': 'name'}]},
        DATASET + '/submit_change': {'job': 'j'}, JOB: {'status': 'SUCCESS'}})
    return dataset


def test_restore__twice_the_same_row_and_a_dropped_column(wire, deleted):
    assert deleted.restore(['b', 'a', 'b']).inserted == ['b', 'a']
    change, = [request.json['change'] for request in wire.requests if request.method == 'POST']
    assert json.loads(change)['data'] == [{'new': {'name': name}, 'amigo_id': name} for name in 'ba']


@pytest.mark.parametrize('amigo_ids', ['6f1c', b'6f1c', {'6f1c': 1}, None, 5])
def test_restore__no_list(wire, dataset, amigo_ids):
    with pytest.raises(AmigoCloudValueError, match='amigo_ids must be a list'):
        dataset.restore(amigo_ids)
    assert not wire.requests


@pytest.mark.parametrize('amigo_id', [u'a\0', u'\udc80'])
def test_restore__text_that_cannot_be_sent(wire, dataset, amigo_id):
    if six.PY2 and amigo_id != u'a\0':
        pytest.skip('UTF-8 of Python 2 has surrogates.')
    with pytest.raises(AmigoCloudValueError, match='amigo_id has .* cannot be sent; remove them'):
        dataset.restore(['a', amigo_id])
    assert not wire.requests


def test_restore__column_of_a_frame(wire, deleted):
    pandas = pytest.importorskip('pandas')
    frame = pandas.DataFrame({'id': ['b']})
    assert deleted.restore(frame['id']).inserted == ['b']
    del wire.requests[:]
    with pytest.raises(AmigoCloudValueError, match='not a frame'):
        deleted.restore(frame)
    assert not wire.requests


def test_report_position(wire, dataset):
    wire.answers[DATASET + '/realtime'] = {}
    dataset.report_position(u'Bus <7> "\xf1"', 37.77, -122.42, datetime.datetime(2024, 2, 29, 12), speed=3)
    request, = wire.requests
    assert request.headers['content-type'] == 'application/xml'
    assert request.body.decode('utf-8') == (
        u'<gps id="Bus &lt;7&gt; &quot;\xf1&quot;"><coordinates><coordinate><time>2024-02-29T12:00:00</time>'
        u'<latitude>37.77</latitude><longitude>-122.42</longitude><speed>3.0</speed></coordinate></coordinates></gps>')


@pytest.mark.parametrize('amigo_ids', ['abc', b'abc', {'amigo_id': 'abc'}, None, 5])
def test_restore__not_a_list(wire, dataset, amigo_ids):
    with pytest.raises(AmigoCloudValueError, match='must be a list'):
        dataset.restore(amigo_ids)
    assert not wire.requests


@pytest.mark.parametrize('arguments, message', [
    (('', 1, 2), 'object_id'), ((None, 1, 2), 'object_id'), ((True, 1, 2), 'object_id'),
    (('b', 91, 2), 'latitude must be a number from -90 to 90'),
    (('b', 1, -181), 'longitude'), (('b', float('nan'), 2), 'latitude'), (('b', '1', 2), 'latitude'),
    (('b', True, 2), 'latitude'), (('b', 1, 2, 'now'), 'time must be a datetime'),
    ((None, 1, 2), 'object_id must be a str'), ((True, 1, 2), 'object_id'), ((u'a\x01', 1, 2), 'control characters'),
    (('b', None, 2), 'latitude must be a number'), (('b', 1, None), 'longitude must be a number'),
    (('b', 1, 2, None, float('inf')), 'altitude must be a number, not inf'),
    (('b', 1, 2, None, 10 ** 400), 'altitude must be a number'), (('a\0', 1, 2), 'null characters')])
def test_report_position__bad(wire, dataset, arguments, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        dataset.report_position(*arguments)
    assert not wire.requests


def test_report_position__pandas(wire, dataset):
    pandas = pytest.importorskip('pandas')
    with pytest.raises(AmigoCloudValueError, match='time must be a datetime, not NaT'):
        dataset.report_position('b', 1, 2, pandas.NaT)
    assert not wire.requests
    wire.answers[DATASET + '/realtime'] = {}
    frame = pandas.DataFrame({'id': [7], 'latitude': [1.5], 'longitude': [2.5]})
    row = frame.iloc[0]
    dataset.report_position(frame['id'].max(), row['latitude'], row['longitude'])
    assert b'<gps id="7">' in wire.requests[0].body and b'<latitude>1.5<' in wire.requests[0].body


@pytest.fixture
def real(sandbox):
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        project = amigocloud.project(sandbox.project_id)
        yield project.create_dataset(uuid.uuid4().hex, [
            {'name': 'name', 'type': 'string'}, {'name': 'height', 'type': 'integer'}])


def test_sandbox__restore_and_diff(real):
    pandas = pytest.importorskip('pandas')
    real.insert([{'name': name, 'height': height, 'amigo_id': name} for name, height in (
        ('a', 1), ('b', 2), ('c', None))])
    old = real.states()[-1]
    real.update([{'amigo_id': 'b', 'height': 5}, {'amigo_id': 'c', 'name': 'c'}])
    real.delete(['a'])
    real.insert([{'name': 'd', 'amigo_id': 'd'}])
    inserted, updated, deleted = real.diff(old)
    assert (list(inserted.index), list(updated.index), list(deleted.index)) == (['d'], ['b'], ['a'])
    assert updated.loc['b', 'height'] == 5 and deleted.loc['a', 'name'] == 'a'
    assert isinstance(inserted, pandas.DataFrame)
    result = real.restore(['a', 'b'])
    assert (result.amigo_ids, result.inserted, result.unchanged) == (['a', 'b'], ['a'], ['b'])
    assert {row['amigo_id']: row['height'] for row in real.read()} == {'a': 1, 'b': 5, 'c': None, 'd': None}
    with pytest.raises(AmigoCloudValueError, match='never; nothing was restored'):
        real.restore(['never'])
    assert real.restore([]).inserted == []


def test_restore__reads_no_values_of_rows_that_exist(wire, dataset):
    wire.answers[SQL] = {'data': [{'amigo_id': 'a'}, {'amigo_id': 'b'}], 'next': None}
    assert dataset.restore(['a', 'b']).unchanged == ['a', 'b']
    assert [request.params['query'] for request in wire.requests] == [
        "SELECT amigo_id FROM dataset_2 WHERE amigo_id IN ('a', 'b')"]


def test_diff__page_by_page(wire, dataset):
    pandas = pytest.importorskip('pandas')
    kinds = {'amigo_id': 'string', 'height': 'integer', 'note': 'string', 'old': 'float', 'new': 'date'}

    def page(names, rows, following=None):
        return {'columns': [{'name': name, 'type': kinds[name]} for name in names], 'next': following,
                'data': [dict(zip(names, row)) for row in rows]}
    before, after = ('amigo_id', 'height', 'note', 'old'), ('amigo_id', 'note', 'height', 'new')
    following = wire.url + SQL + '/2'
    wire.answers[SQL] = lambda request: (
        page(before, [('a', 1, 'x', None), ('b', None, None, 0.5), ('c', 3, 'z', None), ('e', 5, None, None)])
        if request.params['state'] == 's1' else page(after, [('c', 'z', 3, None), ('d', 'n', 4, None)], following))
    wire.answers[SQL + '/2'] = page(after, [('b', None, None, None), ('e', None, 6, None), ('a', 'x', 1, '2020-01-02')])
    inserted, updated, deleted = dataset.diff('s1', 's2')
    assert (list(inserted.index), list(updated.index), list(deleted.index)) == (['d'], ['b', 'e', 'a'], [])
    assert inserted['note'].tolist() == ['n'] and inserted['height'].tolist() == [4]
    assert [str(frame['height'].dtype) for frame in (inserted, updated, deleted)] == ['Int32'] * 3
    assert updated['new'].tolist()[2] == pandas.Timestamp('2020-01-02')
    # A snapshot without rows keeps the columns.
    wire.answers[SQL] = page(before, [])
    assert [list(frame.columns) for frame in dataset.diff('s1', 's2')] == [['height', 'note', 'old']] * 3


@pytest.mark.parametrize('old, new', [
    ({}, {}), ({'columns': []}, {}), ({'columns': [{'name': 'amigo_id', 'type': 'string'}]}, {}),
    ({'columns': [{'name': 'amigo_id', 'type': 'string'}]}, {'columns': [{'name': 'n', 'type': 'integer'}]})])
def test_diff__page_of_another_shape(wire, dataset, old, new):
    pytest.importorskip('pandas')
    wire.answers[SQL] = [dict(page, data=[], next=None) for page in (old, new)]
    with pytest.raises(AmigoCloudError, match='The response'):
        dataset.diff('s1', 's2')


def test_sandbox__revert(real):
    real.insert([{'name': 'a'}])
    real.revert(real.states()[-1])
    assert real.count() == 0
    assert real.changeset(real.states()[-1])
