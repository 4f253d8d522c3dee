"""A multipart body that reads its file while it is sent."""
from __future__ import absolute_import

import binascii
import os

import requests

from ..exceptions import AmigoCloudError, shown

#: The form field that the service reads files from.
FILE_FIELD = 'datafile'

#: Bytes that are read and sent at a time.
BLOCK_SIZE = 1 << 18

_CHANGED = u'The file changed its size while it was being sent; nothing was stored.'


class Form(object):
    """The bytes around a file in a multipart body; POSTs that differ only in the file share them.

    Args:
        fields (dict): the form fields, sent before the file.
        name (str): the file's name.

    Attributes:
        fields (dict): as given.
        content_type (str): the value for the Content-Type header.
        head (bytes): the bytes before the file.
        tail (bytes): the bytes after it.
    """

    def __init__(self, fields, name):
        mark = binascii.hexlify(os.urandom(16))
        files = {FILE_FIELD: (name, mark)}
        encoded = requests.Request('POST', 'http://localhost', data=fields, files=files).prepare()
        self.fields = fields
        self.content_type = encoded.headers['Content-Type']
        self.head, self.tail = encoded.body.split(mark)


class Multipart(object):
    """The body of a POST with fields and a file, which is never whole in memory.

    It has the bytes that requests would send. It is a binary file that can be read and rewound,
    because requests, urllib3 and test doubles use a body as such.

    Args:
        form (Form): the bytes around the file.
        content (file): a binary file object, sent from its current position to its end.
        size (int): the number of bytes from there to the end. Reading fails if it is wrong.
        report (callable): called with the number of bytes of the file that were read. Defaults to
            no report.
    """

    def __init__(self, form, content, size, report=lambda done: None):
        self._head = form.head
        self._tail = form.tail
        self._content = content
        self._report = report
        self._content_start = content.tell()
        self._content_end = len(self._head) + size
        self._position = 0

    def __len__(self):
        return self._content_end + len(self._tail)

    def __iter__(self):
        return iter(lambda: self.read(BLOCK_SIZE), b'')

    def __eq__(self, other):
        # Matchers of test doubles compare the body of a request with the bytes that they expect.
        if not isinstance(other, bytes):
            return self is other
        position = self._position
        self.seek(0)
        is_equal = self.read() == other
        self.seek(position)
        return is_equal

    def __ne__(self, other):
        return not self == other

    __hash__ = object.__hash__

    def read(self, size=-1):
        """Return at most ``size`` bytes, all that remain by default, and ``b''`` at the end.

        Raises:
            AmigoCloudError: the file grew or shrank since its size was read.
        """
        missing = len(self) - self._position
        if size is not None and size >= 0:
            missing = min(size, missing)
        pieces = []
        while missing > 0:
            pieces.append(self._read_piece(missing))
            missing -= len(pieces[-1])
        return b''.join(pieces)

    def tell(self):
        """Return the position."""
        return self._position

    def seek(self, offset, whence=os.SEEK_SET):
        """Move to a position, as the ``seek`` of a file does, and return it."""
        if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
            raise ValueError(u'whence must be 0, 1 or 2, not {}.'.format(shown(whence)))
        position = offset + (0, self._position, len(self))[whence]
        if position < 0:
            raise ValueError(u'The position must not be negative, but is {}.'.format(position))
        # The next read of the file starts at this place in it.
        in_content = max(0, min(position, self._content_end) - len(self._head))
        self._content.seek(self._content_start + in_content)
        self._position = position
        return position

    def _read_piece(self, size):
        """Return one or more bytes of only the head, the file or the tail."""
        start = self._position
        if start < len(self._head):
            piece = self._head[start:start + size]
        elif start < self._content_end:
            piece = self._content.read(min(size, self._content_end - start))
            if not piece:
                raise AmigoCloudError(_CHANGED)
            self._report(start + len(piece) - len(self._head))
        else:
            if start == self._content_end and self._content.read(1):
                raise AmigoCloudError(_CHANGED)
            piece = self._tail[start - self._content_end:][:size]
        self._position += len(piece)
        return piece
