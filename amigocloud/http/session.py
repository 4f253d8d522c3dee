"""The Session of a client: that of requests, without work that is the same for every request."""
from __future__ import absolute_import

import collections
import contextlib
import os
import sys

import requests
from requests.adapters import HTTPAdapter
from requests.hooks import default_hooks
from requests.utils import default_user_agent, get_netrc_auth
from urllib3.connectionpool import HTTPConnectionPool

from ..version import __version__
from . import tls

#: Connections kept open to one host: enough for the 30 concurrent requests of geocoding.
POOL_SIZE = 32

#: Variables that requests reads for proxies and certificates.
_VARIABLES = [name for word in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy')
              for name in (word, word.upper())]
_VARIABLES += ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'REQUEST_METHOD']

#: macOS and Windows also have proxy settings outside the environment, which may change any time.
_VARIABLES_ARE_ALL = sys.platform not in ('darwin', 'win32')

#: Classes of Sessions by the class of requests that they extend.
_classes = {}


def new_session():
    """Create the Session of a client.

    Returns:
        requests.Session: an instance of a subclass of the current ``requests.Session``, which
        tools such as requests_cache replace.
    """
    base = requests.Session
    if base not in _classes:
        class Session(_Prepared, base):
            pass
        _classes[base] = Session
    return _classes[base]()


@contextlib.contextmanager
def with_new_connections(session):
    """Yield a copy of a Session with connections of its own, and close them at the end.

    Args:
        session (requests.Session): the original, which does not change. The copy shares adapters
            that are not an HTTPAdapter.
    """
    fresh = _copy(session)
    fresh.adapters = collections.OrderedDict(session.adapters)
    copies = []
    for prefix, adapter in session.adapters.items():
        if isinstance(adapter, HTTPAdapter):
            fresh.adapters[prefix] = _copy(adapter)
            # This creates new pools, as unpickling does.
            fresh.adapters[prefix].__setstate__(adapter.__getstate__())
            copies.append(fresh.adapters[prefix])
    try:
        yield fresh
    finally:
        for adapter in copies:
            # close() of a subclass may close more, such as a cache that the original uses.
            HTTPAdapter.close(adapter)


def _copy(thing):
    """Return a copy with all attributes. copy.copy omits those that requests does not pickle."""
    copied = object.__new__(type(thing))
    copied.__dict__.update(vars(thing))
    return copied


class Adapter(HTTPAdapter):
    """The adapter of requests, with more connections and with certificates that are loaded once."""

    def __init__(self):
        super(Adapter, self).__init__(pool_maxsize=POOL_SIZE)

    def init_poolmanager(self, *args, **kwargs):
        super(Adapter, self).init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {'http': HTTPConnectionPool, 'https': tls.Pool}

    def build_response(self, req, resp):
        # Some releases of requests raise AttributeError for a charset without a value.
        content_type = resp.headers.get('Content-Type', '')
        if content_type.lower().rstrip(' ;').endswith('charset'):
            resp.headers['Content-Type'] = content_type.rpartition(';')[0]
        return super(Adapter, self).build_response(req, resp)


class _Prepared(object):
    """Prepare requests as ``requests.Session`` does, but faster.

    URLs must already be normalized, and the client must change the settings of the Session only
    before the first request.
    """

    def __init__(self):
        super(_Prepared, self).__init__()
        adapter = Adapter()
        self.mount('https://', adapter)
        self.mount('http://', adapter)
        self.headers['User-Agent'] = 'python-amigocloud/{} {}'.format(
            __version__, default_user_agent())
        self._plain = requests.PreparedRequest()
        self._plain.prepare_url('http://localhost', None)
        self._plain.prepare_headers(self.headers)
        self._plain.prepare_cookies({})
        # One tuple, so that threads replace both values at once.
        self._known = (None, None)

    def prepare_request(self, request):
        """Prepare a request as ``requests`` does, without merging unchanged settings."""
        if (request.cookies or request.hooks['response'] or request.params
                or self.auth or self.cookies or self.hooks['response'] or self.params
                or not self.trust_env):
            return super(_Prepared, self).prepare_request(request)
        prepared = self._plain.copy()
        # An auth may add a hook, so each request needs hooks of its own.
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
        """Return proxies and certificates as ``requests`` does, until the environment changes."""
        origin = url[:url.find('/', len('https://'))]
        variables = [os.environ.get(name) for name in _VARIABLES]
        asked = [origin, dict(proxies or {}), stream, verify, cert, variables]
        known, settings = self._known
        if asked != known or not _VARIABLES_ARE_ALL:
            settings = super(_Prepared, self).merge_environment_settings(
                url, proxies or {}, stream, verify, cert)
            self._known = (asked, settings)
        return settings
