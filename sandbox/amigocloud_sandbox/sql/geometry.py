"""Geometry as it is read and written: EWKB as PostGIS keeps it, WKT, EWKT, GeoJSON."""

import functools
import json
import re

import shapely

from .types import SQLError, number_text

#: WGS 84 longitude and latitude, the SRID in which the service keeps everything.
WGS84 = 4326
_EWKT = re.compile(r'\s*(?:SRID\s*=\s*(\d+)\s*;)?\s*(.*?)\s*', re.IGNORECASE | re.DOTALL)
_HEX = re.compile(r'\s*(?:[0-9A-F]{2})+\s*', re.IGNORECASE)


@functools.lru_cache(maxsize=256)
def _from_ewkb(data):
    return shapely.from_wkb(data)


def parse_geometry(value):
    """Read a geometry in any of the forms that it is written in.

    Args:
        value (object): a shapely geometry, EWKB (bytes or hex), WKT or EWKT, GeoJSON (text or a dict).

    Returns:
        shapely.Geometry: with the SRID that the value names, 0 for none; GeoJSON is 4326 by its standard.

    Raises:
        SQLError: it is none of them.
    """
    if isinstance(value, shapely.Geometry):
        return value
    try:
        if isinstance(value, bytes):
            return _from_ewkb(value)
        if isinstance(value, dict):
            return shapely.set_srid(shapely.from_geojson(json.dumps(value)), WGS84)
        if not isinstance(value, str):
            raise SQLError('parse error - invalid geometry')
        if _HEX.fullmatch(value):
            return _from_ewkb(bytes.fromhex(value))
        if value.lstrip().startswith('{'):
            return shapely.set_srid(shapely.from_geojson(value), WGS84)
        srid, text = _EWKT.fullmatch(value).groups()
        return shapely.set_srid(shapely.from_wkt(text), int(srid or 0))
    except (shapely.errors.ShapelyError, ValueError, TypeError, OverflowError):
        raise SQLError('parse error - invalid geometry') from None


def geometry_type(column, rows):
    """Name the kind of geometry of a column; where its schema does not say, the rows do.

    Args:
        column (dict): `name`, `type`, and if wanted `geometry_type`.
        rows (list of dict): the first rows of its table.
    """
    given = column.get('geometry_type') or (column['type'] if column['type'].lower() != 'geometry' else None)
    if given:
        return str(given).replace(' ', '')
    shapes = [parse_geometry(row[column['name']]) for row in rows if row.get(column['name']) is not None]
    kinds = {shape.geom_type for shape in shapes}
    return (kinds.pop() if len(kinds) == 1 else 'Geometry') + ('Z' if any(shape.has_z for shape in shapes) else '')


def to_ewkb(geometry):
    """Give a shapely geometry as EWKB bytes, with its SRID if it has one."""
    return shapely.to_wkb(geometry, include_srid=True)


def _nested(coordinates):
    """Write the coordinates of a GeoJSON geometry as WKT."""
    if not isinstance(coordinates[0], (list, tuple)):
        return ' '.join(number_text(round(float(number), 15)) for number in coordinates)
    texts = [_nested(part) for part in coordinates]
    if isinstance(coordinates[0][0], (list, tuple)):
        texts = ['({})'.format(text) for text in texts]
    return ','.join(texts)


def to_wkt(geometry):
    """Write a geometry as WKT in the way of PostGIS, `POINT(1 2)`, alike with every release of GEOS."""
    kind = geometry.geom_type.upper().replace('LINEARRING', 'LINESTRING')
    head = kind + (' Z ' if geometry.has_z else '')
    if geometry.is_empty:
        return '{} EMPTY'.format(head.strip())
    if kind == 'GEOMETRYCOLLECTION':
        return '{}({})'.format(head, ','.join(to_wkt(part) for part in geometry.geoms))
    return '{}({})'.format(head, _nested(geometry.__geo_interface__['coordinates']))


def to_ewkt(geometry):
    """Write a geometry as EWKT, `SRID=4326;POINT(1 2)`; without the first part if it has no SRID."""
    srid = shapely.get_srid(geometry)
    return 'SRID={};{}'.format(srid, to_wkt(geometry)) if srid else to_wkt(geometry)


def _rounded(value, digits):
    if isinstance(value, float):
        number = round(value, digits)
        return int(number) if number.is_integer() else number
    if isinstance(value, (list, tuple)):
        return [_rounded(item, digits) for item in value]
    return {key: _rounded(item, digits) for key, item in value.items()} if isinstance(value, dict) else value


def to_geojson(geometry, digits=9):
    """Write a geometry as GeoJSON in the way of PostGIS, with at most so many digits after the point."""
    return json.dumps(_rounded(geometry.__geo_interface__, digits), separators=(',', ':'))
