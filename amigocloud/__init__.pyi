from amigocloud.client import AmigoCloud as AmigoCloud
from amigocloud.cursor import Cursor as Cursor
from amigocloud.exceptions import AmigoCloudError as AmigoCloudError
from amigocloud.exceptions import AmigoCloudJobError as AmigoCloudJobError

__all__ = ['AmigoCloud', 'AmigoCloudError', 'AmigoCloudJobError', 'Cursor']
__version__: str
