# -*- coding: utf-8 -*-
"""Files that the sandbox receives, its galleries and its geocoder."""
import hashlib
import io
import os
import time
import zipfile

import pytest

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']


def pytest_generate_tests(metafunc):
    if 'sandbox' in metafunc.fixturenames:
        metafunc.parametrize('sandbox', ['sqlite', 'postgresql'], indirect=True, scope='module')


def send_chunk(api, path, content, content_range, upload_id=None, status=200, name='points.csv'):
    return api.send('POST', path, status, files={'datafile': (name, content)}, headers={'Content-Range': content_range},
                    data={'upload_id': upload_id} if upload_id else {})


def test_upload__becomes_a_dataset(api):
    """SERVICE.md, me, projects, datasets; ours: how it is named, and the column of its points."""
    content = u'name,latitude,longitude\nBahía,37.5,-122.5\n'.encode('utf-8')
    answer = api.post('/users/1/projects/1/datasets/upload', files={'datafile': (u'bahía.csv', content)})
    statuses, extra = api.finished(answer)
    assert statuses[-1] == 'SUCCESS'
    dataset = api.get('/projects/1/datasets/{}'.format(extra['dataset_ids'][0]))
    assert (dataset['name'], dataset['feature_count'], dataset['geometry_column']) == (u'bahía', 1, 'location')
    received = api.send('GET', '{}/sandbox/received/{}'.format(api.url, answer['job']))
    assert received.content == content


def test_upload__zipped_shapefile(api, sandbox):
    """SERVICE.md, me, projects, datasets; Jobs, exports, tiles, maps."""
    export = api.get('/projects/1/datasets/{}'.format(sandbox.vehicles_id))['export']
    _, extra = api.finished(api.post(export, json={'format': 'SHP'}))
    archive = api.send('GET', extra['link']).content
    assert any(name.endswith('.shp') for name in zipfile.ZipFile(io.BytesIO(archive)).namelist())
    statuses, extra = api.finished(api.post('/projects/1/datasets/upload', files={'datafile': ('v.zip', archive)}))
    assert statuses[-1] == 'SUCCESS'
    assert api.get('/projects/1/datasets/{}'.format(extra['dataset_ids'][0]))['feature_count'] == 5


def test_upload__file_that_is_none(api):
    """SERVICE.md, Jobs, exports, tiles, maps; ours: the error in `extra`."""
    statuses, extra = api.finished(api.post('/projects/1/datasets/upload', files={'datafile': ('x.zip', b'zork')}))
    assert statuses[-1] == 'FAILURE' and extra['error']


def test_upload__column_with_a_name_of_the_sandbox(api):
    """Ours: the job fails with the refusal that datasets/create has."""
    content = b'name,Sandbox_First\nx,1\n'
    statuses, extra = api.finished(api.post('/projects/1/datasets/upload', files={'datafile': ('x.csv', content)}))
    assert statuses[-1] == 'FAILURE'
    assert extra == {'schema': ['The sandbox keeps the column name "Sandbox_First" for itself.']}


def test_chunks__answers_of_the_package(api):
    """SERVICE.md, me, projects, datasets; the answers are those of django-chunked-upload."""
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
    """The answers are those of django-chunked-upload."""
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
    """The answers are those of django-chunked-upload."""
    path = '/projects/1/datasets/chunked_upload'
    upload_id = send_chunk(api, path, b'x', 'bytes 0-0/2').json()['upload_id']
    api.post(api.url + '/sandbox/uploads/expire')
    assert send_chunk(api, path, b'x', 'bytes 0-0/2', upload_id, 410).json() == {'detail': 'Upload has expired'}


def test_upload__with_the_fields_of_a_csv(api):
    """SERVICE.md, me, projects, datasets: `csv_props`, and `dataset_write_action`."""
    def upload(content, status=200, **fields):
        return api.post('/projects/1/datasets/upload', status, files={'datafile': ('prices.csv', content)}, data=fields)
    statuses, extra = api.finished(upload(b'name|price\na|1,5\nb,c|2\n', **{
        'csv_props.delimiter': '|', 'csv_props.decimal_separator': ','}))
    dataset_id, = extra['dataset_ids']
    query = 'SELECT name, price FROM dataset_{} ORDER BY price'.format(dataset_id)
    assert api.sql(query)['data'] == [{'name': 'a', 'price': 1.5}, {'name': 'b,c', 'price': 2}]
    _, extra = api.finished(upload(b'name,price,new\nd,9,x\n', dataset_write_action='overwrite'))
    assert extra['dataset_ids'] == [dataset_id] and api.sql(query)['data'] == [{'name': 'd', 'price': 9}]
    _, extra = api.finished(upload(b'name,price\nd,9\n'))
    assert extra['dataset_ids'] != [dataset_id]
    upload(b'a', 400, dataset_write_action='zork')
    upload(b'a', 400, **{'csv_props.delimiter': 'zork'})


def test_gallery__is_made(api, sandbox):
    """SERVICE.md, Galleries and related tables."""
    path = '/projects/1/datasets/{}/related_tables'.format(sandbox.places_id)
    gallery = api.post(path, 201, json={'name': 'front doors', 'type': 'gallery'})
    assert sorted(gallery) == ['chunked_upload', 'chunked_upload_complete', 'id', 'name', 'schema', 'table_name',
                               'type', 'url']
    assert (gallery['type'], gallery['table_name']) == ('gallery', 'gallery_{}'.format(gallery['id']))
    assert api.get(path)['results'] == [gallery] == [api.get(gallery['url'])]
    assert {'name': 'source_amigo_id', 'type': 'string'} in api.get(gallery['schema'])['schema']
    api.post(path, 400, json={'name': 'x'})


def test_gallery__photo(api, sandbox):
    """SERVICE.md, Galleries and related tables."""
    path = '/related_tables/{}/'.format(sandbox.gallery_id)
    photo = os.urandom(1000)
    api.post(path + 'upload', 400, files={'datafile': ('a.jpg', photo)})
    for name in (u'Bahía 1.jpg', 'a.jpg', '"b"\n.jpg'):
        fields = {'source_amigo_id': 'abc', 'filename': name}
        api.post(path + 'upload', files={'datafile': ('b.jpg', photo)}, data=fields)
    entry, other, _ = api.get(path + 'entries', source_amigo_id='abc')['data']
    assert sorted(entry) == ['amigo_id', 'datetime', 'filename', 'location', 'source_amigo_id']
    url = path + 'files/abc/{}/Bah%C3%ADa%201.jpg'.format(entry['amigo_id'])
    answer = api.send('GET', url)
    assert answer.content == photo
    assert answer.headers['Content-Disposition'] == (
        'attachment; filename="Bah?a 1.jpg"; filename*=UTF-8\'\'Bah%C3%ADa%201.jpg')
    part = api.send('GET', url, 206, headers={'Range': 'bytes=10-19'})
    assert part.content == photo[10:20] and part.headers['Content-Range'] == 'bytes 10-19/1000'
    beyond = api.send('GET', url, 416, headers={'Range': 'bytes=2000-'})
    assert beyond.headers['Content-Range'] == 'bytes */1000'
    api.get(url.replace('/abc/', '/other/'), 404)
    api.get(url.replace(entry['amigo_id'], other['amigo_id']), 404)
    assert api.send('GET', path + 'files/abc/a.jpg').headers['Content-Disposition'] == 'attachment; filename="a.jpg"'
    assert api.send('GET', path + 'files/abc/%22b%22%0A.jpg').headers['Content-Disposition'] == (
        'attachment; filename="_b__.jpg"; filename*=UTF-8\'\'%22b%22%0A.jpg')


def test_gallery__photos_in_sql(api, sandbox):
    """SERVICE.md, SQL: users join a gallery to its dataset on source_amigo_id."""
    vehicle = api.sql('SELECT amigo_id FROM dataset_{}'.format(sandbox.vehicles_id))['data'][0]['amigo_id']
    api.post('/related_tables/{}/upload'.format(sandbox.gallery_id), files={'datafile': ('front left.jpg', b'x')},
             data={'source_amigo_id': vehicle})
    row, = api.sql(
        'SELECT v.name, g.amigo_id, g.source_amigo_id, g.filename, g.s3_filename, g.amigocloud_url, g.datetime, '
        'g.location FROM dataset_{} v JOIN gallery_{} g ON g.source_amigo_id = v.amigo_id'.format(
            sandbox.vehicles_id, sandbox.gallery_id))['data']
    assert (row['filename'], row['source_amigo_id'], row['datetime'][10]) == ('front left.jpg', vehicle, ' ')
    assert api.send('GET', row['amigocloud_url']).content == b'x'
    assert api.send('GET', '/related_tables/{}/files/{}/{}/front%20left.jpg'.format(
        sandbox.gallery_id, vehicle, row['amigo_id'])).content == b'x'
    api.post('/projects/1/sql', 400, json={'query': 'DELETE FROM gallery_{}'.format(sandbox.gallery_id)})


def test_gallery__photo_in_chunks_as_the_mobile_apps_send_it(api, sandbox):
    """SERVICE.md, Galleries and related tables: fields with each chunk, form-encoded, an md5 that is not the file's."""
    path = '/related_tables/{}/chunked_upload'.format(sandbox.gallery_id)
    photo = os.urandom(100)
    fields = {'source_amigo_id': 'def', 'filename': 'c.jpg'}
    for start, end in ((0, 59), (60, 99)):
        answer = api.post(path, files={'datafile': ('b.jpg', photo[start:end + 1])}, data=fields,
                          headers={'Content-Range': 'bytes {}-{}/100'.format(start, end)})
        fields['upload_id'] = answer['upload_id']
    api.post(path + '/complete', data={'upload_id': fields['upload_id'], 'md5': '0' * 32})
    entry, = api.get('/related_tables/{}/entries'.format(sandbox.gallery_id), source_amigo_id='def')['data']
    assert entry['filename'] == 'c.jpg'
    assert api.send('GET', '/related_tables/{}/files/def/{}/c.jpg'.format(
        sandbox.gallery_id, entry['amigo_id'])).content == photo


def test_gallery__medium_picture(api, sandbox):
    """SERVICE.md, Galleries and related tables."""
    image = pytest.importorskip('PIL.Image', reason='Pillow makes the smaller pictures')
    photo = io.BytesIO()
    image.new('RGB', (1200, 600), 'red').save(photo, 'PNG')
    path = '/related_tables/{}/'.format(sandbox.gallery_id)
    for name, content in (('p.png', photo.getvalue()), ('note.txt', b'no picture')):
        api.post(path + 'upload', files={'datafile': (name, content)}, data={'source_amigo_id': 'm'})
    smaller = api.send('GET', path + 'files/m/p.png?medium').content
    assert image.open(io.BytesIO(smaller)).size == (400, 200)
    assert api.send('GET', path + 'files/m/note.txt?medium').content == b'no picture'


def test_geocoder(api):
    """SERVICE.md, Jobs, exports, tiles, maps."""
    def search(address):
        return api.get('/me/geocoder/search', **{
            'text': address, 'focus.point.lat': '0', 'focus.point.lon': '0', 'components': 'country:US'})['features']
    assert search('350 5th Ave, New York')[0]['geometry'] == {'type': 'Point', 'coordinates': [-73.9857, 40.7484]}
    assert search('Some street 5') == search('Some street 5') != search('Some street 6')
    assert search('Nowhere 1') == []
    found, = api.get('/me/geocoder/autocomplete', text='350 5th Ave, New York')['features']
    assert found == search('350 5th Ave, New York')[0]
    assert list(found['properties']) == ['id', 'gid', 'layer', 'source', 'name', 'country', 'region', 'locality']
