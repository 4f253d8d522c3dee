"""Find the project or dataset with a name in a list of the service."""
from __future__ import absolute_import, unicode_literals

import six

from .. import checks
from ..exceptions import AmigoCloudError, shortened

#: Names that an error lists.
_SHOWN_NAMES = 20


def id_of(client, url, name):
    """Return the id of the entry that has a name in a list.

    Args:
        client (AmigoCloud): sends the requests.
        url (str): the list, which can be searched.
        name (str): the whole name.

    Raises:
        AmigoCloudError: no entry or several entries have the name; the message lists them.
    """
    name = checks.sendable_text('name', name)
    found = _entries(client, url, {'search': name})
    exact = _with_name(found, name)
    if len(exact) == 1:
        return checks.member(exact[0], 'id', six.integer_types + six.string_types, url)
    candidates = exact or found or _entries(client, url)
    names = ['{} (id {})'.format(entry.get('name'), entry.get('id')) for entry in candidates]
    if len(names) > _SHOWN_NAMES:
        names[_SHOWN_NAMES:] = ['and {} more'.format(len(names) - _SHOWN_NAMES)]
    raise AmigoCloudError('{} entries of {} have the name {}. Candidates: {}.'.format(
        len(exact) or 'No', url, shortened(name), ', '.join(names) or 'none'))


def named(client, url, name):
    """Return the entries that have a name in a list.

    Args:
        client (AmigoCloud), url (str), name (str): see ``id_of``.

    Returns:
        list of dict: the entries.
    """
    return _with_name(_entries(client, url, {'search': name}), name)


def _with_name(entries, name):
    return [entry for entry in entries if entry.get('name') == name]


def _entries(client, url, params=None):
    return [entry for entry in client.get_cursor(url, params) if isinstance(entry, dict)]
