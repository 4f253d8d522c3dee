"""What is sent again, and after how long: the rules, as urllib3's Retry, and the adapter that applies them."""
from __future__ import absolute_import

import random

import six
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import (
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    ProtocolError,
    ReadTimeoutError,
    ResponseError,
)

from . import tls

#: Tries after the first one.
DEFAULT_RETRIES = 3

#: What may be done twice; a second POST could make a second project.
REPEATABLE = frozenset(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

#: A pause lasts a random time below a limit that doubles from the first to the second of these seconds.
BACKOFF_SECONDS = (0.5, 30)

#: The longest Retry-After, in seconds, that is waited for.
RETRY_AFTER_LIMIT = 120

#: Connections kept open to one host: enough for the 30 requests that geocoding has in flight.
POOL_SIZE = 32


def backoff(failures):
    """Gives the pause after a number of failed tries.

    Args:
        failures (int): how many, from 1.

    Returns:
        float: seconds, at random, so that clients which failed together do not come back together.
    """
    first, last = BACKOFF_SECONDS
    return random.uniform(0, min(last, first * 2 ** (failures - 1)))  # noqa: S311 - no secret


class Retry(urllib3.Retry):
    """Sends again what never reached the service, what may be done twice, and what the service asks to send later.

    A connection that was never made: every method. An answer that was lost, 502, 503 and 504: methods that may be
    repeated. 429 and 503 with Retry-After: every method, unless it asks for more than 120 s.
    """

    def is_retry(self, method, status_code, has_retry_after=False):
        return (status_code in (429, 503) and has_retry_after) or (
            status_code in (502, 503, 504) and method in REPEATABLE)

    def increment(self, method=None, url=None, response=None, error=None, _pool=None, _stacktrace=None):
        if response is not None and (self.get_retry_after(response) or 0) > RETRY_AFTER_LIMIT:
            raise MaxRetryError(_pool, url, ResponseError('Retry-After is too far away'))
        try:
            return super(Retry, self).increment(method, url, response, error, _pool, _stacktrace)
        except HTTPError as failure:
            # What was lost, rather than that it was lost too often: requests tells a time-out by that.
            last = error if isinstance(error, (ReadTimeoutError, ProtocolError)) else failure
            last.tries = len(self.history) + 1
            six.raise_from(last, None)

    def get_retry_after(self, response):
        try:
            return super(Retry, self).get_retry_after(response)
        except InvalidHeader:
            return None

    def get_backoff_time(self):
        return backoff(len(self.history))


class Adapter(HTTPAdapter):
    """Sends with retries.

    Args:
        retries (int): tries after the first one.
    """

    def __init__(self, retries):
        # A certificate that is no good ("other") does not get better.
        super(Adapter, self).__init__(pool_maxsize=POOL_SIZE, max_retries=Retry(
            retries, other=0, allowed_methods=REPEATABLE, raise_on_status=False))

    def init_poolmanager(self, *args, **kwargs):
        super(Adapter, self).init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {'http': HTTPConnectionPool, 'https': tls.Pool}
