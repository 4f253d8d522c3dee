"""AmigoCloud: the client, a thin face of the parts beside this file."""
from __future__ import absolute_import

import json
import os
import re
import weakref

import six
from requests.compat import Mapping
from requests.structures import CaseInsensitiveDict

from amigocloud import geocoding, transport, uploads, urls
from amigocloud.cursor import Cursor
from amigocloud.exceptions import AmigoCloudError, AmigoCloudValueError
from amigocloud.realtime import Realtime

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
            cookies from then on. By default the client makes its own.
        timeout (float or tuple): seconds to connect and seconds between two bytes of an answer, for calls that
            name none. Defaults to (10, 300).
        retries (int): how often a request is sent again: one that did not reach the service, one that may be repeated
            (GET, PUT, DELETE) and was not answered, or what the service asks to send later. Not with a session of
            your own, whose adapters decide. Defaults to 3.

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
                 session=None, timeout=transport.DEFAULT_TIMEOUT, retries=transport.DEFAULT_RETRIES):
        self.base_url = base_url[:-1] if base_url.endswith('/') else base_url
        self.api_url = self.base_url + _API_PATH
        self._settings = {'use_websockets': use_websockets and not project_url, 'websocket_port': websocket_port,
                          'session': session, 'timeout': timeout, 'retries': retries}
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
            api_url = api_url.rstrip('/')
            kwargs.setdefault('base_url', api_url[:-len(_API_PATH)] if api_url.endswith(_API_PATH) else api_url)
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
        if project_url:
            project_url = urls.resolve(project_url, self.api_url)
            url = project_url.rstrip('/') + '/'
        else:
            url = urls.resolve('/me', self.api_url)
        identity = self._transport.request('GET', url, token)
        if not isinstance(identity, dict) or 'id' not in identity:
            raise AmigoCloudError('The answer of {} to the login has no id. Is it an AmigoCloud service?'.format(url))
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
            **request_kwargs: whatever ``requests.get`` takes.

        Returns:
            The decoded JSON (a dict, mostly); bytes if raw or if the body is empty; a ``requests.Response`` if stream.

        Raises:
            AmigoCloudError: the request failed, or was answered with a status of 400 or more.

        Example:
            amigocloud.get('me/projects', {'limit': 5})
        """
        return self._transport.request('GET', self.build_url(url), self._token, raw=raw, stream=stream,
                                       params=_checked_params(params), **request_kwargs)

    def post(self, url, data=None, files=None, headers=None, raw=False, send_as_json=True, content_type=None,
             **request_kwargs):
        """Sends a POST.

        Args:
            url (str): see ``build_url``.
            data: what to send as JSON (a dict, mostly; nothing is sent as ``{}``); with files, the form fields; with
                send_as_json=False, what requests takes as data.
            files (dict): files to send as multipart, as requests takes them.
            headers (dict): further headers.
            raw (bool): give the body of the answer as bytes. Defaults to False.
            send_as_json (bool): Defaults to True.
            content_type (str): the Content-Type of data that is sent as it is, with send_as_json=False.
            **request_kwargs: whatever ``requests.post`` takes.

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
        """Sends a DELETE; see ``post``."""
        return self._send('DELETE', url, data, files, headers, raw, send_as_json, content_type, request_kwargs)

    def get_cursor(self, url, params=None, **request_kwargs):
        """Gives a lazy iterator over the rows of a list or of an SQL query.

        Args:
            url (str): see ``build_url``.
            params (dict): the query of the first request; those that follow take theirs from the service.
            **request_kwargs: whatever ``requests.get`` takes, for each request.

        Returns:
            Cursor: nothing is sent before its first use.

        Example:
            for dataset in amigocloud.get_cursor('users/1/projects/2/datasets', {'limit': 100}):
                print(dataset['name'])
        """
        return Cursor(lambda url, params: self.get(url, params, **request_kwargs), url,
                      _checked_params(params))

    def upload_file(self, simple_upload_url, chunked_upload_url, file_obj, chunk_size=uploads.CHUNK_SIZE,
                    force_chunked=False, extra_data=None, resume=None):
        """Uploads a file: below 8 MB by one POST, else in chunks. It is read while it is sent.

        A chunk that fails is sent again from the offset that the service holds; an upload that the service has
        forgotten starts again, once. An unanswered completion is not repeated before the service says that it was not
        carried out, for a second one would import the file twice.

        Args:
            simple_upload_url (str): takes a file whole; None to send chunks in any case.
            chunked_upload_url (str): takes a file in chunks, and their end at ``/complete`` below it.
            file_obj (str or os.PathLike or file): a path, or a file object opened in binary mode that can be rewound.
                It is sent whole, from its start, and left open. An empty file is sent like any other.
            chunk_size (int): bytes of one chunk. Defaults to 100000.
            force_chunked (bool): send chunks whatever the size. Defaults to False.
            extra_data (dict): what else to send: form fields, or members of the completion's JSON.
            resume (AmigoCloudError): what an earlier upload of the file in chunks raised, in this process or, pickled,
                in another; it goes on from there.

        Returns:
            dict: the answer, usually ``{'job': ID}``.

        Raises:
            IOError: there is no such file, or it is a directory.
            AmigoCloudError: the upload failed, and its ``upload_id`` and ``offset`` tell how far it came; the file
                changed its size meanwhile; or the file object gives text or cannot be rewound.
        """
        return uploads.upload(self.post, simple_upload_url, chunked_upload_url, file_obj, chunk_size, force_chunked,
                              extra_data, resume)

    def upload_datafile(self, project_owner, project_id, file_obj, chunk_size=uploads.CHUNK_SIZE,
                        force_chunked=False, resume=None):
        """Uploads a file to be imported as a dataset, at ``/users/OWNER/projects/PROJECT/datasets/upload``.

        Args:
            project_owner (int): the id of the user whose project it is.
            project_id (int): the project.
            file_obj, chunk_size, force_chunked, resume: see ``upload_file``.

        Returns:
            dict: ``{'job': ID}``; once the job is done its ``extra`` names the ``dataset_ids``.

        Raises:
            IOError, AmigoCloudError: see ``upload_file``.

        Example:
            amigocloud.upload_datafile(1, 2, 'trees.zip')
        """
        datasets = '/users/{}/projects/{}/datasets/'.format(project_owner, project_id)
        return self.upload_file(datasets + 'upload', datasets + 'chunked_upload', file_obj, chunk_size, force_chunked,
                                resume=resume)

    def upload_gallery_photo(self, gallery_id, source_amigo_id, file_obj, chunk_size=uploads.CHUNK_SIZE,
                             force_chunked=False, metadata=None):
        """Uploads a photo of a feature, at ``/related_tables/GALLERY/upload``.

        Args:
            gallery_id (int): the gallery.
            source_amigo_id (str): the amigo_id of the feature.
            file_obj, chunk_size, force_chunked: see ``upload_file``; a file object needs a name.
            metadata (dict): what else to keep with the photo.

        Returns:
            dict: the answer.

        Raises:
            IOError, AmigoCloudError: see ``upload_file``.
        """
        filename = uploads.base_name(file_obj)
        if not filename:
            raise AmigoCloudValueError('A photo needs a name; {!r} has none.'.format(file_obj))
        extra_data = {'source_amigo_id': source_amigo_id, 'filename': filename}
        extra_data.update(metadata or {})
        gallery = '/related_tables/{}/'.format(gallery_id)
        return self.upload_file(gallery + 'upload', gallery + 'chunked_upload', file_obj, chunk_size, force_chunked,
                                extra_data)

    def geocode_addresses(self, project_id, dataset_id, address_field, geometry_field, progress=None, **extra_params):
        """Fills the points of a dataset from its addresses.

        Reads the addresses by ``/projects/PROJECT/sql``, asks ``/me/geocoder/search`` for 30 at a time and writes
        those points by one UPDATE. An address that is not found is skipped.

        Args:
            project_id (int): the project.
            dataset_id (int): the dataset.
            address_field (str): the column of the addresses.
            geometry_field (str): the column of the points, written in SRID 4326.
            progress (callable): ``progress(done, total)`` after each batch. By default percentages go to stderr.
            **extra_params: components that narrow the search, such as ``country='US'``.

        Returns:
            dict: ``rows``, ``geocoded``, ``failed`` and ``seconds``. The same is printed.

        Raises:
            AmigoCloudError: the dataset could not be read or written.
        """
        return geocoding.geocode(self.get, self.post, project_id, dataset_id, address_field, geometry_field,
                                 extra_params, progress)

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
        return str('<AmigoCloud {} at {}>').format(who, self.base_url)

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items()
                if name not in ('_transport', 'socketio', 'amigosocket')}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._connect()

    def _connect(self):
        self._transport = transport.Transport(self.base_url, self._settings['session'], self._settings['timeout'],
                                              self._settings['retries'])
        self.socketio = None
        if self._settings['use_websockets']:
            self.socketio = Realtime(self.base_url, _weak_get(self), self._settings['websocket_port'])
        self.amigosocket = self.socketio

    def _send(self, method, url, data, files, headers, raw, send_as_json, content_type, request_kwargs):
        headers = CaseInsensitiveDict(headers or {})
        if send_as_json and not files:
            data, content_type = json.dumps(data or {}), 'application/json'
        if content_type and not files:
            headers['content-type'] = content_type
        return self._transport.request(method, self.build_url(url), self._token, raw=raw, data=data, files=files,
                                       headers=headers, **request_kwargs)

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


def _checked_params(params):
    if params is not None and not isinstance(params, Mapping):
        raise AmigoCloudValueError('params is a dict, not {!r}.'.format(params))
    return params
