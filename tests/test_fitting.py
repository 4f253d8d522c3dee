"""Tables that are written into a dataset with their name: ``if_exists`` of ``create_dataset``."""
import datetime

import pytest
from conftest import Answer
from table_service import CHANGE, DATASET, PROJECT, SQL, TableService

pytest.importorskip('geopandas', reason='the extra geo is not installed, or this is Python 2')
import geopandas
import pandas
import shapely

from amigocloud import AmigoCloud, AmigoCloudError, jobs
from amigocloud.exceptions import AmigoCloudValueError
from amigocloud.rows import batches

CREATE = PROJECT + '/datasets/create'
UTC = datetime.timezone.utc


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.001, 0.01))


@pytest.fixture
def service(wire):
    service = TableService(wire, {'code': 'string', 'n': 'integer'})
    service.rows = [{'amigo_id': 'old', 'code': 'x', 'n': 1}]
    return service


@pytest.fixture
def project(client, service):
    return client.project(1)


def frame(count=2, **columns):
    return pandas.DataFrame(dict({'code': ['c{}'.format(n) for n in range(count)], 'n': range(count)}, **columns))


def content(service):
    return [(row['code'], row['n']) for row in service.rows]


def test_fail__names_the_dataset(wire, service, project):
    for arguments in ({}, {'if_exists': 'fail'}):
        with pytest.raises(AmigoCloudValueError, match="a dataset with the name 'trees' already, with the id 2; .*"
                                                       "if_exists='replace' or 'append'"):
            project.create_dataset('trees', frame(), **arguments)
    assert [request.method for request in wire.requests] == ['GET', 'GET']
    assert wire.requests[0].params == {'search': 'trees', 'token': 'secret'}


def test_fail__a_name_that_only_contains_it(wire, service, project):
    wire.answers[PROJECT + '/datasets'] = {'results': [{'id': 2, 'name': 'trees 2'}, {'id': 3}], 'next': None}
    wire.answers[CREATE] = {'id': 9}
    wire.answers[PROJECT + '/datasets/9/submit_change'] = {'job': 'j'}
    for if_exists in ('fail', 'replace', 'append'):
        dataset = project.create_dataset('trees', frame(), if_exists=if_exists)
        assert dataset.id == 9 and dataset.written.inserted == dataset.written.amigo_ids
        assert len(dataset.written.inserted) == 2
    assert not service.changes and project.dataset(9).written is None


@pytest.mark.parametrize('if_exists', ['fail', 'replace', 'append'])
def test_several_datasets_have_the_name(wire, service, project, if_exists):
    wire.answers[PROJECT + '/datasets'] = {'results': [{'id': 2, 'name': 'trees'}, {'id': 3, 'name': 'trees'}],
                                           'next': None}
    with pytest.raises(AmigoCloudValueError, match='the id 2, 3; .* or delete or rename some'):
        project.create_dataset('trees', frame(), if_exists=if_exists)
    assert not service.changes


def test_replace(wire, service, project):
    done = []
    dataset = project.create_dataset('trees', frame(), progress=lambda *counts: done.append(counts),
                                     if_exists='replace')
    assert (dataset.id, dataset.written.inserted) == (2, [row['amigo_id'] for row in service.rows])
    assert content(service) == [('c0', 0), ('c1', 1)] and done[-1] == (2, 2)
    assert [action for action, _ in service.changes] == ['TRUNCATE', 'INSERT']
    assert CREATE not in [request.path for request in wire.requests]


def test_append(service, project):
    dataset = project.create_dataset('trees', frame(amigo_id=['a', None]), if_exists='append')
    assert dataset.written.amigo_ids[0] == 'a' and dataset.written.inserted == dataset.written.amigo_ids
    assert content(service) == [('x', 1), ('c0', 0), ('c1', 1)]
    again = project.create_dataset('trees', frame(amigo_id=['a', 'b']), if_exists='append')
    assert (again.written.amigo_ids, again.written.unchanged, again.written.inserted) == (['a', 'b'], ['a'], ['b'])
    assert [row['amigo_id'] for row in service.rows][-1] == 'b'


@pytest.mark.parametrize('fault', ['before', 'after', 500, 400])
@pytest.mark.parametrize('if_exists, number', [('replace', 0), ('replace', 1), ('replace', 2), ('append', 1)])
def test_repeated_after_a_fault(monkeypatch, service, project, if_exists, number, fault):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 1150)
    table = frame(6, amigo_id=['own{}'.format(n) for n in range(6)])
    service.faults[number] = fault
    with pytest.raises(AmigoCloudError) as caught:
        project.create_dataset('trees', table, if_exists=if_exists)
    if if_exists == 'replace' and number:
        assert "The rows of /projects/1/datasets/2 were deleted, and not all new ones" in str(caught.value)
        assert "read(state='s1') returns the old ones" in str(caught.value)
    sent = [entry['amigo_id'] for action, data in service.changes if action == 'INSERT' for entry in data]
    if number:
        last = [entry['amigo_id'] for entry in service.changes[-1][1]]
        assert caught.value.written == sent[:-len(last)]
        assert caught.value.unknown == ([] if fault == 400 else last)
    dataset = project.create_dataset('trees', table, if_exists=if_exists)
    expected = [('c{}'.format(n), n) for n in range(6)]
    assert content(service) == ([('x', 1)] if if_exists == 'append' else []) + expected
    assert dataset.written.amigo_ids == list(table['amigo_id'])


def test_create__incomplete(monkeypatch, wire, service, project):
    wire.answers[PROJECT + '/datasets'] = {'results': [], 'next': None}
    wire.answers[CREATE] = {'id': 2, 'job': 'j'}
    service.faults[0] = 'after'
    with pytest.raises(AmigoCloudError, match="^Dataset 2 was created but is incomplete: .*unknown whether these 2 rows"
                                              ".*Repeat the call with if_exists='replace'"):
        project.create_dataset('trees', frame())


def test_columns__missing(service, project):
    table = frame(age=7, day=datetime.date(2024, 2, 29))
    for if_exists in ('replace', 'append'):
        with pytest.raises(AmigoCloudValueError, match='datasets/2 does not have the columns age, day. .*add_columns'
                                                       '=True. Its columns are amigo_id, code, n'):
            project.create_dataset('trees', table, if_exists=if_exists)
    assert not service.changes and len(service.rows) == 1
    project.create_dataset('trees', table, if_exists='append', add_columns=True)
    assert [(action, [entry['new'] for entry in data]) for action, data in service.changes[:2]] == [
        ('ADD COLUMN', [{'name': 'age', 'type': 'bigint', 'nullable': True, 'default': None}]),
        ('ADD COLUMN', [{'name': 'day', 'type': 'date', 'nullable': True, 'default': None}])]
    assert service.rows[-1]['age'] == 7 and service.rows[-1]['day'] == '2024-02-29'


def test_columns__that_differ_in_case(service, project):
    with pytest.raises(AmigoCloudValueError, match="'N' differs only in case from 'n'"):
        project.create_dataset('trees', frame().rename(columns={'n': 'N'}), if_exists='append', add_columns=True)
    assert not service.changes


POINTS = geopandas.points_from_xy([1, 2], [3, 4])


def times(*texts):
    return pandas.to_datetime(list(texts), utc=True)


@pytest.mark.parametrize('kind, values', [
    ('integer', [1, 2]), ('integer', pandas.array([1, None], 'Int64')), ('bigint', [1, 2 ** 60]),
    ('bigint', pandas.array([1, 2], 'Int16')), ('float', [1, 2]), ('float', [2 ** 53, 0.5]), ('float', [0.5, 1.5]),
    ('float', pandas.array([0.5, 1.5], 'Float32')), ('real', pandas.array([0.5, 1.5], 'Float32')),
    ('real', [1, 2 ** 24]), ('number', [1, 2]), ('number', [0.5, 2]), ('boolean', [True, None]),
    ('string', ['a', None]), ('time', ['01:02:03', None]), ('date', [datetime.date(2024, 2, 29)] * 2),
    ('datetime', times('2024-02-29', '2025-01-01')), ('integer', [None, None]), ('datetime', [None, None])])
def test_types__that_fit(service, project, kind, values):
    service.columns['n'] = kind
    project.create_dataset('trees', frame(n=values), if_exists='append')
    assert len(service.rows) == 3


@pytest.mark.parametrize('kind, values', [
    ('integer', [1, 2 ** 31]), ('integer', [0.5, 1]), ('integer', [1.0, 2.0]), ('integer', ['1', '2']),
    ('integer', [True, False]), ('bigint', [1.0, 2.0]), ('float', [1, 2 ** 53 + 1]), ('float', ['1', '2']),
    ('real', [0.5, 1.5]), ('real', [1, 2 ** 24 + 1]), ('boolean', [0, 1]), ('string', [1, 2]),
    ('date', ['2024-02-29', '']),
    ('date', times('2024-02-29', '2025-01-01')), ('datetime', [datetime.date(2024, 2, 29)] * 2),
    ('geometry', ['a', 'b']), (None, [1, 2])])
@pytest.mark.parametrize('if_exists', ['replace', 'append'])
def test_types__that_do_not_fit(service, project, kind, values, if_exists):
    service.columns['n'] = kind
    with pytest.raises(AmigoCloudValueError, match="Column 'n': its type is .*, but the dataset has {}; convert".format(
            kind)):
        project.create_dataset('trees', frame(n=values), if_exists=if_exists)
    assert not service.changes


@pytest.mark.parametrize('wanted, fits', [
    ('POINT', True), ('point', True), (None, True), ('GEOMETRY', True), ('POLYGON', False), ('MULTIPOINT', False),
    ('POINT Z', False), ('GEOMETRYZ', False)])
def test_types__of_geometry(wire, service, project, wanted, fits):
    table = geopandas.GeoDataFrame({'code': ['a', 'b']}, geometry=POINTS, crs=4326)
    wire.answers[DATASET + '/schema'] = {'schema': [
        {'name': 'code', 'type': 'string'}, {'name': 'geometry', 'type': 'geometry', 'geometry_type': wanted}]}
    if fits:
        project.create_dataset('trees', table, if_exists='append')
        return
    with pytest.raises(AmigoCloudValueError, match='its type is POINT, but the dataset has'):
        project.create_dataset('trees', table, if_exists='append')
    assert not service.changes


def test_types__of_geometry_with_z(wire, service, project):
    wire.answers[DATASET + '/schema'] = {'schema': [
        {'name': 'geometry', 'type': 'geometry', 'geometry_type': 'GEOMETRYZ'}]}
    table = geopandas.GeoDataFrame(geometry=shapely.force_3d(POINTS), crs=4326)
    assert project.create_dataset('trees', table, if_exists='append').written.inserted


@pytest.mark.parametrize('table, default, message', [
    (pandas.DataFrame({'n': [1]}), None, "does not have the column 'code', which must have a value"),
    (pandas.DataFrame({'code': ['a', None], 'n': 1}), 'd', "Row 1, counted from 0: column 'code': it must have")])
def test_columns__that_must_have_values(wire, service, project, table, default, message):
    wire.answers[DATASET + '/schema'] = {'schema': [
        {'name': 'code', 'type': 'string', 'nullable': False, 'default': default}, {'name': 'n', 'type': 'bigint'},
        {'name': 'amigo_id', 'type': 'string', 'nullable': False, 'default': 'GENERATE_UUID'}]}
    with pytest.raises(AmigoCloudValueError, match=message):
        project.create_dataset('trees', table, if_exists='replace')
    assert not service.changes
    project.create_dataset('trees', table.assign(code='a'), if_exists='replace')
    project.create_dataset('trees', table.iloc[:0], if_exists='replace')


def test_schema__of_an_existing_dataset(service, project):
    dataset = project.create_dataset('trees', [{'name': 'n', 'type': 'integer'}], if_exists='replace')
    assert (dataset.id, dataset.written.amigo_ids, service.rows) == (2, [], [])
    with pytest.raises(AmigoCloudValueError, match="Column 'n': its type is string, but the dataset has integer"):
        project.create_dataset('trees', [{'name': 'n', 'type': 'string'}], if_exists='replace')


@pytest.mark.parametrize('if_exists', ['', 'update', None, True, ['replace']])
def test_bad_if_exists(wire, service, project, if_exists):
    with pytest.raises(AmigoCloudValueError, match='if_exists must be one of fail, replace, append'):
        project.create_dataset('trees', frame(), if_exists=if_exists)
    assert not wire.requests


def test_bad_rows__nothing_is_sent(wire, service, project):
    with pytest.raises(AmigoCloudValueError, match="Row 1, .*'code': .*null character"):
        project.create_dataset('trees', frame(code=['a', 'a\0']), if_exists='replace')
    assert not wire.requests


def test_append__odd_answer(wire, service, project):
    wire.answers[SQL] = {'columns': [], 'data': [{'id': 1}], 'next': None}
    with pytest.raises(AmigoCloudError, match="has no 'amigo_id'"):
        project.create_dataset('trees', frame(amigo_id=['a', 'b']), if_exists='append')
    wire.answers[CHANGE] = Answer({}, 400)
    assert not service.changes


def test_sandbox__replace_keeps_the_dataset(running_sandbox):
    sandbox = running_sandbox[0]
    table = geopandas.GeoDataFrame({'name': ['a', 'b'], 'height': [1.5, None]}, geometry=POINTS, crs=4326)
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        project = amigocloud.project(sandbox.project_id)
        first = project.create_dataset('kept', table)
        gallery = first.create_gallery('photos')
        before = first.states()[-1]
        moved = table.to_crs(3857).assign(name=['c', 'd'])
        second = project.create_dataset('kept', moved, if_exists='replace')
        assert second.id == first.id and [each['id'] for each in second.related_tables()] == [gallery.id]
        read = second.read().to_geodataframe()
        assert sorted(read['name']) == ['c', 'd'] and list(read['amigo_id']) == second.written.inserted
        assert shapely.equals_exact(read.geometry.values, table.geometry.values, 1e-9).all()
        assert sorted(row['name'] for row in second.read(state=before)) == ['a', 'b']
        third = project.create_dataset('kept', read.assign(age=7), if_exists='append', add_columns=True)
        assert third.written.unchanged == second.written.inserted and third.count() == 2
        assert [column['name'] for column in third.schema()].count('age') == 1


def test_append__whole_numbers_up_to_the_limits_of_a_narrower_type(service, project):
    project.create_dataset('trees', pandas.DataFrame({'n': [-2 ** 31, 2 ** 31 - 1]}), if_exists='append')
    assert [row['n'] for row in service.rows][1:] == [-2 ** 31, 2 ** 31 - 1]
    with pytest.raises(AmigoCloudValueError, match="Column 'n': its type is bigint, but the dataset has integer"):
        project.create_dataset('trees', pandas.DataFrame({'n': [-2 ** 31 - 1]}), if_exists='append')


def test_append__empty_geometry_keeps_the_dimensions_of_the_table(service, project):
    service.columns['place'] = 'geometry'
    service.rows = [{'amigo_id': 'a'}]
    table = geopandas.GeoDataFrame({'amigo_id': ['a', 'b']}, crs=4326, geometry=geopandas.GeoSeries(
        [shapely.Point(1, 2, 3), shapely.Point()]).values).rename_geometry('place')
    project.create_dataset('trees', table, if_exists='append')
    assert service.rows[1]['place'].startswith('01010000A0')
