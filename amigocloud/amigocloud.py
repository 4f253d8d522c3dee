"""The names under the import path that scripts for 1.2.5 use."""
from __future__ import absolute_import

from .client import BASE_URL, AmigoCloud
from .cursor import Cursor as AmigoCloudIterator
from .exceptions import AmigoCloudError
from .uploads import CHUNK_SIZE, MAX_SIZE_SIMPLE_UPLOAD

__all__ = ['BASE_URL', 'CHUNK_SIZE', 'MAX_SIZE_SIMPLE_UPLOAD', 'AmigoCloud', 'AmigoCloudError', 'AmigoCloudIterator']
