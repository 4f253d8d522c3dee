"""Client for the AmigoCloud GIS platform.

Example:
    from amigocloud import AmigoCloud

    amigocloud = AmigoCloud(token='...')
    for project in amigocloud.get_cursor('me/projects'):
        print(project['name'])
"""
from __future__ import absolute_import

import logging

from .client import AmigoCloud
from .exceptions import AmigoCloudError, AmigoCloudJobError
from .rows.cursor import Cursor
from .version import __version__  # noqa: F401 - a name of the package, not of "import *"

__all__ = ['AmigoCloud', 'AmigoCloudError', 'AmigoCloudJobError', 'Cursor']

logging.getLogger(__name__).addHandler(logging.NullHandler())
