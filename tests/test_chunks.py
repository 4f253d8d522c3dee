"""Chunked uploads to a server with the rules of django-chunked-upload, with faults on the wire."""
import hashlib
import io
import pickle
import re
import threading

import pytest
import requests
from conftest import Answer, Wire
from hypothesis import given, settings
from hypothesis import strategies as st
from test_uploads import read_multipart

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.files import chunks

CONTENT = bytes(bytearray(range(256))) * 4
CHUNKED, COMPLETE = '/api/v1/chunked', '/api/v1/chunked/complete'
OFFSETS = {'detail': 'Offsets do not match'}
COMPLETED = {'detail': 'Upload has already been marked as "complete"'}


class Server(object):
    """The checks of django-chunked-upload in its order.

    ``faults`` maps the number of a request to a function that takes the place of its answer.
    """

    def __init__(self, wire):
        self.uploads, self.imports, self.faults, self.seen = {}, [], {}, 0
        self.expired = set()
        wire.answers[CHUNKED] = self.faulty(self.chunk)
        wire.answers[COMPLETE] = self.faulty(self.complete)

    def faulty(self, answer):
        def answer_or_fail(request):
            self.seen += 1
            fault = self.faults.get(self.seen, lambda answer, request: answer(request))
            return fault(answer, request)
        return answer_or_fail

    def find(self, upload_id):
        if upload_id in self.expired:
            return Answer({'detail': 'Upload has expired'}, 410)
        if upload_id not in self.uploads:
            return Answer(b'<html>Not Found</html>', 404, {'Content-Type': 'text/html'})

    def chunk(self, request):
        fields, _, content = read_multipart(request)
        upload_id = dict(fields).get('upload_id') or 'U{}'.format(len(self.uploads) + 1)
        if fields:
            missing = self.find(upload_id)
            if missing:
                return missing
        else:
            self.uploads[upload_id] = b''
        stored = self.uploads[upload_id]
        if upload_id in self.imports:
            return Answer(COMPLETED, 400)
        content_range = request.headers['content-range']
        start, end = re.match(r'bytes (\d+)-(-?\d+)/\d+\Z', content_range).groups()
        if int(start) != len(stored):
            return Answer(dict(OFFSETS, offset=len(stored)), 400)
        if int(end) - int(start) + 1 != len(content):
            return Answer({'detail': "File size doesn't match headers"}, 400)
        self.uploads[upload_id] = stored + content
        return {'upload_id': upload_id, 'offset': len(stored) + len(content), 'expires': ''}

    def complete(self, request):
        completion = request.json
        missing = self.find(completion['upload_id'])
        if missing:
            return missing
        if hashlib.md5(self.uploads[completion['upload_id']]).hexdigest() != completion['md5']:
            return Answer({'detail': 'md5 checksum does not match'}, 400)
        # Like the real service, it accepts a second completion and imports the file again.
        self.imports.append(completion['upload_id'])
        return {'job': 'J'}

    def imported(self):
        return [self.uploads[upload_id] for upload_id in self.imports]


def before(status=None, body=b'', headers=None):
    return lambda answer, request: None if status is None else Answer(body, status, headers)


def after(status=None, body=b''):
    def fault(answer, request):
        answer(request)
        return None if status is None else Answer(body, status)
    return fault


BEFORE = [before(), before(500), before(502), before(503), before(504), before(429), before(408),
          before(503, headers={'Retry-After': '0'}), before(200, b'<html>portal</html>'),
          before(200), before(204)]
AFTER = [after(), after(500), after(502), after(503), after(504), after(200, b'<html>'), after(204)]


@pytest.fixture
def server(wire):
    return Server(wire)


def upload(client, **kwargs):
    return client.upload_file(None, '/chunked', io.BytesIO(CONTENT), 400, **kwargs)


@pytest.mark.parametrize('number', [1, 2, 3])
@pytest.mark.parametrize('fault', BEFORE + AFTER)
def test_chunk__fault(client, server, number, fault):
    server.faults[number] = fault
    assert upload(client) == {'job': 'J'}
    assert server.imported() == [CONTENT]


@pytest.mark.parametrize('fault', BEFORE)
def test_completion__not_carried_out(client, server, fault):
    server.faults[4] = fault
    assert upload(client) == {'job': 'J'}
    assert server.imported() == [CONTENT]


@pytest.mark.parametrize('fault', AFTER)
def test_completion__carried_out_but_unanswered(client, server, fault):
    server.faults[4] = fault
    with pytest.raises(AmigoCloudError, match='complete.*import the file twice') as caught:
        upload(client)
    assert server.imported() == [CONTENT]
    with pytest.raises(AmigoCloudError, match='complete'):
        upload(client, resume=caught.value)
    assert server.imported() == [CONTENT]


def test_completion__unknown_outcome(client, server):
    server.faults[4] = after()
    server.faults.update({number: before() for number in range(5, 5 + chunks.PROBES)})
    with pytest.raises(AmigoCloudError, match='not known'):
        upload(client)
    assert server.imported() == [CONTENT]


def test_completion__purged_meanwhile(client, server):
    server.faults[4] = after()
    server.faults[5] = before(404)
    with pytest.raises(AmigoCloudError, match='not known'):
        upload(client)
    assert server.imported() == [CONTENT]


def test_completion__of_an_empty_file_is_not_repeated(client, server):
    server.faults[2] = after()
    with pytest.raises(AmigoCloudError, match='not known'):
        client.upload_file(None, '/chunked', io.BytesIO(b''))
    assert server.imported() == [b'']


@pytest.mark.parametrize('status', [400, 401, 403, 405, 415])
def test_completion__refused(client, server, status):
    server.faults[4] = before(status)
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    assert caught.value.status_code == status and server.seen == 4


@pytest.mark.parametrize('status', [400, 401, 403, 404, 405, 415, 301])
def test_chunk__refused(client, server, status):
    server.faults[1] = before(status)
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    assert server.seen <= 2 and not server.imports
    assert caught.value.upload_id is None and caught.value.offset == 0


@pytest.mark.parametrize('forget', [
    lambda server: server.uploads.clear(), lambda server: server.expired.add('U1'),
])
def test_forgotten__starts_again_once(client, server, forget):
    def fault(answer, request):
        forget(server)
        return answer(request)
    server.faults[3] = fault
    assert upload(client) == {'job': 'J'}
    assert server.imported() == [CONTENT]


def test_forgotten__twice(client, server):
    server.faults.update({number: before(410) for number in (2, 4)})
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    assert caught.value.status_code == 410 and server.seen == 4


def test_marked_as_failed__starts_again(client, server):
    server.faults[2] = before(400, b'{"detail": "Upload has already been marked as \\"failed\\""}')
    assert upload(client) == {'job': 'J'}


def test_server_lost_a_chunk(client, server):
    def lose(answer, request):
        server.uploads['U1'] = server.uploads['U1'][:100]
        return answer(request)
    server.faults[3] = lose
    assert upload(client) == {'job': 'J'}
    assert server.imported() == [CONTENT]


def test_server_loses_every_chunk(client, server):
    def lose(answer, request):
        value = answer(request)
        server.uploads['U1'] = b''
        return value
    server.faults.update(dict.fromkeys(range(1, 100), lose))
    with pytest.raises(AmigoCloudError, match='Offsets'):
        upload(client)
    assert server.seen < 30


@pytest.mark.parametrize('offset', [-1, 5000, True, '400', None, 1.5])
def test_offset__unusable(client, server, offset):
    server.faults[2] = lambda answer, request: Answer(dict(OFFSETS, offset=offset), 400)
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    assert caught.value.status_code == 400 and server.seen == 2


def test_size_does_not_match__resent(client, server):
    server.faults[2] = before(400, b'{"detail": "File size doesn\'t match headers"}')
    assert upload(client) == {'job': 'J'}


def test_proxy_limit__halves_the_chunk(wire, client, server):
    content = CONTENT * 400
    limit = 150000

    def limited(answer, request):
        return Answer(status=413) if len(request.body) > limit else answer(request)
    server.faults.update(dict.fromkeys(range(1, 100), limited))
    client.upload_file(None, '/chunked', io.BytesIO(content), 400000)
    assert server.imported() == [content]


def test_upload_id__in_the_first_answer_only(client, server):
    def shorten(answer, request):
        return {'offset': answer(request)['offset']}
    server.faults.update({2: shorten, 3: shorten})
    assert upload(client) == {'job': 'J'}
    assert server.imported() == [CONTENT]


@pytest.mark.parametrize('answer', [b'{}', b'[]', b'null', b'{"upload_id": null}'])
def test_upload_id__never(client, server, answer):
    server.faults[1] = before(200, answer)
    with pytest.raises(AmigoCloudError, match='upload_id'):
        upload(client)
    assert not server.imports


def test_another_upload_id(client, server):
    server.faults[2] = lambda answer, request: {'upload_id': 'V', 'offset': 800}
    with pytest.raises(AmigoCloudError, match='upload_id'):
        upload(client)
    assert not server.imports


def test_damaged__the_md5_tells(client, server):
    def damage(answer, request):
        value = answer(request)
        server.uploads['U1'] = server.uploads['U1'][:-1] + b'?'
        return value
    server.faults[2] = damage
    with pytest.raises(AmigoCloudError, match='md5') as caught:
        upload(client)
    assert not server.imports and server.seen == 4
    assert upload(client, resume=caught.value) == {'job': 'J'}
    assert server.imported() == [CONTENT]


def test_fails_finally__and_is_resumed(client, server):
    server.faults.update({number: before(500) for number in range(3, 3 + chunks.FAILURES)})
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    assert server.seen == 2 + chunks.FAILURES
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.upload_id, error.offset, error.status_code) == ('U1', 800, 500)
    before_resuming = server.seen
    assert upload(client, resume=error) == {'job': 'J'}
    assert server.seen == before_resuming + 2
    assert server.imported() == [CONTENT]


@pytest.fixture
def silent(server, monkeypatch):
    """Keep the second request without an answer; a chunk waits only a moment for it."""
    monkeypatch.setattr(chunks, 'ANSWER_SECONDS', 0.2)
    released = threading.Event()
    server.faults[2] = lambda answer, request: released.wait(30) and None
    yield
    released.set()


@pytest.mark.usefixtures('silent')
def test_silence__is_ended_and_logged(client, server, caplog):
    assert upload(client) == {'job': 'J'}
    assert server.imported() == [CONTENT]
    (record,) = [record for record in caplog.records if record.name == 'amigocloud.files.chunks']
    assert record.levelname == 'WARNING'
    assert record.getMessage().startswith(
        'Chunk at byte 400 of 1024 failed, retrying at byte 400: POST http://')


@pytest.mark.usefixtures('silent')
def test_silence__ends_the_upload_in_time(client, server, monkeypatch):
    monkeypatch.setattr(chunks.retrying, 'RETRY_SECONDS', 0)
    with pytest.raises(requests.Timeout) as caught:
        upload(client)
    assert server.seen == 2
    assert (caught.value.upload_id, caught.value.offset) == ('U1', 400)


@pytest.mark.parametrize('timeout, shortened', [
    (5, (5, 5)), (None, (None, 60)), ((10, 300), (10, 60)), ((None, 7), (None, 7))])
def test_silence__time_out_of_the_client(wire, server, timeout, shortened):
    client = AmigoCloud('secret', base_url=wire.url, use_websockets=False, timeout=timeout)
    seen = []
    hooks = client._transport.session.hooks['response']
    hooks.append(lambda response, **kwargs: seen.append(kwargs['timeout']))
    assert upload(client) == {'job': 'J'}
    assert seen == [shortened] * 3 + [timeout]
    client.close()


def test_resume__of_a_lost_connection(wire, client, server):
    server.faults.update({number: before() for number in range(2, 2 + chunks.FAILURES)})
    with pytest.raises(requests.ConnectionError) as caught:
        upload(client)
    assert (caught.value.upload_id, caught.value.offset) == ('U1', 400)
    other = AmigoCloud('secret', base_url=wire.url, use_websockets=False)
    assert upload(other, resume=pickle.loads(pickle.dumps(caught.value))) == {'job': 'J'}
    assert server.imported() == [CONTENT]


def test_resume__after_the_chunks(client, server):
    server.faults.update({4: before(403)})
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    assert upload(client, resume=caught.value) == {'job': 'J'}
    assert server.imported() == [CONTENT]


@pytest.mark.parametrize('resume', ['U1', 5, ValueError])
def test_resume__bad_input(wire, client, resume):
    with pytest.raises(AmigoCloudError, match='resume'):
        upload(client, resume=resume)
    assert not wire.requests


class Refuses(Exception):
    """An exception that refuses attributes, except those that Python sets."""

    def __setattr__(self, name, value):
        if not name.startswith('__'):
            raise AttributeError(name)
        Exception.__setattr__(self, name, value)


class Unreadable(io.BytesIO):
    """A file whose read fails at an offset, as on a broken disk."""

    def __init__(self, content, offset):
        io.BytesIO.__init__(self, content)
        self.broken = offset

    def read(self, size=-1):
        if self.tell() == self.broken and size:
            raise IOError(5, 'Input/output error')
        return io.BytesIO.read(self, size)


@pytest.mark.parametrize('offset', [400, 800, 1024])
@pytest.mark.parametrize('failure', [
    KeyboardInterrupt, SystemExit, ValueError, IOError, AmigoCloudError])
def test_callback_raises__resumed(client, server, failure, offset):
    def progress(done, total):
        if done == offset:
            raise failure('stop')
    with pytest.raises(failure) as caught:
        upload(client, progress=progress)
    assert (caught.value.upload_id, caught.value.offset) == ('U1', offset) and not server.imports
    assert upload(client, resume=pickle.loads(pickle.dumps(caught.value))) == {'job': 'J'}
    assert server.imported() == [CONTENT] and list(server.uploads) == ['U1']


def test_callback_raises__error_like_that_of_a_lost_upload(wire, client, server):
    wire.answers['/api/v1/other'] = Answer({'detail': 'md5'}, 404)

    def progress(done, total):
        client.get('/other')
    with pytest.raises(AmigoCloudError) as caught:
        upload(client, progress=progress)
    assert (caught.value.upload_id, caught.value.offset) == ('U1', 400)
    assert len(server.uploads) == 1


def test_callback_raises__an_exception_without_attributes(client, server):
    def progress(done, total):
        raise Refuses('stop')
    with pytest.raises(Refuses) as caught:
        upload(client, progress=progress)
    assert upload(client, resume=caught.value) == {'job': 'J'}
    assert server.imported() == [CONTENT]


@pytest.mark.parametrize('offset, upload_id', [(0, None), (400, 'U1'), (800, 'U1')])
def test_read_error__resumed(client, server, offset, upload_id):
    with pytest.raises(IOError) as caught:
        client.upload_file(None, '/chunked', Unreadable(CONTENT, offset), 400)
    assert (caught.value.upload_id, caught.value.offset) == (upload_id, offset)
    assert caught.value.errno == 5
    assert upload(client, resume=caught.value) == {'job': 'J'}
    assert server.imported() == [CONTENT] and len(server.uploads) == 1


def test_resume__small_file_in_chunks(client, server):
    server.faults[3] = before(403)
    with pytest.raises(AmigoCloudError) as caught:
        upload(client)
    answer = client.upload_file('/simple', '/chunked', io.BytesIO(CONTENT), resume=caught.value)
    assert answer == {'job': 'J'} and server.imported() == [CONTENT]


@pytest.mark.parametrize('upload_id, offset', [
    (True, 5), ([], 5), ('U1', None), ('U1', -1), ('U1', '5'), ('U1', 2000)])
def test_resume__bad_state(wire, client, upload_id, offset):
    error = KeyboardInterrupt()
    error.upload_id, error.offset = upload_id, offset
    with pytest.raises(AmigoCloudError, match='resume'):
        upload(client, resume=error)
    assert not wire.requests


@pytest.mark.parametrize('knows', [True, False])
def test_md5__disabled_by_the_system(client, server, monkeypatch, knows):
    real = hashlib.md5

    def new_python(data=b'', usedforsecurity=True):
        if usedforsecurity:
            raise ValueError('disabled for FIPS')
        return real(data)
    monkeypatch.setattr(chunks.hashlib, 'md5', new_python if knows else lambda data=b'': real(data))
    monkeypatch.setattr(server, 'complete', lambda request: {'md5': request.json['md5']})
    server.faults[4] = lambda answer, request: server.complete(request)
    assert upload(client) == {'md5': real(CONTENT).hexdigest()}


def test_md5__starts_no_threads(client, server, monkeypatch):
    started = []
    start = threading.Thread.start

    def record(thread):
        started.append(threading.current_thread())
        start(thread)
    monkeypatch.setattr(threading.Thread, 'start', record)
    upload(client)
    assert threading.current_thread() not in started


@pytest.fixture(scope='module')
def shared_client():
    wire = Wire()
    with AmigoCloud('secret', base_url=wire.url, use_websockets=False) as client:
        client.wire = wire
        yield client
    wire.close()


@pytest.mark.slow
@settings(max_examples=60)
@given(faults=st.dictionaries(st.integers(1, 12), st.sampled_from(BEFORE + AFTER), max_size=6),
       chunk_size=st.integers(100, 600))
def test_any_faults(shared_client, faults, chunk_size):
    server = Server(shared_client.wire)
    server.faults.update(faults)
    try:
        shared_client.upload_file(None, '/chunked', io.BytesIO(CONTENT), chunk_size)
    except AmigoCloudError as error:
        assert error.offset in range(len(CONTENT) + 1)
        assert server.imported() in ([], [CONTENT])
    else:
        assert server.imported() == [CONTENT]
