"""AmigoCloudError: what failed, on which URL, and what the server said, without any token.

    AmigoCloudError
        AmigoCloudValueError (also a ValueError): an invalid argument
            AmigoCloudTypeError in encoding.py (also a TypeError): a value that is not JSON
        AmigoCloudJobError: a job that failed
        combined(base): the error that is also a ``requests.ConnectionError`` or the like
"""
from __future__ import absolute_import

import codecs
import copy
import functools
import re

import requests
import six
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from .tokens import strike_out, token_sent

#: Characters of the server's text that str(error) shows. ``error.text`` has the whole text.
TEXT_LIMIT = 2000

#: Characters of one value that a message shows.
VALUE_LIMIT = 200

# Longer than a token in any spelling.
_LONGEST_TOKEN = 2000

# Characters that a terminal would act on. Line feeds and tabs are harmless.
_CONTROL = u'[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]'


def printable(text, *tokens):
    """Return a text that is safe to print: without tokens and without control characters.

    Args:
        text (str): any text, such as the body of a response.
        *tokens (str): tokens to strike out everywhere, not only after ``token=``.

    Returns:
        str: the text, with ``***`` for tokens and ``?`` for control characters.

    Example:
        >>> printable(u'GET /me?token=secret \\x1b[2J')
        'GET /me?token=*** ?[2J'
    """
    text = strike_out(six.ensure_text(text, errors='replace'), *tokens)
    return six.ensure_str(_without_control(text))


def text_of(value):
    """Return an exception or another value as a text, or its repr if Python 2 cannot convert it."""
    try:
        return six.text_type(value)
    except UnicodeError:
        return six.text_type(repr(value))
    except ValueError:
        # An int of thousands of digits has no text.
        return u'a value of type {}'.format(type(value).__name__)


def shown(value, *tokens):
    """Return the repr of a value for a message: one printable line of at most 200 characters.

    Args:
        value: any value.
        *tokens (str): tokens to strike out everywhere, not only after ``token=``.
    """
    try:
        text = printable(repr(value), *tokens)
    except Exception:
        # A repr may raise anything. An int of thousands of digits has none.
        text = 'a value of type {}'.format(type(value).__name__)
    return re.sub('\\s*\n\\s*', ' ', six.ensure_text(text))[:VALUE_LIMIT]


def shortened(text, *tokens):
    """Return a text for a message: without tokens and passwords, at most 200 characters and "...".

    Args:
        text (str): any text.
        *tokens (str): tokens to strike out everywhere, not only after ``token=``.
    """
    # Strike out tokens before the text is cut, so that no part of a token remains.
    text = strike_out(six.ensure_text(text, errors='replace'), *tokens)
    return text if len(text) <= VALUE_LIMIT else text[:VALUE_LIMIT] + u'...'


def _without_control(text):
    # Compiling this pattern at import would take a tenth of the import.
    return re.sub(_CONTROL, u'?', text.replace(u'\r\n', u'\n'))


# Codecs of Python that do not decode to text, or that raise instead of replacing invalid bytes.
_NO_CHARSETS = frozenset([
    'base64', 'bz2', 'hex', 'idna', 'punycode', 'quopri', 'undefined', 'uu', 'zlib'])


@six.python_2_unicode_compatible
class AmigoCloudError(Exception):
    """Raised for anything that fails between a call and its result.

    Args:
        message (str): what failed, and on which URL.
        response (requests.Response): the response of the server, if there was one.

    Attributes:
        message (str): as given.
        response (requests.Response): as given, or None.
        text (str): the body of the response, or None.
        status_code (int): the status of the response, or None.
        upload_id (str): the id of a chunked upload that failed, or None.
            ``upload_file(..., resume=error)`` resumes it.
        offset (int): the number of bytes of that upload that the service has stored.
        written (list of str): the amigo_ids of the rows that were written before a later row
            failed, or None.
        unknown (list of str): the amigo_ids of the rows of which it is unknown whether they were
            written, because the response to their batch was lost; or None.

    A failed connection, a timeout or any other error of requests is raised as an error that is
    also an instance of the original class. ``except requests.ConnectionError`` catches it.
    """

    upload_id = None
    offset = None
    written = None
    unknown = None

    #: The callable that recreates an error of a combined class from a pickle.
    _make = None

    def __init__(self, message, response=None):
        # Scripts also pass exceptions as the message.
        if not isinstance(message, (bytes, six.text_type)):
            message = text_of(message)
        message = strike_out(message)
        # Do not call super(): the classes of requests in a combined class accept other arguments.
        Exception.__init__(self, *([message] if response is None else [message, response]))
        self.message = message
        self.response = response
        self.text = None if response is None else _body(response)
        self.status_code = getattr(response, 'status_code', None)

    def __reduce__(self):
        state = {name: value for name, value in self.__dict__.items()
                 if name not in ('request', 'response', 'text')}
        arguments = (self.message, _without_token(self.response))
        return self._make or type(self), arguments, state

    def __str__(self):
        message = six.ensure_text(self.message, errors='replace')
        if not self.text:
            return _without_control(message)
        text = strike_out(self.text[:TEXT_LIMIT + _LONGEST_TOKEN], token_sent(self.response))
        if len(self.text) > TEXT_LIMIT:
            if len(self.text) > TEXT_LIMIT + _LONGEST_TOKEN:
                # The end may contain a part of a token, which was not struck out.
                text = text[:-_LONGEST_TOKEN]
            text = u'{}... ({} characters in all)'.format(text[:TEXT_LIMIT], len(self.text))
        return _without_control(u'{}\n{}'.format(message, text))


class AmigoCloudValueError(AmigoCloudError, ValueError):
    """Raised for an argument that cannot be used, before anything is written.

    If rows come from an iterator, ``written`` lists the rows of the batches before the bad one.
    """


class AmigoCloudJobError(AmigoCloudError):
    """Raised for a job that failed.

    Args:
        message (str): the job, and the reason for its failure.
        job (dict): the job as the service returned it.

    Attributes:
        job (dict): as given.
    """

    def __init__(self, message, job):
        AmigoCloudError.__init__(self, message)
        self.job = job


def failure_error(failure, message, response=None):
    """Return the AmigoCloudError for an exception of another library.

    Args:
        failure (Exception): the exception.
        message (str): what failed, and on which URL.
        response (requests.Response): the response, if there was one.

    Returns:
        AmigoCloudError: an error that is also an instance of the class of failure.
    """
    error = combined(type(failure), message, response)
    error.request = getattr(failure, 'request', None)
    return error


def combined(base, message, response=None):
    """Return an AmigoCloudError that is also an instance of another class of exceptions.

    Args:
        base (type): the other class.
        message (str), response (requests.Response): see ``AmigoCloudError``.
    """
    if base not in _combinations:
        class Combined(AmigoCloudError, base):
            __doc__ = AmigoCloudError.__doc__
            __qualname__ = AmigoCloudError.__name__

            # Exceptions of requests have this attribute.
            request = None
            _make = staticmethod(functools.partial(combined, base))
        # Tracebacks show the name of the public class.
        Combined.__name__ = AmigoCloudError.__name__
        _combinations[base] = Combined
    return _combinations[base](message, response)


_combinations = {}


def _body(response):
    if not isinstance(response, requests.Response):
        # Scripts pass objects of their own, such as mocks in tests.
        return getattr(response, 'text', None)
    try:
        settle_charset(response)
        return response.text
    except (requests.RequestException, RuntimeError):
        # The body was cut off, but the status is still valid. Mark the body consumed, so that
        # pickling does not read more of it. requests has no public way to do that.
        response._content_consumed = True
        return u''


def settle_charset(response):
    """Set the encoding of a response to a valid one if the server names none.

    Without it requests would guess. That is wrong for short JSON, and takes minutes for a large
    page.

    Args:
        response (requests.Response): any response. Its ``encoding`` becomes that of the JSON, or
            UTF-8.
    """
    try:
        name = codecs.lookup(getattr(response, 'encoding', None) or '').name
        is_charset = name not in _NO_CHARSETS
    except (LookupError, TypeError, ValueError):
        is_charset = False
    if not is_charset:
        response.encoding = requests.utils.guess_json_utf(response.content) or 'utf-8'


def _without_token(response):
    """Return a copy of a response for a pickle, without the request and without any token."""
    if not isinstance(response, requests.Response):
        return response
    token = token_sent(response)
    response = copy.copy(response)
    response.url = response.url and strike_out(response.url, token)
    response.request = None
    response.history = []
    response.cookies = RequestsCookieJar()
    response.reason = response.reason and strike_out(_latin(response.reason), token)
    # Strike out name and value together: a broken line splits a token that contains a colon.
    lines = (strike_out(_latin(name) + u':' + _latin(value), token)
             for name, value in response.headers.items())
    response.headers = CaseInsensitiveDict(line.split(u':', 1) for line in lines if u':' in line)
    if response._content:
        # requests has no public way to replace a body.
        response._content = strike_out(_latin(response._content), token).encode('latin-1')
    return response


def _latin(text):
    """Return bytes of any encoding as a text. Headers are bytes on Python 2."""
    return text.decode('latin-1') if isinstance(text, bytes) else text
