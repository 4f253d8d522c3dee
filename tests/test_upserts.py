# -*- coding: utf-8 -*-
import datetime
import math
import re

import pytest
import six
from conftest import Answer
from table_service import CHANGE, DATASET, SQL, TableService

from amigocloud import AmigoCloud, AmigoCloudError, jobs
from amigocloud.exceptions import AmigoCloudValueError
from amigocloud.rows import batches, changes, upserts
from amigocloud.rows.comparing import ABSENT, differences
from amigocloud.rows.results import WriteResult

COLUMNS = {'code': 'string', 'n': 'integer', 'name': 'string', 'day': 'date', 'at': 'datetime', 'place': 'geometry',
           'height': 'float'}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.001, 0.01))


@pytest.fixture
def service(wire):
    return TableService(wire, COLUMNS)


@pytest.fixture
def dataset(client, service):
    return client.project(1).dataset(2)


def lists(result):
    return result.amigo_ids, result.inserted, result.updated, result.deleted, result.unchanged


def test_upsert__on_the_wire(wire, service, dataset):
    service.rows = [{'amigo_id': 'a', 'code': 'x', 'n': 1, 'name': u'Eiche "ä"'},
                    {'amigo_id': 'b', 'code': 'y', 'n': 2}, {'amigo_id': 'c', 'code': None, 'n': 3}]
    rows = [{'code': 'y', 'n': 5}, {'code': 'z', 'n': None}, {'code': 'x', 'n': 1, 'name': u'Eiche "ä"'}]
    result = dataset.upsert(rows, key='code')
    new = result.inserted[0]
    assert lists(result) == (['b', new, 'a'], [new], ['b'], [], ['a'])
    assert service.changes == [
        ('INSERT', [{'new': {'code': 'z', 'n': None}, 'amigo_id': new}]),
        ('UPDATE', [{'new': {'code': 'y', 'n': 5}, 'amigo_id': 'b'}])]
    assert [request.path for request in wire.requests][:3] == [DATASET + '/schema', DATASET + '/master', SQL]
    query, = [request.params for request in wire.requests if request.path == SQL]
    assert query['query'] == ('SELECT "amigo_id", "code", "n", "name" FROM dataset_2 WHERE ("code" IN (\'y\', \'z\', '
                              "'x')) ORDER BY amigo_id")
    assert query['state'] == 's1'
    assert lists(dataset.upsert(rows, 'code')) == (['b', new, 'a'], [], [], [], ['b', new, 'a'])
    assert len(service.changes) == 2


def test_upsert__by_amigo_id(service, dataset):
    service.rows = [{'amigo_id': 'a', 'n': 1}]
    result = dataset.upsert(iter([{'amigo_id': 'b', 'n': 2}, {'amigo_id': 'a', 'n': 3}]), key='amigo_id')
    assert lists(result) == (['b', 'a'], ['b'], ['a'], [], [])
    assert service.rows == [{'amigo_id': 'a', 'n': 3}, {'amigo_id': 'b', 'n': 2}]


def test_upsert__nothing_to_write(wire, service, dataset):
    assert lists(dataset.upsert([], 'code')) == ([], [], [], [], [])
    assert not wire.requests
    service.rows = [{'amigo_id': 'a', 'code': 'x'}]
    assert dataset.upsert([{'code': 'x'}], 'code').unchanged == ['a']
    assert not service.changes


def test_upsert__many_keys_are_read_page_by_page(monkeypatch, wire, service, dataset):
    monkeypatch.setattr(upserts, '_KEYS_SIZE', 20)
    monkeypatch.setattr(service, 'page_rows', 7)
    service.rows = [{'amigo_id': 'a{:02}'.format(n), 'code': 'x{}'.format(n), 'n': n} for n in range(40)]
    rows = [{'code': 'x{}'.format(n), 'n': n + (n == 20)} for n in range(10, 50)]
    result = dataset.upsert(rows, 'code')
    assert (result.updated, len(result.inserted), len(result.unchanged)) == (['a20'], 10, 29)
    queries = [request.params['query'] for request in wire.requests if request.path == SQL]
    assert queries[0] == 'SELECT "amigo_id", "code", "n" FROM dataset_2 ORDER BY amigo_id' and len(queries) == 6


def test_upsert__many_integer_keys_are_read_as_a_range(monkeypatch, wire, service, dataset):
    monkeypatch.setattr(upserts, '_KEYS_SIZE', 20)
    service.rows = [{'amigo_id': 'a{:02}'.format(n), 'n': n, 'code': 'x'} for n in range(-20, 20)]
    rows = [{'n': n, 'code': 'x'} for n in range(9, -20, -1)]
    assert len(dataset.upsert(rows, 'n').unchanged) == 29
    query, = [request.params['query'] for request in wire.requests if request.path == SQL]
    assert query == 'SELECT "amigo_id", "n", "code" FROM dataset_2 WHERE ("n" BETWEEN (-19) AND 9) ORDER BY amigo_id'


ROWS = [{'code': 'x', 'n': 1}]


@pytest.mark.parametrize('rows, key, message', [
    ([{'code': 'x'}, {'code': 'y'}, {'code': 'x'}], 'code', "Rows 0 and 2, .* have the same 'code': u?'x'"),
    ([{'code': 'x'}, {'code': None}], 'code', "Row 1, counted from 0: column 'code': it is the key"),
    ([{'code': 'x'}, {'n': 2}], 'code', "Row 1, counted from 0: column 'code': it is the key"),
    ([{'code': 1}], 'code', "Row 0, .*column 'code': 1 is not a value of the type string"),
    ([{'n': 1}, {'n': '2'}], 'n', "Row 1, .*column 'n': u?'2' is not a value of the type integer"),
    ([{'n': 1.0}], 'n', "Row 0, .*column 'n': 1.0 is not a value of the type integer"),
    ([{'n': True}], 'n', "Row 0, .*column 'n': True is not"),
    ([{'code': 'x'}, {'code': 'y', 'n': 1.5}], 'code', "Row 1, .*column 'n': 1.5 is not a value of the type integer"),
    ([{'day': 'monday'}], 'day', 'is not a value of the type date'),
    ([{'at': '2024-01-01 00:00:00'}], 'at', 'is not a value of the type datetime'),
    ([{'height': 1.5}], 'height', "column 'height' is of the type float and cannot be the key"),
    ([{'amigo_id': '', 'n': 1}], 'amigo_id', 'Row 0, .*amigo_id'),
    ([{'amigo_id': 5, 'n': 1}], 'amigo_id', 'Row 0, .*amigo_id'),
    ([{'amigo_id': 'a', 'code': 'x'}], 'code', "amigo_id besides the key 'code'; drop it"),
    ([{'code': 'x'}, {'code': 'y', 'wheels': 4}], 'code', "Row 1, .*the column u?'wheels'; add it with add_column"),
    ([{'other': 'x'}], 'other', "the column u?'other'; add it"),
    (ROWS, '', 'name of a column'), (ROWS, None, 'name of a column'), ('rows', 'code', 'list or another iterable'),
    ({'code': 'x'}, 'code', 'list or another iterable'), ([5], 'code', 'Row 0, .*dict'),
    ([{'code': 'x', 'n': object()}], 'code', "Row 0, counted from 0: column u?'n': no column can store"),
    ([{'amigo_id': 'old', 'n': 1}, {'amigo_id': 'new'}], 'amigo_id', 'Row 1, .*no column besides'),
    ([{'amigo_id': 'old', 'n': 1}, {'amigo_id': 'new', 'name': 'x' * 2000}], 'amigo_id', 'Row 1, .*it takes 2'),
    ([{'amigo_id': 'old', 'n': 1}, {'amigo_id': 'old2', 'name': 'x' * 2000}], 'amigo_id', 'Row 1, .*it takes 2')])
def test_upsert__bad(monkeypatch, wire, service, dataset, rows, key, message):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    service.rows = [{'amigo_id': 'old', 'n': 1}, {'amigo_id': 'old2', 'name': ''}]
    with pytest.raises(AmigoCloudValueError, match=re.sub(r"(?<![\w?])'", "u?'", message)):
        dataset.upsert(rows, key)
    assert not service.changes
    if re.search('it is the key|have the same|drop it|must be|no column can store', message):
        assert not wire.requests


def test_upsert__several_rows_of_the_dataset_have_the_key(service, dataset):
    service.rows = [{'amigo_id': amigo_id, 'code': code} for amigo_id, code in (('a', 'x'), ('b', 'y'), ('c', 'x'))]
    with pytest.raises(AmigoCloudValueError, match="Row 1, .*u?'x', such as the rows .* a and c"):
        dataset.upsert([{'code': 'new', 'n': 1}, {'code': 'x', 'n': 1}], 'code')
    assert not service.changes
    # Only the keys of the rows that are given must be unambiguous.
    assert dataset.upsert([{'code': 'y', 'n': 1}], 'code').updated == ['b']


@pytest.mark.parametrize('page', [
    {'columns': [], 'data': [[1]], 'next': None}, {'columns': [], 'data': [{'code': 'x'}], 'next': None},
    {'columns': [], 'data': [{'code': []}], 'next': None}, []])
def test_upsert__odd_pages(wire, service, dataset, page):
    wire.answers[SQL] = Answer(page)
    with pytest.raises(AmigoCloudError, match='requested columns'):
        dataset.upsert(ROWS, 'code')
    assert not service.changes


FAULTS = ['before', 'after', 500, ('after', 500), ('after', 502), 400]


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.parametrize('number', [0, 1, 2, 3])
def test_upsert__repeated_after_a_fault(monkeypatch, service, dataset, number, fault):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 1150)
    service.rows = [{'amigo_id': str(n), 'code': 'old{}'.format(n), 'n': n} for n in range(4)]
    rows = [{'code': 'new{}'.format(n), 'n': n} for n in range(4)]
    rows += [{'code': 'old{}'.format(n), 'n': n + 10 * (n > 0)} for n in range(4)]
    service.faults[number] = fault
    with pytest.raises(AmigoCloudError) as caught:
        dataset.upsert(rows, 'code')
    error = caught.value
    assert len(service.changes) == number + 1
    sent = [entry['amigo_id'] for _, data in service.changes for entry in data]
    unknown = [entry['amigo_id'] for entry in service.changes[-1][1]]
    assert error.written == sent[:-len(unknown)]
    assert error.unknown == ([] if fault == 400 else unknown)
    if fault != 400:
        assert 'It is unknown whether these {} rows were written'.format(len(unknown)) in str(error)
        assert unknown[0] in str(error) and 'repeat the call' in str(error)
    result = dataset.upsert(rows, 'code')
    assert sorted((row['code'], row['n']) for row in service.rows) == sorted((row['code'], row['n']) for row in rows)
    assert result.amigo_ids == [
        row['amigo_id'] for code in rows for row in service.rows if row['code'] == code['code']]
    assert lists(dataset.upsert(rows, 'code'))[4] == result.amigo_ids


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.parametrize('kind', [list, iter])
def test_insert__repeated_after_a_fault(monkeypatch, service, dataset, fault, kind):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 1150)
    rows = [{'amigo_id': 'own{}'.format(n), 'n': n} for n in range(8)]
    service.faults[1] = fault
    with pytest.raises(AmigoCloudError) as caught:
        dataset.insert(kind(rows))
    written = len(caught.value.written)
    assert caught.value.unknown == ([] if fault == 400 else [
        entry['amigo_id'] for entry in service.changes[1][1]])
    result = dataset.insert(kind(rows))
    assert service.rows == [{'amigo_id': 'own{}'.format(n), 'n': n} for n in range(8)]
    assert result.amigo_ids == [row['amigo_id'] for row in rows] == result.unchanged + result.inserted
    assert len(result.unchanged) >= written > 0


def test_insert__skips_rows_that_exist(monkeypatch, wire, service, dataset):
    monkeypatch.setattr(changes, '_LOOKUP_SIZE', 3)
    service.rows = [{'amigo_id': 'own3', 'n': 77}]
    rows = [{'amigo_id': 'own{}'.format(n) if n < 7 else None, 'n': n} for n in range(9)]
    result = dataset.insert(rows)
    assert result.unchanged == ['own3'] and len(result.inserted) == 8 and result.amigo_ids[3] == 'own3'
    assert {'amigo_id': 'own3', 'n': 77} in service.rows and len(service.rows) == 9
    # Few rows in the dataset are read as a whole, and many in windows.
    assert [request.params['query'] for request in wire.requests if request.path == SQL] == [
        'SELECT count(*) FROM dataset_2', 'SELECT "amigo_id" FROM dataset_2 ORDER BY amigo_id']
    del wire.requests[:]
    monkeypatch.setattr(changes, 'PAGE_SIZE', 1)
    assert dataset.insert(rows[:7]).unchanged == ['own{}'.format(n) for n in range(7)]
    assert [request.params['query'] for request in wire.requests if request.path == SQL] == [
        'SELECT count(*) FROM dataset_2'] + [
        'SELECT amigo_id FROM dataset_2 WHERE amigo_id IN ({})'.format(ids) for ids in (
            "'own0', 'own1', 'own2'", "'own3', 'own4', 'own5'", "'own6'")]
    del wire.requests[:]
    dataset.insert([{'n': 1}])
    assert not [request for request in wire.requests if request.path == SQL], 'new amigo_ids need no look'


@pytest.mark.parametrize('kind', [list, iter])
def test_insert__the_same_amigo_id_twice(service, dataset, kind):
    with pytest.raises(AmigoCloudValueError, match=r"Row 2, .*amigo_id u?'a' is that of an earlier row"):
        dataset.insert(kind([{'amigo_id': 'a', 'n': 1}, {'n': 2}, {'amigo_id': 'a', 'n': 3}]))
    assert not service.changes


def test_update__fault(service, dataset):
    service.rows = [{'amigo_id': 'a', 'n': 1}]
    service.faults[0] = 'after'
    with pytest.raises(AmigoCloudError, match='An update can be repeated') as caught:
        dataset.update([{'amigo_id': 'a', 'n': 2}])
    assert (caught.value.written, caught.value.unknown) == ([], ['a'])


def test_delete__fault(service, dataset):
    service.rows = [{'amigo_id': 'a', 'n': 1}]
    service.faults[0] = 'after'
    with pytest.raises(AmigoCloudError, match='these 1 rows .* Look which of them exist') as caught:
        dataset.delete(['a'])
    assert (caught.value.written, caught.value.unknown) == ([], ['a'])


@pytest.mark.parametrize('answer, is_known', [
    (Answer({'status': 'FAILURE', 'extra': {'error': ['full']}}), True), (Answer({}, 404), False),
    (Answer({}, 500), False), (Answer({'status': 'odd'}), False)])
def test_insert__its_job_fails(wire, service, dataset, answer, is_known):
    wire.answers['/api/v1/me/jobs/j'] = answer
    with pytest.raises(AmigoCloudError) as caught:
        dataset.insert([{'amigo_id': 'a', 'n': 1}])
    assert caught.value.unknown == ([] if is_known else ['a'])


def test_insert__interrupted_while_its_job_runs(monkeypatch, client, service, dataset):
    def interrupt(job):
        raise KeyboardInterrupt
    monkeypatch.setattr(client, 'wait_for_job', interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        dataset.insert([{'amigo_id': 'a', 'n': 1}])
    assert (caught.value.written, caught.value.unknown) == ([], ['a'])


def test_truncate(service, dataset):
    service.rows = [{'amigo_id': 'a', 'n': 1}]
    assert dataset.truncate() is None
    assert service.changes == [('TRUNCATE', None)] and not service.rows


@pytest.mark.parametrize('fault, is_known', [
    ('after', False), (500, False), (408, False), (403, True), (302, True)])
def test_truncate__fault(service, dataset, fault, is_known):
    service.faults[0] = fault
    with pytest.raises(AmigoCloudError) as caught:
        dataset.truncate()
    assert ('unknown whether the rows' in str(caught.value)) is not is_known


def test_truncate__answer_without_a_job(wire, dataset):
    wire.answers[CHANGE] = {}
    with pytest.raises(AmigoCloudError, match='names no job.*unknown whether'):
        dataset.truncate()


def test_result():
    assert repr(WriteResult()) == '<WriteResult: no rows>'
    assert repr(WriteResult('abc', 'a', 'b', unchanged='c')) == '<WriteResult: 1 inserted, 1 updated, 1 unchanged>'
    assert repr(WriteResult('ab', deleted='ab')) == '<WriteResult: 2 deleted>'
    assert lists(WriteResult('a')) == (['a'], [], [], [], [])


def test_insert__frame_skips_rows_that_exist(service, dataset):
    pandas = pytest.importorskip('pandas')
    service.rows = [{'amigo_id': 'b', 'n': 77}]
    frame = pandas.DataFrame({'amigo_id': ['a', 'b', None], 'n': [1, 2, 3]}, index=[5, 5, 5])
    result = dataset.insert(frame)
    assert (result.amigo_ids[:2], result.unchanged, len(result.inserted)) == (['a', 'b'], ['b'], 2)
    assert [row['n'] for row in service.rows] == [77, 1, 3]
    with pytest.raises(AmigoCloudValueError, match="amigo_id 'b' is that of several rows"):
        dataset.insert(frame.assign(amigo_id='b'))


def test_upsert__frame(service, dataset):
    pandas = pytest.importorskip('pandas')
    service.rows = [{'amigo_id': 'a', 'code': 'x', 'n': 1}, {'amigo_id': 'b', 'code': 'y', 'n': 2}]
    frame = pandas.DataFrame({'code': ['z', 'y', 'x'], 'n': [3, None, 1]}, index=[5, 5, 5])
    service.faults[0] = 'after'
    with pytest.raises(AmigoCloudError, match='repeat the call'):
        dataset.upsert(frame, 'code')
    result = dataset.upsert(frame, 'code')
    assert (result.amigo_ids[1:], result.updated, result.unchanged[-1]) == (['b', 'a'], ['b'], 'a')
    assert [(row['code'], row['n']) for row in service.rows] == [('x', 1), ('y', None), ('z', 3)]
    assert not dataset.upsert(frame.iloc[:0], 'code').amigo_ids
    assert dataset.upsert(frame, 'code').unchanged == result.amigo_ids


@pytest.mark.parametrize('columns, key, message', [
    ({'code': ['x', 'y', 'x']}, 'code', "Rows 0 and 2, .* the same 'code': 'x'"),
    ({'code': ['x', None, 'z']}, 'code', "Row 1, .*column 'code': it is the key"),
    ({'n': [1, 2, 3]}, 'code', "do not have the column 'code', which is the key; add it, .* reset_index"),
    ({'code': [1, 2, 3]}, 'code', "Row 0, .*column 'code': 1 is not a value of the type string"),
    ({'n': [1, 2, 3.0]}, 'n', "Row 0, .*column 'n': 1.0 is not a value of the type integer"),
    ({'code': ['x', 'y', 'z'], 'n': [1, 2.5, None]}, 'code', "Row 1, .*column 'n': 2.5 is not .*; round it"),
    ({'code': ['x', 'y', 'z'], 'wheels': 4}, 'code', "The frame: the dataset .* does not have the column 'wheels'"),
    ({'code': ['x', 'y', 'z'], 'amigo_id': 'a'}, 'code', 'amigo_id besides the key'),
    ({'code': ['x', 'y', 'z'], 'n': [1, 2, object()]}, 'code', "Row 2, counted from 0: column 'n': no column"),
    ({'code': ['x', 'y', 'z'], 'name': ['', 'a' * 2000, '']}, 'code', 'Row 1, counted from 0: it takes'),
    ({'amigo_id': ['x', 'y', 'z']}, 'amigo_id', 'The frame has no column besides amigo_id')])
def test_upsert__frame_bad(monkeypatch, service, dataset, columns, key, message):
    pandas = pytest.importorskip('pandas')
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    with pytest.raises(AmigoCloudValueError, match=message):
        dataset.upsert(pandas.DataFrame(columns), key)
    assert not service.changes


POINT = '0101000020E6100000000000000000F03F0000000000000040'
SAME, DIFFERENT = [], [0]


@pytest.mark.parametrize('kind, old, new, expected', [
    ('string', u'a', u'a', SAME), ('string', u'a', u'a ', DIFFERENT), ('string', u'', None, DIFFERENT),
    ('string', None, None, SAME), ('string', None, u'', DIFFERENT), ('string', u'1', 1, DIFFERENT),
    ('integer', 1, 1, SAME), ('integer', 1, 2, DIFFERENT), ('integer', 1, 1.0, SAME), ('integer', 1, 1.5, DIFFERENT),
    ('integer', 1, True, DIFFERENT), ('integer', 1, u'1', DIFFERENT), ('integer', 0, None, DIFFERENT),
    ('bigint', 2 ** 60, 2 ** 60, SAME), ('bigint', 2 ** 60, 2 ** 60 + 1, DIFFERENT),
    ('bigint', 2 ** 60 + 1, float(2 ** 60), DIFFERENT),
    ('float', 0.1, 0.1, SAME), ('float', 1.0, 1, SAME), ('float', 1, 1.0, SAME), ('float', 0.1, u'0.1', DIFFERENT),
    ('float', 1.0, True, DIFFERENT), ('float', 0.1, math.nextafter(0.1, 1) if hasattr(math, 'nextafter') else 0.2,
                                      DIFFERENT),
    ('float', float('nan'), 0.0, DIFFERENT), ('float', float('nan'), None, DIFFERENT),
    ('real', 0.1, 0.10000000149011612, SAME), ('real', 0.1, 0.1, SAME), ('real', 0.1, 0.2, DIFFERENT),
    ('real', 0.1, 1e300, DIFFERENT), ('real', 0.5, 1, DIFFERENT), ('real', 1.0, 1, SAME),
    ('number', 5, 5, SAME), ('number', 0.1, 0.1, DIFFERENT), ('number', 5, 5.0, DIFFERENT),
    ('boolean', True, True, SAME), ('boolean', True, 1, DIFFERENT), ('boolean', False, None, DIFFERENT),
    ('boolean', True, u'true', DIFFERENT),
    ('date', u'2024-02-29', u'2024-02-29', SAME), ('date', u'2024-02-29', u'2024-02-29T00:00:00', SAME),
    ('date', u'2024-02-29', u'2024-02-29 00:00:00.000', SAME),
    ('date', u'2024-02-29', u'2024-02-29T01:00:00', DIFFERENT), ('date', u'2024-02-29', u'29.2.2024', DIFFERENT),
    ('date', u'2024-02-29', u'2024-02-29T00:00:00Z', DIFFERENT),
    ('time', u'01:02:03', u'01:02:03', SAME), ('time', u'01:02:03', u'01:02', DIFFERENT),
    ('datetime', u'2024-02-29 01:02:03+00:00', u'2024-02-29T01:02:03+00:00', SAME),
    ('datetime', u'2024-02-29 01:02:03+00:00', u'2024-02-29T03:02:03+02:00', SAME),
    ('datetime', u'2024-02-29 01:02:03+00:00', u'2024-02-28T20:32:03-04:30', SAME),
    ('datetime', u'2024-02-29 03:02:03+02', u'2024-02-29 01:02:03Z', SAME),
    ('datetime', u'2024-02-29T01:02:03', u'2024-02-29 01:02:03Z', SAME),
    ('datetime', u'2024-02-29 01:02:03.5+00:00', u'2024-02-29T01:02:03.500000Z', SAME),
    ('datetime', u'2024-02-29 01:02:03.5+00:00', u'2024-02-29T01:02:03.500001Z', DIFFERENT),
    ('datetime', u'2024-02-29 01:02:03+00:00', u'2024-02-29T01:02:03', DIFFERENT),
    ('datetime', u'2024-02-29 01:02:03+00:00', u'2024-02-30T01:02:03Z', DIFFERENT),
    ('datetime', u'2024-02-29 01:02:03+00:00', u'0001-01-01T00:00:00+01:00', DIFFERENT),
    ('datetime', u'2024-02-29 01:02:03+00:00', 5, DIFFERENT), ('datetime', 5, u'2024-02-29 01:02:03Z', DIFFERENT),
    ('geometry', six.ensure_text(POINT), six.ensure_text(POINT.lower()), SAME),
    ('geometry', six.ensure_text(POINT.lower()), six.ensure_text(POINT), SAME),
    ('geometry', six.ensure_text(POINT), six.ensure_text(POINT.replace('E6100000', '110F0000')), DIFFERENT),
    ('geometry', six.ensure_text(POINT), u'SRID=4326;POINT(1 2)', DIFFERENT),
    ('unknown(17)', u'a', u'a', DIFFERENT), ('unknown(17)', None, None, SAME), (None, 1, 1, DIFFERENT),
    ('string', u'a', ABSENT, SAME)])
def test_differences(kind, old, new, expected):
    assert differences(kind, [old], [new]) == expected
    # Lists that are equal are compared as a whole.
    assert differences(kind, [old, u'a'], [new, u'b']) == expected + [1]


@pytest.fixture
def real_project(running_sandbox):
    sandbox = running_sandbox[0]
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        yield amigocloud.project(sandbox.project_id)


KINDS = {'code': 'string', 'n': 'integer', 'b': 'bigint', 'f': 'float', 'r': 'real', 'ok': 'boolean', 'day': 'date',
         'at': 'datetime', 'tm': 'time', 'place': 'geometry'}


def real_rows():
    import shapely
    moment = datetime.datetime(2024, 2, 29, 1, 2, 3, 500000, datetime.timezone(datetime.timedelta(hours=2)))
    return [{'code': u'ä{}'.format(n), 'n': n, 'b': 2 ** 60 + n, 'f': n / 7, 'r': 0.1 * n, 'ok': n % 2 == 0,
             'day': datetime.date(2024, 2, n + 1), 'at': moment + datetime.timedelta(n, microseconds=500000 * (n % 2)),
             'tm': datetime.time(1, 2, n), 'place': shapely.Point(n, 0.1)} for n in range(5)] + [{'code': 'nulls'}]


@pytest.mark.slow
def test_sandbox__unchanged_rows_are_not_written(real_project):
    dataset = real_project.create_dataset('kinds', [{'name': name, 'type': kind} for name, kind in KINDS.items()])
    rows = real_rows()
    made = dataset.upsert(rows, 'code')
    state = dataset.states()[-1]
    assert len(made.inserted) == 6
    for repeated in (dataset.upsert(rows, 'code'), dataset.upsert(iter(rows), 'code'),
                     dataset.upsert(list(dataset.read()), 'amigo_id')):
        assert sorted(repeated.unchanged) == sorted(made.amigo_ids)
    frame = dataset.read().to_geodataframe()
    plain = dataset.read().to_dataframe().drop(columns='place')
    for table, key in ((frame, 'amigo_id'), (frame.drop(columns='amigo_id'), 'code'), (plain, 'amigo_id')):
        assert len(dataset.upsert(table, key).unchanged) == 6
    # Missing values make floats of the integers, and times without a time zone of the dates.
    widened = plain.assign(n=plain['n'].astype('float64'), f=plain['f'].astype('Float64'))
    assert len(dataset.upsert(widened, 'amigo_id').unchanged) == 6
    assert dataset.states()[-1] == state, 'nothing was written'


@pytest.mark.slow
def test_sandbox__each_kind_of_change_is_written(real_project):
    import shapely
    dataset = real_project.create_dataset('changed', [{'name': name, 'type': kind} for name, kind in KINDS.items()])
    rows = real_rows()
    made = dataset.upsert(rows, 'code')
    changed = {'n': 7, 'b': 2 ** 60 + 9, 'f': 0.25, 'r': 0.7, 'ok': True, 'day': datetime.date(2020, 1, 1),
               'at': rows[1]['at'] + datetime.timedelta(microseconds=1), 'tm': datetime.time(5),
               'place': shapely.set_srid(shapely.Point(1, 0.1000001), 4326)}
    for name, value in sorted(changed.items()):
        rows[1][name] = value
        assert dataset.upsert(rows, 'code').updated == [made.amigo_ids[1]], name
        rows[1][name] = None
        assert dataset.upsert(rows, 'code').updated == [made.amigo_ids[1]], name
    # The embedded engine does not store the times of frames as dates.
    frame = dataset.read().to_geodataframe().drop(columns='day')
    at = frame.index[frame['code'] == u'ä2'][0]
    frame.loc[at, 'f'] += 1
    new = frame.iloc[:1].assign(code='new', amigo_id='own')
    import pandas
    result = dataset.upsert(pandas.concat([frame, new], ignore_index=True), 'amigo_id')
    assert (result.inserted, result.updated, len(result.unchanged)) == (['own'], [made.amigo_ids[2]], 5)
    assert {row['code']: row['f'] for row in dataset.read()}[u'ä2'] == pytest.approx(2 / 7 + 1)


@pytest.mark.parametrize('key, values', [
    ('n', [3, 1]), ('b', [2 ** 60, 2 ** 60 + 1]), ('code', [u"it's", u'"ä']),
    ('day', [datetime.date(2024, 2, 29), datetime.date(2020, 1, 1)]),
    ('at', ['2024-02-29T01:02:03+02:00', '2024-02-29T01:02:03Z'])])
def test_sandbox__keys_of_any_type(real_project, key, values):
    dataset = real_project.create_dataset('by ' + key, [
        {'name': key, 'type': KINDS[key]}, {'name': 'name', 'type': 'string'}])
    rows = [{key: value, 'name': 'a'} for value in values]
    first = dataset.upsert(rows, key)
    assert len(first.inserted) == 2
    rows[1]['name'] = 'b'
    result = dataset.upsert(rows, key)
    assert (result.unchanged, result.updated) == (first.amigo_ids[:1], first.amigo_ids[1:])
    assert dataset.count() == 2


def test_differences__equal_numbers_that_a_dataset_keeps_apart():
    # A number with more digits than a float has is decoded to the float of another one.
    assert differences('number', [1.0, 1, 2.0], [1, 1, 2]) == [0, 2]
    for kind in ('float', 'real'):
        assert differences(kind, [0.0, -0.0, -0.0, 0, 1.5], [-0.0, 0.0, -0.0, -0.0, 1.5]) == [0, 1, 3]
    assert differences('real', [0.0, 0.0], [1e-46, 0]) == [0]


def test_upsert__errors_count_the_rows_that_were_given(wire, service, dataset):
    service.rows = [{'amigo_id': 'a', 'n': 1}]
    with pytest.raises(AmigoCloudValueError, match='Row 1, counted from 0: it has no column besides amigo_id'):
        dataset.upsert([{'amigo_id': 'a', 'n': 1}, {'amigo_id': 'b'}], 'amigo_id')
    assert not service.changes


def test_upsert__rows_without_the_key(wire, dataset):
    with pytest.raises(AmigoCloudValueError, match="do not have the column .*, which is the key; add it. Their"):
        dataset.upsert([{'n': 1}], 'code')
    assert not wire.requests


def test_upsert__errors_before_the_first_batch_have_lists(wire, service, dataset):
    wire.answers[SQL] = Answer({'error': 'no'}, 400)
    calls = [lambda: dataset.upsert([{'code': 'x'}], 'code'), lambda: dataset.upsert([{'code': None}], 'code'),
             lambda: dataset.insert([{'amigo_id': 'a', 'n': 1}]), lambda: dataset.update([{'n': 1}]),
             lambda: dataset.delete([None]), lambda: dataset.project.create_dataset('trees', [{}])]
    for call in calls:
        with pytest.raises(AmigoCloudError) as caught:
            call()
        assert (caught.value.written, caught.value.unknown) == ([], [])
    assert not service.changes


def test_upsert__frame_with_a_row_that_is_too_large(monkeypatch, wire, dataset):
    pandas = pytest.importorskip('pandas')
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    with pytest.raises(AmigoCloudValueError, match='Row 1, counted from 0: it takes 9'):
        dataset.upsert(pandas.DataFrame({'code': ['x', 'y'], 'name': ['a', 'b' * 9000]}), 'code')
    assert not wire.requests
