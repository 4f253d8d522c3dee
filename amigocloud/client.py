"""AmigoCloud: the client, a thin face of the parts beside this file.

Those that few scripts need are imported when they are used.
"""
from __future__ import absolute_import

import functools
import os
import re
import weakref

import six
from requests.compat import Mapping
from requests.structures import CaseInsensitiveDict

from . import encoding, jobs, queries, retrying, transport, uploads, urls
from .cursor import Cursor
from .exceptions import AmigoCloudError, AmigoCloudValueError, shown
from .realtime import Realtime
from .tokens import strike_out

#: Where the service is, unless the client is told otherwise.
BASE_URL = 'https://app.amigocloud.com'

_API_PATH = '/api/v1'


class AmigoCloud(object):
    """A client of the AmigoCloud API; several threads may use one.

    With a token the client logs in at once: ``GET /me`` for a user token, a GET of the project for a project token.

    Args:
        token (str): a user or project token. Without one, requests are anonymous.
        project_url (str): the project of a project token: relative to the API, with a leading ``/``, or a full URL.
        base_url (str): the service. Defaults to https://app.amigocloud.com.
        use_websockets (bool): start connecting for live events in the background, unless project_url is given.
            Defaults to True.
        websocket_port (int): the port for live events, where it is not that of base_url.
        session (requests.Session): sends the requests, for proxies of your own or test doubles; it stores no
            cookies from then on. Live events use its ``verify``, ``proxies`` and ``cert``. By default the client makes
            its own.
        timeout (float or tuple): seconds to connect and seconds between two bytes of an answer, for calls that
            name none. Defaults to (10, 300).
        retries (int): how often a request is repeated at most. The client repeats a request that did not reach the
            service, one that was not answered and may be done twice (GET, PUT, DELETE), and one that the service asks
            to send later (Retry-After). It does so only within 300 s of the first try, so that a call to a silent
            server fails after about 5 minutes, and only if the body can be read a second time. Each retry is logged
            at WARNING under ``amigocloud``. Adapters of your own, on a session of yours, decide for themselves.
            Defaults to 3.
        verify (bool or str): whether to check certificates, or a file of trusted ones, for requests and live events.
            Defaults to True.
        proxies (dict): proxies for requests and live events, such as ``{'https': 'http://proxy:3128'}``.

    Attributes:
        base_url (str): as given, without a trailing slash.
        api_url (str): base_url and ``/api/v1``.
        socketio (Realtime): the connection for live events, or None.
        amigosocket (Realtime): the same.

    Raises:
        AmigoCloudError: the token is refused, or the service cannot be reached.

    Example:
        with AmigoCloud(token='...') as amigocloud:
            print(amigocloud.get('me')['email'])
    """

    def __init__(self, token=None, project_url=None, base_url=BASE_URL, use_websockets=True, websocket_port=None,
                 session=None, timeout=transport.DEFAULT_TIMEOUT, retries=retrying.DEFAULT_RETRIES, verify=None,
                 proxies=None):
        self.base_url = _checked_base_url(base_url)
        self.api_url = self.base_url + _API_PATH
        self._use_websockets, self._websocket_port = use_websockets and not project_url, websocket_port
        self._settings = {'session': session, 'timeout': timeout, 'retries': retries, 'verify': verify,
                          'proxies': proxies}
        self._connect()
        self.logout()
        if token:
            self.authenticate(token, project_url)
        if self.socketio:
            self.socketio.start()

    @classmethod
    def from_env(cls, **kwargs):
        """Makes a client from the environment, as GDAL's AmigoCloud driver and the QGIS plugin read it.

        The token is AMIGOCLOUD_API_KEY, else AMIGOCLOUD_TOKEN; the service is AMIGOCLOUD_API_URL
        (``https://app.amigocloud.com/api/v1``) if that is set.

        Args:
            **kwargs: further arguments of the constructor.

        Returns:
            AmigoCloud: the client.

        Raises:
            AmigoCloudError: there is no token in the environment, or it is refused.
        """
        token = os.environ.get('AMIGOCLOUD_API_KEY') or os.environ.get('AMIGOCLOUD_TOKEN')
        if not token:
            raise AmigoCloudValueError('Set AMIGOCLOUD_API_KEY to your token in the environment.')
        api_url = os.environ.get('AMIGOCLOUD_API_URL')
        if api_url:
            kwargs.setdefault('base_url', api_url)
        return cls(token, **kwargs)

    def authenticate(self, token, project_url=None):
        """Logs in: ``GET /me``, or a GET of the project.

        Args:
            token (str): a user token, or a project token.
            project_url (str): the project of a project token.

        Raises:
            AmigoCloudError: the token is refused; the client stays logged in as it was.
        """
        if not isinstance(token, six.string_types) or re.search(r'[\x00-\x20\x7f]', token):
            raise AmigoCloudValueError('A token is a str without spaces and control characters.')
        if '://' in token:
            raise AmigoCloudValueError('The token is a URL. The token comes first, then the project URL.')
        if project_url:
            project_url = self._resolved_project_url(project_url)
            url = project_url.rstrip('/') + '/'
        else:
            url = '/me'
        try:
            # The token goes as a parameter, so that the client stays logged in as it was until this succeeds.
            identity = self.get(url, params={'token': token})
        except AmigoCloudError as error:
            if error.status_code in (401, 403) and not project_url:
                error.message += u' (If this is the token of a project, pass its project_url too.)'
            raise
        if not isinstance(identity, dict) or 'id' not in identity:
            raise AmigoCloudError(u'The answer of {} to the login has no id. Is it an AmigoCloud service?'.format(
                strike_out(self.build_url(url), token)))
        self.logout()
        self._token, self._project_url = token, project_url
        if project_url:
            self._project_id = identity['id']
        else:
            self._user_id = identity['id']

    def logout(self):
        """Forgets the login and what it listened to; requests are anonymous from now on."""
        self._token = self._user_id = self._project_id = self._project_url = None
        if self.socketio:
            self.socketio.forget()

    def build_url(self, url):
        """Makes the full URL for what the other methods take as ``url``.

        Args:
            url (str): ``datasets`` (below the project, with a project token; else below the API), ``/me`` (below the
                API) or a full URL.

        Returns:
            str: the full URL, without a token.

        Raises:
            AmigoCloudError: url is not a str.
        """
        return urls.resolve(url, self.api_url, self._project_url)

    def check_for_errors(self, response):
        """Raises AmigoCloudError if the status of a response is 400 or more.

        Args:
            response (requests.Response): an answer of the service.

        Raises:
            AmigoCloudError: with the response.
        """
        transport.check_for_errors(response)

    def get(self, url, params=None, raw=False, stream=False, **request_kwargs):
        """Sends a GET.

        Args:
            url (str): see ``build_url``.
            params (dict): the query.
            raw (bool): give the body as bytes. Defaults to False.
            stream (bool): give the open response, whose body is still to be read. Defaults to False.
            **request_kwargs: any argument of ``requests.get``.

        Returns:
            The decoded JSON (a dict, mostly); bytes if raw or if the body is empty; a ``requests.Response`` if stream.

        Raises:
            AmigoCloudError: the request failed, or was answered with a status of 400 or more.

        Example:
            amigocloud.get('me/projects', {'limit': 5})
        """
        return self._request('GET', url, raw=raw, stream=stream, params=_checked_params(params), **request_kwargs)

    def post(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True, content_type=None,
             **request_kwargs):
        """Sends a POST.

        Args:
            url (str): see ``build_url``.
            data: what to send as JSON, a dict mostly; with files, the form fields; with send_as_json=False, data as
                requests takes it. Anything empty, such as None, ``[]``, ``0`` or ``''``, is sent as ``{}``. Dates and
                times become ISO 8601 texts, scalars of numpy and Decimal numbers, UUIDs and paths texts.
            files (dict): files to send as multipart, as requests takes them.
            headers (dict): further headers.
            raw (bool): give the body of the answer as bytes. Defaults to False.
            send_as_json (bool): Defaults to True.
            content_type (str): the Content-Type of data that is sent as it is, with send_as_json=False.
            **request_kwargs: any argument of ``requests.post``; ``json=`` is sent as requests sends it.

        Returns:
            As ``get``.

        Raises:
            AmigoCloudError: the request failed, or was answered with a status of 400 or more.

        Example:
            amigocloud.post('me/projects', {'name': 'Trees'})
        """
        return self._send('POST', url, data, files, headers, raw, send_as_json, content_type, request_kwargs)

    def put(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True, content_type=None,
            **request_kwargs):
        """Sends a PUT; see ``post``."""
        return self._send('PUT', url, data, files, headers, raw, send_as_json, content_type, request_kwargs)

    def patch(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True, content_type=None,
              **request_kwargs):
        """Sends a PATCH; see ``post``."""
        return self._send('PATCH', url, data, files, headers, raw, send_as_json, content_type, request_kwargs)

    def delete(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True, content_type=None,
               **request_kwargs):
        """Send a DELETE; see ``post``.

        Where the answer to a DELETE is lost, it is repeated. If the service then says that there is no such thing (404
        or 410), the first one was carried out: ``b''`` is returned, and a warning is logged.
        """
        return self._send('DELETE', url, data, files, headers, raw, send_as_json, content_type, request_kwargs)

    def get_cursor(self, url, params=None, **request_kwargs):
        """Gives a lazy iterator over the rows of a list or of an SQL query.

        Args:
            url (str): see ``build_url``.
            params (dict): the query of the first request; those that follow take theirs from the service.
            **request_kwargs: whatever ``requests.get`` takes, for each request.

        Returns:
            Cursor: nothing is sent before its first use.

        Raises:
            AmigoCloudError: url is not a str, or params is not a dict.

        Example:
            for dataset in amigocloud.get_cursor('users/1/projects/2/datasets', {'limit': 100}):
                print(dataset['name'])
        """
        return Cursor(self._fetch(url, request_kwargs), url, _checked_params(params))

    def sql(self, query, project_id=None, limit=queries.PAGE_SIZE, prefetch=0, **params):
        """Reads the rows of an SQL query, at ``/projects/PROJECT/sql``.

        Args:
            query (str): a SELECT, in the SQL of PostGIS.
            project_id (int): the project; not needed with a project token.
            limit (int): rows of one page. Defaults to 5000.
            prefetch (int): pages that a thread asks for while the rows of an earlier one are used. Defaults to 0.
            **params: what else the endpoint takes, such as ``state`` and ``dataset_id``.

        Returns:
            Cursor: nothing is sent before its first use; it also makes tables, see ``Cursor.to_dataframe``.

        Raises:
            AmigoCloudError: there is no project, or an argument cannot be used.

        Example:
            for row in amigocloud.sql('SELECT name FROM dataset_2', project_id=1):
                print(row['name'])
        """
        return queries.select(self._fetch(), self._below(project_id), query, limit, prefetch, params)

    def execute(self, query, project_id=None):
        """Writes by an SQL query: POSTs it to ``/projects/PROJECT/sql``.

        Args:
            query (str): an INSERT, UPDATE or DELETE, in the SQL of PostGIS.
            project_id (int): the project; not needed with a project token.

        Returns:
            dict: the answer; ``count`` is the number of rows that were written.

        Raises:
            AmigoCloudError: there is no project, or the service refuses the query.

        Example:
            amigocloud.execute("UPDATE dataset_2 SET kind = 'bus' WHERE seats > 30", project_id=1)['count']
        """
        return queries.execute(self.post, self._below(project_id), query)

    def read_dataset(self, project_id, dataset_id, limit=queries.PAGE_SIZE, prefetch=0, offset=0, rows=None,
                     state=None):
        """Reads all rows of a dataset as they are at one moment: edits in between change nothing in the result.

        Asks for the newest state at ``/projects/PROJECT/datasets/DATASET/master`` when the first row is wanted, and
        reads ``SELECT * FROM dataset_DATASET ORDER BY amigo_id`` at that state. Several that read parts of a dataset,
        by offset and rows, have to name the same state.

        Args:
            project_id (int): the project; None for that of a project token.
            dataset_id (int): the dataset.
            limit (int), prefetch (int): see ``sql``.
            offset (int): rows to leave out at the start. Defaults to 0.
            rows (int): how many rows; by default all that follow. ``count`` of the cursor is the number of these.
            state (str): the id of a state, as ``master`` and ``states`` of the dataset name them. Defaults to the
                newest.

        Returns:
            Cursor: see ``sql``.

        Raises:
            AmigoCloudError: see ``sql``.

        Example:
            amigocloud.read_dataset(1, 2, prefetch=2).to_geodataframe()
        """
        return queries.read_dataset(self._fetch(), self._below(project_id), dataset_id, limit, prefetch, offset, rows,
                                    state)

    def insert_rows(self, project_id, dataset_id, rows):
        """Insert rows into a dataset: by its ``submit_change``, in batches below 15 MB, and wait for the job of each.

        Rows in a list are all checked before any is sent, those of an iterator (of which one batch is in memory at a
        time) before their batch is. A batch is never sent twice: one that was not answered may have been written.
        Give the rows amigo_ids of your own (``uuid.uuid4().hex``) to be able to look for them then.

        Args:
            project_id (int): the project; None for that of a project token.
            dataset_id (int): the dataset.
            rows (iterable of dict, geopandas.GeoDataFrame or pandas.DataFrame): values by column: None, bool, numbers
                (Decimal and those of numpy too), texts, UUIDs, dates, times and datetimes; geometry as a shapely
                geometry (in SRID 4326 unless it has another), EWKT or hex EWKB. A row without an ``amigo_id`` is given
                one. Of a frame, NaN, NaT and NA become null, and the coordinate system becomes the SRID.

        Returns:
            list of str: the amigo_ids, in the order of the rows.

        Raises:
            AmigoCloudError: a row cannot be sent, a batch failed, or the iterator raised (the error is also an instance
                of what it raised). The message has the number of the rows that were written before, and the list
                ``written`` of the error their amigo_ids.

        Example:
            amigocloud.insert_rows(1, 2, [{'name': 'Oak', 'location': 'SRID=4326;POINT(11.6 48.1)'}])
        """
        from . import changes
        return changes.insert_rows(self.post, self.wait_for_job, self._below(project_id), dataset_id, rows)

    def update_rows(self, project_id, dataset_id, rows):
        """Update rows of a dataset; see ``insert_rows``.

        Args:
            project_id (int), dataset_id (int): see ``insert_rows``.
            rows (iterable of dict, geopandas.GeoDataFrame or pandas.DataFrame): the ``amigo_id`` and the new values of
                each row; the other columns stay.

        Returns:
            list of str: the amigo_ids, in the order of the rows.

        Raises:
            AmigoCloudError: see ``insert_rows``.

        Example:
            amigocloud.update_rows(1, 2, [{'amigo_id': '6f1c', 'name': 'Elm'}])
        """
        from . import changes
        return changes.update_rows(self.post, self.wait_for_job, self._below(project_id), dataset_id, rows)

    def delete_rows(self, project_id, dataset_id, amigo_ids):
        """Delete rows of a dataset; see ``insert_rows``.

        Args:
            project_id (int), dataset_id (int): see ``insert_rows``.
            amigo_ids (iterable of str): which rows.

        Returns:
            list of str: the amigo_ids.

        Raises:
            AmigoCloudError: see ``insert_rows``.

        Example:
            amigocloud.delete_rows(1, 2, ['6f1c'])
        """
        from . import changes
        return changes.delete_rows(self.post, self.wait_for_job, self._below(project_id), dataset_id, amigo_ids)

    def write_geodataframe(self, project_id, gdf, name, progress=None):
        """Makes a dataset of a table; needs ``pip install "amigocloud[geo]"``.

        Creates it at ``/projects/PROJECT/datasets/create`` and puts the rows into it; see ``insert_rows``.
        ``read_dataset(...).to_geodataframe()`` gives the same table in the same order, with an ``amigo_id`` before the
        other columns: integers, floats, booleans, texts, times with a time zone (which come back in UTC), dates
        (``datetime.date``, or times without a time zone that are all midnight), and any number of columns of geometry
        with their coordinate systems, unless all in one is null. The service shows the first of them on its maps. The
        index is not written; ``reset_index`` makes a column of it.

        Args:
            project_id (int): the project; None for that of a project token.
            gdf (geopandas.GeoDataFrame or pandas.DataFrame): the table. A column ``amigo_id``, if there is one, names
                its rows, which are then read in the order of that.
            name (str): what the dataset is called.
            progress (bool or callable): True for a bar, or ``progress(done, total)`` in rows.

        Returns:
            dict: the dataset as the service describes it.

        Raises:
            AmigoCloudValueError: something in the table cannot be kept as it is; nothing was sent.
            AmigoCloudError: it could not be written whole, or could not be read afterwards; the message names the
                dataset and says which.

        Example:
            amigocloud.write_geodataframe(1, geopandas.read_file('trees.gpkg'), 'Trees')['id']
        """
        from . import writing
        return writing.write_geodataframe(self.get, self.post, self.wait_for_job, self._below(project_id), gdf, name,
                                          progress)

    def upload_file(self, simple_upload_url, chunked_upload_url, file_obj, chunk_size=uploads.CHUNK_SIZE,
                    force_chunked=False, extra_data=None, resume=None, progress=None):
        """Upload a file: below 8 MB by one POST, else in chunks. It is read while it is sent.

        A chunk that fails is sent again from the offset that the service holds; an upload that the service has
        forgotten starts again, once. An unanswered completion is not repeated before the service says that it was not
        carried out, for a second one would import the file twice.

        Args:
            simple_upload_url (str): takes a file whole; None to send chunks in any case.
            chunked_upload_url (str): takes a file in chunks, and their end at ``/complete`` below it.
            file_obj (str or bytes or os.PathLike or file): a path, or an open file object that can be rewound. It is
                sent whole, from its start, and left open. Of a file in text mode the bytes are sent
                (``file_obj.buffer``). An empty file is sent like any other.
            chunk_size (int): bytes of one chunk. Defaults to 100000.
            force_chunked (bool): send chunks whatever the size. Defaults to False.
            extra_data (dict): what else to send: form fields, or members of the completion's JSON.
            resume (BaseException): the exception that ended an earlier upload of the file in chunks, Ctrl-C included,
                in this process or, pickled, in another. The upload is resumed from the exception's ``offset``, or
                starts again if the exception has no ``upload_id``.
            progress (bool or callable): True for a bar, or ``progress(done, total)`` in bytes. Defaults to nothing.

        Returns:
            dict: the answer, usually ``{'job': ID}``.

        Raises:
            IOError: there is no such file, or it is a directory.
            AmigoCloudError: the upload failed; the file changed its size meanwhile; or the file object has no bytes or
                cannot be rewound. Any exception that ends an upload in chunks has its ``upload_id`` and ``offset``.
        """
        return uploads.upload(self.post, simple_upload_url, chunked_upload_url, file_obj, chunk_size, force_chunked,
                              extra_data, resume, progress)

    def upload_datafile(self, project_owner, project_id, file_obj, chunk_size=uploads.CHUNK_SIZE,
                        force_chunked=False, resume=None, progress=None, extra_data=None):
        """Upload a file to be imported as a dataset, at ``/users/OWNER/projects/PROJECT/datasets/upload``.

        Args:
            project_owner (int): the id of the user whose project it is.
            project_id (int): the project.
            file_obj, chunk_size, force_chunked, resume, progress: see ``upload_file``.
            extra_data (dict): settings of the import, such as ``{'dataset_write_action': 'overwrite',
                'csv_props.delimiter': ';'}``.

        Returns:
            dict: ``{'job': ID}``; once the job is done its ``extra`` names the ``dataset_ids``.

        Raises:
            IOError, AmigoCloudError: see ``upload_file``.

        Example:
            amigocloud.upload_datafile(1, 2, 'trees.zip')
        """
        datasets = '/users/{}/projects/{}/datasets/'.format(project_owner, project_id)
        return self.upload_file(datasets + 'upload', datasets + 'chunked_upload', file_obj, chunk_size, force_chunked,
                                extra_data, resume, progress)

    def upload_gallery_photo(self, gallery_id, source_amigo_id, file_obj, chunk_size=uploads.CHUNK_SIZE,
                             force_chunked=False, metadata=None, filename=None, resume=None, progress=None):
        """Upload a photo of a feature, at ``/related_tables/GALLERY/upload``.

        Args:
            gallery_id (int): the gallery.
            source_amigo_id (str): the amigo_id of the feature.
            file_obj, chunk_size, force_chunked, resume, progress: see ``upload_file``.
            metadata (dict): what else to keep with the photo.
            filename (str): what the photo is called. Defaults to the name of the file; a file object without one, such
                as ``io.BytesIO``, needs it.

        Returns:
            dict: the answer.

        Raises:
            IOError, AmigoCloudError: see ``upload_file``.
        """
        filename = uploads.base_name(file_obj) if filename is None else filename
        if not filename or not isinstance(filename, six.string_types):
            raise AmigoCloudValueError('A photo needs a name: {:.200} has none; pass filename.'.format(repr(file_obj)))
        extra_data = {'source_amigo_id': source_amigo_id, 'filename': uploads.sendable(filename)}
        extra_data.update(metadata or {})
        gallery = '/related_tables/{}/'.format(gallery_id)
        return self.upload_file(gallery + 'upload', gallery + 'chunked_upload', file_obj, chunk_size, force_chunked,
                                extra_data, resume, progress)

    def geocode_addresses(self, project_id, dataset_id, address_field, geometry_field, progress=None, **extra_params):
        """Fills the points of a dataset from its addresses.

        Reads the addresses by ``/projects/PROJECT/sql``, asks ``/me/geocoder/search`` for 30 at a time and writes
        those points by one UPDATE. An address that is not found is skipped.

        Args:
            project_id (int): the project; None for that of a project token.
            dataset_id (int): the dataset.
            address_field (str): the column of the addresses.
            geometry_field (str): the column of the points, written in SRID 4326.
            progress (bool or callable): ``progress(done, total)`` after each batch, or True for a bar (see
                ``download``). By default percentages go to stderr; False for nothing.
            **extra_params: components that narrow the search, such as ``country='US'``.

        Returns:
            dict: ``rows``, ``geocoded``, ``failed`` and ``seconds``. The same is printed.

        Raises:
            AmigoCloudError: the dataset could not be read or written.
        """
        from . import geocoding
        return geocoding.geocode(self.get, self.post, self._below(project_id), dataset_id, address_field,
                                 geometry_field, extra_params, progress)

    def wait_for_job(self, job, timeout=None, progress=None):
        """Wait until a job has ended, by polling it: first after 0.1 s, then less and less often, up to every 5 s.

        Polls ``/me/jobs/JOB``; with a project token ``jobs/JOB`` below the project, and ``/me/jobs/JOB`` where that is
        answered by 403 or 404.

        Args:
            job (int or str or dict): its id, or the answer that holds it as ``job`` or ``job_id``.
            timeout (float): seconds to wait at the most; 0 asks once. By default there is no limit.
            progress (bool or callable): ``progress(done, total)`` counts this one job, or True for a bar that shows
                how long it takes (see ``download``).

        Returns:
            dict: the job, whose ``extra`` holds what came of it: ``dataset_ids``, ``link``.

        Raises:
            AmigoCloudJobError: the job failed; the error's ``job`` is the whole of it.
            AmigoCloudError: the job could not be read, has a status that is not known, or has not ended in time; it
                goes on then.

        Example:
            job = amigocloud.wait_for_job(amigocloud.upload_datafile(1, 2, 'trees.zip'))
            print(job['extra']['dataset_ids'])
        """
        return jobs.wait_for_job(self.get, 'jobs' if self._project_url else jobs.USER_JOBS, job, timeout, progress)

    def download(self, url, destination=None, progress=None):
        """Downloads a file. It is written while it arrives, beside its place, and moved there once it is whole.

        A download that is interrupted goes on where it was if the server allows that and the file has not changed
        meanwhile; else it begins anew. The same holds for a call after one that ended by Ctrl-C, or with its process:
        that one leaves a hidden file, ``.*.part``, beside the place (not on Windows). Calls to the same place at the
        same time do not disturb each other; the last one to end stays.

        Args:
            url (str): see ``build_url``.
            destination (str or os.PathLike or file): a folder, in which the file is named as the service says (made
                safe: a plain name without folders); a path; or a file open for writing in binary mode, which is
                written from where it stands and left open. A file that is there is replaced, and keeps its mode; a
                link is written through. Defaults to the current folder.
            progress (bool or callable): ``progress(done, total)`` is called with bytes, total is None if the service
                does not say; or True for a bar in the terminal or notebook, which needs the extra ``progress``.

        Returns:
            str: the path; None for an open file.

        Raises:
            IOError: the file cannot be written, as where the disk is full.
            AmigoCloudError: the download failed; nothing is left of it, except in an open file.

        Example:
            amigocloud.download('/projects/2/datasets/3/preview_image', 'preview.png')
        """
        from . import downloads
        return downloads.download(self.get, url, destination, progress)

    def export_dataset(self, project_id, dataset_id, format, destination=None, progress=None):
        """Export a dataset to a file: request the export, wait for its job and download the result.

        Args:
            project_id (int): the project; None for that of a project token.
            dataset_id (int): the dataset.
            format (str): such as ``'CSV'``, ``'GEOJSON'``, ``'KML'``, ``'SHP'``.
            destination, progress: see ``download``.

        Returns:
            str: the path; None for an open file.

        Raises:
            AmigoCloudJobError: the export failed.
            IOError, AmigoCloudError: see ``download``.

        Example:
            amigocloud.export_dataset(2, 3, 'KML', 'trees.kml')
        """
        from . import downloads
        return downloads.export_dataset(self.get, self.post, self.wait_for_job, self._below(project_id), dataset_id,
                                        format, destination, progress)

    def download_photos(self, gallery_id, destination, source_amigo_id=None, progress=None):
        """Downloads the photos of a gallery, several at a time.

        The entry whose amigo_id is 0a1b, with ``oak.jpg``, becomes ``oak-0a1b.jpg``, so that none overwrites another. A
        photo that is there already with the right size is left alone, so a call that ended early can be made again.

        Args:
            gallery_id (int): the gallery.
            destination (str or os.PathLike): a folder; it is made if it is not there.
            source_amigo_id (str): only the photos of the feature with this amigo_id.
            progress (bool or callable): ``progress(done, total)`` is called with photos, or True for a bar (see
                ``download``).

        Returns:
            list: the paths, in the order of the gallery's entries.

        Raises:
            AmigoCloudError: the gallery could not be read; or, once all the others are there, the photos that failed.

        Example:
            amigocloud.download_photos(1, 'photos')
        """
        from . import photos
        return photos.download_photos(self.get, self.get_cursor, gallery_id, destination, source_amigo_id, progress)

    def listen_user_events(self):
        """Asks for the events of the user, such as ``project:creation_succeeded``.

        Takes a session from ``/me/start_websocket_session``, and a fresh one after each reconnection.

        Raises:
            AmigoCloudError: the login is not by a user token, or there is no connection.
        """
        self._listen('/me/start_websocket_session', {})

    def listen_dataset_events(self, owner_id, project_id, dataset_id):
        """Asks for the events of a dataset, such as ``realtime``.

        Takes a session from ``/users/OWNER/projects/PROJECT/datasets/DATASET/start_websocket_session``.

        Args:
            owner_id (int): the id of the user whose project it is.
            project_id (int): the project.
            dataset_id (int): the dataset.

        Raises:
            AmigoCloudError: the login is not by a user token, or there is no connection.
        """
        self._listen('/users/{}/projects/{}/datasets/{}/start_websocket_session'.format(
            owner_id, project_id, dataset_id), {'datasetid': dataset_id})

    def add_callback(self, event_name, callback):
        """Has a function called for each event of a name, while ``start_listening`` runs.

        Args:
            event_name (str): such as ``realtime``; ``connect``, ``disconnect``, ``reconnect`` tell of the connection.
            callback (callable): takes one dict.

        Raises:
            AmigoCloudError: the client was made without websockets.

        Example:
            amigocloud.add_callback('realtime', lambda event: print(event['data']))
        """
        self._websocket().on(event_name, callback)

    def start_listening(self, seconds=None):
        """Calls the callbacks as events arrive, in their order, one after another.

        Args:
            seconds (float): how long; by default until ``stop_listening`` or ``close``.

        Raises:
            AmigoCloudError: the service refuses the login to the events, or the client was made without websockets.
            Exception: whatever a callback raises.
        """
        self._websocket().wait(seconds)

    def stop_listening(self):
        """Ends ``start_listening``, from a callback or from another thread."""
        self._websocket().stop()

    def close(self):
        """Closes the connections; a client is also a context manager that does so."""
        if self.socketio:
            self.socketio.close()
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __del__(self):
        if getattr(self, 'socketio', None):
            self.socketio.close()

    def __repr__(self):
        if self._project_url:
            who = 'project {}'.format(self._project_id)
        else:
            who = 'user {}'.format(self._user_id) if self._token else 'anonymous'
        return str('<AmigoCloud {} at {}>').format(who, strike_out(self.base_url))

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items()
                if name not in ('_transport', 'socketio', 'amigosocket')}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._connect()

    def _connect(self):
        self._transport = transport.Transport(**self._settings)
        self.socketio = None
        if self._use_websockets:
            self.socketio = Realtime(self.base_url, _weak_get(self), self._websocket_port, self._transport.session)
        self.amigosocket = self.socketio

    def _request(self, method, url, **kwargs):
        return self._transport.request(method, self.build_url(url), self._token, self.api_url, self.check_for_errors,
                                       **kwargs)

    def _fetch(self, start=None, request_kwargs=None):
        """The callable that fetches the pages of a cursor; it can be pickled."""
        return functools.partial(_fetch_page, self, start, request_kwargs or {})

    def _send(self, method, url, data, files, headers, raw, send_as_json, content_type, request_kwargs):
        headers = CaseInsensitiveDict(headers or {})
        if send_as_json and not files:
            _check_is_no_table(data)
            if not data and 'json' in request_kwargs:
                data = request_kwargs.pop('json')
                if data is not None:
                    data = encoding.encode(data, allow_nan=False)
                    headers.setdefault('content-type', 'application/json')
            else:
                data, content_type = encoding.encode(data or {}), 'application/json'
        if content_type and not files:
            headers['content-type'] = content_type
        return self._request(method, url, raw=raw, data=data, files=files, headers=headers, **request_kwargs)

    def _resolved_project_url(self, project_url):
        if not isinstance(project_url, six.string_types) or '/' not in project_url:
            raise AmigoCloudValueError(
                "project_url must be a URL such as 'users/1/projects/2', and is passed after the token.")
        project_url = urls.resolve(project_url, self.api_url)
        if not urls.is_trusted(urls.normalize(project_url), urls.normalize(self.api_url)):
            raise AmigoCloudValueError(u'project_url is on another host than {}, and no token is sent there: {}'.format(
                strike_out(self.api_url), shown(project_url)))
        return project_url

    def _below(self, project_id):
        return queries.project_path(project_id, self._project_url)

    def _websocket(self):
        if not self.socketio:
            raise AmigoCloudError('This client has no connection for events: it was made with use_websockets=False '
                                  'or with a project_url.')
        return self.socketio

    def _listen(self, url, payload):
        if not self._user_id:
            raise AmigoCloudError('You must be logged in with a user token to start receiving websocket events.')
        self._websocket().subscribe(url, dict(payload, userid=self._user_id))


def _weak_get(client):
    """The client's get for its connection, which must not keep the client alive: destroying the client closes it."""
    reference = weakref.ref(client)

    def get(url):
        alive = reference()
        if alive is None:
            raise AmigoCloudError('The client is gone.')
        return alive.get(url)
    return get


def _fetch_page(client, start, request_kwargs, url, params=None):
    """Fetch a page of a cursor; the caller's headers are meant for the URL at which the cursor starts."""
    return client._request('GET', url, params=params, meant_for=start and client.build_url(start), **request_kwargs)


def _checked_base_url(base_url):
    if not isinstance(base_url, six.string_types) or not re.match(r'(?i)https?://[^\s/?#][^\s?#]*\Z', base_url):
        raise AmigoCloudValueError(u'base_url must be a URL such as {}, not {}.'.format(BASE_URL, shown(base_url)))
    base_url = base_url[:-1] if base_url.endswith('/') else base_url
    return base_url[:-len(_API_PATH)] if base_url.endswith(_API_PATH) else base_url


def _check_is_no_table(data):
    if hasattr(data, 'columns') and hasattr(data, 'to_dict'):
        raise AmigoCloudValueError('A table cannot be sent as JSON. insert_rows and write_geodataframe write tables; '
                                   "data.to_dict('records') makes a list of dicts.")
    if getattr(data, 'shape', ()) and hasattr(data, 'tolist'):
        raise AmigoCloudValueError('An array cannot be sent as JSON; data.tolist() makes a list.')


def _checked_params(params):
    if params is not None and not isinstance(params, Mapping):
        raise AmigoCloudValueError(u'params must be a dict, not {}.'.format(shown(params)))
    return params
