# coding: utf-8
"""Test the parsers of payloads and packets, complete and truncated."""
import json

import pytest
import six
from hypothesis import given
from hypothesis import strategies as st

from amigocloud.events import packets

PATH = '/amigosocket'
TYPES = st.sampled_from(u'0123456')
TEXTS = st.text(st.characters(blacklist_categories=['Cs']), max_size=20)
PACKETS = st.lists(st.tuples(TYPES, TEXTS), min_size=1, max_size=5)


def as_text(pieces):
    """Return the payload of Socket.IO 2 for packets, each with its type in front."""
    framed = [u'{}:{}'.format(len(piece.encode('utf-16-le')) // 2, piece) for piece in pieces]
    return u''.join(framed).encode('utf-8')


def as_binary(pieces):
    """Return the payload of python-socketio for packets. Bytes become binary packets."""
    payload = b''
    for piece in pieces:
        mark = b'\x01' if isinstance(piece, bytes) else b'\x00'
        encoded = piece if isinstance(piece, bytes) else piece.encode('utf-8')
        length = bytes(bytearray(int(digit) for digit in str(len(encoded))))
        payload += mark + length + b'\xff' + encoded
    return payload


@pytest.mark.parametrize('frame', [as_text, as_binary])
@given(whole=PACKETS)
def test_split__whole(frame, whole):
    expected = [(int(kind), data) for kind, data in whole]
    assert packets.split(frame([kind + data for kind, data in whole])) == expected


@pytest.mark.parametrize('frame', [as_text, as_binary])
@given(whole=PACKETS, data=st.data())
def test_split__cut_anywhere_is_an_error_or_ends_between_two_packets(frame, whole, data):
    pieces = [kind + text for kind, text in whole]
    payload = frame(pieces)
    end = data.draw(st.integers(0, len(payload) - 1))
    ends = {len(frame(pieces[:count])): count for count in range(1, len(pieces))}
    if end in ends:
        # Only the HTTP around the payload can detect this.
        expected = [(int(kind), text) for kind, text in whole[:ends[end]]]
        assert packets.split(payload[:end]) == expected
    else:
        with pytest.raises(ValueError):
            packets.split(payload[:end])


@pytest.mark.parametrize('frame', [as_text, as_binary])
@given(first=PACKETS, second=PACKETS)
def test_split__merged(frame, first, second):
    parts = [[kind + data for kind, data in part] for part in (first, second)]
    merged = frame(parts[0]) + frame(parts[1])
    assert packets.split(merged) == packets.split(frame(parts[0])) + packets.split(frame(parts[1]))


@given(st.binary())
def test_split__anything_ends(payload):
    try:
        assert packets.split(payload) or payload
    except ValueError:
        pass


@pytest.mark.parametrize('payload', [
    b'', b'<html></html>', b'{"detail": "no"}', b'ok', b'-1:', b'+1:4', b' 1:4', b'1_0:4123456789',
    b'0:', b'1:7', b'1:a', u'\u0661:4'.encode('utf-8'), b'9' * 1000 + b':4', b'\x00', b'\x00\xff',
    b'\x00\x01', b'\x00\x0b\xff4', b'\x00\x01\xff', b'\x01\x09\xffb', b'\x00\x01\xff\xff',
    b'2:4\xff', b'\x80', b'1:4\n'])
def test_split__no_payload(payload):
    with pytest.raises(ValueError):
        packets.split(payload)


def test_split__binary_packets_are_left_out():
    assert packets.split(as_binary([u'40', b'\x04\x00\x01', u'3'])) == [(4, u'0'), (3, u'')]
    assert packets.split(as_text([u'40', u'b4AAE=', u'3'])) == [(4, u'0'), (3, u'')]


@pytest.mark.parametrize('text', [u'', u'7', u'a', u'{}', u'\u0664', u' 4', u'<'])
def test_read__no_packet(text):
    with pytest.raises(ValueError):
        packets.read(text)


@pytest.mark.parametrize('text, message', [
    (u'0/amigosocket', ('0', None)),
    (u'1/amigosocket', ('1', None)),
    (u'2/amigosocket,["a",{"b":1}]', ('2', [u'a', {u'b': 1}])),
    (u'2/amigosocket,17["a"]', ('2', [u'a'])),
    (u'2/amigosocket,["a\\n\u2028"]', ('2', [u'a\n\u2028'])),
    (u'4/amigosocket,"no"', ('4', u'no')),
    (u'4/amigosocket,no', ('4', u'no')),
    (u'3/amigosocket,1[]', (None, None)),
    (u'51-/amigosocket,["a",{"_placeholder":true,"num":0}]', (None, None)),
    (u'2/amigosocket', (None, None)),
    (u'2/amigosocket,{}', (None, None)),
    (u'2/amigosocket,[]', (None, None)),
    (u'2/amigosocket,[7]', (None, None)),
    (u'2/amigosocket,[', (None, None)),
    (u'2/elsewhere,["a"]', (None, None)),
    (u'2["a"]', (None, None)),
    (u'x', (None, None)),
    (u'', (None, None)),
])
def test_read_message(text, message):
    assert packets.read_message(text, PATH) == message


@given(TEXTS, st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=10))
def test_read_message__any_event(name, data):
    text = u'2{},{}'.format(PATH, six.ensure_text(json.dumps([name, data])))
    assert packets.read_message(text, PATH) == ('2', [name, data])


def test_read_message__nested_too_deeply():
    with pytest.raises(RuntimeError):
        packets.read_message(u'2/amigosocket,["a",' + u'[' * 200000, PATH)
