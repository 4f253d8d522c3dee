from .client import BASE_URL as BASE_URL
from .client import AmigoCloud as AmigoCloud
from .exceptions import AmigoCloudError as AmigoCloudError
from .rows.cursor import Cursor as AmigoCloudIterator

CHUNK_SIZE: int
MAX_SIZE_SIMPLE_UPLOAD: int

__all__ = [
    'BASE_URL',
    'CHUNK_SIZE',
    'MAX_SIZE_SIMPLE_UPLOAD',
    'AmigoCloud',
    'AmigoCloudError',
    'AmigoCloudIterator',
]
