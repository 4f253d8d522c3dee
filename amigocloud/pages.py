"""The pages of an endpoint: asked for one after another, checked, and taken apart."""
from __future__ import absolute_import

import collections

import six

from .exceptions import AmigoCloudError, strike_out

#: Where a page holds its rows: lists under the first, SQL under the second.
ROW_MEMBERS = ('results', 'data')

#: ``members`` (dict) is a page without its rows, ``rows`` (list) are those, ``more`` (bool) says whether one follows.
Page = collections.namedtuple('Page', ('members', 'rows', 'more'))


class Pages(object):
    """Turns the pages of an endpoint, from the first on.

    Args:
        fetch (callable): ``fetch(url, params)`` gives the decoded answer.
        url (str): the endpoint, as ``AmigoCloud.get`` takes it.
        params (dict): the query of the first request; the service repeats it in the ``next`` links.
    """

    def __init__(self, fetch, url, params=None):
        self._fetch = fetch
        self._endpoint = url
        self._upcoming = (url, dict(params or {}))
        self._turned = set()

    def turn(self):
        """Asks for the next page, or again for one that failed.

        Returns:
            Page: of which there has to be one; ``more`` of the page before tells.

        Raises:
            AmigoCloudError: it could not be had, or is no page.
        """
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
        self._upcoming = upcoming
        return Page(page, rows, upcoming is not None)


def columns_of(members):
    """Gives the columns that a page of SQL names.

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
        six.raise_from(AmigoCloudError(u'The columns of the answer have no name and type: {!r}'.format(
            members['columns'])), error)
