# -*- coding: utf-8 -*-
"""The tiles of a dataset: their URL, where its token goes and where not, and the layer of folium."""
import logging
import pickle
import sys

import pytest
import requests
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError

DATASET = '/api/v1/projects/1/datasets/2'
TOKEN = 'secret{z}&+%'
ENCODED = 'secret%7Bz%7D%26%2B%25'


@pytest.fixture
def dataset(wire):
    """A dataset of a client whose token has to be encoded."""
    describe(wire)
    with AmigoCloud(TOKEN, base_url=wire.url, use_websockets=False) as client:
        del wire.requests[:]
        yield client.project(1).dataset(2)


def describe(wire, path=DATASET, **members):
    wire.answers[path] = dict({'name': 'Trees <b>&</b>', 'tiles': wire.url + path + '/tiles',
                               'cache_busting': u'0c9a/\xe4&'}, **members)


@pytest.mark.parametrize('tile_format', ['png', 'json'])
def test_tile_url(wire, dataset, tile_format):
    url = dataset.tile_url(tile_format)
    assert url == '{}{}/tiles/{{z}}/{{x}}/{{y}}.{}?token={}&c=0c9a%2F%C3%A4%26'.format(
        wire.url, DATASET, tile_format, ENCODED)
    assert [request.path for request in wire.requests] == [DATASET]
    wire.answers[DATASET + '/tiles/12/655/1583.' + tile_format] = Answer(b'tile')
    assert dataset.client.get(url.format(z=12, x=655, y=1583), raw=True) == b'tile'
    assert wire.requests[-1].params == {'token': TOKEN, 'c': u'0c9a/\xe4&'}


def test_tile_url__default_is_a_picture(dataset):
    assert dataset.tile_url() == dataset.tile_url(format='png')


@pytest.mark.parametrize('members, end', [
    ({'cache_busting': None}, '.png?token=' + ENCODED),
    ({'cache_busting': ''}, '.png?token=' + ENCODED),
    ({'cache_busting': 7}, '.png?token=' + ENCODED + '&c=7')])
def test_tile_url__cache_busting(wire, dataset, members, end):
    describe(wire, **members)
    assert dataset.tile_url().endswith('/tiles/{z}/{x}/{y}' + end)


def test_tile_url__link_with_a_token(wire, dataset):
    describe(wire, tiles=wire.url + DATASET + '/tiles/?token=other')
    assert dataset.tile_url().endswith('/tiles/{z}/{x}/{y}.png?token=other&c=0c9a%2F%C3%A4%26')


def test_tile_url__other_host(wire, dataset):
    """The token goes only to the host of the API, whatever the service says."""
    describe(wire, tiles='https://tiles.example.com/2')
    assert dataset.tile_url() == (
        'https://tiles.example.com/2/{z}/{x}/{y}.png?c=0c9a%2F%C3%A4%26')


def test_tile_url__without_a_token(wire):
    describe(wire)
    with AmigoCloud(base_url=wire.url, use_websockets=False) as client:
        url = client.project(1).dataset(2).tile_url()
    assert url.endswith('/tiles/{z}/{x}/{y}.png?c=0c9a%2F%C3%A4%26')


def test_tile_url__project_token(wire):
    project = '/api/v1/users/7/projects/1'
    wire.answers[project + '/'] = {'id': 1}
    describe(wire, project + '/datasets/2')
    with AmigoCloud('secret', '/users/7/projects/1', base_url=wire.url) as client:
        url = client.project().dataset(2).tile_url()
    assert url == wire.url + project + (
        '/datasets/2/tiles/{z}/{x}/{y}.png?token=secret&c=0c9a%2F%C3%A4%26')


@pytest.mark.parametrize('tile_format', [None, '', 'PNG', 'jpg', 5, ['png']])
def test_tile_url__bad_format(wire, dataset, tile_format):
    with pytest.raises(ValueError, match="^format must be 'png' or 'json'"):
        dataset.tile_url(tile_format)
    assert not wire.requests


@pytest.mark.parametrize('answer', [
    {'name': 'x'}, {'tiles': None}, {'tiles': ''}, {'tiles': ['x']}, Answer([]), {'tiles': 'http://[x'}])
def test_tile_url__answer_without_tiles(wire, dataset, answer):
    wire.answers[DATASET] = answer
    with pytest.raises(AmigoCloudError, match='tiles|is not a URL'):
        dataset.tile_url()


def test_tile_url__token_is_hidden(wire, dataset, caplog):
    """Notebooks show and store the repr of a value, also within others."""
    caplog.set_level(logging.DEBUG)
    url = dataset.tile_url()
    assert isinstance(url, six.text_type)
    wire.answers[DATASET + '/tiles/1/0/0.png'] = Answer({'detail': 'No tile at ' + url}, 404)
    with pytest.raises(AmigoCloudError) as raised:
        dataset.client.get(url.format(z=1, x=0, y=0), raw=True)
    with pytest.raises(AmigoCloudError) as bad_argument:
        dataset.client.project(url)
    texts = [repr(url), repr(url.format(z=1, x=0, y=0)), repr([url, pickle.loads(pickle.dumps(url))]),
             repr(dataset), str(dataset), '%r' % url, '{!r}'.format(url), str(raised.value), repr(raised.value),
             str(bad_argument.value), caplog.text]
    for text in texts:
        assert 'secret' not in text and text
    assert '/tiles/{z}/{x}/{y}.png?token=***&c=' in repr(url)
    assert 'secret' in u'{}'.format(url) and pickle.loads(pickle.dumps(url)) == url


def test_tile_url__sandbox(running_sandbox):
    """A map requests the tiles without this client."""
    running, rows = running_sandbox
    row, = [row for row in rows[running.vehicles_id] if row['name'] == 'Bus 7']
    for token, project_url in ((running.token, None), (running.project_token, running.project_url)):
        with AmigoCloud(token, project_url, base_url=running.url, use_websockets=False) as client:
            project = client.project(None if project_url else running.project_id)
            dataset = project.dataset(running.vehicles_id)
            picture, grid = [
                requests.get(dataset.tile_url(tile_format).format(z=14, x=2620, y=6332), timeout=60)
                for tile_format in ('png', 'json')]
            layer = next(project.base_layers())
            assert client.get(layer['tiles'] + '/0/0/0.png', raw=True).startswith(b'\x89PNG')
        assert picture.content.startswith(b'\x89PNG')
        assert list(grid.json()['data'].values()) == [{'amigo_id': row['amigo_id']}]


def test_base_layers(wire, client):
    layer = {'id': 1, 'name': 'Streets', 'tiles': wire.url + '/api/v1/base_layers/1/tiles'}
    wire.answers['/api/v1/projects/1/base_layers'] = {'results': [layer], 'next': None}
    layers = client.project(1).base_layers()
    assert not wire.requests
    assert list(layers) == [layer]


def test_tile_layer__without_folium(wire, dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, 'folium', None)
    with pytest.raises(AmigoCloudError, match=r'This requires folium: .*amigocloud\[maps\]'):
        dataset.tile_layer()
    assert not wire.requests


def test_tile_layer(dataset):
    folium = pytest.importorskip('folium', reason='needs the extra maps')
    layer = dataset.tile_layer()
    assert isinstance(layer, folium.TileLayer)
    assert layer.tiles == dataset.tile_url() and layer.overlay
    # Leaflet shows the name as HTML.
    assert layer.tile_name == 'Trees &lt;b&gt;&amp;&lt;/b&gt;'
    assert 'secret' not in repr(layer) + str(layer)
    fmap = folium.Map(tiles=None)
    layer.add_to(fmap)
    assert 'secret' not in repr(fmap)
    page = fmap.get_root().render()
    assert '/tiles/{z}/{x}/{y}.png?token=' + ENCODED in page.replace('\\u0026', '&')


def test_tile_layer__below_a_frame(dataset):
    for module in ('folium', 'geopandas', 'mapclassify', 'matplotlib'):
        pytest.importorskip(module, reason='needs the extra examples')
    import geopandas
    frame = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy([11.5], [48.1], crs=4326))
    for fmap in (frame.explore(tiles=dataset.tile_layer()),
                 frame.explore(tiles=dataset.tile_url(), attr='AmigoCloud')):
        assert ENCODED in fmap.get_root().render()
