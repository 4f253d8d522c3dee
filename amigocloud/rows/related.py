"""The rows of related tables, such as the photos of galleries."""
from __future__ import absolute_import

import re

from six.moves.urllib.parse import parse_qs, urlencode, urlsplit

from .. import checks
from .cursor import Cursor
from .pages import ROW_MEMBERS, count_of

#: Rows per page.
PAGE_SIZE = 100


def entries(client, table_url, amigo_id):
    """Return the cursor over the rows of a related table; see ``Gallery.photos``."""
    params = {'limit': PAGE_SIZE}
    if amigo_id is not None:
        params['source_amigo_id'] = checks.sendable_text('amigo_id', amigo_id).encode('utf-8')
    return Cursor(EntryPages(client._fetch(), params), table_url + '/entries', params)


class EntryPages(object):
    """Fetch the pages of a related table, and add the ``next`` links if they have none.

    Args:
        fetch (callable): ``fetch(url, params)`` returns a page; see ``Cursor``.
        params (dict): the query of the first page.
    """

    def __init__(self, fetch, params):
        self._fetch = fetch
        self._params = params
        self._first = None

    def __call__(self, url, params):
        page = self._fetch(url, params)
        rows = _rows_without_next(page)
        if rows is None:
            return page
        offset = _offset(url)
        if not offset:
            self._first = rows[:1]
        elif rows[:1] == self._first:
            # The service ignores the offset, so the first page was complete.
            rows = []
        page = page if isinstance(page, dict) else {}
        # The service may send fewer rows than requested, and need not send their count.
        end = offset + len(rows)
        count = count_of(page)
        link = None
        if rows and (len(rows) == PAGE_SIZE or count is not None and end < count):
            query = urlencode(sorted(dict(self._params, offset=end).items()))
            link = url.partition('?')[0] + '?' + query
        members = {name: page[name] for name in page if name not in ROW_MEMBERS}
        return dict(members, data=rows, next=link)


def _rows_without_next(page):
    """Return the rows of a page that has no ``next``, or None for any other response."""
    if isinstance(page, list):
        return page
    if isinstance(page, dict) and 'next' not in page:
        for name in ROW_MEMBERS:
            # A page may have null in the place of an empty list.
            if name in page and isinstance(page[name], (list, type(None))):
                return page[name] or []
    return None


def _offset(url):
    offset = parse_qs(urlsplit(url).query).get('offset', ['0'])[-1]
    return int(offset) if re.match('[0-9]+\\Z', offset) else 0
