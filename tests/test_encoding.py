"""JSON for the service, as it goes over the wire."""
import datetime
import decimal
import json
import uuid

import pytest

from amigocloud import AmigoCloudError

ID = uuid.UUID('12345678123456781234567812345678')
VALUES = [
    (datetime.datetime(2025, 1, 31, 13, 45), '2025-01-31T13:45:00'), (datetime.date(2025, 1, 31), '2025-01-31'),
    (datetime.time(13, 45), '13:45:00'), (decimal.Decimal('1.5'), 1.5), (decimal.Decimal('3'), 3), (ID, str(ID)),
]


@pytest.mark.parametrize('method', ['post', 'put', 'patch', 'delete'])
@pytest.mark.parametrize('value, sent', VALUES)
def test_values(wire, client, method, value, sent):
    getattr(client, method)('x', {'a': [value], 'b': {'c': value}})
    assert wire.requests[0].json == {'a': [sent], 'b': {'c': sent}}


def test_values__of_paths(wire, client):
    pathlib = pytest.importorskip('pathlib', reason='Python 2 has no paths')
    client.post('x', {'a': pathlib.PurePosixPath('/a/b')})
    assert wire.requests[0].json == {'a': '/a/b'}


def test_values__of_numpy(wire, client):
    numpy = pytest.importorskip('numpy', reason='the tests on Python 2 run without numpy')
    client.post('x', {'a': numpy.int64(5), 'b': numpy.float32(0.5), 'c': numpy.bool_(True), 'd': numpy.str_('e'),
                      'f': numpy.datetime64('2025-01-31T13:45'), 'g': numpy.datetime64('NaT', 's'),
                      'h': numpy.longdouble('0.5')})
    assert wire.requests[0].json == {'a': 5, 'b': 0.5, 'c': True, 'd': 'e', 'f': '2025-01-31T13:45', 'g': None,
                                     'h': 0.5}
    with pytest.raises(AmigoCloudError, match='is of type (clongdouble|complex)'):
        client.post('x', {'a': numpy.clongdouble(1)})


@pytest.mark.parametrize('data, place', [
    ({'a': {'b': [1, object()]}}, r"data\[u?'a'\]\[u?'b'\]\[1\]"),
    ([{1, 2}], r'data\[0\]'), ({'a': 5j}, r"data\[u?'a'\]"),
    ({1: {2: object()}}, r"data\[1\]\[2\]"), ([decimal.Decimal('1E+999999999')], r'data\[0\]'),
    ([decimal.Decimal('sNaN')], r'data\[0\]'), ([decimal.Decimal('Infinity')], r'data\[0\]'),
    (object(), 'data'), ({'a': {(1, 2): 3}}, r"data\[u?'a'\]"),
])
def test_values__that_json_cannot_hold(wire, client, data, place):
    with pytest.raises(AmigoCloudError, match=place + ' cannot be sent as JSON') as caught:
        client.post('x', data)
    assert isinstance(caught.value, TypeError) and not wire.requests
    assert len(str(caught.value)) < 400


class Unshown(object):
    def __repr__(self):
        return 1 / 0


class Tall(object):
    def __repr__(self):
        return 'a\n' * 50


@pytest.mark.parametrize('value', [Unshown(), Tall()])
def test_values__that_cannot_be_shown(wire, client, value):
    for _ in range(200):
        value = [value]
    with pytest.raises(AmigoCloudError, match=r'\] cannot be sent as JSON') as caught:
        client.post('x', value)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize('make', [lambda data: data.append(data), lambda data: [data.insert(0, [data.pop()])
                                                                              for _ in range(100000)]])
def test_values__without_end(wire, client, make):
    data = [1]
    make(data)
    with pytest.raises(AmigoCloudError, match='cannot be sent as JSON'):
        client.post('x', data)
    assert not wire.requests


@pytest.mark.parametrize('method', ['post', 'put', 'patch', 'delete'])
@pytest.mark.parametrize('value', [{'a': 1}, [], 0, False, ''])
def test_json_argument(wire, client, method, value):
    getattr(client, method)('x', json=value)
    assert wire.requests[0].body == json.dumps(value).encode()
    assert wire.requests[0].headers['content-type'] == 'application/json'


def test_json_argument__content_type_of_the_caller(wire, client):
    client.post('x', json={}, headers={'Content-Type': 'application/geo+json'})
    assert wire.requests[0].headers['content-type'] == 'application/geo+json'


@pytest.mark.parametrize('method', ['post', 'put', 'patch', 'delete'])
@pytest.mark.parametrize('data', [None, [], {}, 0, '', False])
def test_nothing(wire, client, method, data):
    getattr(client, method)('x', data)
    assert wire.requests[0].body == b'{}'


def test_tables(wire, client):
    pandas = pytest.importorskip('pandas', reason='the tests on Python 2 run without pandas')
    frame = pandas.DataFrame({'a': [1, 2]})
    for data, advice in ((frame, 'to_dict'), (frame.a.to_numpy(), 'tolist')):
        with pytest.raises(AmigoCloudError, match=advice):
            client.post('x', data)
    assert not wire.requests
