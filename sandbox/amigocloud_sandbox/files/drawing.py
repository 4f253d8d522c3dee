"""Geometry drawn as a PNG image, good enough to recognise a dataset by, and as the tiles of a map."""

import math
import struct
import zlib

import numpy
import shapely

_WHITE, _CLEAR = (255, 255, 255, 255), (255, 255, 255, 0)
#: The colours of areas, lines and points.
_COLOURS = ((183, 209, 234, 255), (31, 97, 157, 255), (204, 51, 51, 255))
_TILE_PIXELS = 256
#: A grid says of each square of 4 by 4 pixels of its tile which feature is there.
_GRID_SQUARES = 64
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
    canvas = numpy.full((height, width, 4), _WHITE, dtype=numpy.uint8)
    _paint(canvas, _to_pixels(_simple_parts(geometries), width, height), _COLOURS)
    return _png(canvas)


def draw_tile(geometries, zoom, x, y):
    """Draw a tile of a map in Web Mercator, 256 pixels wide; it is clear where nothing is.

    Args:
        geometries (list of shapely.Geometry): what to draw, in degrees of longitude and latitude.
        zoom (int): how far in; the world is one tile at 0.
        x (int): the tile's column.
        y (int): its row, from the north.

    Returns:
        bytes: a PNG file.
    """
    canvas = numpy.full((_TILE_PIXELS, _TILE_PIXELS, 4), _CLEAR, dtype=numpy.uint8)
    _paint(canvas, _on_tile(geometries, zoom, x, y, _TILE_PIXELS), _COLOURS)
    return _png(canvas)


def utf_grid(features, zoom, x, y):
    """Say where on a tile which feature is.

    Args:
        features (list of tuple): data of a feature, and its shapely geometry.
        zoom, x, y (int): the tile, as `draw_tile` takes it.

    Returns:
        dict: `grid`, `keys` and `data` of a UTFGrid.
    """
    canvas = numpy.zeros((_GRID_SQUARES, _GRID_SQUARES, 1), dtype=numpy.int32)
    for number, (_, geometry) in enumerate(features, 1):
        _paint(canvas, _on_tile([geometry], zoom, x, y, _GRID_SQUARES), (number, number, number))
    seen = [int(number) for number in numpy.unique(canvas) if number]
    letters = {number: _letter(place) for place, number in enumerate([0] + seen)}
    return {'grid': [''.join(letters[number] for number in line) for line in canvas[:, :, 0].tolist()],
            'keys': [''] + [str(number) for number in seen],
            'data': {str(number): features[number - 1][0] for number in seen}}


def box_of_tile(zoom, x, y):
    """Return west, south, east and north of a tile in degrees, with a margin for the size of points."""
    tiles, margin = 2 ** zoom, _MARGIN_PIXELS / _TILE_PIXELS

    def latitude(row):
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / tiles))))
    return ((x - margin) / tiles * 360 - 180, latitude(y + 1 + margin),
            (x + 1 + margin) / tiles * 360 - 180, latitude(y - margin))


def _letter(place):
    """Return the letter of UTFGrid's for a place in the list of keys; the quotation mark and the backslash are none."""
    code = place + 32
    code += code >= ord('"')
    return chr(code + (code >= ord('\\')))


def _on_tile(geometries, zoom, x, y, pixels):
    """Move and scale shapes from degrees to the pixels of a tile, and cut off what is beyond it."""
    def to_pixels(degrees):
        longitudes, latitudes = degrees.T
        sines = numpy.clip(numpy.sin(numpy.radians(latitudes)), -0.9999, 0.9999)
        across, down = longitudes / 360 + 0.5, 0.5 - numpy.arctanh(sines) / (2 * numpy.pi)
        return (numpy.column_stack([across, down]) * 2 ** zoom - (x, y)) * pixels
    # Of a polygon that crosses itself no part can be cut off.
    shapes = _simple_parts(shapely.make_valid(shapely.transform(_simple_parts(geometries), to_pixels)))
    edge = pixels + _MARGIN_PIXELS
    return _simple_parts(shapely.clip_by_rect(shapes, -_MARGIN_PIXELS, -_MARGIN_PIXELS, edge, edge))


def _paint(canvas, shapes, colours):
    kinds = shapely.get_type_id(shapes)
    polygons = shapes[kinds == shapely.GeometryType.POLYGON]
    points = shapes[kinds == shapely.GeometryType.POINT]
    lines = shapes[(kinds == shapely.GeometryType.LINESTRING) | (kinds == shapely.GeometryType.LINEARRING)]
    area, line, point = colours
    for polygon in polygons:
        _fill(canvas, polygon, area)
    outlines = numpy.concatenate([shapely.boundary(polygons), lines])
    _dots(canvas, shapely.get_coordinates(shapely.segmentize(outlines, 0.5)), 0, line)
    _dots(canvas, shapely.get_coordinates(points), _POINT_RADIUS_PIXELS, point)


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


def _fill(canvas, polygon, colour):
    height, width, _ = canvas.shape
    left, top, right, bottom = polygon.bounds
    columns = numpy.arange(max(int(left), 0), min(int(right) + 2, width))
    rows = numpy.arange(max(int(top), 0), min(int(bottom) + 2, height))
    shapely.prepare(polygon)
    xs, ys = numpy.meshgrid(columns, rows)
    inside = shapely.contains_xy(polygon, xs, ys)
    canvas[ys[inside], xs[inside]] = colour


def _dots(canvas, points, radius, colour):
    height, width, _ = canvas.shape
    columns, rows = numpy.rint(points).astype(int).T
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if down ** 2 + right ** 2 <= radius ** 2 + 1:
                ys, xs = rows + down, columns + right
                seen = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
                canvas[ys[seen], xs[seen]] = colour


def _png(canvas):
    height, width, _ = canvas.shape

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    # 8 bits for each of red, green, blue and opacity; every line begins with its filter, none
    lines = b''.join(b'\0' + line.tobytes() for line in canvas)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 6, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))
