"""JSON for the service, with the values that notebooks and tables are full of."""
from __future__ import absolute_import

import datetime
import decimal
import json
import uuid

import six
from requests.compat import Mapping

from .exceptions import AmigoCloudValueError, shown


class AmigoCloudTypeError(AmigoCloudValueError, TypeError):
    """A value that JSON cannot hold; nothing was sent."""


def encode(data, **options):
    """Encode data as JSON.

    Dates and times become texts in ISO 8601, scalars of numpy and Decimal numbers, UUIDs and paths texts.

    Args:
        data: dicts, lists and values.
        **options: arguments of ``json.dumps``.

    Returns:
        str: the JSON.

    Raises:
        AmigoCloudError: also a TypeError; a value cannot be encoded, and the message names its key.
    """
    try:
        return json.dumps(data, default=_plain, **options)
    except (TypeError, ValueError, OverflowError) as problem:
        message = _message(data, problem, options)
    except RuntimeError:
        message = u'The data cannot be sent as JSON: it is nested too deeply.'
    raise AmigoCloudTypeError(message)


def _message(data, problem, options):
    for place, value in _leaves(data, u'data', ()):
        try:
            json.dumps(value, default=_plain, **options)
        except (TypeError, ValueError, OverflowError):
            return u'{} cannot be sent as JSON: {} is of type {}. Convert it first.'.format(
                place, shown(value), type(value).__name__)
    return u'The data cannot be sent as JSON: {:.200}'.format(str(problem))


def _plain(value):
    """Return what JSON has for a value that it does not know."""
    if isinstance(value, (datetime.date, datetime.time)):
        # The missing time of pandas is a datetime, and equals nothing.
        return value.isoformat() if value == value else None
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if hasattr(value, '__fspath__'):
        return value.__fspath__()
    if type(value).__module__ == 'numpy' and getattr(value, 'shape', None) == ():
        # Times of numpy give integers or datetimes, by their unit.
        return six.text_type(value) if value.dtype.kind in 'mM' else value.item()
    raise TypeError('{} is of type {}'.format(shown(value), type(value).__name__))


def _leaves(data, place, parents):
    """Yield the place and value of everything in data that is neither dict nor list; and dicts with odd keys."""
    if id(data) in parents:
        return
    if isinstance(data, Mapping) and all(isinstance(name, six.string_types) for name in data):
        for name, value in data.items():
            for leaf in _leaves(value, u'{}[{!r}]'.format(place, name), parents + (id(data),)):
                yield leaf
    elif isinstance(data, (list, tuple)):
        for number, value in enumerate(data):
            for leaf in _leaves(value, u'{}[{}]'.format(place, number), parents + (id(data),)):
                yield leaf
    else:
        yield place, data
