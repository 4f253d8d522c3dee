"""Chunked uploads: retry each chunk as its response requires, and complete the upload only once.

The service follows django-chunked-upload. It accepts a chunk only at the offset up to which it
holds the file, and otherwise responds with that offset. A chunk may therefore be sent twice. A
completion may not: the second one would import the file again.
"""
from __future__ import absolute_import

import hashlib
import logging
import time

import requests
import six

from .. import checks, waiting
from ..exceptions import AmigoCloudError, combined, shortened, shown
from ..http import retrying, urls
from .multipart import Form

#: Consecutive failures, without a byte stored between them, after which an upload fails.
FAILURES = 8

#: Seconds that a chunk waits for its response at most; the server only has to store it.
ANSWER_SECONDS = 60

#: Bytes down to which chunks are halved when a proxy rejects them as too large.
SMALLEST_CHUNK = 65536

#: Requests that find out whether an unanswered completion was carried out.
PROBES = 5

#: Seconds for which an unanswered request may still be running on the server.
STILL_RUNNING_SECONDS = 30

_COMPLETED = (u'The upload is complete, but the response to its completion was lost. The '
              u'completion is not repeated because that would import the file twice. Look for '
              u'its job or dataset. ({})')

_LOOK_FIRST = u'Look for its job or dataset before you upload the file again.'

LOG = logging.getLogger(__name__)

_LOST_ANSWERS = (
    requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class ChunkedUpload(object):
    """The chunked upload of one file.

    Args:
        client (AmigoCloud): sends the requests.
        url (str): the endpoint that accepts the chunks.
        name (str): the name of the file.
        content (file): the file, open in binary mode.
        size (int): the size of the file in bytes.
        chunk_size (int): bytes of one chunk.
        timeout (float or tuple): the client's, as requests accepts it. A chunk waits at most 60 s
            for its response.
        upload_id (str): the upload of an earlier run to resume, or None.
        offset (int): the bytes of it that the server holds. Defaults to 0.
    """

    def __init__(self, client, url, name, content, size, chunk_size, timeout, upload_id=None,
                 offset=0):
        self._client = client
        self._url = url
        self._name = name
        self._content = content
        self._size = size
        self._chunk_size = chunk_size
        self._timeout = _chunk_timeout(timeout)
        self._upload_id = upload_id
        self._offset = offset
        self._furthest = offset
        self._form = None
        self._md5 = _new_md5()
        self._hashed = 0
        self._failures = 0
        self._restarted = False
        self._stored_at = waiting.now()

    def run(self, extra_data, report):
        """Send the missing chunks and complete the upload.

        Args:
            extra_data (dict): further members of the completion.
            report (callable): called with the number of bytes that the server holds.

        Returns:
            The decoded response to the completion.

        Raises:
            AmigoCloudError: the upload failed. This and any other exception (Ctrl-C, or one that
                ``report`` or the file raised) has the ``upload_id`` and ``offset`` to resume from.
        """
        try:
            if self._upload_id and self._offset == self._size:
                # The earlier run may have failed after its completion.
                self._run_step(self._check_not_completed)
            while True:
                while self._upload_id is None or self._offset < self._size:
                    self._run_step(self._send_chunk)
                    report(self._offset)
                answer = self._run_step(self._complete, extra_data)
                if self._upload_id is not None:
                    return answer
        except BaseException as error:
            self._attach_state(error)
            raise

    def _run_step(self, step, *args):
        """Run a step, and return its value; start again, once, if the server lost the upload."""
        try:
            return step(*args)
        except AmigoCloudError as error:
            if self._upload_id is not None and not self._restarted and _is_gone(error):
                self._restarted = True
                self._forget_upload()
                return None
            if _says(error, 'md5'):
                # The server holds other bytes than the file has, so none of them can be reused.
                self._forget_upload()
            if _says(error, 'marked as', 'complete'):
                error.message = _COMPLETED.format(error.message)
            raise

    def _forget_upload(self):
        self._upload_id = None
        self._offset = 0

    def _attach_state(self, error):
        try:
            error.upload_id = self._upload_id
            error.offset = self._offset
        except (AttributeError, TypeError):
            # Some exceptions refuse new attributes. Raise them anyway: their upload starts again.
            pass

    def _send_chunk(self):
        self._content.seek(self._offset)
        chunk = self._content.read(min(self._chunk_size, self._size - self._offset))
        if not chunk and self._offset < self._size:
            raise AmigoCloudError(
                u'The file shrank from {} to {} bytes while it was being sent.'.format(
                    self._size, self._offset))
        end = self._offset + len(chunk)
        if self._offset <= self._hashed < end:
            # A chunk that is retried was hashed before.
            self._md5.update(chunk[self._hashed - self._offset:])
            self._hashed = end
        start = waiting.now()
        try:
            answer = self._post_chunk(chunk, self._offset)
        except AmigoCloudError as error:
            self._recover(error, self._offset, waiting.now() - start)
            return
        self._check_upload_id(answer)
        self._continue_at(end)

    def _check_upload_id(self, answer):
        if self._upload_id is not None and isinstance(answer, dict) and 'upload_id' not in answer:
            # Only the first response has to name the upload.
            return
        kinds = six.string_types + six.integer_types
        upload_id = checks.member(answer, 'upload_id', kinds, self._url)
        if self._upload_id not in (None, upload_id):
            raise AmigoCloudError(
                u'The response to a chunk sent to {} has an upload_id other than {}: {}'.format(
                    shortened(self._url), shown(self._upload_id), shown(answer)))
        self._upload_id = upload_id

    def _post_chunk(self, chunk, start):
        fields = {'upload_id': self._upload_id}
        if self._form is None or self._form.fields != fields:
            self._form = Form(fields, self._name)
        body = self._form.head + chunk + self._form.tail
        content_range = 'bytes {}-{}/{}'.format(start, start + len(chunk) - 1, self._size)
        answer = self._client.post(
            self._url, body, headers={'Content-Range': content_range}, send_as_json=False,
            content_type=self._form.content_type, timeout=self._timeout)
        if answer == b'':
            # The service never sends an empty body, so it comes from a proxy.
            raise combined(requests.ConnectionError, u'The response to a chunk sent to {} is empty.'
                           .format(shortened(self._url)))
        return answer

    def _recover(self, error, start, took):
        """Prepare to send the next chunk, or raise the error again if no retry can help."""
        expected = _expected_offset(error)
        if self._upload_id and expected is not None and expected <= self._size:
            # A larger offset means that the response to a stored chunk was lost, a smaller one that
            # the server lost a chunk.
            self._continue_at(expected)
        elif error.status_code == 413 and self._chunk_size > SMALLEST_CHUNK:
            self._chunk_size = max(self._chunk_size // 2, SMALLEST_CHUNK)
        elif _is_lost(error) or _says(error, "size doesn't match"):
            _pause(self._failures + 1, took)
        else:
            raise error
        self._failures += 1
        if self._failures >= FAILURES or waiting.now() - self._stored_at > retrying.RETRY_SECONDS:
            raise error
        LOG.warning('Chunk at byte %d of %d failed, retrying at byte %d: %s', start, self._size,
                    self._offset, error.message)

    def _continue_at(self, offset):
        self._offset = offset
        if offset > self._furthest:
            self._furthest = offset
            self._failures = 0
            self._stored_at = waiting.now()

    def _complete(self, extra_data):
        completion = {'upload_id': self._upload_id, 'md5': self._whole_md5()}
        completion.update(extra_data or {})
        url = urls.add_segment(self._url, 'complete')
        start = waiting.now()
        try:
            answer = self._client.post(url, completion)
            if answer != b'':
                return answer
        except AmigoCloudError as error:
            if not _is_lost(error):
                raise
        _pause(1, waiting.now() - start)
        self._check_not_completed()
        answer = self._client.post(url, completion)
        if answer == b'':
            # The service never sends an empty body, so it comes from a proxy.
            raise AmigoCloudError(
                u'The response of {} is empty, and it is not known whether the upload is complete. '
                u'{}'.format(shortened(url), _LOOK_FIRST))
        return answer

    def _whole_md5(self):
        """Return the MD5 of the file, including the bytes that an earlier run sent."""
        self._content.seek(self._hashed)
        for block in iter(lambda: self._content.read(SMALLEST_CHUNK), b''):
            self._md5.update(block)
            self._hashed += len(block)
        if self._hashed != self._size:
            raise AmigoCloudError(
                u'The file grew or shrank from {} to {} bytes while it was being sent.'.format(
                    self._size, self._hashed))
        return self._md5.hexdigest()

    def _check_not_completed(self):
        """Raise AmigoCloudError unless the server shows that the upload is not completed.

        An open upload is checked several times, because the completion may still be running.
        """
        is_open = False
        # An empty file has no offset by which its state could be read.
        for number in range(1, PROBES + 1 if self._size else 1):
            try:
                # The server never stores this byte, because it holds more than offset 0.
                self._post_chunk(b'\0', 0)
                break
            except AmigoCloudError as error:
                if _says(error, 'marked as', 'complete'):
                    raise
                is_open = _expected_offset(error) == self._size
                if not is_open and not _is_lost(error):
                    break
            _pause(number, 0)
        if not is_open:
            raise AmigoCloudError(
                u'The completion of the upload was not answered, and it is not known whether it '
                u'was carried out. ' + _LOOK_FIRST)


def _chunk_timeout(timeout):
    """Return the timeout of a client, with at most 60 s between two bytes of a response."""
    if not isinstance(timeout, (int, float, tuple, type(None))):
        # A urllib3.Timeout is used as it is.
        return timeout
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return connect, ANSWER_SECONDS if read is None else min(read, ANSWER_SECONDS)


def _new_md5():
    try:
        # Systems in FIPS mode refuse MD5 unless they are told that it is not used for security.
        return hashlib.md5(usedforsecurity=False)
    except TypeError:
        # Python before 3.9 does not have the argument.
        return hashlib.md5()


def _is_lost(error):
    """Return whether it is unknown if the request was carried out."""
    if error.status_code is None:
        is_lost = isinstance(error, _LOST_ANSWERS)
        return is_lost and not isinstance(error, requests.exceptions.SSLError)
    # A 200 that is not JSON comes from a proxy.
    return error.status_code in (200, 408, 425, 429) or error.status_code >= 500


def _is_gone(error):
    """Return whether the server no longer has the upload: it expired, was purged or failed."""
    # Older releases of the server mark an upload as failed instead of deleting it.
    return error.status_code in (404, 410) or _says(error, 'marked as', 'failed')


def _says(error, *words):
    """Return whether the error is a 400 whose text has all the words."""
    return error.status_code == 400 and all(word in error.text.lower() for word in words)


def _expected_offset(error):
    """Return the offset that a 400 names, or None."""
    if error.status_code != 400:
        return None
    try:
        answer = error.response.json()
    except ValueError:
        return None
    offset = answer.get('offset') if isinstance(answer, dict) else None
    return offset if checks.is_integer(offset) and offset >= 0 else None


def _pause(failures, took):
    """Sleep at least as long as the request took, because it may still be running."""
    time.sleep(max(waiting.backoff(failures), min(took, STILL_RUNNING_SECONDS)))
