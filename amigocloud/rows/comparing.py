"""Compare values that are to be written with those that a dataset has.

Both are values of JSON, which may spell the same value in several ways. Where it is not certain
that writing a value would change nothing, the value counts as changed.
"""
from __future__ import absolute_import

import datetime
import math
import re
import struct

import six

from .. import checks

#: A value that equals no value of a dataset.
UNCERTAIN = object()

#: The value of a row that does not have a column, and would leave it as it is.
ABSENT = object()

# PostgreSQL keeps it apart from 0.0, which equals it.
_NEGATIVE_ZERO = object()

_DAY = re.compile(r'(\d{4}-\d\d-\d\d)(?:[T ]00:00:00(?:\.0+)?)?\Z')
_MOMENT = re.compile(r'(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? ?'
                     r'(?:(Z)|([+-]\d\d)(?::?(\d\d))?)?\Z')


def differences(kind, olds, news):
    """Return the places at which the values of a dataset differ from those to be written.

    Args:
        kind (str): the type of the column.
        olds (list): the values of the dataset, as ``json.loads`` returns them.
        news (list): the values to be written, or ABSENT.

    Returns:
        list of int: the places.
    """
    # 1 equals True, and 1 the float of a number with more digits than it has, so the types count.
    types = _TYPES.get(kind, frozenset())
    has_zeros = kind in ('float', 'real') and 0 in news
    # Most pages are equal, and lists are compared fast.
    if not has_zeros and olds == news and set(map(type, olds + news)) <= types:
        return []
    return [place for place, (old, new) in enumerate(zip(olds, news))
            if not (new is ABSENT
                    or old == new and (new or not has_zeros)
                    and type(old) in types and type(new) in types
                    or _is_same(kind, old, new))]


def _is_same(kind, old, new):
    new = canonical(kind, new)
    return new is not UNCERTAIN and canonical(kind, old, is_stored=True) == new


def canonical(kind, value, is_stored=False):
    """Return a value in the one form that it has for a column.

    Args:
        kind (str): the type of the column.
        value: the value, as ``json.loads`` returns it.
        is_stored (bool): whether the value comes from the dataset. A datetime of the service is in
            UTC if it has no time zone; one of the caller may be in any time zone.

    Returns:
        The value, in a form that equals that of the same value in another spelling; UNCERTAIN for a
        value that may not be the value of such a column.
    """
    if value is None:
        return None
    convert = _CONVERTERS.get(kind)
    found = UNCERTAIN if convert is None else convert(value)
    if kind == 'datetime' and found is UNCERTAIN and is_stored:
        return _moment(value + 'Z' if isinstance(value, six.string_types) else value)
    return found


def _text(value):
    return value if isinstance(value, six.string_types) else UNCERTAIN


def _whole(value):
    # A column of a frame with missing values has 5.0 for 5.
    is_whole = checks.is_integer(value) or isinstance(value, float) and value.is_integer()
    return value if is_whole else UNCERTAIN


def _exact(value):
    # A numeric column may have more digits than the float to which JSON is decoded.
    return value if checks.is_integer(value) else UNCERTAIN


def _float(value):
    if isinstance(value, float) and value == 0 and math.copysign(1, value) < 0:
        return _NEGATIVE_ZERO
    return value if checks.is_integer(value) or isinstance(value, float) else UNCERTAIN


def _short_float(value):
    value = _float(value)
    if value is UNCERTAIN or value is _NEGATIVE_ZERO:
        return value
    try:
        short = struct.unpack('<f', struct.pack('<f', value))[0]
    except (OverflowError, struct.error):
        return UNCERTAIN
    # PostgreSQL refuses a number that would become zero.
    return short if short or not value else UNCERTAIN


def _bool(value):
    return value if isinstance(value, bool) else UNCERTAIN


def _day(value):
    found = _DAY.match(value) if isinstance(value, six.string_types) else None
    return found.group(1) if found else UNCERTAIN


def _moment(value):
    if not isinstance(value, six.string_types):
        return UNCERTAIN
    found = _MOMENT.match(value)
    if found is None or not (found.group(8) or found.group(9)):
        return UNCERTAIN
    numbers = [int(number) for number in found.groups()[:6]]
    numbers.append(int((found.group(7) or '0').ljust(6, '0')))
    minutes = int(found.group(9) or 0) * 60
    minutes += int(found.group(10) or 0) * (-1 if (found.group(9) or '').startswith('-') else 1)
    try:
        moment = datetime.datetime(*numbers) - datetime.timedelta(minutes=minutes)
    except (OverflowError, ValueError):
        return UNCERTAIN
    return moment.isoformat(' ') + '+00:00'


def _geometry(value):
    # The service returns hexadecimal EWKB, which no EWKT equals.
    return value.upper() if isinstance(value, six.string_types) else UNCERTAIN


_CONVERTERS = {
    'string': _text, 'time': _text, 'integer': _whole, 'bigint': _whole, 'number': _exact,
    'float': _float, 'real': _short_float, 'boolean': _bool, 'date': _day, 'datetime': _moment,
    'geometry': _geometry}

# The types of JSON of the values of each type of column.
_TEXTS = frozenset([six.text_type, type(None)])
_INTEGERS = frozenset(six.integer_types + (type(None),))
_TYPES = {'string': _TEXTS, 'time': _TEXTS, 'date': _TEXTS, 'datetime': _TEXTS, 'geometry': _TEXTS,
          'integer': _INTEGERS, 'bigint': _INTEGERS, 'number': _INTEGERS,
          'float': _INTEGERS | {float}, 'real': _INTEGERS | {float},
          'boolean': frozenset([bool, type(None)])}
