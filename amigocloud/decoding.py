"""Decode JSON, with orjson if it is installed, to the same values as json."""
from __future__ import absolute_import

try:
    import orjson
except ImportError:
    orjson = None

# Replace the characters that may precede a number by colons and every digit by a zero. A number of
# 19 digits or more then contains this text.
_LONG_NUMBER = b':' + 19 * b'0'
_TABLE = bytearray(range(256))
_TABLE[ord('0'):ord('9') + 1] = 10 * b'0'
for _byte in bytearray(b':,[- \t\r\n'):
    _TABLE[_byte] = ord(':')
_TABLE = bytes(_TABLE)


def decode(response):
    """Decode the body of a response.

    Args:
        response (requests.Response): the response, with a valid ``encoding``.

    Returns:
        The value that ``response.json()`` returns.

    Raises:
        ValueError: the body is not JSON.
        RuntimeError: the body is nested too deeply.
    """
    is_utf_8 = orjson and response.encoding.lower() == 'utf-8'
    if is_utf_8 and not _has_long_number(response.content):
        try:
            return orjson.loads(response.content)
        except ValueError:
            # json accepts more than orjson: NaN, lone surrogates and bytes that are not UTF-8.
            pass
    return response.json()


def _has_long_number(body):
    """Return whether a number may exceed 64 bits. orjson would return it as a float."""
    marked = body.translate(_TABLE)
    return _LONG_NUMBER in marked or marked.startswith(_LONG_NUMBER[1:])
