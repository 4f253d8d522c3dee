"""An AmigoCloud for one machine, to run scripts and tests against; Python 3 only.

Example:
    >>> from amigocloud import AmigoCloud
    >>> with Sandbox() as sandbox:
    ...     client = AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False)
    ...     client.get('/me')['first_name']
    'Ada'
"""
import json
import os
import subprocess
import sys
import tempfile
import threading

__all__ = ['Sandbox', 'SandboxError']

_START_SECONDS = 60
_STOP_SECONDS = 30


class SandboxError(RuntimeError):
    """The sandbox did not start; the message is what it said."""


class Sandbox:
    """A sandbox in a process of its own, which ends with this one, even if this one is killed.

    Args:
        host (str): the address that it listens at.
        port (int): the port; 0 for a free one.
        data (str): a folder to keep everything in; by default it is forgotten at the end.
        database (str): where the rows are kept: `postgresql://...`, a server with PostGIS, or `sqlite`; by default a
            private PostgreSQL where it is installed with PostGIS, SQLite elsewhere.
        job_seconds (float): how long a job takes at least.
        ping_interval (float): seconds between the pings that clients of the events send.
        ping_timeout (float): seconds after which a silent client is given up.
        websocket (bool): False leaves only polling for the events.

    Attributes:
        url (str): the `base_url` for a client.
        engine (str): what answers SQL, with its version.
        token (str): a user's token of level ADMIN; `edit_token`, `create_token` and `read_token` may do less.
        project_url (str): the first project.
        project_token (str): a token that works only below it.
        other_token (str): a token of another user, who has nothing in common with the first.
        user_id (int): the user.
        project_id (int): the first project's id, and `project_uuid`, its UUID.
        vehicles_id (int): a dataset of points in the first project.
        places_id (int): a dataset of addresses with an empty geometry column `location`.
        gallery_id (int): a gallery of the vehicles.

    Raises:
        SandboxError: it does not start.
    """

    def __init__(self, host='127.0.0.1', port=0, data=None, database=None, job_seconds=0.3, ping_interval=25,
                 ping_timeout=60, websocket=True):
        command = [sys.executable, '-m', __name__, '--json', '--host', host, '--port', str(port), '--job-seconds',
                   str(job_seconds), '--ping-interval', str(ping_interval), '--ping-timeout', str(ping_timeout)]
        command += ['--data', os.fspath(data)] if data else []
        command += ['--database', database] if database else []
        command += [] if websocket else ['--polling-only']
        with tempfile.TemporaryFile('w+') as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                             env=_environment(), universal_newlines=True)
            world = self._first_line()
            if not world:
                self.close()
                errors.seek(0)
                raise SandboxError('The sandbox did not start.\n' + errors.read())
        vars(self).update(json.loads(world))

    def close(self):
        """End the sandbox."""
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _first_line(self):
        watchdog = threading.Timer(_START_SECONDS, self._process.kill)
        watchdog.start()
        try:
            return self._process.stdout.readline()
        finally:
            watchdog.cancel()


def _environment():
    """Return the environment for the child, which has to find this very package."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join(filter(None, [package, os.environ.get('PYTHONPATH')]))
    return dict(os.environ, PYTHONPATH=path)
