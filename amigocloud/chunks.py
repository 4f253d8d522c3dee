"""Chunked uploads that finish: what the server answers, and what is done about it.

The service follows django-chunked-upload. It takes a chunk only at the offset that it holds and names that offset where
another one comes; a chunk may therefore be sent again. A completion may not: a second one imports the file twice.
"""
from __future__ import absolute_import

import contextlib
import hashlib
import io
import threading
import time

import requests
import six

from . import retrying, urls
from .exceptions import AmigoCloudError, strike_out
from .multipart import Form, Multipart

#: Failures in a row, without a byte stored between them, before an upload is given up.
FAILURES = 8

#: Chunks that a proxy finds too large are halved down to this many bytes.
SMALLEST_CHUNK = 65536

#: How often the server is asked whether an unanswered completion was carried out, before it is sent again.
PROBES = 5

#: The longest time, in seconds, that an unanswered request is believed to be still at work.
STILL_RUNNING_SECONDS = 30

_COMPLETED = (u'The upload is complete; the answer to its completion was lost. It is not sent again, for that would '
              u'import the file twice: look for the job or the dataset. ({})')

_LOST_ANSWERS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class ChunkedUpload(object):
    """One file on its way.

    Args:
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
        url (str): takes the chunks.
        name (str): the name of the file.
        content (file): the file, open in binary mode.
        size (int): its bytes.
        chunk_size (int): bytes of one chunk.
        resume (AmigoCloudError): the error that ended an earlier run; its upload goes on.
    """

    def __init__(self, post, url, name, content, size, chunk_size, resume=None):
        self._post, self._url, self._name = post, url, name
        self._content, self._size, self._chunk_size = content, size, chunk_size
        self._upload_id = resume.upload_id if resume else None
        self._offset = self._furthest = resume.offset if self._upload_id else 0
        self._form = None
        self._md5, self._hashed = hashlib.md5(), 0
        self._failures = self._restarts = 0

    def run(self, extra_data, report):
        """Sends what is missing, and completes the upload.

        Args:
            extra_data (dict): further members of the completion.
            report (callable): is told how many bytes the server holds.

        Returns:
            The answer to the completion.

        Raises:
            AmigoCloudError: with the ``upload_id`` and ``offset`` from which it can be resumed.
        """
        try:
            if self._upload_id and self._offset == self._size:
                # The earlier run may have failed after its completion.
                self._probe()
            while True:
                try:
                    while self._upload_id is None or self._offset < self._size:
                        self._send_chunk()
                        report(self._offset)
                    return self._complete(extra_data)
                except AmigoCloudError as error:
                    if self._upload_id is None or self._restarts or not _is_gone(error):
                        raise
                    self._restarts += 1
                    self._upload_id, self._offset = None, 0
        except AmigoCloudError as error:
            if _says(error, 'md5'):
                # What the server holds is not the file.
                self._upload_id, self._offset = None, 0
            if _says(error, 'marked as', 'complete'):
                error.message = _COMPLETED.format(error.message)
            error.upload_id, error.offset = self._upload_id, self._offset
            raise

    def _send_chunk(self):
        self._content.seek(self._offset)
        chunk = self._content.read(min(self._chunk_size, self._size - self._offset))
        if not chunk and self._offset < self._size:
            raise AmigoCloudError('The file shrank while it was being sent, to {} of {} bytes.'.format(
                self._offset, self._size))
        end = self._offset + len(chunk)
        start = time.time()
        try:
            with self._hashing(chunk):
                answer = self._post_chunk(chunk, self._offset)
        except AmigoCloudError as error:
            self._recover(error, time.time() - start)
            return
        upload_id = answer.get('upload_id') if isinstance(answer, dict) else None
        if (not upload_id or not isinstance(upload_id, six.string_types + six.integer_types)
                or upload_id is True or self._upload_id not in (None, upload_id)):
            raise AmigoCloudError(u'The answer to a chunk sent to {} does not name its upload_id: {:.200}'.format(
                strike_out(self._url), repr(answer)))
        self._upload_id = upload_id
        self._go_on_from(end)

    @contextlib.contextmanager
    def _hashing(self, chunk):
        """Hashes what is new of a chunk while it is being sent, which takes about as long where the network is fast."""
        new = chunk[max(0, self._hashed - self._offset):] if self._offset <= self._hashed else b''
        self._hashed += len(new)
        thread = threading.Thread(target=self._md5.update, args=(new,))
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _post_chunk(self, chunk, start):
        fields = {'upload_id': self._upload_id}
        if self._form is None or self._form.fields != fields:
            self._form = Form(fields, self._name)
        body = Multipart(self._form, io.BytesIO(chunk), len(chunk))
        content_range = 'bytes {}-{}/{}'.format(start, start + len(chunk) - 1, self._size)
        return self._post(self._url, body, headers={'Content-Range': content_range}, send_as_json=False,
                          content_type=self._form.content_type)

    def _recover(self, error, took):
        """Does what lets the next chunk fit; raises the error again where nothing would."""
        wanted = _wanted_offset(error)
        if self._upload_id and wanted is not None and wanted <= self._size:
            # Further on: an answer was lost after its work had been done. Back: the server lost a chunk.
            self._go_on_from(wanted)
        elif error.status_code == 413 and self._chunk_size > SMALLEST_CHUNK:
            self._chunk_size = max(self._chunk_size // 2, SMALLEST_CHUNK)
        elif _is_lost(error) or _says(error, "size doesn't match"):
            _pause(self._failures + 1, took)
        else:
            raise error
        self._failures += 1
        if self._failures >= FAILURES:
            raise error

    def _go_on_from(self, offset):
        self._offset = offset
        if offset > self._furthest:
            self._furthest, self._failures = offset, 0

    def _complete(self, extra_data):
        completion = {'upload_id': self._upload_id, 'md5': self._whole_md5()}
        completion.update(extra_data or {})
        url = urls.add_segment(self._url, 'complete')
        start = time.time()
        try:
            answer = self._post(url, completion)
            if answer != b'':
                return answer
        except AmigoCloudError as error:
            if not _is_lost(error):
                raise
        _pause(1, time.time() - start)
        self._probe()
        answer = self._post(url, completion)
        if answer == b'':
            # From a proxy, for the service always says something.
            raise AmigoCloudError(u'The answer of {} is empty; whether the upload is complete is not known.'.format(
                strike_out(url)))
        return answer

    def _whole_md5(self):
        """The md5, with what an earlier run sent."""
        self._content.seek(self._hashed)
        for block in iter(lambda: self._content.read(SMALLEST_CHUNK), b''):
            self._md5.update(block)
            self._hashed += len(block)
        if self._hashed != self._size:
            raise AmigoCloudError('The file grew or shrank while it was being sent, from {} to {} bytes.'.format(
                self._size, self._hashed))
        return self._md5.hexdigest()

    def _probe(self):
        """Returns once the server has said often enough that the upload is not completed.

        Raises:
            AmigoCloudError: it is completed, or nobody can tell.
        """
        open_still = False
        for number in range(1, PROBES + 1 if self._size else 1):
            try:
                # One byte at the beginning: never taken where the server holds more.
                self._post_chunk(b'\0', 0)
                break
            except AmigoCloudError as error:
                if _says(error, 'marked as', 'complete'):
                    raise
                open_still = _wanted_offset(error) == self._size
                if not open_still and not _is_lost(error):
                    break
            _pause(number, 0)
        if not open_still:
            raise AmigoCloudError('The answer to the completion of the upload was lost, and whether it was carried '
                                  'out is not known. Look for its job or dataset before the file is sent again.')


def _is_lost(error):
    """Whether the request may or may not have been carried out; a 200 that is not JSON comes from a proxy."""
    if error.status_code is None:
        return isinstance(error, _LOST_ANSWERS) and not isinstance(error, requests.exceptions.SSLError)
    return error.status_code in (200, 408, 425, 429) or error.status_code >= 500


def _is_gone(error):
    """Whether the server has no such upload any more: expired or purged, or given up by its older releases."""
    return error.status_code in (404, 410) or _says(error, 'marked as', 'failed')


def _says(error, *words):
    return error.status_code == 400 and all(word in error.text.lower() for word in words)


def _wanted_offset(error):
    """The offset that a 400 names, or None."""
    if error.status_code != 400:
        return None
    try:
        answer = error.response.json()
    except ValueError:
        return None
    offset = answer.get('offset') if isinstance(answer, dict) else None
    return offset if isinstance(offset, six.integer_types) and not isinstance(offset, bool) and offset >= 0 else None


def _pause(failures, took):
    """Waits, at least as long as the request took: one that is still at work would be carried out twice."""
    time.sleep(max(retrying.backoff(failures), min(took, STILL_RUNNING_SECONDS)))
