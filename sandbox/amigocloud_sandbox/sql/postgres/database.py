"""One project's database: its datasets, their states, and the SQL of users."""
import contextlib
import json
import uuid

import psycopg
import shapely
from psycopg import pq, sql

from ..geometry import WGS84, parse_geometry, to_ewkb
from ..states import States
from ..types import SQLError, type_of

_TYPES = {'string': 'text', 'number': 'numeric', 'float': 'double precision', 'real': 'real', 'integer': 'integer',
          'bigint': 'bigint', 'date': 'date', 'datetime': 'timestamp with time zone', 'time': 'time',
          'boolean': 'boolean'}
_GEOMETRY_TYPES = {'line': 'LineString', 'multiline': 'MultiLineString'}
_KINDS = {name: kind for kind, name in _TYPES.items()}
_KINDS.update({'character varying': 'string', 'time without time zone': 'time', 'USER-DEFINED': 'geometry'})
_AMIGO_ID = 'amigo_id'
_AMIGO_ID_TYPE = "varchar(32) PRIMARY KEY DEFAULT replace(gen_random_uuid()::text, '-', '')"
#: The placeholder of a geometry in any form that PostGIS reads; one that does not say its SRID is in WGS 84.
_GEOMETRY_PLACE = 'sandbox.in_wgs84(%s::geometry)'
#: A statement of a user that takes longer is ended.
STATEMENT_SECONDS = 60
#: Rows of one INSERT.
_MOST_INSERTED = 500
#: A statement takes no more.
_MOST_PARAMETERS = 65535
#: FETCH and MOVE take no more.
_MOST_ROWS = 2 ** 31 - 1
#: A preview of more rows than this looks no different.
_ROWS_OF_PREVIEW = 5000


class Database(States):
    """The database of a project; may be used by several threads at a time.

    Every method raises `SQLError` where PostgreSQL refuses.

    Args:
        server (Server): where it is.
        name (str): the database.
        user (str): the role that runs the SQL of users.
        history_id (int): the dataset of the project's history, which that SQL only reads.
    """

    _states = 'sandbox.states'
    _log = 'sandbox.log_{}'
    _place = '%s'

    def __init__(self, server, name, user, history_id=None):
        self._server = server
        self._name = name
        self._user = user
        self._history_id = history_id
        self._version = 0
        self._counted = (None, None)

    # datasets

    def create(self, dataset_id, schema, rows):
        """Make a dataset's table, fill it, and begin to keep its states.

        Args:
            dataset_id (int): its id.
            schema (list of dict): for each column `name` and `type`, and if wanted `nullable`, `default` and
                `geometry_type`.
            rows (list of dict): its first rows, geometry in any form and any coordinate system.
        """
        columns = []
        for column in schema:
            if column['type'].lower() == 'geometry' and not column.get('geometry_type') and rows:
                column, rows = _settled(column, rows)
            if column['name'] != _AMIGO_ID:
                columns.append(_definition(column))
        columns.append(sql.SQL('amigo_id ' + _AMIGO_ID_TYPE))
        with self._change('CREATE') as connection:
            names = _names(dataset_id, user=sql.Identifier(self._user))
            connection.execute(sql.SQL('CREATE TABLE {table} (').format(**names) + sql.SQL(', ').join(columns) +
                               sql.SQL(')'))
            self._insert(connection, dataset_id, rows, 'ST_Transform({}, {})'.format(_GEOMETRY_PLACE, WGS84))
            for statement in _TRACK:
                connection.execute(sql.SQL(statement).format(**names))
            rights = 'SELECT' if dataset_id == self._history_id else 'SELECT, INSERT, UPDATE, DELETE'
            connection.execute(sql.SQL('GRANT ' + rights + ' ON {table} TO {user}').format(**names))

    def schema(self, dataset_id):
        """Return `name` and `type` of each column."""
        with self._session() as connection:
            return _columns(connection, dataset_id)

    def describe(self, dataset_id):
        """Return what a dataset says of itself: feature_count, geometry_column and boundingbox."""
        with self._session() as connection:
            column = _geometry_column(connection, dataset_id)
            extent = sql.SQL('ST_Extent({})::text').format(sql.Identifier(column)) if column else sql.SQL('NULL')
            query = sql.SQL('SELECT count(*), {extent} FROM {table}').format(extent=extent, **_names(dataset_id))
            count, box = connection.execute(query).fetchone()
        return {'feature_count': count, 'geometry_column': column, 'boundingbox': box}

    def rows(self, dataset_id):
        """Return every row, as `read` gives them."""
        with self._session() as connection:
            return self._server.values.rows(_execute(connection, 'SELECT * FROM dataset_{:d}'.format(dataset_id)))

    def features(self, dataset_id, box=None):
        """Return amigo_id and geometry of the rows that a picture shows.

        Args:
            dataset_id (int): its id.
            box (tuple of float): west, south, east and north of the picture; None for a picture of all.
        """
        with self._session() as connection:
            column = _geometry_column(connection, dataset_id)
            if column is None:
                return []
            query = sql.SQL('SELECT amigo_id, {0} FROM {1} WHERE {0} IS NOT NULL').format(
                sql.Identifier(column), _names(dataset_id)['table'])
            if box is not None:
                query += sql.SQL(' AND {} && ST_MakeEnvelope({}, {})').format(
                    sql.Identifier(column), sql.SQL(', ').join(map(sql.Literal, box)), WGS84)
            return connection.execute(query + sql.SQL(' LIMIT {}').format(_ROWS_OF_PREVIEW)).fetchall()

    # galleries

    def create_gallery(self, gallery_id):
        """Make the table of a gallery, which users may read."""
        with self._change('CREATE') as connection:
            for statement in ('CREATE TABLE {table} (amigo_id text PRIMARY KEY, source_amigo_id text, filename text, '
                              's3_filename text, amigocloud_url text, datetime timestamp with time zone, '
                              'location geometry(Point, 4326))', 'GRANT SELECT ON {table} TO {user}'):
                connection.execute(sql.SQL(statement).format(
                    table=_gallery(gallery_id), user=sql.Identifier(self._user)))

    def add_entry(self, gallery_id, entry):
        """Add a row to the table of a gallery."""
        with self._change('INSERT') as connection:
            connection.execute(sql.SQL('INSERT INTO {} ({}) VALUES ({})').format(
                _gallery(gallery_id), sql.SQL(', ').join(map(sql.Identifier, entry)),
                sql.SQL(', ').join(map(sql.Literal, entry.values()))))

    # changes of rows and columns

    def _insert(self, connection, dataset_id, rows, geometry_place=_GEOMETRY_PLACE):
        geometry = _geometry_columns(connection, dataset_id)
        by_names = {}
        for row in rows:
            row = dict(row, amigo_id=row.get(_AMIGO_ID) or uuid.uuid4().hex)
            by_names.setdefault(tuple(row), []).append([_value(value, name in geometry) for name, value in row.items()])
        for names, values in by_names.items():
            places = ', '.join(geometry_place if name in geometry else '%s' for name in names)
            into = sql.SQL('INSERT INTO {table} ({names}) VALUES ').format(
                **_names(dataset_id, names=sql.SQL(', ').join(map(_identifier, names))))
            # The triggers run once for each statement.
            size = max(1, min(_MOST_INSERTED, _MOST_PARAMETERS // len(names)))
            for start in range(0, len(values), size):
                batch = values[start:start + size]
                lines = ', '.join(['({})'.format(places)] * len(batch))
                connection.execute(into + sql.SQL(lines), [value for line in batch for value in line])

    def _change_rows(self, connection, dataset_id, rows):
        geometry = _geometry_columns(connection, dataset_id)
        for row in rows:
            statement, values = sql.SQL('DELETE FROM {table}').format(**_names(dataset_id)), []
            if 'new' in row:
                statement = sql.SQL('UPDATE {table} SET {settings}').format(**_names(
                    dataset_id, settings=sql.SQL(', ').join(
                        sql.SQL('{} = ' + (_GEOMETRY_PLACE if name in geometry else '%s')).format(
                            _identifier(name)) for name in row['new'])))
                values = [_value(value, name in geometry) for name, value in row['new'].items()]
            done = connection.execute(statement + sql.SQL(' WHERE amigo_id = %s'),
                                      values + [row[_AMIGO_ID]])
            if not done.rowcount:
                raise SQLError('no row has the amigo_id "{}"'.format(row[_AMIGO_ID]))

    def _change_columns(self, connection, dataset_id, action, rows):
        for row in rows if action != 'ALTER COLUMN' else ():
            if action == 'ADD COLUMN':
                what = sql.SQL('ADD COLUMN ') + _definition(row['new'])
            elif row['old'].get('name') == _AMIGO_ID:
                raise SQLError('column "amigo_id" cannot be dropped')
            else:
                what = sql.SQL('DROP COLUMN ') + sql.Identifier(row['old']['name'])
            for table in ('table', 'log'):
                connection.execute(
                    sql.SQL('ALTER TABLE {} ').format(_names(dataset_id)[table]) + what)
        connection.execute('SELECT sandbox.next_state(%s)', [dataset_id])

    # the SQL of users

    def read(self, query, limit, offset, dataset_id=None, state=None):
        """Run a query that reads.

        Args:
            query (str): one statement.
            limit (int): rows to return at most.
            offset (int): rows to pass over first.
            dataset_id (int): a dataset to read as it was at `state`.
            state (str): the id of a state.

        Returns:
            dict: query, count (of the whole query), columns and data.
        """
        key = (self._version, query, state)
        with self._session(as_user=True) as connection:
            # Of one snapshot, or a change between the two steps would show in a state that was the newest at the first.
            _execute(connection, 'BEGIN ISOLATION LEVEL REPEATABLE READ')
            if state is not None:
                _execute(connection, 'SELECT sandbox.show($1, $2)', str(dataset_id), state)
            _execute(connection, 'SET TRANSACTION READ ONLY')
            try:
                _bounded(connection, 'DECLARE sandbox_page NO SCROLL CURSOR FOR ' + query)
            except SQLError:
                _execute(connection, 'ROLLBACK')
                writes = _writes(connection, query)
                if writes:
                    raise SQLError('cannot execute {} in a read-only transaction'.format(writes[0].upper())) from None
                raise
            passed = _bounded(connection, 'MOVE FORWARD {} IN sandbox_page'.format(
                min(offset, _MOST_ROWS))).command_tuples if offset else 0
            found = _bounded(connection, 'FETCH FORWARD {} FROM sandbox_page'.format(min(limit, _MOST_ROWS)))
            count = passed + found.ntuples
            if found.ntuples == limit:
                # A cursor of the library reads page after page: what is left is counted once.
                counted_key, counted = self._counted
                if counted_key != key:
                    counted = count + _bounded(connection, 'MOVE FORWARD ALL IN sandbox_page').command_tuples
                    self._counted = (key, counted)
                count = counted
            _execute(connection, 'ROLLBACK')
        values = self._server.values
        return {'query': query, 'count': count, 'columns': values.columns(found), 'data': values.rows(found)}

    def writes(self, query):
        """Return how a statement writes, in WITH too: a list of Insert, Update, Delete and Merge."""
        with self._session(as_user=True) as connection:
            return _writes(connection, query)

    def write(self, query):
        """Run an INSERT, UPDATE or DELETE.

        Returns:
            dict: query and count; new_state where a dataset was changed, amigo_ids of what was deleted, and columns and
            data of RETURNING.
        """
        with self._session(as_user=True) as connection:
            _execute(connection, 'BEGIN')
            done = _bounded(connection, query)
            made = _execute(connection, 'SELECT * FROM sandbox.made()')
            _execute(connection, 'COMMIT')
            self._version += 1
        answer = {'query': query, 'count': done.command_tuples or 0}
        if done.nfields:
            answer.update(columns=self._server.values.columns(done), data=self._server.values.rows(done))
        if made.ntuples:
            state, deleted = _row(made)
            answer['new_state'] = state.decode()
            if deleted is not None:
                answer['amigo_ids'] = json.loads(deleted)
        return answer

    @contextlib.contextmanager
    def _session(self, as_user=False):
        try:
            with self._server.session(self._name, as_user) as connection:
                yield connection
        except psycopg.Error as error:
            raise SQLError(error.diag.message_primary or str(error)) from error

    @contextlib.contextmanager
    def _change(self, action):
        with self._session() as connection, connection.transaction():
            yield connection
            connection.execute('UPDATE sandbox.states SET action = %s WHERE transaction = txid_current()', [action])
        self._version += 1


#: What makes the log of a table that has just been filled.
_TRACK = [
    'CREATE TABLE {log} (sandbox_first integer, sandbox_next integer, LIKE {table})',
    'SELECT sandbox.next_state({id})',
    'INSERT INTO {log} SELECT 1, NULL, filled.* FROM {table} AS filled',
    'CREATE INDEX ON {log} (amigo_id) WHERE sandbox_next IS NULL',
    'CREATE TRIGGER keep_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows '
    'FOR EACH STATEMENT EXECUTE FUNCTION sandbox.keep({id})',
    'CREATE TRIGGER keep_update AFTER UPDATE ON {table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows '
    'FOR EACH STATEMENT EXECUTE FUNCTION sandbox.keep({id})',
    'CREATE TRIGGER keep_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows '
    'FOR EACH STATEMENT EXECUTE FUNCTION sandbox.keep({id})',
]


def _names(dataset_id, **more):
    return dict(more, id=sql.Literal(dataset_id), table=sql.Identifier('public', 'dataset_{}'.format(dataset_id)),
                log=sql.Identifier('sandbox', 'log_{}'.format(dataset_id)))


def _gallery(gallery_id):
    return sql.Identifier('public', 'gallery_{}'.format(gallery_id))


def _identifier(name):
    """Return a name for a statement with placeholders, in which a percent sign is written twice."""
    return sql.Identifier(name.replace('%', '%%'))


def _execute(connection, statement, *values):
    """Run one statement, whose text may be a user's: the extended protocol takes no second one behind it.

    Returns:
        psycopg.pq.PGresult: with texts.
    """
    result = connection.pgconn.exec_params(statement.encode(), [value.encode() for value in values])
    if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        return result
    message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or connection.pgconn.error_message
    raise SQLError(message.decode(errors='replace').strip())


def _bounded(connection, statement):
    """Run a step of a user's statement; what an earlier step set does not take away its time limit."""
    _execute(connection, "SET LOCAL statement_timeout TO '{}s'".format(STATEMENT_SECONDS))
    return _execute(connection, statement)


def _row(result):
    return [result.get_value(0, index) for index in range(result.nfields)]


def _writes(connection, query):
    """Ask the planner, which sees through WITH and comments."""
    _execute(connection, 'BEGIN READ ONLY')
    try:
        plan = json.loads(_row(_bounded(connection, 'EXPLAIN (FORMAT JSON, COSTS OFF) ' + query))[0])
    finally:
        _execute(connection, 'ROLLBACK')
    found, pending = [], [plan]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if item.get('Node Type') == 'ModifyTable':
                found.append(item['Operation'])
                if item.get('Conflict Resolution') == 'UPDATE':
                    found.append('Update')
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return found


def _columns(connection, dataset_id):
    rows = connection.execute(
        'SELECT column_name, data_type FROM information_schema.columns '
        "WHERE table_schema = 'public' AND table_name = %s "
        'ORDER BY column_name = %s, ordinal_position', ['dataset_{}'.format(dataset_id), _AMIGO_ID]).fetchall()
    if not rows:
        raise SQLError('relation "dataset_{}" does not exist'.format(dataset_id))
    return [{'name': name, 'type': _KINDS[kind]} for name, kind in rows]


def _geometry_columns(connection, dataset_id):
    return [column['name'] for column in _columns(connection, dataset_id) if column['type'] == 'geometry']


def _geometry_column(connection, dataset_id):
    return next(iter(_geometry_columns(connection, dataset_id)), None)


def _definition(column):
    """Return the SQL that defines a column."""
    kind = type_of(column['type'])
    parts = [sql.Identifier(column['name'])]
    if kind == 'geometry':
        parts.append(sql.SQL('geometry({}, {})').format(sql.SQL(_geometry_type(column)), sql.Literal(WGS84)))
    else:
        parts.append(sql.SQL(_TYPES[kind]))
    if column.get('default') is not None:
        parts.append(sql.SQL('DEFAULT {}').format(sql.Literal(_value(column['default'], False))))
    if column.get('nullable') is False:
        parts.append(sql.SQL('NOT NULL'))
    return sql.SQL(' ').join(parts)


def _geometry_type(column):
    """Return what PostGIS calls the column's kind of geometry."""
    name = str(column.get('geometry_type') or column['type']).replace(' ', '')
    if not name.isalpha():
        raise SQLError('Invalid geometry type modifier: {}'.format(name))
    return _GEOMETRY_TYPES.get(name.lower(), name)


def _settled(column, rows):
    """Return a geometry column with the kind of what is in it, and the rows with geometry of as many dimensions."""
    name = column['name']
    shapes = [None if row.get(name) is None else parse_geometry(row[name]) for row in rows]
    kinds = {shape.geom_type for shape in shapes if shape is not None}
    kind = kinds.pop() if len(kinds) == 1 else 'Geometry'
    if any(shape is not None and shape.has_z for shape in shapes):
        kind += 'Z'
        shapes = [None if shape is None else shapely.force_3d(shape) for shape in shapes]
    return dict(column, geometry_type=kind), [dict(row, **{name: shape}) for row, shape in zip(rows, shapes)]


def _value(value, is_geometry):
    """Return what psycopg takes. Texts of geometry stay as they are: shapely would forget the Z of an empty one."""
    if is_geometry and isinstance(value, shapely.Geometry):
        return to_ewkb(value).hex()
    return json.dumps(value) if isinstance(value, (dict, list)) else value
