"""The databases of the projects on a PostgreSQL server, and who may do what there.

The role that the sandbox is given (`--database`) owns everything. The SQL of users is run by another role in each
project, so that none sees or ends what another runs. It logs in by itself, so that no setting brings back the rights of
the first; it is no superuser, owns nothing, and may only read and write the tables of the datasets.
"""
import contextlib
import hashlib
import os
import secrets
import socket
import threading

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ..types import EngineError, SQLError
from .database import Database
from .values import Values

#: Connections that are kept open although nobody uses them.
_MOST_IDLE = 12
#: A page is read as the whole query would be.
_SETTINGS = {'timezone': 'UTC', 'search_path': 'public', 'cursor_tuple_fraction': '1', 'datestyle': 'ISO'}
#: DROP DATABASE ... WITH (FORCE) and gen_random_uuid came with it.
_MINIMUM_VERSION = 130000
_TEMPORARY = 'amigocloud_temp_'
_KEPT = 'amigocloud_kept_'
#: Characters that follow in the name of a sandbox's role; the roles of its projects are named by it.
_PLACE_LENGTH = 12


class Server:
    """A PostgreSQL server with a database for each project.

    Args:
        dsn (str): how to connect: as a superuser, or as a role that may create databases and roles where the
            extension postgis is at hand.
        folder (str): the data folder; its databases are found again by its path.
        forget (bool): everything is dropped at the end. What a sandbox that was killed left is dropped by the next one.
        cluster (Cluster): the private server that this is; it is stopped at the end.

    Attributes:
        name (str): the versions of PostgreSQL and PostGIS.

    Raises:
        EngineError: it cannot be reached, or the role may not do what it has to.
    """

    #: Requests that may use one project's database at a time.
    concurrent = 4

    def __init__(self, dsn, folder, forget, cluster=None):
        self._dsn = dsn
        self._cluster = cluster
        self._forget = forget
        self._idle = []
        self._lock = threading.Lock()
        place = hashlib.sha256('{}:{}'.format(socket.gethostname(), os.path.abspath(folder)).encode()).hexdigest()
        self._role = (_TEMPORARY if forget else _KEPT) + place[:_PLACE_LENGTH]
        self._password = secrets.token_urlsafe(20)
        self._template = self._role + '_template'
        try:
            # By the name of this session other sandboxes know that its databases are in use.
            self._admin = psycopg.connect(dsn, autocommit=True, application_name=self._role)
        except psycopg.Error as error:
            raise EngineError('The sandbox cannot connect to its database: {}'.format(error)) from error
        try:
            self._prepare()
        except (psycopg.Error, SQLError) as error:
            raise EngineError(
                'The sandbox cannot prepare its database: {} It needs a superuser, or a role that may create databases '
                'and roles on a server where it may create the extension postgis.'.format(error)) from error

    def _prepare(self):
        if self._admin.info.server_version < _MINIMUM_VERSION:
            raise EngineError('The sandbox needs PostgreSQL 13 or newer.')
        self._drop_leftovers()
        self._make_role(self._role)
        if not self._exists(self._template):
            self._admin.execute(sql.SQL('CREATE DATABASE {}').format(sql.Identifier(self._template)))
            self._fill_template()
        with self._connect(self._template) as connection:
            self.values = Values(connection)
            self.name = 'PostgreSQL {} with PostGIS {}'.format(
                connection.info.parameter_status('server_version').split()[0],
                connection.execute('SELECT postgis_lib_version()').fetchone()[0])
        with self._connect(self._template, as_user=True):
            pass        # A server that does not let the role in is told of now.

    def _make_role(self, name):
        """Make a role that logs in, or give it the password of this sandbox."""
        role = sql.Identifier(name)
        if self._admin.execute('SELECT 1 FROM pg_roles WHERE rolname = %s', [name]).fetchone() is None:
            self._admin.execute(sql.SQL('CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE').format(role))
            # Who is no superuser ends only statements of roles that are granted to it.
            self._admin.execute(sql.SQL('GRANT {} TO CURRENT_USER').format(role))
        self._admin.execute(sql.SQL('ALTER ROLE {} PASSWORD {}').format(role, sql.Literal(self._password)))

    def _fill_template(self):
        role = sql.Identifier(self._role)
        with open(os.path.join(os.path.dirname(__file__), 'schema.sql'), encoding='utf-8') as schema:
            statements = schema.read()
        with self._connect(self._template) as connection:
            connection.execute('CREATE EXTENSION IF NOT EXISTS postgis')
            connection.execute(statements)
            connection.execute(sql.SQL('GRANT USAGE ON SCHEMA sandbox TO {0}').format(role))
            connection.execute(sql.SQL('GRANT EXECUTE ON FUNCTION sandbox.show, sandbox.made TO {0}').format(role))

    def database(self, project_id, history_id=None):
        """Return the database of a project; one that is new is made."""
        name = self._name(project_id)
        self._make_role(name)
        if not self._exists(name):
            names = {'name': sql.Identifier(name), 'template': sql.Identifier(self._template),
                     'role': sql.Identifier(self._role)}
            copy = 'STRATEGY file_copy' if self._admin.info.server_version >= 150000 else ''
            # The role of a project is named as its database, and a member of the one that the rights are given to.
            for statement in ('GRANT {role} TO {name}', 'CREATE DATABASE {name} TEMPLATE {template} ' + copy,
                              'REVOKE ALL ON DATABASE {name} FROM PUBLIC',
                              'GRANT CONNECT ON DATABASE {name} TO {name}'):
                self._admin.execute(sql.SQL(statement).format(**names))
        return Database(self, name, self._role, history_id)

    def close(self):
        """End every statement that runs, and drop what is not kept."""
        self._close_idle(0)
        if self._cluster is None:
            self._admin.execute('SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                                'WHERE starts_with(usename, %s)', [self._role])
            if self._forget:
                self._drop_all(self._role)
        self._admin.close()
        if self._cluster is not None:
            self._cluster.close()

    @contextlib.contextmanager
    def session(self, name, as_user=False):
        """Lend a connection to a database, with the settings of a new one.

        Args:
            name (str): the database.
            as_user (bool): with the rights of a user's statement.
        """
        connection = self._take(name, as_user) or self._connect(name, as_user)
        try:
            yield connection
            # Settings, locks and temporary tables of a user end with the request.
            connection.execute('DISCARD ALL')
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(((name, as_user), connection))
        self._close_idle(_MOST_IDLE)

    def _take(self, name, as_user):
        with self._lock:
            for index, (key, connection) in enumerate(self._idle):
                if key == (name, as_user):
                    del self._idle[index]
                    return connection
        return None

    def _close_idle(self, most):
        with self._lock:
            surplus = self._idle[:len(self._idle) - most] if len(self._idle) > most else []
            del self._idle[:len(surplus)]
        for _, connection in surplus:
            connection.close()

    def _connect(self, name, as_user=False):
        user = self._role if name == self._template else name
        login = {'user': user, 'password': self._password} if as_user else {}
        options = ' '.join('-c {}={}'.format(*setting) for setting in _SETTINGS.items())
        try:
            connection = psycopg.connect(make_conninfo(self._dsn, dbname=name, **login), autocommit=True,
                                         options=options, prepare_threshold=None)
        except psycopg.Error as error:
            raise SQLError(str(error)) from error
        if as_user and connection.info.parameter_status('is_superuser') == 'on':
            connection.close()
            raise EngineError('The role {} is a superuser; no SQL of users is run by one.'.format(user))
        return connection

    def _name(self, project_id):
        return '{}_{}'.format(self._role, project_id)

    def _exists(self, name):
        return self._admin.execute('SELECT 1 FROM pg_database WHERE datname = %s', [name]).fetchone() is not None

    def _drop(self, name):
        self._close_idle(0)
        self._admin.execute(sql.SQL('DROP DATABASE IF EXISTS {} WITH (FORCE)').format(sql.Identifier(name)))

    def _drop_all(self, role):
        names = self._admin.execute('SELECT datname FROM pg_database WHERE starts_with(datname, %s)', [role + '_'])
        for name, in names.fetchall():
            self._drop(name)
        roles = self._admin.execute('SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)', [role])
        for name, in roles.fetchall():
            self._admin.execute(sql.SQL('DROP ROLE IF EXISTS {}').format(sql.Identifier(name)))

    def _drop_leftovers(self):
        """Drop the databases of sandboxes that were to forget them, and were killed before they could."""
        left = self._admin.execute(
            'SELECT DISTINCT role FROM pg_roles, left(rolname, %s) AS role WHERE starts_with(rolname, %s) '
            'AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = role)',
            [len(_TEMPORARY) + _PLACE_LENGTH, _TEMPORARY])
        for role, in left.fetchall():
            self._drop_all(role)
