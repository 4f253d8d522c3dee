# -*- coding: utf-8 -*-
import pytest
from hypothesis import given
from hypothesis import strategies as st
from six.moves.urllib.parse import parse_qsl, urlsplit

from amigocloud import tokens
from amigocloud.exceptions import AmigoCloudError
from amigocloud.http import urls

API = 'https://app.amigocloud.com/api/v1'
PROJECT = API + '/users/1/projects/2'
BASE = 'https://app.amigocloud.com/'


@pytest.mark.parametrize('url, expected', [
    ('x', API + '/x'), ('x/', API + '/x'), ('x/y?a=1', API + '/x/y?a=1'), ('/x', API + '/x'), ('/x/', API + '/x/'),
    ('//x', API + '//x'), ('', API + '/'), ('httpx', API + '/httpx'), ('  x', API + '/  x'),
    ('http://other/x/', 'http://other/x/'), ('HTTPS://other/x', 'HTTPS://other/x'),
    ('https://app.amigocloud.com/api/v2/x', 'https://app.amigocloud.com/api/v2/x'),
])
def test_resolve(url, expected):
    assert urls.resolve(url, API) == expected


@pytest.mark.parametrize('project_url', [PROJECT, PROJECT + '/', PROJECT + '//'])
@pytest.mark.parametrize('url, expected', [
    ('x', PROJECT + '/x'), ('x//', PROJECT + '/x'), ('', PROJECT + '/'), ('/x', API + '/x'), ('http://a/', 'http://a/'),
])
def test_resolve__project(project_url, url, expected):
    assert urls.resolve(url, API, project_url) == expected


@pytest.mark.parametrize('url', [None, 5, ['x'], {}])
def test_resolve__bad_input(url):
    with pytest.raises(AmigoCloudError, match='must be a str'):
        urls.resolve(url, API)


@given(st.text(), st.sampled_from([None, PROJECT, PROJECT + '/']))
def test_resolve__any_text(url, project_url):
    resolved = urls.resolve(url, API, project_url)
    if url[:8].lower().startswith(('http://', 'https://')):
        assert resolved == url
    elif url.startswith('/'):
        assert resolved == API + url
    else:
        assert resolved == (project_url or API).rstrip('/') + '/' + url.strip('/')


@pytest.mark.parametrize('base_url, url, trusted', [
    (BASE, 'https://app.amigocloud.com/x', True),
    (BASE, 'https://app.amigocloud.com:443/x', True),
    (BASE, 'https://APP.AmigoCloud.com/x', True),
    (BASE, 'https://www.amigocloud.com/x', True),
    (BASE, 'https://user@www.amigocloud.com/x', True),
    (BASE, 'http://app.amigocloud.com/x', False),
    (BASE, 'https://app.amigocloud.com:8443/x', False),
    (BASE, 'https://amigocloud.com.evil.example/x', False),
    (BASE, 'https://evilamigocloud.com/x', False),
    (BASE, 'https://app.amigocloud.com@evil.example/x', False),
    (BASE, 'https://evil.example/?.amigocloud.com', False),
    (BASE, 'https://evil.example/#.amigocloud.com', False),
    (BASE, 'https://evil.example\\@app.amigocloud.com/x', False),
    (BASE, u'https://app.amıgocloud.com/x', False),
    ('https://gis.example', 'https://gis.example/x', True),
    ('https://gis.example', 'https://app.amigocloud.com/x', False),
    ('https://gis.example', 'https://other.gis.example/x', False),
    ('http://localhost:8000', 'http://localhost:8000/x', True),
    ('http://localhost:8000', 'http://localhost:8001/x', False),
    ('http://localhost:8000', 'http://127.0.0.1:8000/x', False),
    (u'https://münchen.example', 'https://xn--mnchen-3ya.example/x', True),
])
def test_is_trusted(base_url, url, trusted):
    assert tokens.is_trusted(urls.normalize(url), urls.normalize(base_url)) is trusted


@pytest.mark.parametrize('url, sent', [
    ('/x', '/x?token=s%2Fe'), ('/x?a=1', '/x?a=1&token=s%2Fe'), ('/x?a=1&a=2', '/x?a=1&a=2&token=s%2Fe'),
    ('/x?token=', '/x?token=s%2Fe'), ('/x?a=1&token=&b=2', '/x?a=1&b=2&token=s%2Fe'),
    ('/x?token=other&a=1', '/x?token=other&a=1'), ('/x?token=1&token=2', '/x?token=2'),
    ('/x?token=1&a=1&token=', '/x?token=1&a=1'), ('/x?tok%65n=other', '/x?tok%65n=other'),
    ('/x?Token=1', '/x?Token=1&token=s%2Fe'), ('/x?a=%26token=1', '/x?a=%26token=1&token=s%2Fe'),
    ('/x?a=1#part', '/x?a=1&token=s%2Fe#part'),
])
def test_with_token(url, sent):
    assert tokens.with_token(API + url, 's/e', BASE) == API + sent


def test_with_token__none():
    assert tokens.with_token(API + '/x?token=&a=1', None, BASE) == API + '/x?token=&a=1'


@pytest.mark.parametrize('url, sent', [
    ('https://cdn.example/x?a=1', 'https://cdn.example/x?a=1'),
    ('https://cdn.example/x?token=secret&a=1', 'https://cdn.example/x?a=1'),
    ('https://cdn.example/x?token=s%65cret', 'https://cdn.example/x'),
    ('https://cdn.example/x?token=other', 'https://cdn.example/x?token=other'),
    ('http://app.amigocloud.com/x?token=secret', 'http://app.amigocloud.com/x'),
])
def test_with_token__foreign(url, sent):
    assert tokens.with_token(url, 'secret', BASE) == sent


@given(st.lists(st.tuples(st.sampled_from(['token', 'a', 'Token', '']), st.sampled_from(['', 'x', 'secret', '%26'])),
                max_size=6),
       st.sampled_from([API, 'https://cdn.example/api', 'http://app.amigocloud.com']))
def test_with_token__rules(pairs, endpoint):
    url = endpoint + '/x?' + '&'.join('='.join(pair) for pair in pairs)
    sent = parse_qsl(urlsplit(tokens.with_token(url, 'secret', BASE)).query)
    sent_tokens = [value for name, value in sent if name == 'token']
    given_tokens = [value for name, value in parse_qsl(urlsplit(url).query) if name == 'token']
    if endpoint == API:
        assert sent_tokens == (given_tokens[-1:] or ['secret'])
    else:
        assert 'secret' not in sent_tokens
    # Another host gets the token under no other name either.
    assert [pair for pair in sent if pair[0] != 'token'] == [
        pair for pair in parse_qsl(urlsplit(url).query)
        if pair[0] != 'token' and (endpoint == API or pair[1] != 'secret')]


@pytest.mark.parametrize('url', ['', 'app.amigocloud.com', '//app', 'https://', 'ftp//x', u'https://app.amigocloud.com。evil.example'])
def test_normalize__bad_input(url):
    with pytest.raises(AmigoCloudError, match='not a URL'):
        urls.normalize(url)


@pytest.mark.parametrize('url, expected', [
    ('x', 'x/complete'), ('x/', 'x/complete'), ('/a/x?token=1', '/a/x/complete?token=1'),
])
def test_add_segment(url, expected):
    assert urls.add_segment(url, 'complete') == expected
