"""URLs: resolve, normalize and extend them."""
from __future__ import absolute_import

import re

import requests
from six.moves.urllib.parse import urljoin

from .. import checks
from ..exceptions import AmigoCloudValueError, shown


def resolve(url, api_url, project_url=None):
    """Return the full URL that the argument of a caller means.

    Args:
        url (str): a full URL, a path below the API (``/me``), or a path below the project
            (``datasets``).
        api_url (str): the URL of the API.
        project_url (str): the full URL of the project, with a project token.

    Returns:
        str: the full URL.

    Raises:
        AmigoCloudValueError: url is not a str.

    Example:
        >>> resolve('/me', 'https://app.amigocloud.com/api/v1')
        'https://app.amigocloud.com/api/v1/me'
    """
    checks.text('The URL', url, may_be_blank=True)
    if _is_full(url):
        return url
    if url.startswith('/'):
        return api_url + url
    return (project_url or api_url).rstrip('/') + '/' + url.strip('/')


def follow(link, url):
    """Return the full URL of a link in a response.

    Args:
        link (str): the link. The service sends full ones, which stay as they are.
        url (str): the full URL of the request. Other links are relative to it.

    Example:
        >>> follow('?offset=20', 'https://app.amigocloud.com/api/v1/me/projects?limit=20')
        'https://app.amigocloud.com/api/v1/me/projects?offset=20'
    """
    if _is_full(link):
        return link
    try:
        return urljoin(url, link)
    except ValueError:
        # A request to this link raises an error that shows it.
        return link


def normalize(url, params=None):
    """Return a URL as requests sends it, so that checks see the URL that is connected to.

    Args:
        url (str): a full URL.
        params: additional parameters of the query, as requests accepts them.

    Returns:
        str: the URL, with its host in lower case and IDNA.

    Raises:
        AmigoCloudValueError: requests cannot send to this URL.
    """
    try:
        prepared = requests.PreparedRequest()
        # None skips the encoding of parameters, {} does not.
        prepared.prepare_url(url, params or None)
        return prepared.url
    except (requests.RequestException, ValueError):
        pass
    # Raise outside of the handler, because the original exception may contain the token.
    raise AmigoCloudValueError(
        u'{} is not a URL. A URL starts with https:// and a host.'.format(shown(url)))


def add_segment(url, segment):
    """Return a URL with one more segment at the end of its path.

    Example:
        >>> add_segment('/datasets/chunked_upload/?token=a', 'complete')
        '/datasets/chunked_upload/complete?token=a'
    """
    path, mark, query = url.partition('?')
    return path.rstrip('/') + '/' + segment + mark + query


def _is_full(url):
    return re.match('(?i)https?://', url) is not None
