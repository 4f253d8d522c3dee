"""SQL over a project, and a dataset read whole at one state."""
from __future__ import absolute_import

import re

import six

from .cursor import Cursor
from .exceptions import AmigoCloudError, AmigoCloudValueError

#: Rows of one page.
PAGE_SIZE = 5000


def select(fetch, below, query, limit, prefetch, params):
    """Reads by a query; see ``AmigoCloud.sql``.

    Args:
        fetch (callable): ``fetch(url, params)`` sends a GET and returns the decoded answer; see ``Cursor``.
        below (str): what stands before the paths of the project; see ``project_path``.
    """
    params = dict(params, query=_checked_query(query), limit=_number('limit', limit, 1))
    return Cursor(fetch, below + 'sql', params, _number('prefetch', prefetch))


def execute(post, below, query):
    """Writes by a query; see ``AmigoCloud.execute``."""
    return post(below + 'sql', {'query': _checked_query(query)})


def read_dataset(fetch, below, dataset_id, limit, prefetch, offset, rows, state):
    """Reads a dataset at one state; see ``AmigoCloud.read_dataset``."""
    dataset_id = _number('dataset_id', dataset_id, 1)
    # Without an order each page may have one of its own: rows would be lost between two, and others come twice.
    query = 'SELECT * FROM dataset_{} ORDER BY amigo_id'.format(dataset_id)
    if rows is not None:
        query += ' LIMIT {}'.format(_number('rows', rows))
    if offset:
        query += ' OFFSET {}'.format(_number('offset', offset))
    at_state = _FetchAtState(fetch, '{}datasets/{}/master'.format(below, dataset_id), state)
    return select(at_state, below, query, limit, prefetch, {'dataset_id': dataset_id})


class _FetchAtState(object):
    """Sends the GETs of a cursor over one state. A class, since a function inside another one cannot be pickled."""

    def __init__(self, fetch, master_url, state):
        self._fetch = fetch
        self._master_url = master_url
        self._state = state

    def __call__(self, url, params):
        # Only the first page has params: the links to the next ones repeat them.
        if params:
            params = dict(params, state=self._state or self._newest_state())
        return self._fetch(url, params)

    def _newest_state(self):
        answer = self._fetch(self._master_url, None)
        if not isinstance(answer, dict) or not answer.get('master'):
            raise AmigoCloudError(u'The answer of {} names no state: {!r}'.format(self._master_url, answer))
        return answer['master']


def project_path(project_id, has_project_url):
    """Gives the beginning of the URLs of a project, as ``AmigoCloud.build_url`` takes them.

    Args:
        project_id (int): the project; None for that of the project token.
        has_project_url (bool): the login is by a project token.

    Raises:
        AmigoCloudValueError: it is no project, or there is none.
    """
    if project_id is not None:
        return '/projects/{}/'.format(_number('project_id', project_id, 1))
    if not has_project_url:
        raise AmigoCloudValueError('Say which project_id: only a client with a project token knows it.')
    return ''


def _checked_query(query):
    if not isinstance(query, six.string_types) or not query.strip():
        raise AmigoCloudValueError('A query is a str, not {!r}.'.format(query))
    return query


def _number(name, value, smallest=0):
    if isinstance(value, bool) or not re.match(r'[0-9]+\Z', u'{}'.format(value)) or int(value) < smallest:
        raise AmigoCloudValueError('{} is a number from {}, not {!r}.'.format(name, smallest, value))
    return int(value)
