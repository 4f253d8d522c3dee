"""Parsers for the packets of Engine.IO 3 and the Socket.IO 2 messages in them.

This module uses no sockets, and nothing else of the package.
"""
from __future__ import absolute_import

import json
import logging
import re

import six

#: The types of Engine.IO packets.
OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = range(7)

#: The kinds of Socket.IO messages that are read. Acknowledgements and binary events are ignored.
CONNECT, DISCONNECT, EVENT, ERROR = '0124'

# Ten digits are enough for 10 GB. Converting longer numbers would take the processor much time.
_TEXT_LENGTH = re.compile(b'((?:[0-9]\x00){1,10}):\x00')
_BINARY_LENGTH = re.compile(b'([\x00\x01])([\x00-\x09]{1,10})\xff')
_MESSAGE = re.compile(
    r'(?P<kind>[0-9])(?:[0-9]+-)?(?P<path>/[^,]*)?,?(?:[0-9]+(?=\[))?(?P<data>.*)', re.DOTALL)

LOG = logging.getLogger(__name__)


def split(payload):
    """Split the response to a poll into its packets, and ignore binary packets.

    There are two framings: python-socketio uses the binary one for all answers. Socket.IO 2 uses
    the textual one, with lengths in UTF-16 units, for answers without binary packets.

    Args:
        payload (bytes): the whole body of the response.

    Returns:
        list of (int, str): the type and the data of each packet.

    Raises:
        ValueError: the payload is empty, truncated, or in neither framing.
    """
    if not payload:
        raise ValueError('The payload is empty.')
    if payload[:1] in (b'\x00', b'\x01'):
        return [read(piece.decode('utf-8'))
                for kind, piece in _binary_pieces(payload) if kind == b'\x00']
    units = payload.decode('utf-8').encode('utf-16-le')
    texts = [piece.decode('utf-16-le') for piece in _text_pieces(units)]
    # A "b" marks a binary packet, which is encoded in base64.
    return [read(text) for text in texts if not text.startswith('b')]


def read(text):
    """Read one packet.

    Args:
        text (str): the packet from a payload or from a frame of a websocket.

    Returns:
        tuple: the type (int) and the data (str).

    Raises:
        ValueError: the text is not a packet of Engine.IO.
    """
    if not re.match('[0-6]', text):
        raise ValueError('A packet of Engine.IO starts with a digit from 0 to 6.')
    return int(text[0]), text[1:]


def read_message(text, path):
    """Read the Socket.IO message in a packet.

    Args:
        text (str): the data of a packet of type ``MESSAGE``.
        path (str): the namespace whose messages are read.

    Returns:
        tuple: its kind (str) and its decoded JSON. ``(None, None)`` for a message to ignore: one
        of another namespace, of a kind that is not read, or an event without a name.

    Raises:
        RuntimeError: the JSON is nested too deeply.
    """
    message = _MESSAGE.match(text)
    if not message or message.group('path') != path:
        return None, None
    kind = message.group('kind')
    data = _decode(message.group('data'))
    is_event = isinstance(data, list) and data and isinstance(data[0], six.string_types)
    if kind not in (CONNECT, DISCONNECT, EVENT, ERROR) or kind == EVENT and not is_event:
        LOG.warning('A Socket.IO packet of type %s was ignored.', kind)
        return None, None
    return kind, data


def _binary_pieces(payload):
    start = 0
    while start < len(payload):
        mark = _BINARY_LENGTH.match(payload, start)
        if not mark:
            raise ValueError('The payload is truncated, or not in a framing of Engine.IO.')
        end = mark.end() + int(''.join(str(digit) for digit in bytearray(mark.group(2))))
        yield mark.group(1), _whole(payload, mark.end(), end)
        start = end


def _text_pieces(units):
    start = 0
    while start < len(units):
        mark = _TEXT_LENGTH.match(units, start)
        if not mark:
            raise ValueError('The payload is truncated, or not in a framing of Engine.IO.')
        end = mark.end() + 2 * int(mark.group(1).decode('utf-16-le'))
        yield _whole(units, mark.end(), end)
        start = end


def _whole(payload, start, end):
    if end > len(payload):
        raise ValueError('The payload is truncated inside a packet.')
    return payload[start:end]


def _decode(text):
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
