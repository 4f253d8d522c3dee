"""Projects, datasets, tokens, jobs and everything else but the rows of datasets, kept in one SQLite file."""
import datetime
import json
import os
import sqlite3

_TABLES = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT, custom_id TEXT, organization TEXT);
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, user_id INTEGER, project_id INTEGER, level TEXT);
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT, user_id INTEGER, name TEXT, description TEXT,
    history_dataset_id INTEGER, hash TEXT, created_on TEXT, last_updated TEXT);
CREATE TABLE IF NOT EXISTS datasets (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER, name TEXT, type TEXT, columns JSON, created_on TEXT,
    last_updated TEXT);
CREATE TABLE IF NOT EXISTS galleries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, dataset_id INTEGER, name TEXT, type TEXT);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, gallery_id INTEGER, amigo_id TEXT, source_amigo_id TEXT, filename TEXT,
    datetime TEXT, file TEXT);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, user_id INTEGER, target TEXT, filename TEXT, fields JSON, offset INTEGER, complete INTEGER,
    expires TEXT, file TEXT);
CREATE TABLE IF NOT EXISTS queries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER, name TEXT, query TEXT);
CREATE TABLE IF NOT EXISTS relationships (
    id INTEGER PRIMARY KEY AUTOINCREMENT, dataset_id INTEGER, primary_dataset_name TEXT, foreign_dataset_name TEXT,
    primary_key TEXT, foreign_key TEXT);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, user_id INTEGER, project_id INTEGER, status TEXT, extra JSON, file TEXT, filename TEXT);
"""
_JSON = ('extra', 'columns', 'fields')


class Store:
    """Rows as dictionaries, found by the values of their columns.

    Names of tables and columns come from the sandbox's own code, never from a request.

    Args:
        folder (str): where the file is kept.
    """

    def __init__(self, folder):
        self._connection = sqlite3.connect(os.path.join(folder, 'sandbox.sqlite'), isolation_level=None)
        self._connection.row_factory = _row
        self._connection.execute('PRAGMA journal_mode = WAL')
        self._connection.execute('PRAGMA synchronous = OFF')
        self._connection.executescript(_TABLES)

    def find(self, table, **where):
        """Return the first row that has these values, or None."""
        return next(iter(self.select(table, limit=1, **where)), None)

    def select(self, table, limit=-1, offset=0, search='', **where):
        """Return the rows that have these values, in the order in which they were made.

        Args:
            table (str): where to look.
            limit (int): rows to return at most.
            offset (int): rows to pass over first.
            search (str): a part of the name, in any case.
            where: values by column.
        """
        condition, values = _condition(search, where)
        query = 'SELECT * FROM {} {} ORDER BY rowid LIMIT ? OFFSET ?'.format(table, condition)
        return self._connection.execute(query, values + [limit, offset]).fetchall()

    def count(self, table, search='', **where):
        """Return how many rows have these values."""
        condition, values = _condition(search, where)
        query = 'SELECT count(*) AS number FROM {} {}'.format(table, condition)
        return self._connection.execute(query, values).fetchone()['number']

    def insert(self, table, **values):
        """Add a row and return its id."""
        query = 'INSERT INTO {} ({}) VALUES ({})'.format(table, ', '.join(values), ', '.join('?' * len(values)))
        return self._connection.execute(query, _plain(values)).lastrowid

    def update(self, table, key, **values):
        """Change columns of the row with this id."""
        query = 'UPDATE {} SET {} WHERE id = ?'.format(table, ', '.join(name + ' = ?' for name in values))
        self._connection.execute(query, _plain(values) + [key])

    def delete(self, table, **where):
        """Remove the rows that have these values."""
        condition, values = _condition('', where)
        self._connection.execute('DELETE FROM {} {}'.format(table, condition), values)

    def close(self):
        """Close the file."""
        self._connection.close()


def now(later=datetime.timedelta()):
    """Return the time, or a later one, as the service writes it; such texts sort as the times do."""
    return (datetime.datetime.now(datetime.timezone.utc) + later).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def _row(cursor, values):
    return {column[0]: json.loads(value) if column[0] in _JSON and value else value
            for column, value in zip(cursor.description, values)}


def _condition(search, where):
    conditions, values = [name + ' IS ?' for name in where], list(where.values())
    if search:
        conditions.append('instr(lower(name), lower(?))')
        values.append(search)
    return ('WHERE ' + ' AND '.join(conditions) if conditions else ''), values


def _plain(values):
    return [json.dumps(value) if isinstance(value, (dict, list)) else value for value in values.values()]
