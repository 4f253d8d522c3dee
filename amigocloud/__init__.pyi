from .client import AmigoCloud as AmigoCloud
from .exceptions import AmigoCloudError as AmigoCloudError
from .exceptions import AmigoCloudJobError as AmigoCloudJobError
from .rows.cursor import Cursor as Cursor

__all__ = ['AmigoCloud', 'AmigoCloudError', 'AmigoCloudJobError', 'Cursor']
__version__: str
