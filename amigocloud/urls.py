"""Where a URL leads and whether the token may go there; pure functions."""
from __future__ import absolute_import

import re

import requests
import six
from six.moves.urllib.parse import quote, unquote_plus, urlsplit, urlunsplit
from urllib3.util import parse_url

from .exceptions import AmigoCloudValueError, shown
from .tokens import remove

_SERVICE_DOMAIN = '.amigocloud.com'
_DEFAULT_PORTS = {'http': 80, 'https': 443}

# A parameter that is a token or may turn out to be one, one that is empty, or a fragment.
_SPECIAL = re.compile(r'#|[?&](?:$|&|token|[^=&]*%)')


def resolve(url, api_url, project_url=None):
    """Makes the full URL for what a script wrote.

    Args:
        url (str): a full URL, a path below the API (``/me``), or one below the project (``datasets``).
        api_url (str): where the API begins.
        project_url (str): the full URL of the project, with a project token.

    Returns:
        str: the full URL.

    Raises:
        AmigoCloudValueError: url is not a str.

    Example:
        >>> resolve('/me', 'https://app.amigocloud.com/api/v1')
        'https://app.amigocloud.com/api/v1/me'
    """
    if not isinstance(url, six.string_types):
        raise AmigoCloudValueError('The URL has to be a str, not {!r}.'.format(url))
    if re.match('(?i)https?://', url):
        return url
    if url.startswith('/'):
        return api_url + url
    return (project_url or api_url).rstrip('/') + '/' + url.strip('/')


def normalize(url, params=None):
    """Spell a URL as requests sends it, so that the URL that is compared is the one that is connected to.

    Args:
        url (str): a full URL.
        params: a further query, as requests takes it.

    Returns:
        str: the URL, its host in lower case and IDNA.

    Raises:
        AmigoCloudValueError: no such URL can be sent to.
    """
    try:
        prepared = requests.PreparedRequest()
        # {} would go through the whole encoding of parameters.
        prepared.prepare_url(url, params or None)
        return prepared.url
    except (requests.RequestException, UnicodeError):
        problem = u'{} is not a URL to send requests to; one begins with https:// and a host.'.format(shown(url))
    raise AmigoCloudValueError(problem)


def add_segment(url, segment):
    """Puts one more segment at the end of a URL's path.

    Example:
        >>> add_segment('/datasets/chunked_upload/?token=a', 'complete')
        '/datasets/chunked_upload/complete?token=a'
    """
    path, mark, query = url.partition('?')
    return path.rstrip('/') + '/' + segment + mark + query


def is_trusted(url, base_url):
    """Tells whether the token may go to a URL.

    Args:
        url (str): a full, normalized URL.
        base_url (str): the base URL of the client, normalized.

    Returns:
        bool: True for the origin of base_url and, where that is a host of the service, for its other hosts.

    Example:
        >>> is_trusted('https://www.amigocloud.com/x', 'https://app.amigocloud.com')
        True
        >>> is_trusted('http://app.amigocloud.com/x', 'https://app.amigocloud.com')
        False
    """
    start = base_url[:base_url.find('/', len('https://')) + 1]
    if start and url.startswith(start):
        return True
    origin, own = _origin(url), _origin(base_url)
    return origin == own or (_is_service(origin) and _is_service(own))


def with_token(url, token, base_url):
    """Gives a URL the token it needs: once, and only where it may go.

    Args:
        url (str): a full, normalized URL, which may hold a token of the caller or of the service already.
        token (str): the token of the client, or None.
        base_url (str): the base URL of the client, normalized.

    Returns:
        str: the URL to send to. One that is not trusted loses the client's token if it holds it.

    Example:
        >>> with_token('https://app.amigocloud.com/x?a=1', 'secret', 'https://app.amigocloud.com')
        'https://app.amigocloud.com/x?a=1&token=secret'
    """
    if not is_trusted(url, base_url):
        return without_token(url, token)
    ours = token and 'token=' + quote(six.ensure_binary(token), safe='')
    if not _SPECIAL.search(url):
        return url + ('&' if '?' in url else '?') + ours if ours else url
    pairs, given = _tokens(url)
    if given:
        # A doubled parameter would be read as its last value.
        return _with_pairs(url, [pair for i, pair in enumerate(pairs) if not _is_token(pair) or i == max(given)])
    if not token:
        return url
    return _with_pairs(url, [pair for pair in pairs if pair and not _is_token(pair)] + [ours])


def without_token(url, token):
    """Take the client's own token out of a URL, also where it is part of another parameter; another's token stays.

    Args:
        url (str): a full URL.
        token (str): the token of the client, or None.

    Returns:
        str: the URL without it.
    """
    pairs, given = _tokens(url)
    kept = [pair for i, pair in enumerate(pairs) if not token or given.get(i) != six.ensure_text(token)]
    return remove(url if len(kept) == len(pairs) else _with_pairs(url, kept), token)


def is_same_origin(url, other):
    """Return whether two full, normalized URLs have scheme, host and port in common."""
    return _origin(url) == _origin(other)


def _origin(url):
    parsed = parse_url(url)
    return parsed.scheme, (parsed.host or '').lower(), parsed.port or _DEFAULT_PORTS.get(parsed.scheme)


def _is_service(origin):
    scheme, host, port = origin
    return scheme == 'https' and host.endswith(_SERVICE_DOMAIN) and port == _DEFAULT_PORTS['https']


def _tokens(url):
    """The pairs of the query, and the tokens among them that are not blank: {index: value}."""
    pairs = urlsplit(url).query.split('&')
    values = {i: _decoded(pair.partition('=')[2]) for i, pair in enumerate(pairs) if _is_token(pair)}
    return pairs, {i: value for i, value in values.items() if value}


def _is_token(pair):
    return _decoded(pair.partition('=')[0]) == 'token'


def _decoded(text):
    return six.ensure_text(unquote_plus(text), errors='replace')


def _with_pairs(url, pairs):
    return urlunsplit(urlsplit(url)._replace(query='&'.join(pairs)))
