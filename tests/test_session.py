# -*- coding: utf-8 -*-
"""The client's Session beside that of requests: what it prepares and looks up is the same."""
import io

import pytest
import requests
from conftest import Answer
from servers.tls import make_certificate, speak_tls

from amigocloud import AmigoCloud
from amigocloud.http import tls, urls
from amigocloud.http.session import new_session

URL = 'http://127.0.0.1/x?a=1'

REQUESTS = [
    {}, {'params': {'b': u'é &'}}, {'params': 'c=d'}, {'params': {}}, {'params': [('a', 1), ('a', 2)]},
    {'headers': {'X-A': 'b', 'user-agent': 'own', 'accept': None}}, {'data': {'a': [1, u'é']}}, {'data': b'abc'},
    {'data': u'é'}, {'json': {'a': None}}, {'json': 0}, {'json': {}}, {'data': {}, 'files': {'f': ('n', b'content')}},
    {'auth': ('ada', 'word')}, {'auth': lambda request: request.register_hook('response', len) or request},
    {'cookies': {'a': 'b'}}, {'hooks': {'response': [len]}}, {'data': iter([b'a', b'b'])},
    {'data': io.BytesIO(b'content')}, {'data': io.BytesIO()}, {'files': {'f': b'content'}},
    {'url': 'http://ada:word@127.0.0.1/x'}, {'url': 'http://127.0.0.1'}, {'url': u'http://EXAMPLE.com/é/../ü?q=ß#f'},
    {'url': 'http://127.0.0.1/a b', 'params': {'c': 'd'}}, {'headers': {'Content-Type': 'text/csv'}, 'data': 'a,b'},
]


@pytest.mark.parametrize('method', ['GET', 'POST', 'put', 'DELETE'])
@pytest.mark.parametrize('details', REQUESTS)
def test_prepare_request(method, details):
    details = dict({'url': URL}, **details)
    # As the transport passes it.
    details['url'] = urls.normalize(details['url'])
    asked = requests.Request(method, **details)
    described = []
    for session in (new_session(), requests.Session()):
        made = session.prepare_request(asked)
        made.headers['User-Agent'] = made.headers['User-Agent'].rpartition('python-amigocloud/1.3.0 ')[2]
        boundary = made.headers.get('content-type', '').partition('boundary=')[2]
        described.append(repr((made.method, made.url, sorted(made.headers.items()), made.body, made.hooks,
                               made._cookies.items(), made._body_position)).replace(boundary or '-', 'B'))
    assert described[0] == described[1]


@pytest.mark.parametrize('name, value', [
    ('auth', ('ada', 'word')), ('params', {'b': '1'}), ('hooks', {'response': [len]}), ('trust_env', False),
    ('headers', {'X-A': 'b'}), ('cookies', {'a': 'b'})])
def test_prepare_request__settings_of_the_session(monkeypatch, tmp_path, name, value):
    (tmp_path / 'netrc').write_text(u'default login ada password word\n')
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))

    class Patched(requests.Session):
        def __init__(self):
            super(Patched, self).__init__()
            setting = getattr(self, name)
            setting.update(value) if hasattr(setting, 'update') else setattr(self, name, value)
    monkeypatch.setattr(requests, 'Session', Patched)
    ours, theirs = (session.prepare_request(requests.Request('GET', URL)) for session in (new_session(), Patched()))
    del ours.headers['User-Agent'], theirs.headers['User-Agent']
    assert (ours.url, ours.headers, ours.hooks) == (theirs.url, theirs.headers, theirs.hooks)


def test_prepare_request__one_does_not_change_the_next():
    session = new_session()
    digest = requests.auth.HTTPDigestAuth('ada', 'word')
    for _ in range(2):
        prepared = session.prepare_request(requests.Request('POST', URL, headers={'X-A': 'b'}, json={'a': 1},
                                                            auth=digest))
        prepared.register_hook('response', len)
        prepared.headers['X-C'] = 'd'
    prepared = session.prepare_request(requests.Request('GET', URL))
    assert prepared.headers == new_session().prepare_request(requests.Request('GET', URL)).headers
    assert prepared.body is None and prepared.hooks == {'response': []}


@pytest.mark.parametrize('headers', [{'X-A': 'b\r\nX-B: c'}, {'X-A': 5}])
def test_prepare_request__bad_headers(headers):
    for session in (new_session(), requests.Session()):
        with pytest.raises(requests.exceptions.InvalidHeader):
            session.prepare_request(requests.Request('GET', URL, headers=headers))


@pytest.mark.parametrize('variables', [
    {}, {'http_proxy': 'http://proxy:1'}, {'HTTPS_PROXY': 'http://proxy:1'}, {'all_proxy': 'http://proxy:1'},
    {'http_proxy': 'http://proxy:1', 'no_proxy': '127.0.0.1'}, {'REQUESTS_CA_BUNDLE': '/ca'}, {'CURL_CA_BUNDLE': '/ca'},
])
@pytest.mark.parametrize('asked', [
    ({}, True, None, None), ({'http': 'http://own:2'}, True, None, None), ({}, False, False, None),
    ({}, True, '/own', ('/certificate', '/key')),
])
def test_settings(monkeypatch, variables, asked):
    ours, theirs = new_session(), requests.Session()
    for name in ('HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def settings(session, url):
        proxies, stream, verify, cert = asked
        return session.merge_environment_settings(url, dict(proxies), stream, verify, cert)
    for _ in range(2):
        assert settings(ours, URL) == settings(theirs, URL)
        assert settings(ours, 'https://example.com/') == settings(theirs, 'https://example.com/')
        for name, value in variables.items():
            monkeypatch.setenv(name, value)


def test_settings__are_looked_up_once(wire, client, monkeypatch):
    looked_up, look_up = [], requests.Session.merge_environment_settings

    def spy(self, *args):
        looked_up.append(args)
        return look_up(self, *args)
    monkeypatch.setattr(requests.Session, 'merge_environment_settings', spy)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    for _ in range(3):
        client.get('x')
    assert len(looked_up) == 1
    proxies = {'http': 'http://127.0.0.1:1'}
    assert client.get('x') == {}
    monkeypatch.setenv('no_proxy', 'example.com')
    with pytest.raises(requests.ConnectionError):
        client.get('x', proxies=proxies, headers={'X-A': 'b'})
    del proxies['http']
    assert client.get('x', proxies=proxies) == client.get('x', proxies=None) == {}


@pytest.fixture
def secure(make_wire, tmpdir, monkeypatch):
    """A server with a certificate that is trusted, and its file."""
    wire, certificate = make_wire(), make_certificate(tmpdir, 'localhost')
    speak_tls(wire, certificate)
    wire.url = wire.url.replace('127.0.0.1', 'localhost')
    monkeypatch.setenv('REQUESTS_CA_BUNDLE', certificate)
    return wire, certificate


def test_certificates__are_loaded_once(secure, monkeypatch):
    wire, _ = secure
    made, make = [], tls.create_urllib3_context
    monkeypatch.setattr(tls, 'create_urllib3_context', lambda **kwargs: made.append(1) or make(**kwargs))
    wire.answers['/api/v1/x'] = Answer(headers={'Connection': 'close'})
    for _ in range(2):
        with AmigoCloud(base_url=wire.url, use_websockets=False) as client:
            for _ in range(2):
                client.get('x')
    assert wire.connections == 4 and len(made) == 1


def test_certificates__that_change_are_loaded_again(secure, tmpdir):
    wire, certificate = secure
    with AmigoCloud(base_url=wire.url, use_websockets=False) as client:
        client.get('x')
        client.close()
        stranger = tmpdir.mkdir('other')
        with open(make_certificate(stranger, 'localhost')) as other, open(certificate, 'w') as trusted:
            trusted.write(other.read())
        with pytest.raises(requests.exceptions.SSLError):
            client.get('x')
        with open(certificate, 'w') as trusted:
            trusted.write('no certificate')
        with pytest.raises(requests.RequestException):
            client.get('x')
