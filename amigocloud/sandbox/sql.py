"""A project's database: SQLite that takes the PostGIS SQL which the service's users write.

A dataset is a table; its geometry is kept as EWKB blobs, its dates as ISO text. dialect.py translates a query, the
functions that it calls stand in functions.py and postgis.py. Whatever is wrong with a query is an `SQLError`.
"""

import re
import uuid

import shapely

from . import functions, postgis
from .connection import ALL_CASTS, READING, VIEW, WRITING, connect, unless_null
from .dialect import quote_name, translate
from .geometry import WGS84, parse_geometry, to_ewkb
from .sqltokens import parse, statement_kind, syntax_error
from .sqltypes import DECLARED, SQLError, type_of

__all__ = ['SQLError', 'add_column', 'columns', 'connect', 'create_table', 'drop_column', 'extent', 'insert_rows',
           'is_write', 'read', 'write']

_LARGEST = 2 ** 63 - 1
_SERVICE_TYPES = {declared: kind for kind, declared in DECLARED.items()}
_FUNCTION_TYPES = dict({name: function.returns for name, function in postgis.FUNCTIONS.items()},
                       st_extent='string', st_collect='geometry', **functions.TYPES)
_READERS, _WRITERS = ('select', 'values'), ('insert', 'update', 'delete')
#: PostgreSQL's other statements; what begins with another word is a mistake.
_REFUSED = ('alter', 'analyze', 'begin', 'call', 'comment', 'commit', 'copy', 'create', 'do', 'drop', 'execute',
            'explain', 'grant', 'lock', 'prepare', 'reindex', 'revoke', 'rollback', 'savepoint', 'set', 'show',
            'truncate', 'vacuum')
#: What SQLite calls, in a view, the second column of a name, and one whose name is `true` or `false`.
_INVENTED_NAME = re.compile(r'.*:\d+|column\d+', re.DOTALL)
_AMIGO_ID = 'amigo_id'
_NEW_AMIGO_ID = '(lower(hex(randomblob(16))))'


def create_table(connection, table, schema):
    """Make the table of a dataset.

    Args:
        connection (Connection): from `connect`.
        table (str): its name.
        schema (list of dict): for each column `name` and `type` (the service's, or PostgreSQL's name for it), and if
            wanted `nullable` and `default`. A column `amigo_id`, the primary key, is added where there is none.

    Raises:
        SQLError: an unknown type, a column twice, or a table that is there already.
    """
    columns_sql = [] if any(column['name'] == _AMIGO_ID for column in schema) else [_column_sql(
        connection, {'name': _AMIGO_ID, 'type': 'string'})]
    columns_sql += [_column_sql(connection, column) for column in schema]
    with connection.running():
        connection.execute('CREATE TABLE {} ({})'.format(quote_name(table), ', '.join(columns_sql)))


def _column_sql(connection, column):
    kind = type_of(column['type'])
    sql = '{} {}'.format(quote_name(column['name']), DECLARED[kind])
    if column['name'] == _AMIGO_ID:
        return '{} NOT NULL PRIMARY KEY DEFAULT {}'.format(sql, _NEW_AMIGO_ID)
    if column.get('default') is not None:
        value = ALL_CASTS[kind](column['default'])
        sql += ' DEFAULT ' + connection.execute('SELECT quote(?)', (value,)).fetchone()[0]
    return sql if column.get('nullable', True) else sql + ' NOT NULL'


def columns(connection, table):
    """List the columns of a table.

    Returns:
        list of dict: `name` and `type` of each, in the order of the table.

    Raises:
        SQLError: there is no such table.
    """
    with connection.running():
        found = connection.execute('PRAGMA table_info({})'.format(quote_name(table))).fetchall()
    if not found:
        raise SQLError('relation "{}" does not exist'.format(table))
    return [{'name': name, 'type': _SERVICE_TYPES.get(declared, 'string')} for _, name, declared, _, _, _ in found]


def add_column(connection, table, name, kind):
    """Add a column, empty in the rows that are there, to a table.

    Raises:
        SQLError: no such table or type, or a column of that name is there already.
    """
    column = _column_sql(connection, {'name': name, 'type': kind})
    with connection.running():
        connection.execute('ALTER TABLE {} ADD COLUMN {}'.format(quote_name(table), column))


def drop_column(connection, table, name):
    """Remove a column from a table.

    Raises:
        SQLError: no such table or column, or it is the `amigo_id`.
    """
    with connection.running():
        connection.execute('ALTER TABLE {} DROP COLUMN {}'.format(quote_name(table), quote_name(name)))


def insert_rows(connection, table, rows):
    """Put rows into a table: all of them, or none if one is bad.

    Args:
        connection (Connection): from `connect`.
        table (str): its name.
        rows (iterable of dict): values by column. Geometry as `geometry.parse_geometry` reads it; one without an SRID
            gets 4326. What a row leaves out gets the default of its column.

    Returns:
        list of str: the `amigo_id` of each row.

    Raises:
        SQLError: no such table or column, or a value that does not fit.
    """
    casts = {column['name']: unless_null(ALL_CASTS[column['type']]) for column in columns(connection, table)}
    casts.update({column['name']: _stored_geometry for column in columns(connection, table)
                  if column['type'] == 'geometry'})
    amigo_ids = []
    with connection.running():
        connection.execute('SAVEPOINT insert_rows')
        try:
            for row in rows:
                values = {name: _cast_to(casts, table, name)(value) for name, value in row.items()}
                values[_AMIGO_ID] = values.get(_AMIGO_ID) or uuid.uuid4().hex
                connection.execute('INSERT INTO {} ({}) VALUES ({})'.format(
                    quote_name(table), ', '.join(map(quote_name, values)), ', '.join('?' * len(values))),
                    list(values.values()))
                amigo_ids.append(values[_AMIGO_ID])
        except BaseException:
            connection.execute('ROLLBACK TO insert_rows')
            raise
        finally:
            connection.execute('RELEASE insert_rows')
    return amigo_ids


def _cast_to(casts, table, name):
    if name not in casts:
        raise SQLError('column "{}" of relation "{}" does not exist'.format(name, table))
    return casts[name]


def _stored_geometry(value):
    if value is None:
        return None
    geometry = parse_geometry(value)
    return to_ewkb(geometry if shapely.get_srid(geometry) else shapely.set_srid(geometry, WGS84))


def is_write(query):
    """Tell whether a query would change something; one that cannot be understood is left for `read` to refuse."""
    try:
        kind = statement_kind(parse(query))
    except SQLError:
        return False
    return kind in _WRITERS + _REFUSED


def _translated(connection, query, kinds):
    def column_types(table):
        return {column['name']: column['type'] for column in columns(connection, table)}

    tokens = parse(query)
    kind = statement_kind(tokens)
    if kind not in kinds:
        if kind in _WRITERS:
            raise SQLError('cannot execute {} in a read-only transaction'.format(kind.upper()))
        if kind in _READERS + _REFUSED:
            raise SQLError('permission denied to execute {} here'.format(kind.upper()))
        raise syntax_error(kind)
    return translate(tokens, _FUNCTION_TYPES, column_types)


def read(connection, query, limit=None, offset=0):
    """Run a SELECT.

    Args:
        connection (Connection): from `connect`.
        query (str): the statement, in PostgreSQL's dialect.
        limit (int): rows to give at most, None for all.
        offset (int): rows to pass over first.

    Returns:
        dict: `columns` (`name` and `type` of each), `data` (a dict for each row; geometry as hex EWKB), `count` (the
        rows of the whole query) and `query`.

    Raises:
        SQLError: the query is bad, or is none that reads.
    """
    translation = _translated(connection, query, _READERS)
    described = _describe(connection, translation)
    with connection.running(READING):
        rows = connection.execute('SELECT * FROM ({}) LIMIT ? OFFSET ?'.format(translation.sql),
                                  (-1 if limit is None else min(limit, _LARGEST), min(offset, _LARGEST))).fetchall()
        if described['count'] is None:
            described['count'] = _count(connection, translation.sql, len(rows), limit, offset)
    answer = _answer(described['names'], described['types'], rows)
    return dict(answer, count=described['count'], query=query)


def _describe(connection, translation):
    """Find the names and types of a query's columns, or take them, and the count, from the query before.

    A cursor asks for the pages of one query one after another, and to count a million rows for each would take longer
    than to read them.
    """
    versions = [connection.execute('PRAGMA ' + name).fetchone()[0]
                for name in ('data_version', 'schema_version', 'temp.schema_version')]
    stamp = (translation.sql, connection.total_changes, *versions)
    if connection.described[0] == stamp:
        return connection.described[1]
    with connection.running():
        # only of a view's columns does SQLite tell the declared types when there are no rows
        connection.execute('CREATE TEMP VIEW {} AS {}'.format(quote_name(VIEW), translation.sql))
        try:
            found = connection.execute('PRAGMA temp.table_info({})'.format(quote_name(VIEW))).fetchall()
        finally:
            connection.execute('DROP VIEW temp.{}'.format(quote_name(VIEW)))
    names = [column[1] for column in found]
    if any(_INVENTED_NAME.fullmatch(name) for name in names):
        with connection.running(READING):
            cursor = connection.execute(translation.sql)
            names = [column[0] for column in cursor.description]
            cursor.close()
    types = [_SERVICE_TYPES.get(column[2]) or translation.types.get(name) for column, name in zip(found, names)]
    described = {'names': names, 'types': types, 'count': None}
    connection.described = (stamp[:-1] + connection.execute('PRAGMA temp.schema_version').fetchone(), described)
    return described


def _count(connection, sql, found, limit, offset):
    if (limit is None or found < limit) and (found or not offset):
        return offset + found
    return connection.execute('SELECT count(*) FROM ({})'.format(sql)).fetchone()[0]


def _type_of_values(values):
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int}:
        return 'bigint' if any(abs(value) >= 2 ** 31 for value in values if value is not None) else 'integer'
    if kinds and kinds <= {int, float}:
        return 'float'
    return {bytes: 'geometry', str: 'string'}.get(kinds.pop()) if len(kinds) == 1 else None


def _answer(names, types, rows):
    """Make the service's columns and rows of SQLite's; a type found by values is noted in `types` for later pages."""
    converted = []
    for index, kind in enumerate(types):
        values = [row[index] for row in rows]
        if kind is None:
            kind = types[index] = _type_of_values(values)
        if kind == 'boolean':
            values = [bool(value) if value in (0, 1) else value for value in values]
        converted.append([value.hex().upper() if isinstance(value, bytes) else value for value in values])
    return {'columns': [{'name': name, 'type': kind or 'string'} for name, kind in zip(names, types)],
            'data': [dict(zip(names, row)) for row in zip(*converted)]}


def write(connection, query):
    """Run an INSERT, UPDATE or DELETE.

    Args:
        connection (Connection): from `connect`.
        query (str): the statement, in PostgreSQL's dialect.

    Returns:
        dict: `count` (rows touched) and `query`; `columns` and `data` hold what RETURNING gives, and are empty without.

    Raises:
        SQLError: the query is bad, or is none of the three; then nothing is changed.
    """
    translation = _translated(connection, query, _WRITERS)
    with connection.running(WRITING):
        cursor = connection.execute(translation.sql)
        rows = cursor.fetchall()
        names = [column[0] for column in cursor.description or ()]
        count = connection.execute('SELECT changes()').fetchone()[0]
    answer = _answer(names, [translation.types.get(name) for name in names], rows)
    return dict(answer, count=count, query=query)


def extent(connection, table, geometry_column):
    """Find the box around a table's geometry.

    Returns:
        str: `BOX(minx miny,maxx maxy)`, or None if there is no geometry.

    Raises:
        SQLError: no such table or column.
    """
    with connection.running():
        return connection.execute('SELECT st_extent({}) FROM {}'.format(
            quote_name(geometry_column), quote_name(table))).fetchone()[0]
