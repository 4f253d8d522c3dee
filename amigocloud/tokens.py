"""Tokens: where one may go, how a URL gets it or loses it, and how texts hide it.

All functions are pure. Those that compare URLs expect full URLs that are normalized.
"""
from __future__ import absolute_import

import re

import six
from six.moves.urllib.parse import quote, unquote_plus, urlsplit, urlunsplit
from urllib3.util import parse_url

#: Characters of the shortest token. Striking out shorter values would garble every text.
SHORTEST_TOKEN = 6

_SERVICE_DOMAIN = '.amigocloud.com'
_DEFAULT_PORTS = {'http': 80, 'https': 443}

# A fragment, or a query with a token, with an empty parameter or with a name that is encoded.
_SPECIAL = re.compile(r'#|[?&](?:$|&|token|[^=&]*%)')

_NAME = u'((?:\\b|%(?:25)*[0-9a-f]{2})token'
_PLAIN_PARAMETER = u'(?i)' + _NAME + u'=)([^&\\s"\'<>#]*)'
# A token inside another parameter, as in ``?next=%2Fx%3Ftoken%3D...``, ends with an encoded "&",
# "#" or space.
_ENCODED_PARAMETER = u'(?i)' + _NAME + (
    u'%(?:25)*3d)((?:(?!%(?:25)*(?:0[ad]|2[0236]|3[ce]))[^&\\s"\'<>#])*)')
# A password that is not encoded may hold "/", "?" or "#". A number before one of these is a port.
_USER_AND_PASSWORD = (u'(://)(?:[^/?#\\s"\'<>]*:[^/?#\\s"\'<>]*|'  # noqa: S105 - a pattern
                      u'[^/?#\\s"\'<>\\[]{0,200}:(?![0-9]*[/?#])[^\\s"\'<>]{0,200}?)@')

_BACKSLASH = u'(?:\\\\|%(?:25)*5[cC])'
_HTML_ENTITIES = {u'&': u'amp', u'<': u'lt', u'>': u'gt', u'"': u'quot', u"'": u'apos'}

#: The number of tokens whose patterns are kept. A server program may use many tokens.
_PATTERNS_LIMIT = 100
_patterns = {}


def strike_out(text, *tokens):
    """Replace tokens and passwords in a text by ``***``.

    Args:
        text (str): a text that may contain a URL with a token.
        *tokens (str): tokens to strike out everywhere, not only after ``token=``. None is ignored.

    Returns:
        str: the text without them.

    Example:
        >>> strike_out('GET /me?token=secret&limit=2')
        'GET /me?token=***&limit=2'
        >>> strike_out('GET /login?next=/me%3Ftoken%3Dsecret%26limit%3D2')
        'GET /login?next=/me%3Ftoken%3D***%26limit%3D2'
    """
    for token in tokens:
        if _is_long_enough(token):
            text = _substituted(_every_spelling(token), u'***', text)
    for pattern in (_PLAIN_PARAMETER, _ENCODED_PARAMETER):
        text = _substituted(pattern, u'\\1***', text)
    return _substituted(_USER_AND_PASSWORD, u'\\1***@', text)


def token_in(url):
    """Return the token that a URL contains, or None.

    Args:
        url (str): a URL, or None.
    """
    text = six.ensure_text(url or '', errors='replace')
    for pattern in (_PLAIN_PARAMETER, _ENCODED_PARAMETER):
        for found in re.finditer(pattern, text):
            # "page-token" is another parameter.
            if found.group(2) and not text[:found.start()].endswith(u'-'):
                value = str(found.group(2))
                # Decode the value once more often than its "=" is encoded.
                for _ in range(1 + len(found.group(1).lower().rpartition(u'token')[2]) // 2):
                    value = unquote_plus(value)
                return six.ensure_text(value, errors='replace')
    return None


def token_sent(response):
    """Return the token in the URL of a request, or None.

    Args:
        response (requests.Response): the response to the request.
    """
    # After a redirect only the first URL may contain the token.
    for step in list(getattr(response, 'history', None) or ()) + [response]:
        token = token_in(getattr(step, 'url', None))
        if token:
            return token
    return None


def is_trusted(url, base_url):
    """Return whether the token may go to a URL.

    Args:
        url (str): a full, normalized URL.
        base_url (str): the base URL of the client, normalized.

    Returns:
        bool: True for the origin of base_url, and for all hosts of the service if it is one.

    Example:
        >>> is_trusted('https://www.amigocloud.com/x', 'https://app.amigocloud.com')
        True
        >>> is_trusted('http://app.amigocloud.com/x', 'https://app.amigocloud.com')
        False
    """
    start = base_url[:base_url.find('/', len('https://')) + 1]
    if start and url.startswith(start):
        return True
    origin = _origin(url)
    own = _origin(base_url)
    return origin == own or (_is_service(origin) and _is_service(own))


def is_same_origin(url, other):
    """Return whether two full, normalized URLs have the same scheme, host and port."""
    return _origin(url) == _origin(other)


def with_token(url, token, base_url):
    """Return a URL with a token: once, and only if the token may go there.

    Args:
        url (str): a full, normalized URL. It may already contain a token of another origin.
        token (str): the token of the client, or None.
        base_url (str): the base URL of the client, normalized.

    Returns:
        str: the URL to send the request to. Without trust, it does not contain the token.

    Example:
        >>> with_token('https://app.amigocloud.com/x?a=1', 'secret', 'https://app.amigocloud.com')
        'https://app.amigocloud.com/x?a=1&token=secret'
    """
    if not is_trusted(url, base_url):
        return without_token(url, token)
    ours = token and 'token=' + quote(six.ensure_binary(token), safe='')
    if not _SPECIAL.search(url):
        return url + ('&' if '?' in url else '?') + ours if ours else url
    pairs, given = _query_tokens(url)
    if given:
        # The service reads the last of several tokens.
        last = max(given)
        return _with_pairs(url, [pair for place, pair in enumerate(pairs)
                                 if place == last or not _names_token(pair)])
    if not token:
        return url
    return _with_pairs(url, [pair for pair in pairs if pair and not _names_token(pair)] + [ours])


def without_token(url, token):
    """Return a URL without the client's own token, wherever it stands. Other tokens stay.

    Args:
        url (str): a full URL.
        token (str): the token of the client, or None.
    """
    if not token:
        return url
    pairs, given = _query_tokens(url)
    kept = [pair for place, pair in enumerate(pairs) if given.get(place) != six.ensure_text(token)]
    if len(kept) < len(pairs):
        url = _with_pairs(url, kept)
    # The token may also be part of the path, of another parameter or of the fragment.
    return _substituted(_every_spelling(token), u'', url) if _is_long_enough(token) else url


def with_login(url, base_url):
    """Return a URL with the login of the base URL, if the origin is the same and it has none.

    Args:
        url (str): a full, normalized URL, such as a ``next`` link.
        base_url (str): the base URL of the client, normalized.
    """
    if '@' not in base_url:
        return url
    login, mark, _ = urlsplit(base_url).netloc.rpartition('@')
    parsed = urlsplit(url)
    if '@' in parsed.netloc or not is_same_origin(url, base_url):
        return url
    return urlunsplit(parsed._replace(netloc=login + mark + parsed.netloc))


def _origin(url):
    parsed = parse_url(url)
    port = parsed.port or _DEFAULT_PORTS.get(parsed.scheme)
    return parsed.scheme, (parsed.host or '').lower(), port


def _is_service(origin):
    scheme, host, port = origin
    return scheme == 'https' and host.endswith(_SERVICE_DOMAIN) and port == _DEFAULT_PORTS['https']


def _query_tokens(url):
    """Return the pairs of a query, and the tokens in it that are not empty as {index: value}."""
    pairs = urlsplit(url).query.split('&')
    values = {place: _decoded(pair.partition('=')[2])
              for place, pair in enumerate(pairs) if _names_token(pair)}
    return pairs, {place: value for place, value in values.items() if value}


def _names_token(pair):
    return _decoded(pair.partition('=')[0]) == 'token'


def _decoded(text):
    return six.ensure_text(unquote_plus(text), errors='replace')


def _with_pairs(url, pairs):
    return urlunsplit(urlsplit(url)._replace(query='&'.join(pairs)))


def _is_long_enough(token):
    return bool(token) and len(token) >= SHORTEST_TOKEN


def _every_spelling(token):
    """Return the pattern of a token in URLs, JSON, HTML and reprs, encoded any number of times."""
    token = six.ensure_text(token)
    pattern = _patterns.get(token)
    if pattern is None:
        pattern = u''.join(_part(part) for part in re.findall(u'(?s)%[0-9a-fA-F]{2}|.', token))
        if len(_patterns) == _PATTERNS_LIMIT:
            _patterns.clear()
        _patterns[token] = pattern
    return pattern


def _part(part):
    """Return the pattern of one character of a token, or of three that look like an encoded one."""
    pattern = u''.join(u'(?:{})'.format(u'|'.join(_spellings(character))) for character in part)
    if len(part) == 3:
        # A program that reads a URL decodes these three, if the token was not encoded.
        return u'(?:{}|{})'.format(pattern, _part(six.unichr(int(part[1:], 16))))
    return pattern


def _spellings(character):
    """Yield the patterns of one character."""
    code = ord(character)
    encoded = bytearray(character.encode('utf-8'))
    escape = u'' if character.isalnum() else _BACKSLASH + u'{0,4}'
    yield escape + re.escape(character)
    yield escape + u''.join(u'%(?:25)*' + _hexadecimal(byte) for byte in encoded)
    yield _BACKSLASH + u'{1,4}(?:x|[uU]0{0,6})' + _hexadecimal(code)
    yield u'&(?:amp;)*(?:#0{0,4}' + u'{}|#[xX]0{{0,4}}{}|{});'.format(
        code, _hexadecimal(code), _HTML_ENTITIES.get(character, u'#'))
    if code > 127:
        yield u''.join(_BACKSLASH + u'{1,4}x' + _hexadecimal(byte) for byte in encoded)
        # Headers are decoded as Latin-1.
        yield re.escape(bytes(encoded).decode('latin-1'))
    if character in u'+ ':
        # In a query "+" means a space.
        yield u'[+ ]|%(?:25)*2[0bB]'


def _hexadecimal(number):
    return u''.join(u'[{}{}]'.format(digit, digit.upper()) if digit > u'9' else digit
                    for digit in u'{:02x}'.format(number))


def _substituted(pattern, replacement, text):
    # On Python 2 a text may be bytes that are not ASCII.
    if isinstance(text, bytes):
        return re.sub(pattern.encode('utf-8'), replacement.encode('utf-8'), text)
    return re.sub(pattern, replacement, text)
