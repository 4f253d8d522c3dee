# -*- coding: utf-8 -*-
import datetime
import json
import re
import sys

import pytest
from conftest import Answer

pytest.importorskip('geopandas', reason='the extra geo is not installed, or this is Python 2')
pytest.importorskip('amigocloud.sandbox.server', reason='the sandbox is not installed')
import geopandas
import numpy
import pandas
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amigocloud import AmigoCloud, AmigoCloudError, AmigoCloudJobError, changes, jobs, writing
from amigocloud.exceptions import AmigoCloudValueError
from amigocloud.sandbox import Sandbox

CREATE = '/api/v1/projects/1/datasets/create'
DATASET = '/api/v1/projects/1/datasets/9'
UTC = datetime.timezone.utc


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.001, 0.01))


@pytest.fixture
def accepting(wire):
    """A dataset with the id 9 is made, and takes rows."""
    wire.answers.update({
        CREATE: {'id': 9, 'name': 'trees', 'job': 'j'}, '/api/v1/me/jobs/j': {'status': 'SUCCESS'},
        DATASET + '/submit_change': {'job': 'j'}, DATASET: {'id': 9, 'feature_count': 1}})
    return wire


@pytest.fixture(scope='module')
def sandbox():
    with Sandbox(job_seconds=0) as running:
        yield running


@pytest.fixture(scope='module')
def there_and_back(sandbox):
    """Writes a frame and reads it again."""
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        def send(frame):
            dataset = amigocloud.write_geodataframe(sandbox.project_id, frame, 'trees')
            cursor = amigocloud.read_dataset(sandbox.project_id, dataset['id'])
            return cursor.to_geodataframe() if dataset['geometry_column'] else cursor.to_dataframe()
        yield send


def assert_same(found, frame):
    """The frames are equal: columns, types, null and empty, Z, coordinate systems; a column of nulls has none."""
    assert list(found.columns) == list(frame.columns)
    for name in frame:
        expected = frame[name]
        if expected.dtype == 'geometry':
            geometry = expected.to_numpy()
            assert shapely.to_wkb(found[name].to_numpy()).tolist() == shapely.to_wkb(geometry).tolist()
            assert found[name].crs == (None if shapely.is_missing(geometry).all() else expected.crs)
        else:
            pandas.testing.assert_series_equal(found[name], expected.reset_index(drop=True))


def points(*places, **kwargs):
    return geopandas.GeoSeries([place and shapely.Point(*place) for place in places], **dict({'crs': 4326}, **kwargs))


def shapes(*wkts, **kwargs):
    return geopandas.GeoSeries(shapely.from_wkt(wkts), **dict({'crs': 4326}, **kwargs))


def moments(*texts):
    return pandas.Series(numpy.array(texts, 'datetime64[us]')).dt.tz_localize('UTC')


def test_round_trip(there_and_back):
    frame = geopandas.GeoDataFrame({
        'small': pandas.array([1, None, -2 ** 31], 'Int32'),
        'large': pandas.array([2 ** 63 - 1, None, -2 ** 63], 'Int64'),
        'ratio': [0.1, None, -1e300], 'short': numpy.array([0.1, numpy.nan, 3e38], 'float32'),
        'yes': pandas.array([True, None, False], 'boolean'),
        'text': pandas.array([u'Ä"\'\\\n\U0001f333', None, ''], 'string'),
        'time': moments('0001-01-01', 'NaT', '9999-12-31T23:59:59.999999'),
        'day': numpy.array(['2024-02-29', 'NaT', '9999-12-31'], 'M8[s]'),
        'shape': points((1, 2, 3), None, (4, 5, 6), crs=2056)},
        geometry=shapes('POLYGON EMPTY', None, 'POLYGON ((0 0,0 3,3 3,0 0))', crs=3857))
    found = there_and_back(frame)
    assert found.pop('amigo_id').is_monotonic_increasing
    assert_same(found, frame)
    assert_geodataframe_equal(found.set_geometry('geometry'), frame)


def test_round_trip__types_with_another_name(there_and_back):
    frame = pandas.DataFrame({
        'int8': numpy.array([1, -1], 'int8'), 'uint16': numpy.array([1, 65535], 'uint16'),
        'uint32': numpy.array([1, 2 ** 32 - 1], 'uint32'), 'uint64': numpy.array([1, 2 ** 63 - 1], 'uint64'),
        'float16': numpy.array([0.5, numpy.nan], 'float16'), 'Float64': pandas.array([0.5, None], 'Float64'),
        'bool': [True, False], 'bools': pandas.Series([numpy.bool_(True), None], dtype=object),
        'ints': pandas.Series([2 ** 53 + 1, None], dtype=object),
        'floats': pandas.Series([0.5, None], dtype=object), 'nothing': pandas.Series([None, None], dtype=object),
        'category': pandas.Series([None, 'x'], dtype='category'),
        'dates': [datetime.date(2024, 2, 29), None],
        'midnights': pandas.Series(pandas.to_datetime(['2024-02-29', None])),
        'berlin': pandas.Series(pandas.to_datetime(['2024-02-29 12:00', None])).dt.tz_localize('Europe/Berlin')})
    found = there_and_back(frame)
    days = pandas.Series(numpy.array(['2024-02-29', 'NaT'], 'M8[s]'))
    assert_same(found.drop(columns='amigo_id'), pandas.DataFrame({
        'int8': frame['int8'].astype('Int32'), 'uint16': frame['uint16'].astype('Int32'),
        'uint32': frame['uint32'].astype('Int64'), 'uint64': frame['uint64'].astype('Int64'),
        'float16': frame['float16'].astype('float32'), 'Float64': numpy.array([0.5, numpy.nan]),
        'bool': frame['bool'].astype('boolean'), 'bools': pandas.array([True, None], 'boolean'),
        'ints': pandas.array([2 ** 53 + 1, None], 'Int64'), 'floats': numpy.array([0.5, numpy.nan]),
        'nothing': pandas.array([None, None], 'string'), 'category': pandas.array([None, 'x'], 'string'),
        'dates': days, 'midnights': days,
        'berlin': frame['berlin'].dt.tz_convert('UTC').dt.as_unit('us')}))


def test_round_trip__types_of_arrow(there_and_back):
    pytest.importorskip('pyarrow')
    frame = pandas.DataFrame({
        'int64': pandas.array([1, None], 'int64[pyarrow]'), 'bool': pandas.array([True, None], 'bool[pyarrow]'),
        'float': pandas.array([0.5, None], 'float[pyarrow]'), 'string': pandas.array(['a', None], 'string[pyarrow]'),
        'time': pandas.array([datetime.datetime(2024, 2, 29, 1, tzinfo=UTC), None], 'timestamp[us, tz=UTC][pyarrow]')})
    found = there_and_back(frame)
    assert_same(found.drop(columns='amigo_id'), pandas.DataFrame({
        'int64': pandas.array([1, None], 'Int64'), 'bool': pandas.array([True, None], 'boolean'),
        'float': numpy.array([0.5, numpy.nan], 'float32'), 'string': pandas.array(['a', None], 'string'),
        'time': moments('2024-02-29T01', 'NaT')}))


@pytest.mark.parametrize('wkt', [
    'POINT (1 2)', 'LINESTRING (1 2, 3 4)', 'POLYGON ((0 0, 0 3, 3 3, 0 0), (1 2, 2 2.5, 1 2.5, 1 2))',
    'MULTIPOINT (1 2, 3 4)', 'MULTILINESTRING ((1 2, 3 4), (5 6, 7 8))', 'MULTIPOLYGON (((0 0, 0 3, 3 3, 0 0)))',
    'GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (1 2, 3 4))'])
@pytest.mark.parametrize('spatial', [False, True])
def test_round_trip__kinds_of_geometry(there_and_back, wkt, spatial):
    shape = shapely.force_3d(shapely.from_wkt(wkt), 0.5) if spatial else shapely.from_wkt(wkt)
    empty = shapely.from_wkt('{} EMPTY'.format(wkt.split()[0]))
    frame = geopandas.GeoDataFrame(geometry=geopandas.GeoSeries([shape, None, empty, shapely.Point(7, 8)], crs=25832))
    assert_same(there_and_back(frame).drop(columns='amigo_id'), frame)


def test_round_trip__no_rows(there_and_back):
    frame = geopandas.GeoDataFrame({'n': pandas.array([], 'Int32')}, geometry=points())
    assert_same(there_and_back(frame).drop(columns='amigo_id'), frame)


def test_round_trip__amigo_ids_of_the_frame(there_and_back):
    frame = geopandas.GeoDataFrame(
        {'amigo_id': pandas.array(['b', None, 'a'], 'string')}, geometry=points((1, 2), (3, 4), (5, 6)))
    found = there_and_back(frame).set_index('amigo_id').geometry
    assert (found['b'], found['a']) == (shapely.Point(1, 2), shapely.Point(5, 6)) and len(found) == 3
    whole = there_and_back(frame.dropna().sort_values('amigo_id'))
    assert_same(whole, frame.dropna().sort_values('amigo_id'))


def test_round_trip__in_slices_and_batches(there_and_back, monkeypatch):
    monkeypatch.setattr(writing, 'SLICE_ROWS', 7)
    monkeypatch.setattr(changes, 'BATCH_SIZE', 6000)
    frame = geopandas.GeoDataFrame(
        {'n': pandas.array(range(50), 'Int64')}, geometry=points(*[(n, n) for n in range(50)])).loc[::-1]
    assert_same(there_and_back(frame).drop(columns='amigo_id'), frame)


TEXTS = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'))
NAMES = TEXTS.filter(lambda name: name.strip() and len(name.encode('utf-8')) <= 63 and name.lower() != 'amigo_id')
PLACES = st.tuples(*[st.floats(-1e6, 1e6)] * 2)
SHAPES = st.one_of(
    st.none(),
    st.sampled_from([shapely.Point(), shapely.Polygon(), shapely.MultiPoint(), shapely.GeometryCollection()]),
    PLACES.map(shapely.Point), st.lists(PLACES, min_size=1).map(shapely.MultiPoint),
    st.lists(PLACES, min_size=2).map(shapely.LineString),
    st.tuples(PLACES, st.floats(-1e3, 1e3)).map(lambda place: shapely.Point(place[0] + (place[1],))),
    PLACES.map(lambda place: shapely.box(place[0], place[1], 1e6 + 1, 1e6 + 2)))
VALUES = {
    'Int32': st.integers(-2 ** 31, 2 ** 31 - 1), 'Int64': st.integers(-2 ** 63, 2 ** 63 - 1), 'boolean': st.booleans(),
    'string': TEXTS, 'float64': st.floats(allow_infinity=False, allow_nan=False),
    'float32': st.floats(allow_infinity=False, allow_nan=False, width=32),
    'datetime64[us, UTC]': st.datetimes(timezones=st.just(UTC)), 'datetime64[s]': st.dates()}


def series_of(dtype, size):
    def make(values):
        if dtype in ('float32', 'float64'):
            return pandas.Series(numpy.array(values, dtype))
        if not dtype.startswith('datetime'):
            return pandas.Series(pandas.array(values, dtype))
        times = numpy.array([value and value.replace(tzinfo=None) if 'UTC' in dtype else value for value in values],
                            'datetime64[us]' if 'UTC' in dtype else 'datetime64[D]')
        return pandas.Series(times).dt.tz_localize('UTC') if 'UTC' in dtype else pandas.Series(times.astype(dtype))
    return st.lists(st.none() | VALUES[dtype], min_size=size, max_size=size).map(make)


def geometry_of(size):
    return st.builds(geopandas.GeoSeries, st.lists(SHAPES, min_size=size, max_size=size),
                     crs=st.sampled_from([4326, 3857, 25832, 2056, 4979]))


@st.composite
def frames(draw):
    size = draw(st.integers(0, 4))
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique_by=str.lower))
    columns = [draw(geometry_of(size))]
    columns += [draw(st.sampled_from(sorted(VALUES)).flatmap(lambda dtype: series_of(dtype, size)) | geometry_of(size))
                for _ in names[1:]]
    return geopandas.GeoDataFrame(dict(zip(names, columns)), geometry=names[0])


def named(*names):
    return geopandas.GeoDataFrame({name: pandas.array([1], 'Int64') for name in names}, geometry=points((1, 2)))


@given(frames())
@example(named('a"b', "it's", '`', 'a.b', '%s', '{}', ':x', 'select', u'\u00e4 \U0001f333', ' x ', '1', 'rowid', 'a\nb',
               'TRUE', 'false', 'column2'))
@example(named('a', 'a:1', 'a:2'))
@settings(max_examples=60, deadline=None)
def test_round_trip__whatever_it_is(there_and_back, frame):
    found = there_and_back(frame)
    assert found.pop('amigo_id').is_unique
    assert_same(found, frame)


def test_with_a_project_token(sandbox):
    with AmigoCloud(token=sandbox.project_token, project_url=sandbox.project_url, base_url=sandbox.url) as project:
        dataset = project.write_geodataframe(None, named('n'), 'trees')
        assert dataset['name'] == 'trees' and dataset['feature_count'] == 1
        assert [row['n'] for row in project.read_dataset(None, dataset['id'])] == [1]


def test_on_the_wire(accepting, client):
    frame = geopandas.GeoDataFrame(
        {'name': ['Oak'], 'day': [datetime.date(2024, 2, 29)]}, geometry=points((1, 2), crs=3857))
    assert client.write_geodataframe(1, frame, 'trees') == {'id': 9, 'feature_count': 1}
    create, _, change, _, _ = accepting.requests
    assert [(request.method, request.path) for request in accepting.requests] == [
        ('POST', CREATE), ('GET', '/api/v1/me/jobs/j'), ('POST', DATASET + '/submit_change'),
        ('GET', '/api/v1/me/jobs/j'), ('GET', DATASET)]
    assert sorted(create.json) == ['name', 'schema'] and create.json['name'] == 'trees'
    assert json.loads(create.json['schema']) == [
        {'name': 'name', 'type': 'string', 'nullable': True, 'visible': True},
        {'name': 'day', 'type': 'date', 'nullable': True, 'visible': True},
        {'name': 'geometry', 'type': 'geometry', 'geometry_type': 'POINT', 'nullable': True, 'visible': True}]
    row, = json.loads(change.json['change'])['data']
    assert re.match('[0-9a-f]{12}4[0-9a-f]{19}$', row['amigo_id'])
    assert row['new'] == {'name': 'Oak', 'day': '2024-02-29',
                          'geometry': '0101000020110F0000000000000000F03F0000000000000040'}


@pytest.mark.parametrize('wkts, kind', [
    (['POINT Z (1 2 3)', None], 'POINTZ'), (['POINT (1 2)', 'POINT Z (1 2 3)'], 'POINT'),
    (['POLYGON ((0 0, 0 3, 3 3, 0 0))', 'MULTIPOLYGON (((0 0, 0 3, 3 3, 0 0)))'], 'GEOMETRY'),
    (['POINT Z (1 2 3)', 'LINESTRING Z (1 2 3, 4 5 6)'], 'GEOMETRYZ'), ([None], 'GEOMETRY')])
def test_geometry_type(accepting, client, wkts, kind):
    client.write_geodataframe(1, geopandas.GeoDataFrame(geometry=shapes(*wkts)), 'trees')
    assert json.loads(accepting.requests[0].json['schema'])[0]['geometry_type'] == kind


def test_no_rows__no_change(accepting, client):
    client.write_geodataframe(1, named('n').iloc[:0], 'trees')
    assert [request.path for request in accepting.requests] == [CREATE, '/api/v1/me/jobs/j', DATASET]


def test_frame_is_not_changed(accepting, client):
    frame = geopandas.GeoDataFrame({'n': [1]}, geometry=points((1, 2), crs=3857))
    before = frame.copy()
    client.write_geodataframe(1, frame, 'trees')
    assert_geodataframe_equal(frame, before)
    assert shapely.get_srid(frame.geometry[0]) == 0


def test_progress(accepting, client, monkeypatch):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 1200)
    told = []
    client.write_geodataframe(1, pandas.DataFrame({'n': range(4)}), 'trees', lambda *args: told.append(args))
    assert told == [(2, 4), (4, 4)]


def column(values, dtype=None):
    return pandas.DataFrame({'n': pandas.Series(values, dtype=dtype)})


ODD_CRS = '+proj=aea +lat_1=29 +lat_2=45 +lon_0=7.25'


@pytest.mark.parametrize('frame, message', [
    (column([{'a': 1}]), "'n': .*object .mixed"), (column([[1]]), "'n': .*no type"), (column([b'x']), 'bytes'),
    (column([datetime.timedelta(1)]), 'timedelta'), (column([1, 2], 'category'), 'category .integer'),
    (column([1, 'a']), 'mixed-integer'), (column([True, 1], object), 'mixed-integer'), (column([1j]), 'complex'),
    (column([datetime.time(1)]), 'time'), (column([0], 'longdouble'), 'no type'),
    (column(pandas.period_range('2024', periods=1)), 'period'),
    (column([datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 5)], object), 'no type'),
    (column([1.5, float('inf')]), 'Row 1, counted from 0: n: inf is no number'),
    (column([2 ** 63], 'uint64'), '64 bits'), (column([2 ** 70], object), '64 bits'),
    (column(['a\0']), 'null character'),
    (column([u'a', u'\ud800'], object), 'Row 1, counted from 0: n: .*no text'),
    (column(pandas.to_datetime(['2024-01-01 05:00'])), "'n': .*time zone.*tz_localize"),
    (column(pandas.to_datetime(['2024-01-01T00:00:00.000000001Z'])), "nanoseconds.*floor"),
    (column(pandas.Series(numpy.array(['20000-01-01'], 'M8[s]')).dt.tz_localize('UTC')), 'years'),
    (column(numpy.array(['-0001-01-01'], 'M8[s]')), 'years'),
    (pandas.DataFrame([[1, 2]], columns=['n', 'n']), "'n': .*already"),
    (pandas.DataFrame([[1, 2]], columns=['n', 'N']), "'N': .*already"),
    (pandas.DataFrame({'n': [1], 'Amigo_Id': 'x'}), 'already.*amigo_id'), (pandas.DataFrame({1: [2]}), 'Column 1: '),
    (pandas.DataFrame({' ': [2]}), 'named by'), (pandas.DataFrame({'n\0': [2]}), 'null character'),
    (pandas.DataFrame({('a', 'b'): [2]}), 'named by'), (pandas.DataFrame({u'\u00e4' * 32: [2]}), '63 bytes'),
    (pandas.DataFrame(), 'no column'), (pandas.DataFrame({'amigo_id': ['a']}), 'no column'),
    (pandas.DataFrame({'amigo_id': ['a', 'a'], 'n': 1}), 'amigo_id'),
    (pandas.DataFrame({'amigo_id': [1], 'n': 1}), 'amigo_id'),
    (pandas.DataFrame({'amigo_id': [''], 'n': 1}), 'amigo_id'),
    (geopandas.GeoDataFrame(geometry=points((1, 2), crs=None)), "'geometry': .*no coordinate system; set_crs"),
    (geopandas.GeoDataFrame(geometry=points((1, 2), crs=ODD_CRS)), 'no code of EPSG'),
    (geopandas.GeoDataFrame(geometry=points((1, 2), crs='ESRI:102003')), 'USA_Contiguous.* no code of EPSG'),
    (geopandas.GeoDataFrame(geometry=[shapely.LinearRing([(0, 0), (1, 1), (1, 0)])], crs=4326), 'linear rings'),
    (pandas.DataFrame({'n': [shapely.Point(1, 2)]}), 'no type'),
    ([{'n': 1}], 'GeoDataFrame or a DataFrame, not a list')])
def test_frames__that_cannot_be_kept(wire, client, frame, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        client.write_geodataframe(1, frame, 'trees')
    assert not wire.requests


@pytest.mark.parametrize('arguments, message', [
    ((None, named('n'), 'trees'), 'project_id'), ((1, named('n'), ''), 'name'), ((1, named('n'), None), 'name'),
    ((1, named('n'), 'a\0'), 'null character'), ((1, named('n'), 'trees', 5), 'progress')])
def test_bad_arguments(wire, client, arguments, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        client.write_geodataframe(*arguments)
    assert not wire.requests


def test_without_pandas(wire, client, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pandas', None)
    with pytest.raises(AmigoCloudError, match=r'pip install "amigocloud\[geo\]"'):
        client.write_geodataframe(1, None, 'trees')
    assert not wire.requests


def test_too_large_a_row(wire, client, monkeypatch):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 3000)
    frame = pandas.DataFrame({'n': ['x', 'x' * 2000]})
    with pytest.raises(AmigoCloudValueError, match='Row 1, counted from 0: It takes 2'):
        client.write_geodataframe(1, frame, 'trees')
    assert not wire.requests


def test_fails__creation_is_refused(accepting, client):
    accepting.answers[CREATE] = Answer({'detail': 'no'}, 403)
    with pytest.raises(AmigoCloudError, match='^403 Client Error'):
        client.write_geodataframe(1, named('n'), 'trees')
    accepting.answers[CREATE] = lambda request: None
    with pytest.raises(AmigoCloudError):
        client.write_geodataframe(1, named('n'), 'trees')
    accepting.answers[CREATE] = {'name': 'trees'}
    with pytest.raises(AmigoCloudError, match='names no id'):
        client.write_geodataframe(1, named('n'), 'trees')
    assert [request.path for request in accepting.requests] == [CREATE] * 3


def test_fails__creation_job(accepting, client):
    accepting.answers['/api/v1/me/jobs/j'] = {'status': 'FAILURE', 'extra': {'error': ['no']}}
    with pytest.raises(AmigoCloudJobError, match='^Dataset 9 was begun, and is not whole: Job j ended with'):
        client.write_geodataframe(1, named('n'), 'trees')
    assert len(accepting.requests) == 2


def test_fails__second_batch(accepting, client, monkeypatch):
    monkeypatch.setattr(changes, 'BATCH_SIZE', 1200)
    accepting.answers[DATASET + '/submit_change'] = [{'job': 'j'}, Answer({'error': ['full']}, 400)]
    with pytest.raises(AmigoCloudError, match='^Dataset 9 was begun, .*: 2 rows were written, but then: 400'):
        client.write_geodataframe(1, pandas.DataFrame({'n': range(4)}), 'trees')
