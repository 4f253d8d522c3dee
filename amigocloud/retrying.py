"""Which requests are repeated, and after how long; pure rules, applied by the transport."""
from __future__ import absolute_import

import random
import time
from email.utils import mktime_tz, parsedate_tz

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

#: Tries after the first one.
DEFAULT_RETRIES = 3

#: What may be done twice; a second POST could make a second project.
REPEATABLE = frozenset(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

#: A pause lasts a random time below a limit that doubles from the first to the second of these seconds.
BACKOFF_SECONDS = (0.5, 30)

#: The longest Retry-After, in seconds, that is waited for.
RETRY_AFTER_LIMIT = 120

#: Seconds after its first try from which on a request is not repeated: a silent server is given up in this time.
RETRY_SECONDS = 300

_LOST = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def backoff(failures):
    """Return the pause after a number of failed tries.

    Args:
        failures (int): how many, from 1.

    Returns:
        float: seconds, at random, so that clients which failed together do not come back together.
    """
    first, last = BACKOFF_SECONDS
    return random.uniform(0, min(last, first * 2 ** (failures - 1)))  # noqa: S311 - no secret


def pause_after_failure(method, failure, failures):
    """Return the pause before a request without an answer is repeated.

    A connection that was never made: every method. An answer that was lost: methods that may be repeated.

    Args:
        method (str): the HTTP method.
        failure (Exception): what requests raised.
        failures (int): how many tries have failed, from 1.

    Returns:
        float: seconds; None where the request must not be repeated.
    """
    # A certificate that is refused does not get better.
    if isinstance(failure, requests.exceptions.SSLError) or not isinstance(failure, _LOST):
        return None
    return backoff(failures) if method in REPEATABLE or _never_connected(failure) else None


def pause_after_answer(method, response, failures):
    """Return the pause before a request is repeated because of its answer.

    502, 503 and 504: methods that may be repeated. 429 and 503 with Retry-After: every method, unless it asks for more
    than 120 s.

    Args:
        method (str), failures (int): see ``pause_after_failure``.
        response (requests.Response): the answer.

    Returns:
        float: seconds; None where the request is not repeated.
    """
    status = response.status_code
    if status in (429, 503):
        wanted = _retry_after(response.headers.get('Retry-After'))
        if wanted is not None:
            return wanted if wanted <= RETRY_AFTER_LIMIT else None
    return backoff(failures) if status in (502, 503, 504) and method in REPEATABLE else None


def _never_connected(failure):
    below = failure.args[0] if failure.args else None
    if isinstance(below, MaxRetryError):
        below = below.reason
    if isinstance(below, ProxyError):
        below = below.original_error
    return isinstance(below, (ConnectTimeoutError, NewConnectionError))


def _retry_after(value):
    """The seconds that a Retry-After header asks for, as a number or a date; None for anything else."""
    value = (value or '').strip()
    if value.isdigit():
        return int(value)
    date = parsedate_tz(value)
    return max(0, mktime_tz(date) - time.time()) if date else None
