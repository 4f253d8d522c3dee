# -*- coding: utf-8 -*-
"""The client against what the service is made of: Django REST framework's pages, django-chunked-upload's views."""
from __future__ import unicode_literals

import io
import os
import subprocess
import sys

import pytest
import requests
from conftest import Answer, Wire

from amigocloud import AmigoCloud, AmigoCloudError

for needed in ('django', 'rest_framework', 'chunked_upload'):
    pytest.importorskip(needed)

pytestmark = pytest.mark.every_python

TOKEN, ROWS = 'T0ken', 120
CONTENT = bytes(bytearray(range(256))) * 40
CHUNKS = 5


class Proxy(Wire):
    """Passes requests on to Django. ``faults`` maps the number of one to what goes wrong with it."""

    def __init__(self, target):
        Wire.__init__(self)
        self.target, self.faults = target, {}

    def answer(self, request):
        fault = self.faults.get(len(self.requests))
        if fault in ('before', 503):
            return None if fault == 'before' else Answer(b'', 503)
        headers = {name: value for name, value in request.headers.items() if name != 'connection'}
        answer = requests.request(request.method, self.target + request.target, headers=headers, data=request.body,
                                  allow_redirects=False)
        if fault == 'lost':
            return None
        kept = {name: answer.headers[name] for name in ('Content-Type', 'Location') if name in answer.headers}
        # Several cookies come in lines of their own.
        kept['Set-Cookie'] = answer.raw.headers.getlist('Set-Cookie')
        return Answer(answer.content, fault if fault == 502 else answer.status_code, kept)


@pytest.fixture(scope='module')
def django_url(tmpdir_factory):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'servers', 'django_app.py')
    process = subprocess.Popen([sys.executable, script, str(tmpdir_factory.mktemp('django'))], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    yield 'http://127.0.0.1:{}'.format(int(process.stdout.readline()))
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.fixture
def proxy(django_url):
    made = Proxy(django_url)
    requests.get(django_url + '/taken')
    yield made
    made.close()


@pytest.fixture
def client(proxy):
    with AmigoCloud(TOKEN, base_url=proxy.url, use_websockets=False) as amigocloud:
        del proxy.requests[:]
        yield amigocloud


def ids(cursor):
    return [row['id'] for row in cursor]


def imported(proxy):
    """The files that were imported: their names and contents."""
    found = requests.get(proxy.target + '/taken').json()['imports']
    return [(each['name'], bytes(bytearray.fromhex(each['content']))) for each in found]


# Pages

ALL = list(range(1, ROWS + 1))


@pytest.mark.parametrize('limit, pages', [(7, 18), (100, 2), (1000, 2), (0, 3), (-1, 3), ('x', 3), (None, 3)])
def test_pages(proxy, client, limit, pages):
    cursor = client.get_cursor('rows', {'limit': limit})
    assert cursor.get('count') == ROWS
    assert ids(cursor) == ALL
    assert len(proxy.requests) == pages


def test_pages__parameters_are_kept(proxy, client):
    assert ids(client.get_cursor('rows?q=é%26=', {'limit': 50, 'tag': ['a', 'b'], 'offset': 10})) == ALL[10:]
    for request in proxy.requests:
        pairs = sorted(request.query.split('&'))
        assert [pair for pair in pairs if not pair.startswith('offset=')] == [
            'limit=50', 'q=%C3%A9%26%3D' if 'q=%C3%A9%26%3D' in pairs else 'q=%C3%A9%26=', 'tag=a', 'tag=b',
            'token=' + TOKEN]
    assert [request.params['offset'] for request in proxy.requests] == ['10', '60', '110']


def test_pages__token_of_the_caller(proxy, client):
    client.logout()
    assert ids(client.get_cursor('rows', {'token': TOKEN})) == ALL
    client.authenticate(TOKEN)
    assert ids(client.get_cursor('rows?token=' + TOKEN)) == ALL
    assert all(request.query.count('token=') == 1 for request in proxy.requests)


@pytest.mark.parametrize('status', [400, 500, 409])
def test_pages__error(proxy, client, status):
    cursor = client.get_cursor('rows', {'limit': 10, 'fail': 40, 'status': status, 'try': status})
    rows = [next(cursor)['id'] for _ in range(40)]
    with pytest.raises(AmigoCloudError, match='busy') as caught:
        next(cursor)
    assert caught.value.status_code == status
    assert rows + ids(cursor) == ALL
    assert len(proxy.requests) == 13


@pytest.mark.parametrize('fault', ['before', 'lost', 502, 503])
def test_pages__lost(proxy, client, fault):
    proxy.faults.update({2: fault, 5: fault})
    assert ids(client.get_cursor('rows', {'limit': 30})) == ALL
    assert len(proxy.requests) == 6


def test_pages__without_a_token(client):
    client.logout()
    with pytest.raises(AmigoCloudError, match='Authentication credentials'):
        ids(client.get_cursor('rows'))


# Uploads in chunks

def upload(client, content=CONTENT, **kwargs):
    file_obj = io.BytesIO(content)
    file_obj.name = 'trees.csv'
    return client.upload_file(None, kwargs.pop('url', 'chunked'), file_obj, len(CONTENT) // CHUNKS, **kwargs)


def test_upload(proxy, client):
    assert upload(client) == {'job': 'J1'}
    assert imported(proxy) == [('trees.csv', CONTENT)]
    assert len(proxy.requests) == CHUNKS + 1


def test_upload__empty(proxy, client):
    assert upload(client, b'') == {'job': 'J1'}
    assert imported(proxy) == [('trees.csv', b'')]


@pytest.mark.parametrize('fault', ['before', 'lost', 502, 503])
@pytest.mark.parametrize('number', [1, 2, CHUNKS])
def test_upload__chunk_fails(proxy, client, number, fault):
    proxy.faults[number] = fault
    assert upload(client) == {'job': 'J1'}
    assert imported(proxy) == [('trees.csv', CONTENT)]


@pytest.mark.parametrize('fault', ['before', 503])
def test_upload__completion_is_not_carried_out(proxy, client, fault):
    proxy.faults[CHUNKS + 1] = fault
    assert upload(client) == {'job': 'J1'}
    assert imported(proxy) == [('trees.csv', CONTENT)]


@pytest.mark.parametrize('fault', ['lost', 502])
def test_upload__completion_is_not_answered(proxy, client, fault):
    proxy.faults[CHUNKS + 1] = fault
    with pytest.raises(AmigoCloudError, match='complete.*twice') as caught:
        upload(client)
    with pytest.raises(AmigoCloudError, match='complete.*twice'):
        upload(client, resume=caught.value)
    assert imported(proxy) == [('trees.csv', CONTENT)]


def test_upload__a_second_completion_would_import_twice(proxy, client):
    """What the client has to avoid."""
    upload(client)
    assert client.post('chunked/complete', proxy.requests[-1].json) == {'job': 'J2'}
    assert len(imported(proxy)) == 2


@pytest.mark.parametrize('query', ['', '?purge'])
def test_upload__forgotten(proxy, client, query):
    class Forgetful(io.BytesIO):
        name = 'trees.csv'
        reads = 0

        def read(self, *args):
            self.reads += 1
            if self.reads == 5:
                requests.post(proxy.target + '/age' + query)
            return io.BytesIO.read(self, *args)
    assert client.upload_file(None, 'chunked', Forgetful(CONTENT), len(CONTENT) // CHUNKS) == {'job': 'J1'}
    assert imported(proxy) == [('trees.csv', CONTENT)]
    assert len(proxy.requests) > CHUNKS + 2


def test_upload__resumed(proxy, client):
    proxy.faults.update(dict.fromkeys(range(3, 30), 'before'))
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    assert caught.value.offset == 2 * len(CONTENT) // CHUNKS
    proxy.faults.clear()
    del proxy.requests[:]
    assert upload(client, resume=caught.value) == {'job': 'J1'}
    assert imported(proxy) == [('trees.csv', CONTENT)]
    assert len(proxy.requests) == CHUNKS - 2 + 1


def test_upload__interrupted_and_resumed(proxy, client):
    def interrupt(done, total):
        if done > total // 2:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        upload(client, progress=interrupt)
    assert upload(client, resume=caught.value) == {'job': 'J1'}
    assert imported(proxy) == [('trees.csv', CONTENT)]


def test_upload__another_file_is_resumed(proxy, client):
    proxy.faults.update(dict.fromkeys(range(3, 30), 'before'))
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    proxy.faults.clear()
    with pytest.raises(AmigoCloudError, match='md5 checksum does not match'):
        upload(client, CONTENT[::-1], resume=caught.value)
    assert imported(proxy) == []


# Redirects and cookies

def test_cookies__are_not_sent_back(proxy, client):
    """One sent back would make Django ask for a token against CSRF."""
    assert client.get('me') == {'id': 1}
    assert client.post('rows', {'a': 1}) == {'a': 1}
    assert not any('cookie' in request.headers for request in proxy.requests)
    with requests.Session() as keeping:
        assert 'sessionid' in keeping.get(proxy.url + '/api/v1/me?token=' + TOKEN).cookies
        refused = keeping.post(proxy.url + '/api/v1/rows?token=' + TOKEN, json={'a': 1})
    assert refused.status_code == 403 and 'CSRF' in refused.text


def test_append_slash(proxy, client):
    assert client.get('/slash', {'limit': 5})['count'] == ROWS
    assert [request.target.partition('?')[0] for request in proxy.requests] == ['/api/v1/slash', '/api/v1/slash/']
    assert all(request.query.count('token=') == 1 for request in proxy.requests)


def test_append_slash__upload(proxy, client):
    """A POST that follows would become a GET, which stores nothing and is no success."""
    with pytest.raises(AmigoCloudError, match='nothing was done.*slashed/'):
        upload(client, url='slashed')
    assert len(proxy.requests) == 1 and imported(proxy) == []


def test_not_found(client):
    with pytest.raises(AmigoCloudError, match='404') as caught:
        client.get('nothing')
    assert '<h1>Not Found</h1>' in caught.value.text
