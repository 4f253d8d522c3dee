"""The parts of one AmigoCloud, put together."""
import os
import secrets
import uuid

from .events import Events
from .jobs import Jobs
from .sql.databases import Databases, open_engine
from .store import Store, now


class Cloud:
    """The state that the endpoints share: `store`, `databases`, `events`, `jobs`, `folder` of files and `failures`.

    Args:
        folder (str): where everything is kept.
        database (str): the database of the rows, as `open_engine` takes it.
        forget (bool): the folder and the databases are removed at the end.
        job_seconds (float): how long a job takes at least.
        ping_interval (float): seconds between the pings that listeners send.
        ping_timeout (float): seconds after which a silent listener is given up.
        websocket (bool): False leaves listeners only polling.
    """

    def __init__(self, folder, database, forget, job_seconds, ping_interval, ping_timeout, websocket):
        self.folder = os.path.abspath(folder)
        self.store = Store(folder)
        self.databases = Databases(open_engine(self.folder, database, forget), self._history_of)
        self.events = Events(ping_interval, ping_timeout, websocket)
        self.jobs = Jobs(self.store, self.events, job_seconds)
        self.failures = []

    def path_of(self, file):
        """Return the path of a file of the folder."""
        return os.path.join(self.folder, file)

    def close(self):
        """Close the files."""
        self.store.close()
        self.databases.close()

    def make_project(self, user_id, name, description):
        """Make a project and return its id."""
        history_id = self.store.insert('datasets', name='record_history', type='r_history', columns=[],
                                       created_on=now(), last_updated=now())
        project_id = self.store.insert(
            'projects', uuid=str(uuid.uuid4()), user_id=user_id, name=name, description=description,
            history_dataset_id=history_id, hash=uuid.uuid4().hex, created_on=now(), last_updated=now())
        self.store.update('datasets', history_id, project_id=project_id)
        return project_id

    def changed(self, project_id, user, state=None, dataset_id=None):
        """Note that something of a project was changed.

        Args:
            project_id (int): the project; it gets a new hash.
            user (dict): who did it.
            state (str): the state of a dataset that came of it; its rows are put into the project's history.
            dataset_id (int): the dataset, if it is known.
        """
        self.store.update('projects', project_id, hash=uuid.uuid4().hex, last_updated=now())
        if dataset_id is not None:
            self.store.update('datasets', dataset_id, last_updated=now())
        if state is not None:
            self.databases.run(project_id, 'record', self._history_of(project_id), dataset_id, state,
                               user['custom_id'])

    def _history_of(self, project_id):
        return self.store.find('projects', id=project_id)['history_dataset_id']

    def make_token(self, user_id, level, project_id=None):
        """Make a token and return it; with a project_id it works only below that project."""
        token = '{}:{}'.format('P' if project_id else level[0], secrets.token_urlsafe(30))
        self.store.insert('tokens', token=token, user_id=user_id, project_id=project_id, level=level)
        return token
