"""PostgreSQL's own functions and operators, where SQLite has none or another; geometry stands in postgis.py."""

import datetime
import functools
import hashlib
import math
import random
import re

from .sqltypes import CASTS


@functools.lru_cache(maxsize=256)
def _pattern(text, flags):
    """Compile the pattern of a LIKE: % and _, and a backslash that takes their meaning away."""
    parts = re.findall(r'\\.|.', text, re.DOTALL)
    wild = {'%': '.*', '_': '.'}
    return re.compile(''.join(wild.get(part) or re.escape(part[-1]) for part in parts), flags | re.DOTALL)


def _like(flags):
    def like(pattern, value):
        if pattern is None or value is None:
            return None
        return _pattern(str(pattern), flags).fullmatch(str(value)) is not None
    return like


def _strict(function):
    """Make a function answer NULL if an argument is NULL."""
    return lambda *values: None if None in values else function(*values)


def _known(values):
    return [value for value in values if value is not None]


def now():
    """Give the present time, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


#: Functions by name: how many arguments (-1: any), whether the same arguments give the same answer, what does the work.
FUNCTIONS = {
    # the operators LIKE and ILIKE: dialect.py writes REGEXP for ILIKE
    'like': (2, True, _like(0)),
    'regexp': (2, True, _like(re.IGNORECASE)),
    'lower': (1, True, _strict(lambda text: str(text).lower())),
    'upper': (1, True, _strict(lambda text: str(text).upper())),
    'left': (2, True, _strict(lambda text, count: str(text)[:count])),
    'right': (2, True, _strict(lambda text, count: str(text)[-count:] if count else '')),
    'concat': (-1, True, lambda *values: ''.join(CASTS['string'](value) for value in _known(values))),
    'char_length': (1, True, _strict(lambda text: len(str(text)))),
    'md5': (1, True, _strict(lambda text: hashlib.md5(str(text).encode('utf-8')).hexdigest())),
    'greatest': (-1, True, lambda *values: max(_known(values), default=None)),
    'least': (-1, True, lambda *values: min(_known(values), default=None)),
    'floor': (1, True, _strict(math.floor)),
    'ceil': (1, True, _strict(math.ceil)),
    'sqrt': (1, True, _strict(math.sqrt)),
    'power': (2, True, _strict(math.pow)),
    'random': (0, False, random.random),
    'now': (0, False, now),
}

#: What a function answers, where its rows' values may not tell.
TYPES = {'count': 'bigint', 'now': 'datetime', 'lower': 'string', 'upper': 'string', 'concat': 'string',
         'string_agg': 'string', 'avg': 'float', 'random': 'float', 'sqrt': 'float', 'length': 'integer',
         'row_number': 'bigint'}
