"""Strike tokens and passwords out of texts, and remove a token from a URL, in whatever way they are percent-encoded."""
from __future__ import absolute_import

import re

import six
from six.moves.urllib.parse import unquote_plus

#: Characters from which a value is taken for a token; replacing a shorter one would garble every text.
SHORTEST_TOKEN = 6

_PLAIN_PARAMETER = u'(?i)((?:\\b|%(?:25)*[0-9a-f]{2})token=)([^&\\s"\'<>#]*)'
# As it stands inside another parameter, such as ``?next=%2Fx%3Ftoken%3D...``: "%26", "%23" or a space ends it.
_ENCODED_PARAMETER = (u'(?i)((?:\\b|%(?:25)*[0-9a-f]{2})token%(?:25)*3d)'
                      u'((?:(?!%(?:25)*(?:0[ad]|2[0236]|3[ce]))[^&\\s"\'<>#])*)')
_USER_AND_PASSWORD = u'(://)[^/?#\\s"\'<>]*:[^/?#\\s"\'<>]*@'  # noqa: S105 - a pattern


def strike_out(text, token=None):
    """Replace tokens and passwords in a text by ``***``.

    Args:
        text (str): a text that may hold a URL with a token.
        token (str): a token to strike out wherever it stands, not only behind ``token=``.

    Returns:
        str: the text without them.

    Example:
        >>> strike_out('GET /me?token=secret&limit=2')
        'GET /me?token=***&limit=2'
        >>> strike_out('GET /login?next=/me%3Ftoken%3Dsecret%26limit%3D2')
        'GET /login?next=/me%3Ftoken%3D***%26limit%3D2'
    """
    if is_token(token):
        text = _substituted(_every_spelling(token), u'***', text)
    for pattern in (_PLAIN_PARAMETER, _ENCODED_PARAMETER):
        text = _substituted(pattern, u'\\1***', text)
    return _substituted(_USER_AND_PASSWORD, u'\\1***@', text)


def remove(url, token):
    """Remove a token from a URL wherever it stands.

    Args:
        url (str): a URL.
        token (str): the token, or None.

    Returns:
        str: the URL without it.
    """
    return _substituted(_every_spelling(token), u'', url) if is_token(token) else url


def is_token(value):
    """Return whether a value is long enough to be a token."""
    return bool(value) and len(value) >= SHORTEST_TOKEN


def token_in(url):
    """Return the token that a URL holds, or None.

    Args:
        url (str): a URL, or None.
    """
    for pattern in (_PLAIN_PARAMETER, _ENCODED_PARAMETER):
        found = re.search(pattern, six.ensure_text(url or '', errors='replace'))
        if found and found.group(2):
            value, encoded = None, str(found.group(2))
            while value != encoded:
                value, encoded = encoded, str(unquote_plus(encoded))
            return six.ensure_text(value, errors='replace')
    return None


def _every_spelling(token):
    """Return the pattern for a token whose characters may be percent-encoded, any number of times."""
    return u''.join(u'(?:{}|{})'.format(re.escape(character), _encoded(character))
                    for character in six.ensure_text(token))


def _encoded(character):
    digits = (u'{:02x}'.format(byte) for byte in bytearray(character.encode('utf-8')))
    return u''.join(u'%(?:25)*[{}{}][{}{}]'.format(high, high.upper(), low, low.upper()) for high, low in digits)


def _substituted(pattern, replacement, text):
    # On Python 2 texts may be bytes that are no ASCII.
    if isinstance(text, bytes):
        return re.sub(pattern.encode('utf-8'), replacement.encode('utf-8'), text)
    return re.sub(pattern, replacement, text)
