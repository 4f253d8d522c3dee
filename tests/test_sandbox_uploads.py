# -*- coding: utf-8 -*-
"""Files that the sandbox receives, its galleries and its geocoder."""
import hashlib
import io
import os
import time
import zipfile

import pytest

pytest.importorskip('flask')

pytest_plugins = ['sandbox_api']


def send_chunk(api, path, content, content_range, upload_id=None, status=200, name='points.csv'):
    return api.send('POST', path, status, files={'datafile': (name, content)}, headers={'Content-Range': content_range},
                    data={'upload_id': upload_id} if upload_id else {})


def test_upload__becomes_a_dataset(api):
    content = u'name,latitude,longitude\nBahía,37.5,-122.5\n'.encode('utf-8')
    answer = api.post('/users/1/projects/1/datasets/upload', files={'datafile': (u'bahía.csv', content)})
    statuses, extra = api.finished(answer)
    assert statuses[-1] == 'SUCCESS'
    dataset = api.get('/projects/1/datasets/{}'.format(extra['dataset_ids'][0]))
    assert (dataset['name'], dataset['feature_count'], dataset['geometry_column']) == (u'bahía', 1, 'location')
    received = api.send('GET', '{}/sandbox/received/{}'.format(api.url, answer['job']))
    assert received.content == content


def test_upload__zipped_shapefile(api, sandbox):
    export = api.get('/projects/1/datasets/{}'.format(sandbox.vehicles_id))['export']
    _, extra = api.finished(api.post(export, json={'format': 'SHP'}))
    archive = api.send('GET', extra['link']).content
    assert any(name.endswith('.shp') for name in zipfile.ZipFile(io.BytesIO(archive)).namelist())
    statuses, extra = api.finished(api.post('/projects/1/datasets/upload', files={'datafile': ('v.zip', archive)}))
    assert statuses[-1] == 'SUCCESS'
    assert api.get('/projects/1/datasets/{}'.format(extra['dataset_ids'][0]))['feature_count'] == 5


def test_upload__file_that_is_none(api):
    statuses, extra = api.finished(api.post('/projects/1/datasets/upload', files={'datafile': ('x.zip', b'zork')}))
    assert statuses[-1] == 'FAILURE' and extra['error']


def test_chunks__answers_of_the_package(api):
    path = '/projects/1/datasets/chunked_upload'
    content = b'name\nx\ny\n'
    md5 = hashlib.md5(content).hexdigest()
    first = send_chunk(api, path, content[:4], 'bytes 0-3/9').json()
    upload_id = first['upload_id']
    assert first['offset'] == 4 and first['expires'] > time.strftime('%Y-%m-%d')
    mismatch = {'detail': 'Offsets do not match', 'offset': 4}
    assert send_chunk(api, path, content[:4], 'bytes 0-3/9', upload_id, 400).json() == mismatch
    assert send_chunk(api, path, content[4:], 'zork', upload_id, 400).json() == mismatch
    assert send_chunk(api, path, content[4:8], 'bytes 4-8/9', upload_id, 400).json() == {
        'detail': "File size doesn't match headers"}
    complete = path + '/complete'
    assert api.post(complete, 400, json={'upload_id': upload_id, 'md5': md5}) == {
        'detail': 'md5 checksum does not match'}
    assert send_chunk(api, path, content[4:], 'bytes 4-8/9', upload_id).json() == dict(first, offset=9)
    assert api.post(complete, 400, json={'upload_id': upload_id}) == {
        'detail': "Both 'upload_id' and 'md5' are required"}
    answer = api.post(complete, json={'upload_id': upload_id, 'md5': md5})
    assert send_chunk(api, path, b'', 'bytes 9-8/9', upload_id, 400).json() == {
        'detail': 'Upload has already been marked as "complete"'}
    again = api.post(complete, data={'upload_id': upload_id, 'md5': md5})
    assert api.finished(answer)[0][-1] == api.finished(again)[0][-1] == 'SUCCESS' and answer != again


def test_chunks__order_of_the_checks(api, sandbox, as_other):
    path = '/projects/1/datasets/chunked_upload'
    send_chunk(as_other(sandbox.read_token), path, b'x', 'bytes 0-0/1', status=403)
    nothing = {'detail': 'No chunk file was submitted'}
    assert api.post(path, 400, data={'upload_id': 'zork'}) == nothing
    assert send_chunk(api, path, b'x', 'bytes 0-0/1', status=400, name='').json() == nothing
    unknown = send_chunk(api, path, b'x', 'bytes 5-5/9', 'zork', 404)
    assert unknown.headers['Content-Type'].startswith('text/html')
    assert send_chunk(api, path, b'xx', 'bytes 5-5/9', status=400).json()['offset'] == 0
    upload_id = send_chunk(api, path, b'x', 'bytes 0-0/9').json()['upload_id']
    send_chunk(api, '/projects/2/datasets/chunked_upload', b'x', 'bytes 1-1/9', upload_id, 404)
    assert send_chunk(api, path, b'', 'bytes 0--1/0').json()['offset'] == 0


def test_chunks__expired(api):
    path = '/projects/1/datasets/chunked_upload'
    upload_id = send_chunk(api, path, b'x', 'bytes 0-0/2').json()['upload_id']
    api.post(api.url + '/sandbox/uploads/expire')
    assert send_chunk(api, path, b'x', 'bytes 0-0/2', upload_id, 410).json() == {'detail': 'Upload has expired'}


def test_gallery__photo(api, sandbox):
    gallery = api.get('/projects/1/datasets/{}/related_tables'.format(sandbox.vehicles_id))['results'][0]
    assert gallery['id'] == sandbox.gallery_id
    photo = os.urandom(1000)
    api.post(gallery['upload'], 400, files={'datafile': ('a.jpg', photo)})
    entry = api.post(gallery['upload'], files={'datafile': ('a.jpg', photo)},
                     data={'source_amigo_id': 'abc', 'filename': u'Bahía 1.jpg', 'note': 'x'})
    assert (entry['filename'], entry['metadata']) == (u'Bahía 1.jpg', {'note': 'x'})
    path = '/related_tables/{}/files/abc/{}/Bah%C3%ADa%201.jpg'.format(gallery['id'], entry['amigo_id'])
    assert entry['url'].endswith(path)
    answer = api.send('GET', entry['url'])
    assert answer.content == photo and "filename*=UTF-8''Bah%C3%ADa%201.jpg" in answer.headers['Content-Disposition']
    part = api.send('GET', entry['url'], 206, headers={'Range': 'bytes=10-19'})
    assert part.content == photo[10:20] and part.headers['Content-Range'] == 'bytes 10-19/1000'
    beyond = api.send('GET', entry['url'], 416, headers={'Range': 'bytes=2000-'})
    assert beyond.headers['Content-Range'] == 'bytes */1000'
    api.get(entry['url'].replace('/abc/', '/other/'), 404)


def test_gallery__photo_in_chunks(api, sandbox):
    path = '/related_tables/{}/chunked_upload'.format(sandbox.gallery_id)
    photo = os.urandom(100)
    upload_id = send_chunk(api, path, photo[:60], 'bytes 0-59/100', name='b.jpg').json()['upload_id']
    send_chunk(api, path, photo[60:], 'bytes 60-99/100', upload_id, name='b.jpg')
    body = {'upload_id': upload_id, 'md5': hashlib.md5(photo).hexdigest(), 'source_amigo_id': 'def', 'size': [1, 2]}
    entry = api.post(path + '/complete', json=body)
    assert (entry['filename'], entry['metadata']) == ('b.jpg', {'size': [1, 2]})
    entries = api.get('/related_tables/{}/entries'.format(sandbox.gallery_id), source_amigo_id='def')
    assert entries['data'] == [entry] and api.send('GET', entry['url']).content == photo


def test_geocoder(api):
    def search(address):
        return api.get('/me/geocoder/search', **{
            'text': address, 'focus.point.lat': '0', 'focus.point.lon': '0', 'components': 'country:US'})['features']
    assert search('350 5th Ave, New York')[0]['geometry'] == {'type': 'Point', 'coordinates': [-73.9857, 40.7484]}
    assert search('Some street 5') == search('Some street 5') != search('Some street 6')
    assert search('Nowhere 1') == []
