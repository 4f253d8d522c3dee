"""Chunked uploads that finish: what the server answers, and what is done about it.

The service follows django-chunked-upload. It takes a chunk only at the offset that it holds and names that offset where
another one comes; a chunk may therefore be sent again. A completion may not: a second one imports the file twice.
"""
from __future__ import absolute_import

import hashlib
import time

import requests
import six

from . import retrying, urls
from .exceptions import AmigoCloudError
from .multipart import Form
from .tokens import strike_out

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
        upload_id (str): the upload of an earlier run to resume, or None.
        offset (int): the bytes of it that the server held. Defaults to 0.
    """

    def __init__(self, post, url, name, content, size, chunk_size, upload_id=None, offset=0):
        self._post, self._url, self._name = post, url, name
        self._content, self._size, self._chunk_size = content, size, chunk_size
        self._upload_id = upload_id
        self._offset = self._furthest = offset
        self._form = None
        self._md5, self._hashed = _new_md5(), 0
        self._failures = self._restarts = 0

    def run(self, extra_data, report):
        """Send what is missing and complete the upload.

        Args:
            extra_data (dict): further members of the completion.
            report (callable): is told how many bytes the server holds.

        Returns:
            The answer to the completion.

        Raises:
            AmigoCloudError: the upload failed. This and any other exception (Ctrl-C, of ``report``, of the file) has
                the ``upload_id`` and ``offset`` to resume from.
        """
        try:
            if self._upload_id and self._offset == self._size:
                # The earlier run may have failed after its completion.
                self._or_restart(self._probe)
            while True:
                while self._upload_id is None or self._offset < self._size:
                    self._or_restart(self._send_chunk)
                    report(self._offset)
                answer = self._or_restart(self._complete, extra_data)
                if self._upload_id is not None:
                    return answer
        except BaseException as error:
            self._attach_state(error)
            raise

    def _or_restart(self, step, *args):
        """Run a step; once, forget an upload that the server has forgotten."""
        try:
            return step(*args)
        except AmigoCloudError as error:
            if self._upload_id is not None and not self._restarts and _is_gone(error):
                self._restarts += 1
                self._upload_id, self._offset = None, 0
                return None
            if _says(error, 'md5'):
                # What the server holds is not the file.
                self._upload_id, self._offset = None, 0
            if _says(error, 'marked as', 'complete'):
                error.message = _COMPLETED.format(error.message)
            raise

    def _attach_state(self, error):
        try:
            error.upload_id, error.offset = self._upload_id, self._offset
        except (AttributeError, TypeError):
            # An exception that refuses new attributes is still the one to raise; its upload starts again.
            pass

    def _send_chunk(self):
        self._content.seek(self._offset)
        chunk = self._content.read(min(self._chunk_size, self._size - self._offset))
        if not chunk and self._offset < self._size:
            raise AmigoCloudError('The file shrank while it was being sent, to {} of {} bytes.'.format(
                self._offset, self._size))
        end = self._offset + len(chunk)
        if self._offset <= self._hashed < end:
            # A chunk that is sent again has been hashed before.
            self._md5.update(chunk[self._hashed - self._offset:])
            self._hashed = end
        start = time.time()
        try:
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

    def _post_chunk(self, chunk, start):
        fields = {'upload_id': self._upload_id}
        if self._form is None or self._form.fields != fields:
            self._form = Form(fields, self._name)
        body = self._form.head + chunk + self._form.tail
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


def _new_md5():
    try:
        # Systems in FIPS mode refuse MD5 unless they are told that it protects nothing.
        return hashlib.md5(usedforsecurity=False)
    except TypeError:
        # Python before 3.9 does not know the argument.
        return hashlib.md5()


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
