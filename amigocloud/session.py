"""The Session of a client: that of requests, without what it would work out anew for every request."""
from __future__ import absolute_import

import collections
import os
import sys

import requests
from requests.hooks import default_hooks
from requests.utils import get_netrc_auth

from .retrying import Adapter

#: What requests reads from the environment for its proxies and certificates.
_VARIABLES = [name for word in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy') for name in (word, word.upper())]
_VARIABLES += ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'REQUEST_METHOD']

#: macOS and Windows have proxies outside the environment, which may change without it.
_VARIABLES_ARE_ALL = sys.platform not in ('darwin', 'win32')


class Session(requests.Session):
    """Sends what a ``requests.Session`` would; for a client that changes nothing of it but the policy of its cookies.

    Args:
        retries (int): tries after the first one; see ``retrying``.
    """

    def __init__(self, retries):
        super(Session, self).__init__()
        adapter = Adapter(retries)
        self.mount('https://', adapter)
        self.mount('http://', adapter)
        self._plain = requests.PreparedRequest()
        self._plain.prepare_url('http://localhost', None)
        self._plain.prepare_headers(self.headers)
        self._plain.prepare_cookies({})
        # In one piece, for other threads.
        self._known = None, None

    def prepare_request(self, request):
        """Prepares a request, as ``requests`` would; it merges settings of the Session that nobody has changed."""
        if request.cookies or request.hooks['response']:
            return super(Session, self).prepare_request(request)
        prepared = self._plain.copy()
        # An auth may add one.
        prepared.hooks = default_hooks()
        prepared.prepare_method(request.method)
        # {} would go through the whole encoding of parameters.
        prepared.prepare_url(request.url, request.params or None)
        if request.headers:
            headers = self.headers.copy()
            headers.update(request.headers)
            prepared.prepare_headers(collections.OrderedDict(
                (name, value) for name, value in headers.items() if value is not None))
        prepared.prepare_body(request.data, request.files, request.json)
        prepared.prepare_auth(request.auth or get_netrc_auth(request.url), request.url)
        return prepared

    def merge_environment_settings(self, url, proxies, stream, verify, cert):
        """Gives proxies and certificates, as ``requests`` would; searches the environment once it has changed."""
        asked = [url[:url.find('/', len('https://'))], dict(proxies), stream, verify, cert,
                 [os.environ.get(name) for name in _VARIABLES]]
        known, settings = self._known
        if asked != known or not _VARIABLES_ARE_ALL:
            settings = super(Session, self).merge_environment_settings(url, proxies, stream, verify, cert)
            self._known = asked, settings
        return settings
