"""AmigoCloudError: what failed, on which URL, what the server said; never with a token in it."""
from __future__ import absolute_import

import codecs
import copy
import functools
import re

import requests
import six
from requests.structures import CaseInsensitiveDict

from .tokens import strike_out, token_in

#: Characters of the server's text that str(error) shows; ``error.text`` has them all.
TEXT_LIMIT = 2000

# What a terminal would act on instead of showing it; line feeds and tabs are harmless.
_CONTROL = u'[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]'


def printable(text):
    """Makes a text safe to print: without a token, and without what a terminal would act on.

    Args:
        text (str): anything, such as what a server sent.

    Returns:
        str: the text, with ``***`` and ``?`` in their places.

    Example:
        >>> printable(u'GET /me?token=secret \\x1b[2J')
        'GET /me?token=*** ?[2J'
    """
    return six.ensure_str(_without_control(strike_out(six.ensure_text(text, errors='replace'))))


def text_of(failure):
    """Return what an exception says as a text; its repr where Python 2 cannot make a text of it."""
    try:
        return six.text_type(failure)
    except UnicodeError:
        return six.text_type(repr(failure))


def shown(value):
    """Return the repr of a value for a message: without a token or password, at most 200 characters of it."""
    return u'{:.200}'.format(printable(repr(value)))


def _without_control(text):
    # Not compiled at import, of which it would take a tenth.
    return re.sub(_CONTROL, u'?', text.replace(u'\r\n', u'\n'))


# Codecs of Python that give no text, or fail at what is broken instead of replacing it.
_NO_CHARSETS = frozenset(['base64', 'bz2', 'hex', 'idna', 'punycode', 'quopri', 'undefined', 'uu', 'zlib'])


@six.python_2_unicode_compatible
class AmigoCloudError(Exception):
    """Anything that fails between a call and its answer.

    Args:
        message (str): what failed, and on which URL.
        response (requests.Response): the server's answer, if there was one.

    Attributes:
        message (str): as given.
        response (requests.Response): as given, or None.
        text (str): the body of the response, or None.
        status_code (int): the status of the response, or None.
        upload_id (str): of an upload in chunks that failed, or None. ``upload_file(..., resume=error)`` goes on.
        offset (int): the bytes of that upload that the service holds.
        written (list of str): the amigo_ids of the rows that were written before a later one failed, or None.

    A failed connection, a time-out or any other error of requests raises an error that is also an instance of
    the class of requests for it, so that ``except requests.ConnectionError`` goes on working.
    """

    upload_id = offset = written = None

    #: What makes an error of a class that was made for the purpose; pickles know it by this.
    _make = None

    def __init__(self, message, response=None):
        message = strike_out(message)
        # Not through super(): the classes of requests that combined mixes in would take the arguments for theirs.
        Exception.__init__(self, *([message] if response is None else [message, response]))
        self.message = message
        self.response = response
        self.text = None if response is None else _body(response)
        self.status_code = None if response is None else response.status_code

    def __reduce__(self):
        state = {name: value for name, value in self.__dict__.items() if name not in ('response', 'text')}
        return self._make or type(self), (self.message, _without_token(self.response)), state

    def __str__(self):
        if not self.text:
            return _without_control(six.ensure_text(self.message, errors='replace'))
        text = self.text[:TEXT_LIMIT]
        if len(self.text) > TEXT_LIMIT:
            text += u'... ({} characters in all)'.format(len(self.text))
        return _without_control(u'{}\n{}'.format(six.ensure_text(self.message, errors='replace'),
                                                 strike_out(text, token_sent(self.response))))


class AmigoCloudValueError(AmigoCloudError, ValueError):
    """An argument that cannot be used; nothing was sent."""


class AmigoCloudJobError(AmigoCloudError):
    """A job that failed.

    Args:
        message (str): which job, and why it failed.
        job (dict): the job as the service told it.

    Attributes:
        job (dict): as given.
    """

    def __init__(self, message, job):
        AmigoCloudError.__init__(self, message)
        self.job = job


def failure_error(failure, message, response=None):
    """Makes the AmigoCloudError for an exception from below.

    Args:
        failure (Exception): what requests (or the decoding of an answer) raised.
        message (str): what failed, and on which URL.
        response (requests.Response): the answer, if there was one.

    Returns:
        AmigoCloudError: also an instance of the failure's class.
    """
    return combined(type(failure), message, response)


def combined(base, message, response=None):
    """Return an AmigoCloudError that is also an instance of another class of exceptions."""
    if base not in _combinations:
        _combinations[base] = type(str('AmigoCloudError'), (AmigoCloudError, base), {
            '__module__': __name__,
            '__doc__': AmigoCloudError.__doc__,
            '_make': staticmethod(functools.partial(combined, base)),
        })
    return _combinations[base](message, response)


_combinations = {}


def _body(response):
    if not isinstance(response, requests.Response):
        # Of the script's own, such as a double in its tests.
        return response.text
    try:
        settle_charset(response)
        return response.text
    except (requests.RequestException, RuntimeError):
        # An error page that was cut: its status still says what happened. A pickle would read on.
        response._content_consumed = True
        return u''


def settle_charset(response):
    """Has a body read as UTF-8 (or what else JSON can be) where the server names no charset that a text can have.

    requests would guess then: it gets short JSON wrong, and takes minutes for a large page.

    Args:
        response (requests.Response): any answer; its ``encoding`` is set.
    """
    try:
        is_charset = codecs.lookup(response.encoding or '').name not in _NO_CHARSETS
    except (LookupError, TypeError, ValueError):
        is_charset = False
    if not is_charset:
        response.encoding = requests.utils.guess_json_utf(response.content) or 'utf-8'


def token_sent(response):
    """Return the token that a response was requested with.

    Args:
        response (requests.Response): any answer.

    Returns:
        str: the token, or None.
    """
    # A redirect may have left the token in the first URL only.
    way = list(getattr(response, 'history', None) or ()) + [response]
    return next((token for token in (token_in(getattr(step, 'url', None)) for step in way) if token), None)


def _without_token(response):
    """A copy for pickles: the request and the way to it hold the token, and the service may repeat it anywhere."""
    if not isinstance(response, requests.Response):
        return response
    token = token_sent(response)
    response = copy.copy(response)
    response.url = response.url and strike_out(response.url, token)
    response.request, response.history = None, []
    response.reason = response.reason and strike_out(_latin(response.reason), token)
    response.headers = CaseInsensitiveDict(
        (name, strike_out(_latin(value), token)) for name, value in response.headers.items())
    if response._content:
        # requests has no public way to replace a body.
        response._content = strike_out(_latin(response._content), token).encode('latin-1')
    return response


def _latin(text):
    """Bytes of any encoding as a text; headers are bytes on Python 2."""
    return text.decode('latin-1') if isinstance(text, bytes) else text
