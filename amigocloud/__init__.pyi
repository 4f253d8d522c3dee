from amigocloud.client import AmigoCloud as AmigoCloud
from amigocloud.cursor import Cursor as Cursor
from amigocloud.exceptions import AmigoCloudError as AmigoCloudError

__all__ = ['AmigoCloud', 'AmigoCloudError', 'Cursor']
__version__: str
