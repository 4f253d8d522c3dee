"""The one seam to HTTP: the Session, its time-outs, where the token goes, and what becomes of an answer."""
from __future__ import absolute_import

import requests
import six
from requests.adapters import HTTPAdapter
from six.moves.http_cookiejar import DefaultCookiePolicy
from urllib3.exceptions import HTTPError

from amigocloud import urls
from amigocloud.exceptions import AmigoCloudError, failure_error, strike_out

#: Seconds to connect, and seconds between two bytes of the answer.
DEFAULT_TIMEOUT = (10, 300)

#: Connections kept open to one host: enough for the 30 requests that geocoding has in flight.
POOL_SIZE = 32

_REQUEST_ARGUMENTS = ('headers', 'files', 'data', 'json', 'params', 'auth', 'cookies', 'hooks')


class Transport(object):
    """Sends requests through one Session.

    Args:
        base_url (str): the base URL of the service; its origin is where the token may go.
        session (requests.Session): the caller's own; it stores no more cookies from now on.
        timeout (float or tuple): seconds, as requests takes them, for calls that name none.
    """

    def __init__(self, base_url, session=None, timeout=DEFAULT_TIMEOUT):
        self._base_url = urls.normalize(base_url)
        self._session = session or _make_session()
        self._session.cookies.set_policy(_StoreNothing())
        self._timeout = timeout

    def request(self, method, url, token, raw=False, stream=False, **request_kwargs):
        """Sends one request and gives the value of its answer.

        Args:
            method (str): the HTTP method.
            url (str): a full URL.
            token (str): the token to send where it may go, or None.
            raw (bool): give the body as bytes. Defaults to False.
            stream (bool): give the open response. Defaults to False.
            **request_kwargs: whatever ``requests.request`` takes.

        Returns:
            The decoded JSON; bytes if raw or if there is no body; a ``requests.Response`` if stream.

        Raises:
            AmigoCloudError: no answer, one with a status of 400 or more, or one that is not JSON.
        """
        try:
            response = self._send(method, url, token, request_kwargs)
            check_for_errors(response)
            if stream:
                return response
            if raw or not response.content:
                return response.content
        except (requests.RequestException, HTTPError, UnicodeError) as failure:
            _strike_out_all(failure, token)
            message = u'{} {} failed: {}'.format(method, url, six.ensure_text(str(failure), errors='replace'))
            six.raise_from(failure_error(failure, strike_out(message, token),
                                         getattr(failure, 'response', None)), failure)
        return _decode(response)

    def close(self):
        """Closes the kept-alive connections."""
        self._session.close()

    def _send(self, method, url, token, request_kwargs):
        request = requests.Request(method, url, **{
            name: request_kwargs.pop(name) for name in _REQUEST_ARGUMENTS if name in request_kwargs})
        follow = request_kwargs.pop('allow_redirects', True)
        timeout = request_kwargs.pop('timeout', self._timeout)
        environment = [request_kwargs.pop(name, default) for name, default in
                       (('proxies', {}), ('stream', True), ('verify', None), ('cert', None))]
        if request_kwargs:
            raise TypeError('{} takes no {}'.format(method.lower(), ', '.join(sorted(request_kwargs))))
        prepared = self._session.prepare_request(request)
        # Nor may an answer on the way hand one to the request that follows it.
        prepared._cookies.set_policy(_StoreNothing())
        prepared.url = urls.with_token(prepared.url, token, self._base_url)
        history = []
        while True:
            settings = self._session.merge_environment_settings(prepared.url, *environment)
            response = self._session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
            response.history = history[:]
            if hasattr(response.raw, 'enforce_content_length'):
                # requests before 2.32 takes a body that was cut for a whole one.
                response.raw.enforce_content_length = True
            if not follow or response.next is None:
                return response
            if len(history) == self._session.max_redirects:
                raise requests.TooManyRedirects('more than {} redirects'.format(len(history)), response=response)
            history.append(response)
            prepared = response.next
            if not urls.is_trusted(prepared.url, self._base_url):
                prepared.url = urls.without_token(prepared.url, token)


def check_for_errors(response):
    """Raises AmigoCloudError for a response whose status is 400 or more.

    Args:
        response (requests.Response): any answer of the service.

    Raises:
        AmigoCloudError: with the response; its text says what the server said.
    """
    if response.status_code >= 400:
        raise AmigoCloudError(u'{} {} Error: {} for url: {}'.format(
            response.status_code, 'Client' if response.status_code < 500 else 'Server',
            response.reason, strike_out(response.url)), response)


def _decode(response):
    try:
        return response.json()
    except (ValueError, RuntimeError) as failure:
        if response.status_code >= 300:
            # A redirect that the caller wanted to see; its body is a page for people.
            return response.content
        six.raise_from(failure_error(ValueError(), u'The answer is not JSON ({}) for url: {}'.format(
            response.headers.get('content-type', 'no content type'), strike_out(response.url)), response), failure)


def _strike_out_all(failure, token):
    """Strikes the token out of an exception and of those it came from: a traceback prints them all."""
    while failure is not None:
        failure.args = tuple(strike_out(argument, token) if isinstance(argument, six.string_types) else argument
                             for argument in failure.args)
        failure = getattr(failure, '__cause__', None) or getattr(failure, '__context__', None)


class _StoreNothing(DefaultCookiePolicy):
    """The service sends session cookies; one sent back would switch it to cookie authentication with CSRF checks."""

    def set_ok(self, cookie, request):
        return False


def _make_session():
    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=POOL_SIZE)
    session.mount('https://', adapter)
    session.mount('http://', adapter)
    return session
