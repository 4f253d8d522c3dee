# coding: utf-8
"""The sandbox reads the files that users upload, and writes those that they export: ours, where no test says more."""
import io
import json
import struct
import zipfile
import zlib

import pytest
import shapely

from amigocloud_sandbox.files import drawing, formats, kml
from amigocloud_sandbox.sql.geometry import parse_geometry
from amigocloud_sandbox.sql.sqlite.database import Database

pytestmark = pytest.mark.slow

SCHEMA = [{'name': 'amigo_id', 'type': 'string'}, {'name': 'name', 'type': 'string'},
          {'name': 'size', 'type': 'integer'}, {'name': 'big', 'type': 'bigint'}, {'name': 'part', 'type': 'float'},
          {'name': 'open', 'type': 'boolean'}, {'name': 'day', 'type': 'date'}, {'name': 'geom', 'type': 'geometry'}]
ROWS = [{'amigo_id': 'a1', 'name': u'é, "<&>"\nx', 'size': 1, 'big': 2 ** 40, 'part': 0.5, 'open': True,
         'day': '2020-01-02', 'geom': '0101000020E6100000000000000000F03F0000000000000040'},
        {'amigo_id': 'a2', 'name': None, 'size': None, 'big': None, 'part': None, 'open': None, 'day': None,
         'geom': None}]


@pytest.fixture
def write(tmp_path):
    """Write a text or bytes into a file; return its path."""
    def write_text(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode('utf-8'))
        return str(path)
    return write_text


@pytest.fixture
def exported(tmp_path):
    """Export rows; return the path, with the suffix that reading wants."""
    def export(kind, rows=ROWS, schema=SCHEMA):
        path = str(tmp_path / 'export.{}'.format({'SHP': 'zip'}.get(kind, kind.lower())))
        formats.write_file(schema, rows, kind, path)
        return path
    return export


def kinds(schema):
    return {column['name']: column['type'] for column in schema}


def texts(rows, column):
    """Return the geometry of rows as EWKT."""
    return [row[column] and 'SRID={};{}'.format(shapely.get_srid(row[column]), row[column].wkt) for row in rows]


def pixels(png, width):
    """Return the colours of a PNG of `drawing.draw` by line, having checked its frame."""
    assert png[:8] == b'\x89PNG\r\n\x1a\n'
    chunks, position = {}, 8
    while position < len(png):
        size, kind = struct.unpack_from('>I4s', png, position)
        data = png[position + 8:position + 8 + size]
        assert struct.unpack_from('>I', png, position + 8 + size)[0] == zlib.crc32(kind + data)
        chunks[kind] = data
        position += size + 12
    assert struct.unpack('>II', chunks[b'IHDR'][:8])[0] == width
    raw = zlib.decompress(chunks[b'IDAT'])
    lines = [raw[start:start + 4 * width + 1] for start in range(0, len(raw), 4 * width + 1)]
    return [[tuple(line[1 + 4 * x:5 + 4 * x]) for x in range(width)] for line in lines]


def refusal(path):
    with pytest.raises(formats.FormatError) as caught:
        formats.read_file(path)
    return str(caught.value)


# CSV

def test_csv__types(write):
    schema, rows = formats.read_file(write('a.csv', (
        u'name,size,big,part,zip,open,day,time,none\n'
        u'"é, b",1,12345678901,1.5,007,true,2020-01-02,2020-01-02 3:04,\n,-2,1,2,10,FALSE,,,\n')))
    assert kinds(schema) == {
        'name': 'string', 'size': 'integer', 'big': 'bigint', 'part': 'float', 'zip': 'string', 'open': 'boolean',
        'day': 'date', 'time': 'datetime', 'none': 'string'}
    assert rows == [
        {'name': u'é, b', 'size': 1, 'big': 12345678901, 'part': 1.5, 'zip': '007', 'open': True, 'day': '2020-01-02',
         'time': '2020-01-02 03:04:00', 'none': None},
        {'name': None, 'size': -2, 'big': 1, 'part': 2.0, 'zip': '10', 'open': False, 'day': None, 'time': None,
         'none': None}]


@pytest.mark.parametrize('header', ['latitude,longitude', 'Lat,Lng', 'LAT,lon', 'y,x'])
def test_csv__location(write, header):
    schema, rows = formats.read_file(write('a.csv', header + '\n1.5,2\n,\n'))
    assert schema[-1] == {'name': 'location', 'type': 'geometry'}
    assert texts(rows, 'location') == ['SRID=4326;POINT (2 1.5)', None]


def test_csv__column_of_wkt(write):
    schema, rows = formats.read_file(write('a.csv', 'id,shape,lat,lng\n1,"LINESTRING(0 0,1 1)",1,2\n'
                                                    '2,SRID=3857;POINT(1 2),1,2\n'))
    assert kinds(schema) == {'id': 'integer', 'shape': 'geometry', 'lat': 'integer', 'lng': 'integer'}
    assert texts(rows, 'shape') == ['SRID=0;LINESTRING (0 0, 1 1)', 'SRID=3857;POINT (1 2)']


@pytest.mark.parametrize('content', [u'\ufeffa;b\r\né;"x;y"\r\n', u'a\tb\né\tx;y\n', u'a|b\né|x;y'])
def test_csv__delimiters(write, content):
    assert formats.read_file(write('a.csv', content))[1] == [{'a': u'é', 'b': 'x;y'}]


def test_csv__other_encoding(write):
    assert formats.read_file(write('a.csv', u'a\né\n'.encode('latin-1')))[1] == [{'a': u'é'}]


def test_csv__names(write):
    schema, _ = formats.read_file(write('a.csv', 'Name,name,,AMIGO_ID\n1,2,3,4\n'))
    assert kinds(schema) == {'Name': 'integer', 'name_2': 'integer', 'field_3': 'integer', 'amigo_id': 'string'}


@pytest.mark.parametrize('name, content, message', [
    ('a.csv', '', 'The file is empty.'), ('a.csv', '\n1\n', 'The file is empty.'),
    ('a.csv', 'a,b\n1,2,3\n', 'The file is not valid CSV: a row has more values than there are columns.'),
    ('a.csv', 'a,b\n"1,2\n', 'The file is not valid CSV: unexpected end of data.'),
    ('a.kml', '<kml', 'The file is not valid KML: unclosed token: line 1, column 0.'),
    ('a.kml', '<html/>', 'The file is not valid KML: it has no element <kml>.'),
    ('a.kml', '<kml><Placemark><Point/></Placemark></kml>',
     'The file is not valid KML: a geometry has no coordinates.'),
    ('a.zip', 'no archive', 'The file is not a valid archive.'),
    ('a.txt', '', 'Files of the type ".txt" are not supported.')])
def test_read_file__refuses(write, name, content, message):
    assert refusal(write(name, content)) == message


@pytest.mark.parametrize('content', ['', 'nothing', '{"type": "Fruit"}'])
def test_geojson__refuses(write, content):
    assert refusal(write('a.geojson', content)).startswith('The file cannot be read: ')


def test_archive__refuses_one_without_a_dataset(write):
    held = io.BytesIO()
    with zipfile.ZipFile(held, 'w') as archive:
        archive.writestr('note.txt', 'x')
    assert refusal(write('a.zip', held.getvalue())) == (
        'The archive holds no shapefile, nor another file that can be read.')


# GeoJSON, KML, shapefile

def test_geojson__types(write):
    features = [{'type': 'Feature', 'geometry': {'type': 'Point', 'coordinates': [1, 2]}, 'properties': {
        'name': u'é', 'size': 1, 'big': 5000000000, 'part': 1.5, 'open': True, 'day': '2020-01-02', 'more': {'a': 1}}},
        {'type': 'Feature', 'geometry': None, 'properties': {'name': None, 'size': None, 'open': None, 'day': None}}]
    collection = {'type': 'FeatureCollection', 'features': features}
    schema, rows = formats.read_file(write('a.geojson', json.dumps(collection)))
    assert kinds(schema) == {'name': 'string', 'size': 'integer', 'big': 'bigint', 'part': 'float', 'open': 'boolean',
                             'day': 'date', 'more': 'string', 'wkb_geometry': 'geometry'}
    assert texts(rows, 'wkb_geometry') == ['SRID=4326;POINT (1 2)', None]
    assert [rows[0][name] for name in ('name', 'size', 'big', 'part', 'open', 'day')] == [
        u'é', 1, 5000000000, 1.5, True, '2020-01-02']
    assert json.loads(rows[0]['more']) == {'a': 1}
    assert set(rows[1].values()) == {None}


def test_geojson__without_a_feature(write):
    schema, rows = formats.read_file(write('a.json', '{"type": "FeatureCollection", "features": []}'))
    assert (schema, rows) == ([{'name': 'wkb_geometry', 'type': 'geometry'}], [])


KML = u'''<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Folder><Placemark><name> é </name><Point><coordinates>1,2,3</coordinates></Point></Placemark></Folder>
<Placemark><ExtendedData><Data name="size"><value>5</value></Data></ExtendedData><Polygon><outerBoundaryIs><LinearRing>
<coordinates>0,0 4,0 4,4 0,0</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>
<Placemark><ExtendedData><SchemaData><SimpleData name="kind">x</SimpleData></SchemaData></ExtendedData>
<MultiGeometry><Point><coordinates>1,2</coordinates></Point><Point><coordinates>3,4</coordinates></Point></MultiGeometry>
</Placemark></Document></kml>'''


@pytest.mark.parametrize('name', ['a.kml', 'a.kmz', 'a.zip'])
def test_kml(write, name):
    content = KML.encode('utf-8')
    if name != 'a.kml':
        held = io.BytesIO()
        with zipfile.ZipFile(held, 'w') as archive:
            archive.writestr('doc.kml', content)
        content = held.getvalue()
    schema, rows = formats.read_file(write(name, content))
    assert kinds(schema) == {'name': 'string', 'size': 'integer', 'kind': 'string', 'wkb_geometry': 'geometry'}
    assert [(row['name'], row['size'], row['kind']) for row in rows] == [
        (u'é', None, None), (None, 5, None), (None, None, 'x')]
    assert texts(rows, 'wkb_geometry') == ['SRID=4326;POINT Z (1 2 3)', 'SRID=4326;POLYGON ((0 0, 4 0, 4 4, 0 0))',
                                           'SRID=4326;' + shapely.MultiPoint([(1, 2), (3, 4)]).wkt]


def test_shapefile__two_in_folders_of_an_archive(exported, write):
    held = io.BytesIO()
    with zipfile.ZipFile(exported('SHP')) as archive, zipfile.ZipFile(held, 'w') as both:
        for name in archive.namelist():
            for folder in ('one/', 'two/'):
                both.writestr(folder + name, archive.read(name))
    _, rows = formats.read_file(write('both.zip', held.getvalue()))
    assert [row['amigo_id'] for row in rows] == ['a1', 'a2', 'a1', 'a2']


def test_shapefile__keeps_its_srid(exported):
    rows = [{'name': 'x', 'geom': '0101000020110F0000000000000000F03F0000000000000040'}]
    assert texts(formats.read_file(exported('SHP', rows))[1], 'wkb_geometry') == ['SRID=3857;POINT (1 2)']


# export

@pytest.mark.parametrize('kind', ['CSV', 'GEOJSON', 'KML', 'kml'])
def test_write_file__comes_back(exported, kind):
    schema, rows = formats.read_file(exported(kind))
    geometry = 'geom' if kind == 'CSV' else 'wkb_geometry'
    assert kinds(schema) == {('wkb_geometry' if column['name'] == 'geom' and kind != 'CSV' else column['name']):
                             column['type'] for column in SCHEMA}
    assert texts(rows, geometry) == ['SRID=4326;POINT (1 2)', None]
    assert [{name: row[name] for name in row if name != geometry} for row in rows] == [
        {name: row[name] for name in row if name != 'geom'} for row in ROWS]


def test_write_file__geojson_is_json(exported):
    with open(exported('GEOJSON')) as file:
        content = json.load(file)
    assert content['type'] == 'FeatureCollection'
    assert content['features'][0]['geometry'] == {'type': 'Point', 'coordinates': [1.0, 2.0]}
    assert content['features'][0]['properties'] == {name: ROWS[0][name] for name in ROWS[0] if name != 'geom'}
    assert content['features'][1]['geometry'] is None


@pytest.mark.parametrize('kind', ['CSV', 'GEOJSON', 'KML'])
def test_write_file__without_rows(exported, kind):
    assert formats.read_file(exported(kind, []))[1] == []


def test_write_file__refuses():
    with pytest.raises(formats.FormatError) as caught:
        formats.write_file(SCHEMA, ROWS, 'GPX', 'x')
    assert str(caught.value) == 'The format "GPX" is not supported.'


@pytest.mark.parametrize('shape', [
    'POLYGON ((0 0, 9 0, 9 9, 0 0), (5 1, 6 1, 6 2, 5 1))', 'MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))',
    'LINESTRING (0.1 0.2, 1 1)', 'GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))'])
def test_kml__geometry_comes_back(tmp_path, shape):
    path, geometry = str(tmp_path / 'a.kml'), shapely.from_wkt(shape)
    kml.write_kml([({}, geometry)], path)
    with open(path, 'rb') as file:
        assert kml.read_kml(file) == [({}, geometry)]


def test_imported_rows_go_into_a_table(write):
    schema, rows = formats.read_file(write('a.csv', 'name,lat,lng\nx,1,2\n'))
    database = Database(':memory:')
    database.create(1, schema, rows)
    assert database.read('SELECT name, ST_AsText(location) AS at FROM dataset_1', 10, 0)['data'] == [
        {'name': 'x', 'at': 'POINT(2 1)'}]
    database.close()


# preview

def preview(geometries, size):
    return drawing.draw([parse_geometry(geometry) for geometry in geometries], size)


def test_preview__nothing_is_a_blank_image():
    for geometries in ([], ['POINT EMPTY']):
        colours = {colour for line in pixels(preview(geometries, (40, 20)), 40) for colour in line}
        assert colours == {(255, 255, 255, 255)}


def test_preview__polygon_with_a_hole():
    image = pixels(preview(['POLYGON((0 0,30 0,30 30,0 30,0 0),(0.1 0.1,15 0.1,15 15,0.1 15,0.1 0.1))'],
                           (100, 100)), 100)
    white = (255, 255, 255, 255)
    assert image[30][70] == image[70][70] == image[30][30] != white      # the hole is south-west
    assert image[70][30] == image[50][2] == white
    assert image[50][93] not in (white, image[30][70])                   # the outline


def test_preview__point_is_in_the_middle():
    image = pixels(preview(['0101000020E6100000000000000000F03F0000000000000040'], (41, 21)), 41)
    white = (255, 255, 255, 255)
    painted = [(x, y) for y, line in enumerate(image) for x, colour in enumerate(line) if colour != white]
    assert (20, 10) in painted
    assert {x for x, _ in painted} == set(range(18, 23))
    assert {y for _, y in painted} == set(range(8, 13))


# tiles: SERVICE.md, Jobs, exports, tiles, maps

def test_tile__shows_what_is_on_it():
    area = shapely.from_wkt('POLYGON((-170 10,-10 10,-10 80,-170 80,-170 10))')
    clear = (255, 255, 255, 0)
    north_west, south_west = [pixels(drawing.draw_tile([area], 1, 0, y), 256) for y in (0, 1)]
    assert north_west[200][128] not in (clear, north_west[0][0]) and north_west[0][0] == clear
    assert {colour for line in south_west for colour in line} == {clear}


@pytest.mark.parametrize('wkt', [
    'LINESTRING(-180 -80,180 80)', 'POLYGON((-1 -1,1 1,1 -1,-1 1,-1 -1))', 'POINT EMPTY', 'POINT(0 90)',
    'GEOMETRYCOLLECTION(POINT(0 0),LINESTRING(0 0,1 1))'])
def test_tile__of_shapes_that_are_large_or_bad(wkt):
    shape = shapely.from_wkt(wkt)
    middle = 2 ** 24
    assert pixels(drawing.draw_tile([shape], 25, middle, middle), 256)
    assert len(drawing.utf_grid([('x', shape)], 0, 0, 0)['grid']) == 64


def test_tile__grid_names_what_is_where():
    points = [({'amigo_id': str(number)}, shapely.Point(-170 + 5 * number, 0)) for number in range(70)]
    grid = drawing.utf_grid(points, 0, 0, 0)
    assert not set(''.join(grid['grid'])) & set('"\\')

    def key(letter):
        code = ord(letter) - 32
        return grid['keys'][code - (code > 1) - (code > 58)]
    row = [key(letter) for letter in grid['grid'][32]]
    assert [grid['data'][name]['amigo_id'] for name in dict.fromkeys(row) if name][-1] == '69'
    assert key(grid['grid'][0][0]) == ''
    west, south, east, north = drawing.box_of_tile(1, 0, 0)
    assert west < -180 < east and 0 < east < 10 and -10 < south < 0 and north > 85
