"""Client for the AmigoCloud GIS platform.

Example:
    from amigocloud import AmigoCloud

    amigocloud = AmigoCloud(token='...')
    for project in amigocloud.get_cursor('me/projects'):
        print(project['name'])
"""
from __future__ import absolute_import

import logging

from amigocloud.client import AmigoCloud
from amigocloud.cursor import Cursor
from amigocloud.exceptions import AmigoCloudError, AmigoCloudJobError

__all__ = ['AmigoCloud', 'AmigoCloudError', 'AmigoCloudJobError', 'Cursor']
__version__ = '1.3.0'

logging.getLogger(__name__).addHandler(logging.NullHandler())
