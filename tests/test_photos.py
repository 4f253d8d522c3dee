# -*- coding: utf-8 -*-
import io
import pickle
import threading

import pytest
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.files import photos

ENTRIES, FILES = '/api/v1/related_tables/5/entries', '/api/v1/related_tables/5/files/'


def serve(wire, contents):
    """Serve a gallery with two entries per page; contents maps source, id and name to bytes."""
    entries = [{'amigo_id': number, 'source_amigo_id': source, 'filename': name}
               for source, number, name in sorted(contents, key=lambda key: key[1])]

    def page(request):
        source = request.params.get('source_amigo_id')
        wanted = [entry for entry in entries if source in (None, entry['source_amigo_id'])]
        start = int(request.params.get('offset', 0))
        end = start + 2
        more = '{}{}?offset={}'.format(wire.url, ENTRIES, end) if end < len(wanted) else None
        return {'data': wanted[start:start + 2], 'next': more}
    wire.answers[ENTRIES] = page
    for (source, number, name), content in contents.items():
        wire.answers['{}{}/{}/{}'.format(FILES, source, number, name)] = (
            content if callable(content) else Answer(content))
    return entries


def held(folder):
    return {path.basename: path.read_binary() for path in folder.listdir()}


GALLERY = {('a', 1, 'oak.jpg'): b'1', ('b', 2, 'oak.jpg'): b'22', ('a', 3, 'elm'): b'333',
           ('b', 4, 'x.png'): b''}


def test_download_photos(wire, client, tmpdir):
    serve(wire, GALLERY)
    told = []
    folder = tmpdir.join('new', 'photos')
    paths = client.gallery(5).download(str(folder), progress=lambda *args: told.append(args))
    assert held(folder) == {'oak-1.jpg': b'1', 'oak-2.jpg': b'22', 'elm-3': b'333', 'x-4.png': b''}
    names = ['oak-1.jpg', 'oak-2.jpg', 'elm-3', 'x-4.png']
    assert paths == [str(folder.join(name)) for name in names]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert wire.requests[0].params == {'limit': '100', 'token': 'secret'}


@pytest.mark.parametrize('page', [
    lambda entries: {'data': entries}, lambda entries: {'results': entries},
    lambda entries: {'data': entries, 'next': None},
    lambda entries: {'count': 1, 'columns': [], 'data': entries}])
def test_download_photos__shapes_of_the_list(wire, client, tmpdir, page):
    serve(wire, {('a', '0a1b', 'oak.jpg'): b'1'})
    wire.answers[ENTRIES] = page(
        [{'source_amigo_id': 'a', 'amigo_id': '0a1b', 'filename': 'oak.jpg', 'id': 9},
         {'source_amigo_id': 'b', 'amigo_id': 'c d', 'filename': 'x y'}])
    wire.answers[FILES + 'b/c%20d/x%20y'] = Answer(b'2')
    client.gallery(5).download(tmpdir)
    assert held(tmpdir) == {'oak-0a1b.jpg': b'1', 'x y-c d': b'2'}


@pytest.mark.parametrize('number, is_paged, requested', [
    (99, True, 1), (100, True, 2), (250, True, 3), (100, False, 2)])
def test_download_photos__pages_without_next(wire, client, tmpdir, number, is_paged, requested):
    entries = serve(wire, {('a', '{:03}'.format(place), 'x'): b'1' for place in range(number)})

    def page(request):
        start = int(request.params.get('offset', 0)) if is_paged else 0
        return {'data': entries[start:start + 100]}
    wire.answers[ENTRIES] = page
    assert len(client.gallery(5).download(tmpdir)) == number
    assert len([request for request in wire.requests if request.path == ENTRIES]) == requested


def test_download_photos__pages_shorter_than_requested(wire, client, tmpdir):
    entries = serve(wire, {('a', '{:03}'.format(place), 'x'): b'1' for place in range(45)})
    wire.answers[ENTRIES] = lambda request: {
        'count': 45, 'data': entries[int(request.params.get('offset', 0)):][:20]}
    assert len(client.gallery(5).download(tmpdir)) == 45
    assert [request.params.get('offset') for request in wire.requests
            if request.path == ENTRIES] == [None, '20', '40']


@pytest.mark.parametrize('page', [
    {'data': []}, {'results': []}, {'data': None}, {'data': [], 'count': 3}])
def test_download_photos__empty_list_without_next(wire, client, tmpdir, page):
    wire.answers[ENTRIES] = page
    assert client.gallery(5).download(tmpdir) == []


def test_download_photos__long_names(wire, client, tmpdir):
    name = u'\xe4' * 120 + u'.jpg'
    wire.answers[ENTRIES] = {'data': [
        {'source_amigo_id': 'a', 'amigo_id': 'f' * 64, 'filename': name}]}
    wire.answers[FILES + 'a/' + 'f' * 64 + '/' + '%C3%A4' * 120 + '.jpg'] = Answer(b'1')
    path, = client.gallery(5).download(tmpdir)
    assert path.endswith('-' + 'f' * 64 + '.jpg')


def test_download_photos__of_one_feature(wire, client, tmpdir):
    serve(wire, GALLERY)
    client.gallery(5).download(tmpdir, source_amigo_id='a')
    assert sorted(held(tmpdir)) == ['elm-3', 'oak-1.jpg']


def test_download_photos__empty_gallery(wire, client, tmpdir):
    serve(wire, {})
    assert client.gallery(5).download(tmpdir) == []


def test_download_photos__existing_photos(wire, client, tmpdir):
    serve(wire, GALLERY)
    paths = client.gallery(5).download(tmpdir)
    tmpdir.join('oak-1.jpg').write('!')
    tmpdir.join('oak-2.jpg').write('cut')
    assert client.gallery(5).download(tmpdir) == paths
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
    assert len(client.gallery(5).download(tmpdir)) == photos.AT_ONCE


def test_download_photos__names(wire, client, tmpdir):
    wire.answers[ENTRIES] = {'next': None, 'data': [
        {'amigo_id': 1, 'source_amigo_id': 'a/b', 'filename': u'../B\xe4 ?#%.jpg'}]}
    wire.answers[FILES + 'a%2Fb/1/..%2FB%C3%A4%20%3F%23%25.jpg'] = Answer(b'1')
    client.gallery(5).download(tmpdir)
    (name, content), = held(tmpdir).items()
    assert (six.ensure_text(name), content) == (u'B\xe4 _#%-1.jpg', b'1')


def test_download_photos__some_fail(wire, client, tmpdir):
    entries = serve(wire, GALLERY)
    wire.answers[FILES + 'a/1/oak.jpg'] = Answer(b'{"detail": "Lost."}', 404)
    entries.append({'amigo_id': 5, 'source_amigo_id': None})
    with pytest.raises(AmigoCloudError) as raised:
        client.gallery(5).download(tmpdir)
    text = str(raised.value)
    assert '2 of 5 photos of gallery 5' in text
    assert 'oak.jpg (entry 1): 404' in text and 'Lost.' in text
    assert "'amigo_id': 5" in text
    assert sorted(held(tmpdir)) == ['elm-3', 'oak-2.jpg', 'x-4.png']


@pytest.mark.parametrize('member', ['source_amigo_id', 'amigo_id', 'filename'])
@pytest.mark.parametrize('value', [None, '', '.', '..', ['x']])
def test_download_photos__no_name_for_a_url(wire, client, tmpdir, member, value):
    """A segment of dots would lead to another URL, whose answer is not a photo."""
    entries = serve(wire, {('a', 1, 'oak.jpg'): b'1'})
    entries.append(dict({'source_amigo_id': 'b', 'amigo_id': 2, 'filename': 'elm.jpg'},
                        **{member: value}))
    with pytest.raises(AmigoCloudError, match='1 of 2 photos'):
        client.gallery(5).download(tmpdir)
    assert held(tmpdir) == {'oak-1.jpg': b'1'}
    assert len(wire.requests) == 2


def test_download_photos__half_a_surrogate_pair(wire, client, tmpdir):
    entries = serve(wire, {('a', 1, 'oak.jpg'): b'1'})
    entries.append({'source_amigo_id': 'a', 'amigo_id': 2, 'filename': u'\ud800.jpg'})
    for spelling in ('%3F', '%ED%A0%80'):
        wire.answers['{}a/2/{}.jpg'.format(FILES, spelling)] = Answer(b'2')
    client.gallery(5).download(tmpdir)
    assert sorted(held(tmpdir).values()) == [b'1', b'2']


def test_download_photos__many_fail(wire, client, tmpdir):
    serve(wire, {('a', number, 'x'): lambda request: Answer(b'!' * 9000, 404)
                 for number in range(30)})
    with pytest.raises(AmigoCloudError, match='... and 10 more') as raised:
        client.gallery(5).download(tmpdir)
    assert len(str(raised.value)) < 8000


def test_download_photos__callable_raises(wire, client, tmpdir):
    serve(wire, GALLERY)
    failure = KeyError('mine')

    def fail(done, total):
        raise failure
    with pytest.raises(KeyError) as raised:
        client.gallery(5).download(tmpdir, progress=fail)
    assert raised.value is failure


def test_download_photos__cancelled(wire, client, tmpdir):
    """Photos that are not complete when the call ends leave no files."""
    stopped = threading.Event()
    stopped.set()
    serve(wire, {('a', 1, 'x.png'): b'x' * 1000000})
    entry = {'amigo_id': 1, 'source_amigo_id': 'a', 'filename': 'x.png'}
    with pytest.raises(AmigoCloudError, match='cancelled'):
        photos._fetch(client.gallery(5), entry, str(tmpdir), stopped, None)
    assert held(tmpdir) == {}


@pytest.mark.parametrize('etag', ['"1"', ''])
def test_download_photos__interrupted(wire, client, tmpdir, etag):
    """The call leaves only files that the next call can resume."""
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
        client.gallery(5).download(tmpdir, progress=interrupt)
    left = held(tmpdir)
    assert left.pop('x-0.png') == b'0'
    assert not [name for name in left if not name.endswith('.png')] or etag
    client.gallery(5).download(tmpdir)
    assert held(tmpdir) == {'x-0.png': b'0', 'x-1.png': b'x' * 1000000, 'x-2.png': b'x' * 1000000}


def test_download_photos__gallery_cannot_be_read(wire, client, tmpdir):
    wire.answers[ENTRIES] = Answer(status=403)
    with pytest.raises(AmigoCloudError, match='403'):
        client.gallery(5).download(str(tmpdir.join('new')))
    assert not tmpdir.listdir()


@pytest.mark.parametrize('destination', [None, '', 5, __file__, io.BytesIO()])
def test_download_photos__bad_destination(wire, client, destination):
    with pytest.raises(ValueError, match='destination must be a folder'):
        client.gallery(5).download(destination)
    assert not wire.requests


def test_download_photos__medium(wire, client, tmpdir):
    """A smaller picture has its own name, so that it does not replace the original one."""
    serve(wire, {('a', 1, 'oak.jpg'): lambda request: Answer(
        b'small' if 'medium' in request.params else b'original')})
    client.gallery(5).download(tmpdir)
    path, = client.gallery(5).download(tmpdir, size='medium')
    assert path == str(tmpdir.join('oak-1-medium.jpg'))
    assert held(tmpdir) == {'oak-1.jpg': b'original', 'oak-1-medium.jpg': b'small'}
    assert wire.requests[-1].query == 'medium&token=secret'


@pytest.mark.parametrize('size', ['', 'small', 'medium&x=1', 400, True, ['medium']])
def test_download_photos__bad_size(wire, client, tmpdir, size):
    with pytest.raises(ValueError, match="size must be 'medium'"):
        client.gallery(5).download(tmpdir, size=size)
    assert not wire.requests


def test_photos(wire, client):
    entries = serve(wire, GALLERY)
    photos_of_gallery = client.gallery(5).photos()
    assert not wire.requests
    assert list(photos_of_gallery) == entries
    assert list(client.gallery(5).photos(u'b')) == [entries[1], entries[3]]
    assert wire.requests[-1].params == {'limit': '100', 'source_amigo_id': 'b', 'token': 'secret'}
    below = '/api/v1/projects/1/datasets/2/related_tables/5/entries'
    wire.answers[below] = wire.answers[ENTRIES]
    assert list(client.project(1).dataset(2).children('a', '5')) == [entries[0], entries[2]]
    assert wire.requests[-1].path == below


@pytest.mark.parametrize('is_pickled', [False, True])
def test_photos__pages_without_next(wire, client, is_pickled):
    """A page is in memory at a time; the cursor can be pickled between two pages."""
    wire.answers[ENTRIES] = lambda request: {'count': 250, 'data': [
        {'amigo_id': number, 'filename': u'x'} for number in range(250)][
            int(request.params.get('offset', 0)):][:100]}
    cursor = client.gallery(5).photos(u'\xe4&#')
    rows = [next(cursor) for _ in range(100)]
    assert len(wire.requests) == 1
    if is_pickled:
        cursor = pickle.loads(pickle.dumps(cursor))
    rows += cursor
    assert [row['amigo_id'] for row in rows] == list(range(250))
    for request, offset in zip(wire.requests, [{}, {'offset': '100'}, {'offset': '200'}]):
        assert request.params == dict(
            offset, limit='100', source_amigo_id=u'\xe4&#', token='secret')
    if is_pickled:
        cursor._source[0]._fetch.args[0].close()


@pytest.mark.parametrize('amigo_id', ['', ' ', 5, ['a'], {'amigo_id': 'a'}, u'\0'])
def test_photos__bad_amigo_id(wire, client, tmpdir, amigo_id):
    dataset = client.project(1).dataset(2)
    for call in (lambda: client.gallery(5).photos(amigo_id), lambda: dataset.children(amigo_id, 5),
                 lambda: client.gallery(5).download(tmpdir, amigo_id)):
        with pytest.raises(ValueError, match='^amigo_id '):
            call()
    assert not wire.requests


@pytest.mark.parametrize('table', [None, 0, '', 'photos', {'id': 5}])
def test_children__bad_table(wire, client, table):
    with pytest.raises(ValueError, match='^table must be an integer'):
        client.project(1).dataset(2).children('a', table)
    with pytest.raises(ValueError, match='^amigo_id must be a str'):
        client.project(1).dataset(2).children(None, 5)
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
    pytest.importorskip(
        'amigocloud_sandbox.server', reason='the sandbox is not installed, or this is Python 2')
    from amigocloud_sandbox import Sandbox
    with Sandbox(database='sqlite') as running, AmigoCloud(
            running.token, base_url=running.url, use_websockets=False) as amigocloud:
        for number in range(25):
            amigocloud.upload_gallery_photo(
                running.gallery_id, 'ab-{}'.format(number % 2), io.BytesIO(b'photo %d' % number),
                filename=u'Bäume & co.jpg')
        paths = amigocloud.gallery(running.gallery_id).download(tmpdir)
        assert len(set(paths)) == 25
        for number, path in enumerate(paths):
            with io.open(path, 'rb') as photo:
                assert photo.read() == b'photo %d' % number
        assert amigocloud.gallery(running.gallery_id).download(tmpdir, 'ab-1') == paths[1::2]
        vehicles = amigocloud.project(running.project_id).dataset(running.vehicles_id)
        children = list(vehicles.children('ab-0', running.gallery_id))
        assert children == list(amigocloud.gallery(running.gallery_id).photos())[::2]
        assert len(children) == 13
