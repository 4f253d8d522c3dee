# -*- coding: utf-8 -*-
import bz2
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile

import pytest
import six
from conftest import Answer

from amigocloud import AmigoCloudError
from amigocloud import amigocloud as old_path
from amigocloud.amigocloud import CHUNK_SIZE, MAX_SIZE_SIMPLE_UPLOAD
from amigocloud.files.multipart import Form, Multipart

CONTENT = bytes(bytearray(range(256))) * 4
SIMPLE, CHUNKED, COMPLETE = [
    '/api/v1/s/' + name for name in ('upload', 'chunked_upload', 'chunked_upload/complete')]
URLS = '/s/upload', '/s/chunked_upload'


@pytest.fixture(autouse=True)
def upload_answers(wire):
    wire.answers[CHUNKED] = {'upload_id': 'U1', 'offset': 0, 'expires': ''}
    wire.answers[SIMPLE] = wire.answers[COMPLETE] = {'job': 'J'}


def read_multipart(request):
    """Return the form fields in their order, and the name and the bytes of the file at the end."""
    boundary = request.headers['content-type'].split('boundary=')[1].encode('ascii')
    parts = request.body.split(b'--' + boundary)
    assert parts[0] == b'' and parts[-1] == b'--\r\n'
    fields = []
    for part in parts[1:-1]:
        header, content = part[2:-2].split(b'\r\n\r\n', 1)
        name = re.match(br'Content-Disposition: form-data; name="([^"]*)"(?:; '
                        br'filename="([^"]*)")?\Z', header)
        fields.append(name.groups() + (content,))
    assert fields[-1][0] == b'datafile'
    _, file_name, file_content = fields.pop()
    fields = [(name.decode(), content.decode('utf-8')) for name, _, content in fields]
    return fields, file_name, file_content


def test_constants():
    assert (CHUNK_SIZE, MAX_SIZE_SIMPLE_UPLOAD) == (100000, 8000000)


class Path(object):
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


@pytest.mark.parametrize('as_given', [six.text_type, str, Path, lambda path: io.open(path, 'rb'),
                                      lambda path: io.open(path, 'rb', buffering=0)])
def test_simple(wire, client, text, as_given):
    file_obj = as_given(text(CONTENT))
    answer = client.upload_file(*URLS, file_obj=file_obj, extra_data={'a': 1, 'n': None})
    assert answer == {'job': 'J'}
    if hasattr(file_obj, 'close'):
        file_obj.close()
    request, = wire.requests
    assert (request.method, request.target) == ('POST', SIMPLE + '?token=secret')
    assert read_multipart(request) == ([('a', '1')], b'data.csv', CONTENT)
    assert request.headers['content-length'] == str(len(request.body))


def test_simple__same_bytes_as_requests(wire, client, text):
    fields = {'a': u'é', 'b': ['x', 'y']}
    client.upload_file(*URLS, file_obj=text(CONTENT), extra_data=fields)
    client.post('/s/upload', fields, files={'datafile': ('data.csv', CONTENT)})
    ours, theirs = [re.sub(b'[0-9a-f]{32}', b'', request.body) for request in wire.requests]
    assert ours == theirs


def test_file_object__from_its_start_and_left_open(wire, client):
    content = io.BytesIO(CONTENT)
    content.seek(100)
    for force_chunked in (False, True):
        client.upload_file(*URLS, file_obj=content, force_chunked=force_chunked)
    assert not content.closed
    assert read_multipart(wire.requests[0]) == ([], b'datafile', CONTENT)
    assert read_multipart(wire.requests[1]) == ([], b'datafile', CONTENT)


@pytest.mark.parametrize('size, simple', [(0, True), (1, True), (7999999, True), (8000000, False)])
def test_size_decides(wire, client, text, size, simple):
    path = text(b'')
    with io.open(path, 'wb') as content:
        content.truncate(size)
    client.upload_file(*URLS, file_obj=path, chunk_size=4000000)
    assert [request.path for request in wire.requests] == (
        [SIMPLE] if simple else [CHUNKED, CHUNKED, COMPLETE])


@pytest.mark.parametrize('urls, force_chunked', [(URLS, True), ((None, '/s/chunked_upload'), False),
                                                 ((None, '/s/chunked_upload'), True)])
def test_chunks(wire, client, text, urls, force_chunked):
    answer = client.upload_file(urls[0], urls[1], text(CONTENT), 400, force_chunked, {'a': 1})
    assert answer == {'job': 'J'}
    chunks, completion = wire.requests[:-1], wire.requests[-1]
    assert [chunk.headers['content-range'] for chunk in chunks] == [
        'bytes 0-399/1024', 'bytes 400-799/1024', 'bytes 800-1023/1024']
    later = ([('upload_id', 'U1')], b'data.csv')
    assert [read_multipart(chunk)[:2] for chunk in chunks] == [([], b'data.csv'), later, later]
    assert b''.join(read_multipart(chunk)[2] for chunk in chunks) == CONTENT
    assert completion.path == COMPLETE and completion.headers['content-type'] == 'application/json'
    assert completion.json == {'upload_id': 'U1', 'md5': hashlib.md5(CONTENT).hexdigest(), 'a': 1}


def test_chunks__slash_at_the_end(wire, client, text):
    wire.answers[CHUNKED + '/'] = wire.answers[CHUNKED]
    client.upload_file('', '/s/chunked_upload/', text(CONTENT))
    assert [request.path for request in wire.requests] == [CHUNKED + '/', COMPLETE]


def test_chunks__empty_file(wire, client, text):
    client.upload_file(*URLS, file_obj=text(b''), force_chunked=True)
    chunk, completion = wire.requests
    assert chunk.headers['content-range'] == 'bytes 0--1/0'
    assert read_multipart(chunk) == ([], b'data.csv', b'')
    assert completion.json == {'upload_id': 'U1', 'md5': hashlib.md5(b'').hexdigest()}


def test_chunks__whole_number(wire, client, text):
    client.upload_file(*URLS, file_obj=text(CONTENT), chunk_size=512, force_chunked=True)
    assert [request.path for request in wire.requests] == [CHUNKED, CHUNKED, COMPLETE]


def test_chunks__short_reads(wire, client):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return io.BytesIO.read(self, min(size, 100) if size > 0 else size)
    client.upload_file(*URLS, file_obj=Slow(CONTENT), chunk_size=400, force_chunked=True)
    assert b''.join(read_multipart(chunk)[2] for chunk in wire.requests[:-1]) == CONTENT


def test_chunks__query_of_the_url(wire, client, text):
    client.upload_file(None, wire.url + CHUNKED + '?token=other&b=2', text(CONTENT))
    assert [request.target for request in wire.requests] == [
        CHUNKED + '?token=other&b=2', COMPLETE + '?token=other&b=2']


@pytest.mark.parametrize('answer', [
    {}, [], {'upload_id': None}, Answer(b'moved', 301, {'Location': CHUNKED + '/'})])
def test_chunks__no_upload_id(wire, client, text, answer):
    wire.answers[CHUNKED] = answer
    with pytest.raises(AmigoCloudError):
        client.upload_file(None, '/s/chunked_upload', text(CONTENT), 400)
    assert COMPLETE not in [request.path for request in wire.requests]


@pytest.mark.parametrize('force_chunked', [False, True])
@pytest.mark.parametrize('size, match', [(500, 'shr|changed'), (2000, 'gr[oe]w|changed')])
def test_file_changes_its_size(wire, client, text, force_chunked, size, match):
    path = text(CONTENT)
    content = io.open(path, 'rb', buffering=0)

    class Changing(object):
        def __init__(self):
            self.seek, self.tell = content.seek, content.tell

        def read(self, count=-1):
            if count > 0 and os.path.getsize(path) == len(CONTENT):
                with io.open(path, 'r+b') as other:
                    other.truncate(size)
            return content.read(count)
    with pytest.raises(AmigoCloudError, match=match):
        client.upload_file(*URLS, file_obj=Changing(), chunk_size=400, force_chunked=force_chunked)
    assert COMPLETE not in [request.path for request in wire.requests]
    assert force_chunked or not any(request.body.endswith(b'--\r\n') for request in wire.requests)
    content.close()


def test_bad_input__no_such_file(wire, client, tmpdir):
    for path in (str(tmpdir), str(tmpdir.join('none'))):
        with pytest.raises(EnvironmentError):
            client.upload_file(*URLS, file_obj=path)
    assert not wire.requests


def test_bad_input__not_a_binary_file(wire, client, text):
    reading, writing = os.pipe()
    with io.open(reading, 'rb') as pipe, io.open(text(b'abc'), 'a', encoding='ascii') as unreadable:
        for file_obj in (pipe, unreadable, io.StringIO(u'abc'), None, 5, b''.join,
                         bytearray(b'abc') * 10000):
            with pytest.raises(AmigoCloudError, match='neither a path nor|returns text') as caught:
                client.upload_file(*URLS, file_obj=file_obj)
            assert len(str(caught.value)) < 600
    os.close(writing)
    assert not wire.requests


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='Windows has no named pipes in folders')
def test_bad_input__named_pipe(wire, client, tmpdir):
    path = str(tmpdir.join('pipe'))
    os.mkfifo(path)
    with pytest.raises(AmigoCloudError, match='is a named pipe'):
        client.upload_file(*URLS, file_obj=path)
    assert not wire.requests


def test_bad_input__cannot_tell_its_position(wire, client):
    class Content(object):
        def seek(self, offset, whence=0):
            """Accept any position, as a file does."""

        def read(self, size=-1):
            return b''
    with pytest.raises(AmigoCloudError, match='neither a path nor'):
        client.upload_file(*URLS, file_obj=Content())
    assert not wire.requests


@pytest.mark.parametrize('extra_data', ['x', 5, [1], {1: 2}, {None: 'x'}])
@pytest.mark.parametrize('force_chunked', [True, False])
def test_bad_input__extra_data(wire, client, text, extra_data, force_chunked):
    with pytest.raises(AmigoCloudError, match='extra_data must be a dict'):
        client.upload_file(*URLS, file_obj=text(CONTENT), force_chunked=force_chunked,
                           extra_data=extra_data)
    assert not wire.requests


@pytest.mark.parametrize('chunk_size', [0, -1, 1.5, '5', None, True])
def test_bad_input__chunk_size(wire, client, text, chunk_size):
    with pytest.raises(AmigoCloudError, match='chunk_size'):
        client.upload_file(*URLS, file_obj=text(CONTENT), chunk_size=chunk_size)
    assert not wire.requests


def test_bad_input__no_url(wire, client, text):
    with pytest.raises(AmigoCloudError, match='URL'):
        client.upload_file(None, None, text(CONTENT))
    assert not wire.requests


def test_datafile(wire, client, text):
    wire.answers['/api/v1/projects/9/'] = {'id': 9}
    client.upload_datafile(5, 6, text(CONTENT))
    client.authenticate('project', '/projects/9')
    client.upload_datafile(5, 6, text(CONTENT))
    wire.answers['/api/v1/users/5/projects/6/datasets/chunked_upload'] = {'upload_id': 'U1'}
    client.upload_datafile(5, 6, text(CONTENT), 1000, True)
    datasets = '/api/v1/users/5/projects/6/datasets/'
    assert [request.path for request in wire.requests if 'datasets' in request.path] == [
        datasets + name for name in (
            'upload', 'upload', 'chunked_upload', 'chunked_upload', 'chunked_upload/complete')]


def test_gallery_photo(wire, client, text):
    client.upload_gallery_photo(3, 'f00', text(CONTENT, u'bürger.jpg'))
    with io.open(text(CONTENT), 'rb') as photo:
        client.upload_gallery_photo(3, 'f00', photo, metadata={'k': 'v'})
    assert [request.path for request in wire.requests] == ['/api/v1/related_tables/3/upload'] * 2
    first, second = [read_multipart(request) for request in wire.requests]
    assert sorted(first[0]) == [('filename', u'bürger.jpg'), ('source_amigo_id', 'f00')]
    assert first[2] == CONTENT
    assert sorted(second[0]) == [('filename', 'data.csv'), ('k', 'v'), ('source_amigo_id', 'f00')]


def test_gallery_photo__chunks(wire, client, text):
    wire.answers['/api/v1/related_tables/3/chunked_upload'] = {'upload_id': 'U1'}
    client.upload_gallery_photo(3, 'f00', text(CONTENT), force_chunked=True, metadata={'k': 1})
    assert wire.requests[1].path == '/api/v1/related_tables/3/chunked_upload/complete'
    assert wire.requests[1].json == {'source_amigo_id': 'f00', 'filename': 'data.csv', 'k': 1,
                                     'upload_id': 'U1', 'md5': hashlib.md5(CONTENT).hexdigest()}


@pytest.mark.parametrize('file_obj', [io.BytesIO(b'abc'), None, 5])
def test_gallery_photo__no_name(wire, client, file_obj):
    with pytest.raises(AmigoCloudError, match='name'):
        client.upload_gallery_photo(3, 'f00', file_obj)
    assert not wire.requests


@pytest.mark.parametrize('size', [1, 7, 100, 10000])
def test_multipart(size):
    body = Multipart(Form({'a': 'b'}, 'n'), io.BytesIO(CONTENT), len(CONTENT))
    whole = b''.join(body)
    assert len(whole) == len(body) == body.tell() and CONTENT in whole
    body.seek(0)
    assert b''.join(iter(lambda: body.read(size), b'')) == whole


@pytest.mark.parametrize('size', [1, 7, 100, 10000, 10 ** 6])
def test_multipart__reads_at_most(size):
    body = Multipart(Form({'a': 'b'}, 'n'), io.BytesIO(CONTENT), len(CONTENT))
    whole = body.read()
    assert body.read() == body.read(size) == b'' and body.read(0) == b''
    assert body.seek(0) == 0
    blocks = list(iter(lambda: body.read(size), b''))
    assert b''.join(blocks) == whole and {len(block) for block in blocks[:-1]} <= {size}
    assert body.seek(-1, os.SEEK_END) == len(whole) - 1 and body.read(None) == whole[-1:]


def test_multipart__is_a_file():
    content = io.BytesIO(b'before' + CONTENT)
    content.seek(6)
    body = Multipart(Form({'a': 'b'}, 'n'), content, len(CONTENT))
    whole = io.BytesIO(body.read())
    for position in range(0, len(body) + 5, 3):
        assert body.seek(position) == whole.seek(position) == body.tell()
        assert body.seek(2, os.SEEK_CUR) == whole.seek(2, os.SEEK_CUR) == body.tell()
        assert body.read(50) == whole.read(50) and body.tell() == whole.tell()
        assert body.read() == whole.read()
    for arguments in ((-1,), (0, 5)):
        with pytest.raises(ValueError):
            body.seek(*arguments)


def test_multipart__equals_its_bytes():
    body = Multipart(Form({}, 'n'), io.BytesIO(CONTENT), len(CONTENT))
    whole = body.read()
    body.seek(5)
    assert body == whole and body == body and not body != whole
    assert body != whole[:-1] and body != 'n' and body.tell() == 5 and len({body, body}) == 1


MEMORY = """
import resource, sys
from amigocloud import AmigoCloud
base_url, path, chunk_size = sys.argv[1:]
client = AmigoCloud('secret', base_url=base_url, use_websockets=False)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
client.upload_file('/s/upload', '/s/chunked_upload', path, int(chunk_size))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize('size', [7000000, 200000000])
def test_memory(wire, text, size):
    pytest.importorskip('resource', reason='memory is measured on POSIX only')
    path, received = text(b''), []
    with io.open(path, 'wb') as content:
        content.truncate(size)

    def count(request):
        received.append(int(request.headers['content-length']))
        del wire.requests[:]
        return {'upload_id': 'U1'}
    wire.answers[CHUNKED] = count
    wire.answers[SIMPLE] = count
    kilobytes = subprocess.check_output([sys.executable, '-c', MEMORY, wire.url, path, '4000000'])
    assert sum(received) > size
    assert int(kilobytes) < 60000


@pytest.mark.parametrize('force_chunked', [False, True])
def test_progress(wire, client, text, force_chunked):
    done = []
    client.upload_file(*URLS, file_obj=text(CONTENT), chunk_size=400, force_chunked=force_chunked,
                       progress=lambda *args: done.append(args))
    assert done[-1] == (1024, 1024) and done == sorted(done)
    assert not force_chunked or done == [(400, 1024), (800, 1024), (1024, 1024)]


def test_progress__bad_input(wire, client, text):
    with pytest.raises(AmigoCloudError, match='progress'):
        client.upload_file(*URLS, file_obj=text(CONTENT), progress='yes')
    assert not wire.requests


@pytest.mark.parametrize('size, limit, paths', [(4, 5, [SIMPLE]), (5, 5, [CHUNKED, COMPLETE])])
def test_constants__set_by_a_script(wire, client, text, monkeypatch, size, limit, paths):
    monkeypatch.setattr(old_path, 'MAX_SIZE_SIMPLE_UPLOAD', limit)
    client.upload_file(*URLS, file_obj=text(CONTENT[:size]))
    assert [request.path for request in wire.requests] == paths


def test_constants__chunk_size_set_by_a_script(wire, client, text, monkeypatch):
    monkeypatch.setattr(old_path, 'CHUNK_SIZE', 512)
    client.upload_file(None, '/s/chunked_upload', text(CONTENT))
    client.upload_file(None, '/s/chunked_upload', text(CONTENT), 1024)
    assert [request.path for request in wire.requests] == [
        CHUNKED, CHUNKED, COMPLETE, CHUNKED, COMPLETE]


@pytest.mark.parametrize('force_chunked', [False, True])
def test_datafile__extra_data(wire, client, text, force_chunked):
    datasets = '/api/v1/users/5/projects/6/datasets/'
    wire.answers[datasets + 'chunked_upload'] = {'upload_id': 'U1'}
    extra_data = {'dataset_write_action': 'overwrite', 'csv_props.delimiter': ';'}
    given = dict(extra_data)
    client.upload_datafile(5, 6, text(CONTENT), force_chunked=force_chunked, extra_data=extra_data)
    assert extra_data == given
    if force_chunked:
        sent = {name: wire.requests[-1].json[name] for name in extra_data}
    else:
        sent = dict(read_multipart(wire.requests[0])[0])
    assert sent == extra_data


NOT_UTF8 = b'b\xfcrger.csv'


def spellings(folder):
    """Return each way to name a file, as text too if the system can decode its name."""
    path = os.path.join(os.path.realpath(str(folder)).encode('utf-8'), NOT_UTF8)
    with io.open(path, 'wb') as content:
        content.write(CONTENT)
    given = [path, Path(path)]
    if hasattr(os, 'fsdecode'):
        given += [os.fsdecode(path), Path(os.fsdecode(path))]
    return given


@pytest.mark.skipif(sys.platform in ('win32', 'darwin'), reason='file names are Unicode there')
@pytest.mark.parametrize('force_chunked', [False, True])
def test_name__not_utf8(wire, client, tmpdir, force_chunked):
    paths = spellings(tmpdir)
    files = [io.open(path.path if isinstance(path, Path) else path, 'rb') for path in paths]
    for file_obj in paths + files:
        client.upload_file(*URLS, file_obj=file_obj, force_chunked=force_chunked)
    for file_obj in files:
        file_obj.close()
    sent = [read_multipart(request) for request in wire.requests if request.path != COMPLETE]
    assert sent == [([], u'b\ufffdrger.csv'.encode('utf-8'), CONTENT)] * 2 * len(paths)


@pytest.mark.skipif(sys.platform in ('win32', 'darwin'), reason='file names are Unicode there')
@pytest.mark.parametrize('force_chunked', [False, True])
def test_name__photo_not_utf8(wire, client, tmpdir, force_chunked):
    wire.answers['/api/v1/related_tables/3/chunked_upload'] = {'upload_id': 'U1'}
    for path in spellings(tmpdir):
        client.upload_gallery_photo(3, 'f00', path, force_chunked=force_chunked)
        request = wire.requests[-1]
        fields = request.json if force_chunked else dict(read_multipart(request)[0])
        assert fields['filename'] == u'b\ufffdrger.csv'


def test_name__characters_beyond_the_first_plane(wire, client, text):
    client.upload_file(*URLS, file_obj=text(CONTENT, u'\U0001f333.csv'))
    assert read_multipart(wire.requests[0])[1] == u'\U0001f333.csv'.encode('utf-8')


def unpacking(path):
    """Yield file objects that unpack their content, and the name under which each is sent."""
    opened = [(gzip.GzipFile, '.csv.gz', 'x.csv'), (gzip.open, '.tgz', 'x.tar'),
              (bz2.BZ2File, '.csv.bz2', 'x.csv')]
    try:
        import lzma
    except ImportError:
        # Python 2 does not have the module.
        pass
    else:
        opened.append((lzma.open, '.csv.xz', 'x.csv'))
        opened.append((lambda name, mode: io.TextIOWrapper(gzip.open(name, mode)) if mode == 'rb'
                       else gzip.open(name, mode), '.csv.GZ', 'x.csv'))
    for make, ending, name in opened:
        packed = make(path + ending, 'wb')
        packed.write(CONTENT)
        packed.close()
        yield make(path + ending, 'rb'), name


@pytest.mark.parametrize('force_chunked', [False, True])
def test_name__of_a_file_that_is_unpacked(wire, client, tmpdir, force_chunked):
    for file_obj, name in unpacking(str(tmpdir.join('x'))):
        del wire.requests[:]
        client.upload_file(*URLS, file_obj=file_obj, chunk_size=400, force_chunked=force_chunked)
        file_obj.close()
        chunks = [read_multipart(request) for request in wire.requests if request.path != COMPLETE]
        assert b''.join(content for _, _, content in chunks) == CONTENT
        # A BZ2File or LZMAFile has no name in some releases of Python.
        assert {sent for _, sent, _ in chunks} <= {name.encode('ascii'), b'datafile'}
        assert not isinstance(file_obj, gzip.GzipFile) or chunks[0][1] == name.encode('ascii')


def test_name__of_a_packed_file_stays(wire, client, text):
    path = text(CONTENT, 'x.csv.gz')
    client.upload_file(*URLS, file_obj=path)
    with io.open(path, 'rb') as content:
        client.upload_file(*URLS, file_obj=content)
    assert [read_multipart(request)[1] for request in wire.requests] == [b'x.csv.gz'] * 2


@pytest.mark.parametrize('force_chunked', [False, True])
def test_text_mode(wire, client, text, force_chunked):
    content = u'é\r\nü\n'.encode('latin-1') * 9000
    with io.open(text(content), encoding='latin-1') as file_obj:
        file_obj.read(5)
        client.upload_file(*URLS, file_obj=file_obj, force_chunked=force_chunked)
        assert not file_obj.closed
    assert read_multipart(wire.requests[0]) == ([], b'data.csv', content)


def test_text_mode__unwritten_text(wire, client, text):
    with io.open(text(b''), 'w+', encoding='utf-8', newline='') as file_obj:
        file_obj.write(u'é,1\n')
        client.upload_file(*URLS, file_obj=file_obj)
    assert read_multipart(wire.requests[0]) == ([], b'data.csv', u'é,1\n'.encode('utf-8'))


def test_text_mode__temporary_file(wire, client):
    with tempfile.NamedTemporaryFile(mode='w+', suffix='.csv') as file_obj:
        file_obj.write('a,b\n')
        client.upload_file(*URLS, file_obj=file_obj)
        name = os.path.basename(file_obj.name)
    assert read_multipart(wire.requests[0]) == ([], name.encode('ascii'), b'a,b\n')


@pytest.mark.parametrize('content', [
    CONTENT, CONTENT * 30000, b'a,b\n' * 10000, u'ä,b\n' * 10000, b'a,b\n' * 300])
def test_bad_input__content_instead_of_a_path(wire, client, content):
    for call in (lambda: client.upload_datafile(1, 1, content),
                 lambda: client.upload_gallery_photo(1, 'f00', content, filename='x.jpg')):
        with pytest.raises(AmigoCloudError, match='Pass a path or an open file object') as caught:
            call()
        assert len(str(caught.value)) < 600
        # A traceback must not show more of it.
        assert getattr(caught.value, '__cause__', None) is None
        assert getattr(caught.value, '__context__', None) is None
    assert not wire.requests


@pytest.mark.skipif(str is bytes, reason='bytes are how Python 2 spells a path')
def test_bad_input__short_content_instead_of_a_path(wire, client):
    with pytest.raises(EnvironmentError, match='Pass a path') as caught:
        client.upload_datafile(1, 1, b'a,b\n1,2\n')
    assert isinstance(caught.value, AmigoCloudError) and not wire.requests
