"""PostgreSQL's types in SQLite: how a value is kept, read, cast, and written in answers.

SQLite keeps a numeric as text with all its digits, a date and a time as ISO text, a time with its zone in UTC, a
geometry as EWKB bytes and a boolean as 0 or 1, so that it compares and sorts them as PostgreSQL does, numerics with the
collation `numeric`.
"""
import datetime
import decimal
import re

import numpy
import shapely

from ..geometry import parse_geometry, to_ewkb
from ..types import CASTS, SQLError

#: PostgreSQL's type of each type of the service.
TYPES = {'string': 'text', 'number': 'numeric', 'float': 'double precision', 'real': 'real', 'integer': 'integer',
         'bigint': 'bigint', 'date': 'date', 'datetime': 'timestamptz', 'time': 'time', 'boolean': 'boolean',
         'geometry': 'geometry'}
#: The service's type of a column of an answer.
KINDS = {**{kind: name for name, kind in TYPES.items()}, 'unknown': 'string', 'box2d': 'string'}
NUMBERS = ('integer', 'bigint', 'numeric', 'double precision')
#: Casts that need not be written, those of a new value of a column, and those of `::`.
IMPLICIT = {(source, target) for index, source in enumerate(NUMBERS) for target in NUMBERS[index + 1:]} | {
    ('date', 'timestamptz'), ('timestamp', 'timestamptz')}
ASSIGNED = {(source, target) for source in NUMBERS for target in NUMBERS} | IMPLICIT | {
    (source, 'text') for source in ('integer', 'bigint', 'numeric', 'date', 'boolean')}
EXPLICIT = ASSIGNED | {('boolean', 'integer'), ('timestamptz', 'date')}
#: PostgreSQL has no limit of digits that a query would meet by chance.
CONTEXT = decimal.Context(prec=2000, rounding=decimal.ROUND_HALF_UP)
_BITS = {'integer': 32, 'bigint': 64}
_FLOAT = r'[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?'
_DATE, _CLOCK = r'\d{4}([-/])\d\d?\1\d\d?', r'\d\d?:\d\d(?::\d\d(?:\.\d{1,6})?)?'
_ZONE = r'(?:Z|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)'
_MOMENTS = {'time': re.compile(_CLOCK, re.ASCII), 'date': re.compile(_DATE, re.ASCII),
            'timestamp': re.compile('{}(?:[ T]{})?'.format(_DATE, _CLOCK), re.ASCII),
            'timestamptz': re.compile('{}(?:[ T]{}{}?)?'.format(_DATE, _CLOCK, _ZONE), re.ASCII)}
_WKT = re.compile(r'(?:SRID=\d{1,5};)?(?:MULTI)?(?:POINT|LINESTRING|POLYGON) *Z? *\('
                  r'(?:[ ,()]|-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?=[ ,()]))+\)', re.ASCII | re.IGNORECASE)
_BOX = re.compile(r'BOX3D\(({0}) ({0}), ?({0}) ({0})\)'.format(_FLOAT), re.ASCII)


def refused(what):
    """Return the error for what PostgreSQL might answer and the embedded engine does not."""
    return SQLError('The embedded engine cannot run {}: install PostgreSQL with PostGIS (Debian and Ubuntu: apt-get '
                    'install postgresql postgis), or pass --database.'.format(what))


def read(value, kind):
    """Return what SQLite keeps as a value of Python."""
    return _READ[kind](value) if kind in _READ else value


def write(value, kind):
    """Return a value of Python as SQLite keeps it, if the type has such a value."""
    if kind in _BITS and not -2 ** (_BITS[kind] - 1) <= value < 2 ** (_BITS[kind] - 1):
        raise SQLError('{} out of range'.format(kind))
    if isinstance(value, float) and value - value != 0:
        raise SQLError('value out of range: overflow')
    return _WRITE[kind](value) if kind in _WRITE else value


def cast(value, source, target):
    """Cast what SQLite keeps of one type to another."""
    if value is None:
        return None
    if target == 'text':
        return ('false', 'true')[value] if source == 'boolean' else str(value)
    if target in _BITS:
        # PostgreSQL rounds half a numeric away from 0, and half a float to the even number.
        number = read(value, source)
        return write(int(number.quantize(1, context=CONTEXT) if source == 'numeric' else round(number)), target)
    if target == 'numeric':
        return write(CONTEXT.create_decimal('{:.15g}'.format(value) if isinstance(value, float) else value), target)
    if target == 'double precision':
        return write(float(value), target)
    if source == 'timestamp':
        return value
    return value[:10] if target == 'date' else value + ' 00:00:00+00:00'


def parse(text, kind):
    """Return what SQLite keeps of a text that PostgreSQL surely reads as this value of the type."""
    if kind == 'text' and '\0' not in text:
        return text
    if kind == 'boolean' and text.isascii():
        return int(CASTS['boolean'](text))
    if kind in _MOMENTS and _MOMENTS[kind].fullmatch(text):
        if kind in CASTS:
            return CASTS[kind](text)
        # PostgreSQL runs in UTC here, so a time without a zone is kept like one with it.
        moment = datetime.datetime.fromisoformat(CASTS['datetime'](text))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
        return moment.astimezone(datetime.timezone.utc).isoformat(' ')
    if kind == 'geometry':
        shape = parse_geometry(text)
        head, _, numbers = text.partition('(')
        sizes = {len(part.split()) for part in re.split('[(),]', numbers) if part.strip()}
        is_text = _WKT.fullmatch(text) and sizes == {3 if 'Z' in head.upper() or shape.has_z else 2}
        if (is_text or to_ewkb(shape).hex() == text.lower()) and not getattr(shape, 'has_m', False) and all(
                len(ring.coords) >= 4 for ring in shapely.get_rings(shape)):
            return to_ewkb(shape)
    if kind == 'box3d' and _BOX.fullmatch(text):
        return to_ewkb(parse_geometry('LINESTRING({} {},{} {})'.format(*_BOX.fullmatch(text).groups())))
    match = re.fullmatch(' *({}) *'.format(_FLOAT), text, re.ASCII) if kind in (*NUMBERS, 'real') else None
    if not match or (kind in _BITS and not match.group(1).lstrip('+-').isdigit()):
        raise SQLError('invalid input syntax for type {}: "{}"'.format(kind, text[:200])) if (
            kind in NUMBERS) else refused('it with the {} "{}"'.format(kind, text[:200]))
    number = CONTEXT.create_decimal(match.group(1))
    if kind in _BITS or kind == 'numeric':
        return write(int(number) if kind in _BITS else number, kind)
    # Of a real the fewest digits are kept that say it: they sort as it does, and are answered.
    value = float(number) if kind == 'double precision' else float(str(numpy.float32(number)))
    if number and not value:
        raise SQLError('"{}" is out of range for type {}'.format(text, kind))
    return write(value, kind)


def answer(value, kind):
    """Return what SQLite keeps as the service writes it in JSON."""
    if kind == 'numeric' and value is not None:
        return int(value) if value.lstrip('-').isdigit() else float(value)
    if kind == 'boolean' and value is not None:
        return bool(value)
    return value.hex().upper() if isinstance(value, bytes) else value


def compare_numerics(first, second):
    """Compare two texts as numbers: the collation `numeric`."""
    first, second = decimal.Decimal(first), decimal.Decimal(second)
    return (first > second) - (first < second)


_READ = {'numeric': decimal.Decimal, 'geometry': parse_geometry, 'box3d': parse_geometry}
_WRITE = {'numeric': lambda value: format(decimal.Decimal(value), 'f'), 'geometry': to_ewkb, 'boolean': int}
