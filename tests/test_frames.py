"""Tables of pandas, geopandas and Arrow, and files, made of cursors; Python 3 only."""
import datetime
import io
import json
import os
import re
import struct
import sys

import pytest
from conftest import Answer

from amigocloud import AmigoCloud
from amigocloud.exceptions import AmigoCloudError, AmigoCloudValueError

pandas = pytest.importorskip('pandas')
geopandas = pytest.importorskip('geopandas')
pyogrio = pytest.importorskip('pyogrio')
shapely = pytest.importorskip('shapely')

SQL = '/api/v1/projects/1/sql'
TYPES = {'text': 'string', 'small': 'integer', 'large': 'bigint', 'yes': 'boolean',
         'decimal': 'number',
         'double': 'float', 'single': 'real', 'moment': 'datetime', 'day': 'date', 'clock': 'time',
         'place': 'geometry'}
DTYPES = {'text': 'string', 'small': 'Int32', 'large': 'Int64', 'yes': 'boolean',
          'decimal': 'float64',
          'double': 'float64', 'single': 'float32', 'moment': 'datetime64[us, UTC]',
          'day': 'datetime64[s]',
          'clock': 'string', 'place': 'string'}
FULL = {'text': u'B\xe4r', 'small': -5, 'large': 2 ** 62 + 1, 'yes': True, 'decimal': 1.5,
        'double': 1e300,
        'single': 0.1, 'moment': '2020-01-02T03:04:05.5', 'day': '2020-01-02', 'clock': '12:00:00',
        'place': '0101000020E6100000000000000000F03F0000000000000040'}
NULLS = dict.fromkeys(FULL)


def ewkb(wkt, srid=4326):
    return shapely.to_wkb(shapely.set_srid(shapely.from_wkt(wkt), srid), hex=True,
                          include_srid=True)


@pytest.fixture
def serve(wire, client):
    """Serves pages of rows, and gives a cursor over them."""
    def serve(types, *pages):
        columns = [{'name': name, 'type': kind} for name, kind in types.items()]
        for number, rows in enumerate(pages):
            following = None
            if number + 1 < len(pages):
                following = '{}/api/v1/p{}'.format(wire.url, number + 1)
            wire.answers['/api/v1/p{}'.format(number) if number else SQL] = {
                'columns': columns, 'data': rows, 'count': sum(map(len, pages)), 'next': following}
        return client.project(1).sql('SELECT')
    return serve


def dtypes(frame):
    return {name: str(dtype).split('[python]')[0].split('[pyarrow]')[0]
            for name, dtype in frame.dtypes.items()}


# to_dataframe

def test_to_dataframe__types(serve):
    frame = serve(TYPES, [FULL], [NULLS, FULL]).to_dataframe()
    assert list(frame.columns) == list(TYPES) and dtypes(frame) == DTYPES
    assert list(frame.index) == [0, 1, 2]
    assert frame.isna().iloc[1].all() and not frame.isna().iloc[[0, 2]].any(axis=None)
    row = frame.iloc[2]
    assert row['text'] == FULL['text'] and row['small'] == -5
    assert row['large'] == 2 ** 62 + 1 and row['yes']
    assert row['moment'] == pandas.Timestamp('2020-01-02T03:04:05.5Z')
    assert row['day'] == pandas.Timestamp('2020-01-02')
    assert row['place'] == FULL['place']


def test_to_dataframe__no_rows(serve):
    frame = serve(TYPES, []).to_dataframe()
    assert len(frame) == 0 and dtypes(frame) == DTYPES


def test_to_dataframe__moments(serve):
    texts = ['2020-01-02T03:04:05', '2020-01-02T03:04:05.123456Z', '2020-01-02T03:04:05+02:00',
             '2020-01-02 03:04',
             None]
    frame = serve({'moment': 'datetime'}, [{'moment': text} for text in texts]).to_dataframe()
    assert [None if moment is pandas.NaT else moment.isoformat() for moment in frame['moment']] == [
        '2020-01-02T03:04:05+00:00', '2020-01-02T03:04:05.123456+00:00',
        '2020-01-02T01:04:05+00:00',
        '2020-01-02T03:04:00+00:00', None]


def test_to_dataframe__moments_and_days_far_away(serve):
    rows = [{'moment': '9999-12-31T23:59:59+01:00', 'day': '9999-12-31'},
            {'moment': None, 'day': None},
            {'moment': '0800-12-25T00:00:00', 'day': '0800-12-25'}]
    frame = serve({'moment': 'datetime', 'day': 'date'}, rows).to_dataframe()
    assert dtypes(frame) == {'moment': 'datetime64[us, UTC]', 'day': 'datetime64[s]'}
    assert list(frame['moment'].dt.year.dropna()) == [9999, 800]
    assert list(frame['day'].dt.year.dropna()) == [9999, 800]
    assert frame['moment'][0].hour == 22


def test_to_dataframe__numbers_as_text(serve):
    frame = serve({'decimal': 'number'},
                  [{'decimal': '12.50'}, {'decimal': None}, {'decimal': 3}]).to_dataframe()
    assert frame['decimal'].sum() == 15.5


def test_to_dataframe__unknown_type(serve):
    frame = serve({'tags': 'jsonb'}, [{'tags': {'a': 1}}, {'tags': None}],
                  [{'tags': [1]}]).to_dataframe()
    assert list(frame['tags']) == [{'a': 1}, None, [1]]


@pytest.mark.filterwarnings('ignore:NumPy will stop allowing:DeprecationWarning')
@pytest.mark.parametrize('kind, value', [
    ('integer', 'many'), ('integer', 2 ** 40), ('bigint', 2 ** 70), ('boolean', 'maybe'),
    ('float', 'tall'),
    ('datetime', 'soon'), ('datetime', 'now'), ('datetime', 'nan'), ('datetime', ''),
    ('date', 'soon'), ('float', {}),
    ('float', [1]), ('number', [1, 2]), ('real', []), ('boolean', [True]), ('integer', [1])])
@pytest.mark.parametrize('first', [True, False])
def test_to_dataframe__value_of_another_type(serve, kind, value, first):
    pytest.importorskip('pyarrow')
    cursor = serve({'odd': kind}, [{'odd': value if first else None}, {'odd': value}])
    for make in (cursor.to_dataframe, cursor.to_arrow):
        with pytest.raises(AmigoCloudError,
                           match="value {1} in column 'odd' is not of its type {0}".format(
                kind, re.escape(repr(value)))):
            make()


@pytest.mark.parametrize('kind, value',
                         [(kind, value) for kind in ('date', 'datetime') for value in (
    'infinity', '-infinity', '0044-03-15 BC', '0044-03-15 10:00:00+00 BC', '10000-01-01', 5, 1.5,
    True, ['2020-01-02'], 'x' * 5000)] + [
        ('datetime', '9999-12-31 23:59:59-01'), ('datetime', '0001-01-01 00:00:00+01'),
        ('date', '0000-01-01')])
@pytest.mark.parametrize('method', ['to_dataframe', 'to_arrow'])
def test_moments_that_pandas_cannot_hold(serve, method, kind, value):
    pytest.importorskip('pyarrow')
    with pytest.raises(AmigoCloudError) as caught:
        getattr(serve({'odd': kind}, [{'odd': '2020-01-02'}, {'odd': None}], [{'odd': value}]),
                method)()
    message = str(caught.value)
    assert "'odd'" in message and kind in message
    assert repr(value)[:100] in message and '"odd"::text' in message
    assert len(message) < 400 and '\n' not in message


def test_to_dataframe__offsets_with_seconds(serve):
    texts = ['1890-01-01 00:00:00+00:19:32', '1890-01-01 00:00:00.25-00:00:30',
             '2020-01-02 03:04:05+00:00',
             '2020-01-02 03:04:05.5+0530', '2020-01-02', '2020-01-02 03:04:05-03',
             '2020-01-02T03:04:05Z',
             '9999-12-31 23:59:59+00', None]
    moments = serve({'moment': 'datetime'},
                    [{'moment': text} for text in texts]).to_dataframe()['moment']
    assert [moment.isoformat() for moment in moments[:-1]] == [
        '1889-12-31T23:40:28+00:00', '1890-01-01T00:00:30.250000+00:00',
        '2020-01-02T03:04:05+00:00',
        '2020-01-01T21:34:05.500000+00:00', '2020-01-02T00:00:00+00:00',
        '2020-01-02T06:04:05+00:00',
        '2020-01-02T03:04:05+00:00', '9999-12-31T23:59:59+00:00']
    assert moments.isna().iloc[-1] and str(moments.dtype) == 'datetime64[us, UTC]'


def test_to_dataframe__row_without_a_column(serve):
    with pytest.raises(AmigoCloudError, match='missing'):
        serve({'missing': 'string'}, [{'there': 'x'}]).to_dataframe()


@pytest.mark.parametrize('columns',
                         [None, ['a'], [{'name': 'a'}], 5, [{'name': 5, 'type': 'integer'}],
                                     [{'name': None, 'type': 'integer'}]])
def test_strange_columns(wire, client, columns):
    wire.answers[SQL] = {'columns': columns, 'data': [], 'next': None}
    cursor = client.project(1).sql('SELECT')
    for make in (cursor.to_dataframe, cursor.to_arrow):
        with pytest.raises(AmigoCloudError, match='columns'):
            make()


def test_to_dataframe__list(wire, client):
    wire.answers['/api/v1/p'] = {'results': [{'id': 1, 'name': 'a'}],
                                 'next': wire.url + '/api/v1/q', 'count': 2}
    wire.answers['/api/v1/q'] = {'results': [{'id': 2, 'name': None}], 'next': None, 'count': 2}
    frame = client.get_cursor('p').to_dataframe()
    assert list(frame['id']) == [1, 2] and str(frame['id'].dtype) == 'int64'
    assert frame['name'].isna().tolist() == [False, True]
    wire.answers['/api/v1/p'] = {'results': [], 'next': None}
    assert len(client.get_cursor('p').to_dataframe()) == 0


def test_to_dataframe__is_the_whole_result_each_time(serve, wire):
    cursor = serve({'a': 'integer'}, [{'a': 1}, {'a': 2}], [{'a': 3}])
    assert next(cursor) == {'a': 1}
    for _ in range(2):
        assert list(cursor.to_dataframe()['a']) == [1, 2, 3]
    assert [row['a'] for row in cursor] == [2, 3]
    assert len(wire.requests) == 6


def test_to_dataframe__after_an_error(serve, wire):
    cursor = serve({'a': 'integer'}, [{'a': 1}], [{'a': 2}])
    wire.answers['/api/v1/p1'] = [Answer(status=400), wire.answers['/api/v1/p1']]
    with pytest.raises(AmigoCloudError):
        cursor.to_dataframe()
    assert list(cursor.to_dataframe()['a']) == [1, 2]


def test_to_dataframe__prefetch(serve, client):
    serve({'a': 'integer'}, *[[{'a': number}] for number in range(9)])
    assert list(client.project(1).sql('SELECT', prefetch=3).to_dataframe()['a']) == list(range(9))


def test_progress(serve):
    told = []
    cursor = serve({'place': 'geometry'}, [{'place': None}, {'place': None}], [{'place': None}])
    for make in (cursor.to_dataframe, cursor.to_geodataframe):
        make(progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 3), (3, 3)] * 2


@pytest.mark.parametrize('count', ['many', [3], -1, True, None])
def test_progress__no_count(wire, client, count):
    wire.answers['/api/v1/p'] = {'results': [{'a': 1}], 'next': None, 'count': count}
    told = []
    client.get_cursor('p').to_dataframe(progress=lambda *args: told.append(args))
    assert told == [(1, None)]
    pytest.importorskip('tqdm')
    client.get_cursor('p').to_dataframe(progress=True)


def test_progress__bad(serve, wire):
    cursor = serve(TYPES, [])
    for make in (cursor.to_dataframe, cursor.to_geodataframe,
                 lambda progress: cursor.to_file('x.gpkg', progress)):
        with pytest.raises(AmigoCloudValueError, match='progress'):
            make(progress='yes')
    assert not wire.requests


# to_geodataframe

def test_to_geodataframe(serve):
    frame = serve(TYPES, [FULL], [NULLS, FULL]).to_geodataframe()
    assert isinstance(frame, geopandas.GeoDataFrame) and frame.geometry.name == 'place'
    assert frame.crs.to_epsg() == 4326
    assert [shape and shape.wkt for shape in frame.geometry] == ['POINT (1 2)', None, 'POINT (1 2)']
    assert dtypes(frame) == dict(DTYPES, place='geometry')
    assert list(frame.columns) == list(TYPES)


def test_to_geodataframe__shapes_come_as_they_are(serve):
    texts = ['POINT Z (1 2 3)', 'POINT (0 0)', 'POLYGON EMPTY', 'POINT EMPTY',
             'GEOMETRYCOLLECTION (POINT (1 2))',
             'MULTILINESTRING Z ((1 2 3, 4 5 6))']
    frame = serve({'g': 'geometry'}, [{'g': ewkb(text, 3857)} for text in texts]).to_geodataframe()
    assert list(frame.geometry.to_wkt()) == texts
    assert frame.crs.to_epsg() == 3857
    assert list(frame.geometry.has_z) == [True, False, False, False, False, True]


def test_to_geodataframe__decodes_a_column_at_once(serve, monkeypatch):
    calls, decode = [], shapely.from_wkb
    monkeypatch.setattr(shapely, 'from_wkb',
                        lambda values, *args: calls.append(len(values)) or decode(values, *args))
    rows = [{'g': ewkb('POINT (1 2)'), 'h': None}] * 2
    assert len(serve({'g': 'geometry', 'h': 'geometry'}, rows, rows, rows).to_geodataframe()) == 6
    assert calls == [6, 6]


def test_to_geodataframe__several_columns(serve):
    cursor = serve({'id': 'integer', 'g': 'geometry', 'h': 'geometry'},
                   [{'id': 1, 'g': ewkb('POINT (1 2)'), 'h': ewkb('POINT (3 4)', 3857)}])
    frame = cursor.to_geodataframe()
    assert frame.geometry.name == 'g'
    assert frame['g'].crs.to_epsg() == 4326 and frame['h'].crs.to_epsg() == 3857
    frame = cursor.to_geodataframe(geometry='h')
    assert frame.geometry.name == 'h' and frame.crs.to_epsg() == 3857
    with pytest.raises(AmigoCloudValueError, match="g, h, not 'id'"):
        cursor.to_geodataframe(geometry='id')


def test_to_geodataframe__text_column_called_geometry(serve):
    frame = serve({'geometry': 'string', 'g': 'geometry'},
                  [{'geometry': 'x', 'g': None}]).to_geodataframe()
    assert frame.geometry.name == 'g' and list(frame['geometry']) == ['x']


def test_to_geodataframe__no_rows(serve):
    cursor = serve(TYPES, [])
    frame = cursor.to_geodataframe()
    assert len(frame) == 0 and dtypes(frame) == dict(DTYPES, place='geometry') and frame.crs is None
    assert cursor.to_geodataframe(crs=3857).crs.to_epsg() == 3857


def test_to_geodataframe__no_geometry(serve, wire, client):
    with pytest.raises(AmigoCloudError, match='no geometry column'):
        serve({'a': 'integer'}, [{'a': 1}], [{'a': 2}]).to_geodataframe()
    assert len(wire.requests) == 1
    wire.answers['/api/v1/p'] = {'results': [], 'next': None}
    with pytest.raises(AmigoCloudError, match='no geometry column'):
        client.get_cursor('p').to_geodataframe()


@pytest.mark.parametrize('others', [3857, 0])
def test_to_geodataframe__mixed_srids(serve, others):
    rows = [{'g': ewkb('POINT (1 2)')}], [{'g': None}, {'g': ewkb('POINT (1 2)', others)}]
    with pytest.raises(AmigoCloudError, match="'g' .*{}".format(others)):
        serve({'g': 'geometry'}, *rows).to_geodataframe()


def test_to_geodataframe__crs(serve):
    cursor = serve({'g': 'geometry'}, [{'g': shapely.to_wkb(shapely.Point(1, 2), hex=True)}])
    assert cursor.to_geodataframe().crs is None
    assert cursor.to_geodataframe(crs='EPSG:3857').crs.to_epsg() == 3857
    cursor = serve({'g': 'geometry'}, [{'g': ewkb('POINT (1 2)')}])
    assert cursor.to_geodataframe(crs='OGC:CRS84').crs.to_epsg() == 4326
    with pytest.raises(AmigoCloudError, match='4326.*3857'):
        cursor.to_geodataframe(crs=3857)


def test_to_geodataframe__srid_that_epsg_does_not_know(serve):
    cursor = serve({'g': 'geometry'}, [{'g': ewkb('POINT (1 2)', 990001)}])
    with pytest.raises(AmigoCloudError, match='990001.*crs='):
        cursor.to_geodataframe()
    assert cursor.to_geodataframe(crs=3857).crs.to_epsg() == 3857


def test_to_geodataframe__bad_crs(serve, wire):
    with pytest.raises(AmigoCloudValueError, match='Atlantis'):
        serve(TYPES, []).to_geodataframe(crs='Atlantis')
    assert not wire.requests


@pytest.mark.parametrize('value', ['XYZ', '0101', 'POINT (1 2)', {'type': 'Point'}])
def test_to_geodataframe__no_geometry_inside(serve, value):
    with pytest.raises(AmigoCloudError, match="'g'"):
        serve({'g': 'geometry'}, [{'g': ewkb('POINT (1 2)')}, {'g': value}]).to_geodataframe()


CURVES = ['CIRCULARSTRING', 'COMPOUNDCURVE', 'CURVEPOLYGON', 'MULTICURVE', 'MULTISURFACE']
SURFACES = ['POLYHEDRALSURFACE', 'TIN', 'TRIANGLE']


def curve(code, flags=0, body=b'\0\0\0\0'):
    srid = struct.pack('<I', 4326) if flags & 0x20000000 else b''
    return (b'\1' + struct.pack('<I', code | flags) + srid + body).hex()


@pytest.mark.parametrize('flags', [0, 0x20000000, 0xa0000000, 0xe0000000])
@pytest.mark.parametrize('code, kind, cure',
                         [(8 + place, kind, 'ST_CurveToLine') for place, kind in enumerate(CURVES)]
                         + [(15 + place, kind, 'ST_AsText') for place, kind in enumerate(SURFACES)])
def test_curves(serve, tmp_path, code, kind, cure, flags):
    pytest.importorskip('pyarrow')
    value = curve(code, flags)
    cursor = serve({'g': 'geometry', 'h': 'geometry'}, [{'g': ewkb('POINT (1 2)'), 'h': None}],
                   [{'g': None, 'h': value}])
    for make in (cursor.to_geodataframe, cursor.to_arrow,
                 lambda: cursor.to_file(tmp_path / 'x.gpkg')):
        with pytest.raises(AmigoCloudError, match="'h' holds a {}, .* {}".format(kind, cure)):
            make()
    assert not os.listdir(str(tmp_path))
    assert list(cursor.to_dataframe()['h'])[1] == value
    assert value[:20] in serve({'h': 'geometry'}, [{'h': value}])._repr_html_()


def test_curves__without_flags_and_the_other_way_round(serve):
    arc = struct.pack('>I6d', 3, 0, 0, 1, 1, 2, 0)
    for value in (b'\0' + struct.pack('>I', 8) + arc,
                  b'\0' + struct.pack('>I', 1008) + struct.pack('>I', 0)):
        with pytest.raises(AmigoCloudError, match='CIRCULARSTRING'):
            serve({'g': 'geometry'}, [{'g': value.hex()}]).to_geodataframe()


def test_curves__in_a_collection(serve, tmp_path):
    # Newer GEOS reads these, older does not.
    arc = struct.pack('<BI', 1, 8) + struct.pack('<I6d', 3, 0, 0, 1, 1, 2, 0)
    cursor = serve({'g': 'geometry'}, [{'g': curve(7, 0x20000000, struct.pack('<I', 1) + arc)}])
    try:
        assert 'CIRCULARSTRING' in cursor.to_geodataframe().geometry[0].wkt
        cursor.to_file(tmp_path / 'x.gpkg')
    except AmigoCloudError as error:
        assert 'ST_CurveToLine' in str(error)


# to_arrow

@pytest.mark.parametrize('values', [
    [{'a': 1}, [1]], ['a', 1], [{'a': 1}, {'a': 'x'}], [[1], ['x']], [2 ** 70, 1], [1.5, 'x'],
    [True, 'x']])
def test_to_arrow__values_of_several_kinds(serve, wire, client, values):
    pytest.importorskip('pyarrow')
    rows = [{'odd': value} for value in values]
    with pytest.raises(AmigoCloudError, match="'odd' .*\"odd\"::text"):
        serve({'odd': 'unknown(3802)'}, rows).to_arrow()
    wire.answers['/api/v1/p'] = {'results': rows, 'next': None}
    with pytest.raises(AmigoCloudError, match="'odd'"):
        client.get_cursor('p').to_arrow()


def test_to_arrow__values_as_text_and_of_one_kind(serve):
    pytest.importorskip('pyarrow')
    table = serve({'number': 'number', 'tags': 'unknown(3802)', 'list': 'unknown(1007)',
                   'none': 'unknown(25)'},
                  [{'number': '12.50', 'tags': {'a': 1}, 'list': [1, 2], 'none': None}]).to_arrow()
    assert table.to_pylist() == [{'number': 12.5, 'tags': {'a': 1}, 'list': [1, 2], 'none': None}]


@pytest.mark.parametrize('rows', [[{'a': 1}, 5], [[1], {'a': 1}], ['x', None]])
def test_to_dataframe__rows_of_several_kinds(wire, client, rows):
    wire.answers['/api/v1/p'] = {'results': rows, 'next': None}
    cursor = client.get_cursor('p')
    for make in (cursor.to_dataframe, cursor.to_arrow):
        try:
            assert len(make()) == 2
        except AmigoCloudError:
            pass


def test_to_arrow(serve):
    pyarrow = pytest.importorskip('pyarrow')
    cursor = serve(TYPES, [dict(FULL, place=ewkb('POINT Z (1 2 3)'))], [NULLS])
    table = cursor.to_arrow()
    assert table.column_names == list(TYPES)
    assert table.schema.field('small').type == pyarrow.int32()
    assert table.schema.field('large').type == pyarrow.int64()
    assert table.schema.field('moment').type == pyarrow.timestamp('us', 'UTC')
    assert [column[1].as_py() for column in table.columns] == [None] * len(TYPES)
    row = table.slice(0, 1).to_pylist()[0]
    assert row['day'] == datetime.date(2020, 1, 2)
    assert row['yes'] is True and row['large'] == 2 ** 62 + 1
    # ISO says Z by adding 1000 to the type, and has no SRID.
    assert row['place'].hex()[:10] == '01e9030000'
    metadata = table.schema.field('place').metadata
    assert metadata[b'ARROW:extension:name'] == b'geoarrow.wkb'
    crs = json.loads(metadata[b'ARROW:extension:metadata'])['crs']
    assert crs['id'] == {'authority': 'EPSG', 'code': 4326}
    if hasattr(geopandas.GeoDataFrame, 'from_arrow'):
        frame = geopandas.GeoDataFrame.from_arrow(table)
        assert frame.crs.to_epsg() == 4326 and frame.geometry[0].wkt == 'POINT Z (1 2 3)'


def test_to_arrow__without_geometry_or_rows(serve, wire, client):
    pyarrow = pytest.importorskip('pyarrow')
    assert serve(TYPES, []).to_arrow().num_rows == 0
    assert serve({'a': 'integer'}, [{'a': 1}]).to_arrow().to_pydict() == {'a': [1]}
    metadata = serve({'g': 'geometry'}, [{'g': None}]).to_arrow().schema.field('g').metadata
    assert json.loads(metadata[b'ARROW:extension:metadata']) == {}
    wire.answers['/api/v1/p'] = {'results': [{'id': 1}], 'next': None}
    assert client.get_cursor('p').to_arrow().schema == pyarrow.schema([('id', pyarrow.int64())])


# to_file

@pytest.mark.parametrize('name', ['x.gpkg', 'x.geojson', 'x.fgb'])
def test_to_file(serve, tmp_path, name):
    told = []
    serve(TYPES, [FULL], [dict(FULL, small=None, text=None)]).to_file(
        tmp_path / name, progress=lambda done, total: told.append(done))
    frame = pyogrio.read_dataframe(tmp_path / name)
    assert len(frame) == 2 and frame.crs.to_epsg() == 4326
    assert frame.geometry[1].wkt == 'POINT (1 2)'
    assert set(frame['large']) == {2 ** 62 + 1}
    assert frame['small'].isna().sum() == 1 and frame['text'].isna().sum() == 1
    assert told == [1, 2]


def test_to_file__settings(serve, tmp_path):
    serve(TYPES, [FULL]).to_file(str(tmp_path / 'x.gpkg'), driver='GPKG', layer='trees')
    assert pyogrio.list_layers(tmp_path / 'x.gpkg')[0][0] == 'trees'


def test_to_file__without_geometry(serve, tmp_path):
    serve({'a': 'integer', 'b': 'string'},
          [{'a': 1, 'b': 'x'}, {'a': None, 'b': 'y'}]).to_file(tmp_path / 'x.csv')
    assert (tmp_path / 'x.csv').read_text().split() == ['a,b', '1,x', ',y']


@pytest.mark.parametrize('name', ['x.gpkg', 'x.geojson', 'x.json', 'x.shp', 'x.kml', 'x.fgb',
                                  'x.gdb', 'x.sqlite'])
def test_to_file__formats(serve, tmp_path, name):
    cursor = serve({'name': 'string', 'place': 'geometry'},
                   [{'name': u'B\xe4r', 'place': FULL['place']},
                    {'name': None, 'place': FULL['place']}])
    for _ in range(2):
        cursor.to_file(tmp_path / name)
        frame = pyogrio.read_dataframe(tmp_path / name)
        assert len(frame) == 2 and frame.crs.to_epsg() == 4326
        assert frame.geometry[1].wkt == 'POINT (1 2)'
    assert all(other.startswith('x.') for other in os.listdir(str(tmp_path)))


# pyogrio itself, where it reads a date that is missing, with the newest numpy.
@pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")
@pytest.mark.parametrize('name', ['x.gpkg', 'x.geojson', 'x.shp', 'x.sqlite'])
@pytest.mark.parametrize('with_arrow', [False, True])
def test_to_file__dates(serve, tmp_path, name, with_arrow):
    if with_arrow:
        pytest.importorskip('pyarrow')
        if pyogrio.__gdal_version__ < (3, 11):
            pytest.skip('older GDAL takes no dates from before 1970 from Arrow')
    rows = [{'day': '2020-01-02', 'g': FULL['place']}, {'day': None, 'g': FULL['place']},
            {'day': '1066-10-14', 'g': FULL['place']}]
    serve({'day': 'date', 'g': 'geometry'}, rows).to_file(tmp_path / name, use_arrow=with_arrow)
    assert list(pyogrio.read_info(tmp_path / name)['dtypes']) == ['datetime64[D]']
    days = pyogrio.raw.read(tmp_path / name)[3][0]
    assert [str(day) for day in days] == ['2020-01-02', 'NaT', '1066-10-14']


def test_to_file__dates_without_geometry_or_rows(serve, tmp_path):
    serve({'self': 'date', 'a': 'integer'}, []).to_file(tmp_path / 'x.gpkg')
    assert list(pyogrio.read_info(tmp_path / 'x.gpkg')['dtypes']) == ['datetime64[D]', 'int32']


def test_to_file__csv_with_geometry(serve, tmp_path):
    cursor = serve({'name': 'string', 'day': 'date', 'g': 'geometry'},
                   [{'name': 'a', 'day': '2020-01-02', 'g': FULL['place']},
                    {'name': 'b', 'day': None, 'g': None}])
    cursor.to_file(tmp_path / 'x.csv')
    lines = (tmp_path / 'x.csv').read_text().splitlines()
    assert lines[0] == 'WKT,name,day' and lines[1].replace('"', '') == 'POINT (1 2),a,2020/01/02'
    cursor.to_file(tmp_path / 'x.csv', append=True)
    assert len((tmp_path / 'x.csv').read_text().splitlines()) == 5
    for settings in ({'GEOMETRY': 'AS_WKT'}, {'layer_options': {'geometry': 'AS_WKT'}},
                     {'layer_options': {'SEPARATOR': 'COMMA'}}):
        cursor.to_file(tmp_path / 'y.csv', **settings)
        assert (tmp_path / 'y.csv').read_text().splitlines() == lines


@pytest.mark.parametrize('name', ['x.xlsx', 'x.ods'])
def test_to_file__sheets_with_geometry(serve, tmp_path, name):
    serve({'a': 'integer', 'g': 'geometry'},
          [{'a': 1, 'g': FULL['place']}, {'a': 2, 'g': None}]).to_file(
        tmp_path / name)
    assert pyogrio.read_dataframe(tmp_path / name)['g'][0] == 'POINT (1 2)'


@pytest.mark.slow
@pytest.mark.parametrize('name', ['x.gpkg', 'x.sqlite', 'x.shp', 'x.fgb', 'x.geojson', 'x.csv'])
@pytest.mark.parametrize('column', ['fid', 'FID', 'objectid', 'geom', 'geometry', 'shape'])
@pytest.mark.parametrize('kind, values',
                         [('integer', [7, 7]), ('string', ['a', None]), ('float', [1.5, 2.5])])
def test_to_file__columns_that_a_format_has_already(serve, tmp_path, name, column, kind, values):
    rows = [{column: value, 'place': FULL['place']} for value in values]
    serve({column: kind, 'place': 'geometry'}, rows).to_file(tmp_path / name)
    if name != 'x.csv':
        assert pyogrio.read_dataframe(tmp_path / name).geometry[0].wkt == 'POINT (1 2)'
    read = pyogrio.read_dataframe(tmp_path / name, read_geometry=False)
    read.columns = map(str.lower, read.columns)
    found = [str(value) for value in read[column.lower()].dropna() if value != '']
    assert sorted(found) == [str(value) for value in values if value is not None]


def contents(folder):
    paths = [path for path in folder.rglob('*') if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name, texts, columns', [
    ('x.gpkg', ['POINT (1 2)'], ['name', 'NAME']), ('x.fgb', ['POINT (1 2)', None], ['name']),
    ('x.shp', ['POINT (1 2)', 'LINESTRING (1 2, 3 4)'], ['name']),
    ('x.shp', ['POINT ZM (1 2 3 4)'], ['name']),
    ('x.gpx', ['POINT (1 2)'], ['name', 'strange'])])
def test_to_file__failure_leaves_what_was_there(serve, tmp_path, name, texts, columns):
    serve({'name': 'string', 'g': 'geometry'},
          [{'name': 'old', 'g': FULL['place']}]).to_file(tmp_path / name)
    before = contents(tmp_path)
    rows = [dict(dict.fromkeys(columns, 'new'), g=text and ewkb(text)) for text in texts]
    cursor = serve(dict(dict.fromkeys(columns, 'string'), g='geometry'), rows)
    for place in (tmp_path / name, tmp_path / ('other' + name[1:])):
        if 'ZM' in texts[0] and not hasattr(shapely, 'has_m'):
            continue
        with pytest.raises(AmigoCloudError, match=place.name) as caught:
            cursor.to_file(place)
        assert caught.value.__cause__ is not None and '.part' not in str(caught.value)
        assert contents(tmp_path) == before and len(os.listdir(str(tmp_path))) == len(before)


def test_to_file__two_geometries_or_a_wrong_setting(serve, tmp_path):
    cursor = serve({'g': 'geometry', 'h': 'geometry'}, [{'g': FULL['place'], 'h': None}])
    with pytest.raises(AmigoCloudError, match='x.gpkg.*geometry'):
        cursor.to_file(tmp_path / 'x.gpkg')
    with pytest.raises(AmigoCloudError, match='x.gpkg'):
        serve({'g': 'geometry'},
              [{'g': FULL['place']}]).to_file(tmp_path / 'x.gpkg', geometry_type='Strange')
    assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize('name', ['x', 'x.strange', 'missing/x.gpkg', 'folder.gpkg', 'open.gpkg',
                                  'pipe.csv',
                                  'circle.csv', 'x' * 300 + '.csv', 'open.gpkg-wal/x.csv'])
def test_to_file__place_that_cannot_be_written(serve, wire, tmp_path, name):
    (tmp_path / 'folder.gpkg').mkdir()
    os.mkfifo(str(tmp_path / 'pipe.csv'))
    (tmp_path / 'circle.csv').symlink_to('circle.csv')
    (tmp_path / 'open.gpkg-wal').write_bytes(b'rows')
    with pytest.raises(AmigoCloudValueError, match=name.split('/')[-1][:50]):
        serve(TYPES, [FULL]).to_file(tmp_path / name)
    assert not wire.requests


def test_to_file__null_character_or_read_only_folder(serve, wire, tmp_path, monkeypatch):
    with pytest.raises(AmigoCloudValueError, match='No file can be written'):
        serve(TYPES, [FULL]).to_file(str(tmp_path / 'a\0b.csv'))
    # Root may write everywhere.
    monkeypatch.setattr(os, 'access', lambda path, mode: path != os.path.realpath(str(tmp_path)))
    with pytest.raises(AmigoCloudValueError, match='read-only'):
        serve(TYPES, [FULL]).to_file(tmp_path / 'x.csv')
    assert not wire.requests


@pytest.mark.parametrize('path', [5, None, ['x.gpkg']])
def test_to_file__no_path(serve, wire, path):
    with pytest.raises(AmigoCloudValueError, match='path'):
        serve(TYPES, [FULL]).to_file(path)
    assert not wire.requests


def test_to_file__other_spellings(serve, tmp_path):
    cursor = serve({'fid': 'integer', 'g': 'geometry'}, [{'fid': 5, 'g': FULL['place']}])
    cursor.to_file(os.fsencode(str(tmp_path / 'x.GPKG')))
    assert list(pyogrio.read_dataframe(tmp_path / 'x.GPKG')['fid']) == [5]
    cursor.to_file(tmp_path / 'x.csv', driver='csv')
    assert (tmp_path / 'x.csv').read_text().splitlines()[0] == 'WKT,fid'


def test_to_file__what_is_no_file(serve):
    cursor = serve({'a': 'integer', 'g': 'geometry'}, [{'a': 5, 'g': FULL['place']}])
    output = io.BytesIO()
    cursor.to_file(output, driver='GPKG')
    assert output.getvalue().startswith(b'SQLite')


def test_to_file__layers_and_append(serve, tmp_path):
    path = tmp_path / 'x.gpkg'
    cursor = serve({'a': 'integer', 'g': 'geometry'}, [{'a': 1, 'g': FULL['place']}])
    cursor.to_file(path, layer='one', append=True)
    cursor.to_file(path, layer='two')
    cursor.to_file(path, layer='one', append=True)
    cursor.to_file(path, layer='two')
    assert [name for name, _ in pyogrio.list_layers(path)] == ['one', 'two']
    assert [len(pyogrio.read_dataframe(path, layer=layer)) for layer in ('one', 'two')] == [2, 1]
    cursor.to_file(path, layer='three', append=True)
    assert len(pyogrio.read_dataframe(path, layer='three')) == 1
    before = contents(tmp_path)
    with pytest.raises(AmigoCloudError):
        serve({'other': 'integer', 'g': 'geometry'},
              [{'other': 1, 'g': None}]).to_file(
                  path, layer='one', append=True, driver='FlatGeobuf')
    assert contents(tmp_path) == before


@pytest.mark.parametrize('ending', ['gpkg', 'shp', 'geojson', 'fgb'])
def test_to_file__append_changes_no_value(serve, tmp_path, ending):
    """GDAL itself appends metres as degrees, and the text 'x' as the number 0."""
    path = tmp_path / ('x.' + ending)
    types = {'a': 'integer', 'b': 'float', 'g': 'geometry'}
    rows = [{'a': 1, 'b': 1.5, 'g': FULL['place']}]
    serve(types, rows).to_file(path)
    before = contents(tmp_path)
    metres = shapely.to_wkb(shapely.set_srid(shapely.Point(1e6, 2e6), 3857), hex=True, include_srid=True)
    for changed, row, message in (
            ({}, {'g': metres}, 'Pseudo-Mercator, .*EPSG:4326.*ST_Transform'),
            ({'a': 'float'}, {'a': 1.7}, "column 'a' is of the dtype float64, .* int"),
            ({'b': 'string'}, {'b': 'x'}, "column 'b' is of the dtype .*, .* float64. Cast it")):
        with pytest.raises(AmigoCloudValueError, match=message):
            serve(dict(types, **changed), [dict(rows[0], **row)]).to_file(path, append=True)
    assert contents(tmp_path) == before
    serve(dict(types, b='integer'), [dict(rows[0], b=2)]).to_file(path, append=True)
    assert pyogrio.read_dataframe(path)['b'].tolist() == [1.5, 2]


def test_tables__two_columns_with_one_name(wire, client):
    columns = [{'name': name, 'type': 'integer'} for name in ('a', 'b', 'a')]
    wire.answers[SQL] = {'columns': columns, 'data': [{'a': 2, 'b': 1}], 'count': 1, 'next': None}
    cursor = client.project(1).sql('SELECT')
    for make in (cursor.to_dataframe, cursor.to_arrow, lambda: cursor.to_file('x.csv')):
        with pytest.raises(AmigoCloudError, match="several columns 'a', .* AS"):
            make()


@pytest.mark.parametrize('name', ['x.kml', 'x.shp', 'x.mif', 'x.ods', 'x.csv'])
def test_to_file__full_disk(serve, tmp_path, name):
    """Several drivers of GDAL do not notice. A limit of the size of files acts as a full disk."""
    resource = pytest.importorskip('resource', reason='Windows has no such limit')
    (tmp_path / name).write_bytes(b'old')
    rows = [{'a': os.urandom(100).hex(), 'g': FULL['place']} for _ in range(1000)]
    cursor = serve({'a': 'string', 'g': 'geometry'}, rows)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100000, limits[1]))
    try:
        with pytest.raises(AmigoCloudError, match='{}.* cannot be written'.format(name)):
            cursor.to_file(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / name).read_bytes() == b'old' and os.listdir(str(tmp_path)) == [name]


@pytest.mark.parametrize('name', ['x.SHP', 'x.TAB', 'x.Mif'])
def test_to_file__ending_that_gdal_writes_in_lower_case(serve, tmp_path, name):
    cursor = serve({'a': 'integer', 'g': 'geometry'}, [{'a': 1, 'g': FULL['place']}])
    for _ in range(2):
        cursor.to_file(tmp_path / name)
    assert len(pyogrio.read_dataframe(tmp_path / name)) == 1
    assert [other for other in os.listdir(str(tmp_path)) if other.lower() == name.lower()] == [name]


@pytest.mark.parametrize('name, driver, makes',
                         [('x.shp', None, 'x.dbf'), ('x.txt', 'OGR_GMT', 'x.gmt')])
def test_to_file__not_the_file_that_was_named(serve, tmp_path, name, driver, makes):
    (tmp_path / name).write_bytes(b'old')
    types = {'a': 'integer'} if driver is None else {'a': 'integer', 'g': 'geometry'}
    with pytest.raises(AmigoCloudError, match='{}.* instead'.format(makes)):
        serve(types, [{'a': 1, 'g': FULL['place']}]).to_file(tmp_path / name, driver=driver)
    assert (tmp_path / name).read_bytes() == b'old' and os.listdir(str(tmp_path)) == [name]


def test_to_file__rows_that_are_lists(wire, client, tmp_path):
    wire.answers['/api/v1/p'] = {'results': [[1, 'x'], [2, 'y']], 'next': None}
    client.get_cursor('p').to_file(tmp_path / 'x.csv')
    assert (tmp_path / 'x.csv').read_text().split() == ['0,1', '1,x', '2,y']


def test_to_file__no_companion_of_the_old_file_stays(serve, tmp_path):
    (tmp_path / 'x.qix').write_bytes(b'an index of other shapes')
    (tmp_path / 'x.txt').write_bytes(b'mine')
    cursor = serve({'a': 'integer', 'g': 'geometry'}, [{'a': 1, 'g': FULL['place']}])
    for _ in range(2):
        cursor.to_file(tmp_path / 'x.shp')
    assert sorted(os.listdir(str(tmp_path))) == ['x.cpg', 'x.dbf', 'x.prj', 'x.shp', 'x.shx',
                                                 'x.txt']


@pytest.mark.skipif(os.name == 'nt', reason='links and modes are those of POSIX')
def test_to_file__keeps_links_and_modes(serve, tmp_path):
    (tmp_path / 'real.geojson').write_bytes(b'{"type": "FeatureCollection", "features": []}')
    (tmp_path / 'real.geojson').chmod(0o640)
    (tmp_path / 'link.geojson').symlink_to(tmp_path / 'real.geojson')
    serve({'g': 'geometry'}, [{'g': FULL['place']}]).to_file(tmp_path / 'link.geojson')
    assert (tmp_path / 'link.geojson').is_symlink()
    assert (tmp_path / 'real.geojson').stat().st_mode & 0o777 == 0o640
    assert len(pyogrio.read_dataframe(tmp_path / 'real.geojson')) == 1


def test_to_file__interrupted(serve, tmp_path, monkeypatch):
    (tmp_path / 'x.csv').write_bytes(b'old')

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt
    monkeypatch.setattr(pyogrio, 'write_dataframe', interrupt)
    with pytest.raises(KeyboardInterrupt):
        serve({'a': 'integer'}, [{'a': 1}]).to_file(tmp_path / 'x.csv')
    assert contents(tmp_path) == {'x.csv': b'old'}


# extras

@pytest.mark.parametrize('method, extra, modules', [
    ('to_dataframe', 'pandas', ['pandas']),
    ('to_geodataframe', 'geo', ['pandas', 'geopandas', 'shapely', 'pyproj', 'pyogrio']),
    ('to_arrow', 'arrow', ['pyarrow', 'pandas', 'geopandas', 'shapely', 'pyproj'])])
def test_missing_extra(serve, wire, monkeypatch, method, extra, modules):
    cursor = serve(TYPES, [FULL])
    for module in modules:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(AmigoCloudError,
                               match=r'{}: pip install "amigocloud\[{}\]"'.format(module, extra)):
                getattr(cursor, method)()
    assert not wire.requests


def test_missing_extra__to_file(serve, wire, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyogrio', None)
    with pytest.raises(AmigoCloudError, match=r'pyogrio: pip install "amigocloud\[geo\]"'):
        serve(TYPES, [FULL]).to_file('x.gpkg')
    assert not wire.requests


# the sandbox

def test_sandbox(sandbox, tmp_path):
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        cursor = amigocloud.project(sandbox.project_id).dataset(sandbox.vehicles_id).read(limit=2)
        frame = cursor.to_geodataframe()
        assert dtypes(frame) == {'amigo_id': 'string', 'name': 'string', 'kind': 'string',
                                 'seats': 'Int32',
                                 'location': 'geometry'}
        assert frame['seats'].sum() == 446 and frame.crs.to_epsg() == 4326
        assert frame.set_index('name').location['Bus 7'].wkt == 'POINT (-122.4194 37.7749)'
        cursor.to_file(tmp_path / 'vehicles.gpkg')
        assert len(pyogrio.read_dataframe(tmp_path / 'vehicles.gpkg')) == 5
        dataset = amigocloud.project(sandbox.project_id).dataset(sandbox.places_id)
        places = dataset.read().to_geodataframe()
        assert places.geometry.isna().all()
        assert len(amigocloud.get_cursor('me/projects').to_dataframe()) >= 28
