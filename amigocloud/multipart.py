"""A multipart body that is read from its file while it is being sent."""
from __future__ import absolute_import

import binascii
import io
import os

import requests

from .exceptions import AmigoCloudError

#: The form field that the service reads files from.
FILE_FIELD = 'datafile'

#: Bytes that are read and sent at a time.
BLOCK_SIZE = 1 << 18


class Form(object):
    """What stands around a file in the bodies of POSTs that differ in nothing but the file.

    Args:
        fields (dict): the form fields, sent before the file.
        name (str): the file's name.

    Attributes:
        fields (dict): as given.
        content_type (str): the value for the Content-Type header.
        head (bytes): what is sent before the file.
        tail (bytes): what is sent after it.
    """

    def __init__(self, fields, name):
        mark = binascii.hexlify(os.urandom(16))
        encoded = requests.Request('POST', 'http://localhost', data=fields, files={FILE_FIELD: (name, mark)}).prepare()
        self.fields = fields
        self.content_type = encoded.headers['Content-Type']
        self.head, self.tail = encoded.body.split(mark)


class Multipart(object):
    """The body of a POST with fields and a file: the bytes that requests would send, but never whole in memory.

    Args:
        form (Form): what stands around the file.
        content (file): a binary file object, sent from where it stands to its end.
        size (int): the bytes from there to the end; other than that many are an error.
        report (callable): is told how many bytes of the file have been read; by default nobody is.
    """

    def __init__(self, form, content, size, report=lambda done: None):
        self._head, self._tail = form.head, form.tail
        self._content, self._report = content, report
        self._content_start = content.tell()
        self._content_end = len(self._head) + size
        self.seek(0)

    def __len__(self):
        return self._content_end + len(self._tail)

    def __iter__(self):
        return iter(self.read, b'')

    def read(self, size=None):
        """Gives the next block, ``b''`` at the end; whatever the size, for those that http.client asks for are small.

        Raises:
            AmigoCloudError: the file has grown or shrunk since its size was taken.
        """
        while self._sources:
            block = self._sources[0].read(BLOCK_SIZE)
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
