from amigocloud.client import BASE_URL as BASE_URL
from amigocloud.client import AmigoCloud as AmigoCloud
from amigocloud.cursor import Cursor as AmigoCloudIterator
from amigocloud.exceptions import AmigoCloudError as AmigoCloudError
from amigocloud.uploads import CHUNK_SIZE as CHUNK_SIZE
from amigocloud.uploads import MAX_SIZE_SIMPLE_UPLOAD as MAX_SIZE_SIMPLE_UPLOAD

__all__ = ['BASE_URL', 'CHUNK_SIZE', 'MAX_SIZE_SIMPLE_UPLOAD', 'AmigoCloud', 'AmigoCloudError', 'AmigoCloudIterator']
