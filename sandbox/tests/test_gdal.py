"""GDAL's AmigoCloud driver, in pyogrio's wheels and in Debian's gdal-bin: SERVICE.md, GDAL's AmigoCloud driver."""
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from amigocloud import AmigoCloud

pytest_plugins = ['sandbox_api']
pytestmark = pytest.mark.slow
#: What pyogrio has no function for is called in its GDAL itself.
PRELUDE = r"""
import ctypes, glob, json, os, warnings
import numpy, pyogrio, pyogrio.raw, shapely

warnings.simplefilter('ignore')
gdal = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(pyogrio.__file__), '..', 'pyogrio.libs', 'libgdal*'))[0])
handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
for name, result, *arguments in (
        ('GDALOpenEx', handle, text, ctypes.c_uint, handle, ctypes.POINTER(text), handle), ('GDALClose', None, handle),
        ('GDALDatasetGetLayer', handle, handle, number), ('GDALDatasetDeleteLayer', number, handle, number),
        ('OGR_L_GetNextFeature', handle, handle), ('OGR_L_GetLayerDefn', handle, handle),
        ('OGR_L_SetFeature', number, handle, handle), ('OGR_L_CreateFeature', number, handle, handle),
        ('OGR_L_DeleteFeature', number, handle, ctypes.c_longlong), ('OGR_F_GetFID', ctypes.c_longlong, handle),
        ('OGR_F_Create', handle, handle), ('OGR_F_GetFieldIndex', number, handle, text),
        ('OGR_F_SetFieldString', None, handle, number, text)):
    getattr(gdal, name).restype, getattr(gdal, name).argtypes = result, arguments
VECTOR, UPDATE = 4, 1


def opened(dataset, *options):
    source = 'AMIGOCLOUD:1 datasets={}'.format(dataset).encode()
    return gdal.GDALOpenEx(source, VECTOR | UPDATE, None, (text * (len(options) + 1))(*options, None), None)


def set_text(feature, column, value):
    gdal.OGR_F_SetFieldString(feature, gdal.OGR_F_GetFieldIndex(feature, column), value)


def created(name, geometry, kind, fields):
    pyogrio.raw.write('AMIGOCLOUD:1', shapely.to_wkb(geometry), list(fields.values()), list(fields), layer=name,
                      driver='AmigoCloud', geometry_type=kind, crs='EPSG:4326', append=True)
"""


def pytest_generate_tests(metafunc):
    if 'sandbox' in metafunc.fixturenames:
        metafunc.parametrize('sandbox', ['sqlite', 'postgresql'], indirect=True, scope='module')


@pytest.fixture
def gdal(sandbox):
    """Run a script with GDAL, and return what it prints."""
    pyogrio = pytest.importorskip('pyogrio')
    if 'AmigoCloud' not in pyogrio.list_drivers():
        pytest.skip('this GDAL has no AmigoCloud driver')

    return lambda script: output_of(sandbox, sys.executable, '-c', PRELUDE + script)


@pytest.fixture
def gdal_bin(sandbox):
    """Run a command of Debian's gdal-bin, and return what it prints."""
    if shutil.which('ogr2ogr') is None:
        pytest.skip('there are no commands of GDAL (apt-get install gdal-bin)')
    if 'AmigoCloud' not in output_of(sandbox, 'ogrinfo', '--formats'):
        pytest.skip('this GDAL has no AmigoCloud driver')
    return lambda *command: output_of(sandbox, *command)


def output_of(sandbox, *command):
    env = dict(os.environ, AMIGOCLOUD_API_URL=sandbox.url + '/api/v1', AMIGOCLOUD_API_KEY=sandbox.token)
    return subprocess.check_output(command, env=env, universal_newlines=True)


def test_gdal__lists_and_reads(sandbox, gdal):
    output = gdal("""
source = 'AMIGOCLOUD:1 datasets=1'
names = lambda **options: pyogrio.raw.read(source, columns=['name'], **options)[3][0].tolist()
pyogrio.list_layers('AMIGOCLOUD:1 datasets')
found = [pyogrio.read_info(source)['features'], names(where='seats = 110'),
         pyogrio.raw.read(source, sql='SELECT amigo_id, seats FROM dataset_1 WHERE seats > 200')[3][-1].tolist()]
try:
    found.append(names(bbox=(-122.40, 37.7, -122.39, 37.79555)))
    found.append(names(mask=shapely.box(-122.40, 37.7, -122.39, 37.79555)))
except pyogrio.errors.FeatureError as error:
    found.append(str(error))
print(json.dumps(found))
""")
    assert '| 1\t | vehicles' in output
    features, by_condition, by_sql, *in_boxes = json.loads(output.splitlines()[-1])
    assert (features, by_condition, set(by_sql)) == (5, ['Tram F'], {250})     # the driver repeats rows
    # What SQLite cannot answer, it refuses.
    assert in_boxes == [['Tram F'], ['Tram F']] or not sandbox.engine.startswith('Postgre') and 'error' in in_boxes[0]


def test_gdal__creates(gdal, api):
    gdal("""
fields = {'whole': numpy.array([5], 'int32'), 'big': numpy.array([2 ** 40]), 'part': numpy.array([1.5]),
          'name': numpy.array(['a'], object), 'day': numpy.array(['2020-01-02'], 'datetime64[D]'),
          'moment': numpy.array(['2020-01-02T03:04:05'], 'datetime64[ms]')}
created('points', [shapely.Point(1, 2)], 'Point', fields)
for geometry in (shapely.MultiPoint([(0, 0)]), shapely.LineString([(0, 0), (1, 1)]), shapely.box(0, 0, 1, 1)):
    created(geometry.geom_type, [geometry], geometry.geom_type, {'size': numpy.array([1], 'int32')})
""")
    made = {dataset['name']: dataset for dataset in api.get('/projects/1/datasets', limit=100)['results']}
    assert [made[name]['boundingbox'] for name in ('MultiPoint', 'LineString', 'Polygon')] == [
        'BOX(0 0,0 0)', 'BOX(0 0,1 1)', 'BOX(0 0,1 1)']
    row, = api.sql('SELECT *, ST_AsText(wkb_geometry) AS place FROM ' + made['points']['table_name'])['data']
    assert {name: row[name] for name in ('whole', 'big', 'part', 'name', 'day', 'place')} == {
        'whole': 5, 'big': 2 ** 40, 'part': 1.5, 'name': 'a', 'day': '2020-01-02', 'place': 'POINT(1 2)'}
    assert row['moment'].startswith('2020-01-02 03:04:05')


def test_gdal__many_features_in_one_request(gdal, api):
    gdal("""
created('many', shapely.points(numpy.arange(40000).reshape(-1, 2) / 400), 'Point', {
    'name': numpy.array(['x' * 200] * 20000, object)})
""")
    assert [dataset['feature_count'] for dataset in api.get('/projects/1/datasets', limit=100)['results']
            if dataset['name'] == 'many'] == [20000]


def test_gdal__changes_overwrites_and_deletes(sandbox, gdal, api):
    output = gdal("""
dataset = opened(1)
layer = gdal.GDALDatasetGetLayer(dataset, 0)
feature = gdal.OGR_L_GetNextFeature(layer)
set_text(feature, b'kind', b'changed')
new = gdal.OGR_F_Create(gdal.OGR_L_GetLayerDefn(layer))
set_text(new, b'name', b'new')
results = [gdal.OGR_L_SetFeature(layer, feature), gdal.OGR_L_CreateFeature(layer, new),
           gdal.OGR_L_DeleteFeature(layer, gdal.OGR_F_GetFID(gdal.OGR_L_GetNextFeature(layer)))]
gdal.GDALClose(dataset)
gdal.GDALClose(opened(2, b'OVERWRITE=YES'))
print(json.dumps(results))
""")
    assert json.loads(output) == [0, 0, 0]
    rows = api.sql('SELECT name, kind FROM dataset_1 ORDER BY name')['data']
    assert [row['name'] for row in rows if row['kind'] == 'changed'] == ['Bus 7'] and 'new' in [
        row['name'] for row in rows] and len(rows) == 5
    assert api.get('/projects/1/datasets/2')['feature_count'] == 0
    assert gdal("""
dataset = opened(2)
print(gdal.GDALDatasetDeleteLayer(dataset, 0))
gdal.GDALClose(dataset)
""") == '0\n'
    api.get('/projects/1/datasets/2', 404)


def test_gdal_bin__writes_and_reads(sandbox, gdal_bin, tmp_path):
    """The commands that users type; what they stored is read back through the library."""
    features = [{'type': 'Feature', 'geometry': {'type': 'Point', 'coordinates': [number, 2]}, 'properties': {
        'name': name, 'height': number + 0.5, 'day': '2020-01-0{}'.format(number)}}
        for number, name in ((1, 'oak'), (3, 'ash'))]
    source = tmp_path / 'trees.geojson'
    source.write_text(json.dumps({'type': 'FeatureCollection', 'features': features}))
    with AmigoCloud(sandbox.token, sandbox.project_url, sandbox.url, use_websockets=False) as client:
        gdal_bin('ogr2ogr', '-f', 'AmigoCloud', 'AmigoCloud:1', str(source), '-nln', 'trees')
        made, = client.get('datasets', {'search': 'trees'})['results']
        query = 'SELECT name, height, day, ST_AsText(wkb_geometry) AS place FROM {table_name} ORDER BY name'
        expected = [{'name': 'ash', 'height': 3.5, 'day': '2020-01-03', 'place': 'POINT(3 2)'},
                    {'name': 'oak', 'height': 1.5, 'day': '2020-01-01', 'place': 'POINT(1 2)'}]
        assert list(client.get_cursor('sql', {'query': query.format(**made)})) == expected
        assert '| {id}\t | trees'.format(**made) in gdal_bin('ogrinfo', 'AmigoCloud:1 datasets')
        target, layer = 'AmigoCloud:1 datasets={id}'.format(**made), str(made['id'])
        for only, *options in (('ash', '-where', "name = 'ash'"), ('oak', '-spat', '0', '0', '2', '3'), (
                'ash', '-sql', 'SELECT name, amigo_id FROM {table_name} WHERE height > 2'.format(**made))):
            output = gdal_bin('ogrinfo', '-al', '-q', target, *options)
            assert set(re.findall(r'name \(String\) = (\w+)', output)) == {only}
        copy = json.loads(gdal_bin('ogr2ogr', '-f', 'GeoJSON', '/vsistdout/', target))
        assert sorted(feature['properties']['name'] for feature in copy['features']) == ['ash', 'oak']
        to_layer = ['ogr2ogr', '-f', 'AmigoCloud', target, str(source), '-nln', layer]
        gdal_bin(*to_layer, '-append')
        assert client.get(made['url'])['feature_count'] == 4
        gdal_bin(*to_layer, '-append', '-doo', 'OVERWRITE=YES')
        assert list(client.get_cursor('sql', {'query': query.format(**made)})) == expected
        gdal_bin(*to_layer, '-overwrite')
        assert client.get('datasets', {'search': 'trees'})['results'] == []
        made, = client.get('datasets', {'search': layer})['results']
        assert list(client.get_cursor('sql', {'query': query.format(**made)})) == expected
