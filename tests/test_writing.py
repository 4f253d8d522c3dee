# -*- coding: utf-8 -*-
import datetime
import json
import re
import sys
import uuid
from decimal import Decimal

import pytest
from conftest import Answer

pytest.importorskip('geopandas', reason='the extra geo is not installed, or this is Python 2')
pytest.importorskip('amigocloud_sandbox.server', reason='the sandbox is not installed')
import geopandas
import numpy
import pandas
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from amigocloud import AmigoCloud, AmigoCloudError, AmigoCloudJobError, jobs
from amigocloud.exceptions import AmigoCloudValueError
from amigocloud.rows import batches, columns

NEEDS_M = pytest.mark.skipif(shapely.geos_version < (3, 12, 0),
                             reason='GEOS before 3.12 reads M as Z')

CREATE = '/api/v1/projects/1/datasets/create'
DATASETS = '/api/v1/projects/1/datasets'
DATASET = DATASETS + '/9'
SQL = '/api/v1/projects/1/sql'
UTC = datetime.timezone.utc
ODD_CRS = '+proj=aea +lat_1=29 +lat_2=45 +lon_0=7.25'


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(jobs, 'PAUSE_SECONDS', (0.001, 0.01))


@pytest.fixture
def accepting(wire):
    """A dataset with the id 9 is made, and takes rows."""
    wire.answers.update({
        DATASETS: {'results': [], 'next': None}, SQL: {'columns': [], 'data': [], 'next': None},
        CREATE: {'id': 9, 'name': 'trees', 'job': 'j'}, '/api/v1/me/jobs/j': {'status': 'SUCCESS'},
        DATASET + '/submit_change': {'job': 'j'}, DATASET: {'id': 9, 'feature_count': 1}})
    return wire


@pytest.fixture(scope='module')
def there_and_back(running_sandbox):
    """Writes a frame and reads it again."""
    sandbox = running_sandbox[0]
    with AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        def send(frame):
            dataset = amigocloud.project(sandbox.project_id).create_dataset(uuid.uuid4().hex, frame)
            has_geometry = amigocloud.get(dataset.url)['geometry_column']
            cursor = dataset.read()
            return cursor.to_geodataframe() if has_geometry else cursor.to_dataframe()
        yield send


def wkbs(shapes):
    """The bytes of geometry; what is empty takes on the dimensions of the rest of its column."""
    return [shape if shape is None else shape.geom_type if shape.is_empty else shapely.to_wkb(shape)
            for shape in shapes]


def assert_same(found, frame):
    """Check that the frames are equal in WGS 84: columns, types, null and empty, Z.

    A column of nulls has no coordinate system.
    """
    assert list(found.columns) == list(frame.columns)
    for name in frame:
        expected = frame[name]
        if expected.dtype == 'geometry':
            expected = expected.to_crs(4326)
            geometry = expected.to_numpy()
            assert wkbs(found[name].to_numpy()) == wkbs(geometry)
            assert found[name].crs == (None if shapely.is_missing(geometry).all() else expected.crs)
        else:
            pandas.testing.assert_series_equal(found[name], expected.reset_index(drop=True))


def points(*places, **kwargs):
    return geopandas.GeoSeries([place and shapely.Point(*place) for place in places],
                               **dict({'crs': 4326}, **kwargs))


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
    columns = ['small', 'geometry']
    assert_geodataframe_equal(found.set_geometry('geometry')[columns], frame[columns].to_crs(4326))


def test_round_trip__types_with_another_name(there_and_back):
    frame = pandas.DataFrame({
        'int8': numpy.array([1, -1], 'int8'), 'uint16': numpy.array([1, 65535], 'uint16'),
        'uint32': numpy.array([1, 2 ** 32 - 1], 'uint32'),
        'uint64': numpy.array([1, 2 ** 63 - 1], 'uint64'),
        'float16': numpy.array([0.5, numpy.nan], 'float16'),
        'Float64': pandas.array([0.5, None], 'Float64'),
        'bool': [True, False], 'bools': pandas.Series([numpy.bool_(True), None], dtype=object),
        'ints': pandas.Series([2 ** 53 + 1, None], dtype=object),
        'floats': pandas.Series([0.5, None], dtype=object),
        'nothing': pandas.Series([None, None], dtype=object),
        'category': pandas.Series([None, 'x'], dtype='category'),
        'dates': [datetime.date(2024, 2, 29), None],
        'midnights': pandas.Series(pandas.to_datetime(['2024-02-29', None])),
        'berlin': pandas.to_datetime(['2024-02-29 12:00', None]).tz_localize('Europe/Berlin')})
    found = there_and_back(frame)
    days = pandas.Series(numpy.array(['2024-02-29', 'NaT'], 'M8[s]'))
    assert_same(found.drop(columns='amigo_id'), pandas.DataFrame({
        'int8': frame['int8'].astype('Int32'), 'uint16': frame['uint16'].astype('Int32'),
        'uint32': frame['uint32'].astype('Int64'), 'uint64': frame['uint64'].astype('Int64'),
        'float16': frame['float16'].astype('float32'), 'Float64': numpy.array([0.5, numpy.nan]),
        'bool': frame['bool'].astype('boolean'), 'bools': pandas.array([True, None], 'boolean'),
        'ints': pandas.array([2 ** 53 + 1, None], 'Int64'), 'floats': numpy.array([0.5, numpy.nan]),
        'nothing': pandas.array([None, None], 'string'),
        'category': pandas.array([None, 'x'], 'string'),
        'dates': days, 'midnights': days,
        'berlin': frame['berlin'].dt.tz_convert('UTC').dt.as_unit('us')}))


def test_round_trip__types_of_arrow(there_and_back):
    pytest.importorskip('pyarrow')
    frame = pandas.DataFrame({
        'int64': pandas.array([1, None], 'int64[pyarrow]'),
        'bool': pandas.array([True, None], 'bool[pyarrow]'),
        'float': pandas.array([0.5, None], 'float[pyarrow]'),
        'string': pandas.array(['a', None], 'string[pyarrow]'),
        'time': pandas.array([datetime.datetime(2024, 2, 29, 1, tzinfo=UTC), None],
                             'timestamp[us, tz=UTC][pyarrow]')})
    found = there_and_back(frame)
    assert_same(found.drop(columns='amigo_id'), pandas.DataFrame({
        'int64': pandas.array([1, None], 'Int64'), 'bool': pandas.array([True, None], 'boolean'),
        'float': numpy.array([0.5, numpy.nan], 'float32'),
        'string': pandas.array(['a', None], 'string'),
        'time': moments('2024-02-29T01', 'NaT')}))


@pytest.mark.parametrize('wkt', [
    'POINT (1 2)', 'LINESTRING (1 2, 3 4)',
    'POLYGON ((0 0, 0 3, 3 3, 0 0), (1 2, 2 2.5, 1 2.5, 1 2))',
    'MULTIPOINT (1 2, 3 4)', 'MULTILINESTRING ((1 2, 3 4), (5 6, 7 8))',
    'MULTIPOLYGON (((0 0, 0 3, 3 3, 0 0)))',
    'GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (1 2, 3 4))'])
@pytest.mark.parametrize('spatial', [False, True])
def test_round_trip__kinds_of_geometry(there_and_back, wkt, spatial):
    shape = shapely.force_3d(shapely.from_wkt(wkt), 0.5) if spatial else shapely.from_wkt(wkt)
    empty = shapely.from_wkt('{} EMPTY'.format(wkt.split()[0]))
    other = shapely.Point(7, 8, 9) if spatial else shapely.Point(7, 8)
    frame = geopandas.GeoDataFrame(geometry=[shape, None, empty, other], crs=25832)
    assert_same(there_and_back(frame).drop(columns='amigo_id'), frame)


def test_round_trip__no_rows(there_and_back):
    frame = geopandas.GeoDataFrame({'n': pandas.array([], 'Int32')}, geometry=points())
    assert_same(there_and_back(frame).drop(columns='amigo_id'), frame)


@pytest.mark.parametrize('count', [0, 2])
def test_round_trip__what_was_read_without_a_geometry(there_and_back, count):
    read = there_and_back(geopandas.GeoDataFrame(geometry=points(*[None] * count))).drop(columns='amigo_id')
    assert read.crs is None
    assert len(there_and_back(read)) == count


def test_round_trip__amigo_ids_of_the_frame(there_and_back):
    frame = geopandas.GeoDataFrame(
        {'amigo_id': pandas.array(['b', None, 'a'], 'string')},
        geometry=points((1, 2), (3, 4), (5, 6)))
    found = there_and_back(frame).set_index('amigo_id').geometry
    assert len(found) == 3
    assert (found['b'], found['a']) == (shapely.Point(1, 2), shapely.Point(5, 6))
    whole = there_and_back(frame.dropna().sort_values('amigo_id'))
    assert_same(whole[list(frame)], frame.dropna().sort_values('amigo_id'))


def test_round_trip__in_slices_and_batches(there_and_back, monkeypatch):
    monkeypatch.setattr(columns, 'SLICE_ROWS', 7)
    monkeypatch.setattr(batches, 'BATCH_SIZE', 6000)
    frame = geopandas.GeoDataFrame(
        {'n': pandas.array(range(50), 'Int64')},
        geometry=points(*[(n, n) for n in range(50)])).loc[::-1]
    assert_same(there_and_back(frame).drop(columns='amigo_id'), frame)


@pytest.mark.parametrize('text', ['x', '"', '\\', u'\U0001f333'])
def test_batches__as_of_single_rows(accepting, client, monkeypatch, text):
    monkeypatch.setattr(columns, 'SLICE_ROWS', 33)
    monkeypatch.setattr(batches, 'BATCH_SIZE', 4000)
    frame = pandas.DataFrame({'n': [text * (number % 40) for number in range(100)], '%s': 1,
                              'amigo_id': ['a{}'.format(number) for number in range(100)]})
    bodies = []
    for rows in (frame, frame.to_dict('records')):
        del accepting.requests[:]
        assert client.project(1).dataset(9).insert(rows).amigo_ids == list(frame['amigo_id'])
        bodies.append([request.body for request in accepting.requests if request.body])
    assert bodies[0] == bodies[1] and len(bodies[0]) >= 3


def test_large_geometry__is_encoded_few_rows_at_a_time():
    large = shapely.Point(0, 0).buffer(1, quad_segs=2000)
    series = geopandas.GeoSeries([large] * 50 + [None, shapely.Point(0, 0)] * 50, crs=4326)
    column = columns.GeometryColumn('geometry', series, 4326)
    slices = [(start, end) for start, end, _ in columns.row_texts([column], ['a'] * len(series))]
    starts, ends = zip(*slices)
    assert (0,) + ends[:-1] == starts and ends[-1] == len(series)
    assert max(end - start for start, end in slices if end <= 50) < 20
    assert max(end - start for start, end in slices) > 20


TEXTS = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'))
NAMES = TEXTS.filter(lambda name: (name.strip() and len(name.encode('utf-8')) <= 63
                                   and name.lower() != 'amigo_id'))
PLACES = st.tuples(*[st.floats(-1e6, 1e6)] * 2)
SHAPES = st.one_of(
    st.none(),
    st.sampled_from([shapely.Point(), shapely.Polygon(), shapely.MultiPoint(),
                     shapely.GeometryCollection()]),
    PLACES.map(shapely.Point), st.lists(PLACES, min_size=1).map(shapely.MultiPoint),
    st.lists(PLACES, min_size=2).map(shapely.LineString),
    PLACES.map(lambda place: shapely.box(place[0], place[1], 1e6 + 1, 1e6 + 2)))
VALUES = {
    'Int32': st.integers(-2 ** 31, 2 ** 31 - 1), 'Int64': st.integers(-2 ** 63, 2 ** 63 - 1),
    'boolean': st.booleans(),
    'string': TEXTS, 'float64': st.floats(allow_infinity=False, allow_nan=False),
    'float32': st.floats(allow_infinity=False, allow_nan=False, width=32),
    'datetime64[us, UTC]': st.datetimes(timezones=st.just(UTC)), 'datetime64[s]': st.dates()}


def series_of(dtype, size):
    def make(values):
        if dtype in ('float32', 'float64'):
            return pandas.Series(numpy.array(values, dtype))
        if not dtype.startswith('datetime'):
            return pandas.Series(pandas.array(values, dtype))
        if 'UTC' not in dtype:
            return pandas.Series(numpy.array(values, 'datetime64[D]').astype(dtype))
        times = [value and value.replace(tzinfo=None) for value in values]
        return pandas.Series(numpy.array(times, 'datetime64[us]')).dt.tz_localize('UTC')
    return st.lists(st.none() | VALUES[dtype], min_size=size, max_size=size).map(make)


def geometry_of(size):
    flat = st.lists(SHAPES, min_size=size, max_size=size)
    spatial = flat.map(lambda shapes: [shapely.force_3d(shape, 2.5) for shape in shapes])
    return st.builds(geopandas.GeoSeries, flat | spatial,
                     crs=st.sampled_from([4326, 3857, 25832, 2056, 4979]))


@st.composite
def frames(draw):
    size = draw(st.integers(0, 4))
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique_by=str.lower))
    columns = [draw(geometry_of(size))]
    values = st.sampled_from(sorted(VALUES)).flatmap(lambda dtype: series_of(dtype, size))
    columns += [draw(values | geometry_of(size)) for _ in names[1:]]
    return geopandas.GeoDataFrame(dict(zip(names, columns)), geometry=names[0])


def named(*names):
    return geopandas.GeoDataFrame({name: pandas.array([1], 'Int64') for name in names},
                                  geometry=points((1, 2)))


@pytest.mark.slow
@pytest.mark.slow
@given(frames())
@example(named('a"b', "it's", '`', 'a.b', '%s', '{}', ':x', 'select', u'\u00e4 \U0001f333', ' x ',
               '1', 'rowid', 'a\nb',
               'TRUE', 'false', 'column2'))
@example(named('a', 'a:1', 'a:2'))
@settings(max_examples=60)
def test_round_trip__whatever_it_is(there_and_back, frame):
    for name in frame.columns[frame.dtypes == 'geometry']:
        # Anything may lie outside of a coordinate system.
        assume(numpy.isfinite(shapely.get_coordinates(frame[name].to_crs(4326).to_numpy())).all())
    found = there_and_back(frame)
    assert found.pop('amigo_id').is_unique
    assert_same(found, frame)


def test_with_a_project_token(sandbox):
    with AmigoCloud(token=sandbox.project_token, project_url=sandbox.project_url,
                    base_url=sandbox.url) as project:
        dataset = project.project().create_dataset('of a token', named('n'))
        description = project.get(dataset.url)
        assert description['name'] == 'of a token' and description['feature_count'] == 1
        assert [row['n'] for row in dataset.read()] == [1]


def test_on_the_wire(accepting, client):
    frame = geopandas.GeoDataFrame(
        {'name': ['Oak'], 'day': [datetime.date(2024, 2, 29)]}, geometry=points((1, 2)))
    assert client.project(1).create_dataset('trees', frame).url == '/projects/1/datasets/9'
    _, create, _, change, _ = accepting.requests
    assert [(request.method, request.path) for request in accepting.requests] == [
        ('GET', DATASETS), ('POST', CREATE), ('GET', '/api/v1/me/jobs/j'), ('POST', DATASET + '/submit_change'),
        ('GET', '/api/v1/me/jobs/j')]
    assert sorted(create.json) == ['name', 'schema'] and create.json['name'] == 'trees'
    assert json.loads(create.json['schema']) == [
        {'name': 'name', 'type': 'string', 'nullable': True, 'visible': True},
        {'name': 'day', 'type': 'date', 'nullable': True, 'visible': True},
        {'name': 'geometry', 'type': 'geometry', 'geometry_type': 'POINT', 'nullable': True,
         'visible': True}]
    row, = json.loads(change.json['change'])['data']
    assert re.match('[0-9a-f]{12}4[0-9a-f]{19}$', row['amigo_id'])
    assert row['new'] == {'name': 'Oak', 'day': '2024-02-29',
                          'geometry': '0101000020E6100000000000000000F03F0000000000000040'}


@pytest.mark.parametrize('wkts, kind', [
    (['POINT Z (1 2 3)', None], 'POINTZ'), (['POINT (1 2)', 'POINT Z EMPTY'], 'POINT'),
    (['POINT EMPTY', 'POINT Z (1 2 3)'], 'POINTZ'), (['POINT Z EMPTY', None], 'POINTZ'),
    (['POINT EMPTY', 'POINT Z EMPTY'], 'POINT'),
    pytest.param(['LINESTRING M (1 2 3, 4 5 6)', 'LINESTRING EMPTY'], 'LINESTRINGM', marks=NEEDS_M),
    pytest.param(['POINT ZM (1 2 3 4)', 'POLYGON EMPTY', 'POINT M EMPTY'], 'GEOMETRYZM',
                 marks=NEEDS_M),
    (['POLYGON ((0 0, 0 3, 3 3, 0 0))', 'MULTIPOLYGON (((0 0, 0 3, 3 3, 0 0)))'], 'GEOMETRY'),
    (['POINT Z (1 2 3)', 'LINESTRING Z (1 2 3, 4 5 6)'], 'GEOMETRYZ'), ([None], 'GEOMETRY')])
def test_geometry_type(accepting, client, wkts, kind):
    client.project(1).create_dataset('trees', geopandas.GeoDataFrame(geometry=shapes(*wkts)))
    assert json.loads(accepting.requests[1].json['schema'])[0]['geometry_type'] == kind
    sent = [row['new']['geometry'] for row in sent_rows(accepting)]
    # PostGIS refuses a row whose dimensions, the highest bits of its type, are not those of its
    # column.
    bits = {'Z': 8, 'M': 4, 'ZM': 12}.get(re.search('Z?M?$', kind).group(), 0)
    assert {int(text[8], 16) & 12 for text in sent if text} <= {bits}
    read = shapely.from_wkb([text for text in sent if text])
    assert [shape.is_empty for shape in read] == ['EMPTY' in wkt for wkt in wkts if wkt]
    assert (shapely.get_srid(read) == 4326).all()


@pytest.mark.parametrize('crs', [3857, 'ESRI:102003', ODD_CRS])
def test_geometry__is_transformed_to_wgs_84(accepting, client, crs):
    frame = geopandas.GeoDataFrame(geometry=points((11.6, 48.1), None)).to_crs(crs)
    client.project(1).create_dataset('trees', frame)
    rows = [row['new'] for row in json.loads(accepting.requests[3].json['change'])['data']]
    sent = shapely.from_wkb(rows[0]['geometry'])
    assert (sent.x, sent.y) == pytest.approx((11.6, 48.1)) and shapely.get_srid(sent) == 4326
    assert rows[1]['geometry'] is None


def test_no_rows__no_change(accepting, client):
    client.project(1).create_dataset('trees', named('n').iloc[:0])
    assert [request.path for request in accepting.requests] == [DATASETS, CREATE, '/api/v1/me/jobs/j']


def test_frame_is_not_changed(accepting, client):
    frame = geopandas.GeoDataFrame({'n': [1]}, geometry=points((1, 2), crs=3857))
    before = frame.copy()
    client.project(1).create_dataset('trees', frame)
    assert_geodataframe_equal(frame, before)
    assert shapely.get_srid(frame.geometry[0]) == 0


def test_progress(accepting, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 1200)
    told = []
    client.project(1).create_dataset('trees', pandas.DataFrame({'n': range(4)}),
                                     lambda *args: told.append(args))
    assert told == [(2, 4), (4, 4)]


def column(values, dtype=None):
    return pandas.DataFrame({'n': pandas.Series(values, dtype=dtype)})


@pytest.mark.parametrize('frame, message', [
    (column([{'a': 1}]), "'n': .*object .mixed"), (column([[1]]), "'n': .*no type"),
    (column([b'x']), 'bytes'),
    (column([datetime.timedelta(1)]), 'timedelta'),
    (column([1, 2], 'category'), 'category .integer'),
    (column([1, 'a']), 'mixed-integer'), (column([True, 1], object), 'mixed-integer'),
    (column([1j]), 'complex'),
    (column([datetime.time(1)]), 'time'), (column([0], 'longdouble'), 'no type'),
    (column(pandas.period_range('2024', periods=1)), 'period'),
    (column([datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 5)], object), 'no type'),
    (column([1.5, float('inf')]), "Row 1, counted from 0: column 'n': inf is not a number"),
    (column([2 ** 63], 'uint64'), '64 bits'), (column([2 ** 70], object), '64 bits'),
    (column([0, None, 2 ** 63], 'uint64[pyarrow]'), 'Row 2.*64 bits'),
    (column([numpy.float16(0), numpy.float16('inf')], 'halffloat[pyarrow]'), 'Row 1.*inf'),
    (column(['a\0']), 'null character'),
    (column([u'a', u'\ud800'], object), "Row 1, counted from 0: column 'n': .*not valid UTF-8"),
    (column(pandas.to_datetime(['2024-01-01 05:00'])), "'n': .*time zone.*tz_localize"),
    (column(pandas.to_datetime(['2024-01-01T00:00:00.000000001Z'])), "nanoseconds.*floor"),
    (column(pandas.Series(numpy.array(['20000-01-01'], 'M8[s]')).dt.tz_localize('UTC')),
     'a year that is not between 1 and 9999'),
    (column(numpy.array(['-0001-01-01'], 'M8[s]')), 'a year that is not between 1 and 9999'),
    (pandas.DataFrame([[1, 2]], columns=['n', 'n']), "'n' and 'n' differ"),
    (pandas.DataFrame([[1, 2]], columns=['n', 'N']), "'n' and 'N' differ"),
    (pandas.DataFrame({'n': [1], 'Amigo_Id': 'x'}), "'amigo_id' and 'Amigo_Id' differ"),
    (pandas.DataFrame({1: [2]}), 'name of a column .* not 1'),
    (pandas.DataFrame({' ': [2]}), "name of a column .* not ' '"),
    (pandas.DataFrame({'n\0': [2]}), 'null character'),
    (pandas.DataFrame({('a', 'b'): [2]}), r"name of a column .* not \('a', 'b'\)"),
    (pandas.DataFrame({u'\u00e4' * 32: [2]}), '63 bytes'),
    (pandas.DataFrame({'xmin': [2]}), "system column 'xmin'; rename"),
    (pandas.DataFrame(), 'no column'), (pandas.DataFrame({'amigo_id': ['a']}), 'no column'),
    (pandas.DataFrame({'amigo_id': ['a', 'a'], 'n': 1}), "amigo_id 'a' is that of several"),
    (pandas.DataFrame({'amigo_id': [1], 'n': 1}), 'amigo_id must hold texts, not int64'),
    (pandas.DataFrame({'amigo_id': [''], 'n': 1}), 'amigo_id'),
    (geopandas.GeoDataFrame(geometry=points((1, 2), crs=None)),
     "'geometry': .*no coordinate system; set one with set_crs"),
    (geopandas.GeoDataFrame(geometry=points((1, 2), crs='LOCAL_CS["mine", UNIT["m", 1]]')), 'transformed from mine to'),
    (geopandas.GeoDataFrame(geometry=points((1e9, 1e9), crs=32632)), 'outside of .*UTM zone 32N'),
    pytest.param(geopandas.GeoDataFrame(geometry=shapes('POINT M (1 2 3)', crs=3857)),
                 'M values.*Pseudo-Mercator', marks=NEEDS_M),
    (geopandas.GeoDataFrame(geometry=[shapely.LinearRing([(0, 0), (1, 1), (1, 0)])], crs=4326),
     'linear rings'),
    (pandas.DataFrame({'n': [shapely.Point(1, 2)]}), 'no type'),
    (geopandas.GeoDataFrame(geometry=shapes('POINT (1 2)', 'POINT Z (1 2 3)')),
     'dimensions XY and XYZ.*force_2d'),
    pytest.param(geopandas.GeoDataFrame(geometry=[shapely.geometrycollections(shapely.from_wkt(
        ['POINT EMPTY', 'POINT Z (1 2 3)']))], crs=4326), 'dimensions XY and XYZ', marks=NEEDS_M),
    pytest.param(geopandas.GeoDataFrame(geometry=shapes('POINT M (1 2 3)', 'POINT Z (1 2 3)')),
                 'XYM and XYZ.*force_3d', marks=NEEDS_M),
    pytest.param(geopandas.GeoDataFrame(
        geometry=shapes('POINT (1 2)', 'LINESTRING M (1 2 3, 4 5 6)')), 'XY and XYM',
                 marks=NEEDS_M),
    (geopandas.GeoDataFrame(geometry=shapes('GEOMETRYCOLLECTION (POINT (1 2), POINT Z (1 2 3))')),
     'XY and XYZ'),
    (column([2 ** 53 + 1, 0.5], object), "'n': .*astype.float"),
    (column([0.5, 1, float('inf')], object), 'Row 2.*inf'),
    (column([1, numpy.float32('inf')], object), 'Row 1.*inf'),
    (column([10 ** 5000], object), 'Row 0.*64 bits'),
    (pandas.DataFrame({'amigo_id': [b'a'], 'n': 1}), "Column 'amigo_id': the service has no type"),
    ({'n': 1}, 'a DataFrame or a list of columns, not {')])
def test_frames__that_cannot_be_kept(wire, client, frame, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        client.project(1).create_dataset('trees', frame)
    assert not wire.requests


@pytest.mark.parametrize('arguments, message', [
    (('', named('n')), 'name'), ((None, named('n')), 'name'),
    (('a\0', named('n')), 'null character'),
    (('trees', named('n'), 5), 'progress'), (('trees', [{'name': 'n'}]), 'Column 0 of the schema'),
    (('trees', ['n']), 'Column 0 of the schema'),
    (('trees', 'schema'), 'content')])
def test_bad_arguments(wire, client, arguments, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        client.project(1).create_dataset(*arguments)
    assert not wire.requests


def test_without_pandas(wire, client, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pandas', None)
    with pytest.raises(AmigoCloudError, match=r'pip install "amigocloud\[geo\]"'):
        client.project(1).create_dataset('trees', None)
    assert not wire.requests


def test_too_large_a_row(wire, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 3000)
    frame = pandas.DataFrame({'n': ['x', 'x' * 2000]})
    with pytest.raises(AmigoCloudValueError, match='Row 1, counted from 0: it takes 2'):
        client.project(1).create_dataset('trees', frame)
    assert not wire.requests


def test_fails__creation_is_refused(accepting, client):
    accepting.answers[CREATE] = Answer({'detail': 'no'}, 403)
    with pytest.raises(AmigoCloudError, match='^403 Client Error'):
        client.project(1).create_dataset('trees', named('n'))
    accepting.answers[CREATE] = lambda request: None
    with pytest.raises(AmigoCloudError):
        client.project(1).create_dataset('trees', named('n'))
    accepting.answers[CREATE] = {'name': 'trees'}
    with pytest.raises(AmigoCloudError, match='neither an id nor a job'):
        client.project(1).create_dataset('trees', named('n'))
    assert [request.path for request in accepting.requests] == [DATASETS, CREATE] * 3


def test_fails__creation_job(accepting, client):
    accepting.answers['/api/v1/me/jobs/j'] = {'status': 'FAILURE', 'extra': {'error': ['no']}}
    with pytest.raises(AmigoCloudJobError,
                       match='^Dataset 9 may be incomplete or missing: Job j ended with'):
        client.project(1).create_dataset('trees', named('n'))
    assert len(accepting.requests) == 3


def test_fails__second_batch(accepting, client, monkeypatch):
    monkeypatch.setattr(batches, 'BATCH_SIZE', 1200)
    accepting.answers[DATASET + '/submit_change'] = [{'job': 'j'}, Answer({'error': ['full']}, 400)]
    with pytest.raises(AmigoCloudError,
                       match='^Dataset 9 was created but .*: 2 rows were written, but then: 400'):
        client.project(1).create_dataset('trees', pandas.DataFrame({'n': range(4)}))


def sent_rows(wire):
    return [row for request in wire.requests if request.path.endswith('/submit_change')
            for row in json.loads(request.json['change'])['data']]


def test_times_at_the_end_of_summer_time(accepting, client):
    times = pandas.date_range('2024-10-26T23:30Z', periods=4, freq='h').tz_convert('Europe/Berlin')
    client.project(1).create_dataset('trees', pandas.DataFrame({'n': times}))
    assert [row['new']['n'] for row in sent_rows(accepting)] == [
        '2024-10-26T23:30:00.000000Z', '2024-10-27T00:30:00.000000Z', '2024-10-27T01:30:00.000000Z',
        '2024-10-27T02:30:00.000000Z']


@pytest.mark.parametrize('values, kind, sent', [
    (column([1, None, 2.5], object), 'float', [1, None, 2.5]),
    (column([numpy.int64(1), 2.5, float('nan')], object), 'float', [1, 2.5, None]),
    (column(pandas.arrays.SparseArray([0, 0, 5])), 'bigint', [0, 0, 5]),
    (column(pandas.arrays.SparseArray([0.5, numpy.nan])), 'float', [0.5, None]),
    (column(pandas.arrays.SparseArray([True, False])), 'boolean', [True, False]),
    (column(pandas.arrays.SparseArray(['a', None], dtype=object)), 'string', ['a', None]),
    (column([numpy.str_('a'), None], object), 'string', ['a', None])])
def test_odd_columns(accepting, client, values, kind, sent):
    client.project(1).create_dataset('trees', values)
    assert json.loads(accepting.requests[1].json['schema'])[0]['type'] == kind
    assert [row['new']['n'] for row in sent_rows(accepting)] == sent


@pytest.mark.parametrize('answer, extra', [
    ({'job': 'j'}, {'dataset_ids': [9]}), ({'job_id': 'j', 'id': None}, {'dataset_ids': [9]}),
    ({'job': 'j', 'url': 'https://x.com/api/v1/users/1/projects/1/datasets/9'}, {}),
    ({'job': 'j', 'url': '/api/v1/projects/1/datasets/9/?token=x'}, None),
    ({'url': '/api/v1/projects/1/datasets/9'}, None)])
def test_dataset_without_an_id(accepting, client, answer, extra):
    accepting.answers.update({CREATE: answer,
                              '/api/v1/me/jobs/j': {'status': 'SUCCESS', 'extra': extra}})
    assert client.project(1).create_dataset('trees', named('n')).id == 9
    assert sent_rows(accepting)


@pytest.mark.parametrize('extra', [None, {}, {'dataset_ids': []}, {'dataset_ids': [1, 2]},
                                   {'dataset_ids': [None]}])
def test_fails__nothing_names_the_dataset(accepting, client, extra):
    accepting.answers.update({CREATE: {'job': 'j'},
                              '/api/v1/me/jobs/j': {'status': 'SUCCESS', 'extra': extra}})
    with pytest.raises(AmigoCloudError, match='nor the job has its id'):
        client.project(1).create_dataset('trees', named('n'))
    assert not sent_rows(accepting)


@pytest.mark.parametrize('answer',
                         [{'id': True}, {'id': 'a/..'}, {'id': [9]}, {'id': -9, 'job': [1]}, [],
                          b''])
def test_fails__creation_names_no_id(accepting, client, answer):
    accepting.answers[CREATE] = Answer(answer)
    with pytest.raises(AmigoCloudError, match='neither an id nor a job') as caught:
        client.project(1).create_dataset('trees', named('n'))
    # That would say that nothing was sent.
    assert not isinstance(caught.value, ValueError) and not sent_rows(accepting)


def test_schema__an_empty_dataset(accepting, client):
    schema = [{'name': 'species', 'type': 'string'},
              {'name': 'place', 'type': 'geometry', 'geometry_type': 'POINT'}]
    assert client.project(1).create_dataset('trees', schema).id == 9
    assert [request.path for request in accepting.requests] == [DATASETS, CREATE, '/api/v1/me/jobs/j']
    assert json.loads(accepting.requests[1].json['schema']) == schema


MISSING = {
    'float': [0.5, numpy.nan], 'Float64': pandas.array([0.5, None], 'Float64'),
    'object': pandas.Series([1, None], dtype=object),
    'Int64': pandas.array([1, None], 'Int64'), 'boolean': pandas.array([True, None], 'boolean'),
    'text': ['a', None],
    'category': pandas.Series(['a', None], dtype='category'),
    'numbers': pandas.Series([1, None], dtype='category'),
    'NaT': pandas.to_datetime(['2024-02-29T01:02:03Z', None]),
    'naive': pandas.to_datetime(['2024-02-29T01:02:03', None]),
    'NA': pandas.Series([Decimal('1.5'), pandas.NA], dtype=object), 'none': [None, None],
    'uuid': pandas.Series([uuid.UUID(int=1), None], dtype=object),
    'time': pandas.Series([datetime.time(1), None]),
    'date': pandas.Series([datetime.date(2024, 2, 29), pandas.NaT], dtype=object),
    'sparse': pandas.arrays.SparseArray([0.5, numpy.nan]), '100%s "{}"': [1, 2]}


def test_insert_rows__frame(accepting, client):
    frame = geopandas.GeoDataFrame(MISSING, geometry=points((1, 2), None, crs=3857))
    before = frame.copy()
    made = client.project(1).dataset(9).insert(frame).inserted
    rows = sent_rows(accepting)
    assert [row['amigo_id'] for row in rows] == made and len(set(made)) == 2
    assert rows[0]['new'] == {
        'float': 0.5, 'Float64': 0.5, 'object': 1, 'Int64': 1, 'boolean': True, 'text': 'a',
        'category': 'a',
        'numbers': 1, 'NaT': '2024-02-29T01:02:03.000000Z', 'naive': '2024-02-29T01:02:03.000000',
        'NA': 1.5,
        'none': None, 'uuid': str(uuid.UUID(int=1)), 'time': '01:00:00', 'date': '2024-02-29',
        'sparse': 0.5,
        '100%s "{}"': 1, 'geometry': '0101000020110F0000000000000000F03F0000000000000040'}
    assert rows[1]['new'] == dict(dict.fromkeys(rows[0]['new']), **{'100%s "{}"': 2})
    assert_geodataframe_equal(frame, before)


def test_update_rows__frame(accepting, client):
    frame = pandas.DataFrame({'amigo_id': ['a', 'b'], 'n': [1, numpy.nan]})
    assert client.project(1).dataset(9).update(frame).updated == ['a', 'b']
    assert sent_rows(accepting) == [{'new': {'n': 1.0}, 'amigo_id': 'a'},
                                    {'new': {'n': None}, 'amigo_id': 'b'}]


def test_insert_rows__amigo_ids_of_a_frame(accepting, client):
    frame = pandas.DataFrame({'amigo_id': ['a', None, 'a2'], 'n': 1})
    made = client.project(1).dataset(9).insert(frame).inserted
    assert made[::2] == ['a', 'a2'] and re.match('[0-9a-f]{12}4[0-9a-f]{19}$', made[1])


def test_insert_rows__frame_srid_of_each_geometry(accepting, client):
    shapes = geopandas.GeoSeries(shapely.set_srid([shapely.Point(1, 2), None, shapely.Point(3, 4)],
                                                  [3857, 0, 25832]))
    frame = geopandas.GeoDataFrame({'other': points((1, 2), None, None, crs=2056)}, geometry=shapes)
    client.project(1).dataset(9).insert(frame)
    rows = [row['new'] for row in sent_rows(accepting)]
    sent = [row['geometry'] for row in rows]
    assert [text and shapely.get_srid(shapely.from_wkb(text)) for text in sent] == [
        3857, None, 25832]
    assert shapely.get_srid(shapely.from_wkb(rows[0]['other'])) == 2056


@pytest.mark.parametrize('frame, message', [
    (geopandas.GeoDataFrame(geometry=points((1, 2), crs=None)), "'geometry': .*set_crs"),
    (geopandas.GeoDataFrame({'shape': pandas.Series([shapely.Point(1, 2)], dtype=object)},
                            geometry=points((1, 2), crs=3857)), "'shape': .*set_crs"),
    (pandas.DataFrame({'shape': [shapely.Point(1, 2)]}), "Row 0, .*column 'shape': .*set_crs"),
    (geopandas.GeoDataFrame(geometry=points((1, 2), crs=ODD_CRS)), "'geometry': .*no EPSG code"),
    (column([1.5, float('inf')]), "Row 1, counted from 0: column 'n': inf"),
    (column([[1]]), "Row 0, .*column 'n': no column"),
    (column(['a', 'b\0']), "Row 1, .*column 'n': .*null character"),
    (column([0, 2 ** 63], 'uint64'), 'Row 1, .*64 bits'),
    (column(pandas.to_datetime(['2024-01-01T00:00:00.000000001Z'])), "'n': .*nanoseconds"),
    (pandas.DataFrame({'amigo_id': ['a']}), 'no column'),
    (pandas.DataFrame({1: [2]}), 'name of a column .* not 1'),
    (pandas.DataFrame([[1, 2]], columns=['n', 'n']), "two columns 'n'"),
    (pandas.DataFrame({'amigo_id': ['a', ' '], 'n': 1}), 'Row 1, .*amigo_id')])
@pytest.mark.parametrize('verb', ['insert', 'update'])
def test_rows_of_frames__bad(wire, client, frame, message, verb):
    if verb == 'update' and 'amigo_id' not in frame:
        frame = frame.assign(amigo_id='a')
    with pytest.raises(AmigoCloudValueError, match=message):
        getattr(client.project(1).dataset(9), verb)(frame)
    assert not wire.requests


@pytest.mark.parametrize('frame', [pandas.DataFrame({'n': [1]}),
                                   pandas.DataFrame({'n': 1, 'amigo_id': ['a', None]})])
def test_update_rows__frame_without_amigo_ids(wire, client, frame):
    with pytest.raises(AmigoCloudValueError, match='amigo_id'):
        client.project(1).dataset(9).update(frame)
    assert not wire.requests


def test_delete_rows__of_a_frame(accepting, client):
    frame = pandas.DataFrame({'amigo_id': ['a', 'b']})
    with pytest.raises(AmigoCloudValueError, match="frame.'amigo_id'"):
        client.project(1).dataset(9).delete(frame)
    assert client.project(1).dataset(9).delete(frame['amigo_id']).deleted == ['a', 'b']


def test_values__like_those_of_rows(accepting, client):
    client.project(1).dataset(9).insert([{
        'a': numpy.bool_(True), 'b': numpy.datetime64('2024-02-29'),
        'c': numpy.datetime64('2024-02-29T01:02:03', 'ns'),
        'd': numpy.str_('x'), 'e': numpy.float16(0.5), 'f': numpy.uint8(7), 'g': numpy.float32(0.1),
        'h': pandas.Timestamp('2024-02-29T01:02:03Z'), 'i': numpy.datetime64('2024-02'),
        'j': numpy.longdouble(0.5)}])
    assert sent_rows(accepting)[0]['new'] == {
        'a': True, 'b': '2024-02-29', 'c': '2024-02-29T01:02:03', 'd': 'x', 'e': 0.5, 'f': 7,
        'g': float(numpy.float32(0.1)), 'h': '2024-02-29T01:02:03+00:00', 'i': '2024-02-01',
        'j': 0.5}


@pytest.mark.parametrize('value', [
    numpy.datetime64('NaT', 'ns'), numpy.datetime64(1, 'ns'), numpy.timedelta64(1, 's'),
    numpy.bytes_(b'x'),
    numpy.float64('nan'), numpy.datetime64('20000-01-01'), numpy.complex64(1), pandas.NaT,
    pandas.NA,
    pandas.Timestamp(1), numpy.uint64(2 ** 64 - 1), numpy.array([1])])
def test_values__bad(wire, client, value):
    with pytest.raises(AmigoCloudValueError, match="Row 0, counted from 0: column 'v': "):
        client.project(1).dataset(9).insert([{'v': value}])
    assert not wire.requests
