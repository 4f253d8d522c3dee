"""Helpers for tests of live events: a client, a short way to listen, and separate processes."""
import os
import subprocess
import sys
import textwrap
import threading

import requests
from servers import PATIENCE

import amigocloud


class Service(object):
    """A client for Realtime: returns websocket sessions, or raises errors.

    Args:
        base_url (str): the URL of the event server. Defaults to one that refuses connections.

    Attributes:
        base_url (str): as given.
        urls (list of str): the URLs of all requests.
        errors (list of Exception): the errors that the next requests raise, one each.
    """

    def __init__(self, base_url='http://127.0.0.1:1'):
        self.base_url = base_url
        self.urls = []
        self.errors = []

    def get(self, url):
        self.urls.append(url)
        if self.errors:
            raise self.errors.pop(0)
        return {'websocket_session': 'S{}'.format(len(self.urls))}

    def _get_over_new_connection(self, url):
        return self.get(url)


def refusal(status_code):
    response = requests.Response()
    response.status_code = status_code
    response.url = ''
    response._content = b'no'
    return response


def own_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith('amigocloud')]


def subscribed(events, server):
    events.subscribe('/me', {'userid': 1})
    assert server.expect('authenticate')['payload'] == {'userid': 1, 'websocket_session': 'S1'}
    return events


def listen(events, *names, **options):
    """Listen to events and return them.

    Args:
        events (Realtime): the live events.
        *names (str): the names of the events.
        count (int): the number of events to wait for. Defaults to the number of names.

    Returns:
        list of tuple: the name and the data of each event.
    """
    came = []

    def add(name):
        def callback(data):
            came.append((name, data))
            if len(came) == options.get('count', len(names)):
                events.stop()
        return callback
    for name in set(names):
        events.on(name, add(name))
    events.wait(PATIENCE)
    return came


def run_script(script, *arguments, **options):
    """Run a script in a separate process to its end, and assert that it prints no errors.

    Args:
        script (str): the code, which follows PRELUDE.
        *arguments (str): the arguments of the script.
        meanwhile (callable): a function to call before the standard input of the process ends.
            Defaults to none.

    Returns:
        list of str: the words that it printed.
    """
    root = os.path.dirname(os.path.dirname(amigocloud.__file__))
    path = os.pathsep.join([root, os.environ.get('PYTHONPATH', '')])
    code = textwrap.dedent(PRELUDE) + textwrap.dedent(script)
    process = subprocess.Popen(
        [sys.executable, '-c', code] + list(arguments), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=path),
        universal_newlines=True)
    watchdog = threading.Timer(3 * PATIENCE, process.kill)
    watchdog.start()
    if 'meanwhile' in options:
        options['meanwhile']()
    out, err = process.communicate()
    watchdog.cancel()
    watchdog.join()
    assert (process.returncode, err) == (0, ''), (process.returncode, err[-1500:], out[-1500:])
    return out.split()


PRELUDE = '''
import sys
if 'patched' in sys.argv:
    from gevent import monkey
    monkey.patch_all()
if 'half' in sys.argv:
    from gevent import monkey
    monkey.patch_all(thread=False)
import threading, time
from amigocloud.events.realtime import Realtime
class Client(object):
    base_url = 'http://127.0.0.1:1'
    urls = []
    def get(self, url):
        self.urls.append(url)
        return {'websocket_session': 'S%d' % len(self.urls)}
    _get_over_new_connection = get
client = Client()
if len(sys.argv) > 1:
    client.base_url = sys.argv[1]
    events = Realtime(client)
'''
