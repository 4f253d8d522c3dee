"""Files in and out: CSV, KML, and what GDAL reads, which pyogrio brings along."""

import csv
import io
import os
import re
import shutil
import tempfile
import zipfile
import zlib

import numpy
import shapely

from ..sql.geometry import WGS84, parse_geometry, to_ewkt
from ..sql.types import CASTS, SQLError
from .kml import read_kml, write_kml

_DELIMITERS = ',;\t|'
#: A polygon as WKT is easily longer than the 128 KiB that the csv module takes by default.
_MAX_FIELD_CHARACTERS = 2 ** 31 - 1
_LONGITUDES, _LATITUDES = ('longitude', 'lng', 'lon', 'long', 'x'), ('latitude', 'lat', 'y')
_GEOMETRY_TEXT = re.compile(
    r'(SRID=\d+;)?\s*(MULTI)?(POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION)\b.*|0[01][0-9A-F]{40,}', re.I | re.DOTALL)
#: The types of a CSV column, the narrowest first, and how their values look. What would lose digits (007) is text.
_TEXT_TYPES = (
    ('integer', re.compile(r'-?(0|[1-9]\d{0,8})')), ('bigint', re.compile(r'-?(0|[1-9]\d{0,17})')),
    ('float', re.compile(r'-?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)([eE][-+]?\d+)?')),
    ('boolean', re.compile(r'true|false', re.IGNORECASE)), ('date', re.compile(r'\d{4}-\d\d-\d\d')),
    ('datetime', re.compile(r'\d{4}-\d\d-\d\d[T ]\d{1,2}:\d\d.*')),
)

_GDAL_SUFFIXES = ('.geojson', '.json', '.gpkg', '.shp')
_GDAL_DRIVERS = {'GEOJSON': 'GeoJSON', 'SHP': 'ESRI Shapefile'}
# Those of pyogrio are RuntimeErrors. It is imported where it is used, because it takes as long as the rest of a start.
_GDAL_ERRORS = (RuntimeError, ValueError)
_GEOMETRY_COLUMN = 'wkb_geometry'


class FormatError(Exception):
    """A file that cannot be read or written as what it should be; the message is for the user who sent it."""


def read_file(path, delimiter=None, decimal_separator=None):
    """Read a file of rows with geometry.

    Args:
        path (str): a .csv, .geojson, .json, .kml, .kmz or .gpkg file, or a .zip with such a file or a shapefile inside.
            All layers of a file become one list of rows.
        delimiter (str): what stands between the values of a CSV; by default it is found.
        decimal_separator (str): what stands before the decimals of a CSV; by default a point.

    Returns:
        tuple: the schema (a list of `name` and `type`) and the rows (a list of dict; geometry is shapely's, with its
        SRID). A CSV with columns of longitude and latitude gets a point `location`; a column of WKT is geometry.

    Raises:
        FormatError: the file is none of these, or is damaged.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix == '.csv':
        return _read_csv(path, delimiter, decimal_separator)
    if suffix == '.kml':
        with open(path, 'rb') as file:
            return _read_kml(file)
    if suffix in ('.zip', '.kmz'):
        return _read_archive(path)
    if suffix in _GDAL_SUFFIXES:
        return _read_gdal([path])
    raise FormatError('Files of the type "{}" are not supported.'.format(suffix))


def _unique_names(names):
    """Make names that a table can have: none empty, none twice in any case."""
    taken, result = set(), []
    for number, name in enumerate(names, 1):
        name = base = name.strip() or 'field_{}'.format(number)
        copy = 1
        while name.lower() in taken:
            copy += 1
            name = '{}_{}'.format(base, copy)
        taken.add(name.lower())
        result.append('amigo_id' if name.lower() == 'amigo_id' else name)
    return result


def _read_csv(path, delimiter, decimal_separator):
    with open(path, 'rb') as file:
        data = file.read()
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError:
        text = data.decode('latin-1')      # what spreadsheets on Windows write, near enough
    header = text.split('\n', 1)[0]
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    try:
        delimiter = delimiter or max(_DELIMITERS, key=header.count)
        lines = list(csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise FormatError('The file is not valid CSV: {}.'.format(error)) from error
    if not lines or not any(lines[0]):
        raise FormatError('The file is empty.')
    names = _unique_names(lines[0])
    lines = [line for line in lines[1:] if line]
    if any(len(line) > len(names) for line in lines):
        raise FormatError('The file is not valid CSV: a row has more values than there are columns.')
    columns = {name: [line[index].strip() or None if index < len(line) else None for line in lines]
               for index, name in enumerate(names)}
    schema = []
    for name, values in columns.items():
        kind, columns[name] = _typed(values, decimal_separator or '.') if name != 'amigo_id' else ('string', values)
        schema.append({'name': name, 'type': kind})
    _add_location(schema, columns)
    return schema, [dict(zip(columns, row)) for row in zip(*columns.values())]


def _typed(values, decimal_separator='.'):
    """Find the type of a CSV column, and make its values of that type."""
    present = [value for value in values if value is not None]
    if decimal_separator != '.':
        points = [value.replace(decimal_separator, '.') for value in present]
        if points and '.' not in ''.join(present) and all(map(dict(_TEXT_TYPES)['float'].fullmatch, points)):
            return _typed([value and value.replace(decimal_separator, '.') for value in values])
    kind = next((kind for kind, pattern in _TEXT_TYPES if present and all(map(pattern.fullmatch, present))), 'string')
    cast = CASTS[kind]
    if present and all(map(_GEOMETRY_TEXT.fullmatch, present)):
        kind, cast = 'geometry', parse_geometry
    try:
        return kind, [value if value is None else cast(value) for value in values]
    except SQLError:        # it looked like a date or WKT, and is none
        return 'string', values


def _add_location(schema, columns):
    kinds = {column['name'].lower(): (column['name'], column['type']) for column in schema}
    if any(kind == 'geometry' for _, kind in kinds.values()):
        return
    found = [next((kinds[name][0] for name in names if name in kinds and kinds[name][1] in ('integer', 'float')), None)
             for names in (_LONGITUDES, _LATITUDES)]
    if None in found:
        return
    name = _unique_names([*columns, 'location'])[-1]
    schema.append({'name': name, 'type': 'geometry'})
    columns[name] = [None if None in point else shapely.set_srid(shapely.Point(point), WGS84)
                     for point in zip(columns[found[0]], columns[found[1]])]


def _read_kml(file):
    try:
        placemarks = read_kml(file)
    except (ValueError, shapely.errors.ShapelyError) as error:
        raise FormatError('The file is not valid KML: {}.'.format(error)) from error
    found = list(dict.fromkeys(name for texts, _ in placemarks for name in texts))
    schema, columns = [], {}
    for name, unique in zip(found, _unique_names(found)):
        kind, columns[unique] = _typed([texts.get(name) for texts, _ in placemarks])
        schema.append({'name': unique, 'type': kind})
    geometry = _unique_names([*columns, _GEOMETRY_COLUMN])[-1]
    schema.append({'name': geometry, 'type': 'geometry'})
    columns[geometry] = [shape and shapely.set_srid(shape, WGS84) for _, shape in placemarks]
    return schema, [dict(zip(columns, row)) for row in zip(*columns.values())]


def _read_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.startswith('__MACOSX/')]
            for suffixes in ('.shp', _GDAL_SUFFIXES):
                found = [name for name in names if name.lower().endswith(suffixes)]
                if found:
                    return _read_gdal(['/vsizip/{{{}}}/{}'.format(os.path.abspath(path), name) for name in found])
            for name in names:
                if name.lower().endswith('.kml'):
                    with archive.open(name) as file:
                        return _read_kml(file)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise FormatError('The file is not a valid archive.') from error
    raise FormatError('The archive holds no shapefile, nor another file that can be read.')


def _read_gdal(paths):
    import pyogrio
    schema, rows = {}, []
    try:
        for path in paths:
            for layer in [layer for layer, _ in pyogrio.list_layers(path)]:
                kinds, columns = _read_layer(path, layer)
                for name, kind in kinds.items():
                    # a column that two layers have with two types can only be text
                    schema[name] = kind if schema.get(name, kind) == kind else 'string'
                rows += [dict(zip(columns, row)) for row in zip(*columns.values())]
    except _GDAL_ERRORS as error:
        message = str(error).replace(path, os.path.basename(path))
        raise FormatError('The file cannot be read: {}'.format(message)) from error
    return [{'name': name, 'type': kind} for name, kind in schema.items()], rows


def _read_layer(path, layer):
    import pyogrio
    meta, _, shapes, fields = pyogrio.raw.read(path, layer=layer, datetime_as_string=True)
    kinds, columns = {}, {}
    for name, dtype, values in zip(_unique_names(meta['fields']), meta['dtypes'], fields):
        kinds[name], columns[name] = _plain(str(dtype), values)
    if shapes is not None:
        name = _unique_names([*columns, _GEOMETRY_COLUMN])[-1]
        kinds[name] = 'geometry'
        columns[name] = list(shapely.set_srid(shapely.from_wkb(shapes), _srid(meta['crs'])))
    return kinds, columns


def _plain(dtype, values):
    """Make Python's values, and the service's type, of a column as GDAL gives it; missing numbers are NaN there."""
    kinds = (('bool', 'boolean', bool), ('int64', 'bigint', int), ('int', 'integer', int), ('uint', 'integer', int),
             ('float', 'float', float), ('datetime64[D]', 'date', CASTS['date']),
             ('datetime64', 'datetime', CASTS['datetime']))
    kind, cast = next(((kind, cast) for start, kind, cast in kinds if dtype.startswith(start)), ('string', _text))
    missing = [value is None or value != value if numpy.ndim(value) == 0 else False for value in values]
    return kind, [None if gone else cast(value) for value, gone in zip(values, missing)]


def _text(value):
    return CASTS['string'](value.tolist() if isinstance(value, numpy.ndarray) else value)


def _srid(crs):
    """Find the SRID of a coordinate system as GDAL tells it; a file that tells none is taken for 4326."""
    if crs is None:
        return WGS84
    codes = re.findall(r'EPSG"?[:,]\s*"?(\d+)', crs)
    if codes:
        return int(codes[-1])
    if crs.startswith('GEOG'):
        return WGS84
    raise FormatError('The coordinate system of the file is not known: {}'.format(crs))


def write_file(schema, rows, format, path):
    """Write rows into a file.

    Args:
        schema (list of dict): `name` and `type` of each column.
        rows (list of dict): as `sql.read` gives them, geometry as hex EWKB. The first geometry column is that of the
            file, any other becomes EWKT; in a CSV all are EWKT.
        format (str): CSV, GEOJSON, KML or SHP (a zipped shapefile), in any case.
        path (str): the file to write.

    Raises:
        FormatError: no such format, or one that cannot hold these rows.
    """
    if format.upper() == 'CSV':
        return _write_csv(schema, rows, path)
    if format.upper() == 'KML':
        return _write_kml(schema, rows, path)
    if format.upper() not in _GDAL_DRIVERS:
        raise FormatError('The format "{}" is not supported.'.format(format))
    driver = _GDAL_DRIVERS[format.upper()]
    with tempfile.TemporaryDirectory() as folder:
        # the files of a shapefile are named alike, and GDAL does not write over what is there
        name = 'data.' + format.lower()
        _write_gdal(schema, rows, driver, os.path.join(folder, name))
        if format.upper() == 'SHP':
            with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
                for part in sorted(os.listdir(folder)):
                    archive.write(os.path.join(folder, part), part)
        else:
            shutil.move(os.path.join(folder, name), path)


def _write_csv(schema, rows, path):
    kinds = {column['name']: column['type'] for column in schema}
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(kinds)
        for row in rows:
            writer.writerow([_value_text(kind, row.get(name)) for name, kind in kinds.items()])


def _value_text(kind, value):
    if value is None:
        return None
    return to_ewkt(parse_geometry(value)) if kind == 'geometry' else CASTS['string'](value)


def _split_geometry(schema, rows):
    """Give the columns that are not the file's geometry, and the geometry of each row, shapely's or None."""
    name = next((column['name'] for column in schema if column['type'] == 'geometry'), None)
    return ([column for column in schema if column['name'] != name],
            [row.get(name) and parse_geometry(row[name]) for row in rows])


def _write_kml(schema, rows, path):
    plain, shapes = _split_geometry(schema, rows)
    texts = [{column['name']: _value_text(column['type'], row.get(column['name'])) for column in plain} for row in rows]
    write_kml(zip(texts, shapes), path)


def _write_gdal(schema, rows, driver, path):
    import pyogrio
    plain, shapes = _split_geometry(schema, rows)
    srid = next((int(shapely.get_srid(shape)) for shape in shapes if shape is not None), 0) or WGS84
    arrays = [_array(column['type'], [row.get(column['name']) for row in rows]) for column in plain]
    names = numpy.array([column['name'] for column in plain], dtype=object)
    try:
        pyogrio.raw.write(
            path, numpy.array([shapely.to_wkb(shape) for shape in shapes], dtype=object),
            [array for array, _ in arrays], names, field_mask=[mask for _, mask in arrays], layer='data', driver=driver,
            geometry_type='Unknown', crs='EPSG:{}'.format(srid), encoding='UTF-8')
    except _GDAL_ERRORS as error:
        raise FormatError('The rows cannot be written as {}: {}'.format(driver, error)) from error


def _array(kind, values):
    """Make what GDAL takes of a column: an array, and a mask of its missing values where the array cannot say them."""
    missing = numpy.array([value is None for value in values], dtype=bool)
    if kind in ('integer', 'bigint', 'boolean'):
        dtype = 'bool' if kind == 'boolean' else 'int32' if kind == 'integer' else 'int64'
        return numpy.array([0 if value is None else value for value in values], dtype=dtype), missing
    if kind in ('float', 'real', 'number'):
        return numpy.array([numpy.nan if value is None else value for value in values], dtype='float64'), missing
    return numpy.array([_value_text(kind, value) for value in values], dtype=object), None


