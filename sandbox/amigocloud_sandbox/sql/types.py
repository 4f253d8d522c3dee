"""The column types of the service, the PostgreSQL names for them, and the casts between them."""

import datetime
import json
import re
import uuid

#: The service's types.
KINDS = ('string', 'number', 'float', 'real', 'integer', 'bigint', 'date', 'datetime', 'time', 'boolean', 'geometry')

#: Every name that a schema or a cast may use, with the service's type for it.
TYPE_NAMES = {
    'text': 'string', 'varchar': 'string', 'character varying': 'string', 'char': 'string', 'character': 'string',
    'uuid': 'string', 'name': 'string', 'json': 'string', 'decimal': 'number', 'numeric': 'number', 'float8': 'float',
    'double precision': 'float', 'double': 'float', 'float4': 'real', 'int': 'integer', 'int4': 'integer',
    'smallint': 'integer', 'int2': 'integer', 'int8': 'bigint', 'bool': 'boolean', 'timestamp': 'datetime',
    'timestamptz': 'datetime', 'timestamp with time zone': 'datetime', 'timestamp without time zone': 'datetime',
    'time without time zone': 'time', 'point': 'geometry', 'line': 'geometry', 'linestring': 'geometry',
    'polygon': 'geometry', 'multipoint': 'geometry', 'multiline': 'geometry', 'multilinestring': 'geometry',
    'multipolygon': 'geometry', 'geometrycollection': 'geometry',
}
TYPE_NAMES.update({name: name for name in KINDS})

_TRUE, _FALSE = ('t', 'true', 'y', 'yes', 'on', '1'), ('f', 'false', 'n', 'no', 'off', '0')
_TIME = r'(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?'
_TIME_TEXT = re.compile(r'\s*' + _TIME + r'\s*', re.IGNORECASE)
_DATE_TEXT = re.compile(r'\s*(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:(?:T|\s+)' + _TIME + r')?\s*', re.IGNORECASE)


class SQLError(Exception):
    """A query or a value that the database refuses; the message reads as PostgreSQL would put it."""


class EngineError(Exception):
    """The database of the sandbox cannot be used; the message says why, and what to do."""


def type_of(name):
    """Name the service's type for a type as a schema, a cast or PostgreSQL writes it.

    Args:
        name (str): for example `text`, `Point`, `double precision`.

    Returns:
        str: one of `KINDS`.

    Raises:
        SQLError: there is no such type.
    """
    try:
        return TYPE_NAMES[name.lower()]
    except (KeyError, AttributeError):
        raise SQLError('type "{}" does not exist'.format(name)) from None


def number_text(number):
    """Write a number as PostgreSQL does: the shortest digits that say it, and `2` rather than `2.0`."""
    text = repr(number)
    return text[:-2] if text.endswith('.0') else text


def _invalid(kind, value):
    return SQLError('invalid input syntax for type {}: "{}"'.format(kind, value))


def _to_string(value):
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, (datetime.date, datetime.time, uuid.UUID)):
        return value.hex if isinstance(value, uuid.UUID) else str(value)
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return value if isinstance(value, str) else number_text(value)


def _integer_cast(kind, bits):
    limit = 2 ** (bits - 1)

    def to_integer(value):
        try:
            number = int(value) if isinstance(value, (str, int)) else round(value)
        except (ValueError, TypeError):
            raise _invalid(kind, value) from None
        except OverflowError:
            number = limit
        if not -limit <= number < limit:
            raise SQLError('{} out of range'.format(kind))
        return number
    return to_integer


def _float_cast(kind):
    def to_float(value):
        try:
            return float(value)
        except (ValueError, TypeError, OverflowError):
            raise _invalid(kind, value) from None
    return to_float


def _to_number(value):
    return int(value) if isinstance(value, int) else _float_cast('numeric')(value)


def _to_boolean(value):
    if isinstance(value, (bool, int, float)):
        return bool(value)
    word = str(value).strip().lower()
    if word not in _TRUE + _FALSE:
        raise _invalid('boolean', value)
    return word in _TRUE


def _clock(hour, minute, second, fraction, zone):
    """Make a time of the groups that `_TIME` finds."""
    zone_info = None
    if zone:
        digits = zone.replace(':', '')
        minutes = 0 if digits in 'Zz' else int(digits[1:3]) * 60 + int(digits[3:] or 0)
        zone_info = datetime.timezone(datetime.timedelta(minutes=-minutes if zone[0] == '-' else minutes))
    return datetime.time(int(hour), int(minute), int(second or 0), int((fraction or '0').ljust(6, '0')), zone_info)


def _to_datetime(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat(' ')
    match = _DATE_TEXT.fullmatch(str(value))
    if not match:
        raise _invalid('timestamp', value)
    year, month, day, *clock = match.groups()
    try:
        time = _clock(*clock) if clock[0] else datetime.time()
        return datetime.datetime.combine(datetime.date(int(year), int(month), int(day)), time).isoformat(' ')
    except ValueError:
        raise SQLError('date/time field value out of range: "{}"'.format(value)) from None


def _to_date(value):
    return _to_datetime(value)[:10]


def _to_time(value):
    if isinstance(value, datetime.time):
        return value.isoformat()
    match = _TIME_TEXT.fullmatch(str(value))
    if not match:
        return _to_datetime(value)[11:]
    try:
        return _clock(*match.groups()).isoformat()
    except ValueError:
        raise SQLError('date/time field value out of range: "{}"'.format(value)) from None


#: What turns a value (never None) into one of a type; geometry stands in geometry.py.
CASTS = {
    'string': _to_string, 'number': _to_number, 'float': _float_cast('double precision'), 'real': _float_cast('real'),
    'integer': _integer_cast('integer', 32), 'bigint': _integer_cast('bigint', 64), 'date': _to_date,
    'datetime': _to_datetime, 'time': _to_time, 'boolean': _to_boolean,
}
