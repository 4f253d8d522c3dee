"""What the sandbox's AmigoCloud knows besides the rows of its datasets, kept in one SQLite file."""
import json
import os
import sqlite3

_TABLES = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT);
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, user_id INTEGER, project_id INTEGER, level TEXT);
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, name TEXT, description TEXT);
CREATE TABLE IF NOT EXISTS datasets (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER, name TEXT);
CREATE TABLE IF NOT EXISTS galleries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, dataset_id INTEGER, name TEXT);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, gallery_id INTEGER, source_amigo_id TEXT, filename TEXT, metadata JSON,
    file TEXT);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, user_id INTEGER, target TEXT, filename TEXT, offset INTEGER, complete INTEGER, expires TEXT,
    file TEXT);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, user_id INTEGER, project_id INTEGER, status TEXT, extra JSON, file TEXT, filename TEXT);
"""


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

    def select(self, table, limit=-1, offset=0, **where):
        """Return the rows that have these values, in the order in which they were made."""
        condition, values = _condition(where)
        query = 'SELECT * FROM {} {} ORDER BY rowid LIMIT ? OFFSET ?'.format(table, condition)
        return self._connection.execute(query, values + [limit, offset]).fetchall()

    def count(self, table, **where):
        """Return how many rows have these values."""
        condition, values = _condition(where)
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
        condition, values = _condition(where)
        self._connection.execute('DELETE FROM {} {}'.format(table, condition), values)

    def close(self):
        """Close the file."""
        self._connection.close()


def _row(cursor, values):
    return {column[0]: json.loads(value) if column[0] in ('extra', 'metadata') else value
            for column, value in zip(cursor.description, values)}


def _condition(where):
    if not where:
        return '', []
    return 'WHERE ' + ' AND '.join(name + ' IS ?' for name in where), list(where.values())


def _plain(values):
    return [json.dumps(value) if isinstance(value, dict) else value for value in values.values()]
