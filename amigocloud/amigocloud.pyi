from .client import BASE_URL as BASE_URL
from .client import AmigoCloud as AmigoCloud
from .cursor import Cursor as AmigoCloudIterator
from .exceptions import AmigoCloudError as AmigoCloudError
from .uploads import CHUNK_SIZE as CHUNK_SIZE
from .uploads import MAX_SIZE_SIMPLE_UPLOAD as MAX_SIZE_SIMPLE_UPLOAD

__all__ = ['BASE_URL', 'CHUNK_SIZE', 'MAX_SIZE_SIMPLE_UPLOAD', 'AmigoCloud', 'AmigoCloudError', 'AmigoCloudIterator']
