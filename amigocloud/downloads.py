"""Files from the service: streamed to the disk, gone on with after an interruption, whole or not there at all."""
from __future__ import absolute_import

import binascii
import contextlib
import io
import os
import re
import time
from email.utils import parsedate

import requests
import six
from urllib3.exceptions import HTTPError

from . import retrying
from .exceptions import AmigoCloudError, AmigoCloudValueError, failure_error, strike_out
from .filenames import file_name
from .progress import check_progress, reporting

#: Bytes that are read and written at a time.
BLOCK_SIZE = 65536

#: Interruptions in a row, without a new byte between them, before a download is given up.
FAILURES = 5

_INTERRUPTIONS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
                  requests.exceptions.ContentDecodingError, HTTPError)

_replace = getattr(os, 'replace', os.rename)


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
            path (str): its place; a file that is there is replaced.
            report (callable): is told how many bytes are written.
        """
        _check_place(path)
        part = in_folder(os.path.dirname(path), u'.{}.part'.format(binascii.hexlify(os.urandom(16)).decode('ascii')))
        try:
            with io.open(part, 'wb') as output:
                self.copy_to(output, report)
            _replace(part, path)
        finally:
            if os.path.exists(part):
                os.remove(part)

    def copy_to(self, output, report):
        """Writes to an open file, from where it stands.

        Args:
            output (file): open for writing in binary mode.
            report (callable): is told how many bytes are written.
        """
        try:
            base = output.tell()
        except (AttributeError, EnvironmentError, ValueError):
            base = None
        written = 0
        for start, block in self._blocks():
            if start != written:
                _rewind(output, base)
            output.write(block)
            written = start + len(block)
            report(written)

    def close(self):
        """Gives up what is not read yet."""
        self._response.close()

    def _blocks(self):
        """The blocks and where each begins in the file; 0 again where the server begins anew."""
        furthest = failures = 0
        while True:
            try:
                if failures:
                    self._go_on()
                # Also where nothing follows: the file may have become an empty one.
                yield self._done, b''
                for block in self._response.iter_content(BLOCK_SIZE):
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


def _checked(destination):
    """The destination as a path or an open file; whatever is wrong with it is found before anything is sent."""
    if hasattr(destination, '__fspath__'):
        destination = destination.__fspath__()
    if destination is None:
        return ''
    if isinstance(destination, (bytes, six.text_type)):
        if not is_folder(destination):
            _check_place(destination)
        return destination
    try:
        destination.write(b'')
    except (AttributeError, EnvironmentError, TypeError, ValueError) as error:
        six.raise_from(AmigoCloudValueError(
            "destination is a folder, a path or a file open for writing in mode 'wb', not {!r}: {}".format(
                destination, error)), error)
    return destination


def _check_place(path):
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
