"""The parts of one AmigoCloud, put together."""
import os
import secrets

from .databases import Databases
from .events import Events
from .jobs import Jobs
from .store import Store


class Cloud:
    """What the endpoints work on: `store`, `databases`, `events`, `jobs` and the `folder` of the files.

    Args:
        folder (str): where everything is kept.
        job_seconds (float): how long a job takes at least.
        ping_interval (float): seconds between the pings that listeners send.
        ping_timeout (float): seconds after which a silent listener is given up.
        websocket (bool): False leaves listeners only polling.
    """

    def __init__(self, folder, job_seconds, ping_interval, ping_timeout, websocket):
        self.folder = os.path.abspath(folder)
        self.store = Store(folder)
        self.databases = Databases(folder)
        self.events = Events(ping_interval, ping_timeout, websocket)
        self.jobs = Jobs(self.store, self.events, job_seconds)

    def path_of(self, file):
        """Return the path of a file of the folder."""
        return os.path.join(self.folder, file)

    def close(self):
        """Close the files."""
        self.databases.close()
        self.store.close()

    def make_token(self, user_id, level, project_id=None):
        """Make a token and return it; with a project_id it works only below that project."""
        token = '{}:{}'.format('P' if project_id else level[0], secrets.token_urlsafe(30))
        self.store.insert('tokens', token=token, user_id=user_id, project_id=project_id, level=level)
        return token
