"""A private PostgreSQL server in the data folder: found, made, started and stopped with the sandbox."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from ..types import EngineError

ROLE = 'sandbox'
#: Where Debian, Red Hat and Homebrew put PostgreSQL's programs, beside PATH.
_PLACES = ('/usr/lib/postgresql/*/bin', '/usr/pgsql-*/bin', '/opt/homebrew/opt/postgresql*/bin',
           '/usr/local/opt/postgresql*/bin')
_SETTINGS = {'listen_addresses': "''", 'max_connections': 200, 'shared_buffers': '64MB', 'temp_file_limit': '2GB',
             'synchronous_commit': 'off', 'log_min_messages': 'fatal'}
#: For data that is forgotten at the end.
_CARELESS_SETTINGS = {'fsync': 'off', 'full_page_writes': 'off'}


class Cluster:
    """A running private server.

    It listens at a Unix socket in a folder that only its user may enter, and at no address.

    Args:
        folder (str): the data folder of the sandbox; the server's files are below it.
        forget (bool): the folder is removed at the end.

    Attributes:
        dsn (str): how to connect as its superuser.

    Raises:
        EngineError: PostgreSQL or PostGIS is missing, or the server does not start.
    """

    def __init__(self, folder, forget):
        data = data_of(folder)
        order = {
            'programs': _programs(data), 'user_id': _user_id(), 'data': data, 'role': ROLE,
            # A path of a socket may have 107 bytes, and that of the data folder is the user's choice.
            'sockets': tempfile.mkdtemp(prefix='amigocloud-'), 'forget': folder if forget else None,
        }
        order['settings'] = dict(_SETTINGS, unix_socket_directories=order['sockets'],
                                 **(_CARELESS_SETTINGS if forget else {}))
        is_new = not os.path.exists(data)
        os.makedirs(data, mode=0o700, exist_ok=True)
        if order['user_id'] is not None:
            for path in (data, order['sockets']):
                os.chown(path, *order['user_id'])
            if forget:
                # The other user has to get through to its own folder.
                os.chmod(folder, 0o711)
        self.dsn = 'host={} user={} dbname=postgres'.format(order['sockets'], ROLE)
        self._keeper = subprocess.Popen(
            [sys.executable, '-I', os.path.join(os.path.dirname(__file__), 'keeper.py'), json.dumps(order)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True, start_new_session=True)
        error = json.loads(self._keeper.stdout.readline() or '{"error": "its keeper ended"}')['error']
        if error is not None:
            self.close()
            if is_new:
                shutil.rmtree(data, ignore_errors=True)
            raise EngineError('PostgreSQL did not start in {}: {}'.format(data, error[-1000:]))

    def close(self):
        """Stop the server."""
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()


def data_of(folder):
    """Return the folder of a private server below a data folder."""
    return os.path.join(folder, 'postgres')


def _programs(data):
    """Return the folder of PostgreSQL's programs: the newest with PostGIS, or those that the data were made with."""
    if os.name != 'posix':
        raise EngineError('A private PostgreSQL needs Unix sockets; pass --database for a server of your own.')
    made_with = None
    if os.path.exists(os.path.join(data, 'PG_VERSION')):
        with open(os.path.join(data, 'PG_VERSION')) as file:
            made_with = file.read().strip()
    found = [os.path.dirname(os.path.realpath(path)) for path in [shutil.which('initdb')] if path]
    for place in _PLACES:
        found += glob.glob(place)
    usable = [(version, programs) for version, programs in map(_version, found)
              if version and made_with in (None, str(version)) and _has_postgis(programs)]
    if not usable:
        raise EngineError('PostgreSQL {}with PostGIS is not installed (Debian and Ubuntu: apt-get install postgresql '
                           'postgis; macOS: brew install postgis).'.format(made_with + ' ' if made_with else ''))
    return max(usable)[1]


def _version(programs):
    """Return the major version of PostgreSQL, 0 if it does not say, and the folder."""
    try:
        output = subprocess.run([os.path.join(programs, 'initdb'), '--version'], stdout=subprocess.PIPE, check=True,
                                universal_newlines=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0, programs
    return int(re.search(r'\d+', output).group()), programs


def _has_postgis(programs):
    try:
        shared = subprocess.run([os.path.join(programs, 'pg_config'), '--sharedir'], stdout=subprocess.PIPE, check=True,
                                universal_newlines=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return False
    return os.path.exists(os.path.join(shared, 'extension', 'postgis.control'))


def _user_id():
    """Return user and group to run the server as, or None for the user of this process: root may not."""
    if os.geteuid():
        return None
    import pwd
    for name in ('postgres', 'nobody'):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    raise EngineError('PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it.')
