"""The clock by which all waiting is measured."""
from __future__ import absolute_import

import time

#: Return seconds on a clock that nobody sets; Python 2 has none.
now = getattr(time, 'monotonic', time.time)
