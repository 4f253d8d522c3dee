"""The names under the import path that scripts for 1.2.5 use."""
from __future__ import absolute_import

from .client import BASE_URL, AmigoCloud
from .exceptions import AmigoCloudError
from .files.uploads import CHUNK_SIZE, MAX_SIZE_SIMPLE_UPLOAD
from .rows.cursor import Cursor as AmigoCloudIterator

__all__ = ['BASE_URL', 'CHUNK_SIZE', 'MAX_SIZE_SIMPLE_UPLOAD', 'AmigoCloud', 'AmigoCloudError',
           'AmigoCloudIterator']
