"""The operators, functions and aggregates of PostgreSQL and PostGIS that the embedded engine knows.

A signature gives the types of the arguments and of the result. A function of Python's values computes it, for an
aggregate one of their list; None stands for what SQLite computes in the same way.
"""
import decimal
import functools
import itertools
import operator
import re
from typing import Any, NamedTuple

import numpy
import shapely

from ..geometry import WGS84, parse_geometry, to_ewkb, to_wkt
from ..types import SQLError, number_text
from .values import CONTEXT, IMPLICIT, NUMBERS, parse, refused

_FLOAT, _WHOLE = 'double precision', ('integer', 'bigint')
_ORDERED = (*NUMBERS, 'real', 'text', 'date', 'timestamp', 'timestamptz', 'time')
#: PostgreSQL takes these first if a function fits in several ways.
_PREFERRED = ('text', 'boolean', 'double precision', 'timestamptz')


class Signature(NamedTuple):
    """The types of a function, its implementation in Python or None, and its name in SQLite."""

    arguments: tuple
    returns: str
    call: Any
    sql_name: str


def resolve(name, kinds):
    """Return the signature that PostgreSQL takes for arguments of these types, if it is known here."""
    def accepts(target, kind):
        if kind == 'unknown':
            # An operator takes it for the type of its other side.
            is_known = not name[0].isalpha() and set(kinds) != {'unknown'}
            return target == 'any' or target in (kinds if is_known else ('text',))
        return target in (kind, 'any') or (kind, target) in IMPLICIT

    def fitness(signature):
        pairs = [pair for pair in zip(signature.arguments, kinds) if pair[1] != 'unknown']
        return (sum(target == kind for target, kind in pairs),
                sum(target in (kind, *_PREFERRED) for target, kind in pairs))
    fits = [signature for signature in SIGNATURES.get(name, ())
            if len(kinds) == len(signature.arguments) and all(map(accepts, signature.arguments, kinds))]
    fits.sort(key=fitness)
    if not fits or (len(fits) > 1 and fitness(fits[-1]) == fitness(fits[-2])):
        raise refused('{}({})'.format(name, ', '.join(kinds)))
    return fits[-1]


def _divide_whole(first, second):
    quotient = abs(first) // abs(second)
    return quotient if (first < 0) == (second < 0) else -quotient


def _divide_numeric(first, second):
    """Divide two numerics with as many digits as PostgreSQL."""
    def first_digits(number):
        weight = number.adjusted() // 4 if number else 0
        return weight, int(abs(number).scaleb(-4 * weight, CONTEXT))
    if not second:
        raise SQLError('division by zero')
    weight, digits = first_digits(first)
    other_weight, other_digits = first_digits(second)
    scale = 16 - 4 * (weight - other_weight - (digits <= other_digits))
    scale = max(scale, -first.as_tuple().exponent, -second.as_tuple().exponent, 0)
    return _round_numeric(CONTEXT.divide(first, second), min(scale, 1000))


def _round_numeric(number, digits=0):
    if not 0 <= digits <= 1000:
        raise refused('round with {} digits'.format(digits))
    return number.quantize(decimal.Decimal(1).scaleb(-digits), context=CONTEXT)


def _without_underflow(compute):
    def computed(first, second):
        result = compute(first, second)
        if result == 0 and first and second:
            raise SQLError('value out of range: underflow')
        return result
    return computed


def _each_character(change):
    """Change a text as the C library does, which knows no letter that becomes two."""
    return lambda text: ''.join(new if len(new) == 1 else old for old, new in zip(text, map(change, text)))


def _like(text, pattern):
    if re.fullmatch(r'(?:[^\\]|\\.)*\\', pattern, re.DOTALL):
        raise refused('a LIKE whose pattern ends with a backslash')
    parts, wild = re.findall(r'\\.|.', pattern, re.DOTALL), {'%': '.*', '_': '.'}
    return bool(re.fullmatch(''.join(wild.get(part) or re.escape(part[-1]) for part in parts), text, re.DOTALL))


def _from_text(text, srid=0):
    if not text[:1].isalpha() or text[:4].upper() == 'SRID':
        raise refused('it with the geometry "{}"'.format(text[:200]))
    return _set_srid(shapely.from_wkb(parse(text, 'geometry')), srid)


def _set_srid(shape, srid):
    if not 0 <= srid <= 998999:
        raise refused('SRID {}'.format(srid))
    return shapely.set_srid(shape, srid)


def _coordinate(name):
    def coordinate(shape):
        if shape.geom_type != 'Point':
            raise SQLError('Argument to ST_{}() must have type POINT'.format(name.upper()))
        return None if shape.is_empty else getattr(shape, name)
    return coordinate


def _text_of(write):
    """Write a geometry, if its text is the same with every release of PostGIS."""
    def text(shape):
        numbers = shapely.get_coordinates(shape, include_z=shape.has_z)
        is_small = (abs(numbers) < 1e-4) & ((numbers != 0) | numpy.signbit(numbers))
        if ((abs(numbers) >= 1e15) | is_small).any() or shape.geom_type in ('MultiPoint', 'GeometryCollection') or any(
                round(number, 15) != number for number in numbers.ravel().tolist()):
            raise refused('the text of such a geometry')
        return write(shape)
    return text


def _relation(name, function):
    def relation(first, second, *more):
        if shapely.get_srid(first) != shapely.get_srid(second):
            raise SQLError('ST_{}: Operation on mixed SRID geometries ({}, {}) != ({}, {})'.format(
                name, first.geom_type, shapely.get_srid(first), second.geom_type, shapely.get_srid(second)))
        if 'GeometryCollection' in (first.geom_type, second.geom_type):
            raise refused('ST_{} of a collection'.format(name))
        return function(first, second, *more)
    return relation


def _box(shape):
    """Return the box that PostGIS keeps of a geometry: in single precision, rounded outwards."""
    box = numpy.array(shape.bounds, numpy.float32)
    outwards = numpy.array([-1, -1, 1, 1], numpy.float32)
    further = numpy.nextafter(box, outwards * numpy.float32(numpy.inf))
    return numpy.where((shape.bounds - box.astype(float)) * outwards > 0, further, box)


def _boxes_meet(first, second):
    if first.is_empty or second.is_empty:
        return False
    first, second = _box(first), _box(second)
    return bool((first[:2] <= second[2:]).all() and (second[:2] <= first[2:]).all())


def extent(shapes):
    """Write the box of geometries as PostGIS does."""
    shapes = [shape for shape in shapes if not shape.is_empty]
    if not shapes:
        return None
    return 'BOX({} {},{} {})'.format(*map(number_text, shapely.total_bounds(shapes).tolist()))


def _extent(shapes):
    for shape in shapes:
        _text_of(str)(shape.envelope)
    _relation('Extent', lambda first, *others: None)(shapes[0], shapes[-1])
    return extent(shapes)


def store(value, wanted):
    """Return a geometry, which is in any form, as a column of a kind such as POINTZ keeps it, if it fits."""
    if value is None:
        return None
    shape = parse_geometry(value)
    kind, srid = shape.geom_type.upper(), int(shapely.get_srid(shape)) or WGS84
    if srid != WGS84:
        raise SQLError('Geometry SRID ({}) does not match column SRID ({}); only PostGIS transforms that of an '
                       'import'.format(srid, WGS84))
    if wanted.rstrip('Z') not in (kind, 'GEOMETRY'):
        raise SQLError('Geometry type ({}) does not match column type ({})'.format(kind, wanted))
    if shape.has_z != wanted.endswith('Z'):
        raise SQLError('Geometry has Z dimension but column does not' if shape.has_z else
                       'Column has Z dimension but geometry does not')
    return to_ewkb(shapely.set_srid(shape, WGS84))


def _sum(known):
    return functools.reduce(CONTEXT.add, map(decimal.Decimal, known))


def _mean(known):
    return _divide_numeric(_sum(known), decimal.Decimal(len(known)))


def _each(pattern, *kinds):
    """Write signatures once for each type, `T` in the pattern; `F` is double precision."""
    return '; '.join(pattern.replace('T', kind).replace('F', _FLOAT) for kind in kinds or [''])


_lower = _each_character(str.lower)
_FUNCTIONS = {
    _each('=(T, T) boolean; <>(T, T) boolean; <(T, T) boolean; <=(T, T) boolean; >(T, T) boolean; '
          '>=(T, T) boolean; <=>(T, T) boolean; <!>(T, T) boolean', *_ORDERED, 'boolean'): None,
    '&(boolean, boolean) boolean; |(boolean, boolean) boolean; !(boolean) boolean': None,
    _each('+(T, T) T', *_WHOLE, _FLOAT): operator.add, '+(numeric, numeric) numeric': CONTEXT.add,
    _each('-(T, T) T', *_WHOLE, _FLOAT): operator.sub, '-(numeric, numeric) numeric': CONTEXT.subtract,
    _each('*(T, T) T', *_WHOLE): operator.mul, '*(numeric, numeric) numeric': CONTEXT.multiply,
    _each('*(F, F) F'): _without_underflow(operator.mul), _each('/(F, F) F'): _without_underflow(operator.truediv),
    _each('/(T, T) T', *_WHOLE): _divide_whole, '/(numeric, numeric) numeric': _divide_numeric,
    _each('%(T, T) T', *_WHOLE): lambda first, second: first - second * _divide_whole(first, second),
    _each('-(T) T', *_WHOLE, _FLOAT): operator.neg, '-(numeric) numeric': lambda number: CONTEXT.subtract(0, number),
    _each('abs(T) T', *_WHOLE, _FLOAT): abs, 'abs(numeric) numeric': decimal.Decimal.copy_abs,
    'round(numeric, integer) numeric; round(numeric) numeric': _round_numeric, _each('round(F) F'): numpy.rint,
    '||(text, text) text': operator.add, '~~(text, text) boolean': _like,
    '~~*(text, text) boolean': lambda text, pattern: _like(_lower(text), _lower(pattern)),
    'lower(text) text': _lower, 'upper(text) text': _each_character(str.upper), 'length(text) integer': len,
    'replace(text, text, text) text': lambda text, old, new: text.replace(old, new) if old else text,
    _each('st_makepoint(F, F) geometry; st_point(F, F) geometry'): shapely.Point,
    _each('st_makeenvelope(F, F, F, F, integer) geometry'): lambda west, south, east, north, srid:
        _set_srid(shapely.box(west, south, east, north, ccw=False), srid),
    'st_geomfromtext(text) geometry; st_geomfromtext(text, integer) geometry': _from_text,
    'st_setsrid(geometry, integer) geometry': _set_srid,
    'st_srid(geometry) integer': lambda shape: int(shapely.get_srid(shape)),
    'st_astext(geometry) text': _text_of(to_wkt),
    _each('st_x(geometry) F'): _coordinate('x'), _each('st_y(geometry) F'): _coordinate('y'),
    'st_intersects(geometry, geometry) boolean': _relation('Intersects', shapely.intersects),
    'st_contains(geometry, geometry) boolean': _relation('Contains', shapely.contains),
    'st_within(geometry, geometry) boolean': _relation('Within', shapely.within),
    '&&(geometry, geometry) boolean; &&(geometry, box3d) boolean': _boxes_meet,
}
_AGGREGATES = {
    _each('min(T) T; max(T) T', *_ORDERED): None, 'count(any) bigint; sum(integer) bigint': None,
    'sum(bigint) numeric; sum(numeric) numeric': _sum,
    _each('sum(F) F'): lambda known: functools.reduce(operator.add, known),
    _each('avg(T) numeric', *_WHOLE, 'numeric'): _mean,
    _each('avg(F) F'): lambda known: functools.reduce(operator.add, known) / len(known),
    'st_extent(geometry) box2d': _extent,
}
def _signatures(table):
    found = {}
    for texts, call in table.items():
        for text in texts.split('; '):
            name, arguments, returns = re.fullmatch(r'(.+?)\((.*)\) (.*)', text).groups()
            sql_name = 'pg_{}'.format(next(_NUMBERS)) if call else None
            found.setdefault(name, []).append(
                Signature(tuple(arguments.split(', ')), returns, call, sql_name))
    return found


def computed(table):
    """Return the signatures of a table that Python computes."""
    return [signature for found in table.values() for signature in found if signature.call]


_NUMBERS = itertools.count()
FUNCTIONS = _signatures(_FUNCTIONS)
AGGREGATES = _signatures(_AGGREGATES)
SIGNATURES = {**FUNCTIONS, **AGGREGATES}
