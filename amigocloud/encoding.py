"""Encode JSON for the service, including the values of notebooks and tables."""
from __future__ import absolute_import

import datetime
import decimal
import json
import uuid

import six
from requests.compat import Mapping

from .exceptions import VALUE_LIMIT, AmigoCloudValueError, shown

#: Types of the keys that JSON accepts.
_KEYS = six.string_types + six.integer_types + (float, type(None))

#: Digits of the longest Decimal. As an int, 1E+999999999 would take minutes and gigabytes.
_DIGITS_LIMIT = 4000


class AmigoCloudTypeError(AmigoCloudValueError, TypeError):
    """Raised for a value that cannot be sent as JSON. Nothing was sent."""


def encode(data, **options):
    """Encode data as JSON.

    Dates and times become texts in ISO 8601. Scalars of numpy and Decimals become numbers. UUIDs
    and paths become texts.

    Args:
        data: dicts, lists and values.
        **options: arguments of ``json.dumps``.

    Returns:
        str: the JSON.

    Raises:
        AmigoCloudTypeError: a value cannot be encoded. The message names its key.
    """
    try:
        return json.dumps(data, default=_plain, **options)
    except (TypeError, ValueError, OverflowError) as problem:
        message = _message(data, problem, options)
    except RuntimeError:
        message = u'The data cannot be sent as JSON: it is nested too deeply. Flatten it.'
    raise AmigoCloudTypeError(message)


def _message(data, problem, options):
    """Return a message that names the value which cannot be encoded."""
    for place, value in _leaves(data, u'data', ()):
        try:
            json.dumps(value, default=_plain, **options)
        except (TypeError, ValueError, OverflowError):
            if len(place) > VALUE_LIMIT:
                place = u'...' + place[-VALUE_LIMIT:]
            return u'{} cannot be sent as JSON: {} is of type {}. Convert it first.'.format(
                place, shown(value), type(value).__name__)
    return u'The data cannot be sent as JSON: {:.200}'.format(str(problem))


def _plain(value):
    """Return the JSON value for a value of another type."""
    if isinstance(value, (datetime.date, datetime.time)):
        # NaT of pandas is a datetime, and does not equal itself.
        return value.isoformat() if value == value else None
    if isinstance(value, decimal.Decimal):
        if value.adjusted() > _DIGITS_LIMIT:
            raise OverflowError('it has too many digits')
        is_whole = not value.is_nan() and value == value.to_integral_value()
        return int(value) if is_whole else float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if hasattr(value, '__fspath__'):
        return value.__fspath__()
    if type(value).__module__ == 'numpy' and getattr(value, 'shape', None) == ():
        kind = value.dtype.kind
        if kind in 'mM':
            # item() would return an integer for some units. NaT does not equal itself.
            return six.text_type(value) if value == value else None
        if kind == 'f':
            # item() of a long double returns the long double.
            return float(value)
        if kind != 'c':
            return value.item()
    raise TypeError('{} is of type {}'.format(shown(value), type(value).__name__))


def _leaves(data, place, parents):
    """Yield the place and value of each value in data, and of dicts with invalid keys."""
    if id(data) in parents:
        return
    if isinstance(data, Mapping) and all(isinstance(name, _KEYS) for name in data):
        items = data.items()
    elif isinstance(data, (list, tuple)):
        items = enumerate(data)
    else:
        yield place, data
        return
    for key, value in items:
        for leaf in _leaves(value, u'{}[{!r}]'.format(place, key), parents + (id(data),)):
            yield leaf
