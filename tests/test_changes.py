# -*- coding: utf-8 -*-
import datetime
import json
import re
import uuid
from decimal import Decimal

import pytest
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError, AmigoCloudJobError, changes, jobs
from amigocloud.exceptions import AmigoCloudValueError

URL = '/api/v1/projects/1/datasets/2/submit_change'
JOB = '/api/v1/me/jobs/j'


@pytest.fixture(autouse=True)
def accepting(wire, monkeypatch):
    """Changes are accepted, and their jobs succeed."""
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.001, 0.01))
    wire.answers[URL] = {'job': 'j'}
    wire.answers[JOB] = {'status': 'SUCCESS'}


def sent(wire):
    """The changes that came over the wire."""
    return [json.loads(request.json['change']) for request in wire.requests if request.path == URL]


def sent_rows(wire):
    return [row for change in sent(wire) for row in change['data']]


def test_insert_rows__on_the_wire(wire, client):
    assert client.insert_rows(1, 2, [{'name': u'Eiche "ä"', 'amigo_id': 'a1'}]) == ['a1']
    request = wire.requests[0]
    assert (request.method, request.path, request.params) == ('POST', URL, {'token': 'secret'})
    assert request.headers['content-type'] == 'application/json'
    assert list(request.json) == ['change']
    text = request.json['change']
    assert text.startswith('{"type": "DML", "entity": "dataset_2", "parent": null, "action": "INSERT", "data": [{')
    assert json.loads(text)['data'] == [{'new': {'name': u'Eiche "ä"'}, 'amigo_id': 'a1'}]
    assert [request.path for request in wire.requests] == [URL, JOB]


def test_insert_rows__makes_amigo_ids(wire, client):
    row = {'n': 1}
    made = client.insert_rows(1, 2, [row, {'n': 2, 'amigo_id': 'own'}, {'n': 3, 'amigo_id': None}])
    assert made[1] == 'own' and len(set(made)) == 3
    assert all(re.match('[0-9a-f]{12}4[0-9a-f]{19}$', made[place]) for place in (0, 2))
    assert sent_rows(wire) == [{'new': {'n': number}, 'amigo_id': made[number - 1]} for number in (1, 2, 3)]
    assert row == {'n': 1}


def test_update_rows__on_the_wire(wire, client):
    row = {'amigo_id': 'a1', 'n': None}
    assert client.update_rows(1, '2', [row]) == ['a1']
    assert sent(wire) == [{'type': 'DML', 'entity': 'dataset_2', 'parent': None, 'action': 'UPDATE',
                           'data': [{'new': {'n': None}, 'amigo_id': 'a1'}]}]
    assert row == {'amigo_id': 'a1', 'n': None}


@pytest.mark.parametrize('amigo_ids', [['a1', u'ä'], ('a1', u'ä'), iter(['a1', u'ä'])])
def test_delete_rows__on_the_wire(wire, client, amigo_ids):
    assert client.delete_rows(1, 2, amigo_ids) == ['a1', u'ä']
    assert sent(wire) == [{'type': 'DML', 'entity': 'dataset_2', 'parent': None, 'action': 'DELETE',
                           'data': [{'amigo_id': 'a1'}, {'amigo_id': u'ä'}]}]


def test_with_a_project_token(wire):
    below = '/api/v1/users/7/projects/1/'
    wire.answers.update({below: {'id': 1}, below + 'datasets/2/submit_change': {'job': 'j'},
                         below + 'jobs/j': {'status': 'SUCCESS'}})
    with AmigoCloud(token='secret', project_url='/users/7/projects/1', base_url=wire.url) as project:
        project.delete_rows(None, 2, ['a1'])
    assert [request.path for request in wire.requests] == [
        below, below + 'datasets/2/submit_change', below + 'jobs/j']


@pytest.mark.parametrize('value, wanted', [
    (None, None), (True, True), (7, 7), (2 ** 63 - 1, 2 ** 63 - 1), (0.1, 0.1), (1e300, 1e300), ('', ''),
    (u'\U0001f333\n', u'\U0001f333\n'), (u'ä'.encode('utf-8') if six.PY2 else u'ä', u'ä'),
    (datetime.date(2024, 2, 29), '2024-02-29'), (datetime.time(1, 2, 3, 4), '01:02:03.000004'),
    (Decimal('1.25'), 1.25), (Decimal(2 ** 63 - 1), 2 ** 63 - 1), (Decimal('1e30'), 1e30),
    (uuid.UUID(int=1), '00000000-0000-0000-0000-000000000001'),
    (datetime.datetime(2024, 2, 29, 13, 5, 1, 20), '2024-02-29T13:05:01.000020'),
    ('SRID=3857;POINT(1 2)', 'SRID=3857;POINT(1 2)'), ('0101000000', '0101000000')])
def test_values(wire, client, value, wanted):
    client.insert_rows(1, 2, [{'v': value}])
    # As JSON, in which true is not 1.
    assert json.dumps(sent_rows(wire)[0]['new']) == json.dumps({'v': wanted})


def test_values__of_numpy(wire, client):
    numpy = pytest.importorskip('numpy')
    client.insert_rows(1, 2, [{'i': numpy.int64(7), 'f': numpy.float32(0.5)}])
    assert sent_rows(wire)[0]['new'] == {'i': 7, 'f': 0.5}


def test_values__of_shapely(wire, client):
    shapely = pytest.importorskip('shapely', '2')
    flat, spatial = shapely.Point(1, 2), shapely.set_srid(shapely.Point(1, 2, 3), 3857)
    client.insert_rows(1, 2, [{'p': flat}, {'p': spatial}, {'p': shapely.Point()}])
    assert [row['new']['p'] for row in sent_rows(wire)][:2] == [
        '0101000020E6100000000000000000F03F0000000000000040',
        '01010000A0110F0000000000000000F03F00000000000000400000000000000840']
    assert shapely.from_wkb(sent_rows(wire)[2]['new']['p']).is_empty
    assert shapely.get_srid(flat) == 0


@pytest.mark.parametrize('row, message', [
    ('name', 'It is a str, not a dict'), (None, 'It is a NoneType, not a dict'), ({}, 'no column'),
    ({'amigo_id': 'a'}, 'no column'), ({'amigo_id': '', 'n': 1}, 'amigo_id'), ({'amigo_id': 5, 'n': 1}, 'amigo_id'),
    ({1: 2}, 'no name'), ({' ': 2}, 'no name'), ({'a\0': 2}, 'null character'), ({'n': 'a\0'}, 'n: .*null character'),
    ({'n': float('nan')}, 'n: nan is no number'), ({'n': float('-inf')}, 'n: -inf is no number'),
    ({'n': 2 ** 63}, 'n: .*64 bits'), ({'n': {'a': 1}}, 'n: .*no column'), ({'n': [1]}, 'n: .*no column'),
    ({'n': datetime.timedelta(1)}, 'n: .*no column'), ({'n': Decimal('nan')}, 'n: nan is no number'),
    ({'n': Decimal('1e999')}, 'n: .*no number'), ({'n': Decimal('sNaN')}, 'n: nan is no number'),
    ({'n': b'\xff'}, r'n: .*(no text|no column)'), ({'n': 'x' * 2000}, 'Row 1, counted from 0: It takes 2')])
def test_rows__bad(wire, client, monkeypatch, row, message):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)
    for rows in ([{'n': 1}, row], iter([{'n': 1}, row])):
        with pytest.raises(AmigoCloudValueError, match='Row 1, counted from 0: ') as caught:
            client.insert_rows(1, 2, rows)
        assert re.search(message, str(caught.value))
    assert not wire.requests


@pytest.mark.skipif(six.PY2, reason='Python 2 encodes them')
def test_rows__surrogates(wire, client):
    for row in ({'n': u'\ud800'}, {u'\ud800': 1}, {'amigo_id': u'\ud800', 'n': 1}):
        with pytest.raises(AmigoCloudValueError, match='no text'):
            client.insert_rows(1, 2, [row])
    assert not wire.requests


@pytest.mark.parametrize('call, message', [
    (lambda client: client.insert_rows(1, 2, None), 'list'),
    (lambda client: client.insert_rows(1, 2, {'n': 1}), 'list'),
    (lambda client: client.delete_rows(1, 2, 'a1'), 'list'),
    (lambda client: client.delete_rows(1, 2, [u'a1', None]), 'Row 1.*amigo_id'),
    (lambda client: client.update_rows(1, 2, [{'n': 1}]), 'Row 0.*amigo_id'),
    (lambda client: client.update_rows(1, 2, [{'amigo_id': 'a1'}]), 'no column'),
    (lambda client: client.insert_rows(1, 'places', [{'n': 1}]), 'dataset_id'),
    (lambda client: client.insert_rows(1, True, [{'n': 1}]), 'dataset_id'),
    (lambda client: client.insert_rows(1, 0, [{'n': 1}]), 'dataset_id'),
    (lambda client: client.insert_rows(None, 2, [{'n': 1}]), 'project_id'),
])
def test_bad_arguments(wire, client, call, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        call(client)
    assert not wire.requests


@pytest.mark.parametrize('rows', [[], (), iter([])])
def test_no_rows(wire, client, rows):
    assert client.insert_rows(1, 2, rows) == []
    assert not wire.requests


@pytest.mark.parametrize('text', ['x', '"', '\\', u'\u00e4', u'\U0001f333', '\n'])
def test_batches__stay_below_the_limit(wire, client, monkeypatch, text):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 4000)
    rows = [{'n': text * (number % 40)} for number in range(100)]
    amigo_ids = client.insert_rows(1, 2, rows)
    posts = [request for request in wire.requests if request.path == URL]
    sizes = [len(request.body) for request in posts]
    assert len(sizes) > 3 and max(sizes) < 4000
    assert min(sizes[:-1]) > 4000 - 1000 - 700, 'batches are filled'
    assert [request.path for request in wire.requests] == [URL, JOB] * len(posts)
    assert [row['new'] for row in sent_rows(wire)] == rows
    assert [row['amigo_id'] for row in sent_rows(wire)] == amigo_ids


def test_batches__of_an_iterator_are_sent_as_they_fill(wire, client, monkeypatch):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)
    taken, taken_at = [0], []

    def rows():
        for number in range(60):
            taken[0] += 1
            yield {'n': number}

    def accept(request):
        taken_at.append(taken[0])
        return {'job': 'j'}
    wire.answers[URL] = accept
    client.insert_rows(1, 2, rows())
    written, expected = 0, []
    for change in sent(wire)[:-1]:
        written += len(change['data'])
        expected.append(written + 1)
    assert taken_at == expected + [60] and len(taken_at) > 2


def test_batches__bad_row_of_an_iterator(wire, client, monkeypatch):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)
    with pytest.raises(AmigoCloudValueError, match=r'(\d+) rows were written, but then: Row 59, counted') as caught:
        client.insert_rows(1, 2, ({'n': number if number < 59 else object()} for number in range(60)))
    assert str(caught.value).startswith('{} rows'.format(len(sent_rows(wire)))) and sent_rows(wire)


@pytest.mark.parametrize('second', [Answer({'error': ['full']}, 400), lambda request: None])
def test_batches__one_that_fails(wire, client, monkeypatch, second):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)
    wire.answers[URL] = [{'job': 'j'}, second]
    with pytest.raises(AmigoCloudError) as caught:
        client.insert_rows(1, 2, [{'n': number} for number in range(60)])
    first, failed = sent(wire)
    assert str(caught.value).startswith('{} rows were written, but then: '.format(len(first['data'])))
    assert failed['data'][0]['new'] == {'n': len(first['data'])}
    if isinstance(second, Answer):
        assert caught.value.status_code == 400 and 'full' in str(caught.value)


def test_batches__a_job_that_fails(wire, client, monkeypatch):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)
    wire.answers[JOB] = [{'status': 'SUCCESS'}, {'status': 'FAILURE', 'extra': {'error': ['full']}}]
    with pytest.raises(AmigoCloudJobError, match='rows were written, but then: Job j ended with .*full') as caught:
        client.insert_rows(1, 2, [{'n': number} for number in range(60)])
    assert caught.value.job['status'] == 'FAILURE' and len(sent(wire)) == 2


class Boom(Exception):
    def __init__(self, code, place):
        Exception.__init__(self, code, place)
        self.code = code


class Slotted(Exception):
    __slots__ = ('place',)


FAILURES = [Boom(7, 'here'), ValueError(u'\xe4'), KeyError('x'), EnvironmentError(2, 'gone'),
            UnicodeDecodeError('ascii', b'\xff', 0, 1, 'odd'), Slotted('y' * 500)]


@pytest.mark.parametrize('failure', FAILURES, ids=lambda failure: type(failure).__name__)
def test_batches__rows_that_raise(wire, client, monkeypatch, failure):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)

    def rows():
        for number in range(60):
            if len(sent(wire)) == 2:
                raise failure
            yield {'n': number}
    with pytest.raises(AmigoCloudError if isinstance(failure, Slotted) else type(failure)) as caught:
        client.insert_rows(1, 2, rows())
    error = caught.value
    assert isinstance(error, AmigoCloudError)
    assert error.written == [row['amigo_id'] for row in sent_rows(wire)] and len(error.written) > 20
    assert error.message.startswith(u'{} rows were written, but then: The rows raised {}: '.format(
        len(error.written), type(failure).__name__))
    assert error.written[0] in str(error) and error.written[4] in str(error) and len(error.message) < 600
    assert getattr(error, 'code', None) == getattr(failure, 'code', None)
    if six.PY3:
        assert error.__cause__ is failure


def test_batches__interrupted(wire, client, monkeypatch):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)

    def rows():
        for number in range(60):
            if len(sent(wire)) == 1:
                raise KeyboardInterrupt
            yield {'n': number}
    with pytest.raises(KeyboardInterrupt) as caught:
        client.insert_rows(1, 2, rows())
    assert caught.value.written == [row['amigo_id'] for row in sent_rows(wire)] != []


def test_answer_with_a_job_id(wire, client):
    wire.answers[URL] = {'job_id': 'j'}
    client.delete_rows(1, 2, ['a1'])
    assert [request.path for request in wire.requests] == [URL, JOB]


def test_first_batch_fails__message_as_it_is(wire, client):
    wire.answers[URL] = Answer({'error': ['no']}, 400)
    with pytest.raises(AmigoCloudError, match='^400 Client Error') as caught:
        client.insert_rows(1, 2, [{'n': 1}])
    assert caught.value.status_code == 400


def test_unanswered__is_not_sent_again(wire, client):
    wire.answers[URL] = lambda request: None
    with pytest.raises(AmigoCloudError):
        client.insert_rows(1, 2, [{'n': 1}])
    assert len(wire.requests) == 1


def test_answer_without_a_job(wire, client):
    wire.answers[URL] = {'state': 's'}
    assert client.delete_rows(1, 2, ['a1']) == ['a1']
    assert len(wire.requests) == 1


@pytest.fixture
def sandbox():
    pytest.importorskip('amigocloud.sandbox.server', reason='the sandbox is not installed, or this is Python 2')
    from amigocloud.sandbox import Sandbox
    with Sandbox(job_seconds=0.02) as running:
        yield running


def test_sandbox__rows_come_and_go(sandbox):
    import shapely
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        where = sandbox.project_id, sandbox.vehicles_id
        new = [{'name': u'Fähre "2"', 'seats': 12, 'location': shapely.Point(1, 2)},
               {'name': None, 'seats': None, 'location': 'SRID=4326;POINT(3 4)', 'amigo_id': 'own'}]
        amigo_ids = amigocloud.insert_rows(*where, rows=iter(new))
        amigocloud.update_rows(*where, rows=[{'amigo_id': 'own', 'name': 'Tandem'}])

        def rows():
            query = 'SELECT amigo_id, name, seats, ST_AsText(location) AS place FROM dataset_{} ORDER BY place'
            found = {row['amigo_id']: row for row in amigocloud.sql(query.format(where[1]), where[0])}
            return [found.get(amigo_id) for amigo_id in amigo_ids]
        assert amigo_ids[1] == 'own'
        assert rows() == [
            {'amigo_id': amigo_ids[0], 'name': u'Fähre "2"', 'seats': 12, 'place': 'POINT(1 2)'},
            {'amigo_id': 'own', 'name': 'Tandem', 'seats': None, 'place': 'POINT(3 4)'}]
        assert amigocloud.delete_rows(*where, amigo_ids=amigo_ids[:1]) == amigo_ids[:1]
        assert rows()[0] is None and rows()[1]
        with pytest.raises(AmigoCloudError, match='400'):
            amigocloud.update_rows(*where, rows=[{'amigo_id': 'unknown', 'name': 'x'}])


def test_sandbox__takes_a_full_batch(sandbox):
    rows = [{'name': 'x' * 1000000} for _ in range(20)]
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        amigo_ids = amigocloud.insert_rows(sandbox.project_id, sandbox.vehicles_id, rows)
        dataset = amigocloud.get('/projects/{}/datasets/{}'.format(sandbox.project_id, sandbox.vehicles_id))
    assert len(amigo_ids) == 20 and dataset['feature_count'] == 25
