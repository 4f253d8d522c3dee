"""Rules that the transport applies: which requests are retried, and after which pause."""
from __future__ import absolute_import

import re
import time
from email.utils import mktime_tz, parsedate_tz

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

from .. import waiting

#: The number of tries after the first one.
DEFAULT_RETRIES = 3

#: Methods that may be carried out twice. A second POST could create a second project.
REPEATABLE = frozenset(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

#: The longest accepted Retry-After, in seconds.
RETRY_AFTER_LIMIT = 120

#: The first and the longest pause after a 429 without Retry-After, in seconds. Users pause 5 to
#: 10 s between their changes to stay within the limits of the service.
RATE_LIMIT_PAUSES = (5, 30)

#: Seconds after the first try during which a request is retried. A silent server fails in them.
RETRY_SECONDS = 300

_LOST = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def pause_after_failure(method, failure, failures):
    """Return the pause before the retry of a request that received no response.

    Every method is retried if the connection was never made. Only repeatable methods are retried
    if the response was lost.

    Args:
        method (str): the HTTP method.
        failure (Exception): the exception of requests.
        failures (int): the number of failed tries, from 1.

    Returns:
        float: seconds, or None if the request must not be retried.
    """
    # A retry does not make an invalid certificate valid.
    if isinstance(failure, requests.exceptions.SSLError) or not isinstance(failure, _LOST):
        return None
    is_safe = method in REPEATABLE or _never_connected(failure)
    return waiting.backoff(failures) if is_safe else None


def pause_after_answer(method, response, failures):
    """Return the pause before the retry of a request that received an error.

    Repeatable methods are retried after 502, 503 and 504. Every method is retried after 429, and
    after 503 with a Retry-After, unless Retry-After is more than 120 s.

    Args:
        method (str): the HTTP method.
        response (requests.Response): the response.
        failures (int): the number of failed tries, from 1.

    Returns:
        float: seconds, or None if the request is not retried.
    """
    status = response.status_code
    if status in (429, 503):
        wanted = _retry_after(response.headers.get('Retry-After'))
        if wanted is not None:
            return wanted if wanted <= RETRY_AFTER_LIMIT else None
    if status == 429:
        return waiting.backoff(failures, *RATE_LIMIT_PAUSES)
    is_safe = status in (502, 503, 504) and method in REPEATABLE
    return waiting.backoff(failures) if is_safe else None


def is_refused(response):
    """Return whether a response proves that the service did not carry out the request.

    A 429 is sent instead of the work. A gateway may send a 503 for a request that it has passed on,
    but one with a Retry-After comes from the service.
    """
    status = response.status_code
    return status == 429 or status == 503 and 'Retry-After' in response.headers


def _never_connected(failure):
    below = failure.args[0] if failure.args else None
    if isinstance(below, MaxRetryError):
        below = below.reason
    if isinstance(below, ProxyError):
        below = below.original_error
    return isinstance(below, (ConnectTimeoutError, NewConnectionError))


def _retry_after(value):
    """Return the seconds of a Retry-After header with a number or a date, or None."""
    value = (value or '').strip()
    if re.match('[0-9]+\\Z', value):
        return float(value)
    try:
        date = parsedate_tz(value)
        return max(0, mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):
        return None
