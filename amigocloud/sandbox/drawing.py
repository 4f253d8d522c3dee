"""Geometry drawn as a PNG image, good enough to recognise a dataset by."""

import struct
import zlib

import numpy
import shapely

_BACKGROUND, _FILL, _LINE, _POINT = (255, 255, 255), (183, 209, 234), (31, 97, 157), (204, 51, 51)
_MARGIN_PIXELS = 6
_POINT_RADIUS_PIXELS = 2
#: From this type of GEOS on, geometries have parts of their own.
_FIRST_MULTIPART_TYPE = 4


def draw(geometries, size):
    """Draw shapely geometries over each other: areas below lines, lines below points.

    Args:
        geometries (list of shapely.Geometry): what to draw, all of it in sight.
        size (tuple of int): width and height in pixels.

    Returns:
        bytes: a PNG file.
    """
    width, height = size
    canvas = numpy.full((height, width, 3), _BACKGROUND, dtype=numpy.uint8)
    shapes = _to_pixels(_simple_parts(geometries), width, height)
    kinds = shapely.get_type_id(shapes)
    polygons = shapes[kinds == shapely.GeometryType.POLYGON]
    points = shapes[kinds == shapely.GeometryType.POINT]
    lines = shapes[(kinds == shapely.GeometryType.LINESTRING) | (kinds == shapely.GeometryType.LINEARRING)]
    for polygon in polygons:
        _fill(canvas, polygon)
    outlines = numpy.concatenate([shapely.boundary(polygons), lines])
    _dots(canvas, shapely.get_coordinates(shapely.segmentize(outlines, 0.5)), 0, _LINE)
    _dots(canvas, shapely.get_coordinates(points), _POINT_RADIUS_PIXELS, _POINT)
    return _png(canvas)


def _simple_parts(geometries):
    parts = numpy.array(geometries, dtype=object)
    while (shapely.get_type_id(parts) >= _FIRST_MULTIPART_TYPE).any():
        parts = shapely.get_parts(parts)
    parts = parts[~shapely.is_empty(parts)]
    return parts[numpy.isfinite(shapely.bounds(parts)).all(axis=1)]


def _to_pixels(shapes, width, height):
    """Move and scale shapes so that all of them are in the picture, with north above."""
    if not len(shapes):
        return shapes
    low, high = numpy.split(shapely.total_bounds(shapes), 2)
    room = numpy.maximum(numpy.array([width, height]) - 1 - 2 * _MARGIN_PIXELS, 1)
    scale = numpy.array([1, -1]) / (((high - low) / room).max() or 1)
    middle, centre = (low + high) / 2, (numpy.array([width, height]) - 1) / 2
    return shapely.transform(shapes, lambda points: (points - middle) * scale + centre)


def _fill(canvas, polygon):
    height, width, _ = canvas.shape
    left, top, right, bottom = polygon.bounds
    columns = numpy.arange(max(int(left), 0), min(int(right) + 2, width))
    rows = numpy.arange(max(int(top), 0), min(int(bottom) + 2, height))
    shapely.prepare(polygon)
    xs, ys = numpy.meshgrid(columns, rows)
    inside = shapely.contains_xy(polygon, xs, ys)
    canvas[ys[inside], xs[inside]] = _FILL


def _dots(canvas, points, radius, colour):
    height, width, _ = canvas.shape
    columns, rows = numpy.rint(points).astype(int).T
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if down ** 2 + right ** 2 <= radius ** 2 + 1:
                canvas[numpy.clip(rows + down, 0, height - 1), numpy.clip(columns + right, 0, width - 1)] = colour


def _png(canvas):
    height, width, _ = canvas.shape

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    # 8 bits for each of red, green and blue; every line begins with its filter, none
    lines = b''.join(b'\0' + line.tobytes() for line in canvas)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))
