"""A multipart body that is read from its file while it is being sent."""
from __future__ import absolute_import

import binascii
import io
import os

import requests

from amigocloud.exceptions import AmigoCloudError

#: The form field that the service reads files from.
FILE_FIELD = 'datafile'


class Multipart(object):
    """The body of a POST with fields and a file: the bytes that requests would send, but never whole in memory.

    Args:
        fields (dict): the form fields, sent before the file.
        name (str): the file's name.
        content (file): a binary file object, sent from where it stands to its end.
        size (int): the bytes from there to the end; other than that many are an error.
        report (callable): is told how many bytes of the file have been read; by default nobody is.

    Attributes:
        content_type (str): the value for the Content-Type header.
    """

    def __init__(self, fields, name, content, size, report=lambda done: None):
        mark = binascii.hexlify(os.urandom(16))
        encoded = requests.Request('POST', 'http://localhost', data=fields, files={FILE_FIELD: (name, mark)}).prepare()
        self.content_type = encoded.headers['Content-Type']
        self._head, self._tail = encoded.body.split(mark)
        self._content, self._report = content, report
        self._content_start = content.tell()
        self._content_end = len(self._head) + size
        self.seek(0)

    def __len__(self):
        return self._content_end + len(self._tail)

    def __iter__(self):
        return iter(lambda: self.read(16384), b'')

    def read(self, size=-1):
        """Gives the next bytes, like a raw file: at most size of them, ``b''`` at the end.

        Raises:
            AmigoCloudError: the file has grown or shrunk since its size was taken.
        """
        while self._sources:
            block = self._sources[0].read(size)
            self._position += len(block)
            if self._sources[0] is self._content:
                if self._position > self._content_end or not block and self._position < self._content_end:
                    raise AmigoCloudError('The file changed its size while it was being sent; nothing was stored.')
                self._report(self._position - len(self._head))
            if block:
                return block
            self._sources.pop(0)
        return b''

    def tell(self):
        """Gives the position, for a request that has to be sent again."""
        return self._position

    def seek(self, position):
        """Goes back to the beginning, the only position that anyone goes back to."""
        self._content.seek(self._content_start)
        self._sources = [io.BytesIO(self._head), self._content, io.BytesIO(self._tail)]
        self._position = position
