"""The one seam to HTTP: sends requests, repeats and redirects them, and makes a value or an error of the answer."""
from __future__ import absolute_import

import collections
import logging
import os
import re
import threading
import time
import traceback

import requests
import six
from requests.adapters import HTTPAdapter
from requests.compat import Mapping
from six.moves.http_client import HTTPException
from six.moves.http_cookiejar import DefaultCookiePolicy
from six.moves.urllib.parse import urljoin
from urllib3.exceptions import HTTPError, MaxRetryError

from . import retrying, urls
from . import session as sessions
from .exceptions import AmigoCloudError, AmigoCloudValueError, failure_error, settle_charset, text_of, token_sent
from .tokens import strike_out, token_in
from .waiting import now as _now

#: Seconds to connect, and seconds between two bytes of the answer.
DEFAULT_TIMEOUT = (10, 300)

#: Bytes of a body that are read at a time.
BLOCK_SIZE = 1 << 18

#: Characters of the reason that a message gives for a failure; a server may have echoed anything in it.
REASON_LIMIT = 200

#: Headers of the caller that another host may see; any other may be a credential.
_HARMLESS_HEADERS = frozenset([
    'accept', 'accept-encoding', 'accept-language', 'connection', 'content-range', 'content-type', 'if-match',
    'if-modified-since', 'if-none-match', 'if-range', 'range', 'user-agent'])

_REDIRECTS = (301, 302, 303, 307, 308)

LOG = logging.getLogger(__name__)


#: ``tries`` (int): how often the request was sent; ``lost`` (bool): an earlier try may have been carried out.
_Outcome = collections.namedtuple('_Outcome', ('response', 'tries', 'lost'))


class Transport(object):
    """Sends requests through one Session.

    Args:
        session (requests.Session): the caller's own; it stores no more cookies from now on.
        timeout (float or tuple): seconds, as requests takes them, for calls that name none.
        retries (int): tries after the first one; see ``retrying``. Adapters of the caller's own are left alone.
        verify (bool or str): as requests takes it. Defaults to True.
        proxies (dict): as requests takes them.
    """

    def __init__(self, session=None, timeout=DEFAULT_TIMEOUT, retries=retrying.DEFAULT_RETRIES, verify=None,
                 proxies=None):
        if isinstance(retries, bool) or not isinstance(retries, six.integer_types) or retries < 0:
            raise AmigoCloudValueError('retries must be an integer of at least 0, not {!r}.'.format(retries))
        if session is not None and (verify is not None or proxies is not None):
            raise AmigoCloudValueError('Set verify and proxies on the session that you pass, not beside it.')
        self.session = sessions.new_session() if session is None else session
        if verify is not None:
            self.session.verify = verify
        self.session.proxies.update(proxies or {})
        self.session.cookies.set_policy(_StoreNothing())
        self._timeout, self._retries = timeout, retries
        self._api_url = self._normalized = None
        self._process, self._of_parents = os.getpid(), []

    def request(self, method, url, token, api_url, check, raw=False, stream=False, meant_for=None, **request_kwargs):
        """Send one request and return the value of its answer.

        Args:
            method (str): the HTTP method.
            url (str): a full URL.
            token (str): the token to send where it may go, or None.
            api_url (str): where the API is; its origin is where the token may go.
            check (callable): raises for a response that is an error; see ``check_for_errors``.
            raw (bool): return the body as bytes. Defaults to False.
            stream (bool): return the open response. Defaults to False.
            meant_for (str): the URL that the caller's headers, auth and cookies are meant for, where url is a link that
                the service gave.
            **request_kwargs: any argument of ``requests.request``.

        Returns:
            The decoded JSON; bytes if raw or if there is no body; a ``requests.Response`` if stream.

        Raises:
            AmigoCloudError: no answer, one with a status of 400 or more, or one that is not JSON.
        """
        params = request_kwargs.pop('params', None)
        tokens = [token]
        error = None
        # A hook or an auth of the caller's may send a request while this one is being sent.
        outer, _sending.tokens = _sending.tokens, tokens
        try:
            if api_url != self._api_url:
                self._api_url, self._normalized = api_url, urls.normalize(api_url)
            url = urls.normalize(url, params)
            if '=' in url:
                # One of the caller's own.
                tokens.append(token_in(url))
            url = urls.with_token(url, token, self._normalized)
            outcome = self._follow(method, url, tokens, meant_for, stream, request_kwargs)
        except AmigoCloudError:
            raise
        except (EnvironmentError, HTTPError, ValueError) as failure:
            message = u'{} {} failed{}: {}'.format(
                method, six.ensure_text(url, errors='replace'), _after_tries(getattr(failure, 'tries', 1)),
                _reason_of(failure))
            error = failure_error(failure, _without(tokens, message), getattr(failure, 'response', None))
        finally:
            _sending.tokens = outer
        if error is not None:
            # Raised here, where no exception of the libraries below, which shows the token, is its context.
            raise error
        response = outcome.response
        if outcome.lost and method == 'DELETE' and response.status_code in (404, 410):
            LOG.warning('DELETE %s: gone; an earlier try, whose answer was lost, was carried out',
                        _without(tokens, response.url))
            if stream:
                return response
            response.close()
            return b''
        try:
            check(response)
        except AmigoCloudError as refused:
            refused.message += _after_tries(outcome.tries)
            raise
        if stream:
            return response
        if raw or not response.content:
            return response.content
        return _decode(response)

    def close(self):
        """Close the kept-alive connections."""
        self.session.close()

    def _follow(self, method, url, tokens, meant_for, stream, kwargs):
        """Send a request, and again where the answer redirects it to."""
        follow = kwargs.pop('allow_redirects', True)
        kwargs.setdefault('timeout', self._timeout)
        if meant_for is not None and not self._may_see(url, urls.normalize(meant_for)):
            kwargs = self._without_credentials(kwargs)
        body = _Body(kwargs.get('data'), kwargs.get('files'))
        history = []
        while True:
            outcome = self._exchange(method, url, tokens, body, stream, kwargs)
            response = outcome.response
            if history:
                response.history = history[:]
            if not follow or response.status_code not in _REDIRECTS:
                return outcome
            location = self.session.get_redirect_target(response)
            if not location:
                return outcome
            if len(history) == self.session.max_redirects:
                raise requests.TooManyRedirects('more than {} redirects'.format(len(history)), response=response)
            target = urls.normalize(urljoin(response.url, location))
            if method not in ('GET', 'HEAD', 'OPTIONS'):
                if response.status_code in (301, 302):
                    raise AmigoCloudError(_without(tokens, (
                        u'{} {} was answered by a redirect ({}), and nothing was done. Send the request to {}'
                    ).format(method, url, response.status_code, target)), response)
                if response.status_code == 303:
                    method, body = 'GET', _Body()
                    kwargs = {name: value for name, value in kwargs.items() if name not in ('data', 'files', 'json')}
                    kwargs['headers'] = {name: value for name, value in (kwargs.get('headers') or {}).items()
                                         if six.ensure_str(name).lower() not in ('content-type', 'content-length')}
                elif not body.rewind():
                    raise AmigoCloudError(_without(tokens, (
                        u'{} {} was answered by a redirect ({}), and nothing was done: the body cannot be read a '
                        u'second time. Send it to {}').format(method, url, response.status_code, target)), response)
            response.close()
            history.append(response)
            if not urls.is_trusted(target, self._normalized):
                for token in tokens:
                    target = urls.without_token(target, token)
            if not self._may_see(target, url):
                kwargs = self._without_credentials(kwargs)
            url = target

    def _exchange(self, method, url, tokens, body, stream, kwargs):
        """Send one request until it is answered, as often as ``retrying`` allows; the body is read unless stream."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._leave_parent()
        retries = self._retries if self._is_ours_to_repeat(url) else 0
        began, tries, lost = _now(), 0, False
        while True:
            tries += 1
            start = _now()
            try:
                # "stream" leaves the reading to _read.
                response = self.session.request(method, url, allow_redirects=False, stream=True, **kwargs)
                if hasattr(response.raw, 'enforce_content_length'):
                    # requests before 2.32 takes a body that was cut for a whole one.
                    response.raw.enforce_content_length = True
                if not stream and response.status_code < 400:
                    _read(response, method)
            except (requests.RequestException, HTTPError, HTTPException) as failure:
                # Older requests lets exceptions of http.client through where a body has no length.
                problem = requests.ConnectionError(failure) if isinstance(failure, HTTPException) else failure
                pause = retrying.pause_after_failure(method, problem, tries)
                lost = True
            else:
                if LOG.isEnabledFor(logging.DEBUG):
                    LOG.debug('%s %s: %s, %d ms', method, _without(tokens, url), response.status_code,
                              1000 * (_now() - start))
                pause = retrying.pause_after_answer(method, response, tries)
                problem = None
            if (pause is None or tries > retries or _now() - began + pause > retrying.RETRY_SECONDS
                    or not body.rewind()):
                if problem is None:
                    return _Outcome(response, tries, lost)
                problem.tries = tries
                raise problem
            LOG.warning('%s %s: try %d of %d failed, the next one in %.1f s: %s', method,
                        _without(tokens, url), tries, retries + 1, pause,
                        _without(tokens, _reason_of(problem)) if problem else response.status_code)
            if problem is None:
                # A gateway says so of requests that it has passed on; Retry-After comes from the service itself.
                lost = lost or 'Retry-After' not in response.headers
                response.close()
            time.sleep(pause)

    def _is_ours_to_repeat(self, url):
        """Whether nobody else does: an adapter of the caller's own decides for itself."""
        return type(self.session.get_adapter(url)) in (HTTPAdapter, sessions.Adapter)

    def _may_see(self, url, known):
        """Whether what the caller gave for one URL may be sent to another."""
        return urls.is_trusted(url, self._normalized) or urls.is_same_origin(url, known)

    def _without_credentials(self, kwargs):
        headers = {name: value for name, value in (kwargs.get('headers') or {}).items() if _is_harmless(name)}
        # None keeps a header of the Session back.
        headers.update((name, None) for name in self.session.headers if not _is_harmless(name))
        return dict(kwargs, headers=headers, auth=_no_auth, cookies=None)

    def _leave_parent(self):
        """Begin without connections: those there are belong to the process that this one was forked from."""
        for adapter in set(self.session.adapters.values()):
            if isinstance(adapter, HTTPAdapter):
                # Neither closed nor thrown away: a thread of the parent may have held their locks, which nobody opens.
                self._of_parents.append((adapter.poolmanager, adapter.proxy_manager))
                adapter.__setstate__(adapter.__getstate__())


class _Body(object):
    """The body of a request, which may have to be read a second time.

    Args:
        data, files: as requests takes them.
    """

    def __init__(self, data=None, files=None):
        self._can_rewind, self._starts = True, []
        if not isinstance(data, (bytes, six.text_type, Mapping, list, tuple, type(None))):
            self._add(data)
        for part in (files.values() if isinstance(files, Mapping) else [value for _, value in files or ()]):
            content = part[1] if isinstance(part, (tuple, list)) else part
            if not isinstance(content, (bytes, six.text_type, bytearray, type(None))):
                self._add(content)

    def rewind(self):
        """Go back to where the body began; return whether that could be done."""
        if self._can_rewind:
            for content, start in self._starts:
                content.seek(start)
        return self._can_rewind

    def _add(self, content):
        try:
            self._starts.append((content, content.tell()))
            content.seek(content.tell())
        except (AttributeError, EnvironmentError, ValueError):
            self._can_rewind = False


def check_for_errors(response):
    """Raise AmigoCloudError for a response whose status is 400 or more.

    Args:
        response (requests.Response): any answer of the service.

    Raises:
        AmigoCloudError: with the response; its text says what the server said.
    """
    if response.status_code >= 400:
        raise AmigoCloudError(strike_out(u'{} {} Error: {} for url: {}'.format(
            response.status_code, 'Client' if response.status_code < 500 else 'Server',
            six.ensure_text(response.reason or '', errors='replace'), response.url), token_sent(response)), response)


def _read(response, method):
    """Read the body, which the response then holds; in larger pieces than requests does."""
    # requests has no public way to set a body; doubles of a response have it already.
    if getattr(response, '_content', None) is not False or response.raw is None:
        return
    body = b''.join(response.iter_content(BLOCK_SIZE))
    if not body and _has_no_end(response, method):
        raise requests.ConnectionError('The answer was cut inside its header.')
    response._content = body


def _has_no_end(response, method):
    """Whether nothing in the header of HTTP/1.1 tells where the body ends, as after a connection that was cut there."""
    return (getattr(response.raw, 'version', None) == 11 and method != 'HEAD'
            and response.status_code not in (204, 304)
            and not re.match(r'\s*[0-9]+\s*\Z', response.headers.get('Content-Length', ''))
            and 'chunked' not in response.headers.get('Transfer-Encoding', '').lower())


def _after_tries(tries):
    return u' after {} tries'.format(tries) if tries > 1 else u''


def _reason_of(failure):
    """Say in a few words why a request failed: what lies below the classes of requests and urllib3 that wrap it."""
    while True:
        below = failure.reason if isinstance(failure, MaxRetryError) else next(
            (argument for argument in failure.args if isinstance(argument, Exception)), None)
        if below is None:
            break
        failure = below
    text = text_of(failure) or type(failure).__name__
    # The connection that urllib3 names first is the one of the URL.
    return re.sub(r'\A(<[^>]*>|\w+\([^)]*\)): ', '', text)[:REASON_LIMIT]


def _without(tokens, text):
    for token in tokens:
        text = strike_out(text, token)
    return text


def _is_harmless(name):
    return six.ensure_str(name).lower() in _HARMLESS_HEADERS


def _no_auth(request):
    """An auth that adds nothing, in the place of the Session's and of netrc's."""
    return request


def _decode(response):
    # Here, for the import of orjson takes longer than that of all the rest.
    from . import decoding
    settle_charset(response)
    try:
        return decoding.decode(response)
    except (ValueError, RuntimeError) as problem:
        failure = problem
    if response.status_code >= 300:
        # A redirect that the caller wanted to see; its body is a page for people.
        return response.content
    raise decoding.error(failure, u'The answer is not JSON ({}) for url: {}'.format(
        six.ensure_text(response.headers.get('content-type', 'no content type'), errors='replace'),
        strike_out(u'{}'.format(response.url), token_sent(response))), response)


class _StoreNothing(DefaultCookiePolicy):
    """The service sends session cookies; one sent back would switch it to cookie authentication with CSRF checks."""

    def set_ok(self, cookie, request):
        return False


class _Sending(threading.local):
    """The tokens of the request that a thread is sending."""

    tokens = ()


_sending = _Sending()


class _StrikeOutToken(logging.Filter):
    """urllib3 logs the path of each request; a record that holds a token of the request being sent loses it."""

    def filter(self, record):
        if any(_sending.tokens):
            message = record.getMessage()
            safe = _without(_sending.tokens, message)
            if safe != message:
                record.msg, record.args = safe, ()
            if record.exc_info and record.exc_info[0]:
                told = ''.join(traceback.format_exception(*record.exc_info))
                if _without(_sending.tokens, told) != told:
                    record.exc_info, record.exc_text = None, _without(_sending.tokens, told)
        return True


for _name in ('connection', 'connectionpool', 'poolmanager', 'response', 'util.retry'):
    logging.getLogger('urllib3.' + _name).addFilter(_StrikeOutToken())
