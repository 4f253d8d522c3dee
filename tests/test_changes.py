# -*- coding: utf-8 -*-
import datetime
import json
import re
import uuid
from decimal import Decimal
from fractions import Fraction

import pytest
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError, AmigoCloudJobError, jobs
from amigocloud.exceptions import AmigoCloudValueError
from amigocloud.rows import batches

URL = '/api/v1/projects/1/datasets/2/submit_change'
JOB = '/api/v1/me/jobs/j'
SQL = '/api/v1/projects/1/sql'


@pytest.fixture(autouse=True)
def accepting(wire, monkeypatch):
    """Changes are accepted, and their jobs succeed."""
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.001, 0.01))
    wire.answers[URL] = {'job': 'j'}
    wire.answers[JOB] = {'status': 'SUCCESS'}
    wire.answers[SQL] = {'columns': [], 'data': [], 'next': None}


def sent(wire):
    """The changes that came over the wire."""
    return [json.loads(request.json['change']) for request in wire.requests if request.path == URL]


def sent_rows(wire):
    return [row for change in sent(wire) for row in change['data']]


def test_insert_rows__on_the_wire(wire, client):
    assert client.project(1).dataset(2).insert([{'name': u'Eiche "ä"', 'amigo_id': 'a1'}]).inserted == ['a1']
    request = wire.requests[1]
    assert (request.method, request.path, request.params) == ('POST', URL, {'token': 'secret'})
    assert request.headers['content-type'] == 'application/json'
    assert list(request.json) == ['change']
    text = request.json['change']
    assert text.startswith('{"type": "DML", "entity": "dataset_2", "parent": null, '
                           '"action": "INSERT", "data": [{')
    assert json.loads(text)['data'] == [{'new': {'name': u'Eiche "ä"'}, 'amigo_id': 'a1'}]
    assert [request.path for request in wire.requests] == [SQL, URL, JOB]


def test_insert_rows__makes_amigo_ids(wire, client):
    row = {'n': 1}
    made = client.project(1).dataset(2).insert([row, {'n': 2, 'amigo_id': 'own'},
                                                {'n': 3, 'amigo_id': None}]).amigo_ids
    assert made[1] == 'own' and len(set(made)) == 3
    assert all(re.match('[0-9a-f]{12}4[0-9a-f]{19}$', made[place]) for place in (0, 2))
    assert sent_rows(wire) == [
        {'new': {'n': number}, 'amigo_id': made[number - 1]} for number in (1, 2, 3)]
    assert row == {'n': 1}


def test_update_rows__on_the_wire(wire, client):
    row = {'amigo_id': 'a1', 'n': None}
    assert client.project(1).dataset('2').update([row]).updated == ['a1']
    assert sent(wire) == [{'type': 'DML', 'entity': 'dataset_2', 'parent': None, 'action': 'UPDATE',
                           'data': [{'new': {'n': None}, 'amigo_id': 'a1'}]}]
    assert row == {'amigo_id': 'a1', 'n': None}


@pytest.mark.parametrize('amigo_ids', [['a1', u'ä'], ('a1', u'ä'), iter(['a1', u'ä'])])
def test_delete_rows__on_the_wire(wire, client, amigo_ids):
    assert client.project(1).dataset(2).delete(amigo_ids).deleted == ['a1', u'ä']
    assert sent(wire) == [{'type': 'DML', 'entity': 'dataset_2', 'parent': None, 'action': 'DELETE',
                           'data': [{'amigo_id': 'a1'}, {'amigo_id': u'ä'}]}]


def test_with_a_project_token(wire):
    below = '/api/v1/users/7/projects/1/'
    wire.answers.update({below: {'id': 1}, below + 'datasets/2/submit_change': {'job': 'j'},
                         '/api/v1/me/jobs/j': {'status': 'SUCCESS'}})
    with AmigoCloud(token='secret', project_url='/users/7/projects/1',
                    base_url=wire.url) as project:
        project.project().dataset(2).delete(['a1'])
    assert [request.path for request in wire.requests] == [
        below, below + 'datasets/2/submit_change', '/api/v1/me/jobs/j']


@pytest.mark.parametrize('value, wanted', [
    (None, None), (True, True), (7, 7), (2 ** 63 - 1, 2 ** 63 - 1), (0.1, 0.1), (1e300, 1e300),
    ('', ''),
    (u'\U0001f333\n', u'\U0001f333\n'), (u'ä'.encode('utf-8') if six.PY2 else u'ä', u'ä'),
    (datetime.date(2024, 2, 29), '2024-02-29'), (datetime.time(1, 2, 3, 4), '01:02:03.000004'),
    (Decimal('1.25'), 1.25), (Decimal(2 ** 63 - 1), 2 ** 63 - 1), (Decimal('1e30'), 1e30),
    (uuid.UUID(int=1), '00000000-0000-0000-0000-000000000001'),
    (datetime.datetime(2024, 2, 29, 13, 5, 1, 20), '2024-02-29T13:05:01.000020'),
    ('SRID=3857;POINT(1 2)', 'SRID=3857;POINT(1 2)'), ('0101000000', '0101000000')])
def test_values(wire, client, value, wanted):
    client.project(1).dataset(2).insert([{'v': value}])
    # As JSON, in which true is not 1.
    assert json.dumps(sent_rows(wire)[0]['new']) == json.dumps({'v': wanted})


def test_values__of_numpy(wire, client):
    numpy = pytest.importorskip('numpy')
    client.project(1).dataset(2).insert([{'i': numpy.int64(7), 'f': numpy.float32(0.5)}])
    assert sent_rows(wire)[0]['new'] == {'i': 7, 'f': 0.5}


def test_values__of_shapely(wire, client):
    shapely = pytest.importorskip('shapely', '2')
    flat, spatial = shapely.Point(1, 2), shapely.set_srid(shapely.Point(1, 2, 3), 3857)
    client.project(1).dataset(2).insert([{'p': flat}, {'p': spatial}, {'p': shapely.Point()}])
    assert [row['new']['p'] for row in sent_rows(wire)][:2] == [
        '0101000020E6100000000000000000F03F0000000000000040',
        '01010000A0110F0000000000000000F03F00000000000000400000000000000840']
    assert shapely.from_wkb(sent_rows(wire)[2]['new']['p']).is_empty
    assert shapely.get_srid(flat) == 0


@pytest.mark.parametrize('row, message', [
    ('name', "it must be a dict, not 'name'"), (None, 'it must be a dict, not None'),
    ({}, 'no column besides amigo_id'), ({'amigo_id': 'a'}, 'no column besides amigo_id'),
    ({'amigo_id': '', 'n': 1}, "amigo_id must be a str that is not empty, not u?''"),
    ({'amigo_id': 5, 'n': 1}, 'amigo_id must be a str that is not empty, not 5'),
    ({1: 2}, 'name of a column must be .* not 1'),
    ({' ': 2}, "name of a column must be .* not u?' '"),
    ({'a\0': 2}, 'null character'), ({'n': 'a\0'}, "column u?'n': .*null character"),
    ({'n': float('nan')}, "column u?'n': nan is not a number"),
    ({'n': float('-inf')}, "column u?'n': -inf is not a number"),
    ({'n': Decimal('nan')}, "column u?'n': nan is not a number"),
    ({'n': Decimal('sNaN')}, "column u?'n': nan is not a number"),
    ({'n': Decimal('1e999')}, "column u?'n': inf is not a number"),
    ({'n': Fraction(10 ** 400)}, "column u?'n': inf is not a number"),
    ({'n': 2 ** 63}, "column u?'n': 9223372036854775808L? has more than 64 bits"),
    ({'n': 10 ** 5000}, "column u?'n': .* has more than 64 bits"),
    ({'n': {'a': 1}}, "column u?'n': no column can store {u?'a': 1}, which is of type dict"),
    ({'n': [1]}, "column u?'n': no column"),
    ({'n': datetime.timedelta(1)}, "column u?'n': no column"),
    ({'n': b'\xff'}, r"column u?'n': .*(not valid UTF-8|no column)"),
    ({'n': 'x' * 2000}, 'Row 1, counted from 0: it takes 2')])
def test_rows__bad(wire, client, monkeypatch, row, message):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    for rows in ([{'n': 1}, row], iter([{'n': 1}, row])):
        with pytest.raises(AmigoCloudValueError, match='Row 1, counted from 0: ') as caught:
            client.project(1).dataset(2).insert(rows)
        assert re.search(message, str(caught.value))
    assert not wire.requests


@pytest.mark.skipif(six.PY2, reason='Python 2 encodes them')
def test_rows__surrogates(wire, client):
    for row in ({'n': u'\ud800'}, {u'\ud800': 1}, {'amigo_id': u'\ud800', 'n': 1}):
        with pytest.raises(AmigoCloudValueError, match='not valid UTF-8'):
            client.project(1).dataset(2).insert([row])
    assert not wire.requests


@pytest.mark.parametrize('call, message', [
    (lambda client: client.project(1).dataset(2).insert(None), 'list'),
    (lambda client: client.project(1).dataset(2).insert({'n': 1}), 'list'),
    (lambda client: client.project(1).dataset(2).delete('a1'), 'list'),
    (lambda client: client.project(1).dataset(2).delete([u'a1', None]), 'Row 1.*amigo_id'),
    (lambda client: client.project(1).dataset(2).update([{'n': 1}]), 'Row 0.*amigo_id'),
    (lambda client: client.project(1).dataset(2).update([{'amigo_id': 'a1'}]), 'no column'),
    (lambda client: client.project(1).dataset('places').insert([{'n': 1}]), 'dataset_id'),
    (lambda client: client.project(1).dataset(True).insert([{'n': 1}]), 'dataset_id'),
    (lambda client: client.project(1).dataset(0).insert([{'n': 1}]), 'dataset_id'),
    (lambda client: client.project().dataset(2).insert([{'n': 1}]), 'project_id'),
])
def test_bad_arguments(wire, client, call, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        call(client)
    assert not wire.requests


@pytest.mark.parametrize('rows', [[], (), iter([])])
def test_no_rows(wire, client, rows):
    assert client.project(1).dataset(2).insert(rows).amigo_ids == []
    assert not wire.requests


@pytest.mark.parametrize('text', ['x', '"', '\\', u'\u00e4', u'\U0001f333', '\n'])
def test_batches__stay_below_the_limit(wire, client, monkeypatch, text):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 4000)
    rows = [{'n': text * (number % 40)} for number in range(100)]
    amigo_ids = client.project(1).dataset(2).insert(rows).amigo_ids
    posts = [request for request in wire.requests if request.path == URL]
    sizes = [len(request.body) for request in posts]
    assert len(sizes) > 3 and max(sizes) < 4000
    assert min(sizes[:-1]) > 4000 - 1000 - 700, 'batches are filled'
    assert [request.path for request in wire.requests] == [URL, JOB] * len(posts)
    assert [row['new'] for row in sent_rows(wire)] == rows
    assert [row['amigo_id'] for row in sent_rows(wire)] == amigo_ids


def test_batches__of_an_iterator_are_sent_as_they_fill(wire, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    taken, taken_at = [0], []

    def rows():
        for number in range(60):
            taken[0] += 1
            yield {'n': number}

    def accept(request):
        taken_at.append(taken[0])
        return {'job': 'j'}
    wire.answers[URL] = accept
    client.project(1).dataset(2).insert(rows())
    written, expected = 0, []
    for change in sent(wire)[:-1]:
        written += len(change['data'])
        expected.append(written + 1)
    assert taken_at == expected + [60] and len(taken_at) > 2


def test_batches__bad_row_of_an_iterator(wire, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    with pytest.raises(AmigoCloudValueError,
                       match=r'(\d+) rows were written, but then: Row 59, counted') as caught:
        client.project(1).dataset(2).insert(
            ({'n': number if number < 59 else object()} for number in range(60)))
    assert str(caught.value).startswith('{} rows'.format(len(sent_rows(wire)))) and sent_rows(wire)


@pytest.mark.parametrize('second', [Answer({'error': ['full']}, 400), lambda request: None])
def test_batches__one_that_fails(wire, client, monkeypatch, second):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    wire.answers[URL] = [{'job': 'j'}, second]
    with pytest.raises(AmigoCloudError) as caught:
        client.project(1).dataset(2).insert([{'n': number} for number in range(60)])
    first, failed = sent(wire)
    assert str(caught.value).startswith(
        '{} rows were written, but then: '.format(len(first['data'])))
    assert failed['data'][0]['new'] == {'n': len(first['data'])}
    if isinstance(second, Answer):
        assert caught.value.status_code == 400 and 'full' in str(caught.value)


def test_batches__a_job_that_fails(wire, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    wire.answers[JOB] = [{'status': 'SUCCESS'}, {'status': 'FAILURE', 'extra': {'error': ['full']}}]
    with pytest.raises(AmigoCloudJobError,
                       match='rows were written, but then: Job j ended with .*full') as caught:
        client.project(1).dataset(2).insert([{'n': number} for number in range(60)])
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
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)

    def rows():
        for number in range(60):
            if len(sent(wire)) == 2:
                raise failure
            yield {'n': number}
    expected = AmigoCloudError if isinstance(failure, Slotted) else type(failure)
    with pytest.raises(expected) as caught:
        client.project(1).dataset(2).insert(rows())
    error = caught.value
    assert isinstance(error, AmigoCloudError)
    assert error.written == [row['amigo_id'] for row in sent_rows(wire)] and len(error.written) > 20
    assert error.message.startswith(u'{} rows were written, but then: The iterator of rows raised {}: '.format(
        len(error.written), type(failure).__name__))
    assert error.written[0] in str(error) and error.written[4] in str(error)
    assert len(error.message) < 600
    assert getattr(error, 'code', None) == getattr(failure, 'code', None)
    if six.PY3:
        assert error.__cause__ is failure


def test_batches__interrupted(wire, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)

    def rows():
        for number in range(60):
            if len(sent(wire)) == 1:
                raise KeyboardInterrupt
            yield {'n': number}
    with pytest.raises(KeyboardInterrupt) as caught:
        client.project(1).dataset(2).insert(rows())
    assert caught.value.written == [row['amigo_id'] for row in sent_rows(wire)] != []


def test_answer_with_a_job_id(wire, client):
    wire.answers[URL] = {'job_id': 'j'}
    client.project(1).dataset(2).delete(['a1'])
    assert [request.path for request in wire.requests] == [URL, JOB]


def test_first_batch_fails__message_as_it_is(wire, client):
    wire.answers[URL] = Answer({'error': ['no']}, 400)
    with pytest.raises(AmigoCloudError, match='^400 Client Error') as caught:
        client.project(1).dataset(2).insert([{'n': 1}])
    assert caught.value.status_code == 400


def test_unanswered__is_not_sent_again(wire, client):
    wire.answers[URL] = lambda request: None
    with pytest.raises(AmigoCloudError):
        client.project(1).dataset(2).insert([{'n': 1}])
    assert len(wire.requests) == 1


@pytest.mark.parametrize('answer', [b'', b'null', b'[]', b'{}', b'{"error": "full"}',
                                    b'{"job": null}', b'{"job": [1]}', b'"stored"'])
def test_answer_without_a_job(wire, client, monkeypatch, answer):
    """Such as a proxy sends. Nothing says that the rows are written."""
    monkeypatch.setattr(batches, 'BATCH_SIZE', 1200)
    wire.answers[URL] = [{'job': 'j'}, Answer(answer)]
    with pytest.raises(AmigoCloudError,
                       match='^1 rows were written, .* unknown whether these 1 rows') as caught:
        client.project(1).dataset(2).insert(
            [{'n': 'x' * 100, 'amigo_id': amigo_id} for amigo_id in 'ab'])
    assert caught.value.written == ['a'] and not isinstance(caught.value, ValueError)


class _Unreadable(object):
    def __iter__(self):
        raise KeyError('mine')


def test_rows_that_cannot_be_iterated(wire, client):
    with pytest.raises(AmigoCloudError, match='The iterator of rows raised KeyError') as caught:
        client.project(1).dataset(2).insert(_Unreadable())
    assert isinstance(caught.value, KeyError) and not wire.requests




def test_sandbox__rows_come_and_go(sandbox):
    import shapely
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        dataset = amigocloud.project(sandbox.project_id).dataset(sandbox.vehicles_id)
        new = [{'name': u'Fähre "2"', 'seats': 12, 'location': shapely.Point(1, 2)},
               {'name': None, 'seats': None, 'location': 'SRID=4326;POINT(3 4)', 'amigo_id': 'own'}]
        amigo_ids = dataset.insert(iter(new)).amigo_ids
        dataset.update([{'amigo_id': 'own', 'name': 'Tandem'}])

        def rows():
            query = ('SELECT amigo_id, name, seats, ST_AsText(location) AS place '
                     'FROM {} ORDER BY place'.format(dataset.table_name))
            found = {row['amigo_id']: row for row in dataset.project.sql(query)}
            return [found.get(amigo_id) for amigo_id in amigo_ids]
        assert amigo_ids[1] == 'own'
        assert rows() == [
            {'amigo_id': amigo_ids[0], 'name': u'Fähre "2"', 'seats': 12, 'place': 'POINT(1 2)'},
            {'amigo_id': 'own', 'name': 'Tandem', 'seats': None, 'place': 'POINT(3 4)'}]
        assert dataset.delete(amigo_ids[:1]).deleted == amigo_ids[:1]
        assert rows()[0] is None and rows()[1]
        with pytest.raises(AmigoCloudError, match='400'):
            dataset.update([{'amigo_id': 'unknown', 'name': 'x'}])


def test_sandbox__takes_a_full_batch(sandbox):
    rows = [{'name': 'x' * 1000000} for _ in range(20)]
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        dataset = amigocloud.project(sandbox.project_id).dataset(sandbox.vehicles_id)
        amigo_ids = dataset.insert(rows).amigo_ids
        count = amigocloud.get(dataset.url)['feature_count']
    assert len(amigo_ids) == 20 and count == 25


@pytest.fixture
def limited(wire):
    """Refuses each change of more rows than ``limited.rows``, and stores what it accepts."""
    def submit(request):
        data = json.loads(request.json['change'])['data']
        limited.sizes.append(len(data))
        if len(data) > limited.rows:
            return Answer({'detail': 'TOO MANY REQUESTS'}, 429, limited.headers)
        limited.stored.extend(data)
        return {'job': 'j'}

    class limited(object):
        rows = 3
        headers = {}
        sizes = []
        stored = []
    wire.answers[URL] = submit
    return limited


def rows_of(count):
    return [{'amigo_id': 'a{}'.format(number), 'name': u'"\xe4\\', 'f': 0.1, 'n': 2 ** 60}
            for number in range(count)]


def test_rate_limit__smaller_batches(limited, client):
    rows = rows_of(9)
    amigo_ids = [row['amigo_id'] for row in rows]
    assert client.project(1).dataset(2).insert(rows).inserted == amigo_ids
    # A change is tried four times; the batches that follow keep to the size that was accepted.
    assert limited.sizes == [9] * 4 + [4] * 4 + [2, 2, 2, 2, 1]
    assert limited.stored == [
        {'new': {name: row[name] for name in ('name', 'f', 'n')}, 'amigo_id': row['amigo_id']}
        for row in rows]


def test_rate_limit__later_batches_stay_small(limited, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', batches._ENVELOPE_SIZE + 500)
    amigo_ids = client.project(1).dataset(2).update(rows_of(8)).updated
    assert amigo_ids == [row['amigo_id'] for row in limited.stored] and len(amigo_ids) == 8
    assert limited.sizes == [4] * 4 + [2] * 4


def test_rate_limit__of_a_frame(limited, client):
    pandas = pytest.importorskip('pandas')
    frame = pandas.DataFrame(rows_of(3000))
    limited.rows = 1000
    assert client.project(1).dataset(2).update(frame).updated == frame['amigo_id'].tolist()
    assert limited.sizes == [3000] * 4 + [1000] * 3
    assert [row['new']['n'] for row in limited.stored] == [2 ** 60] * 3000


def test_rate_limit__for_good(limited, client):
    limited.rows = 0
    with pytest.raises(AmigoCloudError, match='429') as caught:
        client.project(1).dataset(2).delete([str(number) for number in range(80)])
    assert caught.value.written == []
    assert limited.sizes == [80] * 4 + [40] * 4 + [20] * 4 + [10] * 4


def test_rate_limit__in_the_middle(limited, wire, client):
    def last_is_refused(request, submit=wire.answers[URL]):
        return Answer(status=429) if '"a8"' in request.json['change'] else submit(request)
    wire.answers[URL] = last_is_refused
    with pytest.raises(AmigoCloudError, match='8 rows were written, but then: 429') as caught:
        client.project(1).dataset(2).update(rows_of(9))
    assert caught.value.written == [row['amigo_id'] for row in limited.stored]
    assert caught.value.unknown == []


@pytest.mark.parametrize('headers', [{'Retry-After': '0'}, {'Retry-After': '3600'}])
def test_rate_limit__that_says_when_to_retry(limited, client, headers):
    limited.headers = headers
    with pytest.raises(AmigoCloudError, match='429'):
        client.project(1).dataset(2).insert(rows_of(9))
    assert set(limited.sizes) == {9}


def test_rate_limit__of_the_job_is_no_refusal(wire, client):
    wire.answers[JOB] = Answer(status=429)
    with pytest.raises(AmigoCloudError, match='429') as caught:
        client.project(1).dataset(2).update(rows_of(9))
    assert len(sent(wire)) == 1 and len(caught.value.unknown) == 9
    wire.answers[JOB] = {'status': 'FAILURE', 'extra': 'TOO MANY REQUESTS'}
    with pytest.raises(AmigoCloudJobError, match='TOO MANY'):
        client.project(1).dataset(2).update(rows_of(9))
    assert len(sent(wire)) == 2


def test_rate_limit__of_the_sandbox(sandbox):
    refusals = {'path': '/submit_change', 'status': 429, 'times': 8, 'larger_than': 5000}
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        dataset = amigocloud.project(sandbox.project_id).create_dataset(
            'limited', [{'name': 'name', 'type': 'string'}])
        before = dataset.states()
        amigocloud.post(sandbox.url + '/sandbox/failures', refusals)
        rows = [{'name': str(number)} for number in range(400)]
        assert len(dataset.insert(rows).inserted) == 400
        assert sorted(row['name'] for row in dataset.read()) == sorted(map(str, range(400)))
        # Four batches were carried out.
        assert len(dataset.states()) == len(before) + 4


def test_update_delete__repeated_amigo_ids_are_an_error(wire, client):
    dataset = client.project(1).dataset(2)
    rows = [{'amigo_id': 'a', 'n': 1}, {'amigo_id': 'b', 'n': 2}, {'amigo_id': 'a', 'n': 3}]
    for call in (lambda: dataset.update(rows), lambda: dataset.delete(['a', 'b', 'a'])):
        with pytest.raises(AmigoCloudValueError, match=r"Row 2, counted from 0: .*'a' is that of an earlier row"):
            call()
    assert not wire.requests
    pandas = pytest.importorskip('pandas')
    with pytest.raises(AmigoCloudValueError, match="amigo_id 'a' is that of several rows"):
        dataset.update(pandas.DataFrame(rows))
    assert not wire.requests


def test_amigo_id__longer_than_those_of_the_service(wire, client):
    dataset = client.project(1).dataset(2)
    for call in (dataset.insert, dataset.update):
        with pytest.raises(AmigoCloudValueError, match='Row 0, counted from 0: .*more than 32 characters.*hex'):
            call([{'amigo_id': uuid.UUID(int=7), 'n': 1}])
    assert not wire.requests
