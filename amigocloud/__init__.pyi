from .client import AmigoCloud as AmigoCloud
from .cursor import Cursor as Cursor
from .exceptions import AmigoCloudError as AmigoCloudError
from .exceptions import AmigoCloudJobError as AmigoCloudJobError

__all__ = ['AmigoCloud', 'AmigoCloudError', 'AmigoCloudJobError', 'Cursor']
__version__: str
