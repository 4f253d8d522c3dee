"""The pages of an endpoint, requested one after another and checked."""
from __future__ import absolute_import

import collections

import six

from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown

#: The members of a page that may hold its rows: lists use the first, SQL the second.
ROW_MEMBERS = ('results', 'data')

#: ``members`` (dict) is the page without its rows, ``rows`` (list) are its rows, ``position``
#: (Position) says where the next page is.
Page = collections.namedtuple('Page', ('members', 'rows', 'position'))


class Position(collections.namedtuple('Position', ('url', 'latest', 'landmark', 'distance',
                                                   'stride'))):
    """The URL of the next page, with the state that detects a circle of ``next`` links.

    This is Brent's algorithm, which needs no list of all URLs: one of the requested URLs is the
    landmark, and it is replaced by the latest URL after 1, 2, 4, 8 ... pages. A link to the
    landmark closes a circle.

    Attributes:
        url (str): the ``next`` link as the service sent it; None after the last page.
        latest (str): the URL of the previous page.
        landmark (str): the URL of an earlier page.
        distance (int): the number of pages since the landmark.
        stride (int): the distance at which the landmark is replaced.
    """

    __slots__ = ()

    def after(self, link):
        """Return the position after this one's page, which led to ``link``."""
        if self.distance + 1 < self.stride:
            return Position(link, self.url, self.landmark, self.distance + 1, self.stride)
        return Position(link, self.url, self.url, 0, 2 * self.stride)


class Pages(object):
    """Request the pages of an endpoint, from the first on.

    Args:
        fetch (callable): ``fetch(url, params)`` returns the decoded answer.
        url (str): the endpoint, as ``AmigoCloud.get`` takes it.
        params (dict): the query of the first request; the service repeats it in the ``next`` links.
        position (Position): where to resume. Defaults to the first page.

    Raises:
        AmigoCloudValueError: url is not a str.
    """

    def __init__(self, fetch, url, params=None, position=None):
        if not isinstance(url, six.string_types):
            raise AmigoCloudValueError(u'The URL must be a str, not {}.'.format(shown(url)))
        self._fetch = fetch
        self._endpoint = url
        self._params = None if position else dict(params or {})
        self._position = position or Position(url, None, None, 0, 1)

    def turn(self):
        """Request the next page, or again one that failed.

        Returns:
            Page: the page. Call this only if the ``position`` of the previous page has a ``url``.

        Raises:
            AmigoCloudError: the request failed, or the response is not a page.
        """
        url = self._position.url
        if not isinstance(url, six.string_types):
            raise AmigoCloudError(u'The next link of {} must be a str, not {}.'.format(
                shortened(self._endpoint), shown(url)))
        if url in (self._position.latest, self._position.landmark):
            raise AmigoCloudError(u'The next links of {} lead in a circle, back to {}.'.format(
                shortened(self._endpoint), shortened(url)))
        answer = self._fetch(url, self._params)
        if isinstance(answer, bytes):
            raise AmigoCloudError(u'The response of {} is empty, not JSON.'.format(shortened(url)))
        members = answer if isinstance(answer, dict) else {}
        rows = [answer]
        link = None
        if 'next' in members:
            rows = next((members.pop(name) for name in ROW_MEMBERS if name in members), None)
            rows = [] if rows is None else rows
            link = members['next'] or None
        if not isinstance(rows, list):
            raise AmigoCloudError(u'The rows of {} must be a list, not a {}.'.format(
                shortened(url), type(rows).__name__))
        self._params = None
        self._position = self._position.after(link)
        return Page(members, rows, self._position)


def count_of(members):
    """Return the number of rows of the whole result, or None if the page does not have it.

    Args:
        members (dict): of a Page.
    """
    count = members.get('count')
    is_count = isinstance(count, six.integer_types) and not isinstance(count, bool) and count >= 0
    return count if is_count else None


def columns_of(members):
    """Return the columns of a page of SQL.

    Args:
        members (dict): of a Page.

    Returns:
        collections.OrderedDict: the type of the service by name, in the order of the result; None
            for a page of a list, which has no columns.

    Raises:
        AmigoCloudError: a column has no name or no type, or the name of another.
    """
    if 'columns' not in members:
        return None
    try:
        types = collections.OrderedDict((column['name'], column['type'])
                                        for column in members['columns'])
        has_names = all(isinstance(name, six.string_types) for name in types)
    except (KeyError, TypeError):
        has_names = False
    if not has_names:
        raise AmigoCloudError(
            u'The columns of the response must have a name and a type, not {}.'.format(
                shown(members['columns'])))
    if len(types) < len(members['columns']):
        names = [column['name'] for column in members['columns']]
        raise AmigoCloudError(
            u'The result has several columns {}, of which the rows can hold only one. Give each '
            u'its own name with AS.'.format(
                shown(next(name for name in types if names.count(name) > 1))))
    return types
