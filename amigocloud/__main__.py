"""``python -m amigocloud``: the command line."""
from __future__ import absolute_import

import sys

from .cli import main

if __name__ == '__main__':
    sys.exit(main())
