"""The Session of a client: that of requests, without what it would work out anew for every request."""
from __future__ import absolute_import

import collections
import os
import sys

import requests
from requests.adapters import HTTPAdapter
from requests.hooks import default_hooks
from requests.utils import default_user_agent, get_netrc_auth
from urllib3.connectionpool import HTTPConnectionPool

from . import tls
from .version import __version__

#: Connections kept open to one host: enough for the 30 requests that geocoding has in flight.
POOL_SIZE = 32

#: What requests reads from the environment for its proxies and certificates.
_VARIABLES = [name for word in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy') for name in (word, word.upper())]
_VARIABLES += ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'REQUEST_METHOD']

#: macOS and Windows have proxies outside the environment, which may change without it.
_VARIABLES_ARE_ALL = sys.platform not in ('darwin', 'win32')

#: By the class of requests that they extend.
_classes = {}


def new_session():
    """Make the Session of a client.

    Returns:
        requests.Session: of the class that requests has at this moment, which tools such as requests_cache replace.
    """
    base = requests.Session
    if base not in _classes:
        _classes[base] = type(str('Session'), (_Prepared, base), {})
    return _classes[base]()


class Adapter(HTTPAdapter):
    """The adapter of requests, with room for more connections and with certificates that are loaded once."""

    def __init__(self):
        super(Adapter, self).__init__(pool_maxsize=POOL_SIZE)

    def init_poolmanager(self, *args, **kwargs):
        super(Adapter, self).init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {'http': HTTPConnectionPool, 'https': tls.Pool}

    def build_response(self, req, resp):
        # requests of some releases raises AttributeError for a charset without a value.
        content_type = resp.headers.get('Content-Type', '')
        if content_type.lower().rstrip(' ;').endswith('charset'):
            resp.headers['Content-Type'] = content_type.rpartition(';')[0]
        return super(Adapter, self).build_response(req, resp)


class _Prepared(object):
    """Sends what a ``requests.Session`` would; for a client that changes its settings before the first request only.

    The URLs of its requests are prepared already.
    """

    def __init__(self):
        super(_Prepared, self).__init__()
        adapter = Adapter()
        self.mount('https://', adapter)
        self.mount('http://', adapter)
        self.headers['User-Agent'] = 'python-amigocloud/{} {}'.format(__version__, default_user_agent())
        self._plain = requests.PreparedRequest()
        self._plain.prepare_url('http://localhost', None)
        self._plain.prepare_headers(self.headers)
        self._plain.prepare_cookies({})
        # In one piece, for other threads.
        self._known = None, None

    def prepare_request(self, request):
        """Prepare a request, as ``requests`` would; it merges settings of the Session that nobody has changed."""
        if request.cookies or request.hooks['response'] or request.params:
            return super(_Prepared, self).prepare_request(request)
        prepared = self._plain.copy()
        # An auth may add one.
        prepared.hooks = default_hooks()
        prepared.prepare_method(request.method)
        prepared.url = request.url
        if request.headers:
            headers = self.headers.copy()
            headers.update(request.headers)
            prepared.prepare_headers(collections.OrderedDict(
                (name, value) for name, value in headers.items() if value is not None))
        prepared.prepare_body(request.data, request.files, request.json)
        prepared.prepare_auth(request.auth or get_netrc_auth(request.url), request.url)
        return prepared

    def merge_environment_settings(self, url, proxies, stream, verify, cert):
        """Return proxies and certificates, as ``requests`` would; search the environment once it has changed."""
        asked = [url[:url.find('/', len('https://'))], dict(proxies or {}), stream, verify, cert,
                 [os.environ.get(name) for name in _VARIABLES]]
        known, settings = self._known
        if asked != known or not _VARIABLES_ARE_ALL:
            settings = super(_Prepared, self).merge_environment_settings(url, proxies or {}, stream, verify, cert)
            self._known = asked, settings
        return settings
