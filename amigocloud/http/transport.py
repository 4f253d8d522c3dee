"""Send requests, retry them, follow redirects, and return the response as a value or an error."""
from __future__ import absolute_import

import collections
import json
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

from .. import checks, waiting
from ..exceptions import (
    AmigoCloudError,
    AmigoCloudValueError,
    combined,
    failure_error,
    settle_charset,
    shortened,
    shown,
    text_of,
)
from ..tokens import (
    is_same_origin,
    is_trusted,
    strike_out,
    token_in,
    token_sent,
    with_login,
    with_token,
    without_token,
)
from . import retrying, urls
from . import session as sessions

#: Seconds to connect, and seconds between two bytes of a response.
DEFAULT_TIMEOUT = (10, 300)

#: Bytes of a body that are read at a time.
BLOCK_SIZE = 1 << 18

#: Methods that change nothing.
_READING = ('GET', 'HEAD', 'OPTIONS')

#: Headers of the caller that another host may receive. Any other header may be a credential.
_HARMLESS_HEADERS = frozenset([
    'accept', 'accept-encoding', 'accept-language', 'connection', 'content-range', 'content-type',
    'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'range', 'user-agent'])

#: Contents that can be read any number of times.
_REPEATABLE_CONTENTS = (bytes, six.text_type, bytearray, memoryview, type(None))

LOG = logging.getLogger(__name__)


#: ``tries`` (int): the number of times the request was sent.
#: ``is_lost`` (bool): the service may have carried out a try whose response was lost.
_Outcome = collections.namedtuple('_Outcome', ('response', 'tries', 'is_lost'))


class Transport(object):
    """Send requests through one Session.

    Args:
        session (requests.Session): a Session of the caller. It stores no more cookies from now on.
        timeout (float or tuple): seconds, as requests accepts them, for calls without a timeout.
        retries (int): the number of tries after the first one; see ``retrying``. Adapters of the
            caller are not retried.
        verify (bool or str): as requests accepts it. Defaults to True.
        proxies (dict): as requests accepts them.
    """

    def __init__(self, session=None, timeout=DEFAULT_TIMEOUT, retries=retrying.DEFAULT_RETRIES,
                 verify=None, proxies=None):
        checks.count('retries', retries)
        if session is not None and (verify is not None or proxies is not None):
            raise AmigoCloudValueError(
                'verify and proxies cannot be combined with session. Set them on the session.')
        if session is not None and not hasattr(session, 'get_adapter'):
            raise AmigoCloudValueError(
                u'session must be a requests.Session, not {}.'.format(shown(session)))
        if proxies is not None and not isinstance(proxies, Mapping):
            raise AmigoCloudValueError(
                u"proxies must be a dict such as {{'https': 'http://proxy:3128'}}, not {}.".format(
                    shown(proxies)))
        self.session = sessions.new_session() if session is None else session
        if verify is not None:
            self.session.verify = verify
        self.session.proxies.update(proxies or {})
        self.session.cookies.set_policy(_RefuseCookies())
        self._timeout = timeout
        self._retries = retries
        self._api_url = None
        self._normalized = None
        self._process = os.getpid()
        self._parents_pools = []

    def request(self, method, url, token, api_url, check, raw=False, stream=False, meant_for=None,
                **request_kwargs):
        """Send a request and return the value of its response.

        Args:
            method (str): the HTTP method.
            url (str): a full URL.
            token (str): the token to send to trusted URLs, or None.
            api_url (str): the URL of the API. The token may go to its origin.
            check (callable): raises for a response that is an error; see ``check_for_errors``.
            raw (bool): return the body as bytes. Defaults to False.
            stream (bool): return the open response. Defaults to False.
            meant_for (str): the URL that the headers, auth and cookies of the caller are meant for,
                if url is a link from the service.
            **request_kwargs: any argument of ``requests.request``.

        Returns:
            The decoded JSON; bytes if raw is True or the body is empty; a ``requests.Response`` if
            stream is True.

        Raises:
            AmigoCloudError: there is no response, its status is 400 or more, or it is not JSON.
        """
        params = request_kwargs.pop('params', None)
        tokens = [token]
        error = None
        # A hook or an auth of the caller may send another request during this one.
        outer_tokens = _sending.tokens
        _sending.tokens = tokens
        try:
            if api_url != self._api_url:
                self._api_url = api_url
                self._normalized = urls.normalize(api_url)
            url = urls.normalize(url, params)
            if '=' in url:
                # The caller may have put another token into the URL.
                tokens.append(token_in(url))
            url = with_login(with_token(url, token, self._normalized), self._normalized)
            outcome = self._follow(method, url, tokens, meant_for, stream, request_kwargs)
        except AmigoCloudError:
            raise
        except (EnvironmentError, HTTPError, ValueError, TypeError, AttributeError) as failure:
            # requests raises TypeError and AttributeError for arguments of a wrong type.
            sent = getattr(failure, 'request', None)
            # After a redirect the failed URL is another one.
            sent_to = getattr(sent, 'url', None) or url
            message = u'{} {} failed{}: {}'.format(
                method, shortened(sent_to, *tokens), _after_tries(getattr(failure, 'tries', 1)),
                _reason_of(failure, tokens))
            error = failure_error(failure, message, getattr(failure, 'response', None))
        finally:
            _sending.tokens = outer_tokens
        if error is not None:
            # Raise outside of the handler, because the original exception may contain the token.
            raise error
        response = outcome.response
        if outcome.is_lost and method == 'DELETE' and response.status_code in (404, 410):
            LOG.warning('DELETE %s: a try whose response was lost has already deleted it',
                        strike_out(response.url, *tokens))
            if stream:
                return response
            response.close()
            return b''
        try:
            check(response)
        except AmigoCloudError as refused:
            # A subclass of the caller may have no message.
            refused.message = getattr(refused, 'message', u'') + _after_tries(outcome.tries)
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
        """Send a request and follow redirects."""
        follow = kwargs.pop('allow_redirects', True)
        kwargs.setdefault('timeout', self._timeout)
        if meant_for is not None and not self._may_see(url, urls.normalize(meant_for)):
            kwargs = self._without_credentials(kwargs)
        if kwargs.get('files'):
            kwargs['files'] = _checked_files(kwargs['files'])
        body = _Body(kwargs.get('data'), kwargs.get('files'))
        # A link to another host may have a token for the hosts that it redirects to. Keep it.
        private = tokens if is_trusted(url, self._normalized) else tokens[:1]
        history = []
        while True:
            outcome = self._exchange(method, url, tokens, body, stream, kwargs)
            response = outcome.response
            if history:
                response.history = history[:]
            if not follow or not 300 <= response.status_code < 400:
                return outcome
            target = self._redirect_target(method, url, response, len(history), tokens)
            if target is None:
                return outcome
            if method not in _READING:
                if response.status_code == 303:
                    method = 'GET'
                    body = _Body()
                    kwargs = _without_body(kwargs)
                elif not body.rewind():
                    advice = (u'The body cannot be read a second time. Send the request to {}'
                              .format(shortened(target, *tokens)))
                    raise AmigoCloudError(
                        _redirected(method, url, response, advice, tokens), response)
            response.close()
            history.append(response)
            if not is_trusted(target, self._normalized):
                for token in private:
                    target = without_token(target, token)
            if not self._may_see(target, url):
                kwargs = self._without_credentials(kwargs)
            url = with_login(target, self._normalized)

    def _redirect_target(self, method, url, response, redirects, tokens):
        """Return the URL of a redirect, or None if the response is the final one."""
        status = response.status_code
        is_reading = method in _READING
        location = self.session.get_redirect_target(response)
        if not location:
            if is_reading or status in (303, 304):
                return None
            raise AmigoCloudError(_redirected(
                method, url, response, 'The redirect names no location.', tokens), response)
        if redirects == self.session.max_redirects:
            raise requests.TooManyRedirects(
                'more than {} redirects'.format(redirects), response=response)
        try:
            target = urls.normalize(urljoin(response.url, location))
        except ValueError:
            target = None
        if not is_reading and status in (301, 302):
            advice = u'Send the request to {}'.format(shortened(target or location, *tokens))
            raise AmigoCloudError(_redirected(method, url, response, advice, tokens), response)
        if target is None:
            message = u'{} {} received a redirect ({}) to {}, which is not a URL.'.format(
                method, shortened(url, *tokens), status, shortened(location, *tokens))
            raise combined(requests.exceptions.InvalidURL, message, response)
        return target

    def _exchange(self, method, url, tokens, body, stream, kwargs):
        """Send a request, retry it if ``retrying`` allows, and return the final outcome."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._replace_pools()
        retries = self._retries if self._may_retry(url) else 0
        began = waiting.now()
        tries = 0
        is_lost = False
        while True:
            tries += 1
            start = waiting.now()
            try:
                response = self._send(method, url, body, stream, kwargs)
            except (requests.RequestException, HTTPError, HTTPException) as failure:
                problem = failure
                if isinstance(failure, HTTPException):
                    # Older releases of requests do not convert it if a body has no length.
                    problem = requests.ConnectionError(failure)
                pause = retrying.pause_after_failure(method, problem, tries)
                is_lost = True
            else:
                problem = None
                if LOG.isEnabledFor(logging.DEBUG):
                    LOG.debug('%s %s: %s, %d ms', method, strike_out(url, *tokens),
                              response.status_code, 1000 * (waiting.now() - start))
                pause = retrying.pause_after_answer(method, response, tries)
            is_final = (pause is None or tries > retries
                        or waiting.now() - began + pause > retrying.RETRY_SECONDS)
            if is_final or not body.rewind():
                if problem is None:
                    return _Outcome(response, tries, is_lost)
                problem.tries = tries
                raise problem
            LOG.warning('%s %s: try %d of %d failed, retrying in %.1f s: %s', method,
                        strike_out(url, *tokens), tries, retries + 1, pause,
                        _reason_of(problem, tokens) if problem else response.status_code)
            if problem is None:
                is_lost = is_lost or not retrying.is_refused(response)
                response.close()
            time.sleep(pause)

    def _send(self, method, url, body, stream, kwargs):
        """Send a request once and read the body of the response, unless stream is True."""
        # stream=True leaves the body to _read.
        response = self.session.request(method, url, allow_redirects=False, stream=True, **kwargs)
        if (not body.can_rewind and getattr(response, 'history', None)
                and not isinstance(response.request.body, (bytes, six.text_type))):
            response.close()
            raise requests.exceptions.UnrewindableBodyError(
                'auth= sent the request a second time, but its body cannot be read again. '
                'Pass bytes.')
        if hasattr(getattr(response, 'raw', None), 'enforce_content_length'):
            # Before 2.32, requests accepts a body that was cut off.
            response.raw.enforce_content_length = True
        if not stream and response.status_code < 400:
            _read(response, method)
        return response

    def _may_retry(self, url):
        """Return whether no adapter of the caller retries the requests to a URL."""
        adapter = self.session.get_adapter(url)
        return (type(adapter) in (HTTPAdapter, sessions.Adapter)
                and adapter.max_retries.total == 0)

    def _may_see(self, url, known):
        """Return whether a URL may receive the credentials that the caller gave for another one."""
        return is_trusted(url, self._normalized) or is_same_origin(url, known)

    def _without_credentials(self, kwargs):
        """Return the arguments of a request without any that may be a credential."""
        headers = {name: value for name, value in (kwargs.get('headers') or {}).items()
                   if _is_harmless(name)}
        # None removes a header of the Session.
        headers.update((name, None) for name in self.session.headers if not _is_harmless(name))
        return dict(kwargs, headers=headers, auth=_no_auth, cookies=None)

    def _replace_pools(self):
        """Replace the connections of the parent process after a fork."""
        for adapter in set(self.session.adapters.values()):
            if isinstance(adapter, HTTPAdapter):
                # Keep the parent's pools referenced but unused: closing them could deadlock on a
                # lock that another thread held at fork time.
                self._parents_pools.append((adapter.poolmanager, adapter.proxy_manager))
                # This creates new pools, as unpickling does.
                adapter.__setstate__(adapter.__getstate__())


class _Body(object):
    """The body of a request, which a retry reads again.

    Args:
        data, files: as requests accepts them.

    Attributes:
        can_rewind (bool): whether the body can be read again.
    """

    def __init__(self, data=None, files=None):
        self.can_rewind = True
        self._starts = []
        if not isinstance(data, _REPEATABLE_CONTENTS + (Mapping, list, tuple)):
            if not hasattr(data, 'read') and not hasattr(data, '__iter__') and data:
                raise AmigoCloudValueError(
                    u'data must be a dict, a str, bytes or an open file, not {}.'.format(
                        shown(data)))
            self._add(data)
        for _, part in _pairs(files or ()):
            content = _content_of(part)
            if not isinstance(content, _REPEATABLE_CONTENTS + six.integer_types):
                self._add(content)

    def rewind(self):
        """Return to the start of the body, and return whether that is possible."""
        if self.can_rewind:
            for content, start in self._starts:
                content.seek(start)
        return self.can_rewind

    def _add(self, content):
        try:
            self._starts.append((content, content.tell()))
            content.seek(content.tell())
        except (AttributeError, EnvironmentError, ValueError):
            self.can_rewind = False


def check_for_errors(response):
    """Raise AmigoCloudError for a response whose status is 400 or more.

    Args:
        response (requests.Response): any response of the service.

    Raises:
        AmigoCloudError: with the response, whose text the message includes.
    """
    if response.status_code >= 400:
        token = token_sent(response)
        raise AmigoCloudError(u'{} {} Error: {} for url: {}'.format(
            response.status_code, 'Client' if response.status_code < 500 else 'Server',
            shortened(getattr(response, 'reason', None) or '', token),
            shortened(getattr(response, 'url', None) or '', token)), response)


def has_no_end(response):
    """Return whether no header of HTTP/1.1 tells the length of the body.

    An empty body of such a response was cut off inside the header.

    Args:
        response (requests.Response): any response, other than one to HEAD.
    """
    headers = response.headers
    return (getattr(response.raw, 'version', None) == 11
            and response.status_code not in (204, 304)
            and not re.match(r'\s*[0-9]+\s*\Z', headers.get('Content-Length', ''))
            and 'chunked' not in headers.get('Transfer-Encoding', '').lower())


def _read(response, method):
    """Read the body into the response, in larger blocks than requests does."""
    # requests has no public way to set a body, or to tell whether a mock of a response has one.
    if getattr(response, '_content', None) is not False or response.raw is None:
        return
    body = b''.join(response.iter_content(BLOCK_SIZE))
    if not body and method != 'HEAD' and has_no_end(response):
        raise requests.ConnectionError('The response was cut off inside its header.')
    response._content = body


def _checked_files(files):
    """Return the files of a multipart request as a dict or a list, which can be read repeatedly."""
    if not isinstance(files, Mapping):
        is_one_value = isinstance(files, (bytes, six.text_type)) or not hasattr(files, '__iter__')
        files = [files] if is_one_value else list(files)
        for pair in files:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise AmigoCloudValueError(
                    u'files must be a dict or pairs of a name and a file, not {}.'.format(
                        shown(pair)))
    for name, part in _pairs(files):
        content = _content_of(part)
        # urllib3 sends an int as text.
        is_constant = isinstance(content, _REPEATABLE_CONTENTS + six.integer_types)
        if not is_constant and not hasattr(content, 'read'):
            raise AmigoCloudValueError(u'files[{}] must be an open file, a str or bytes, not {}.'
                                       .format(shown(name), shown(content)))
    return files


def _pairs(files):
    return files.items() if isinstance(files, Mapping) else files


def _content_of(part):
    """Return the content of a part, which may be a tuple of a file name, a content and more."""
    return part[1] if isinstance(part, (tuple, list)) and len(part) > 1 else part


def _without_body(kwargs):
    """Return the arguments of a request without its body and the headers that describe it."""
    kwargs = {name: value for name, value in kwargs.items()
              if name not in ('data', 'files', 'json')}
    kwargs['headers'] = {
        name: value for name, value in (kwargs.get('headers') or {}).items()
        if six.ensure_str(name).lower() not in ('content-type', 'content-length')}
    return kwargs


def _redirected(method, url, response, advice, tokens):
    return u'{} {} received a redirect ({}), and nothing was done. {}'.format(
        method, shortened(url, *tokens), response.status_code, advice)


def _after_tries(tries):
    return u' after {} tries'.format(tries) if tries > 1 else u''


def _reason_of(failure, tokens):
    """Return the message of the exception that requests and urllib3 have wrapped."""
    while True:
        below = failure.reason if isinstance(failure, MaxRetryError) else next(
            (argument for argument in failure.args if isinstance(argument, Exception)), None)
        if below is None:
            break
        failure = below
    text = text_of(failure) or type(failure).__name__
    # Remove the repr of the connection, because the message already names the URL.
    text = re.sub(r'\A(<[^>]*>|\w+\([^)]*\)): ', '', text).strip()
    return shortened(text, *tokens)


def _is_harmless(name):
    return six.ensure_str(name).lower() in _HARMLESS_HEADERS


def _no_auth(request):
    """Return a request as it is, to disable the auth of the Session and of netrc."""
    return request


def _decode(response):
    # Import it here, because importing orjson takes longer than importing the rest.
    from .. import decoding
    settle_charset(response)
    try:
        return decoding.decode(response)
    except (ValueError, RuntimeError) as problem:
        failure = problem
    if response.status_code >= 300:
        # A caller that does not follow redirects receives the HTML of the redirect.
        return response.content
    raise _not_json(failure, response)


def _not_json(failure, response):
    """Return the error for a body that is not JSON. On Python 3 it is also a JSONDecodeError."""
    token = token_sent(response)
    message = u'The response is not JSON ({}) for url: {}'.format(
        shortened(response.headers.get('content-type', 'no content type'), token),
        shortened(u'{}'.format(response.url), token))
    error = combined(getattr(json, 'JSONDecodeError', ValueError), message, response)
    for name in ('msg', 'pos', 'lineno', 'colno'):
        setattr(error, name, getattr(failure, name, None))
    error.doc = strike_out(getattr(failure, 'doc', u''), token)
    return error


class _RefuseCookies(DefaultCookiePolicy):
    """Refuse the session cookies of the service.

    A session cookie would switch the service to cookie authentication with CSRF checks.
    """

    def set_ok(self, cookie, request):
        return False


class _Sending(threading.local):
    """The tokens of the request that a thread is sending."""

    tokens = ()


_sending = _Sending()


class _StrikeOutTokens(logging.Filter):
    """Strike out the tokens of the current request in the records of urllib3, which logs paths."""

    def filter(self, record):
        if any(_sending.tokens):
            message = record.getMessage()
            safe = strike_out(message, *_sending.tokens)
            if safe != message:
                record.msg = safe
                record.args = ()
            if record.exc_info and record.exc_info[0]:
                formatted = ''.join(traceback.format_exception(*record.exc_info))
                safe = strike_out(formatted, *_sending.tokens)
                if safe != formatted:
                    record.exc_info = None
                    record.exc_text = safe
        return True


for _name in ('connection', 'connectionpool', 'poolmanager', 'response', 'util.retry'):
    logging.getLogger('urllib3.' + _name).addFilter(_StrikeOutTokens())
