"""One project's database in a file of SQLite, with the same methods as that of PostgreSQL.

Triggers copy the rows of each dataset into its log.
"""
import contextlib
import itertools
import json
import os
import re
import uuid

import shapely

from ..geometry import geometry_type, parse_geometry
from ..states import States
from ..types import SQLError, type_of
from . import gate, values
from .connection import connect
from .functions import extent, store

_AMIGO_ID = 'amigo_id'
_AMIGO_ID_TYPE = 'TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))) CHECK (length(amigo_id) <= 32)'
_LARGEST = 2 ** 63 - 1
#: A preview of more rows than this looks no different.
_ROWS_OF_PREVIEW = 5000
_TABLES = ['CREATE TABLE IF NOT EXISTS sandbox_states (dataset_id INTEGER, number INTEGER, id TEXT, action TEXT, '
           'PRIMARY KEY (dataset_id, number))',
           'CREATE TABLE IF NOT EXISTS sandbox_changed (dataset_id INTEGER PRIMARY KEY)']
_GONE = 'UPDATE sandbox_log_{id} SET sandbox_next = {next} WHERE amigo_id = OLD.amigo_id AND sandbox_next IS NULL;'
_CAME = 'INSERT INTO sandbox_log_{id} VALUES ({next}, NULL, {new});'
_KEEP = {'INSERT': _CAME, 'UPDATE': _GONE + _CAME, 'DELETE': _GONE}
_GALLERY = {'source_amigo_id': 'string', 'filename': 'string', 's3_filename': 'string', 'amigocloud_url': 'string',
            'datetime': 'datetime', 'location': 'point'}
#: GDAL's query for the coordinate system of a layer.
_SYSTEM_OF = re.compile(r"SELECT srid, srtext FROM spatial_ref_sys WHERE srid IN \(SELECT Find_SRID\(.*\)\)")
_SYSTEM = ('GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
           'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
           'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]')


class SQLite:
    """The databases of the projects in files.

    Args:
        folder (str): where the files are kept.
        reason (str): why it is not PostgreSQL.
    """

    #: Requests that may use one project's database at a time.
    concurrent = 1

    def __init__(self, folder, reason=''):
        self._folder = folder
        self._open = []
        self.name = 'SQLite, which knows a part of PostGIS' + ('. ' + reason if reason else '')

    def database(self, project_id, history_id=None):
        """Return the database of a project; one that is new is made."""
        self._open.append(Database(os.path.join(self._folder, 'project_{}.sqlite'.format(project_id)), history_id))
        return self._open[-1]

    def close(self):
        """Close every database."""
        for database in self._open:
            database.close()


class Database(States):
    """The database of a project, for one thread at a time; every method raises `SQLError`."""

    _states = 'sandbox_states'
    _log = 'sandbox_log_{}'
    _place = '?'

    def __init__(self, path, history_id=None):
        self._history_id = history_id
        self._connection = connect(path)
        for statement in _TABLES:
            self._connection.execute(statement)

    def close(self):
        """Close the file."""
        self._connection.close()

    # tables

    def create(self, dataset_id, schema, rows):
        """Make a dataset's table, fill it, and begin to keep its states."""
        columns = [_definition(column, rows) for column in schema if column['name'] != _AMIGO_ID]
        with self._change('CREATE') as connection:
            connection.execute('CREATE TABLE dataset_{} ({})'.format(
                dataset_id, ', '.join([*columns, 'amigo_id ' + _AMIGO_ID_TYPE])))
            self._insert(connection, dataset_id, rows)
            connection.execute('CREATE TABLE sandbox_log_{0} AS SELECT 1 AS sandbox_first, NULL AS sandbox_next, * '
                               'FROM dataset_{0}'.format(dataset_id))
            connection.execute('CREATE INDEX sandbox_index_{0} ON sandbox_log_{0} (amigo_id)'.format(dataset_id))
            self._track(dataset_id)

    def schema(self, dataset_id):
        """Return `name` and `type` of each column, amigo_id last."""
        columns = self._table('dataset_{}'.format(dataset_id))
        if not columns:
            raise SQLError('relation "dataset_{}" does not exist'.format(dataset_id))
        return [{'name': name, 'type': values.KINDS[columns[name][0]]}
                for name in sorted(columns, key=_AMIGO_ID.__eq__)]

    def describe(self, dataset_id):
        """Return feature_count, geometry_column and boundingbox."""
        shapes = [parse_geometry(shape) for _, shape in self._shapes(dataset_id)]
        count, = self._connection.execute('SELECT count(*) FROM dataset_{}'.format(dataset_id)).fetchone()
        return {'feature_count': count, 'geometry_column': self._geometry_column(dataset_id),
                'boundingbox': extent(shapes)}

    def rows(self, dataset_id):
        """Return every row."""
        return self.read('SELECT * FROM dataset_{}'.format(dataset_id), _LARGEST, 0)['data']

    def features(self, dataset_id, box=None):
        """Return amigo_id and geometry of the rows that a picture shows."""
        frame = box and shapely.box(*box)
        return list(itertools.islice((row for row in self._shapes(dataset_id) if frame is None or frame.intersects(
            shapely.envelope(parse_geometry(row[1])))), _ROWS_OF_PREVIEW))

    def _shapes(self, dataset_id):
        column = self._geometry_column(dataset_id)
        return self._connection.execute('SELECT amigo_id, {0} FROM dataset_{1} WHERE {0} IS NOT NULL'.format(
            _name(column), dataset_id)) if column else []

    def _geometry_column(self, dataset_id):
        return next((column['name'] for column in self.schema(dataset_id) if column['type'] == 'geometry'), None)

    def create_gallery(self, gallery_id):
        """Make the table of a gallery, which users may read."""
        columns = [_definition({'name': name, 'type': kind}, []) for name, kind in _GALLERY.items()]
        with self._change('CREATE') as connection:
            connection.execute('CREATE TABLE gallery_{} (amigo_id TEXT PRIMARY KEY, {})'.format(
                gallery_id, ', '.join(columns)))

    def add_entry(self, gallery_id, entry):
        """Add a row to the table of a gallery."""
        with self._change('INSERT') as connection:
            self._insert(connection, gallery_id, [entry], 'gallery_{}')

    # changes of rows and columns

    @contextlib.contextmanager
    def _session(self):
        yield self._connection

    @contextlib.contextmanager
    def _change(self, action):
        """Make what is done meanwhile one change; every dataset that it touches gets a state."""
        connection = self._connection
        connection.execute('BEGIN')
        try:
            with connection.running():
                yield connection
                for dataset_id, in connection.execute('SELECT * FROM sandbox_changed').fetchall():
                    connection.execute('INSERT INTO sandbox_states SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 '
                                       'FROM sandbox_states WHERE dataset_id = ?1',
                                       [dataset_id, uuid.uuid4().hex, action])
                connection.execute('DELETE FROM sandbox_changed')
            connection.execute('COMMIT')
        finally:
            if connection.in_transaction:
                connection.execute('ROLLBACK')

    def _track(self, dataset_id):
        """Keep the states of a table from now on."""
        new = ', '.join('NEW.' + _name(name) for name in self._table('dataset_{}'.format(dataset_id)))
        number = ('(SELECT coalesce(max(number), 0) + 1 FROM sandbox_states WHERE dataset_id = {})'.format(dataset_id))
        for action, keep in _KEEP.items():
            self._connection.execute(
                'CREATE TRIGGER sandbox_keep_{id}_{action} AFTER {action} ON dataset_{id} BEGIN INSERT OR IGNORE INTO '
                'sandbox_changed VALUES ({id}); {keep} END'.format(
                    id=dataset_id, action=action, keep=keep.format(id=dataset_id, new=new, next=number)))
        self._connection.execute('INSERT OR IGNORE INTO sandbox_changed VALUES (?)', [dataset_id])

    def _insert(self, connection, table_id, rows, table='dataset_{}'):
        for row in rows:
            new = self._stored(table.format(table_id), dict(row, amigo_id=row.get(_AMIGO_ID) or uuid.uuid4().hex))
            connection.execute('INSERT INTO {} ({}) VALUES ({})'.format(
                table.format(table_id), ', '.join(map(_name, new)), ', '.join('?' * len(new))), list(new.values()))

    def _change_rows(self, connection, dataset_id, rows):
        for row in rows:
            new = self._stored('dataset_{}'.format(dataset_id), row.get('new', {}))
            statement = 'UPDATE dataset_{} SET {}' if new else 'DELETE FROM dataset_{}'
            done = connection.execute('{} WHERE amigo_id = ?'.format(statement.format(dataset_id, ', '.join(
                _name(name) + ' = ?' for name in new))), [*new.values(), row[_AMIGO_ID]])
            if not done.rowcount:
                raise SQLError('no row has the amigo_id "{}"'.format(row[_AMIGO_ID]))

    def _change_columns(self, connection, dataset_id, action, rows):
        for name in _KEEP:
            connection.execute('DROP TRIGGER sandbox_keep_{}_{}'.format(dataset_id, name))
        for row in rows if action != 'ALTER COLUMN' else ():
            what = _definition(row['new'], []) if action == 'ADD COLUMN' else _name(row['old']['name'])
            for table in ('dataset', 'sandbox_log'):
                connection.execute('ALTER TABLE {}_{} {} {}'.format(table, dataset_id, action, what))
        self._track(dataset_id)

    def _stored(self, table, row):
        """Return a row as SQLite keeps it."""
        columns = self._table(table)
        for name in row:
            if name not in columns:
                raise SQLError('column "{}" of relation "{}" does not exist'.format(name, table))
        return {name: store(value, columns[name][1]) if columns[name][0] == 'geometry' else
                _parsed(value, columns[name][0]) for name, value in row.items()}

    def _table(self, name):
        """Return the columns of a table of users: the type of each, and of a geometry its kind."""
        if not re.fullmatch(r'(dataset|gallery)_\d+', name):
            return {}
        rows = self._connection.execute('PRAGMA main.table_info({})'.format(_name(name)))
        declared = {row[1]: row[2].partition('|') for row in rows}
        return {column: (kind.replace(' text', '').replace(' blob', '').lower(), geometry)
                for column, (kind, _, geometry) in declared.items()}

    # the SQL of users

    def writes(self, query):
        """Return how a statement writes: a list of words such as Insert."""
        return gate.writes(query)

    def read(self, query, limit, offset, dataset_id=None, state=None):
        """Run a query that reads, a dataset at an older state where one is given."""
        statement, columns = "SELECT 4326, '{}'".format(_SYSTEM), [('srid', 'integer'), ('srtext', 'text')]
        if not _SYSTEM_OF.fullmatch(query):
            statement, columns = gate.Gate(self._table).read(query)
        limit, offset = min(limit, _LARGEST), min(offset, _LARGEST)
        with self._connection.running(), self._showing(dataset_id, state) as connection:
            rows = connection.execute('SELECT * FROM ({}) LIMIT ? OFFSET ?'.format(statement), [limit, offset])
            rows = rows.fetchall()
            count = offset + len(rows)
            if len(rows) == limit or (offset and not rows):
                count, = connection.execute('SELECT count(*) FROM ({})'.format(statement)).fetchone()
        return {'query': query, 'count': count, 'columns': [
            {'type': values.KINDS[kind], 'name': name, 'max_length': None} for name, kind in columns], 'data': [
            {name: values.answer(value, kind) for value, (name, kind) in zip(row, columns)} for row in rows]}

    @contextlib.contextmanager
    def _showing(self, dataset_id, state):
        """Hide a dataset's table behind a view of an older state."""
        if state is not None:
            self._connection.execute(
                'CREATE TEMP VIEW dataset_{0} AS SELECT * FROM sandbox_log_{0} WHERE sandbox_first <= {1} AND '
                '(sandbox_next IS NULL OR sandbox_next > {1})'.format(
                    dataset_id, self._number(self._connection, dataset_id, state)))
        try:
            yield self._connection
        finally:
            if state is not None:
                self._connection.execute('DROP VIEW temp.dataset_{}'.format(dataset_id))

    def write(self, query):
        """Run an INSERT, UPDATE or DELETE."""
        statement = gate.Gate(self._table).write(query)
        with self._change('SQL') as connection:
            connection.execute(statement)
            answer = {'query': query, 'count': connection.execute('SELECT changes()').fetchone()[0]}
            changed = connection.execute('SELECT dataset_id FROM sandbox_changed').fetchone()
            if changed and changed[0] == self._history_id:
                raise SQLError('permission denied for table dataset_{}'.format(changed[0]))
        if changed:
            answer['new_state'] = self.newest_state(changed[0])
            if gate.writes(query) == ['Delete']:
                answer['amigo_ids'] = [row[1] for row in self.changes(changed[0], answer['new_state'])]
        return answer


def _name(name):
    return '"{}"'.format(name.replace('"', '""'))


def _parsed(value, kind):
    if value is None:
        return None
    if isinstance(value, float) and kind in ('integer', 'bigint') and abs(value) <= _LARGEST:
        value = round(value)
    return values.parse(value if isinstance(value, str) else json.dumps(value), kind)


def _definition(column, rows):
    """Return the SQL of a column; by a word of its type SQLite knows to leave its values alone."""
    kind = values.TYPES[type_of(column['type'])]
    declared = kind if kind in ('integer', 'bigint', 'real', 'double precision', 'boolean') else kind + ' text'
    if kind == 'geometry':
        shape = geometry_type(column, rows).upper().replace('LINESTRING', 'LINE')
        declared = 'geometry blob|' + shape.replace('LINE', 'LINESTRING')
    parts = [_name(column['name']), _name(declared)]
    if column.get('default') is not None:
        parts.append('DEFAULT ' + gate.constant(_parsed(column['default'], kind)).sql('sqlite'))
    if column.get('nullable') is False:
        parts.append('NOT NULL')
    return ' '.join(parts)
