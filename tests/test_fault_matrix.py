"""Every public call times every fault: it gives the right thing or raises AmigoCloudError, and nothing is done twice.

What comes out of each pair is the table in docs/reliability.rst; AMIGOCLOUD_TEST_WRITE=1 writes it anew.
"""
from __future__ import unicode_literals

import collections
import io
import os
import re
import shutil
import socket
import struct
import tempfile
import threading

import pytest
import six
from conftest import Answer, Wire
from six.moves.BaseHTTPServer import HTTPServer
from test_chunks import CHUNKED, COMPLETE, CONTENT
from test_chunks import Server as UploadServer

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.events import background
from amigocloud.files import chunks, downloads

pytestmark = pytest.mark.slow

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'docs', 'reliability.rst')
MARKS = '.. The table begins. tests/test_fault_matrix.py writes it.\n', '.. The table ends.\n'

#: The table is written, rather than compared.
WRITES = bool(os.environ.get('AMIGOCLOUD_TEST_WRITE'))

API = '/api/v1'
#: Tries of one request, of one chunk or of a completion and its probes, and of a file.
TRIES, UPLOAD_TRIES, DOWNLOAD_TRIES = 4, 4 * (chunks.FAILURES + chunks.PROBES + 2), 4 * (downloads.FAILURES + 1)
RESET = struct.pack(str('ii'), 1, 0)

ROWS, NEW_ROWS = [{'amigo_id': 'a', 'address': 'x'}], [{'amigo_id': 'a' * 32, 'b': 1}]
PHOTO = {'amigo_id': '7', 'source_amigo_id': 'a', 'filename': 'photo.jpg'}


def faulty(handler):
    """The handler of a Wire, as one that reads no request that is not to be read."""
    class FaultyHandler(handler):
        def handle_one_request(self):
            line = self.connection.recv(1000, socket.MSG_PEEK).split(b'\r\n')[0]
            self.server.arm(self.number, line.decode('ascii'))
            fault = self.server.armed.get(self.number)
            if fault and fault.unread:
                self.close_connection = True
            else:
                handler.handle_one_request(self)

        def finish(self):
            fault = self.server.armed.get(self.number)
            if fault and fault.resets:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.server.resets.add(self.connection)
            handler.finish(self)
    return FaultyHandler


class FaultyWire(Wire):
    """A recording server, one of whose requests (``target``, how often it was seen before) meets a fault."""

    def __init__(self):
        Wire.__init__(self)
        self.RequestHandlerClass = faulty(self.RequestHandlerClass)
        self.armed, self.resets = {}, set()
        self.set_up(None, None)

    def set_up(self, target, fault, lasting=False):
        self.target, self.fault, self.lasting = target, fault, lasting
        self.seen = collections.Counter()
        #: Connections by the fault that they met, and how often each thing was done that may be done once.
        self.armed.clear()
        self.done = collections.Counter()
        self.released = threading.Event()
        del self.requests[:]

    def arm(self, connection, line):
        method, _, rest = line.partition(' ')
        path = rest.partition('?')[0].partition(' ')[0]
        meets = self.fault and self.target and (method, path) == self.target[:2] and (
            self.seen[path] == self.target[2] or self.lasting and self.seen[path] > self.target[2])
        if method == (self.target or ('',))[0]:
            self.seen[path] += 1
        self.armed[connection] = self.fault if meets else None

    def answer(self, request):
        fault = self.armed[request.connection]
        if fault and not fault.done:
            return fault.answer(None, self)
        answer = Wire.answer(self, request)
        if request.method in ('POST', 'PATCH') and request.path not in (CHUNKED, COMPLETE):
            self.done[request.method, request.path] += 1
        return fault.answer(answer, self) if fault else answer

    def shutdown_request(self, request):
        if request in self.resets:
            self.resets.remove(request)
            self.close_request(request)
        else:
            HTTPServer.shutdown_request(self, request)


class Fault(object):
    """What goes wrong with one request.

    Args:
        answer (callable): makes the answer, None for none, from the right one (None if the request was not carried
            out) and the server.
        done (bool): the request is carried out.
        resets (bool): the connection is reset.
        unread (bool): the request is not even read.
        timeout (float): of the client, where the fault is that there is no answer.
    """

    def __init__(self, answer=None, done=False, resets=False, unread=False, timeout=None):
        self.answer, self.done, self.resets, self.unread, self.timeout = answer, done, resets, unread, timeout


def nothing(answer, wire):
    return None


def stall(answer, wire):
    wire.released.wait(60)


def cut(answer, wire):
    return Answer(answer.body[:-1], headers={'Content-Length': str(len(answer.body)), 'Connection': 'close'})


def says(*args, **kwargs):
    return lambda answer, wire: Answer(*args, **kwargs)


def either(answer, **kwargs):
    """The fault of a request that was not carried out, and of one that was."""
    return [Fault(answer, done, **kwargs) for done in (False, True)]


PORTAL = says(b'<html>Please log in</html>', headers={'Content-Type': 'text/html'})
FAULTS = collections.OrderedDict([
    ('reset before', [Fault(resets=True, unread=True)]),
    ('reset after', [Fault(nothing, done=True, resets=True)]),
    ('stall', either(stall, timeout=0.3)),
    ('500', either(says(status=500))),
    ('502', either(says(status=502))),
    ('503', either(says(status=503))),
    ('504', either(says(status=504))),
    ('429', [Fault(says(status=429))]),
    ('429 and 503, Retry-After', [Fault(says(b'', status, {'Retry-After': '0'})) for status in (429, 503)]),
    ('cut body', [Fault(cut, done=True)]),
    ('HTML body', either(PORTAL)),
    ('empty body', either(says(b''))),
    ('garbage body', either(says(b'\x80\x00{"'))),
])


class Call(object):
    """A call, and the one of its requests that meets the fault.

    Args:
        name (str): the row of the table.
        call (callable): takes a client, and gives what can be compared.
        target (tuple): the method and path of the request, and how many like it come before.
        tries (int): how often that request may be seen while its fault lasts.
        websockets (bool): the client has a connection for events.
        by_status (bool): the status tells that it is done, whatever the body.
    """

    def __init__(self, name, call, target, tries=TRIES, websockets=False, by_status=False):
        self.name, self.call, self.tries, self.websockets, self.by_status = name, call, tries, websockets, by_status
        self.target = (target + (0,))[:3]

    def __repr__(self):
        return str(self.name)


def upload(client):
    return client.upload_file(None, '/chunked', io.BytesIO(CONTENT), 400)


def photo():
    content = io.BytesIO(CONTENT)
    content.name = 'photo.jpg'
    return content


def geocode(client):
    summary = client.geocode_addresses(1, 2, 'address', 'geom', progress=lambda done, total: None)
    return summary['rows'], summary['geocoded']


def saved(call):
    """The contents of the files that a call puts into a folder."""
    def save(client):
        folder = tempfile.mkdtemp()
        try:
            call(client, folder)
            contents = []
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), 'rb') as content:
                    contents.append(content.read())
            return b', '.join(contents)
        finally:
            shutil.rmtree(folder)
    return save


def listen(call):
    """There is no websocket server here: the call ends by saying so, once its GET has gone well."""
    def listen_to(client):
        with pytest.raises(AmigoCloudError) as caught:
            call(client)
        if 'No connection for events' not in caught.value.message:
            raise caught.value
        return 'no connection'
    return listen_to


def export(client, folder):
    client.project(1).dataset(2).export('CSV', folder)


def sign_up(client):
    timeout = client._transport._timeout
    return AmigoCloud('secret', base_url=client.base_url, use_websockets=False, timeout=timeout)._user_id


def change(verb, rows):
    return lambda client: getattr(client.project(1).dataset(2), verb)(rows).amigo_ids


SQL, DATASET, SEARCH = '/projects/1/sql', '/projects/1/datasets/2', '/me/geocoder/search'
CHANGE, JOB, FILE, GALLERY = DATASET + '/submit_change', '/me/jobs/J', '/files/trees.csv', '/related_tables/3'
EVENTS = '/users/1/projects/2/datasets/3/start_websocket_session'
CALLS = [
    Call('``AmigoCloud(token)``', sign_up, ('GET', '/me')),
    Call('``authenticate``', lambda client: client.authenticate('other') or client._token, ('GET', '/me')),
    Call('``get``', lambda client: client.get('x'), ('GET', '/x')),
    Call('``get(raw=True)``', lambda client: client.get('x', raw=True), ('GET', '/x')),
    Call('``post``', lambda client: client.post('x'), ('POST', '/x')),
    Call('``put``', lambda client: client.put('x'), ('PUT', '/x')),
    Call('``patch``', lambda client: client.patch('x'), ('PATCH', '/x')),
    Call('``delete``', lambda client: client.delete('x'), ('DELETE', '/x')),
    Call('``get_cursor``, first page', lambda client: list(client.get_cursor('pages')), ('GET', '/pages')),
    Call('``get_cursor``, later page', lambda client: list(client.get_cursor('pages')), ('GET', '/pages/2')),
    Call('``Cursor.has_next``', lambda client: client.get_cursor('pages').has_next, ('GET', '/pages')),
    Call('``Cursor.get``', lambda client: client.get_cursor('pages').get('count'), ('GET', '/pages')),
    Call('``upload_file``, simple', lambda client: client.upload_file('/simple', None, io.BytesIO(CONTENT)),
         ('POST', '/simple')),
    Call('``upload_file``, first chunk', upload, ('POST', '/chunked'), UPLOAD_TRIES),
    Call('``upload_file``, later chunk', upload, ('POST', '/chunked', 1), UPLOAD_TRIES),
    Call('``upload_file``, completion', upload, ('POST', '/chunked/complete'), 2 * TRIES),
    Call('``upload_datafile``', lambda client: client.upload_datafile(1, 2, io.BytesIO(CONTENT)),
         ('POST', '/users/1/projects/2/datasets/upload')),
    Call('``upload_gallery_photo``', lambda client: client.upload_gallery_photo(3, 'a', photo()),
         ('POST', '/related_tables/3/upload')),
    Call('``geocode_addresses``, its dataset', geocode, ('GET', DATASET)),
    Call('``geocode_addresses``, a page of addresses', geocode, ('GET', SQL)),
    Call('``geocode_addresses``, a search', geocode, ('GET', SEARCH)),
    Call('``geocode_addresses``, writing', geocode, ('POST', SQL), by_status=True),
    Call('``Project.sql``', lambda client: list(client.project(1).sql('SELECT 1')), ('GET', SQL)),
    Call('``Project.execute``', lambda client: client.project(1).execute('DELETE'), ('POST', SQL)),
    Call('``Dataset.read``, its state', lambda client: list(client.project(1).dataset(2).read()),
         ('GET', DATASET + '/master')),
    Call('``Dataset.read``, a page', lambda client: list(client.project(1).dataset(2).read()), ('GET', SQL)),
    Call('``Dataset.insert``', change('insert', NEW_ROWS), ('POST', CHANGE)),
    Call('``Dataset.insert``, its job', change('insert', NEW_ROWS), ('GET', JOB)),
    Call('``Dataset.update``', change('update', [{'amigo_id': 'a', 'b': 1}]), ('POST', CHANGE)),
    Call('``Dataset.delete``', change('delete', ['a']), ('POST', CHANGE)),
    Call('``wait_for_job``', lambda client: client.wait_for_job('J'), ('GET', JOB)),
    Call('``download``', saved(lambda client, folder: client.download(FILE, folder)), ('GET', FILE), DOWNLOAD_TRIES),
    Call('``Dataset.export``, its dataset', saved(export), ('GET', DATASET)),
    Call('``Dataset.export``, its request', saved(export), ('POST', DATASET + '/export')),
    Call('``Dataset.export``, its job', saved(export), ('GET', JOB)),
    Call('``Dataset.export``, its file', saved(export), ('GET', FILE), DOWNLOAD_TRIES),
    Call('``Gallery.download``, a page of the list', saved(lambda client, folder: client.gallery(3).download(folder)),
         ('GET', GALLERY + '/entries')),
    Call('``Gallery.download``, a photo', saved(lambda client, folder: client.gallery(3).download(folder)),
         ('GET', GALLERY + '/files/a/7/photo.jpg'), DOWNLOAD_TRIES),
    Call('``listen_user_events``', listen(lambda client: client.listen_user_events()),
         ('GET', '/me/start_websocket_session'), websockets=True),
    Call('``listen_dataset_events``', listen(lambda client: client.listen_dataset_events(1, 2, 3)), ('GET', EVENTS),
         websockets=True),
]


def serve(wire):
    """The answers of a service that does everything right; a DELETE finds nothing left the second time."""
    deleted = []

    def item(request):
        if request.method == 'DELETE':
            if deleted:
                return Answer({'detail': 'Not found.'}, 404)
            deleted.append(request)
        return {'got': request.method}

    def sql(request):
        if request.method == 'POST':
            return {'count': 1}
        return {'data': [{'count': 1}] if 'count(*)' in request.params['query'] else ROWS, 'next': None}

    wire.answers.update({
        API + '/me': {'id': 7},
        API + '/x': item,
        API + '/pages': {'count': 3, 'results': [1, 2], 'next': wire.url + API + '/pages/2'},
        API + '/pages/2': {'count': 3, 'results': [3], 'next': None},
        API + '/simple': {'job': 'J'},
        API + '/users/1/projects/2/datasets/upload': {'job': 'J'},
        API + '/related_tables/3/upload': PHOTO,
        API + DATASET: {'feature_count': 1, 'export': wire.url + API + DATASET + '/export'},
        API + DATASET + '/master': {'master': 'M'},
        API + DATASET + '/export': {'job': 'J'},
        API + CHANGE: {'job': 'J'},
        API + JOB: {'id': 'J', 'status': 'SUCCESS', 'extra': {'link': wire.url + API + FILE}},
        API + FILE: Answer(b'lime, oak', headers={'Content-Type': 'text/csv'}),
        API + GALLERY + '/entries': {'data': [PHOTO], 'next': None},
        API + GALLERY + '/files/a/7/photo.jpg': Answer(CONTENT, headers={'Content-Type': 'image/jpeg'}),
        API + SQL: sql,
        API + SEARCH: {'features': [{'geometry': {'coordinates': [1, 2]}}]},
        API + '/me/start_websocket_session': {'websocket_session': 'S'},
        API + EVENTS: {'websocket_session': 'S'},
    })
    return UploadServer(wire)


class Matrix(object):
    """Makes each call with each fault, once."""

    def __init__(self):
        self.wire = FaultyWire()
        self.cells, self.right = {}, {}

    def cell(self, call, name):
        """What the table says: one word, or two where it matters whether the request had been carried out."""
        if (call, name) not in self.cells:
            outcomes = [self.outcome(call, fault) for fault in FAULTS[name]]
            self.cells[call, name] = ' / '.join(outcomes if len(set(outcomes)) > 1 else outcomes[:1])
        return self.cells[call, name]

    def outcome(self, call, fault, lasting=False):
        if call not in self.right:
            serve(self.wire)
            self.right[call] = self.run(call, None)
        uploads = serve(self.wire)
        method, path, number = call.target
        value = self.run(call, fault, (method, API + path, number), lasting)
        assert self.wire.seen[API + path] > number, 'the fault was not met'
        assert self.wire.seen[API + path] - number <= (call.tries if lasting else call.tries + number + 3)
        assert all(times == 1 for times in self.wire.done.values()), self.wire.done
        assert uploads.imported() in ([], [CONTENT])
        if value is AmigoCloudError:
            return 'error'
        if value == b'':
            return "``b''``"
        if value == self.right[call]:
            return 'ok'
        if call.call is geocode:
            assert value == (1, 0)
            return 'counted'
        assert isinstance(value, bytes) and isinstance(self.right[call], bytes)
        return 'body'

    def run(self, call, fault, target=None, lasting=False):
        self.wire.set_up(None, None)
        timeout = fault and fault.timeout or 30
        with AmigoCloud('secret', base_url=self.wire.url, use_websockets=call.websockets, timeout=timeout) as client:
            self.wire.set_up(target, fault, lasting)
            try:
                return call.call(client)
            except AmigoCloudError:
                return AmigoCloudError
            finally:
                self.wire.released.set()


@pytest.fixture(scope='module')
def matrix():
    measured = Matrix()
    yield measured
    measured.wire.close()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(background, 'READY_SECONDS', 0.1)


@pytest.fixture(scope='module')
def written():
    """The table of the document: the outcomes by call and fault."""
    with io.open(DOCUMENT, encoding='utf-8') as document:
        table = document.read().partition(MARKS[0])[2].partition(MARKS[1])[0]
    rows = [re.findall('"(.*?)"', line) for line in table.splitlines() if line.startswith('   "')]
    return {(row[0], name): outcome for row in rows[1:] for name, outcome in zip(rows[0][1:], row[1:])}


@pytest.mark.parametrize('call', CALLS, ids=repr)
@pytest.mark.parametrize('name', FAULTS)
def test_fault__once(matrix, written, call, name):
    outcome = matrix.cell(call, name)
    # The table is of Python 3.
    if not six.PY2 and not WRITES:
        assert outcome == written.get((call.name, name)), (
            'Read what changed; AMIGOCLOUD_TEST_WRITE=1 pytest {} writes it into {}.'.format(
                os.path.basename(__file__), DOCUMENT))


@pytest.mark.parametrize('call', CALLS, ids=repr)
@pytest.mark.parametrize('name', FAULTS)
def test_fault__for_good(matrix, call, name):
    for fault in FAULTS[name]:
        if fault.timeout:
            fault = Fault(fault.answer, fault.done, timeout=0.05)
        outcome = matrix.outcome(call, fault, lasting=True)
        assert outcome != 'ok' or name == 'empty body' and call.by_status


def table(matrix):
    lines = ['.. csv-table::', '   :header-rows: 1', '   :stub-columns: 1', '', '   "Call"' + ''.join(
        ', "{}"'.format(name) for name in FAULTS)]
    for call in CALLS:
        lines.append('   "{}"'.format(call.name) + ''.join(', "{}"'.format(matrix.cell(call, name)) for name in FAULTS))
    return '\n' + '\n'.join(lines) + '\n\n'


def test_the_table__has_nothing_else(matrix, written):
    if WRITES:
        with io.open(DOCUMENT, encoding='utf-8') as document:
            head, _, rest = document.read().partition(MARKS[0])
        with io.open(DOCUMENT, 'w', encoding='utf-8') as document:
            document.write(head + MARKS[0] + table(matrix) + MARKS[1] + rest.partition(MARKS[1])[2])
    else:
        assert set(written) == {(call.name, name) for call in CALLS for name in FAULTS}
