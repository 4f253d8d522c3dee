"""The tour: the tasks of the user guide, typed step by step against a sandbox of its own."""
import contextlib
import doctest
import importlib.util
import os
import pprint
import sys
import tempfile
import textwrap
import threading
import time

#: Seconds between two positions of the bus.
_BUS_SECONDS = 0.2
_POSITION = ('<gps id="Bus 7"><coordinates><coordinate><latitude>{}</latitude><longitude>-122.41</longitude>'
             '</coordinate></coordinates></gps>')
_TREES = 'species,height,latitude,longitude\nlime,9,37.771,-122.455\noak,14,37.772,-122.461\nelm,21,37.769,-122.458\n'

#: A title for each step, and what a user types. Steps that need the extra geo are left out without it.
_STEPS = [
    ('Connect', '''
>>> amigocloud = AmigoCloud(token, base_url=url)
>>> amigocloud
'''),
    ('List', '''
>>> for project in amigocloud.get_cursor('me/projects', {'limit': 2, 'search': 'Field'}):
...     print(project['id'], project['name'])
>>> project = amigocloud.project(project_id)
>>> [dataset['name'] for dataset in project.datasets()]
'''),
    ('Create', '''
>>> schema = [{'name': 'species', 'type': 'string'},
...           {'name': 'location', 'type': 'geometry', 'geometry_type': 'POINT'}]
>>> trees = project.create_dataset('Street trees', schema)
>>> trees.insert([{'species': 'Linden', 'location': 'SRID=4326;POINT(-122.46 37.77)'}])
'''),
    ('Upload', '''
>>> answer = project.upload('trees.csv')
>>> answer
'''),
    ('Wait', '''
>>> job = amigocloud.wait_for_job(answer)
>>> job['status'], job['extra']['dataset_ids']
'''),
    ('SQL', '''
>>> vehicles = project.dataset(vehicles_id)
>>> rows = project.sql("SELECT name, seats FROM {} WHERE seats > 40 ORDER BY seats".format(vehicles.table_name))
>>> rows.get('count')
>>> next(rows)
>>> project.execute("UPDATE {} SET seats = seats + 1 WHERE kind = 'bus'".format(vehicles.table_name))['count']
'''),
    ('Table', '''
>>> frame = vehicles.read().to_geodataframe()
>>> frame[['name', 'kind', 'seats', 'location']]
'''),
    ('Map file', '''
>>> vehicles.read().to_file('vehicles.gpkg')
>>> sorted(os.listdir())
'''),
    ('Export', '''
>>> vehicles.export('KML', 'vehicles.kml')
'''),
    ('Photo', '''
>>> bus = next(vehicles.read())['amigo_id']
>>> amigocloud.gallery(gallery_id).upload(bus, 'bus.png')['filename']
>>> len(amigocloud.gallery(gallery_id).download('photos'))
'''),
    ('Live events', '''
>>> def show(event):
...     for position in event['data']:
...         print(position['object_id'], 'is at', position['latitude'], position['longitude'])
>>> amigocloud.add_callback('realtime', show)
>>> vehicles.listen()
>>> amigocloud.start_listening(seconds=1.5)
'''),
    ('An error, on purpose', '''
>>> try:
...     project.sql('SELECT wheels FROM {}'.format(vehicles.table_name)).get('count')
... except AmigoCloudError as error:
...     print(error)
'''),
]
_NEED_GEO = ('Table', 'Map file')
_INDENT = 6 * ' '

_NEXT = """\
Your own account, in three lines:

    from amigocloud import AmigoCloud
    amigocloud = AmigoCloud(token='...')    # from the page "API tokens" of your account's settings
    amigocloud.get('me')
"""


def main(database=None):
    """Run the tour; a step that fails raises its exception.

    Args:
        database (str): see ``Sandbox``.

    Returns:
        int: the number of steps.
    """
    start = time.monotonic()
    paint = _Paint(sys.stdout)
    print('Starting an AmigoCloud on this machine ...', flush=True)
    # Imported here because these take longer than a second on a slow machine.
    from amigocloud import AmigoCloud, AmigoCloudError

    from . import Sandbox
    steps = [step for step in _STEPS if step[0] not in _NEED_GEO or importlib.util.find_spec('geopandas')]
    with contextlib.ExitStack() as ending:
        sandbox = ending.enter_context(Sandbox(database=database))
        ending.enter_context(_inside_a_folder())
        ending.enter_context(_values_printed())
        print('It runs at {}, with {}.'.format(sandbox.url, sandbox.engine))
        client = ending.enter_context(AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False))
        _write_files(client, sandbox)
        names = dict(vars(sandbox), AmigoCloud=AmigoCloud, AmigoCloudError=AmigoCloudError, os=os)
        ending.callback(lambda: names['amigocloud'].close())
        for number, (title, source) in enumerate(steps, 1):
            print('\n{}'.format(paint('1', '{:2d}/{} {}'.format(number, len(steps), title))))
            with _Bus(client, sandbox) if title == 'Live events' else contextlib.nullcontext():
                _type(source, names, paint)
    if len(steps) < len(_STEPS):
        print('\nTables and map files need more packages: pip install "amigocloud[geo]"')
    print(paint('32', '\nAll {} steps worked, in {:.0f} s.\n'.format(len(steps), time.monotonic() - start)))
    print(_NEXT, flush=True)
    return len(steps)


def _type(source, names, paint):
    """Print and run the lines of a step; values and output are indented below them."""
    for example in doctest.DocTestParser().get_examples(source):
        typed = '>>> ' + example.source.rstrip().replace('\n', '\n... ')
        print(textwrap.indent(paint('36', typed), _INDENT), flush=True)
        with contextlib.redirect_stdout(_Indented(sys.stdout)):
            exec(compile(example.source, '<tour>', 'single'), names)


class _Indented:
    """A stream that indents each line."""

    def __init__(self, stream):
        self._stream = stream
        self._at_start = True

    def write(self, text):
        for line in text.splitlines(keepends=True):
            self._stream.write(_INDENT + line if self._at_start else line)
            self._at_start = line.endswith('\n')

    def flush(self):
        self._stream.flush()


class _Paint:
    """Colours for a terminal that has them."""

    def __init__(self, stream):
        self._is_terminal = stream.isatty() and 'NO_COLOR' not in os.environ and os.environ.get('TERM') != 'dumb'
        if self._is_terminal and os.name == 'nt':
            # This switches the escape sequences of Windows' console on.
            os.system('')  # noqa: S605, S607 - an empty command

    def __call__(self, code, text):
        if not self._is_terminal:
            return text
        return '\n'.join('\x1b[{}m{}\x1b[0m'.format(code, line) if line else line for line in text.split('\n'))


@contextlib.contextmanager
def _values_printed():
    """Print long values in several lines."""
    def show(value):
        if value is not None:
            print(pprint.pformat(value, width=90, sort_dicts=False), flush=True)
    sys.displayhook = show
    try:
        yield
    finally:
        sys.displayhook = sys.__displayhook__


@contextlib.contextmanager
def _inside_a_folder():
    """Run in a temporary folder, because the tour writes files."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def _write_files(client, sandbox):
    """Write the files that the tour uploads."""
    with open('trees.csv', 'w') as file:
        file.write(_TREES)
    dataset = client.project(sandbox.project_id).dataset(sandbox.vehicles_id)
    client.download(dataset.url + '/preview_image', 'bus.png')


class _Bus:
    """A bus that reports its position, as a tracker in a vehicle does."""

    def __init__(self, client, sandbox):
        self._client = client
        self._url = client.project(sandbox.project_id).dataset(sandbox.vehicles_id).url + '/realtime'
        self._arrived = threading.Event()
        self._thread = threading.Thread(target=self._drive)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *exception):
        self._arrived.set()
        self._thread.join()

    def _drive(self):
        latitude = 37.78
        while not self._arrived.wait(_BUS_SECONDS):
            latitude = round(latitude + 0.001, 3)
            self._client.post(self._url, _POSITION.format(latitude), send_as_json=False, content_type='application/xml')
