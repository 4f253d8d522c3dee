"""Rows as CSV, JSON or GeoJSON text, written one by one with the standard library only."""
from __future__ import absolute_import, unicode_literals

import binascii
import collections
import contextlib
import io
import json
import os
import re
import stat
import struct

import six

from ..exceptions import AmigoCloudError, AmigoCloudValueError, shown

_replace = getattr(os, 'replace', os.rename)

_NEEDS_QUOTES = re.compile('[",\r\n]|\\A[ \t]|[ \t]\\Z|\\A\\Z')

_KINDS = {1: 'Point', 2: 'LineString', 3: 'Polygon', 4: 'MultiPoint', 5: 'MultiLineString',
          6: 'MultiPolygon', 7: 'GeometryCollection'}
# The bits of the type in EWKB that say what follows.
_HAS_Z = 0x80000000
_HAS_M = 0x40000000
_HAS_SRID = 0x20000000
_WGS84 = 4326


@contextlib.contextmanager
def replaced(path):
    """Yield the path of a temporary file, which is moved to ``path`` when the block has ended.

    Args:
        path (str): the file to write. An existing file is replaced only if the block succeeds, and
            keeps its mode. A link is followed.

    Raises:
        AmigoCloudValueError: no file can be written there.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.exists(target) and not os.path.isfile(target):
        raise AmigoCloudValueError('{} exists and is not a regular file.'.format(shown(path)))
    if not os.path.isdir(folder):
        raise AmigoCloudValueError(
            'There is no folder {}. Create it first.'.format(shown(folder)))
    name = '.{}.part'.format(binascii.hexlify(os.urandom(16)).decode('ascii'))
    part = os.path.join(folder, str(name))
    try:
        yield part
        if os.path.exists(target):
            os.chmod(part, stat.S_IMODE(os.stat(target).st_mode))
        _replace(part, target)
    finally:
        if os.path.exists(part):
            os.remove(part)


def write_csv(write, types, rows):
    """Write rows as CSV, as COPY of PostgreSQL does: null is empty, and an empty text is ``""``.

    Args:
        write (callable): takes the texts.
        types (dict): the type of the service by the name of the column.
        rows (iterable of dict): the rows.
    """
    write(_csv_line(types))
    for row in rows:
        write(_csv_line(row.get(name) for name in types))


def write_json(write, types, rows):
    """Write rows as a list of JSON objects; see ``write_csv``.

    Args:
        write, rows: see ``write_csv``.
        types (dict): see ``write_csv``; None for all members of each row.
    """
    _write_list(write, '[', (_in_order(types, row) for row in rows), ']\n')


def write_geojson(write, types, rows):
    """Write rows as GeoJSON; the first geometry column is the geometry of the features.

    Further geometry columns are properties, as GeoJSON too.

    Args:
        write, types, rows: see ``write_csv``.

    Raises:
        AmigoCloudValueError: there is no geometry column.
        AmigoCloudError: GeoJSON cannot hold a geometry.
    """
    geometries = [name for name, kind in types.items() if kind == 'geometry']
    if not geometries:
        raise AmigoCloudValueError(
            'GeoJSON needs a geometry column, and the result has {}. Add one to the query, or '
            'write a .csv or .json file.'.format(', '.join(types) or 'no columns'))

    def feature(row):
        properties = _in_order(types, row)
        for name in geometries:
            properties[name] = geojson(name, row.get(name))
        return collections.OrderedDict([('type', 'Feature'), (
            'geometry', properties.pop(geometries[0])), ('properties', properties)])
    _write_list(write, '{"type": "FeatureCollection", "features": [',
                (feature(row) for row in rows), ']}\n')


def geojson(name, value):
    """Return a geometry as GeoJSON.

    Args:
        name (str): the column, for the message of an error.
        value (str): hex EWKB in SRID 4326 or without SRID; None for no geometry.

    Returns:
        dict: the geometry without M; None if value is None.

    Raises:
        AmigoCloudError: value is in another SRID, GeoJSON has no such geometry, or value is not hex
            EWKB.
    """
    if value is None:
        return None
    try:
        return _EWKB(name, binascii.unhexlify(value)).geometry()
    # A collection that is nested too deeply raises RuntimeError.
    except (struct.error, LookupError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, AmigoCloudError):
            raise
        six.raise_from(AmigoCloudError('The column {} has a value that is not hex EWKB: {}'.format(
            shown(name), shown(value))), error)


class _EWKB(object):
    """Read a geometry of PostGIS.

    Args:
        name (str): the column, for the messages of errors.
        data (bytes): EWKB.
    """

    def __init__(self, name, data):
        self._name = name
        self._data = data
        self._place = 0

    def geometry(self):
        order = '<' if self._take('<B') else '>'
        head = self._take(order + 'I')
        srid = self._take(order + 'I') if head & _HAS_SRID else 0
        code = head & ~(_HAS_Z | _HAS_M | _HAS_SRID)
        self._check(code, srid)
        kind = _KINDS[code]
        dimensions = 2 + bool(head & _HAS_Z) + bool(head & _HAS_M)
        shown_dimensions = 3 if head & _HAS_Z else 2

        def positions(count):
            numbers = self._take_all('{}{}d'.format(order, count * dimensions))
            return [list(numbers[start:start + shown_dimensions])
                    for start in range(0, len(numbers), dimensions)]
        if kind == 'Point':
            point = positions(1)[0]
            # PostGIS writes an empty point as NaN, which is the only number that differs from
            # itself.
            content = point if point[0] == point[0] else []
        else:
            count = self._take(order + 'I')
            if kind == 'LineString':
                content = positions(count)
            elif kind == 'Polygon':
                content = [positions(self._take(order + 'I')) for _ in range(count)]
            else:
                content = [self.geometry() for _ in range(count)]
        if kind == 'GeometryCollection':
            return {'type': kind, 'geometries': content}
        if kind.startswith('Multi'):
            content = [part['coordinates'] for part in content]
        return collections.OrderedDict([('type', kind), ('coordinates', content)])

    def _check(self, code, srid):
        column = '"{}"'.format(self._name)
        if code not in _KINDS:
            raise AmigoCloudError(
                'GeoJSON has no curves and surfaces, and the column {} holds one (type {} of WKB). '
                'ST_CurveToLine({}) in the SQL converts curves.'.format(
                    shown(self._name), code, column))
        if srid not in (0, _WGS84):
            raise AmigoCloudError(
                'GeoJSON is in SRID {}, and the column {} holds a geometry in SRID {}. '
                'ST_Transform({}, {}) in the SQL converts it.'.format(
                    _WGS84, shown(self._name), srid, column, _WGS84))

    def _take(self, form):
        return self._take_all(form)[0]

    def _take_all(self, form):
        # Early releases of Python 2.7 accept no unicode here.
        numbers = struct.unpack_from(str(form), self._data, self._place)
        self._place += struct.calcsize(str(form))
        return numbers


def _write_list(write, start, values, end):
    separator = start + '\n'
    for value in values:
        write(separator + json_text(value))
        separator = ',\n'
    write((start if separator != ',\n' else '\n') + end)


def json_text(value):
    """Return a value that the service sent as JSON in one line.

    Raises:
        AmigoCloudError: it holds NaN or Infinity, which JSON does not have.
    """
    try:
        return six.ensure_text(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except ValueError as error:
        six.raise_from(AmigoCloudError(
            'JSON has no NaN and no Infinity, and a row holds one: {}'.format(shown(value))), error)


def cell_text(value):
    """Return a value of a row as a text: null is empty; lists and objects become JSON."""
    if value is None:
        return ''
    if isinstance(value, (bool, list, dict)):
        return json_text(value)
    return repr(value) if isinstance(value, float) else six.text_type(value)


def _csv_line(values):
    line = ','.join(_csv_field(value) for value in values)
    # Programs skip an empty line, which would be a row with one null.
    return (line or '""') + '\n'


def _csv_field(value):
    if value is None:
        return ''
    text = cell_text(value)
    return '"{}"'.format(text.replace('"', '""')) if _NEEDS_QUOTES.search(text) else text


def _in_order(types, row):
    if types is None:
        return row
    return collections.OrderedDict((name, row.get(name)) for name in types)


_WRITERS = {'.csv': write_csv, '.json': write_json, '.geojson': write_geojson}


def writer_of(path):
    """Return the function that writes files with the ending of a path, or None."""
    return _WRITERS.get(os.path.splitext(path)[1].lower())


def write_file(path, writer, types, rows):
    """Write rows to a file; see ``replaced``.

    Args:
        path (str): the file.
        writer (callable): such as ``write_csv``.
        types, rows: see ``write_csv``.
    """
    with replaced(path) as part:
        # Half a surrogate pair, which JSON may hold, cannot be written as UTF-8.
        with io.open(part, 'w', encoding='utf-8', errors='replace', newline='') as output:
            writer(output.write, types, rows)
