# -*- coding: utf-8 -*-
import gc
import io
import json
import logging
import pickle
import threading
import traceback
import weakref

import pytest
import requests
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.amigocloud import BASE_URL

METHODS = ['get', 'post', 'put', 'patch', 'delete']
WRITING = METHODS[1:]


def make_client(wire, **kwargs):
    return AmigoCloud(base_url=wire.url, use_websockets=False, **kwargs)


def login_state(client):
    return client._token, client._user_id, client._project_id, client._project_url


# Login

def test_login__user_token(wire):
    client = make_client(wire, token='secret')
    assert login_state(client) == ('secret', 7, None, None)
    assert [request.target for request in wire.requests] == ['/api/v1/me?token=secret']


@pytest.mark.parametrize('project_url', ['users/1/projects/9', '/users/1/projects/9/', '{}/api/v1/users/1/projects/9'])
def test_login__project_token(wire, project_url):
    wire.answers['/api/v1/users/1/projects/9/'] = {'id': 9}
    client = make_client(wire, token='secret', project_url=project_url.format(wire.url))
    assert client._project_id == 9 and client._user_id is None
    assert client._project_url.rstrip('/') == wire.url + '/api/v1/users/1/projects/9'
    client.get('datasets')
    client.get('/me')
    assert [request.path for request in wire.requests] == [
        '/api/v1/users/1/projects/9/', '/api/v1/users/1/projects/9/datasets', '/api/v1/me']


def test_login__no_token(wire):
    client = make_client(wire, project_url='users/1/projects/9')
    assert not wire.requests and login_state(client) == (None,) * 4
    client.get('x')
    assert wire.requests[0].target == '/api/v1/x'


def test_login__refused(wire):
    wire.answers['/api/v1/me'] = Answer({'detail': 'Invalid token'}, 401)
    with pytest.raises(AmigoCloudError) as caught:
        make_client(wire, token='secret')
    assert caught.value.status_code == 401 and 'Invalid token' in str(caught.value)


def test_authenticate__refused_leaves_the_login(wire, client):
    wire.answers['/api/v1/users/1/projects/9/'] = Answer({'detail': 'no'}, 403)
    with pytest.raises(AmigoCloudError):
        client.authenticate('other', 'users/1/projects/9')
    assert login_state(client) == ('secret', 7, None, None)


def test_authenticate__replaces_the_login(wire, client):
    wire.answers['/api/v1/users/1/projects/9/'] = {'id': 9}
    client.authenticate('other', 'users/1/projects/9')
    assert login_state(client) == ('other', None, 9, wire.url + '/api/v1/users/1/projects/9')
    client.authenticate('third')
    assert login_state(client) == ('third', 7, None, None)
    assert wire.requests[-1].target == '/api/v1/me?token=third'


@pytest.mark.parametrize('answer', [[], None, {}, 'x'])
def test_authenticate__not_the_service(wire, client, answer):
    wire.answers['/api/v1/me'] = Answer(json.dumps(answer).encode('ascii'))
    with pytest.raises(AmigoCloudError, match='no id'):
        client.authenticate('other')
    assert client._token == 'secret'


@pytest.mark.parametrize('token', ['a b', 'a\n', '\x00', 5, b'x\x7f', ['x']])
def test_authenticate__bad_token(wire, client, token):
    with pytest.raises(AmigoCloudError, match='token'):
        client.authenticate(token)
    assert not wire.requests


def test_logout(wire, client):
    client.logout()
    assert login_state(client) == (None,) * 4
    client.get('x')
    assert wire.requests[0].target == '/api/v1/x'


@pytest.mark.parametrize('base_url', ['', 'app.amigocloud.com', '//app.amigocloud.com'])
def test_base_url__without_a_scheme(base_url):
    with pytest.raises(AmigoCloudError, match='must be a URL'):
        AmigoCloud(base_url=base_url, use_websockets=False)


def test_base_url():
    client = AmigoCloud(use_websockets=False)
    assert client.base_url == BASE_URL == 'https://app.amigocloud.com'
    assert client.api_url == 'https://app.amigocloud.com/api/v1'
    assert client.socketio is client.amigosocket is None
    assert AmigoCloud(base_url=BASE_URL + '/', use_websockets=False).api_url == client.api_url


def test_from_env(wire, monkeypatch):
    monkeypatch.setenv('AMIGOCLOUD_TOKEN', 'second')
    monkeypatch.setenv('AMIGOCLOUD_API_URL', wire.url + '/api/v1')
    assert AmigoCloud.from_env(use_websockets=False)._token == 'second'
    monkeypatch.setenv('AMIGOCLOUD_API_KEY', 'first')
    client = AmigoCloud.from_env(use_websockets=False)
    assert (client._token, client.base_url) == ('first', wire.url)


def test_from_env__no_token():
    with pytest.raises(AmigoCloudError, match='AMIGOCLOUD_API_KEY'):
        AmigoCloud.from_env()


# Requests

@pytest.mark.parametrize('method', METHODS)
def test_token(wire, method):
    client = make_client(wire, token=u'T&+é')
    getattr(client, method)('x?a=1')
    getattr(client, method)('x?token=mine&a=1')
    getattr(client, method)('x?a=1&token=')
    assert [request.target for request in wire.requests[1:]] == [
        '/api/v1/x?a=1&token=T%26%2B%C3%A9', '/api/v1/x?token=mine&a=1', '/api/v1/x?a=1&token=T%26%2B%C3%A9']


def test_get__params(wire, client):
    params = {'a': 1, 'b': ['x', 'y'], 'n': None}
    client.get('x?q=1', params)
    assert sorted(wire.requests[0].query.split('&')) == ['a=1', 'b=x', 'b=y', 'q=1', 'token=secret']
    assert wire.requests[0].query.endswith('&token=secret') and wire.requests[0].query.startswith('q=1&')
    assert params == {'a': 1, 'b': ['x', 'y'], 'n': None}
    client.get('x', {'token': 'mine'})
    client.get('x', {'token': ''})
    client.get('x?token=theirs', {'token': 'mine'})
    assert [request.query for request in wire.requests[1:]] == ['token=mine', 'token=secret', 'token=mine']


@pytest.mark.parametrize('params', ['a=1', [('a', 1)], 5])
def test_get__bad_params(wire, client, params):
    with pytest.raises(AmigoCloudError, match='params'):
        client.get('x', params)
    assert not wire.requests


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('url', [None, 5])
def test_url__bad_input(wire, client, method, url):
    with pytest.raises(AmigoCloudError, match='URL'):
        getattr(client, method)(url)
    assert not wire.requests


@pytest.mark.parametrize('method', WRITING)
@pytest.mark.parametrize('data, body', [
    ({'a': u'é'}, b'{"a": "\\u00e9"}'), (None, b'{}'), ([], b'{}'), ({}, b'{}'), ([1], b'[1]'), ('x', b'"x"'),
])
def test_json(wire, client, method, data, body):
    getattr(client, method)('x', data)
    request = wire.requests[0]
    assert (request.method, request.body) == (method.upper(), body)
    assert request.headers['content-type'] == 'application/json'


@pytest.mark.parametrize('method', WRITING)
def test_json__content_type_is_json(wire, client, method):
    headers = {'Content-Type': 'text/csv', 'X-Who': 'me'}
    getattr(client, method)('x', {}, headers=headers, content_type='text/csv')
    assert wire.requests[0].headers['content-type'] == 'application/json'
    assert wire.requests[0].headers['x-who'] == 'me'
    assert headers == {'Content-Type': 'text/csv', 'X-Who': 'me'}


@pytest.mark.parametrize('method', WRITING)
@pytest.mark.parametrize('data, kwargs, body, content_type', [
    ({'a': 1}, {}, b'a=1', 'application/x-www-form-urlencoded'), ({'a': 1}, {'content_type': 'x/y'}, b'a=1', 'x/y'),
    (b'a,b', {}, b'a,b', None), ('a,b', {}, b'a,b', None), (b'a,b', {'content_type': 'text/csv'}, b'a,b', 'text/csv'),
])
def test_not_json(wire, client, method, data, kwargs, body, content_type):
    getattr(client, method)('x', data, send_as_json=False, **kwargs)
    assert wire.requests[0].body == body
    assert wire.requests[0].headers.get('content-type') == content_type


@pytest.mark.parametrize('method', WRITING)
@pytest.mark.parametrize('kwargs', [{}, {'content_type': 'text/csv'}, {'send_as_json': False, 'content_type': 'x/y'}])
def test_files(wire, client, method, kwargs):
    getattr(client, method)('x', {'a': 1}, files={'datafile': ('n.csv', io.BytesIO(b'abc'))}, **kwargs)
    request = wire.requests[0]
    kind, boundary = request.headers['content-type'].split('; boundary=')
    assert kind == 'multipart/form-data'
    assert request.body == (
        '--{0}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--{0}\r\nContent-Disposition: form-data; '
        'name="datafile"; filename="n.csv"\r\n\r\nabc\r\n--{0}--\r\n').format(boundary).encode('ascii')


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('body, value', [
    (b'{"a": 1}', {'a': 1}), (b'null', None), (b'false', False), (b'0', 0), (b'', b''), (b'"\xc3\xa9"', u'é'),
])
def test_answer(wire, client, method, body, value):
    wire.answers['/api/v1/x'] = Answer(body)
    answer = getattr(client, method)('x')
    assert answer == value and type(answer) is type(value)
    assert getattr(client, method)('x', raw=True) == body


@pytest.mark.parametrize('method', METHODS)
def test_answer__stream(wire, client, method):
    wire.answers['/api/v1/x'] = Answer(b'abc')
    response = getattr(client, method)('x', stream=True)
    assert isinstance(response, requests.Response) and response.raw.read() == b'abc'
    response.close()


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('status', [400, 401, 403, 404, 410, 429, 500, 503, 599])
def test_answer__error(wire, client, method, status):
    wire.answers['/api/v1/x'] = Answer(u'{"detail": "Nö"}'.encode('utf-8'), status)
    for stream in (False, True):
        with pytest.raises(AmigoCloudError) as caught:
            getattr(client, method)('x', stream=stream)
        error = caught.value
        assert error.response.status_code == error.status_code == status
        assert error.text == u'{"detail": "Nö"}' == error.response.text
        assert str(status) in str(error) and six.ensure_str(u'{"detail": "Nö"}') in str(error)
        assert wire.url + '/api/v1/x' in str(error)


@pytest.mark.parametrize('method', METHODS)
def test_answer__not_json(wire, client, method):
    wire.answers['/api/v1/x'] = Answer(b'<html>sign in</html>', headers={'Content-Type': 'text/html'})
    with pytest.raises(AmigoCloudError, match='not JSON') as caught:
        getattr(client, method)('x')
    assert caught.value.text == '<html>sign in</html>' and isinstance(caught.value, ValueError)


def test_answer__deep_json(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'[' * 200000)
    with pytest.raises(AmigoCloudError, match='not JSON'):
        client.get('x')


@pytest.mark.parametrize('method', METHODS)
def test_failure__no_connection(make_gone, method):
    gone = make_gone()
    client = AmigoCloud(base_url=gone, use_websockets=False)
    with pytest.raises(requests.ConnectionError) as caught:
        getattr(client, method)('x')
    error = caught.value
    assert isinstance(error, AmigoCloudError)
    assert (error.response, error.text, error.status_code) == (None, None, None)
    assert method.upper() in str(error) and gone in str(error)


@pytest.mark.parametrize('method', METHODS)
def test_failure__timeout(wire, client, method):
    answered = threading.Event()
    wire.answers['/api/v1/x'] = lambda request: answered.wait(10) and {}
    with pytest.raises(requests.Timeout) as caught:
        getattr(client, method)('x', timeout=0.2)
    answered.set()
    assert isinstance(caught.value, AmigoCloudError) and caught.value.response is None


def test_failure__default_timeout(wire):
    answered = threading.Event()
    client = make_client(wire, token='secret', timeout=0.2)
    wire.answers['/api/v1/x'] = lambda request: answered.wait(10) and {}
    with pytest.raises(requests.Timeout):
        client.get('x')
    answered.set()


def test_failure__cut_body(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'{}', headers={'Content-Length': '10', 'Connection': 'close'})
    with pytest.raises(AmigoCloudError):
        client.get('x')


def test_failure__cut_error_page(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'{}', 500, {'Content-Length': '10', 'Connection': 'close'})
    with pytest.raises(AmigoCloudError, match='500') as caught:
        client.get('x', stream=True)
    assert caught.value.status_code == 500


@pytest.mark.parametrize('url', ['http://', 'http://[', 'https://' + 'x' * 300 + '.example/'])
def test_failure__impossible_url(client, url):
    with pytest.raises(AmigoCloudError):
        client.get(url)


def test_check_for_errors(client):
    response = requests.Response()
    response.url = BASE_URL
    for status in (200, 204, 302, 399):
        response.status_code = status
        client.check_for_errors(response)
    response.status_code, response._content = 418, b'tea'
    with pytest.raises(AmigoCloudError, match='418(.|\n)*tea'):
        client.check_for_errors(response)


def test_unknown_argument(wire, client):
    with pytest.raises(TypeError, match='colour'):
        client.get('x', colour='red')
    assert not wire.requests


def test_request_kwargs(wire, client):
    client.get('x', headers={'X-Who': 'me'}, auth=('user', 'word'), cookies={'c': '1'})
    headers = wire.requests[0].headers
    assert headers['x-who'] == 'me' and headers['authorization'].startswith('Basic ') and headers['cookie'] == 'c=1'


def test_request_kwargs__proxies(wire, make_wire, client):
    proxy = make_wire()
    proxy.answers['/x'] = {'from': 'proxy'}
    assert client.get('http://elsewhere.example/x', proxies={'http': proxy.url}) == {'from': 'proxy'}
    assert proxy.requests[0].target == 'http://elsewhere.example/x'


# The Session

def test_session__kept_alive_without_cookies(wire, client):
    wire.answers['/api/v1/x'] = Answer({}, headers={'Set-Cookie': 'sessionid=1; Path=/'})
    for method in METHODS * 2:
        getattr(client, method)('x')
    assert len({request.connection for request in wire.requests}) == 1
    assert not any('cookie' in request.headers for request in wire.requests)


def test_session__of_the_caller(wire):
    session = requests.Session()
    session.headers['X-Who'] = 'me'
    wire.answers['/api/v1/x'] = Answer({}, headers={'Set-Cookie': 'sessionid=1; Path=/'})
    with make_client(wire, token='secret', session=session) as client:
        client.post('x')
        client.post('x')
    assert [request.headers['x-who'] for request in wire.requests] == ['me'] * 3
    assert 'cookie' not in wire.requests[-1].headers


def test_threads(wire, client):
    wire.answers['/api/v1/x'] = lambda request: {'n': request.params['n']}
    wrong = []

    def work(name):
        for i in range(20):
            n = '{}-{}'.format(name, i)
            if client.get('x', {'n': n}) != {'n': n}:
                wrong.append(n)
    threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(wire.requests) == 320


# The token stays home

@pytest.mark.parametrize('method', METHODS)
def test_token__not_to_another_host(wire, make_wire, client, method):
    other = make_wire()
    getattr(client, method)(other.url + '/x?a=1')
    getattr(client, method)(other.url + '/x?token=secret')
    assert [request.target for request in other.requests] == ['/x?a=1', '/x']


def test_token__not_on_a_redirect(wire, make_wire, client):
    other = make_wire()
    wire.answers['/api/v1/x'] = lambda request: Answer(
        b'moved', 302, {'Location': other.url + '/y?' + request.query, 'Set-Cookie': 'sessionid=1; Path=/'})
    other.answers['/y'] = Answer(b'moved', 301, {'Location': '/z?token=secret&a=1'})
    other.answers['/z'] = {'got': 'there'}
    assert client.get('x', {'a': 1}) == {'got': 'there'}
    assert [request.target for request in other.requests] == ['/y?a=1', '/z?a=1']
    assert not any('cookie' in request.headers for request in other.requests)


def test_redirect__own_host(wire, client):
    wire.answers['/api/v1/x'] = lambda request: Answer(
        b'', 301, {'Location': '/api/v1/x/?' + request.query, 'Set-Cookie': 'sessionid=1; Path=/'})
    wire.answers['/api/v1/x/'] = {'got': 'there'}
    response = client.get('x', stream=True)
    assert response.json() == {'got': 'there'} and [hop.status_code for hop in response.history] == [301]
    assert wire.requests[1].target == '/api/v1/x/?token=secret'
    assert 'cookie' not in wire.requests[1].headers


@pytest.mark.parametrize('status, method', [(307, 'POST'), (308, 'POST'), (303, 'GET')])
def test_redirect__method(wire, client, status, method):
    wire.answers['/api/v1/x'] = Answer(b'', status, {'Location': '/api/v1/y'})
    client.post('x', {'a': 1})
    assert wire.requests[1].method == method
    assert wire.requests[1].body == (b'{"a": 1}' if method == 'POST' else b'')


def test_redirect__not_followed(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'moved', 302, {'Location': '/api/v1/y'})
    assert client.get('x', allow_redirects=False) == b'moved'
    assert client.get('x', allow_redirects=False, stream=True).status_code == 302
    assert len(wire.requests) == 2


def test_redirect__endless(wire, client):
    wire.answers['/api/v1/x'] = Answer(b'', 302, {'Location': '/api/v1/x'})
    with pytest.raises(requests.TooManyRedirects) as caught:
        client.get('x')
    assert isinstance(caught.value, AmigoCloudError) and len(wire.requests) == 31


def test_token__in_no_text(wire, make_gone, client, caplog):
    caplog.set_level(logging.DEBUG)
    wire.answers['/api/v1/bad'] = Answer({'detail': 'secret is no good', 'next': '/x?token=secret'}, 403)
    wire.answers['/api/v1/html'] = Answer(b'<html>')
    wire.answers['/api/v1/loop'] = lambda request: Answer(b'', 302, {'Location': request.target})
    gone = make_gone()
    lost = AmigoCloud('secret', base_url=wire.url, use_websockets=False)
    lost.base_url, lost.api_url = gone, gone + '/api/v1'
    calls = [lambda: AmigoCloud('secret', base_url=gone, use_websockets=False)]
    calls += [lambda url=url: client.get(wire.url + '/api/v1/' + url) for url in ('bad', 'html', 'loop')]
    calls += [lambda: client.get_cursor(wire.url + '/api/v1/bad?token=secret').has_next,
              lambda: lost.post('x', timeout=1), lambda: client.get('http://[?token=secret')]
    for call in calls:
        with pytest.raises(AmigoCloudError) as caught:
            call()
        lines = traceback.format_exception(caught.type, caught.value, caught.tb)
        shown = ''.join(line for line in lines if 'lambda' not in line)
        shown += repr(caught.value) + str(caught.value) + repr(client)
        assert 'secret' not in shown.replace("'secret'", ''), shown
    assert 'secret' not in caplog.text


# The object

def test_repr(wire):
    wire.answers['/api/v1/projects/9/'] = {'id': 9}
    assert repr(make_client(wire)) == '<AmigoCloud anonymous at {}>'.format(wire.url)
    assert repr(make_client(wire, token='secret')) == '<AmigoCloud user 7 at {}>'.format(wire.url)
    client = make_client(wire, token='secret', project_url='/projects/9')
    assert repr(client) == '<AmigoCloud project 9 at {}>'.format(wire.url)


@pytest.mark.parametrize('use_websockets', [True, False])
def test_pickle(wire, use_websockets):
    client = AmigoCloud('secret', base_url=wire.url, use_websockets=use_websockets, timeout=5)
    copy = pickle.loads(pickle.dumps(client, 2))
    client.close()
    rest = [request for request in wire.requests if request.path.startswith('/api')]
    assert len(rest) == 1
    assert login_state(copy) == login_state(client) and copy.base_url == wire.url
    copy.get('x')
    assert wire.requests[-1].target == '/api/v1/x?token=secret'
    assert bool(copy.socketio) is use_websockets
    copy.close()


def test_pickle__caller_session(wire):
    session = requests.Session()
    session.headers['X-Who'] = 'me'
    with pickle.loads(pickle.dumps(make_client(wire, session=session), 2)) as copy:
        copy.get('x')
    assert wire.requests[0].headers['x-who'] == 'me'


def test_context_manager(wire):
    with make_client(wire, token='secret') as client:
        assert client.get('x') == {}


def test_destroyed(wire):
    client = AmigoCloud('secret', base_url=wire.url)
    reference = weakref.ref(client)
    del client
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize('call', [
    lambda client: client.listen_user_events(), lambda client: client.listen_dataset_events(1, 2, 3),
    lambda client: client.add_callback('realtime', print_event), lambda client: client.start_listening(1),
    lambda client: client.stop_listening(),
])
def test_events__without_websockets(wire, client, call):
    with pytest.raises(AmigoCloudError, match='use_websockets'):
        call(client)
    assert not wire.requests


def print_event(event):
    print(event)


@pytest.mark.parametrize('listen', [
    lambda client: client.listen_user_events(), lambda client: client.listen_dataset_events(1, 2, 3),
])
def test_events__without_a_user_token(wire, listen):
    wire.answers['/api/v1/projects/9/'] = {'id': 9}
    for client in (make_client(wire), make_client(wire, token='secret', project_url='/projects/9')):
        with pytest.raises(AmigoCloudError, match='user token'):
            listen(client)
