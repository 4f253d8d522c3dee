"""The connection to a project's database: SQLite with the functions of PostGIS, rights, a time limit, clear errors."""

import contextlib
import re
import sqlite3
import time

from . import functions, postgis
from .geometry import to_geometry
from .sqltypes import CASTS, SQLError

#: RETURNING and DROP COLUMN came with this release.
_MINIMUM_SQLITE = (3, 35, 0)
_STATEMENT_TIMEOUT_SECONDS = 60
_STEPS_BETWEEN_CHECKS = 100000

#: What a statement that reads, or one that writes, may do.
READING = frozenset([sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE])
WRITING = READING | {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_TABLE_ACTIONS = (sqlite3.SQLITE_READ, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)
#: Tables of SQLite, and those that the sandbox keeps beside the datasets, are not there for a user's query.
_HIDDEN_TABLES = ('sqlite_', 'pragma_', 'sandbox_')
#: The view through which `sql.read` looks at a query.
VIEW = 'sandbox query'

#: What turns a value (never None) into one of a type of the service.
ALL_CASTS = dict(CASTS, geometry=to_geometry)

#: SQLite's messages and PostgreSQL's for the same.
_MESSAGES = [(re.compile(pattern, re.DOTALL), message) for pattern, message in (
    (r'no such table: (?:main\.|temp\.)?(.+)', 'relation "{0}" does not exist'),
    (r'access to ([^.]+)\..* is prohibited', 'relation "{0}" does not exist'),
    (r'no such column: "?(.+?)"?', 'column "{0}" does not exist'),
    (r'table (.+) has no column named (.+)', 'column "{1}" of relation "{0}" does not exist'),
    (r'ambiguous column name: (.+)', 'column reference "{0}" is ambiguous'),
    (r'duplicate column name: (.+)', 'column "{0}" specified more than once'),
    (r'table "?(.+?)"? already exists', 'relation "{0}" already exists'),
    (r'no such function: (.+)', 'function {0} does not exist'),
    (r'wrong number of arguments to function (.+)\(\)', 'function {0} does not exist with this number of arguments'),
    (r'misuse of aggregate:? ?(?:function )?(.+)\(\)', 'aggregate functions are not allowed here: {0}'),
    (r'near "(.*)": syntax error', 'syntax error at or near "{0}"'),
    (r'incomplete input', 'syntax error at end of input'),
    (r'NOT NULL constraint failed: (.+)\.(.+)', 'null value in column "{1}" violates not-null constraint'),
    (r'UNIQUE constraint failed: (.+)\.(.+)', 'duplicate key value violates unique constraint "{0}_{1}_key"'),
    (r'(?:table .+|all VALUES) (?:has|must have) .*(?:values|terms).*', 'the numbers of columns and values differ'),
    (r'interrupted', 'canceling statement due to statement timeout'),
    (r'not authorized', 'permission denied'),
)]


class Connection(sqlite3.Connection):
    """A connection that knows what the statement which runs may do, and why it failed."""

    allowed = None      # what a user's statement may do; None for one of our own
    failure = None      # the SQLError that a function raised; sqlite3 itself passes on only that there was one
    deadline = 0.0
    described = (None, None)

    def authorize(self, action, table, column, database, source):
        """Answer SQLite's question whether a statement may do a thing."""
        if self.allowed is None:
            return sqlite3.SQLITE_OK
        # what a trigger or a view of the sandbox does on the way is not the user's doing
        is_direct = source in (None, VIEW)
        is_hidden = action in _TABLE_ACTIONS and is_direct and table.lower().startswith(_HIDDEN_TABLES)
        return sqlite3.SQLITE_OK if action in self.allowed and not is_hidden else sqlite3.SQLITE_DENY

    def is_late(self):
        """Tell whether the statement has run for too long."""
        return self.allowed is not None and time.monotonic() > self.deadline

    def guard(self, function):
        """Wrap a function for SQL, so that the message of its SQLError is not lost."""
        def guarded(*values):
            try:
                return function(*values)
            except SQLError as error:
                self.failure = error
                raise
            except (ArithmeticError, TypeError, ValueError) as error:
                self.failure = SQLError(str(error))
                raise
        return guarded

    @contextlib.contextmanager
    def running(self, allowed=None):
        """Run statements with these rights; any error that they make becomes an SQLError."""
        self.allowed, self.failure, self.deadline = allowed, None, time.monotonic() + _STATEMENT_TIMEOUT_SECONDS
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            raise self.failure or SQLError(_message(str(error))) from error
        finally:
            self.allowed = None


def _message(text):
    text = text.replace('`', '')
    for pattern, message in _MESSAGES:
        match = pattern.fullmatch(text)
        if match:
            return message.format(*match.groups())
    return text


def connect(path):
    """Open a project's database, which is made if it is not there.

    The connection may go from thread to thread, but only one may use it at a time: that is the caller's to see to.

    Args:
        path (str): the file, or `:memory:`.

    Returns:
        Connection: in autocommit mode, with the functions of PostGIS.
    """
    if sqlite3.sqlite_version_info < _MINIMUM_SQLITE:
        raise RuntimeError('The sandbox needs SQLite {}.{} or newer; this Python has {}.'.format(
            *_MINIMUM_SQLITE[:2], sqlite3.sqlite_version))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
    connection.execute('PRAGMA journal_mode = WAL')
    connection.execute('PRAGMA synchronous = NORMAL')
    for name, (count, deterministic, function) in functions.FUNCTIONS.items():
        connection.create_function(name, count, connection.guard(function), deterministic=deterministic)
    for kind, cast in ALL_CASTS.items():
        connection.create_function('::' + kind, 1, connection.guard(unless_null(cast)), deterministic=True)
    for name, function in dict(postgis.FUNCTIONS, match=postgis.BOXES_MEET).items():
        required = function.arguments.index('|') if '|' in function.arguments else len(function.arguments)
        for count in range(required, len(function.arguments.replace('|', '')) + 1):
            connection.create_function(name, count, connection.guard(postgis.sql_function(name, function)),
                                       deterministic=True)
    for name, aggregate in postgis.AGGREGATES.items():
        connection.create_aggregate(name, 1, type(aggregate.__name__, (aggregate,), {
            method: connection.guard(getattr(aggregate, method)) for method in ('step', 'finalize')}))
    connection.set_authorizer(connection.authorize)
    connection.set_progress_handler(connection.is_late, _STEPS_BETWEEN_CHECKS)
    return connection


def unless_null(function):
    """Make a function of one value answer None for None."""
    return lambda value: None if value is None else function(value)
