# -*- coding: utf-8 -*-
import io
import threading

import pytest
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError, photos

ENTRIES, FILES = '/api/v1/related_tables/5/entries', '/api/v1/related_tables/5/files/'


def serve(wire, contents):
    """Serves a gallery: what it holds by source, id and name; two entries a page."""
    entries = [{'amigo_id': number, 'source_amigo_id': source, 'filename': name} for source, number, name in sorted(
        contents, key=lambda key: key[1])]

    def page(request):
        wanted = [entry for entry in entries
                  if entry['source_amigo_id'] == request.params.get('source_amigo_id', entry['source_amigo_id'])]
        start = int(request.params.get('offset', 0))
        more = '{}{}?offset={}'.format(wire.url, ENTRIES, start + 2) if start + 2 < len(wanted) else None
        return {'results': wanted[start:start + 2], 'next': more}
    wire.answers[ENTRIES] = page
    for (source, number, name), content in contents.items():
        wire.answers['{}{}/{}/{}'.format(FILES, source, number, name)] = (
            content if callable(content) else Answer(content))
    return entries


def held(folder):
    return {path.basename: path.read_binary() for path in folder.listdir()}


GALLERY = {('a', 1, 'oak.jpg'): b'1', ('b', 2, 'oak.jpg'): b'22', ('a', 3, 'elm'): b'333', ('b', 4, 'x.png'): b''}


def test_download_photos(wire, client, tmpdir):
    serve(wire, GALLERY)
    told = []
    paths = client.download_photos(5, str(tmpdir.join('new', 'photos')), progress=lambda *args: told.append(args))
    folder = tmpdir.join('new', 'photos')
    assert held(folder) == {'oak-1.jpg': b'1', 'oak-2.jpg': b'22', 'elm-3': b'333', 'x-4.png': b''}
    assert paths == [str(folder.join(name)) for name in ('oak-1.jpg', 'oak-2.jpg', 'elm-3', 'x-4.png')]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert wire.requests[0].params == {'limit': '100', 'token': 'secret'}


@pytest.mark.parametrize('page', [
    lambda entries: {'data': entries}, lambda entries: {'results': entries},
    lambda entries: {'data': entries, 'next': None}, lambda entries: {'count': 1, 'columns': [], 'data': entries}])
def test_download_photos__shapes_of_the_list(wire, client, tmpdir, page):
    serve(wire, {('a', '0a1b', 'oak.jpg'): b'1'})
    wire.answers[ENTRIES] = page([{'source_amigo_id': 'a', 'amigo_id': '0a1b', 'filename': 'oak.jpg', 'id': 9},
                                  {'source_amigo_id': 'b', 'amigo_id': 'c d', 'filename': 'x y'}])
    wire.answers[FILES + 'b/c%20d/x%20y'] = Answer(b'2')
    client.download_photos(5, tmpdir)
    assert held(tmpdir) == {'oak-0a1b.jpg': b'1', 'x y-c d': b'2'}


@pytest.mark.parametrize('number, is_paged, asked', [(99, True, 1), (100, True, 2), (250, True, 3), (100, False, 2)])
def test_download_photos__pages_without_next(wire, client, tmpdir, number, is_paged, asked):
    entries = serve(wire, {('a', '{:03}'.format(place), 'x'): b'1' for place in range(number)})

    def page(request):
        start = int(request.params.get('offset', 0)) if is_paged else 0
        return {'data': entries[start:start + 100]}
    wire.answers[ENTRIES] = page
    assert len(client.download_photos(5, tmpdir)) == number
    assert len([request for request in wire.requests if request.path == ENTRIES]) == asked


@pytest.mark.parametrize('page', [{'data': []}, {'results': []}])
def test_download_photos__empty_list_without_next(wire, client, tmpdir, page):
    wire.answers[ENTRIES] = page
    assert client.download_photos(5, tmpdir) == []


def test_download_photos__long_names(wire, client, tmpdir):
    name = u'\xe4' * 120 + u'.jpg'
    wire.answers[ENTRIES] = {'data': [{'source_amigo_id': 'a', 'amigo_id': 'f' * 64, 'filename': name}]}
    wire.answers[FILES + 'a/' + 'f' * 64 + '/' + '%C3%A4' * 120 + '.jpg'] = Answer(b'1')
    path, = client.download_photos(5, tmpdir)
    assert path.endswith('-' + 'f' * 64 + '.jpg')


def test_download_photos__of_one_feature(wire, client, tmpdir):
    serve(wire, GALLERY)
    client.download_photos(5, tmpdir, source_amigo_id='a')
    assert sorted(held(tmpdir)) == ['elm-3', 'oak-1.jpg']


def test_download_photos__empty_gallery(wire, client, tmpdir):
    serve(wire, {})
    assert client.download_photos(5, tmpdir) == []


def test_download_photos__what_is_there_already(wire, client, tmpdir):
    serve(wire, GALLERY)
    paths = client.download_photos(5, tmpdir)
    tmpdir.join('oak-1.jpg').write('!')
    tmpdir.join('oak-2.jpg').write('cut')
    assert client.download_photos(5, tmpdir) == paths
    assert held(tmpdir) == {'oak-1.jpg': b'!', 'oak-2.jpg': b'22', 'elm-3': b'333', 'x-4.png': b''}


def test_download_photos__several_at_a_time(wire, client, tmpdir):
    barrier, counts, lock = threading.Event(), {'now': 0}, threading.Lock()

    def wait(request):
        with lock:
            counts['now'] += 1
            if counts['now'] == photos.AT_ONCE:
                barrier.set()
        return Answer(b'x' if barrier.wait(10) else b'alone', 200 if barrier.is_set() else 404)
    serve(wire, {('a', number, 'x.png'): wait for number in range(photos.AT_ONCE)})
    assert len(client.download_photos(5, tmpdir)) == photos.AT_ONCE


def test_download_photos__names(wire, client, tmpdir):
    wire.answers[ENTRIES] = {'next': None, 'results': [
        {'amigo_id': 1, 'source_amigo_id': 'a/b', 'filename': u'../B\xe4 ?#%.jpg'}]}
    wire.answers[FILES + 'a%2Fb/1/..%2FB%C3%A4%20%3F%23%25.jpg'] = Answer(b'1')
    client.download_photos(5, tmpdir)
    assert {six.ensure_text(name): content for name, content in held(tmpdir).items()} == {u'B\xe4 _#%-1.jpg': b'1'}


def test_download_photos__some_fail(wire, client, tmpdir):
    entries = serve(wire, GALLERY)
    wire.answers[FILES + 'a/1/oak.jpg'] = Answer(b'{"detail": "Lost."}', 404)
    entries.append({'amigo_id': 5, 'source_amigo_id': None})
    with pytest.raises(AmigoCloudError) as raised:
        client.download_photos(5, tmpdir)
    text = str(raised.value)
    assert '2 of 5 photos of gallery 5' in text and 'oak.jpg (entry 1): 404' in text and 'Lost.' in text
    assert "'amigo_id': 5" in text
    assert sorted(held(tmpdir)) == ['elm-3', 'oak-2.jpg', 'x-4.png']


def test_download_photos__what_a_callable_raises(wire, client, tmpdir):
    serve(wire, GALLERY)
    failure = KeyError('mine')

    def fail(done, total):
        raise failure
    with pytest.raises(KeyError) as raised:
        client.download_photos(5, tmpdir, progress=fail)
    assert raised.value is failure


def test_download_photos__given_up(wire, client, tmpdir):
    """The photos that are on their way when it ends leave nothing behind."""
    stopped = threading.Event()
    stopped.set()
    serve(wire, {('a', 1, 'x.png'): b'x' * 1000000})
    entry = {'amigo_id': 1, 'source_amigo_id': 'a', 'filename': 'x.png'}
    with pytest.raises(AmigoCloudError, match='given up'):
        photos._fetch(client.get, '/related_tables/5/files', entry, str(tmpdir), stopped)
    assert held(tmpdir) == {}


@pytest.mark.parametrize('etag', ['"1"', ''])
def test_download_photos__interrupted(wire, client, tmpdir, etag):
    """What is left is what the next call goes on with, and nothing else."""
    held_back, begun = threading.Event(), threading.Event()

    def slow(request):
        begun.set()
        return Answer(b'x' * 1000000, headers={'ETag': etag}) if held_back.wait(10) else None
    serve(wire, {('a', 0, 'x.png'): b'0', ('a', 1, 'x.png'): slow, ('a', 2, 'x.png'): slow})

    def interrupt(done, total):
        assert begun.wait(10)
        held_back.set()
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        client.download_photos(5, tmpdir, progress=interrupt)
    left = held(tmpdir)
    assert left.pop('x-0.png') == b'0'
    assert not [name for name in left if not name.endswith('.png')] or etag
    client.download_photos(5, tmpdir)
    assert held(tmpdir) == {'x-0.png': b'0', 'x-1.png': b'x' * 1000000, 'x-2.png': b'x' * 1000000}


def test_download_photos__gallery_cannot_be_read(wire, client, tmpdir):
    wire.answers[ENTRIES] = Answer(status=403)
    with pytest.raises(AmigoCloudError, match='403'):
        client.download_photos(5, str(tmpdir.join('new')))
    assert not tmpdir.listdir()


@pytest.mark.parametrize('destination', [None, '', 5, __file__, io.BytesIO()])
def test_download_photos__bad_destination(wire, client, destination):
    with pytest.raises(ValueError, match='destination is a folder'):
        client.download_photos(5, destination)
    assert not wire.requests


UPLOAD = '/api/v1/related_tables/5/upload'


@pytest.mark.parametrize('with_name', [False, True])
def test_upload_gallery_photo__filename(wire, client, with_name):
    content = io.BytesIO(b'photo')
    if with_name:
        content.name = 'other.jpg'
    client.upload_gallery_photo(5, 'a', content, filename='oak.jpg')
    request, = wire.requests
    assert request.path == UPLOAD
    assert b'name="filename"\r\n\r\noak.jpg\r\n' in request.body


@pytest.mark.parametrize('filename', [None, '', 5])
def test_upload_gallery_photo__no_name(wire, client, filename):
    with pytest.raises(ValueError, match='filename'):
        client.upload_gallery_photo(5, 'a', io.BytesIO(b'photo'), filename=filename)
    assert not wire.requests


def test_download_photos__sandbox(tmpdir):
    pytest.importorskip('amigocloud.sandbox.server', reason='the sandbox is not installed, or this is Python 2')
    from amigocloud.sandbox import Sandbox
    with Sandbox() as sandbox, AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        for number in range(25):
            amigocloud.upload_gallery_photo(sandbox.gallery_id, 'ab-{}'.format(number % 2),
                                            io.BytesIO(b'photo %d' % number), filename=u'Bäume & co.jpg')
        paths = amigocloud.download_photos(sandbox.gallery_id, tmpdir)
        assert len(set(paths)) == 25
        for number, path in enumerate(paths):
            with io.open(path, 'rb') as photo:
                assert photo.read() == b'photo %d' % number
        assert amigocloud.download_photos(sandbox.gallery_id, tmpdir, 'ab-1') == paths[1::2]
