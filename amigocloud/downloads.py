"""Files from the service: streamed to the disk, gone on with after an interruption, whole or not there at all."""
from __future__ import absolute_import

import binascii
import contextlib
import errno
import hashlib
import io
import os
import re
import stat
import time
from email.utils import parsedate

import requests
import six
from urllib3.exceptions import HTTPError

from . import retrying
from .exceptions import AmigoCloudError, AmigoCloudValueError, failure_error
from .filenames import file_name
from .progress import check_progress, reporting
from .tokens import strike_out

try:
    import fcntl
except ImportError:
    fcntl = None

#: Bytes that are read and written at a time, at the most.
BLOCK_SIZE = 65536

#: Bytes that are read at a time of a body in chunks.
CHUNKED_BLOCK_SIZE = 4096

#: Interruptions in a row, without a new byte between them, before a download is given up.
FAILURES = 5

_INTERRUPTIONS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
                  requests.exceptions.ContentDecodingError, HTTPError)

_replace = getattr(os, 'replace', os.rename)


class GivenUp(AmigoCloudError):
    """A download that was ended from outside, as by Ctrl-C: what is there of it is kept for the next try."""


def download(get, url, destination=None, progress=None):
    """Downloads a file; see ``AmigoCloud.download``.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does.
    """
    check_progress(progress)
    destination = _checked(destination)
    with contextlib.closing(Body(get, url)) as body:
        with reporting(progress, body.total, 'B', body.name) as report:
            if hasattr(destination, 'write'):
                body.copy_to(destination, report)
                return None
            path = in_folder(destination, body.name) if is_folder(destination) else destination
            body.save(path, report)
            return path


def export_dataset(get, post, wait_for_job, below, dataset_id, format, destination=None, progress=None):
    """Exports a dataset to a file; see ``AmigoCloud.export_dataset``.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does.
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
        wait_for_job (callable): waits for a job, as ``AmigoCloud.wait_for_job`` does.
        below (str): what stands before the paths of the project; see ``queries.project_path``.
    """
    if not format or not isinstance(format, six.string_types):
        raise AmigoCloudValueError("format is a name such as 'CSV', not {!r}.".format(format))
    check_progress(progress)
    _checked(destination)
    url = _link(get('{}datasets/{}'.format(below, dataset_id)), 'export')
    job = wait_for_job(post(url, {'format': format}))
    return download(get, _link(job.get('extra'), 'link'), destination, progress)


def is_folder(destination):
    """Tells whether a path is a folder to put files into; '' is the current one."""
    return not destination or os.path.isdir(destination)


def in_folder(folder, name):
    """Gives the path of a file in a folder, of the folder's own type of text."""
    return os.path.join(folder, name.encode('utf-8') if isinstance(folder, bytes) else name)


class Body(object):
    """What a URL holds: asked for at once, read block by block, gone on with where it was interrupted.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does.
        url (str): as ``AmigoCloud.get`` takes it.

    Attributes:
        name (str): what the file is called, safe to use.
        total (int): its bytes, or None where the server does not say.

    Raises:
        AmigoCloudError: it cannot be had.
    """

    def __init__(self, get, url):
        self._get, self._url = get, url
        self._begin(self._ask({}))
        self.name = file_name(self._response.headers.get('Content-Disposition'), self._response.url)

    def save(self, path, report):
        """Writes a file beside its place and moves it there once it is whole.

        Args:
            path (str): its place; a file that is there is replaced, and keeps its mode; a link is followed.
            report (callable): is told how many bytes are written.
        """
        place = os.path.realpath(path)
        _check_place(place)
        part, output, content = self._open_part(place)
        with output:
            try:
                self._copy(output, report, output.tell())
                output.flush()
                if os.path.exists(place):
                    os.chmod(part, stat.S_IMODE(os.stat(place).st_mode))
                if fcntl is None:
                    # Windows moves no open file; elsewhere the lock has to hold until the file is in its place.
                    output.close()
                _replace(part, place)
            except BaseException as error:
                is_ended = isinstance(error, GivenUp) or not isinstance(error, Exception)
                if not is_ended or content != (self._validator, self.total) or not output.tell():
                    if fcntl is None:
                        output.close()
                    _remove(part)
                raise

    def copy_to(self, output, report):
        """Writes to an open file, from where it stands.

        Args:
            output (file): open for writing in binary mode.
            report (callable): is told how many bytes are written.
        """
        self._copy(output, report, 0)

    def _copy(self, output, report, written):
        """Writes to an open file, at whose end a number of bytes are there already."""
        try:
            base = output.tell() - written
        except (AttributeError, EnvironmentError, ValueError):
            base = None
        for start, block in self._blocks(written):
            if start != written:
                _rewind(output, base)
            _write(output, block)
            written = start + len(block)
            report(written)

    def _open_part(self, place):
        """Opens the file beside a place, at the end of what an earlier try left of this very content.

        Its name tells the place, the URL and the content, and a lock keeps others away. One that cannot have it, for
        it is in use or there are no locks, takes a name of its own.

        Returns:
            tuple: the path, the open file, and what its name says of the content, or None for a name of its own.
        """
        folder = os.path.dirname(place)
        if self._validator and fcntl is not None:
            url = six.ensure_binary(strike_out(six.ensure_text(self._url, errors='replace')))
            prefix = u'.{}-'.format(_digest(_binary(os.path.basename(place)), url))
            name = u'{}{}.part'.format(prefix, _digest(six.ensure_binary(self._validator), str(self.total).encode()))
            for other in os.listdir(folder):
                # Of content that has changed since: nothing goes on with it.
                if _binary(other).startswith(_binary(prefix)) and _binary(other) != _binary(name):
                    _remove_unused(os.path.join(folder, other))
            part = in_folder(folder, name)
            output = _locked(part)
            if output is not None:
                size = output.tell()
                if self.total is not None and size >= self.total:
                    output.seek(0)
                    output.truncate()
                return part, output, (self._validator, self.total)
        part = in_folder(folder, u'.{}.part'.format(binascii.hexlify(os.urandom(16)).decode('ascii')))
        return part, io.open(part, 'wb'), None

    def close(self):
        """Gives up what is not read yet."""
        self._response.close()

    def _blocks(self, done):
        """The blocks after the first bytes, and where each begins; 0 again where the server begins anew."""
        furthest, failures = done, 0
        if done:
            self._response.close()
            self._done = done
        while True:
            try:
                if done or failures:
                    self._go_on()
                    done = 0
                # Also where nothing follows: the file may have become an empty one.
                yield self._done, b''
                for block in _pieces(self._response):
                    yield self._done, block
                    self._done += len(block)
                if self.total is None or self._done == self.total:
                    return
                failure = requests.ConnectionError('The answer ended early.')
            except _INTERRUPTIONS as interruption:
                failure = interruption
            self._response.close()
            failures = 1 if self._done > furthest else failures + 1
            furthest = max(furthest, self._done)
            if failures > FAILURES:
                if isinstance(failure, AmigoCloudError):
                    raise failure
                six.raise_from(failure_error(failure, strike_out(u'GET {} broke off at {} of {} bytes: {}'.format(
                    self._url, self._done, 'unknown' if self.total is None else self.total,
                    six.ensure_text(str(failure), errors='replace')))), failure)
            time.sleep(retrying.backoff(failures))

    def _ask(self, headers):
        # Bytes as they are on the server's disk can be counted and gone on with; zipped ones cannot.
        return self._get(self._url, stream=True, headers=dict(headers, **{'Accept-Encoding': 'identity'}))

    def _begin(self, response):
        headers = response.headers
        is_plain = headers.get('Content-Encoding', 'identity').lower() == 'identity'
        length = headers.get('Content-Length', '')
        self._response, self._done = response, 0
        self.total = int(length) if is_plain and re.match(r'[0-9]+\Z', length) else None
        self._validator = _validator(headers) if is_plain and headers.get('Accept-Ranges') != 'none' else None

    def _go_on(self):
        """Asks for the rest, or for everything where the rest is not to be had."""
        if not self._done or not self._validator:
            self._begin(self._ask({}))
            return
        try:
            response = self._ask({'Range': 'bytes={}-'.format(self._done), 'If-Range': self._validator})
        except AmigoCloudError as error:
            if error.status_code != 416:
                raise
            response = self._ask({})
        if response.status_code != 206:
            self._begin(response)
        elif self._is_rest(response):
            self._response = response
        else:
            response.close()
            self._begin(self._ask({}))

    def _is_rest(self, response):
        place = re.match(r'bytes (\d+)-\d+/(\d+|\*)\Z', response.headers.get('Content-Range', ''))
        return (place is not None and int(place.group(1)) == self._done
                and (self.total is None or place.group(2) in ('*', str(self.total)))
                and 'Content-Encoding' not in response.headers)


def _link(answer, name):
    url = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(url, six.string_types):
        raise AmigoCloudError(u'The export cannot go on: there is no {!r} in {:.200}'.format(
            str(name), strike_out(repr(answer))))
    return url


def _validator(headers):
    """What tells this very content from a changed one: a strong ETag, or a time that is not its last second."""
    etag = headers.get('ETag', '')
    if etag.startswith('"'):
        return etag
    modified, date = parsedate(headers.get('Last-Modified', '')), parsedate(headers.get('Date', ''))
    return headers['Last-Modified'] if modified and date and modified[:6] < date[:6] else None


def _pieces(response):
    """A body in pieces that grow: of a piece that is not whole when the connection breaks, urllib3 gives nothing."""
    if response._content_consumed or getattr(response.raw, 'chunked', True):
        # A body that somebody has read begins anew with each iterator, and one in chunks ends with its first.
        for piece in response.iter_content(CHUNKED_BLOCK_SIZE):
            yield piece
        return
    size = 1
    while True:
        piece = next(response.iter_content(size), None)
        if piece is None:
            return
        yield piece
        size = min(2 * size, BLOCK_SIZE)


def _write(output, block):
    """Writes a whole block; files without a buffer may take less at a time."""
    while block:
        count = output.write(block)
        if count is None and isinstance(output, io.RawIOBase):
            count = 0
        if not isinstance(count, six.integer_types):
            # Files of Python 2, and objects that only look like one.
            return
        if count <= 0:
            raise IOError(errno.EIO, 'Nothing more can be written to {!r}.'.format(output))
        block = block[count:]


def _locked(path):
    """Opens a file of ours to write at its end, while nobody else does so through here; else gives None."""
    while True:
        if not _is_own_file(path):
            return None
        output = io.open(path, 'ab')
        try:
            fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have moved it to its place, or removed it, just before.
            if os.path.samestat(os.fstat(output.fileno()), os.lstat(path)):
                return output
        except EnvironmentError as error:
            if error.errno != errno.ENOENT:
                output.close()
                return None
        output.close()


def _is_own_file(path):
    """Tells whether nobody else can have put it there, as in a folder that many may write to."""
    try:
        found = os.lstat(path)
    except EnvironmentError:
        # Nothing is there.
        return True
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def _remove_unused(path):
    output = _locked(path)
    if output is not None:
        _remove(path)
        output.close()


def _remove(path):
    if os.path.exists(path):
        os.remove(path)


def _digest(*texts):
    return hashlib.sha256(b'\0'.join(texts)).hexdigest()[:16]


def _binary(name):
    return name if isinstance(name, bytes) else name.encode('utf-8', 'surrogateescape' if six.PY3 else 'strict')


def _checked(destination):
    """The destination as a path or an open file; whatever is wrong with it is found before anything is sent."""
    if hasattr(destination, '__fspath__'):
        destination = destination.__fspath__()
    if destination is None:
        return ''
    if isinstance(destination, (bytes, six.text_type)):
        if destination:
            _check_name(destination)
        if not is_folder(destination):
            _check_place(destination)
            _check_place(os.path.realpath(destination))
        return destination
    try:
        destination.write(b'')
    except (AttributeError, EnvironmentError, TypeError, ValueError) as error:
        if getattr(error, 'errno', None) == errno.ENOSPC:
            raise
        six.raise_from(AmigoCloudValueError(
            "destination is a folder, a path or a file open for writing in mode 'wb', not {!r}: {}".format(
                destination, error)), error)
    return destination


def _check_name(path):
    try:
        os.lstat(path)
    except (EnvironmentError, TypeError, ValueError) as error:
        # Too long a name, say, would else be found when everything has arrived.
        if getattr(error, 'errno', None) not in (errno.ENOENT, errno.ENOTDIR):
            six.raise_from(AmigoCloudValueError('{!r:.200} cannot be the place of a file: {:.200}'.format(
                path, getattr(error, 'strerror', None) or str(error))), error)


def _check_place(path):
    _check_name(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise AmigoCloudValueError('{!r} is there and no file; it is not replaced.'.format(path))
    if not os.path.basename(path) or not is_folder(os.path.dirname(path)):
        raise AmigoCloudValueError('There is no folder for {!r}.'.format(path))


def _rewind(output, base):
    try:
        output.seek(base)
        output.truncate()
    except (AttributeError, EnvironmentError, TypeError, ValueError) as error:
        six.raise_from(AmigoCloudError('The download was interrupted, the server begins it anew, and {!r} cannot be '
                                       'rewound.'.format(output)), error)
