"""The PostGIS functions that users of the service write, through shapely; SQLite holds geometry as EWKB bytes."""

import math
from typing import Callable, NamedTuple

import numpy
import shapely

from .geometry import WGS84, parse_geometry, to_ewkb, to_ewkt, to_geojson, to_geometry, to_wkt
from .sqltypes import SQLError, number_text

#: The spherical Mercator projection of web maps.
WEB_MERCATOR = 3857
_EARTH_RADIUS_METRES = 6378137.0


def _coordinate(name):
    def coordinate(geometry):
        if geometry.geom_type != 'Point':
            raise SQLError('Argument to ST_{}() must have type POINT'.format(name.upper()))
        return None if geometry.is_empty or (name == 'z' and not geometry.has_z) else getattr(geometry, name)
    return coordinate


def _bound(index):
    return lambda geometry: None if geometry.is_empty else geometry.bounds[index]


def _part(kind, pick):
    """Make a function of `pick` that is NULL for any other kind of geometry and for a part that is not there."""
    def part(geometry, *arguments):
        try:
            return pick(geometry, *arguments) if geometry.geom_type == kind else None
        except IndexError:
            return None
    return part


def _point_text(text, srid=0):
    geometry = shapely.set_srid(parse_geometry(text), srid)
    return geometry if geometry.geom_type == 'Point' else None


def _length(geometry):
    return geometry.length if 'Polygon' not in geometry.geom_type else 0.0


def _make_line(first, second):
    return shapely.LineString([*first.coords, *second.coords])


def _together(shapes):
    """Make one geometry of several: a multipart one if all are of one kind, else a collection."""
    kinds = {shape.geom_type for shape in shapes}
    multipart = {'Point': shapely.multipoints, 'LineString': shapely.multilinestrings, 'Polygon': shapely.multipolygons}
    make = multipart.get(kinds.pop(), shapely.geometrycollections) if len(kinds) == 1 else shapely.geometrycollections
    return shapely.set_srid(make(shapes), shapely.get_srid(shapes[0]))


def _transform(geometry, srid):
    source = shapely.get_srid(geometry)
    radius = _EARTH_RADIUS_METRES
    if source == srid:
        return geometry
    if (source, srid) == (WGS84, WEB_MERCATOR):
        def project(xy):
            angles = numpy.radians(xy)
            return radius * numpy.column_stack(
                [angles[:, 0], numpy.log(numpy.tan(math.pi / 4 + angles[:, 1] / 2))])
    elif (source, srid) == (WEB_MERCATOR, WGS84):
        def project(xy):
            x, y = (xy / radius).T
            return numpy.degrees(numpy.column_stack([x, 2 * numpy.arctan(numpy.exp(y)) - math.pi / 2]))
    else:
        raise SQLError('ST_Transform: from SRID {} to {} is not known here, only between {} and {}'.format(
            source, srid, WGS84, WEB_MERCATOR))
    return shapely.set_srid(shapely.transform(geometry, project), srid)


class Function(NamedTuple):
    """A PostGIS function: how it is called, what it answers, and what does the work.

    `arguments` has a letter for each: g geometry, n number, i integer, t text; those after a | may be left out.
    """

    arguments: str
    returns: str
    call: Callable


FUNCTIONS = {
    'st_makepoint': Function('nn|n', 'geometry', lambda *numbers: shapely.Point(*numbers)),
    'st_point': Function('nn|i', 'geometry', lambda x, y, srid=0: shapely.set_srid(shapely.Point(x, y), srid)),
    'st_makeline': Function('gg', 'geometry', _make_line),
    'st_makepolygon': Function('g', 'geometry', lambda ring: shapely.Polygon(ring.coords)),
    'st_makeenvelope': Function('nnnn|i', 'geometry', lambda x1, y1, x2, y2, srid=0: shapely.set_srid(
        shapely.box(x1, y1, x2, y2), srid)),
    'st_pointfromtext': Function('t|i', 'geometry', _point_text),
    'st_geomfromtext': Function('t|i', 'geometry', lambda text, srid=0: shapely.set_srid(parse_geometry(text), srid)),
    'st_geomfromewkt': Function('t', 'geometry', parse_geometry),
    'st_geomfromgeojson': Function('t', 'geometry', parse_geometry),
    'st_geomfromwkb': Function('g|i', 'geometry', lambda shape, srid=0: shapely.set_srid(shape, srid)),
    'st_geomfromewkb': Function('g', 'geometry', lambda shape: shape),
    'st_setsrid': Function('gi', 'geometry', shapely.set_srid),
    'st_transform': Function('gi', 'geometry', _transform),
    'st_srid': Function('g', 'integer', lambda shape: int(shapely.get_srid(shape))),
    'st_astext': Function('g', 'string', to_wkt),
    'st_asewkt': Function('g', 'string', to_ewkt),
    'st_asgeojson': Function('g|i', 'string', to_geojson),
    'st_ashexewkb': Function('g', 'string', lambda shape: to_ewkb(shape).hex().upper()),
    'st_x': Function('g', 'float', _coordinate('x')),
    'st_y': Function('g', 'float', _coordinate('y')),
    'st_z': Function('g', 'float', _coordinate('z')),
    'st_xmin': Function('g', 'float', _bound(0)),
    'st_ymin': Function('g', 'float', _bound(1)),
    'st_xmax': Function('g', 'float', _bound(2)),
    'st_ymax': Function('g', 'float', _bound(3)),
    'st_geometrytype': Function('g', 'string', lambda shape: 'ST_' + shape.geom_type),
    'geometrytype': Function('g', 'string', lambda shape: shape.geom_type.upper()),
    'st_isempty': Function('g', 'boolean', lambda shape: shape.is_empty),
    'st_isvalid': Function('g', 'boolean', lambda shape: shape.is_valid),
    'st_makevalid': Function('g', 'geometry', shapely.make_valid),
    'st_npoints': Function('g', 'integer', lambda shape: int(shapely.get_num_coordinates(shape))),
    'st_numgeometries': Function('g', 'integer', lambda shape: int(shapely.get_num_geometries(shape))),
    'st_geometryn': Function('gi', 'geometry', lambda shape, n: shapely.get_geometry(shape, n - 1) if n > 0 else None),
    'st_startpoint': Function('g', 'geometry', _part('LineString', lambda line: shapely.get_point(line, 0))),
    'st_endpoint': Function('g', 'geometry', _part('LineString', lambda line: shapely.get_point(line, -1))),
    'st_exteriorring': Function('g', 'geometry', _part('Polygon', lambda area: shapely.LineString(area.exterior))),
    'st_intersects': Function('gg', 'boolean', shapely.intersects),
    'st_contains': Function('gg', 'boolean', shapely.contains),
    'st_within': Function('gg', 'boolean', shapely.within),
    'st_covers': Function('gg', 'boolean', shapely.covers),
    'st_coveredby': Function('gg', 'boolean', shapely.covered_by),
    'st_touches': Function('gg', 'boolean', shapely.touches),
    'st_crosses': Function('gg', 'boolean', shapely.crosses),
    'st_overlaps': Function('gg', 'boolean', shapely.overlaps),
    'st_disjoint': Function('gg', 'boolean', shapely.disjoint),
    'st_equals': Function('gg', 'boolean', shapely.equals),
    'st_dwithin': Function('ggn', 'boolean', shapely.dwithin),
    'st_area': Function('g', 'float', lambda shape: shape.area),
    'st_length': Function('g', 'float', _length),
    'st_perimeter': Function('g', 'float', lambda shape: shape.length if 'Polygon' in shape.geom_type else 0.0),
    'st_distance': Function('gg', 'float', shapely.distance),
    'st_centroid': Function('g', 'geometry', shapely.centroid),
    'st_pointonsurface': Function('g', 'geometry', shapely.point_on_surface),
    'st_buffer': Function('gn', 'geometry', lambda shape, distance: shapely.buffer(shape, distance, quad_segs=8)),
    'st_envelope': Function('g', 'geometry', shapely.envelope),
    'st_convexhull': Function('g', 'geometry', shapely.convex_hull),
    'st_boundary': Function('g', 'geometry', shapely.boundary),
    'st_simplify': Function('gn', 'geometry', lambda shape, tolerance: shapely.simplify(
        shape, tolerance, preserve_topology=False)),
    'st_force2d': Function('g', 'geometry', shapely.force_2d),
    'st_multi': Function('g', 'geometry', lambda shape: shape if hasattr(shape, 'geoms') else _together([shape])),
    'st_union': Function('gg', 'geometry', shapely.union),
    'st_intersection': Function('gg', 'geometry', shapely.intersection),
    'st_difference': Function('gg', 'geometry', shapely.difference),
    'st_symdifference': Function('gg', 'geometry', shapely.symmetric_difference),
}


def _boxes_meet(first, second):
    """The operator `&&`."""
    return shapely.intersects(shapely.envelope(first), shapely.envelope(second))


def _one_srid(name, geometries):
    kinds = [(geometry.geom_type, int(shapely.get_srid(geometry))) for geometry in geometries]
    if len({srid for _, srid in kinds}) > 1:
        raise SQLError('{}: Operation on mixed SRID geometries ({}, {}) != ({}, {})'.format(name, *kinds[0], *kinds[1]))


def _argument(name, letter, value):
    if letter == 'g':
        return parse_geometry(value)
    wanted = {'n': (int, float), 'i': int, 't': str}[letter]
    if not isinstance(value, wanted):
        raise SQLError('function {}: invalid argument "{}"'.format(name, value))
    return value


def _answer(value):
    if isinstance(value, shapely.Geometry):
        return to_ewkb(value)
    return value.item() if isinstance(value, numpy.generic) else value


def sql_function(name, function):
    """Make of a `Function` one that takes and gives SQLite's values; with a NULL argument the answer is NULL.

    Args:
        name (str): for the messages.
        function (Function): what to call.

    Returns:
        callable: raises SQLError for arguments that do not fit.
    """
    letters = function.arguments.replace('|', '')

    def call(*values):
        if None in values:
            return None
        arguments = [_argument(name, letter, value) for letter, value in zip(letters, values)]
        if letters.startswith('gg'):
            _one_srid(name, arguments[:2])
        try:
            # an empty geometry makes numpy warn of NaN, where PostGIS silently answers NULL or another empty one
            with numpy.errstate(invalid='ignore'):
                return _answer(function.call(*arguments))
        except (shapely.errors.ShapelyError, ArithmeticError, AttributeError, LookupError, NotImplementedError,
                TypeError, ValueError) as error:
            raise SQLError('{}: {}'.format(name, error)) from None
    return call


class _Gathered:
    """An aggregate that holds the geometries of its rows, a batch of bytes at a time."""

    def __init__(self):
        self.waiting = []

    def step(self, value):
        if value is not None:
            self.waiting.append(to_geometry(value))

    def shapes(self):
        return shapely.from_wkb(self.waiting)


class Extent(_Gathered):
    """The aggregate ST_Extent: `BOX(minx miny,maxx maxy)` around all rows."""

    _BATCH_ROWS = 10000

    def __init__(self):
        super().__init__()
        self.bounds = [[numpy.nan] * 4]

    def step(self, value):
        super().step(value)
        if len(self.waiting) >= self._BATCH_ROWS:
            self._measure()

    def _measure(self):
        self.bounds.append(shapely.total_bounds(self.shapes()))
        self.waiting = []

    def finalize(self):
        if self.waiting:
            self._measure()
        bounds = numpy.array(self.bounds)
        if numpy.isnan(bounds).all():
            return None
        low, high = numpy.nanmin(bounds[:, :2], axis=0), numpy.nanmax(bounds[:, 2:], axis=0)
        return 'BOX({} {},{} {})'.format(*(number_text(float(number)) for number in [*low, *high]))


class Collect(_Gathered):
    """The aggregate ST_Collect."""

    def finalize(self):
        if not self.waiting:
            return None
        return to_ewkb(_together(self.shapes()))


class Union(_Gathered):
    """The aggregate ST_Union of one argument."""

    def finalize(self):
        if not self.waiting:
            return None
        shapes = self.shapes()
        return to_ewkb(shapely.set_srid(shapely.union_all(shapes), shapely.get_srid(shapes[0])))


AGGREGATES = {'st_extent': Extent, 'st_collect': Collect, 'st_union': Union}
BOXES_MEET = Function('gg', 'boolean', _boxes_meet)
