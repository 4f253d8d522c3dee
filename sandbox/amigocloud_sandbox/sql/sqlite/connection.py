"""The connection to a project's database: SQLite with functions of PostgreSQL and a time limit."""
import contextlib
import re
import sqlite3
import time

import numpy
import shapely

from ..types import SQLError
from . import functions, values

STATEMENT_SECONDS = 60
_STEPS_BETWEEN_CHECKS = 100000
_MESSAGES = [(r'duplicate column name: (.+)', 'column "{0}" specified more than once'),
             (r'no such column: "*(.+?)"*', 'column "{0}" does not exist'),
             (r'table `?"?(.+?)"?`? already exists', 'relation "{0}" already exists'),
             (r'NOT NULL constraint failed: (.+)\.(.+)',
              'null value in column "{1}" of relation "{0}" violates not-null constraint'),
             (r'UNIQUE constraint failed: (.+)\..+', 'duplicate key value violates unique constraint "{0}_pkey"'),
             (r'interrupted', 'canceling statement due to statement timeout')]


class Connection(sqlite3.Connection):
    """A connection that knows why a statement failed."""

    failure = None      # the SQLError of a function; sqlite3 itself says only that there was one
    deadline = float('inf')

    def guard(self, function):
        """Wrap a function for SQL, so that the message of its error is not lost."""
        def guarded(*arguments):
            try:
                return function(*arguments)
            except ZeroDivisionError:
                self.failure = SQLError('division by zero')
            except (SQLError, shapely.errors.ShapelyError, ArithmeticError, TypeError, ValueError) as error:
                self.failure = SQLError(str(error))
            raise self.failure
        return guarded

    @contextlib.contextmanager
    def running(self):
        """Run statements of a user; any error that they make becomes an SQLError."""
        self.failure = None
        self.deadline = time.monotonic() + STATEMENT_SECONDS
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            raise self.failure or _translated(str(error)) from None
        finally:
            self.deadline = float('inf')


def _translated(text):
    for pattern, message in _MESSAGES:
        match = re.fullmatch(pattern, text)
        if match:
            return SQLError(message.format(*match.groups()))
    return values.refused('it ({})'.format(text))


def connect(path):
    """Open a project's database, which is made if it is not there.

    The connection may go from thread to thread, but only one may use it at a time.
    """
    if sqlite3.sqlite_version_info < (3, 35):
        # UPDATE ... FROM came with 3.33, DROP COLUMN with 3.35.
        raise RuntimeError('The sandbox needs SQLite 3.35 or newer; this Python has {}.'.format(sqlite3.sqlite_version))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
    connection.execute('PRAGMA journal_mode = WAL')
    connection.execute('PRAGMA synchronous = NORMAL')
    # Its filter would find no numeric that is equal, but has other digits.
    connection.execute('PRAGMA automatic_index = OFF')
    scalars = [(signature.sql_name, len(signature.arguments), _function(signature))
               for signature in functions.computed(functions.FUNCTIONS)]
    for name, count, function in [*scalars, ('pg_cast', 3, values.cast), ('pg_store', 2, functions.store)]:
        connection.create_function(name, count, connection.guard(function), deterministic=True)
    for signature in functions.computed(functions.AGGREGATES):
        connection.create_aggregate(signature.sql_name, 1, _gatherer(signature, connection.guard))
    connection.create_collation('numeric', values.compare_numerics)
    connection.set_progress_handler(lambda: time.monotonic() > connection.deadline, _STEPS_BETWEEN_CHECKS)
    return connection


def _written(value, kind):
    value = value.item() if isinstance(value, numpy.generic) else value
    return None if value is None else values.write(value, kind)


def _function(signature):
    """Return a function of what SQLite keeps; with a NULL argument it returns NULL."""
    def function(*arguments):
        if None in arguments:
            return None
        return _written(signature.call(*map(values.read, arguments, signature.arguments)), signature.returns)
    return function


def _gatherer(signature, guard):
    """Return an aggregate that computes the list of its values."""
    def computed(found):
        return _written(signature.call(found), signature.returns) if found else None

    class Gatherer:
        def __init__(self):
            self.found = []

        def step(self, value):
            if value is not None:
                self.found.append(values.read(value, signature.arguments[0]))

        def finalize(self):
            return guard(computed)(self.found)
    return Gatherer
