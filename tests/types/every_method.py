"""Every public method as a script calls it, for type checkers. Nothing runs it."""
from __future__ import annotations

import datetime
import gzip
import io
import pathlib
from typing import TYPE_CHECKING, Any

import folium
import geopandas
import pandas
import pyarrow
import requests
from shapely.geometry import Point
from typing_extensions import assert_type

import amigocloud as package
from amigocloud import AmigoCloud, AmigoCloudError, AmigoCloudJobError, Cursor
from amigocloud.amigocloud import (
    BASE_URL,
    CHUNK_SIZE,
    MAX_SIZE_SIMPLE_UPLOAD,
    AmigoCloudIterator,
)
from amigocloud.exceptions import AmigoCloudValueError
from amigocloud.project import Dataset, Gallery, Project
from amigocloud.rows.results import WriteResult

if TYPE_CHECKING:
    from amigocloud.client import (
        DatasetDict,
        DatasetSummaryDict,
        JobDict,
        ProjectDict,
        ProjectSummaryDict,
        UserDict,
    )


def show(done: int, total: int | None) -> None:
    print(done, total)


def receive(event: dict[str, Any]) -> None:
    print(event)


def constants() -> None:
    assert_type(package.__version__, str)
    assert_type(BASE_URL, str)
    assert_type(CHUNK_SIZE, int)
    assert_type(MAX_SIZE_SIMPLE_UPLOAD, int)


def login() -> None:
    AmigoCloud()
    AmigoCloud('token', '/projects/2')
    with AmigoCloud(
        token='token',
        project_url=None,
        base_url=BASE_URL,
        use_websockets=False,
        websocket_port=5005,
        session=requests.Session(),
        timeout=(10, None),
        retries=0,
        verify='certificates.pem',
        proxies={'https': 'http://proxy:3128'},
        max_events=1000,
    ) as client:
        assert_type(client, AmigoCloud)
    assert_type(AmigoCloud.from_env(use_websockets=False), AmigoCloud)
    client.authenticate('token', project_url='/projects/2')
    client.logout()
    assert_type(client.base_url, str)
    assert_type(client.api_url, str)
    assert_type(client.build_url('me'), str)
    client.check_for_errors(requests.Response())
    client.close()


def get(client: AmigoCloud, raw: bool, stream: bool) -> None:
    assert_type(client.get('me'), Any)
    assert_type(client.get('me', {'limit': 5}, timeout=10), Any)
    assert_type(client.get('me', raw=False, stream=False), Any)
    assert_type(client.get('me', raw=raw), Any)
    assert_type(client.get('me', stream=stream), Any)
    assert_type(client.get('me', raw=True, stream=stream), Any)
    assert_type(client.get('me', raw=True), bytes)
    assert_type(client.get('me', raw=True, stream=False, timeout=10), bytes)
    assert_type(client.get('me', None, True), bytes)
    assert_type(client.get('me', None, True, False), bytes)
    assert_type(client.get('me', stream=True), requests.Response)
    assert_type(client.get('me', raw=True, stream=True), requests.Response)
    assert_type(client.get('me', None, False, True), requests.Response)


def post(client: AmigoCloud, raw: bool, stream: bool) -> None:
    data = {'name': 'Trees'}
    assert_type(client.post('me/projects', data), Any)
    assert_type(client.post('me/projects', json=data, raw=raw), Any)
    assert_type(client.post('me/projects', data, raw=True, stream=stream), Any)
    assert_type(client.post('me/projects', data, None, {}, raw=True), bytes)
    assert_type(client.post('me/projects', b'{}', raw=True, send_as_json=False), bytes)
    assert_type(client.post('me/projects', data, stream=True), requests.Response)
    assert_type(client.post('me/projects', data, raw=True, stream=True), requests.Response)


def put(client: AmigoCloud, raw: bool, stream: bool) -> None:
    assert_type(client.put('me', {}), Any)
    assert_type(client.put('me', {}, raw=raw, content_type='text/csv'), Any)
    assert_type(client.put('me', {}, raw=True, stream=stream), Any)
    assert_type(client.put('me', {}, raw=True), bytes)
    assert_type(client.put('me', {}, stream=True), requests.Response)


def patch(client: AmigoCloud, raw: bool, stream: bool) -> None:
    assert_type(client.patch('me', {}), Any)
    assert_type(client.patch('me', {}, raw=raw, headers={'If-Match': '*'}), Any)
    assert_type(client.patch('me', {}, raw=True, stream=stream), Any)
    assert_type(client.patch('me', {}, raw=True), bytes)
    assert_type(client.patch('me', {}, stream=True), requests.Response)


def delete(client: AmigoCloud, raw: bool, stream: bool) -> None:
    assert_type(client.delete('datasets/2'), Any)
    assert_type(client.delete('datasets/2', raw=raw), Any)
    assert_type(client.delete('datasets/2', raw=True, stream=stream), Any)
    assert_type(client.delete('datasets/2', raw=True), bytes)
    assert_type(client.delete('datasets/2', stream=True), requests.Response)


def answers(client: AmigoCloud) -> None:
    user: UserDict = client.get('me')
    assert_type(user['id'], int)
    assert_type(user['email'], str)
    project: ProjectDict = client.get('/projects/1')
    assert_type(project['name'], str)
    assert_type(project['dataset_count'], int)
    project_summary: ProjectSummaryDict = project
    assert_type(project_summary['hash'], str)
    dataset: DatasetDict = client.get('/projects/1/datasets/2')
    assert_type(dataset['feature_count'], int)
    assert_type(dataset['export'], str)
    dataset_summary: DatasetSummaryDict = dataset
    assert_type(dataset_summary['visible'], bool)


def cursor(client: AmigoCloud) -> None:
    rows = client.get_cursor('me/projects', {'limit': 100}, timeout=10)
    assert_type(rows, Cursor)
    same: AmigoCloudIterator = rows
    for row in rows:
        assert_type(row, dict[str, Any])
    assert_type(next(same), dict[str, Any])
    assert_type(rows.next(), dict[str, Any])
    assert_type(list(rows), list[dict[str, Any]])
    assert_type(rows.has_next, bool)
    assert_type(rows.get('count'), Any)
    assert_type(rows.to_dataframe(), pandas.DataFrame)
    assert_type(rows.to_dataframe(progress=show), pandas.DataFrame)
    assert_type(rows.to_geodataframe('location', crs=4326, progress=True), geopandas.GeoDataFrame)
    assert_type(rows.to_arrow(progress=False), pyarrow.Table)
    rows.to_file('trees.gpkg', layer='trees', append=True)
    rows.to_file(pathlib.Path('trees.kml'), progress=None)
    Cursor(lambda url, params: client.get(url, params), 'me/projects', {'limit': 100}, prefetch=2)


def project(client: AmigoCloud, frame: geopandas.GeoDataFrame, table: pandas.DataFrame) -> None:
    project = client.project(1)
    assert_type(project, Project)
    client.project('0c9a1f0e-5a8e-4c0f-9d43-2b6f0b1f6c11')
    assert_type(client.project().id, str | None)
    assert_type(project.client, AmigoCloud)
    assert_type(project.url, str)
    assert_type(project.datasets(search='oak', type='vector'), Cursor)
    assert_type(project.sql('SELECT :n', {'n': 1}), Cursor)
    project.sql('SELECT 1', limit=100, prefetch=2, state='0c9a', dataset_id=2)
    assert_type(project.execute('DELETE FROM dataset_2'), dict[str, Any])
    project.execute('DELETE FROM dataset_2 WHERE name = :name', {'name': 'Oak'})
    assert_type(project.create_dataset('Trees', frame, progress=show), Dataset)
    assert_type(project.create_dataset('Trees', table), Dataset)
    trees = project.create_dataset('Trees', table, if_exists='replace', add_columns=True)
    assert_type(trees.written, WriteResult | None)
    assert_type(project.create_dataset('Trees', [{'name': 'kind', 'type': 'string'}]), Dataset)
    assert_type(project.upload('trees.zip'), dict[str, Any])
    project.upload('trees.csv', 1000000, progress=True, extra_data={'csv_props.delimiter': ';'})
    project.upload('trees.csv', overwrite=trees, delimiter=';')
    assert_type(client.projects(search='Trees'), Cursor)
    assert_type(client.project_named('Trees'), Project)
    assert_type(project.dataset_named('Oaks'), Dataset)
    assert_type(project.saved_query(5), str)
    assert_type(project.base_layers(), Cursor)
    assert_type(project.record_history(datetime.datetime.now()), Cursor)
    Project(client, 1)


def dataset(client: AmigoCloud, frame: geopandas.GeoDataFrame, table: pandas.DataFrame) -> None:
    dataset = client.project(1).dataset(2)
    assert_type(dataset, Dataset)
    assert_type(dataset.client, AmigoCloud)
    assert_type(dataset.project, Project)
    assert_type(dataset.id, int)
    assert_type(dataset.url, str)
    assert_type(dataset.table_name, str)
    assert_type(dataset.read(), Cursor)
    dataset.read(['name'], 'height > :height', {'height': 3.5}, order_by=['name'])
    dataset.read(bbox=geopandas.GeoSeries([Point(11.6, 48.1)]).total_bounds)
    dataset.read(bbox=(11.5, 48.1, 11.6, 48.2), intersects=Point(11.6, 48.1))
    dataset.read(limit=1000, prefetch=2, offset=100, rows=50, state='0c9a')
    assert_type(dataset.count(), int)
    dataset.count('height > :height', {'height': 3.5}, [11.5, 48.1, 11.6, 48.2], Point(11.6, 48.1))
    result = dataset.insert([{'name': 'Oak', 'height': 3.5}])
    assert_type(result, WriteResult)
    assert_type(result.amigo_ids, list[str])
    assert_type(result.inserted, list[str])
    assert_type(result.updated, list[str])
    assert_type(result.deleted, list[str])
    assert_type(result.unchanged, list[str])
    WriteResult(['6f1c'], unchanged=['6f1c'])
    assert_type(dataset.insert({'name': name} for name in ('Oak', 'Elm')), WriteResult)
    assert_type(dataset.insert(frame), WriteResult)
    assert_type(dataset.update(table), WriteResult)
    assert_type(dataset.update([{'amigo_id': '6f1c', 'name': None}]), WriteResult)
    assert_type(dataset.upsert(frame, key='code'), WriteResult)
    assert_type(dataset.upsert([{'code': 'a1', 'name': None}], 'code'), WriteResult)
    assert_type(dataset.delete(['6f1c']), WriteResult)
    assert_type(dataset.delete(row['amigo_id'] for row in dataset.read()), WriteResult)
    dataset.truncate()
    assert_type(dataset.states(), list[str])
    assert_type(dataset.states(since='0c9a', until='1d0b'), list[str])
    assert_type(dataset.changeset('0c9a'), Any)
    assert_type(dataset.revert('0c9a')['status'], str)
    assert_type(dataset.restore(['6f1c']), WriteResult)
    inserted, updated, deleted = dataset.diff('0c9a', new='1d0b')
    assert_type(inserted, pandas.DataFrame)
    assert_type(updated, pandas.DataFrame)
    assert_type(deleted, pandas.DataFrame)
    assert_type(dataset.diff('0c9a').inserted, pandas.DataFrame)
    assert_type(dataset.export('KML'), str)
    assert_type(dataset.export('KML', pathlib.Path('trees.kml'), progress=True), str)
    assert_type(dataset.export('KML', b'trees.kml'), bytes)
    dataset.export('KML', io.BytesIO())
    assert_type(dataset.geocode('address', 'location', country='US'), dict[str, Any])
    assert_type(dataset.geocode('address', 'location', progress=False), dict[str, Any])
    dataset.listen()
    assert_type(dataset.read(labels=True), Cursor)
    assert_type(dataset.read(labels='category'), Cursor)
    assert_type(dataset.schema(), list[dict[str, Any]])
    dataset.add_column('kind', 'string', 'o', nullable=False, choices={'o': 'Oak'})
    dataset.alter_column('kind', alias='Kind')
    dataset.set_choices('kind', {'o': 'Oak', 'e': 'Elm'})
    dataset.drop_column('kind')
    assert_type(dataset.related_tables(), Cursor)
    assert_type(dataset.create_gallery('photos'), Gallery)
    assert_type(dataset.children('6f1c', 3), Cursor)
    assert_type(dataset.relationships(), Cursor)
    assert_type(dataset.tile_url(), str)
    assert_type(dataset.tile_url('json'), str)
    assert_type(dataset.tile_layer(), folium.TileLayer)
    dataset.report_position('Bus 7', 37.77, -122.42, datetime.datetime.now(), speed=8)
    Dataset(client.project(1), '2')


def gallery(client: AmigoCloud) -> None:
    gallery = client.gallery(3)
    assert_type(gallery, Gallery)
    assert_type(gallery.client, AmigoCloud)
    assert_type(gallery.id, int)
    assert_type(gallery.url, str)
    assert_type(gallery.upload('6f1c', 'oak.jpg'), dict[str, Any])
    gallery.upload(
        '6f1c', io.BytesIO(b'...'), CHUNK_SIZE, True, metadata={'tag': 1}, filename='oak.jpg'
    )
    assert_type(gallery.photos(), Cursor)
    assert_type(gallery.photos('6f1c'), Cursor)
    assert_type(gallery.download('photos', size='medium'), list[str])
    assert_type(gallery.download('photos', '6f1c', progress=show), list[str])
    assert_type(gallery.download(pathlib.Path('photos')), list[str])
    assert_type(gallery.download(b'photos', source_amigo_id='6f1c'), list[bytes])
    Gallery(client, 3)


def upload(client: AmigoCloud) -> None:
    try:
        assert_type(client.upload_file('upload', 'chunked_upload', 'trees.zip'), dict[str, Any])
    except AmigoCloudError as error:
        client.upload_file(None, 'chunked_upload', 'trees.zip', CHUNK_SIZE, True, {}, error, show)
    assert_type(client.upload_datafile(1, 2, pathlib.Path('trees.zip')), dict[str, Any])
    client.upload_datafile(1, 2, b'trees.zip', extra_data={'csv_props.delimiter': ';'})
    with open('trees.csv', 'rb') as data:
        client.upload_datafile(1, 2, data, force_chunked=True, progress=show)
    with open('trees.csv') as text:
        client.upload_datafile(1, 2, text, resume=KeyboardInterrupt())
    with gzip.open('trees.csv.gz') as unpacked:
        client.upload_datafile(1, 2, unpacked)
    assert_type(client.upload_gallery_photo(3, '6f1c', 'oak.jpg'), dict[str, Any])
    client.upload_gallery_photo(3, '6f1c', io.BytesIO(b'...'), metadata={}, filename='oak.jpg')


def jobs_and_files(client: AmigoCloud) -> None:
    job = client.wait_for_job(client.upload_datafile(1, 2, 'trees.zip'), timeout=60, progress=True)
    assert_type(job['status'], str)
    assert_type(job['extra']['dataset_ids'], Any)
    assert_type(job['url'], str)
    same: JobDict = client.wait_for_job('0c9a')
    client.wait_for_job(1, 0)
    client.wait_for_job(dict(same))
    assert_type(client.geocode_addresses(1, 2, 'address', 'location'), dict[str, Any])
    client.geocode_addresses(None, 2, 'address', 'location', progress=show, country='US')
    assert_type(client.download('files/1'), str)
    assert_type(client.download('files/1', None, progress=True), str)
    assert_type(client.download('files/1', 'folder', show), str)
    assert_type(client.download('files/1', pathlib.Path('trees.zip')), str)
    assert_type(client.download('files/1', destination=b'trees.zip'), bytes)
    with open('trees.zip', 'wb') as output:
        client.download('files/1', output)


def events(client: AmigoCloud) -> None:
    client.listen_user_events()
    client.listen_dataset_events(1, 2, 3)
    client.add_callback('realtime', receive)
    client.add_callback('realtime', print)
    client.start_listening()
    client.start_listening(seconds=0.5)
    client.stop_listening()
    for connection in (client.socketio, client.amigosocket):
        if connection:
            assert_type(connection.connected, bool)
            connection.start()
            connection.subscribe('/me/start_websocket_session', {'userid': 1})
            connection.on('realtime', receive)
            connection.once('realtime', receive)
            connection.off('realtime')
            connection.emit('authenticate', {'userid': 1})
            connection.wait(seconds=1)
            connection.stop()
            connection.forget()
            connection.close()
            connection.disconnect()


def errors(client: AmigoCloud) -> None:
    try:
        client.wait_for_job(1)
    except AmigoCloudJobError as error:
        assert_type(error.job['status'], str)
    except AmigoCloudValueError as error:
        bad_argument: ValueError = error
        print(bad_argument)
    except AmigoCloudError as error:
        assert_type(error.message, str)
        assert_type(error.response, requests.Response | None)
        assert_type(error.text, str | None)
        assert_type(error.status_code, int | None)
        assert_type(error.upload_id, str | None)
        assert_type(error.offset, int | None)
        assert_type(error.written, list[str] | None)
        assert_type(error.unknown, list[str] | None)
    AmigoCloudError('The request failed.', requests.Response())
    AmigoCloudValueError('The argument cannot be used.')
    AmigoCloudJobError('The job failed.', {'status': 'FAILURE', 'extra': None, 'url': '/me/jobs/1'})
