"""The JSON of the service: by orjson where that is installed, and with the values that json gives everywhere."""
from __future__ import absolute_import

import json

from .exceptions import combined, token_sent
from .tokens import strike_out

try:
    import orjson
except ImportError:
    orjson = None

# What may stand before a number becomes a colon, every digit a zero: a number of 19 digits or more is then this text.
_LONG_NUMBER = b':' + 19 * b'0'
_TABLE = bytearray(range(256))
_TABLE[ord('0'):ord('9') + 1] = 10 * b'0'
for _byte in bytearray(b':,[- \t\r\n'):
    _TABLE[_byte] = ord(':')
_TABLE = bytes(_TABLE)


def decode(response):
    """Decodes the body of a response.

    Args:
        response (requests.Response): with its ``encoding`` settled.

    Returns:
        What ``response.json()`` gives.

    Raises:
        ValueError: the body is not JSON.
        RuntimeError: it is nested too deeply.
    """
    if orjson and response.encoding.lower() == 'utf-8' and not _has_long_number(response.content):
        try:
            return orjson.loads(response.content)
        except ValueError:
            # json takes more: NaN, half a surrogate pair, bytes that are no UTF-8 and were replaced.
            pass
    return response.json()


def error(failure, message, response):
    """Return the AmigoCloudError for a body that is not JSON; on Python 3 it is a ``json.JSONDecodeError`` too.

    Args:
        failure (Exception): raised by ``decode``.
        message (str): what failed, and on which URL.
        response (requests.Response): the answer.
    """
    made = combined(getattr(json, 'JSONDecodeError', ValueError), message, response)
    for name in ('msg', 'pos', 'lineno', 'colno'):
        setattr(made, name, getattr(failure, name, None))
    made.doc = strike_out(getattr(failure, 'doc', u''), token_sent(response))
    return made


def _has_long_number(body):
    """Whether a number may have more than 64 bits; orjson would make a float of it."""
    marked = body.translate(_TABLE)
    return _LONG_NUMBER in marked or marked.startswith(_LONG_NUMBER[1:])
