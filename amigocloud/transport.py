"""The one seam to HTTP: the Session, its time-outs, where the token goes, and what becomes of an answer."""
from __future__ import absolute_import

import logging
import os
import time

import requests
import six
from requests.adapters import HTTPAdapter
from six.moves.http_cookiejar import DefaultCookiePolicy
from urllib3.exceptions import HTTPError

from . import urls
from .exceptions import (
    AmigoCloudError,
    AmigoCloudValueError,
    failure_error,
    settle_charset,
    strike_out,
    token_sent,
)
from .retrying import DEFAULT_RETRIES, REPEATABLE, backoff
from .session import Session

#: Seconds to connect, and seconds between two bytes of the answer.
DEFAULT_TIMEOUT = (10, 300)

_REQUEST_ARGUMENTS = ('headers', 'files', 'data', 'json', 'params', 'auth', 'cookies', 'hooks')


class Transport(object):
    """Sends requests through one Session.

    Args:
        base_url (str): the base URL of the service; its origin is where the token may go.
        session (requests.Session): the caller's own; it stores no more cookies from now on.
        timeout (float or tuple): seconds, as requests takes them, for calls that name none.
        retries (int): tries after the first one; see ``retrying``. A session of the caller's keeps its own adapters.
    """

    def __init__(self, base_url, session=None, timeout=DEFAULT_TIMEOUT, retries=DEFAULT_RETRIES):
        if isinstance(retries, bool) or not isinstance(retries, six.integer_types) or retries < 0:
            raise AmigoCloudValueError('retries is a number from 0, not {!r}.'.format(retries))
        self._base_url = urls.normalize(base_url)
        self._session = session or Session(retries)
        self._session.cookies.set_policy(_StoreNothing())
        self._timeout, self._retries = timeout, retries
        self._process, self._of_parents = os.getpid(), []

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
            response = self._send_and_read(method, url, token, stream, request_kwargs)
        except (EnvironmentError, HTTPError, ValueError) as failure:
            _strike_out_all(failure, token)
            message = u'{} {} failed{}: {}'.format(method, six.ensure_text(url, errors='replace'),
                                                   _after_tries(_tries_of(failure)), _text_of(failure))
            six.raise_from(failure_error(failure, strike_out(message, token),
                                         getattr(failure, 'response', None)), failure)
        check_for_errors(response)
        if stream:
            return response
        if raw or not response.content:
            return response.content
        return _decode(response)

    def close(self):
        """Closes the kept-alive connections."""
        self._session.close()

    def _send_and_read(self, method, url, token, stream, request_kwargs):
        """The response, its body read unless stream; one that is cut is asked for again, which urllib3 does not do."""
        cuts = 0
        while True:
            response = self._send(method, url, token, dict(request_kwargs))
            if stream or response.status_code >= 400:
                return response
            try:
                _read(response)
                return response
            except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError) as cut:
                cuts += 1
                cut.tries = cuts
                if method not in REPEATABLE or cuts > self._retries:
                    raise
            time.sleep(backoff(cuts))

    def _send(self, method, url, token, request_kwargs):
        asked = requests.Request(method, url, **{
            name: request_kwargs.pop(name) for name in _REQUEST_ARGUMENTS if name in request_kwargs})
        follow = request_kwargs.pop('allow_redirects', True)
        timeout = request_kwargs.pop('timeout', self._timeout)
        environment = [request_kwargs.pop('proxies', None) or {}, request_kwargs.pop('stream', True),
                       request_kwargs.pop('verify', None), request_kwargs.pop('cert', None)]
        if request_kwargs:
            raise TypeError('{} takes no {}'.format(method.lower(), ', '.join(sorted(request_kwargs))))
        if self._process != os.getpid():
            self._process = os.getpid()
            self._leave_parent()
        prepared = self._session.prepare_request(asked)
        # Nor may an answer on the way hand one to the request that follows it.
        prepared._cookies.set_policy(_StoreNothing())
        prepared.url = urls.with_token(prepared.url, token, self._base_url)
        history = []
        while True:
            response = self._session.send(prepared, timeout=timeout, allow_redirects=False,
                                          **self._session.merge_environment_settings(prepared.url, *environment))
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

    def _leave_parent(self):
        """Begins without connections, for those there are belong to the process that this one was forked from."""
        for adapter in set(self._session.adapters.values()):
            if isinstance(adapter, HTTPAdapter):
                # Neither closed nor thrown away: a thread of the parent may have held their locks, which nobody opens.
                self._of_parents.append((adapter.poolmanager, adapter.proxy_manager))
                adapter.__setstate__(adapter.__getstate__())


def check_for_errors(response):
    """Raises AmigoCloudError for a response whose status is 400 or more.

    Args:
        response (requests.Response): any answer of the service.

    Raises:
        AmigoCloudError: with the response; its text says what the server said.
    """
    if response.status_code >= 400:
        tries = len(getattr(getattr(response.raw, 'retries', None), 'history', ())) + 1
        raise AmigoCloudError(strike_out(u'{} {} Error: {} for url: {}{}'.format(
            response.status_code, 'Client' if response.status_code < 500 else 'Server',
            six.ensure_text(response.reason or '', errors='replace'), response.url, _after_tries(tries)),
            token_sent(response)), response)


def _read(response):
    """Reads the body, which the response then holds; in one piece, where requests takes many small ones."""
    if response._content is False and response.raw is not None:
        response._content = b''.join(response.iter_content(None))


def _after_tries(tries):
    return ' after {} tries'.format(tries) if tries > 1 else ''


def _text_of(failure):
    try:
        return six.text_type(failure)
    except UnicodeError:
        # Python 2, and more than ASCII.
        return six.text_type(repr(failure))


def _tries_of(failure):
    """How often was tried, as ``retrying.Retry`` (below the exception of requests) or the reading of a body counted."""
    below = failure.args[0] if failure.args else None
    return getattr(failure, 'tries', None) or getattr(below, 'tries', 1)


def _decode(response):
    # Here, for the import of orjson takes longer than that of all the rest.
    from . import decoding
    settle_charset(response)
    try:
        return decoding.decode(response)
    except (ValueError, RuntimeError) as failure:
        if response.status_code >= 300:
            # A redirect that the caller wanted to see; its body is a page for people.
            return response.content
        six.raise_from(failure_error(ValueError(), u'The answer is not JSON ({}) for url: {}'.format(
            six.ensure_text(response.headers.get('content-type', 'no content type'), errors='replace'),
            strike_out(response.url)), response), failure)


def _strike_out_all(failure, token):
    """Strikes the token out of an exception and of those it came from: a traceback prints them all."""
    done = []
    while failure is not None and failure not in done:
        done.append(failure)
        failure.args = tuple(strike_out(argument, token) if isinstance(argument, six.string_types) else argument
                             for argument in failure.args)
        failure = getattr(failure, '__cause__', None) or getattr(failure, '__context__', None)


class _StoreNothing(DefaultCookiePolicy):
    """The service sends session cookies; one sent back would switch it to cookie authentication with CSRF checks."""

    def set_ok(self, cookie, request):
        return False


class _StrikeOutToken(logging.Filter):
    """urllib3 logs the path of each request, and a warning for each that is sent again."""

    def filter(self, record):
        record.msg, record.args = strike_out(record.getMessage()), ()
        return True


for _name in ('connection', 'connectionpool', 'poolmanager', 'response', 'util.retry'):
    logging.getLogger('urllib3.' + _name).addFilter(_StrikeOutToken())
