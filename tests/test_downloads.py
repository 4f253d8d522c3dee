# -*- coding: utf-8 -*-
import gzip
import io
import os
import re
import subprocess
import sys
import threading

import pytest
import requests
import servers.raw
import six
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.files import downloads

PATH = '/api/v1/files/7'
CONTENT = bytes(bytearray(number % 251 for number in range(300000)))


class Served(object):
    """A file of the server, and the faults of its answers.

    Args:
        cuts (list): for each answer, the number of bytes before the connection breaks, or None.
            Later answers are complete.
        ranges (bool): whether the server sends parts of the file.
    """

    def __init__(self, content=CONTENT, cuts=(), ranges=True, **headers):
        self.content, self.cuts, self.ranges = content, list(cuts), ranges
        headers = dict({'ETag': '"1"'}, **headers)
        self.headers = {name.replace('_', '-'): value for name, value in headers.items()}

    def __call__(self, request):
        start, status, headers = 0, 200, dict(self.headers)
        wanted = re.match(r'bytes=(\d+)-\Z', request.headers.get('range', ''))
        if wanted and self.ranges and request.headers['if-range'] in headers.values():
            start, status = int(wanted.group(1)), 206
            headers['Content-Range'] = 'bytes {}-{}/{}'.format(
                start, len(self.content) - 1, len(self.content))
        body = self.content[start:]
        headers['Content-Length'] = str(len(body))
        cut = self.cuts.pop(0) if self.cuts else None
        if cut is not None:
            body, headers['Connection'] = body[:cut], 'close'
        return Answer(body, status, headers)


def ranges(wire):
    return [request.headers.get('range') for request in wire.requests]


@pytest.fixture
def folder(tmpdir):
    """The current folder of the test, which must hold complete downloads only."""
    with tmpdir.mkdir('here').as_cwd():
        yield tmpdir.join('here')


def held(folder):
    return {path.basename: path.read_binary() for path in folder.listdir()}


def test_download(wire, client, folder):
    wire.answers[PATH] = Served(Content_Disposition='attachment; filename="../trees.csv"')
    assert client.download('/files/7') == 'trees.csv'
    assert held(folder) == {'trees.csv': CONTENT}
    request, = wire.requests
    assert (request.method, request.params) == ('GET', {'token': 'secret'})
    assert request.headers['accept-encoding'] == 'identity' and 'range' not in request.headers


def test_download__name_of_the_url(wire, client, folder):
    wire.answers['/api/v1/files/trees.csv'] = Served()
    assert client.download('files/trees.csv') == 'trees.csv'


@pytest.mark.parametrize('kind', [
    str, six.text_type, lambda path: path.encode('utf-8'), lambda path: path])
def test_download__into_a_folder(wire, client, folder, kind):
    wire.answers[PATH] = Served(Content_Disposition="attachment; filename*=UTF-8''B%C3%A4ume.csv")
    path = client.download('/files/7', folder if kind is None else kind(six.text_type(folder)))
    assert os.path.dirname(path) == kind(six.text_type(folder))
    with io.open(path, 'rb') as content:
        assert content.read() == CONTENT
    assert [six.ensure_text(path.basename) for path in folder.listdir()] == [u'Bäume.csv']


def test_download__to_a_path(wire, client, folder):
    wire.answers[PATH] = Served(Content_Disposition='attachment; filename=trees.csv')
    folder.join('mine.csv').write('old')
    assert client.download('/files/7', folder.join('mine.csv')) == str(folder.join('mine.csv'))
    assert held(folder) == {'mine.csv': CONTENT}


def test_download__to_an_open_file(wire, client, folder):
    wire.answers[PATH] = Served(b'new')
    output = io.BytesIO(b'0123456789')
    output.seek(2)
    assert client.download('/files/7', output) is None
    assert output.getvalue() == b'01new56789' and output.tell() == 5


@pytest.mark.skipif(os.name != 'posix', reason='the system has other permissions')
def test_download__permissions_are_those_of_any_file(wire, client, folder):
    wire.answers[PATH] = Served()
    umask = os.umask(0o027)
    try:
        client.download('/files/7', 'a')
    finally:
        os.umask(umask)
    assert folder.join('a').stat().mode & 0o777 == 0o640


def test_download__empty(wire, client, folder):
    wire.answers[PATH] = Served(b'')
    told = []
    client.download('/files/7', 'a', progress=lambda *args: told.append(args))
    assert held(folder) == {'a': b''} and told == [(0, 0)]


def test_download__resumed(wire, client, folder):
    wire.answers[PATH] = Served(cuts=[100000, 70000])
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT}
    starts = [int(re.match(r'bytes=(\d+)-', header).group(1)) for header in ranges(wire)[1:]]
    assert 0 < starts[0] <= 100000 and starts[0] < starts[1] <= starts[0] + 70000
    assert [request.headers.get('if-range') for request in wire.requests] == [None, '"1"', '"1"']


def test_download__resumed_in_an_open_file(wire, client):
    wire.answers[PATH] = Served(cuts=[100000])
    output = io.BytesIO()
    output.write(b'head')
    client.download('/files/7', output)
    assert output.getvalue() == b'head' + CONTENT and len(wire.requests) == 2


def test_download__resumed_after_the_server_was_away(wire, client, folder):
    wire.answers[PATH] = served = Served(cuts=[100000])
    answers = [served] + [lambda request: None] * 5 + [served]
    wire.answers[PATH] = lambda request: answers.pop(0)(request)
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT} and ranges(wire)[-1] is not None


def test_download__changed_meanwhile(wire, client, folder):
    served = wire.answers[PATH] = Served(cuts=[200000])

    def change(done, total):
        served.content, served.headers = b'shorter', {'ETag': '"2"'}
    client.download('/files/7', 'a', progress=change)
    assert held(folder) == {'a': b'shorter'} and len(wire.requests) == 2


def test_download__changed_meanwhile_in_an_open_file(wire, client):
    served = wire.answers[PATH] = Served(cuts=[200000])

    def change(done, total):
        served.content, served.headers = b'', {'ETag': '"2"'}
    output = io.BytesIO(b'head')
    output.seek(4)
    client.download('/files/7', output, progress=change)
    assert output.getvalue() == b'head'


@pytest.mark.parametrize('served', [
    Served(cuts=[100000], ranges=False), Served(cuts=[100000], ETag='W/"1"'),
    Served(cuts=[100000], ETag=''), Served(cuts=[100000], Accept_Ranges='none'), Served(cuts=[0]),
    # A file as new as the answer may have changed again within that second.
    Served(cuts=[100000], ETag='', Last_Modified='Fri, 01 Jan 2100 00:00:00 GMT')])
def test_download__starts_again(wire, client, folder, served):
    wire.answers[PATH] = served
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT} and len(wire.requests) == 2
    assert served.ranges is False or ranges(wire) == [None, None]


def test_download__last_modified(wire, client, folder):
    modified = 'Thu, 01 Jan 2015 00:00:00 GMT'
    wire.answers[PATH] = Served(cuts=[100000], ETag='', Last_Modified=modified)
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT}
    assert wire.requests[1].headers['if-range'] == modified


@pytest.mark.parametrize('content_range', [
    None, 'nonsense', 'bytes 0-99/300000', 'bytes 65536-299999/300001', 'bytes */300000'])
def test_download__wrong_part(wire, client, folder, content_range):
    served = Served(cuts=[65536])
    headers = {} if content_range is None else {'Content-Range': content_range}
    answers = [served, lambda request: Answer(b'x' * 100, 206, headers), served]
    wire.answers[PATH] = lambda request: answers.pop(0)(request)
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT} and ranges(wire)[2] is None


def test_download__part_refused(wire, client, folder):
    served = Served(cuts=[100000])
    answers = [served, lambda request: Answer(status=416), served]
    wire.answers[PATH] = lambda request: answers.pop(0)(request)
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT} and ranges(wire)[2] is None


def test_download__parts_shorter_than_requested(wire, client, folder):
    served = Served()

    def part(request):
        answer = served(request)
        if answer.status == 206:
            start = int(re.search(r'\d+', request.headers['range']).group())
            end = min(start + 90000, 300000) - 1
            headers = {'Content-Range': 'bytes {}-{}/300000'.format(start, end)}
            answer = Answer(answer.body[:90000], 206, headers)
        return answer
    served.cuts = [65536]
    wire.answers[PATH] = part
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT} and len(wire.requests) == 4


@pytest.mark.parametrize('allowed', [True, False])
def test_download__interrupted_for_good(wire, client, folder, allowed):
    wire.answers[PATH] = Served(cuts=[100000] + [0 if allowed else 100000] * 100, ranges=allowed)
    folder.join('a').write('old')
    with pytest.raises(AmigoCloudError, match=r'interrupted after \d+ of 300000 bytes') as raised:
        client.download('/files/7?token=mine', 'a')
    assert isinstance(raised.value, requests.exceptions.ChunkedEncodingError)
    assert 'mine' not in str(raised.value)
    assert len(wire.requests) == downloads.FAILURES + 1
    assert held(folder) == {'a': b'old'}


def test_download__many_interruptions_with_new_bytes(wire, client, folder):
    cuts = [70000 + 15000 * number for number in range(3 * downloads.FAILURES)]
    wire.answers[PATH] = Served(cuts=cuts, ranges=False)
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT}
    assert len(wire.requests) > 2 * downloads.FAILURES


def zipped(content=CONTENT):
    output = io.BytesIO()
    with gzip.GzipFile(fileobj=output, mode='wb') as packed:
        packed.write(content)
    return output.getvalue()


def test_download__zipped_without_a_request_for_it(wire, client, folder):
    noise = os.urandom(200000)
    wire.answers[PATH] = Served(zipped(noise), cuts=[100000], Content_Encoding='gzip')
    told = []
    client.download('/files/7', 'a', progress=lambda *args: told.append(args))
    assert held(folder) == {'a': noise} and ranges(wire) == [None, None]
    assert told[-1] == (200000, None)


def test_download__refused(wire, client, folder):
    wire.answers[PATH] = Answer(b'{"detail": "Not found."}', 404)
    with pytest.raises(AmigoCloudError, match='Not found') as raised:
        client.download('/files/7', 'a')
    assert raised.value.status_code == 404 and held(folder) == {}


def test_download__refused_when_it_is_resumed(wire, client, folder):
    served = Served(cuts=[100000])
    answers = [served, lambda request: Answer(status=403)]
    wire.answers[PATH] = lambda request: answers.pop(0)(request)
    with pytest.raises(AmigoCloudError, match='403'):
        client.download('/files/7', 'a')
    assert held(folder) == {}


def test_download__foreign_link(wire, make_wire, client, folder):
    foreign = make_wire()
    wire.answers[PATH] = Answer(status=302, headers={'Location': foreign.url + '/bucket/trees.csv'})
    foreign.answers['/bucket/trees.csv'] = Served(cuts=[100000])
    assert client.download('/files/7') == 'trees.csv'
    assert held(folder) == {'trees.csv': CONTENT}
    assert [request.query for request in foreign.requests] == ['', '']


@pytest.mark.parametrize('destination', [
    5, 'nowhere/a', 'nowhere' + os.sep, io.StringIO(), os.devnull, object()])
def test_download__bad_destination(wire, client, folder, destination):
    for call in (lambda: client.download('/files/7', destination),
                 lambda: client.project(1).dataset(2).export('CSV', destination)):
        with pytest.raises(ValueError):
            call()
    assert not wire.requests and held(folder) == {}


@pytest.mark.parametrize('mode', ['rb', 'w', 'closed'])
def test_download__bad_file(wire, client, text, mode):
    with io.open(text(b'old'), 'wb' if mode == 'closed' else mode) as output:
        if mode == 'closed':
            output.close()
        with pytest.raises(ValueError, match='destination must be a folder, a path or a file'):
            client.download('/files/7', output)
    assert not wire.requests


def test_download__a_folder_is_where_the_file_should_be(wire, client, folder):
    wire.answers[PATH] = Served(Content_Disposition='attachment; filename=trees.csv')
    folder.mkdir('trees.csv')
    with pytest.raises(AmigoCloudError, match='trees.csv'):
        client.download('/files/7')


class Pipe(object):
    def __init__(self):
        self.received = b''

    def write(self, block):
        self.received += block


def test_download__file_that_cannot_be_rewound(wire, client):
    pipe = Pipe()
    wire.answers[PATH] = Served(cuts=[100000])
    client.download('/files/7', pipe)
    assert pipe.received == CONTENT
    wire.answers[PATH] = Served(cuts=[100000], ranges=False)
    with pytest.raises(AmigoCloudError, match='cannot be rewound'):
        client.download('/files/7', Pipe())


def test_download__progress(wire, client, folder):
    wire.answers[PATH] = Served(cuts=[100000])
    told = []
    client.download('/files/7', 'a', progress=lambda *args: told.append(args))
    assert told == sorted(told) and told[-1] == (300000, 300000)
    assert len(told) > 4 and {total for _, total in told} == {300000}


@pytest.mark.parametrize('failure', [
    KeyError('mine'), requests.ConnectionError('mine'), KeyboardInterrupt()])
def test_download__callable_raises(wire, client, folder, failure):
    wire.answers[PATH] = Served()

    def fail(done, total):
        raise failure
    with pytest.raises(type(failure)) as raised:
        client.download('/files/7', 'a', progress=fail)
    assert raised.value is failure
    assert len(wire.requests) == 1 and held(folder) == {}


def test_download__full_disk(wire, client):
    class Full(Pipe):
        def write(self, block):
            if block:
                raise IOError('No space left on device')
    wire.answers[PATH] = Served()
    with pytest.raises(IOError, match='No space') as raised:
        client.download('/files/7', Full())
    assert not isinstance(raised.value, AmigoCloudError) and len(wire.requests) == 1


@pytest.mark.parametrize('size', [1, 100, 10000, 65535])
def test_download__connections_that_send_less_than_a_block(wire, client, folder, size):
    content = CONTENT[:size * 4]
    wire.answers[PATH] = Served(content, cuts=[size] * 100)
    client.download('/files/7', 'a')
    assert held(folder) == {'a': content} and len(wire.requests) <= 10
    assert int(re.match(r'bytes=(\d+)-', ranges(wire)[1]).group(1)) >= size // 2


def test_download__chunks_of_connections_that_send_little(wire, client, folder):
    def cut_chunk(request):
        start = int(re.sub(r'\D', '', request.headers.get('range', '')) or 0)
        rest = CONTENT[start:900]
        headers = {'Transfer-Encoding': 'chunked', 'Content-Length': [], 'ETag': '"1"',
                   'Connection': 'close', 'Content-Range': 'bytes {}-899/900'.format(start)}
        # The first connections send a part of a chunk, the last one a whole chunk and the end.
        end = b'\r\n0\r\n\r\n' if len(rest) <= 300 else b''
        body = b'%x\r\n%s' % (len(rest), rest[:300]) + end
        return Answer(body, 206 if start else 200, headers)
    wire.answers[PATH] = cut_chunk
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT[:900]}


def test_download__a_body_in_chunks(wire, client, folder):
    def chunked(request):
        pieces = (CONTENT[:9], CONTENT[9:], b'')
        body = b''.join(b'%x\r\n%s\r\n' % (len(piece), piece) for piece in pieces)
        return Answer(body, headers={'Transfer-Encoding': 'chunked', 'Content-Length': []})
    wire.answers[PATH] = chunked
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT}


def test_download__a_body_that_a_hook_has_read(wire, client, folder):
    wire.answers[PATH] = Served()
    hooks = client._transport.session.hooks['response']
    hooks.append(lambda response, **kwargs: response.content and None)
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT}


HEADER = b'HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n\r\n'


@pytest.mark.parametrize('length', [17, 30, len(HEADER) - 9])
def test_cut__inside_the_header(folder, length):
    server = servers.raw.Raw(HEADER[:length])
    with AmigoCloud(base_url=server.url, use_websockets=False, retries=0) as client:
        with pytest.raises(AmigoCloudError, match='ended early|was interrupted') as caught:
            client.download('x', 'x.csv')
    assert isinstance(caught.value, requests.ConnectionError)
    assert server.connections == 1 + downloads.FAILURES and not held(folder)


@pytest.mark.parametrize('header', [
    b'HTTP/1.0 200 OK', b'HTTP/1.1 200 OK\r\nContent-Length: 0', b'HTTP/1.1 204 No Content'])
def test_empty__is_no_cut(folder, header):
    server = servers.raw.Raw(header + b'\r\n\r\n')
    with AmigoCloud(base_url=server.url, use_websockets=False) as client:
        client.download('x', 'x.csv')
    assert held(folder) == {'x.csv': b''}


class Raw(io.RawIOBase):
    """An unbuffered file that accepts few bytes at a time, and none when it is full."""

    def __init__(self, room, nothing=0):
        self.received, self.room, self.nothing = b'', room, nothing

    def writable(self):
        return True

    def write(self, block):
        taken = bytes(block)[:min(1000, self.room - len(self.received))]
        self.received += taken
        return len(taken) if taken or not block else self.nothing


def test_download__file_that_takes_little_at_a_time(wire, client):
    wire.answers[PATH] = Served()
    output = Raw(len(CONTENT))
    client.download('/files/7', output)
    assert output.received == CONTENT


@pytest.mark.parametrize('nothing', [0, None])
def test_download__file_that_takes_nothing_more(wire, client, nothing):
    wire.answers[PATH] = Served()
    with pytest.raises(IOError, match='accepts no more bytes'):
        client.download('/files/7', Raw(5000, nothing))


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='the system has no /dev/full')
def test_download__full_disk_without_a_buffer(wire, client):
    wire.answers[PATH] = Served()
    with io.open('/dev/full', 'wb', buffering=0) as output:
        with pytest.raises((IOError, OSError), match='No space'):
            client.download('/files/7', output)


posix = pytest.mark.skipif(os.name != 'posix', reason='the system has other links, modes and locks')


@posix
@pytest.mark.parametrize('is_there', [True, False])
def test_download__through_a_link(wire, client, folder, tmpdir, is_there):
    wire.answers[PATH] = Served()
    target = tmpdir.mkdir('elsewhere').join('target')
    if is_there:
        target.write('old')
    folder.join('a').mksymlinkto(target)
    assert client.download('/files/7', 'a') == 'a'
    assert folder.join('a').islink() and held(target.dirpath()) == {'target': CONTENT}
    assert [path.basename for path in folder.listdir()] == ['a']


@posix
def test_download__through_a_link_to_nowhere(wire, client, folder, tmpdir):
    folder.join('a').mksymlinkto(tmpdir.join('nowhere', 'target'))
    with pytest.raises(ValueError, match='no folder'):
        client.download('/files/7', 'a')
    assert not wire.requests


@posix
@pytest.mark.parametrize('mode', [0o600, 0o755, 0o444])
def test_download__keeps_the_mode(wire, client, folder, mode):
    wire.answers[PATH] = Served()
    folder.join('a').write('old')
    folder.join('a').chmod(mode)
    client.download('/files/7', 'a')
    assert folder.join('a').stat().mode & 0o777 == mode and held(folder) == {'a': CONTENT}


@pytest.mark.parametrize('name', ['a' * 300, u'\xe4' * 200, 'x/' * 3000 + 'a', 'a\0b'])
def test_download__impossible_name(wire, client, folder, name):
    with pytest.raises(ValueError):
        client.download('/files/7', name)
    assert not wire.requests


@pytest.mark.parametrize('call', [
    lambda client, value: client.download('/files/7', value + '/a'),
    lambda client, value: client.download('/files/7', [value]),
    lambda client, value: client.gallery(5).download([value]),
    lambda client, value: client.upload_file('/s', '/c', [value]),
    lambda client, value: client.upload_file('/s', '/c', io.BytesIO(), extra_data=[value]),
    lambda client, value: client.upload_file('/s', '/c', io.BytesIO(), chunk_size=value),
    lambda client, value: client.upload_file('/s', '/c', io.BytesIO(), resume=value),
    lambda client, value: client.upload_file('/s', '/c', io.BytesIO(), progress=value),
    lambda client, value: client.wait_for_job([value]),
    lambda client, value: client.wait_for_job(1, timeout=value)])
def test_messages__show_no_token_and_little_of_a_value(wire, client, folder, call):
    with pytest.raises(ValueError) as raised:
        call(client, 'x?token=mysecret&y=' + 'z' * 230)
    assert 'token=***' in str(raised.value) and 'mysecret' not in str(raised.value)
    assert 'z' * 100 in str(raised.value) and 'z' * 200 not in str(raised.value)
    assert not wire.requests


def interrupt(wire, client):
    """End a download to ``a`` after some bytes."""
    def end(done, total):
        if done > 50000:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        client.download('/files/7', 'a', progress=end)
    del wire.requests[:]


@posix
def test_download__resumed_in_the_next_call(wire, client, folder):
    wire.answers[PATH] = Served()
    interrupt(wire, client)
    (name, part), = held(folder).items()
    assert name.startswith('.') and name.endswith('.part') and part == CONTENT[:len(part)] and part
    interrupt(wire, client)
    assert list(held(folder)) == [name]
    told = []
    client.download('/files/7', 'a', progress=lambda done, total: told.append(done))
    assert held(folder) == {'a': CONTENT}
    assert told[0] >= len(part) and told == sorted(told)
    assert ranges(wire) == [None, 'bytes={}-'.format(told[0])]


@posix
@pytest.mark.parametrize('content, headers', [
    (b'new' * 100000, {'ETag': '"2"'}), (CONTENT, {'ETag': 'W/"1"'}),
    (CONTENT[:9], {'ETag': '"2"'})])
def test_download__changed_before_the_next_call(wire, client, folder, content, headers):
    served = wire.answers[PATH] = Served()
    interrupt(wire, client)
    served.content, served.headers = content, headers
    client.download('/files/7', 'a')
    assert folder.join('a').read_binary() == content and ranges(wire) == [None]


KILLED = """
import os, signal, sys
from amigocloud import AmigoCloud

def kill(done, total):
    if done > 50000:
        os.kill(os.getpid(), signal.SIGKILL)

client = AmigoCloud('secret', base_url=sys.argv[1], use_websockets=False)
client.download('/files/7', 'a', progress=kill)
"""


@posix
def test_download__resumed_after_its_process_was_killed(wire, client, folder):
    wire.answers[PATH] = Served(CONTENT * 4)
    assert subprocess.call([sys.executable, '-c', KILLED, wire.url]) != 0
    assert len(held(folder)) == 1
    del wire.requests[:]
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT * 4} and ranges(wire)[1].startswith('bytes=')


@posix
def test_download__part_of_a_changed_file_is_removed(wire, client, folder):
    served = wire.answers[PATH] = Served()
    interrupt(wire, client)
    served.headers = {'ETag': '"2"'}
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT}


@posix
def test_download__starts_again_in_the_next_call(wire, client, folder):
    served = wire.answers[PATH] = Served()
    interrupt(wire, client)
    served.ranges = False
    client.download('/files/7', 'a')
    assert held(folder) == {'a': CONTENT} and len(wire.requests) == 2


@pytest.mark.parametrize('served', [
    Served(ETag='W/"1"'), Served(ETag=''), Served(Accept_Ranges='none'),
    Served(zipped(), Content_Encoding='gzip')])
def test_download__interrupted_and_not_resumable(wire, client, folder, served):
    wire.answers[PATH] = served
    interrupt(wire, client)
    assert held(folder) == {}


@posix
def test_download__two_to_one_place(wire, client, folder):
    """The second download begins after the first and ends before it."""
    wire.answers[PATH] = Served()
    second = threading.Thread(target=client.download, args=('/files/7', 'a'))

    def begin_second(done, total):
        if done > 50000 and second.ident is None:
            second.start()
            second.join()
            assert folder.join('a').read_binary() == CONTENT
    client.download('/files/7', 'a', progress=begin_second)
    assert held(folder) == {'a': CONTENT} and ranges(wire) == [None, None]


EXPORT = '/api/v1/users/1/projects/2/datasets/3/export'


def serve_export(wire, **job):
    wire.answers['/api/v1/projects/2/datasets/3'] = {'export': wire.url + EXPORT}
    wire.answers[EXPORT] = {'job': 17}
    link = wire.url + PATH + '?token=secret'
    wire.answers['/api/v1/me/jobs/17'] = [
        {'status': 'STARTED'}, dict({'status': 'SUCCESS', 'extra': {'link': link}}, **job)]
    wire.answers[PATH] = Served(Content_Disposition='attachment; filename=trees.kml')


def test_export_dataset(wire, client, folder):
    serve_export(wire)
    assert client.project(2).dataset(3).export('KML') == 'trees.kml'
    assert held(folder) == {'trees.kml': CONTENT}
    export = wire.requests[1]
    assert (export.method, export.path, export.json) == ('POST', EXPORT, {'format': 'KML'})
    assert wire.requests[-1].query == 'token=secret'


def test_export_dataset__fails(wire, client, folder):
    serve_export(wire, status='FAILURE', extra={'error': ['No rows']})
    with pytest.raises(AmigoCloudError, match='No rows'):
        client.project(2).dataset(3).export('KML')


@pytest.mark.parametrize('extra', [None, {}, {'link': None}])
def test_export_dataset__no_link(wire, client, folder, extra):
    serve_export(wire, extra=extra)
    with pytest.raises(AmigoCloudError, match="no 'link'"):
        client.project(2).dataset(3).export('KML')


@pytest.mark.parametrize('answer', [{}, {'job': None}, [], b''])
def test_export_dataset__no_job(wire, client, folder, answer):
    serve_export(wire)
    wire.answers[EXPORT] = Answer(answer)
    with pytest.raises(AmigoCloudError, match='names no job') as raised:
        client.project(2).dataset(3).export('KML')
    # An AmigoCloudValueError would say that nothing was sent.
    assert not isinstance(raised.value, ValueError)


@pytest.mark.parametrize('format', [None, '', 5])
def test_export_dataset__bad_format(wire, client, format):
    with pytest.raises(ValueError, match='format'):
        client.project(2).dataset(3).export(format)
    assert not wire.requests


@pytest.mark.parametrize('with_project_token', [False, True])
def test_export_dataset__sandbox(sandbox, folder, with_project_token):
    token = sandbox.project_token if with_project_token else sandbox.token
    project = sandbox.project_url if with_project_token else None
    told = []
    with AmigoCloud(token, project, sandbox.url, use_websockets=False) as amigocloud:
        dataset = amigocloud.project(sandbox.project_id).dataset(sandbox.vehicles_id)
        path = dataset.export('CSV', folder, progress=lambda *args: told.append(args))
        with pytest.raises(AmigoCloudError, match='not a valid choice'):
            dataset.export('PNG', folder)
    content = held(folder)
    assert path == str(folder.join('vehicles.csv')) and list(content) == ['vehicles.csv']
    assert b'Tram F' in content['vehicles.csv'] and told[-1] == (len(content['vehicles.csv']),) * 2
