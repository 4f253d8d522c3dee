"""SQL over a project, and a dataset read whole at one state."""
from __future__ import absolute_import

import re

import six

from .cursor import Cursor
from .exceptions import AmigoCloudError, AmigoCloudValueError

#: Rows of one page.
PAGE_SIZE = 5000


def select(get, below, query, limit, prefetch, params):
    """Reads by a query; see ``AmigoCloud.sql``.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does.
        below (str): what stands before the paths of the project; see ``project_path``.
    """
    params = dict(params, query=_checked_query(query), limit=_number('limit', limit, 1))
    return Cursor(get, below + 'sql', params, _number('prefetch', prefetch))


def execute(post, below, query):
    """Writes by a query; see ``AmigoCloud.execute``."""
    return post(below + 'sql', {'query': _checked_query(query)})


def read_dataset(get, below, dataset_id, limit, prefetch, offset, rows, state):
    """Reads a dataset at one state; see ``AmigoCloud.read_dataset``."""
    dataset_id = _number('dataset_id', dataset_id, 1)
    # Without an order each page may have one of its own: rows would be lost between two, and others come twice.
    query = 'SELECT * FROM dataset_{} ORDER BY amigo_id'.format(dataset_id)
    if rows is not None:
        query += ' LIMIT {}'.format(_number('rows', rows))
    if offset:
        query += ' OFFSET {}'.format(_number('offset', offset))

    def get_at_state(url, params):
        # Only the first page has params: the links to the next ones repeat them.
        if params:
            params = dict(params, state=state or _newest_state(get, below, dataset_id))
        return get(url, params)
    return select(get_at_state, below, query, limit, prefetch, {'dataset_id': dataset_id})


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


def _newest_state(get, below, dataset_id):
    url = '{}datasets/{}/master'.format(below, dataset_id)
    answer = get(url)
    if not isinstance(answer, dict) or not answer.get('master'):
        raise AmigoCloudError(u'The answer of {} names no state: {!r}'.format(url, answer))
    return answer['master']


def _checked_query(query):
    if not isinstance(query, six.string_types) or not query.strip():
        raise AmigoCloudValueError('A query is a str, not {!r}.'.format(query))
    return query


def _number(name, value, smallest=0):
    if isinstance(value, bool) or not re.match(r'[0-9]+\Z', u'{}'.format(value)) or int(value) < smallest:
        raise AmigoCloudValueError('{} is a number from {}, not {!r}.'.format(name, smallest, value))
    return int(value)
