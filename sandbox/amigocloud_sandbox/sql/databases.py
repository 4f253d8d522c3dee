"""The databases of the projects, used off the server's loop so that other requests go on meanwhile."""
import glob
import os

from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from .types import EngineError, SQLError

#: Statements that run at a time; a project has a share of them, so that a slow one does not hold up others.
_THREADS = 40
_HISTORY = [{'name': 'dataset_id', 'type': 'integer'}, {'name': 'change_date', 'type': 'datetime'},
            {'name': 'change_type', 'type': 'string'}, {'name': 'who_changed_custom_id', 'type': 'string'}]


class Databases:
    """The database of each project, opened when it is first used.

    Args:
        engine (Engine): from `open_engine`.
        history_of (callable): given a project's id, returns that of its dataset `record_history`.

    Attributes:
        engine (str): what answers SQL, with its version.
    """

    def __init__(self, engine, history_of):
        self._engine = engine
        self._history_of = history_of
        self._open = {}
        self._opening = BoundedSemaphore()
        self._threads = ThreadPool(_THREADS)
        self.engine = engine.name

    def run(self, project_id, operation, *args):
        """Return what a method of the project's database returns, which is run in a thread.

        Raises:
            SQLError: the database refuses what it is asked.
        """
        with self._opening:
            if project_id not in self._open:
                self._open[project_id] = (
                    self._threads.apply(self._opened, (project_id, self._history_of(project_id))),
                    BoundedSemaphore(self._engine.concurrent))
            database, share = self._open[project_id]
        with share:
            return self._threads.apply(getattr(database, operation), args)

    def _opened(self, project_id, history_id):
        """Return the database of a project; one that is new gets the dataset of its history."""
        database = self._engine.database(project_id, history_id)
        try:
            database.schema(history_id)
        except SQLError:
            database.create(history_id, _HISTORY, [])
        return database

    def close(self):
        """Close every database; the process is about to end."""
        self._engine.close()


def open_engine(folder, database, forget):
    """Return the engine for a data folder.

    Args:
        folder (str): where everything is kept; one that was begun with an engine goes on with it.
        database (str): how to connect to PostgreSQL (`postgresql://...`), or `sqlite`. Without it a private PostgreSQL
            is used where it is installed, and SQLite elsewhere.
        forget (bool): nothing is kept at the end.

    Raises:
        EngineError: PostgreSQL cannot be used, although it was named or holds the data; or the folder was begun with
            another database.
    """
    from .postgres.cluster import Cluster, data_of
    from .postgres.server import Server
    from .sqlite.database import SQLite
    has_cluster, has_files = os.path.exists(data_of(folder)), bool(glob.glob(os.path.join(folder, 'project_*.sqlite')))
    is_named = bool(database) and database != 'sqlite'
    if os.path.exists(os.path.join(folder, 'world.json')):
        was_named = not has_cluster and not has_files
        if is_named != was_named or database == 'sqlite' and not has_files:
            raise EngineError('{} was begun with {}.'.format(
                folder, 'a PostgreSQL server that --database named' if was_named else 'a database of its own'))
    if database == 'sqlite' or has_files:
        return SQLite(folder)
    if database:
        return Server(database, folder, forget)
    try:
        cluster = Cluster(folder, forget)
    except EngineError as error:
        if has_cluster:
            raise
        return SQLite(folder, str(error))
    return Server(cluster.dsn, folder, forget, cluster)
