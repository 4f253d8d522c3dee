"""Downloads of files: streamed to the disk, resumed after an interruption, complete or removed."""
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

from .. import checks, waiting
from ..exceptions import (
    AmigoCloudError,
    AmigoCloudValueError,
    failure_error,
    shortened,
    shown,
    text_of,
)
from ..http.transport import has_no_end
from ..jobs import run_job
from ..progress import check_progress, reporting
from ..tokens import strike_out
from .filenames import file_name

try:
    import fcntl
except ImportError:
    fcntl = None

#: Bytes that are read and written at a time at most.
BLOCK_SIZE = 65536

#: Bytes that are read at a time of a body with chunked transfer encoding.
CHUNKED_BLOCK_SIZE = 4096

#: Consecutive interruptions, without a new byte between them, after which a download fails.
FAILURES = 5

_INTERRUPTIONS = (
    requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError, HTTPError)

_replace = getattr(os, 'replace', os.rename)


class DownloadCancelled(AmigoCloudError):
    """A download that was ended from outside, as by Ctrl-C; the next call can resume it."""


def download(client, url, destination=None, progress=None):
    """Download a file; see ``AmigoCloud.download``."""
    check_progress(progress)
    destination = _checked(destination)
    with contextlib.closing(Body(client, url)) as body:
        with reporting(progress, body.total, 'B', body.name) as report:
            if hasattr(destination, 'write'):
                body.copy_to(destination, report)
                return None
            path = destination
            if is_folder(path):
                path = in_folder(path, body.name)
            body.save(path, report)
            return path


def export(dataset, format, destination=None, progress=None):
    """Export a dataset to a file; see ``Dataset.export``."""
    checks.text('format', format)
    check_progress(progress)
    _checked(destination)
    client = dataset.client
    url = checks.member(client.get(dataset.url), 'export', six.string_types, dataset.url)
    job = run_job(client, url, {'format': format})
    link = checks.member(job.get('extra'), 'link', six.string_types, u'the export')
    return download(client, link, destination, progress)


def is_folder(destination):
    """Return whether a path is a folder to put files into; ``''`` is the current one."""
    return not destination or os.path.isdir(destination)


def in_folder(folder, name):
    """Return the path of a file in a folder, as bytes if the folder is bytes."""
    return os.path.join(folder, name.encode('utf-8') if isinstance(folder, bytes) else name)


class Body(object):
    """The body of a URL: requested at once, read in blocks, and resumed where it was interrupted.

    Args:
        client (AmigoCloud): sends the requests.
        url (str): as ``AmigoCloud.get`` takes it.

    Attributes:
        name (str): the name of the file, safe to use.
        total (int): the size in bytes, or None if the server does not send it.

    Raises:
        AmigoCloudError: the request failed.
    """

    def __init__(self, client, url):
        self._client = client
        self._url = url
        self._start(self._request({}))
        disposition = self._response.headers.get('Content-Disposition')
        self.name = file_name(disposition, self._response.url)

    def save(self, path, report):
        """Write the body to a file beside the path, and move it to the path when it is complete.

        Args:
            path (str): the path. An existing file is replaced, and keeps its mode. A link is
                followed.
            report (callable): called with the number of bytes that are written.
        """
        target = os.path.realpath(path)
        _check_target(target)
        part, output, content = self._open_part(target)
        with output:
            try:
                self._copy(output, report, output.tell())
                output.flush()
                if os.path.exists(target):
                    os.chmod(part, stat.S_IMODE(os.stat(target).st_mode))
                if fcntl is None:
                    # Windows cannot move an open file. Elsewhere the lock must last until the move.
                    output.close()
                _replace(part, target)
            except BaseException as error:
                is_cancelled = (
                    isinstance(error, DownloadCancelled) or not isinstance(error, Exception))
                is_current = content == (self._validator, self.total)
                if not is_cancelled or not is_current or not output.tell():
                    if fcntl is None:
                        output.close()
                    _remove(part)
                raise

    def copy_to(self, output, report):
        """Write the body to an open file, from its current position.

        Args:
            output (file): open for writing in binary mode.
            report (callable): called with the number of bytes that are written.
        """
        self._copy(output, report, 0)

    def close(self):
        """Close the connection, whether or not the body was read to its end."""
        self._response.close()

    def _copy(self, output, report, written):
        """Write to an open file that ends with the first ``written`` bytes of the body."""
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

    def _open_part(self, target):
        """Open the file beside a target, at the end of the bytes that an earlier call left.

        The name of the file is made of the target, the URL and the validator of the content, and a
        lock protects it. If it is locked, or there are no locks, the file gets a random name.

        Returns:
            tuple: the path, the open file, and the content that the name stands for, which is None
            for a random name.
        """
        folder = os.path.dirname(target)
        if self._validator and fcntl is not None:
            url = six.ensure_binary(strike_out(six.ensure_text(self._url, errors='replace')))
            prefix = u'.{}-'.format(_digest(_binary(os.path.basename(target)), url))
            content = _digest(six.ensure_binary(self._validator), str(self.total).encode())
            name = u'{}{}.part'.format(prefix, content)
            for other in os.listdir(folder):
                # The content of these files changed on the server, so nothing can resume them.
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
        random_name = binascii.hexlify(os.urandom(16)).decode('ascii')
        part = in_folder(folder, u'.{}.part'.format(random_name))
        return part, io.open(part, 'wb'), None

    def _blocks(self, done):
        """Yield the offset and the bytes of each block after the first ``done`` bytes.

        The offset is 0 again if the server starts from the beginning.
        """
        furthest = done
        failures = 0
        if done:
            self._response.close()
            self._done = done
        while True:
            try:
                if done or failures:
                    self._resume()
                    done = 0
                # Yield the offset even if no block follows: the file may have become empty.
                yield self._done, b''
                start = self._done
                for block in _pieces(self._response, failures):
                    yield self._done, block
                    self._done += len(block)
                is_cut = self._done == start and has_no_end(self._response)
                if not is_cut and self.total in (None, self._done):
                    return
                failure = requests.ConnectionError('The response ended early.')
            except _INTERRUPTIONS as interruption:
                failure = interruption
            self._response.close()
            failures = 1 if self._done > furthest else failures + 1
            furthest = max(furthest, self._done)
            if failures > FAILURES:
                if isinstance(failure, AmigoCloudError):
                    raise failure
                six.raise_from(failure_error(failure, self._interrupted(failure)), failure)
            time.sleep(waiting.backoff(failures))

    def _interrupted(self, failure):
        total = 'an unknown number of' if self.total is None else self.total
        return u'GET {} was interrupted after {} of {} bytes: {}'.format(
            shortened(self._url), self._done, total, shortened(text_of(failure)))

    def _request(self, headers):
        # Only an unencoded body has offsets from which it can be resumed.
        headers = dict(headers, **{'Accept-Encoding': 'identity'})
        return self._client.get(self._url, stream=True, headers=headers)

    def _start(self, response):
        """Read the body of a response from the beginning."""
        headers = response.headers
        is_plain = headers.get('Content-Encoding', 'identity').lower() == 'identity'
        length = headers.get('Content-Length', '')
        can_resume = is_plain and headers.get('Accept-Ranges') != 'none'
        self._response = response
        self._done = 0
        self.total = int(length) if is_plain and re.match(r'[0-9]+\Z', length) else None
        self._validator = _validator(headers) if can_resume else None

    def _resume(self):
        """Request the rest of the body, or all of it if the server cannot send the rest."""
        if not self._done or not self._validator:
            self._start(self._request({}))
            return
        try:
            response = self._request({
                'Range': 'bytes={}-'.format(self._done), 'If-Range': self._validator})
        except AmigoCloudError as error:
            if error.status_code != 416:
                raise
            response = self._request({})
        if response.status_code != 206:
            self._start(response)
        elif self._is_rest(response):
            self._response = response
        else:
            response.close()
            self._start(self._request({}))

    def _is_rest(self, response):
        content_range = response.headers.get('Content-Range', '')
        found = re.match(r'bytes (\d+)-\d+/(\d+|\*)\Z', content_range)
        return (found is not None and int(found.group(1)) == self._done
                and (self.total is None or found.group(2) in ('*', str(self.total)))
                and 'Content-Encoding' not in response.headers)


def _validator(headers):
    """Return the header that changes with the content: a strong ETag or a time; None if none does.

    A time within the second of the response is not enough, because the content may have changed
    again in the same second.
    """
    etag = headers.get('ETag', '')
    if etag.startswith('"'):
        return etag
    modified = parsedate(headers.get('Last-Modified', ''))
    date = parsedate(headers.get('Date', ''))
    return headers['Last-Modified'] if modified and date and modified[:6] < date[:6] else None


def _pieces(response, failures):
    """Yield a body in pieces that grow, because urllib3 loses a piece during which it is cut.

    The pieces of a chunked body cannot grow, and are smaller after failures.
    """
    # requests has no public way to tell that a hook has read the body already.
    if response._content_consumed or getattr(response.raw, 'chunked', True):
        # Use only one iterator: a new one would start a consumed body from its beginning again, and
        # would find nothing of a chunked body.
        for piece in response.iter_content((CHUNKED_BLOCK_SIZE >> 3 * failures) or 1):
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
    """Write a whole block; a file without a buffer may take several writes."""
    while block:
        count = output.write(block)
        if count is None and isinstance(output, io.RawIOBase):
            count = 0
        if not isinstance(count, six.integer_types):
            # Files of Python 2, and some objects with a write method, return no count.
            return
        if count <= 0:
            raise IOError(errno.EIO, u'{} accepts no more bytes.'.format(shown(output)))
        block = block[count:]


def _locked(path):
    """Open a file of this user at its end and lock it; return None if that is not possible."""
    while True:
        if not _is_own_file(path):
            return None
        output = io.open(path, 'ab')
        try:
            fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The previous owner of the lock may have moved or removed the file meanwhile.
            if os.path.samestat(os.fstat(output.fileno()), os.lstat(path)):
                return output
        except EnvironmentError as error:
            if error.errno != errno.ENOENT:
                output.close()
                return None
        output.close()


def _is_own_file(path):
    """Return whether a path is free or has a file of this user.

    Another user may have put something else there if the folder is shared.
    """
    try:
        found = os.lstat(path)
    except EnvironmentError:
        # Nothing exists at the path.
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
    if isinstance(name, bytes):
        return name
    return name.encode('utf-8', 'surrogateescape' if six.PY3 else 'strict')


def _checked(destination):
    """Return the destination as a path or an open file; find its errors before a request."""
    if hasattr(destination, '__fspath__'):
        destination = destination.__fspath__()
    if destination is None:
        return ''
    if isinstance(destination, (bytes, six.text_type)):
        if destination:
            _check_name(destination)
        if not is_folder(destination):
            _check_target(destination)
            _check_target(os.path.realpath(destination))
        return destination
    try:
        destination.write(b'')
    except (AttributeError, EnvironmentError, TypeError, ValueError) as error:
        if getattr(error, 'errno', None) == errno.ENOSPC:
            raise
        six.raise_from(AmigoCloudValueError(
            u"destination must be a folder, a path or a file open for writing in mode 'wb', "
            u'not {}: {}'.format(shown(destination), shortened(text_of(error)))), error)
    return destination


def _check_name(path):
    try:
        os.lstat(path)
    except (EnvironmentError, TypeError, ValueError) as error:
        # Find a name that is too long, for example, before the download and not after it.
        if getattr(error, 'errno', None) not in (errno.ENOENT, errno.ENOTDIR):
            reason = getattr(error, 'strerror', None) or error
            six.raise_from(AmigoCloudValueError(u'{} cannot be the path of a file: {}'.format(
                shown(path), shortened(text_of(reason)))), error)


def _check_target(path):
    _check_name(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise AmigoCloudValueError(u'{} exists and is not a regular file.'.format(shown(path)))
    folder, name = os.path.split(path)
    if not name or not is_folder(folder):
        raise AmigoCloudValueError(
            u'There is no folder {}. Create it first.'.format(shown(folder)))


def _rewind(output, base):
    try:
        output.seek(base)
        output.truncate()
    except (AttributeError, EnvironmentError, TypeError, ValueError) as error:
        six.raise_from(AmigoCloudError(
            u'The download was interrupted and starts from the beginning, but {} cannot be rewound.'
            .format(shown(output))), error)
