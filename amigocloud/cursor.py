"""The lazy Cursor over the pages of an endpoint."""
from __future__ import absolute_import

import collections

import six

from amigocloud.exceptions import AmigoCloudError, strike_out

#: Where a page holds its rows: lists under the first, SQL under the second.
ROW_MEMBERS = ('results', 'data')


class Cursor(six.Iterator):
    """Iterates over the rows of an endpoint, page by page; made by ``AmigoCloud.get_cursor``.

    Nothing is sent before the first use, and a page is asked for only when a row of it is wanted. One page is
    kept in memory. A page that fails raises AmigoCloudError; using the cursor again asks for it again, so that
    no row is lost and none comes twice.

    Args:
        fetch (callable): ``fetch(url, params)`` gives the decoded answer.
        url (str): the endpoint, as ``AmigoCloud.get`` takes it.
        params (dict): the query of the first request; the service repeats it in the ``next`` links.

    Example:
        cursor = amigocloud.get_cursor('me/projects')
        print(cursor.get('count'))
        for project in cursor:
            print(project['name'])
    """

    def __init__(self, fetch, url, params=None):
        self._fetch = fetch
        self._endpoint = url
        self._upcoming = (url, dict(params or {}))
        self._turned = set()
        self._page = None
        self._rows = collections.deque()

    def __iter__(self):
        return self

    def __next__(self):
        if not self.has_next:
            raise StopIteration
        return self._rows.popleft()

    def next(self):
        """Gives the next row, on Python 3 too.

        Returns:
            The row: a dict from lists and SQL.

        Raises:
            StopIteration: there is none.
            AmigoCloudError: the page could not be had.
        """
        return self.__next__()

    @property
    def has_next(self):
        """Whether there is another row; asks the service only where the rows at hand do not tell.

        Returns:
            bool: True if ``next`` will give a row.

        Raises:
            AmigoCloudError: the page could not be had.
        """
        while not self._rows and self._upcoming:
            self._turn_page()
        return bool(self._rows)

    def get(self, name):
        """Gives a member of the latest page other than its rows, such as ``count`` or ``columns``.

        Args:
            name (str): the member's name.

        Returns:
            Its value. Asks for the first page if there was none yet.

        Raises:
            ValueError: the page has no such member.
            AmigoCloudError: the page could not be had.

        Example:
            amigocloud.get_cursor('me/projects').get('count')
        """
        if self._page is None:
            self._turn_page()
        if name not in self._page:
            raise ValueError('The page of {} has no {!r}; it has {}.'.format(
                strike_out(self._endpoint), name, ', '.join(sorted(self._page)) or 'nothing else'))
        return self._page[name]

    def __repr__(self):
        count = '' if self._page is None or 'count' not in self._page else ', {} rows'.format(self._page['count'])
        return str('<Cursor over {}{}>').format(strike_out(self._endpoint), count)

    def _turn_page(self):
        url, params = self._upcoming
        if not isinstance(url, six.string_types):
            raise AmigoCloudError(u'The next link of {} is not a str but {!r}.'.format(strike_out(self._endpoint), url))
        if url in self._turned:
            raise AmigoCloudError(u'The next links of {} lead in a circle, back to {}.'.format(
                strike_out(self._endpoint), strike_out(url)))
        page = self._fetch(url, params)
        if not isinstance(page, dict):
            raise AmigoCloudError(u'A page of {} is not a JSON object but a {}.'.format(
                strike_out(url), type(page).__name__))
        rows, upcoming = [page], None
        if 'next' in page:
            rows = next((page.pop(name) for name in ROW_MEMBERS if name in page), [])
            upcoming = (page['next'], None) if page['next'] else None
        if not isinstance(rows, list):
            raise AmigoCloudError(u'The rows of {} are not a list but a {}.'.format(
                strike_out(url), type(rows).__name__))
        self._turned.add(url)
        self._upcoming, self._page = upcoming, page
        self._rows.extend(rows)
