"""Values as literals of PostgreSQL, for queries with ``:name`` placeholders and for filters."""
from __future__ import absolute_import, unicode_literals

import datetime
import decimal
import re

import six
from requests.compat import Mapping

from ..exceptions import AmigoCloudValueError, shown
from .columns import is_geometry, json_value, python_value

# In these parts of a query a colon is not a placeholder. Comments of PostgreSQL may be nested,
# which a regular expression cannot match, so that they are found by _comment_end.
_PARTS = re.compile(r'''
    (?P<escaped>\b[eE]'(?:[^'\\]|\\.|\'\')*(?:'|\Z))
    | (?P<text>'(?:[^']|\'\')*(?:'|\Z))
    | (?P<identifier>"(?:[^"]|"")*(?:"|\Z))
    | (?P<dollar>(?<![\w$])\$(?P<tag>([^\W\d]\w*)?)\$.*?(\$(?P=tag)\$|\Z))
    | (?P<line>--[^\n]*)
    | (?P<comment>/\*)
    | (?P<cast>::)
    | (?<![\w:]):(?P<name>[^\W\d]\w*)
''', re.VERBOSE | re.DOTALL | re.UNICODE)
_NAME = re.compile(r'[^\W\d]\w*\Z', re.UNICODE)


def bind(query, params):
    """Return a query with its ``:name`` placeholders replaced by literals.

    A colon in a text, a quoted identifier, a comment or a cast (``::``) is not a placeholder.

    Args:
        query (str): the query.
        params (dict): a value for each placeholder; see ``literal``.

    Returns:
        str: the query with the values.

    Raises:
        AmigoCloudValueError: a placeholder has no value, a value has no placeholder, or a value
            cannot be a literal.

    Example:
        >>> print(bind('SELECT * FROM t WHERE name = :name', {'name': "O'Hara"}))
        SELECT * FROM t WHERE name = 'O''Hara'
    """
    if not isinstance(params, Mapping):
        raise AmigoCloudValueError('params must be a dict, not {}.'.format(shown(params)))
    for name in params:
        if not isinstance(name, six.string_types) or not _NAME.match(name):
            raise AmigoCloudValueError(
                '{} cannot be the name of a placeholder.'.format(shown(name)))
    query = six.ensure_text(query)
    pieces = []
    used = set()
    position = 0
    while True:
        part = _PARTS.search(query, position)
        if part is None:
            break
        pieces.append(query[position:part.start()])
        position = part.end()
        name = part.group('name')
        if name is not None:
            used.add(name)
            pieces.append(_value_of(name, params))
            continue
        if part.group('comment'):
            position = _comment_end(query, position)
        pieces.append(query[part.start():position])
    unused = sorted(set(params) - used)
    if unused:
        raise AmigoCloudValueError('The query has no placeholder for {}.'.format(
            ', '.join(':' + name for name in unused)))
    return ''.join(pieces) + query[position:]


def literal(value):
    """Return a value as a literal of PostgreSQL.

    Args:
        value: None, a bool, number, text, date, time, datetime, UUID, shapely geometry (in SRID
            4326 unless it has another), a scalar of numpy, or a list of such values for ``IN``,
            which may be a set, a column of pandas or an array of numpy.

    Raises:
        AmigoCloudValueError: the value has no literal, or the list is empty.
    """
    # Columns of pandas and arrays of numpy have ndim.
    is_list = isinstance(value, (list, tuple, set, frozenset)) or getattr(value, 'ndim', None) == 1
    if is_list:
        if not len(value):
            raise AmigoCloudValueError(
                'An empty list cannot be a literal, because SQL has no IN (). Leave the condition '
                'out, or use FALSE.')
        return '({})'.format(', '.join(literal(item) for item in value))
    value = python_value(value)
    plain = json_value(value)
    if plain is None:
        return 'NULL'
    if isinstance(plain, bool):
        return 'TRUE' if plain else 'FALSE'
    if not isinstance(plain, six.string_types):
        # A literal keeps all digits of a Decimal; JSON would make a float of it.
        text = (six.text_type(value) if isinstance(value, decimal.Decimal)
                else repr(plain).rstrip('L'))
        # "- -1" would begin a comment without the parentheses.
        return '({})'.format(text) if plain < 0 or text.startswith('-') else text
    text = _quoted(plain)
    if is_geometry(value):
        return text + '::geometry'
    if isinstance(value, datetime.datetime):
        return text + ('::timestamptz' if value.tzinfo else '::timestamp')
    if isinstance(value, datetime.date):
        return text + '::date'
    if isinstance(value, datetime.time):
        return text + ('::timetz' if value.tzinfo else '::time')
    return text


def identifier(name):
    """Return the name of a column quoted for SQL, which keeps its case.

    Args:
        name (str): the name.
    """
    return '"{}"'.format(name.replace('"', '""'))


def _value_of(name, params):
    if name not in params:
        raise AmigoCloudValueError('params has no value for :{}.'.format(name))
    try:
        return literal(params[name])
    except AmigoCloudValueError as error:
        six.raise_from(AmigoCloudValueError('params[{!r}]: {}'.format(str(name), error.message)),
                       error)


def _quoted(text):
    text = six.ensure_text(text).replace("'", "''")
    # The same text with any setting of standard_conforming_strings. The space separates the E from
    # a word before it.
    return " E'{}'".format(text.replace('\\', '\\\\')) if '\\' in text else "'{}'".format(text)


def _comment_end(query, position):
    """Return the end of a comment that may have other comments in it."""
    depth = 1
    while depth:
        mark = re.compile(r'/\*|\*/').search(query, position)
        if mark is None:
            return len(query)
        depth += 1 if mark.group() == '/*' else -1
        position = mark.end()
    return position
