"""The tour: the user guide, typed step by step against a sandbox of its own."""
import contextlib
import doctest
import os
import pprint
import sys
import tempfile
import textwrap
import threading

import shapely

from amigocloud import AmigoCloud, AmigoCloudError

from . import Sandbox, formats

#: Seconds between two positions of the bus.
_BUS_SECONDS = 0.25

_GUIDE = """
Log in with a user token.

>>> amigocloud = AmigoCloud(token=sandbox.token, base_url=sandbox.url)
>>> amigocloud

Log in with a project token, which works only below its project.

>>> project = AmigoCloud(token=sandbox.project_token, project_url=sandbox.project_url, base_url=sandbox.url)
>>> project.get('datasets')['count']

Write a URL in three ways: below the API, the same with a slash, in full.

>>> amigocloud.get('me')['email']
>>> amigocloud.get('/me')['email']
>>> amigocloud.get(sandbox.url + '/api/v1/me')['email']

Create a project.

>>> created = amigocloud.post('/me/projects', {'name': 'Street trees', 'description': 'What grows where'})
>>> created['id'], created['name']

List all projects with a cursor, which asks for the pages as they are needed.

>>> projects = amigocloud.get_cursor('/me/projects')
>>> projects.get('count')
>>> len([item['name'] for item in projects])
>>> projects

Upload a shapefile; a job makes a dataset of it.

>>> make_shapefile('trees.zip')
>>> answer = amigocloud.upload_datafile(sandbox.user_id, created['id'], 'trees.zip')
>>> answer

Wait for the job.

>>> job = amigocloud.wait_for_job(answer)
>>> job['status'], job['extra']

Ask by SQL; the answer names the columns and counts the rows beside the data.

>>> dataset_id = job['extra']['dataset_ids'][0]
>>> rows = project.get_cursor('/projects/{}/sql'.format(sandbox.project_id), {
...     'query': 'SELECT name, seats, ST_X(location) AS longitude FROM dataset_{}'.format(sandbox.vehicles_id)})
>>> rows.get('columns')
>>> rows.get('count')
>>> next(rows)

Change rows by SQL, and count what is heavy.

>>> sql = created['sql']
>>> amigocloud.post(sql, {'query': "UPDATE dataset_{} SET height = height + 1".format(dataset_id)})['count']
>>> amigocloud.get(sql, {'query': 'SELECT count(*) FROM dataset_{} WHERE height > 10'.format(dataset_id)})['data']

Save the thumbnail of a dataset to a file.

>>> dataset = amigocloud.get('/projects/{}/datasets/{}'.format(sandbox.project_id, sandbox.vehicles_id))
>>> with open('thumbnail.png', 'wb') as image:
...     image.write(amigocloud.get(dataset['preview_image'], raw=True))

Geocode a table of addresses.

>>> amigocloud.geocode_addresses(sandbox.project_id, sandbox.places_id, 'address', 'location')

Listen to a moving bus for three seconds.

>>> seen = []
>>> def show(event):
...     for position in event['data']:
...         print(position['object_id'], 'is at', position['latitude'], position['longitude'])
...         seen.append(position)
>>> amigocloud.add_callback('realtime', show)
>>> amigocloud.listen_dataset_events(sandbox.user_id, sandbox.project_id, sandbox.vehicles_id)
>>> bus.start()
>>> amigocloud.start_listening(seconds=3)
>>> assert seen, 'the bus did not move'

See what an error looks like, on purpose.

>>> try:
...     amigocloud.get('/projects/0/datasets')
... except AmigoCloudError as raised:
...     error = raised
>>> print(error)
>>> error.status_code
"""


def main():
    """Run the tour; a step that fails raises what it raised.

    Returns:
        int: how many steps there were.
    """
    steps = 0
    with contextlib.ExitStack() as ending:
        sandbox = ending.enter_context(Sandbox())
        ending.enter_context(_inside_a_folder())
        ending.enter_context(_shown())
        bus = ending.enter_context(_Bus(sandbox))
        names = {'AmigoCloud': AmigoCloud, 'AmigoCloudError': AmigoCloudError, 'sandbox': sandbox, 'bus': bus,
                 'make_shapefile': _make_shapefile}
        for part in doctest.DocTestParser().parse(_GUIDE):
            if isinstance(part, doctest.Example):
                print(textwrap.indent('>>> ' + part.source.rstrip().replace('\n', '\n... '), '    '), flush=True)
                exec(compile(part.source, '<tour>', 'single'), names)
            elif part.strip():
                steps += 1
                print('\n{}. {}\n'.format(steps, part.strip()), flush=True)
        names['amigocloud'].close()
        names['project'].close()
    print('\nAll {} steps of the tour worked.'.format(steps))
    return steps


@contextlib.contextmanager
def _inside_a_folder():
    """The tour writes files where it stands: in a folder that is gone afterwards."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


@contextlib.contextmanager
def _shown():
    """Values of more than one line are indented like the rest."""
    def show(value):
        if value is not None:
            print(textwrap.indent(pprint.pformat(value, width=100, sort_dicts=False), '    '), flush=True)
    sys.displayhook = show
    try:
        yield
    finally:
        sys.displayhook = sys.__displayhook__


class _Bus:
    """A bus that reports its position, as a device in the field does."""

    def __init__(self, sandbox):
        self._url = '/projects/{}/datasets/{}/realtime'.format(sandbox.project_id, sandbox.vehicles_id)
        self._client = AmigoCloud(token=sandbox.token, base_url=sandbox.url, use_websockets=False)
        self._arrived = threading.Event()
        self._thread = threading.Thread(target=self._drive)

    def start(self):
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._arrived.set()
        if self._thread.ident:
            self._thread.join()
        self._client.close()

    def _drive(self):
        latitude = 37.78
        while not self._arrived.wait(_BUS_SECONDS):
            latitude = round(latitude + 0.001, 3)
            self._client.post(self._url, {'object_id': 'Bus 7', 'latitude': latitude, 'longitude': -122.41})


def _make_shapefile(path):
    """Write a zipped shapefile of three trees."""
    schema = [{'name': 'species', 'type': 'string'}, {'name': 'height', 'type': 'integer'},
              {'name': 'location', 'type': 'geometry'}]
    trees = [('lime', 9, 'POINT(11.60 48.14)'), ('oak', 10, 'POINT(11.58 48.15)'), ('elm', 21, 'POINT(11.57 48.13)')]
    formats.write_file(schema, [{'species': species, 'height': height, 'location': shapely.to_wkb(
        shapely.set_srid(shapely.from_wkt(point), 4326), hex=True, include_srid=True)}
        for species, height, point in trees], 'SHP', path)
