"""The pages of an endpoint: requested one after another, checked, and taken apart."""
from __future__ import absolute_import

import collections

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError
from .tokens import strike_out

#: Where a page holds its rows: lists under the first, SQL under the second.
ROW_MEMBERS = ('results', 'data')

_SHOWN_LENGTH = 200

#: ``members`` (dict) is a page without its rows, ``rows`` (list) are those, ``position`` is where the next page is.
Page = collections.namedtuple('Page', ('members', 'rows', 'position'))


class Position(collections.namedtuple('Position', ('url', 'latest', 'landmark', 'distance', 'stride'))):
    """Where the pages go on, and what it takes to notice a circle of ``next`` links without a list of all URLs.

    This is Brent's algorithm: one URL of those requested is the landmark, and it is moved up to the latest one after 1,
    2, 4, 8 ... pages. A circle is noticed when the links come back to the landmark.

    Attributes:
        url (str): the ``next`` link, as the service sent it; None after the last page.
        latest (str): the URL of the page before.
        landmark (str): an earlier one.
        distance (int): pages since the landmark.
        stride (int): the distance at which the landmark is moved.
    """

    __slots__ = ()

    def after(self, link):
        """Return the position after this one's page, which led to ``link``."""
        if self.distance + 1 < self.stride:
            return Position(link, self.url, self.landmark, self.distance + 1, self.stride)
        return Position(link, self.url, self.url, 0, 2 * self.stride)


class Pages(object):
    """Turns the pages of an endpoint, from the first on.

    Args:
        fetch (callable): ``fetch(url, params)`` returns the decoded answer.
        url (str): the endpoint, as ``AmigoCloud.get`` takes it.
        params (dict): the query of the first request; the service repeats it in the ``next`` links.
        position (Position): of the page after which to go on. Defaults to the beginning.

    Raises:
        AmigoCloudValueError: url is not a str.
    """

    def __init__(self, fetch, url, params=None, position=None):
        if not isinstance(url, six.string_types):
            raise AmigoCloudValueError(u'The URL must be a str, not {}.'.format(_shown(repr(url))))
        self._fetch = fetch
        self._endpoint = url
        self._params = None if position else dict(params or {})
        self._position = position or Position(url, None, None, 0, 1)

    def turn(self):
        """Request the next page, or again one that failed.

        Returns:
            Page: the page. There must be one: the ``position`` of the page before has a ``url``.

        Raises:
            AmigoCloudError: the request failed, or the answer is not a page.
        """
        url = self._position.url
        if not isinstance(url, six.string_types):
            raise AmigoCloudError(u'The next link of {} is not a str but {}.'.format(
                _shown(self._endpoint), _shown(repr(url))))
        if url in (self._position.latest, self._position.landmark):
            raise AmigoCloudError(u'The next links of {} lead in a circle, back to {}.'.format(
                _shown(self._endpoint), _shown(url)))
        answer = self._fetch(url, self._params)
        if isinstance(answer, bytes):
            raise AmigoCloudError(u'The answer of {} is empty, not JSON.'.format(_shown(url)))
        members, rows, link = answer, [answer], None
        if not isinstance(answer, dict):
            members = {}
        elif 'next' in answer:
            rows = next((answer.pop(name) for name in ROW_MEMBERS if name in answer), None)
            rows = [] if rows is None else rows
            link = answer['next'] or None
        if not isinstance(rows, list):
            raise AmigoCloudError(u'The rows of {} are not a list but a {}.'.format(_shown(url), type(rows).__name__))
        self._params, self._position = None, self._position.after(link)
        return Page(members, rows, self._position)


def columns_of(members):
    """Return the columns that a page of SQL names.

    Args:
        members (dict): of a Page.

    Returns:
        collections.OrderedDict: the service's type by name, in the order of the result; None for a page of a list.

    Raises:
        AmigoCloudError: they are not what the service sends.
    """
    if 'columns' not in members:
        return None
    try:
        return collections.OrderedDict((column['name'], column['type']) for column in members['columns'])
    except (KeyError, TypeError) as error:
        six.raise_from(AmigoCloudError(u'The columns of the answer have no name and type: {}'.format(
            _shown(repr(members['columns'])))), error)


def _shown(text):
    # Struck out before it is cut, so that no part of a token is left over.
    text = strike_out(six.ensure_text(text, errors='replace'))
    return text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + u'\u2026'
