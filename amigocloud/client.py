"""AmigoCloud: the client, a thin face over the other modules.

Modules that few scripts need are imported when they are used.
"""
from __future__ import absolute_import

import functools
import logging
import os
import re

import six
from requests.compat import Mapping
from requests.structures import CaseInsensitiveDict

from . import encoding, jobs
from .events.realtime import Realtime
from .exceptions import AmigoCloudError, AmigoCloudValueError, shown
from .files import uploads
from .http import retrying, transport, urls
from .http import session as sessions
from .project import Gallery, Project
from .rows.cursor import Cursor
from .tokens import is_trusted, strike_out

#: The default address of the service.
BASE_URL = 'https://app.amigocloud.com'

#: Seconds to connect and seconds to wait for the response, when a new session for live events is
#: requested after a reconnection.
EVENTS_TIMEOUT = (10, 10)

LOG = logging.getLogger(__name__)

_API_PATH = '/api/v1'


class AmigoCloud(object):
    """A client of the AmigoCloud API; several threads may use one.

    With a token the client logs in at once: ``GET /me`` for a user token, a GET of the project for
    a project token.

    Args:
        token (str): a user or project token. Without one, requests are anonymous.
        project_url (str): the project of a project token: relative to the API, with a leading
            ``/``, or a full URL.
        base_url (str): the address of the service. Defaults to https://app.amigocloud.com.
        use_websockets (bool): start connecting for live events in the background, unless
            project_url is given. Defaults to True.
        websocket_port (int): the port for live events. Defaults to the port of base_url.
        session (requests.Session): sends the requests, for proxies of your own or test doubles; it
            stores no cookies from then on. Live events use its ``verify``, ``proxies`` and
            ``cert``. It cannot be combined with verify or proxies; set these on the session. By
            default the client creates its own session.
        timeout (float or tuple): seconds to connect and seconds between two bytes of a response,
            for calls without a timeout of their own. Defaults to (10, 300).
        retries (int): the maximum number of retries per request. The client retries a request that
            did not reach the service, an unanswered request that may be repeated (GET, PUT,
            DELETE), and a request that the service refused for the moment (429, or 503 with
            Retry-After). It retries only within 300 s of the first try, so a call to a silent
            server fails after about 5 minutes, and only if the body can be read a second time. Each
            retry is logged at WARNING under ``amigocloud``. Adapters that you mount on your own
            session decide for themselves. Defaults to 3.
        verify (bool or str): whether to check certificates, or a file of trusted ones, for requests
            and live events. Defaults to True.
        proxies (dict): proxies for requests and live events, such as ``{'https':
            'http://proxy:3128'}``.
        max_events (int): the number of live events to keep until ``start_listening`` delivers them.
            When more arrive, the oldest are dropped, and a ``dropped`` event has their ``number``.
            Defaults to no limit.

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

    def __init__(self, token=None, project_url=None, base_url=BASE_URL, use_websockets=True,
                 websocket_port=None, session=None, timeout=transport.DEFAULT_TIMEOUT,
                 retries=retrying.DEFAULT_RETRIES, verify=None, proxies=None, max_events=None):
        self.base_url = _checked_base_url(base_url)
        self.api_url = self.base_url + _API_PATH
        self._use_websockets = use_websockets and not project_url
        self._websocket_port = websocket_port
        self._max_events = max_events
        self._settings = {'session': session, 'timeout': timeout, 'retries': retries,
                          'verify': verify, 'proxies': proxies}
        self._connect()
        self.logout()
        if token:
            self.authenticate(token, project_url)
        if self.socketio:
            try:
                self.socketio.start()
            except AmigoCloudError as error:
                # The client still works for requests; listen_user_events tries to connect again.
                LOG.warning('%s', error)

    @classmethod
    def from_env(cls, **kwargs):
        """Create a client from the environment variables that GDAL's AmigoCloud driver reads.

        The token is AMIGOCLOUD_API_KEY, else AMIGOCLOUD_TOKEN; the service is AMIGOCLOUD_API_URL
        (``https://app.amigocloud.com/api/v1``) if that is set.

        Args:
            **kwargs: further arguments of the constructor.

        Returns:
            AmigoCloud: the client.

        Raises:
            AmigoCloudError: the environment has no token, or the token is refused.

        Example:
            amigocloud = AmigoCloud.from_env(use_websockets=False)
        """
        token = os.environ.get('AMIGOCLOUD_API_KEY') or os.environ.get('AMIGOCLOUD_TOKEN')
        if not token:
            raise AmigoCloudValueError(
                'The environment variable AMIGOCLOUD_API_KEY is not set; it must hold your token.')
        api_url = os.environ.get('AMIGOCLOUD_API_URL')
        if api_url:
            kwargs.setdefault('base_url', api_url)
        return cls(token, **kwargs)

    def authenticate(self, token, project_url=None):
        """Log in: ``GET /me``, or a GET of the project.

        Args:
            token (str): a user token, or a project token.
            project_url (str): the project of a project token.

        Raises:
            AmigoCloudError: the token is refused; the earlier login stays valid.

        Example:
            amigocloud.authenticate('...', 'users/1/projects/2')
        """
        if not isinstance(token, six.string_types) or re.search(r'[\x00-\x20\x7f]', token):
            raise AmigoCloudValueError('token must be a str without spaces and control characters.')
        if '://' in token:
            raise AmigoCloudValueError(
                'The token is a URL. Pass the token first, then the project URL.')
        if project_url:
            project_url = self._resolved_project_url(project_url)
            url = project_url.rstrip('/') + '/'
        else:
            url = '/me'
        try:
            # The token is sent as a parameter, so that the earlier login stays until this one
            # succeeds.
            identity = self.get(url, params={'token': token})
        except AmigoCloudError as error:
            if error.status_code in (401, 403) and not project_url:
                error.message += u' (Pass project_url too if this is a project token.)'
            raise
        if not isinstance(identity, dict) or 'id' not in identity:
            raise AmigoCloudError(
                u'The response of {} to the login has no id. Check that base_url is an AmigoCloud '
                u'service.'.format(strike_out(self.build_url(url), token)))
        self.logout()
        self._token = token
        self._project_url = project_url
        if project_url:
            self._project_id = identity['id']
        else:
            self._user_id = identity['id']

    def logout(self):
        """Forget the login and the subscriptions to events; requests are anonymous from now on."""
        self._token = None
        self._user_id = None
        self._project_id = None
        self._project_url = None
        if self.socketio:
            self.socketio.forget()

    def build_url(self, url):
        """Return the full URL of the ``url`` that the other methods take.

        Args:
            url (str): ``/me`` is below the API; ``datasets`` is below the project with a project
                token, else below the API; a full URL is used as it is.

        Returns:
            str: the full URL, without a token.

        Raises:
            AmigoCloudError: url is not a str.

        Example:
            amigocloud.build_url('/me')  # 'https://app.amigocloud.com/api/v1/me'
        """
        return urls.resolve(url, self.api_url, self._project_url)

    def check_for_errors(self, response):
        """Raise AmigoCloudError if the status of a response is 400 or more.

        Each request calls it, so a subclass may check more.

        Args:
            response (requests.Response): a response of the service.

        Raises:
            AmigoCloudError: the status is 400 or more; the error has the response.
        """
        transport.check_for_errors(response)

    def get(self, url, params=None, raw=False, stream=False, **request_kwargs):
        """Send a GET.

        Args:
            url (str): see ``build_url``.
            params (dict): the query.
            raw (bool): return the body as bytes. Defaults to False.
            stream (bool): return the open response, whose body is not read yet. Defaults to False.
            **request_kwargs: any argument of ``requests.get``.

        Returns:
            The decoded JSON, usually a dict; bytes if raw, or if the body is empty; a
            ``requests.Response`` if stream.

        Raises:
            AmigoCloudError: the request failed, or was answered with a status of 400 or more.

        Example:
            amigocloud.get('me/projects', {'limit': 5})
        """
        return self._request('GET', url, raw=raw, stream=stream, params=_checked_params(params),
                             **request_kwargs)

    def post(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True,
             content_type=None, **request_kwargs):
        """Send a POST.

        Args:
            url (str): see ``build_url``.
            data: the JSON body, usually a dict; the form fields if files are sent; the body in any
                form that requests accepts if send_as_json is False. Empty values, such as None,
                ``[]``, ``0`` or ``''``, are sent as ``{}``. In JSON, dates and times become ISO
                8601 texts, numpy scalars and Decimals become numbers, UUIDs and paths become texts.
            files (dict): files to send as multipart, as in requests.
            headers (dict): further headers.
            raw (bool): return the body of the response as bytes. Defaults to False.
            send_as_json (bool): send data as JSON. Defaults to True.
            content_type (str): the Content-Type of the body if send_as_json is False.
            **request_kwargs: any argument of ``requests.post``; ``json=`` is sent as requests sends
                it.

        Returns:
            As ``get``.

        Raises:
            AmigoCloudError: the request failed, or was answered with a status of 400 or more.

        Example:
            amigocloud.post('me/projects', {'name': 'Trees'})
        """
        return self._send('POST', url, data, files, headers, raw, send_as_json, content_type,
                          request_kwargs)

    def put(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True,
            content_type=None, **request_kwargs):
        """Send a PUT; see ``post`` for the arguments, the result and the errors."""
        return self._send('PUT', url, data, files, headers, raw, send_as_json, content_type,
                          request_kwargs)

    def patch(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True,
              content_type=None, **request_kwargs):
        """Send a PATCH; see ``post`` for the arguments, the result and the errors.

        Example:
            amigocloud.patch('/projects/1', {'name': 'Trees'})
        """
        return self._send('PATCH', url, data, files, headers, raw, send_as_json, content_type,
                          request_kwargs)

    def delete(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True,
               content_type=None, **request_kwargs):
        """Send a DELETE; see ``post`` for the arguments, the result and the errors.

        A DELETE whose answer is lost is retried. If the retry is answered by 404 or 410, the first
        try was carried out: ``b''`` is returned, and a warning is logged.

        Example:
            amigocloud.delete('/projects/1/datasets/2')
        """
        return self._send('DELETE', url, data, files, headers, raw, send_as_json, content_type,
                          request_kwargs)

    def get_cursor(self, url, params=None, **request_kwargs):
        """Return a lazy iterator over the rows of a list or of an SQL query.

        Args:
            url (str): see ``build_url``.
            params (dict): the query of the first request; the service repeats it in the links to
                the next pages.
            **request_kwargs: any argument of ``requests.get``, for each request.

        Returns:
            Cursor: nothing is sent before its first use.

        Raises:
            AmigoCloudError: url is not a str, or params is not a dict.

        Example:
            for dataset in amigocloud.get_cursor('users/1/projects/2/datasets', {'limit': 100}):
                print(dataset['name'])
        """
        return Cursor(self._fetch(url, request_kwargs), url, _checked_params(params))

    def projects(self, **params):
        """Return the projects of the user, from ``/me/projects``.

        Args:
            **params: parameters of the list, such as ``search='Trees'`` (part of the name).

        Returns:
            Cursor: a dict for each project, with its ``id``, ``name`` and links.

        Example:
            for project in amigocloud.projects(search='Trees'):
                print(project['id'], project['name'])
        """
        return self.get_cursor('/me/projects', params)

    def project_named(self, name):
        """Return the project with a name, searched in ``/me/projects``.

        Args:
            name (str): the whole name.

        Returns:
            Project: the project.

        Raises:
            AmigoCloudError: no project or several projects have the name; the message lists the
                candidates.

        Example:
            amigocloud.project_named('Trees').dataset_named('Oaks').read().to_dataframe()
        """
        from .rows import finding
        return self.project(finding.id_of(self, '/me/projects', name))

    def project(self, project_id=None):
        """Return a project; nothing is sent.

        Args:
            project_id (int or str): the id of the project, or its UUID. Defaults to the project of
                the project token.

        Returns:
            Project: the project, with methods for SQL, uploads and its datasets.

        Raises:
            AmigoCloudValueError: project_id is neither an integer nor a UUID; or it is missing, and
                the login is not by a project token.

        Example:
            amigocloud.project(1).sql('SELECT * FROM dataset_2').to_dataframe()
        """
        return Project(self, project_id)

    def gallery(self, gallery_id):
        """Return a gallery of photos; nothing is sent.

        Args:
            gallery_id (int or str): the id of the gallery.

        Returns:
            Gallery: the gallery, with methods to upload and download photos.

        Raises:
            AmigoCloudValueError: gallery_id is not an integer.

        Example:
            amigocloud.gallery(3).download('photos')
        """
        return Gallery(self, gallery_id)

    def upload_file(self, simple_upload_url, chunked_upload_url, file_obj,
                    chunk_size=uploads.CHUNK_SIZE, force_chunked=False, extra_data=None,
                    resume=None, progress=None):
        """Upload a file: below 8 MB by one POST, else in chunks. It is read while it is sent.

        A chunk that fails is retried from the offset that the service holds; an upload that the
        service has forgotten is restarted once. An unanswered completion is retried only when the
        service says that it was not carried out, because a second completion would import the file
        twice.

        Args:
            simple_upload_url (str): receives a whole file in one request. None: always send chunks.
            chunked_upload_url (str): receives the chunks; ``/complete`` below it receives their
                completion.
            file_obj (str or bytes or os.PathLike or file): a path, or an open file object that can
                be rewound. It is sent from its start to its end and left open. The bytes of a file
                in text mode are sent (``file_obj.buffer``). An empty file is sent like any other.
            chunk_size (int): bytes per chunk. Defaults to 100000.
            force_chunked (bool): send chunks even if the file is small. Defaults to False.
            extra_data (dict): further form fields, or members of the completion's JSON.
            resume (BaseException): the exception that ended an earlier upload of the file in
                chunks, Ctrl-C included, in this process or, pickled, in another. The upload is
                resumed from the exception's ``offset``, or restarted if the exception has no
                ``upload_id``.
            progress (bool or callable): ``progress(done, total)`` is called with bytes; True for a
                bar. By default nothing is shown.

        Returns:
            dict: the response, usually ``{'job': ID}``.

        Raises:
            IOError: the file does not exist, or is a folder.
            AmigoCloudError: the upload failed; the size of the file changed meanwhile; or the file
                object has no bytes or cannot be rewound. Every exception that ends an upload in
                chunks has its ``upload_id`` and ``offset``.

        Example:
            folder = '/projects/1/datasets/'
            amigocloud.upload_file(folder + 'upload', folder + 'chunked_upload', 'trees.zip')
        """
        return uploads.upload(self, simple_upload_url, chunked_upload_url, file_obj, chunk_size,
                              force_chunked, extra_data, self._settings['timeout'], resume,
                              progress)

    def upload_datafile(self, project_owner, project_id, file_obj, chunk_size=uploads.CHUNK_SIZE,
                        force_chunked=False, resume=None, progress=None, extra_data=None):
        """Upload a file that the service imports as a dataset.

        It goes to ``/users/OWNER/projects/PROJECT/datasets/upload``; see ``Project.upload``.

        Args:
            project_owner (int): the id of the user whose project it is.
            project_id (int or str): the project.
            file_obj, chunk_size, force_chunked, resume, progress: see ``upload_file``.
            extra_data (dict): settings of the import, such as ``{'dataset_write_action':
                'overwrite', 'csv_props.delimiter': ';'}``.

        Returns:
            dict: ``{'job': ID}``; when the job has ended its ``extra`` has the ``dataset_ids``.

        Raises:
            IOError, AmigoCloudError: see ``upload_file``.

        Example:
            amigocloud.upload_datafile(1, 2, 'trees.zip')
        """
        datasets = '/users/{}/projects/{}/datasets/'.format(project_owner, project_id)
        return self.upload_file(datasets + 'upload', datasets + 'chunked_upload', file_obj,
                                chunk_size, force_chunked, extra_data, resume, progress)

    def upload_gallery_photo(self, gallery_id, source_amigo_id, file_obj,
                             chunk_size=uploads.CHUNK_SIZE, force_chunked=False, metadata=None,
                             filename=None, resume=None, progress=None):
        """Upload a photo of a row, at ``/related_tables/GALLERY/upload``.

        Args:
            gallery_id (int or str): the gallery.
            source_amigo_id (str): the amigo_id of the row.
            file_obj, chunk_size, force_chunked, resume, progress: see ``upload_file``.
            metadata (dict): further fields to store with the photo.
            filename (str): the name of the photo. Defaults to the name of the file; required for a
                file object without a name, such as ``io.BytesIO``.

        Returns:
            dict: the response.

        Raises:
            IOError, AmigoCloudError: see ``upload_file``.

        Example:
            amigocloud.upload_gallery_photo(3, '6f1c', 'oak.jpg')
        """
        filename = uploads.base_name(file_obj) if filename is None else filename
        if not filename:
            raise AmigoCloudValueError(u'filename is required for a photo without a name of its '
                                       u'own, such as {}.'.format(shown(file_obj)))
        if not isinstance(filename, six.string_types) or filename in (u'.', u'..'):
            raise AmigoCloudValueError(
                u'filename must be a name for a file, not {}.'.format(shown(filename)))
        extra_data = {'source_amigo_id': source_amigo_id, 'filename': uploads.sendable(filename)}
        extra_data.update(metadata or {})
        gallery = '/related_tables/{}/'.format(gallery_id)
        return self.upload_file(gallery + 'upload', gallery + 'chunked_upload', file_obj,
                                chunk_size, force_chunked, extra_data, resume, progress)

    def geocode_addresses(self, project_id, dataset_id, address_field, geometry_field,
                          progress=None, **extra_params):
        """Fill the points of a dataset from its addresses; see ``Dataset.geocode``.

        Args:
            project_id (int or str): the project; None for that of a project token.
            dataset_id (int or str): the dataset.
            address_field (str): the column of the addresses.
            geometry_field (str): the column of the points, written in SRID 4326.
            progress (bool or callable): ``progress(done, total)`` is called after each batch; True
                for a bar. By default percentages go to stderr; False for nothing.
            **extra_params: components that narrow the search, such as ``country='US'``.

        Returns:
            dict: ``rows``, ``geocoded``, ``failed`` and ``seconds``. A summary is printed too,
                which counts the points that the column had before.

        Raises:
            AmigoCloudError: the dataset could not be read or written.

        Example:
            amigocloud.geocode_addresses(1, 2, 'address', 'location', country='US')
        """
        return self.project(project_id).dataset(
            dataset_id).geocode(address_field, geometry_field, progress, **extra_params)

    def wait_for_job(self, job, timeout=None, progress=None):
        """Poll a job at ``/me/jobs/JOB`` until it has ended: first after 0.1 s, at last every 5 s.

        Args:
            job (int or str or dict): the id, or the response that has it as ``job`` or ``job_id``.
            timeout (float): the maximum number of seconds to wait; 0 polls once. Defaults to no
                limit.
            progress (bool or callable): ``progress(done, total)`` counts this one job; True for a
                bar that shows the elapsed time.

        Returns:
            dict: the job, whose ``extra`` has the results: ``dataset_ids`` of an import, ``link``
                of an export.

        Raises:
            AmigoCloudJobError: the job failed; the error's ``job`` is the whole job.
            AmigoCloudError: the job could not be read, has an unknown status, or has not ended in
                time and is still running.

        Example:
            job = amigocloud.wait_for_job(amigocloud.upload_datafile(1, 2, 'trees.zip'))
            print(job['extra']['dataset_ids'])
        """
        return jobs.wait_for_job(self, job, timeout, progress)

    def download(self, url, destination=None, progress=None):
        """Download a file; it appears at its destination when it is complete.

        An interrupted download is resumed if the server supports it and the file has not changed;
        else it is restarted. A call after one that was ended by Ctrl-C, or with its process,
        resumes too: the earlier call leaves a hidden file, ``.*.part``, beside the destination (not
        on Windows). Simultaneous downloads to one destination do not disturb each other; the last
        one to end wins.

        Args:
            url (str): see ``build_url``.
            destination (str or os.PathLike or file): a folder, in which the file gets the name that
                the service sends (made safe: a plain name without folders); a path; or a file open
                for writing in binary mode, which is written from its position and left open. An
                existing file is replaced and keeps its mode; a symbolic link is followed. Defaults
                to the current folder.
            progress (bool or callable): ``progress(done, total)`` is called with bytes, and total
                is None if the service does not send it; True for a bar in the terminal or notebook,
                which needs ``pip install "amigocloud[progress]"``.

        Returns:
            str: the path, or bytes if destination is bytes; None for an open file.

        Raises:
            IOError: the file cannot be written, for example because the disk is full.
            AmigoCloudError: the download failed; nothing of it is kept, except in an open file.

        Example:
            amigocloud.download('/projects/2/datasets/3/preview_image', 'preview.png')
        """
        from .files import downloads
        return downloads.download(self, url, destination, progress)

    def listen_user_events(self):
        """Subscribe to the events of the user, such as ``project:creation_succeeded``.

        The session comes from ``/me/start_websocket_session``; each reconnection requests a new
        one.

        Raises:
            AmigoCloudError: the login is not by a user token, or there is no connection.

        Example:
            amigocloud.add_callback('project:creation_succeeded', print)
            amigocloud.listen_user_events()
            amigocloud.start_listening(10)
        """
        self._listen('/me/start_websocket_session', {})

    def listen_dataset_events(self, owner_id, project_id, dataset_id):
        """Subscribe to the events of a dataset, such as ``realtime``; see ``Dataset.listen``.

        The session comes from
        ``/users/OWNER/projects/PROJECT/datasets/DATASET/start_websocket_session``.

        Args:
            owner_id (int): the id of the user whose project it is.
            project_id (int or str): the project.
            dataset_id (int or str): the dataset.

        Raises:
            AmigoCloudError: the login is not by a user token, or there is no connection.

        Example:
            amigocloud.add_callback('realtime', print)
            amigocloud.listen_dataset_events(1, 2, 3)
            amigocloud.start_listening(10)
        """
        self._listen('/users/{}/projects/{}/datasets/{}/start_websocket_session'.format(
            owner_id, project_id, dataset_id), {'datasetid': dataset_id})

    def add_callback(self, event_name, callback):
        """Register the function that ``start_listening`` calls for each event of a name.

        A second callback for an event replaces the first.

        Args:
            event_name (str): such as ``realtime``. ``connect``, ``disconnect`` and ``reconnect``
                report the state of the connection, and ``dropped`` the events that were dropped
                because of max_events.
            callback (callable): is called with one dict.

        Raises:
            AmigoCloudError: the client was created without websockets, or callback is not callable.

        Example:
            amigocloud.add_callback('realtime', lambda event: print(event['data']))
        """
        self._websocket().on(event_name, callback)

    def start_listening(self, seconds=None):
        """Call the callbacks as events arrive, in the order of arrival, one after another.

        Args:
            seconds (float): how long to listen; 0 delivers the events that have already arrived. By
                default the call listens until ``stop_listening`` or ``close``.

        Raises:
            AmigoCloudError: the service refuses the login for events, or the client was created
                without websockets.
            Exception: an exception that a callback raises ends listening and is raised here.

        Example:
            amigocloud.start_listening(60)
        """
        self._websocket().wait(seconds)

    def stop_listening(self):
        """End ``start_listening``, from a callback or from another thread.

        If nothing is listening, the next ``start_listening`` ends at once, so that a thread that is
        about to call it ends too.

        Raises:
            AmigoCloudError: the client was created without websockets.

        Example:
            amigocloud.add_callback('realtime', lambda event: amigocloud.stop_listening())
        """
        self._websocket().stop()

    def close(self):
        """Close the connections. A client is also a context manager that closes itself.

        Example:
            with AmigoCloud(token='...') as amigocloud:
                amigocloud.get('me')
        """
        if self.socketio:
            self.socketio.close()
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

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
            self.socketio = Realtime(self, self._websocket_port, self._transport.session,
                                     self._max_events)
        self.amigosocket = self.socketio

    def _request(self, method, url, **kwargs):
        return self._transport.request(method, self.build_url(url), self._token, self.api_url,
                                       self.check_for_errors, **kwargs)

    def _get_over_new_connection(self, url):
        """Send a GET over a new connection, and give up soon.

        Live events use this to reconnect: after a change of the network, the connections that were
        kept alive lead nowhere, and requests over them wait until they time out.
        """
        with sessions.with_new_connections(self._transport.session) as session:
            once = transport.Transport(session, EVENTS_TIMEOUT, retries=0)
            return once.request('GET', self.build_url(url), self._token, self.api_url,
                                self.check_for_errors)

    def _fetch(self, start=None, request_kwargs=None):
        """Return the callable that fetches the pages of a cursor; it can be pickled."""
        return functools.partial(_fetch_page, self, start, request_kwargs or {})

    def _send(self, method, url, data, files, headers, raw, send_as_json, content_type,
              request_kwargs):
        headers = CaseInsensitiveDict(headers or {})
        if send_as_json and not files:
            _check_is_no_table(data)
            if not data and 'json' in request_kwargs:
                data = request_kwargs.pop('json')
                if data is not None:
                    data = encoding.encode(data, allow_nan=False)
                    headers.setdefault('content-type', 'application/json')
            else:
                data = encoding.encode(data or {})
                content_type = 'application/json'
        if content_type and not files:
            headers['content-type'] = content_type
        return self._request(method, url, raw=raw, data=data, files=files, headers=headers,
                             **request_kwargs)

    def _resolved_project_url(self, project_url):
        if not isinstance(project_url, six.string_types) or '/' not in project_url:
            raise AmigoCloudValueError("project_url must be a URL such as 'users/1/projects/2', "
                                       "and is passed after the token.")
        project_url = urls.resolve(project_url, self.api_url)
        if not is_trusted(urls.normalize(project_url), urls.normalize(self.api_url)):
            raise AmigoCloudValueError(
                u'project_url must be on the host of {}, not {}: the token is sent only to that '
                u'host.'.format(strike_out(self.api_url), shown(project_url)))
        return project_url

    def _websocket(self):
        if not self.socketio:
            raise AmigoCloudError('This client has no connection for events, because it was '
                                  'created with use_websockets=False or with a project_url.')
        return self.socketio

    def _listen(self, url, payload):
        if not self._user_id:
            raise AmigoCloudError(
                'You must be logged in with a user token to start receiving websocket events.')
        self._websocket().subscribe(url, dict(payload, userid=self._user_id))


def _fetch_page(client, start, request_kwargs, url, params=None):
    """Fetch a page of a cursor, with the full URL of its next page.

    The caller's headers are meant for ``start``, the URL of the first page.
    """
    meant_for = None if start is None else client.build_url(start)
    if start is None or url == start:
        url = client.build_url(url)
    page = client._transport.request(
        'GET', url, client._token, client.api_url, client.check_for_errors, params=params,
        meant_for=meant_for, **request_kwargs)
    link = page.get('next') if isinstance(page, dict) else None
    if isinstance(link, six.string_types) and link:
        page['next'] = urls.follow(link, url)
    return page


def _checked_base_url(base_url):
    if not isinstance(
        base_url, six.string_types) or not re.match(r'(?i)https?://[^\s/?#][^\s?#]*\Z', base_url):
        raise AmigoCloudValueError(
            u'base_url must be a URL such as {}, not {}.'.format(BASE_URL, shown(base_url)))
    base_url = base_url.rstrip('/')
    return base_url[:-len(_API_PATH)].rstrip('/') if base_url.endswith(_API_PATH) else base_url


def _check_is_no_table(data):
    if hasattr(data, 'columns') and hasattr(data, 'to_dict'):
        raise AmigoCloudValueError(
            'A table cannot be sent as JSON. Dataset.insert and Project.create_dataset write '
            "tables; data.to_dict('records') returns a list of dicts.")
    if getattr(data, 'shape', ()) and hasattr(data, 'tolist'):
        raise AmigoCloudValueError('An array cannot be sent as JSON; data.tolist() returns a list.')


def _checked_params(params):
    if params is not None and not isinstance(params, Mapping):
        raise AmigoCloudValueError(u'params must be a dict, not {}.'.format(shown(params)))
    return params
