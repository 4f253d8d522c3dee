"""The databases of the projects: one SQLite file each, used by one request at a time and off the server's loop."""
import os

import gevent
from gevent.lock import BoundedSemaphore

from . import catalogue, sql, states
from .answers import Refusal


class Databases:
    """The database of each project, opened when it is first used.

    Args:
        folder (str): where the files are kept.
    """

    def __init__(self, folder):
        self._folder = folder
        self._open = {}

    def run(self, project_id, function, *args):
        """Return `function(connection, *args)`, run in a thread so that other requests go on meanwhile.

        Raises:
            Refusal: the database refuses what it is asked (400).
        """
        if project_id not in self._open:
            self._open[project_id] = (_connect(self._path(project_id)), BoundedSemaphore())
        connection, lock = self._open[project_id]
        with lock:
            try:
                return gevent.get_hub().threadpool.apply(function, (connection,) + args)
            except sql.SQLError as error:
                raise Refusal(400, {'error': [str(error)]}) from error

    def remove(self, project_id):
        """Delete the database of a project."""
        if project_id in self._open:
            connection, lock = self._open.pop(project_id)
            with lock:
                connection.close()
        for suffix in ('', '-wal', '-shm'):
            path = self._path(project_id) + suffix
            if os.path.exists(path):
                os.remove(path)

    def close(self):
        """Close every database that is not in use; the process is about to end."""
        for connection, lock in self._open.values():
            if lock.acquire(blocking=False):
                connection.close()

    def _path(self, project_id):
        return os.path.join(self._folder, 'project_{}.sqlite'.format(project_id))


def _connect(path):
    connection = sql.connect(path)
    states.prepare(connection)
    catalogue.prepare(connection)
    return connection
