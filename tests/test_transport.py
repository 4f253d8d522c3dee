"""What is sent again: faults on the wire, and how often the server saw a request."""
import os
import socket
import struct
import threading
import time

import pytest
import requests
import six
from conftest import Answer
from servers.raw import RawServer

from amigocloud import AmigoCloud, AmigoCloudError

METHODS = ['get', 'post', 'put', 'patch', 'delete']
REPEATABLE = ['get', 'put', 'delete']
RESET = struct.pack('ii', 1, 0)


class Breaker(RawServer):
    """Resets each connection, after having read a request or (TLS) a greeting."""

    def handle(self, connection):
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.fixture
def breaker():
    return Breaker()


def seen(wire):
    return len([request for request in wire.requests if request.path == '/api/v1/x'])


@pytest.mark.parametrize('method', METHODS)
def test_no_connection__every_method(make_gone, method):
    client = AmigoCloud(base_url=make_gone(), use_websockets=False)
    with pytest.raises(requests.ConnectionError, match='after 4 tries'):
        getattr(client, method)('x')


@pytest.mark.parametrize('method', METHODS)
def test_handshake_is_reset__every_method(breaker, method):
    client = AmigoCloud(base_url='https://' + breaker.host, use_websockets=False)
    with pytest.raises(requests.ConnectionError, match='after 4 tries'):
        getattr(client, method)('x')
    assert breaker.connections == 4


@pytest.mark.parametrize('method', METHODS)
def test_reset__what_may_be_repeated(breaker, method):
    client = AmigoCloud(base_url='http://' + breaker.host, use_websockets=False)
    with pytest.raises(requests.ConnectionError) as caught:
        getattr(client, method)('x')
    assert breaker.connections == (4 if method in REPEATABLE else 1)
    assert ('after 4 tries' in str(caught.value)) == (method in REPEATABLE)


@pytest.mark.parametrize('method', METHODS)
def test_kept_alive_connection_closed__every_method(wire, client, method):
    wire.answers['/api/v1/x'] = Answer({}, hang_up=True)
    for _ in range(3):
        assert getattr(client, method)('x') == {}
        wire.hung_up.acquire()
    assert len({request.connection for request in wire.requests}) == 3


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('status', [502, 503, 504])
def test_gateway_status(wire, client, method, status):
    wire.answers['/api/v1/x'] = [Answer(status=status)] * 3 + [{'got': 'it'}]
    if method in REPEATABLE:
        assert getattr(client, method)('x') == {'got': 'it'}
        assert seen(wire) == 4
    else:
        with pytest.raises(AmigoCloudError, match=str(status)):
            getattr(client, method)('x')
        assert seen(wire) == 1


@pytest.mark.parametrize('status', [400, 401, 404, 408, 500, 501])
def test_other_status__once(wire, client, status):
    wire.answers['/api/v1/x'] = Answer(status=status)
    with pytest.raises(AmigoCloudError) as caught:
        client.get('x')
    assert seen(wire) == 1 and 'tries' not in str(caught.value)


def test_gateway_status__for_good(wire, client):
    wire.answers['/api/v1/x'] = Answer({'detail': 'busy'}, 503)
    with pytest.raises(AmigoCloudError, match='after 4 tries') as caught:
        client.get('x')
    assert seen(wire) == 4
    assert caught.value.response.status_code == 503 and 'busy' in caught.value.text


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('status', [429, 503])
@pytest.mark.parametrize('after', ['0', 'Thu, 01 Jan 2015 00:00:00 GMT'])
def test_retry_after__every_method(wire, client, method, status, after):
    wire.answers['/api/v1/x'] = [Answer(status=status, headers={'Retry-After': after}), {'got': 'it'}]
    assert getattr(client, method)('x') == {'got': 'it'}
    assert seen(wire) == 2


def test_retry_after__is_waited_for(wire, client, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, 'sleep', pauses.append)
    wire.answers['/api/v1/x'] = [Answer(status=429, headers={'Retry-After': '120'}), {}]
    client.post('x')
    assert pauses == [120]


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('headers', [{}, {'Retry-After': 'soon'}])
def test_rate_limit(wire, client, method, headers):
    wire.answers['/api/v1/x'] = [Answer({'detail': 'TOO MANY REQUESTS'}, 429, headers)] * 3 + [{'got': 'it'}]
    assert getattr(client, method)('x', data={'a': 1} if method != 'get' else None) == {'got': 'it'}
    assert seen(wire) == 4 and len({request.body for request in wire.requests}) == 1


def test_rate_limit__for_good(wire, client):
    wire.answers['/api/v1/x'] = Answer({'detail': 'TOO MANY REQUESTS'}, 429)
    with pytest.raises(AmigoCloudError, match='after 4 tries') as caught:
        client.post('x')
    assert seen(wire) == 4 and caught.value.status_code == 429 and 'TOO MANY' in caught.value.text


def test_rate_limit__pauses_grow_to_those_of_users(wire, client, monkeypatch):
    monkeypatch.undo()
    pauses = []
    monkeypatch.setattr(time, 'sleep', pauses.append)
    wire.answers['/api/v1/x'] = Answer(status=429)
    with pytest.raises(AmigoCloudError, match='429'):
        client.post('x')
    assert [5 * 2 ** number / 2.0 <= pause <= 5 * 2 ** number for number, pause in enumerate(pauses)] == [True] * 3


def test_rate_limit__is_no_try_that_was_lost(wire, client):
    wire.answers['/api/v1/x'] = [Answer(status=429), Answer(status=404)]
    with pytest.raises(AmigoCloudError, match='404'):
        client.delete('x')


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('after', ['121', '9' * 5000])
def test_retry_after__too_long(wire, client, method, after):
    wire.answers['/api/v1/x'] = Answer({'detail': 'later'}, 429, {'Retry-After': after})
    with pytest.raises(AmigoCloudError, match='429') as caught:
        getattr(client, method)('x')
    assert seen(wire) == 1 and 'later' in caught.value.text


@pytest.mark.parametrize('status', [400, 413, 500, 502])
def test_retry_after__of_other_errors(wire, client, status):
    wire.answers['/api/v1/x'] = Answer(status=status, headers={'Retry-After': '0'})
    with pytest.raises(AmigoCloudError, match=str(status)):
        client.post('x')
    assert seen(wire) == 1


@pytest.mark.parametrize('after', ['soon', '', '-5', six.ensure_str(u'\xb2', 'latin-1'),
                                   'Mon, 01 Jan 99999999999 00:00:00 GMT'])
def test_retry_after__nonsense(wire, client, after):
    wire.answers['/api/v1/x'] = [Answer(status=503, headers={'Retry-After': after}), {}]
    client.get('x')
    assert seen(wire) == 2


@pytest.mark.parametrize('method', METHODS)
def test_cut_body(wire, client, method):
    cut = Answer(b'{"got": ', headers={'Content-Length': '13', 'Connection': 'close'})
    wire.answers['/api/v1/x'] = [cut, cut, {'got': 'it'}]
    if method in REPEATABLE:
        assert getattr(client, method)('x') == {'got': 'it'}
    else:
        with pytest.raises(AmigoCloudError):
            getattr(client, method)('x')
    assert seen(wire) == (3 if method in REPEATABLE else 1)


def test_cut_body__for_good(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'{"got": ', headers={'Content-Length': '13', 'Connection': 'close'})
    with pytest.raises(AmigoCloudError, match='after 4 tries'):
        client.get('x')
    assert seen(wire) == 4


def test_broken_gzip(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'no gzip', headers={'Content-Encoding': 'gzip'})
    with pytest.raises(AmigoCloudError):
        client.get('x')


@pytest.mark.parametrize('method', METHODS)
def test_timeout__per_try(wire, client, method):
    answered = threading.Event()
    wire.answers['/api/v1/x'] = lambda request: answered.wait(10) and {}
    with pytest.raises(requests.ReadTimeout) as caught:
        getattr(client, method)('x', timeout=0.2)
    answered.set()
    assert seen(wire) == (4 if method in REPEATABLE else 1)
    assert isinstance(caught.value, AmigoCloudError)


@pytest.mark.parametrize('retries, tries', [(0, 1), (1, 2)])
def test_retries(wire, retries, tries):
    client = AmigoCloud(base_url=wire.url, use_websockets=False, retries=retries)
    wire.answers['/api/v1/x'] = Answer(status=503)
    with pytest.raises(AmigoCloudError):
        client.get('x')
    assert seen(wire) == tries
    wire.answers['/api/v1/x'] = Answer(b'{', headers={'Content-Length': '13', 'Connection': 'close'})
    with pytest.raises(AmigoCloudError):
        client.get('x')
    assert seen(wire) == 2 * tries


@pytest.mark.parametrize('retries', [-1, 1.5, '3', None, True])
def test_retries__bad_input(retries):
    with pytest.raises(AmigoCloudError, match='retries'):
        AmigoCloud(use_websockets=False, retries=retries)


@pytest.mark.parametrize('wrong', [
    {'session': 5}, {'session': requests}, {'proxies': 'http://proxy:3128'}, {'proxies': ['http://proxy:3128']}])
def test_settings__bad_input(wrong):
    with pytest.raises(AmigoCloudError, match='must be'):
        AmigoCloud(use_websockets=False, **wrong)


def test_upload_body_is_sent_again_whole(wire, client, text):
    wire.answers['/api/v1/x'] = [Answer(status=503, headers={'Retry-After': '0'}), {}]
    client.upload_file('x', None, text(b'abc' * 1000))
    first, second = wire.requests
    assert first.body == second.body and b'abc' * 1000 in first.body


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system does not fork')
def test_fork(wire, client):
    wire.answers['/api/v1/x'] = lambda request: {'pid': request.params['pid']}

    def ask():
        pid = str(os.getpid())
        return all(client.get('x', {'pid': pid}) == {'pid': pid} for _ in range(20))
    assert ask()
    child = os.fork()
    if not child:
        os._exit(0 if ask() else 1)
    assert ask()
    assert os.waitpid(child, 0)[1] == 0
    assert len({request.connection for request in wire.requests}) == 2


def test_keyboard_interrupt(wire, client, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt
    wire.answers['/api/v1/x'] = [Answer(status=503), {'got': 'it'}]
    monkeypatch.setattr(time, 'sleep', interrupt)
    with pytest.raises(KeyboardInterrupt):
        client.get('x')
    assert client.get('x') == {'got': 'it'}


def test_environment__changes_are_noticed(wire, make_wire, client, monkeypatch):
    proxy = make_wire()
    proxy.answers['/api/v1/x'] = {'from': 'proxy'}
    assert client.get('x') == {}
    monkeypatch.setenv('HTTP_PROXY', proxy.url)
    monkeypatch.setenv('NO_PROXY', 'elsewhere.example')
    assert client.get('x') == {'from': 'proxy'}
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    assert client.get('x') == {}
    client._transport.session.trust_env = False
    assert client.get('x') == {}


def test_environment__ca_bundle(breaker, monkeypatch):
    client = AmigoCloud(base_url='https://' + breaker.host, use_websockets=False, retries=0)
    monkeypatch.setenv('REQUESTS_CA_BUNDLE', '/no/such/file')
    with pytest.raises(AmigoCloudError, match='/no/such/file') as caught:
        client.get('x')
    assert isinstance(caught.value, IOError)
    monkeypatch.delenv('REQUESTS_CA_BUNDLE')
    with pytest.raises(requests.ConnectionError):
        client.get('x')


def test_netrc(wire, client, monkeypatch, tmpdir):
    netrc = tmpdir.join('netrc')
    netrc.write('machine 127.0.0.1\nlogin ada\npassword word\n')
    netrc.chmod(0o600)
    monkeypatch.setenv('NETRC', str(netrc))
    client.get('x')
    assert wire.requests[0].headers['authorization'].startswith('Basic ')
