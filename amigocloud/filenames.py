# -*- coding: utf-8 -*-
"""What a file from the service is called on this machine: a plain name, whatever a server says; pure functions."""
from __future__ import absolute_import, unicode_literals

import os.path
import re

import six
from six.moves.urllib.parse import unquote_to_bytes

#: The name of a file for which the service has none.
NAMELESS = 'download'

#: Bytes to which a name is cut, in UTF-8. File systems take 255; this leaves room for what is put before or behind it.
LONGEST_NAME = 200

#: Bytes of an ending that outlives the cutting of a name.
LONGEST_ENDING = 20

# Compiled when they are first used: that takes longer than the rest of the import.
# Separators and what Windows refuses or reads as a drive; what a terminal would act on, or show in another order.
_UNSAFE = '[<>:"|?*\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]'
_WINDOWS_DEVICE = r'(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|\Z)'
_PARAMETER = r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)'
# Any text matches; the group is the path (RFC 3986, appendix B).
_URL = r'(?:[^:/?#]+:)?(?://[^/?#]*)?([^?#]*)'
_EXTENDED = r"(?i)(utf-8|iso-8859-1)'[^']*'(.*)\Z"


def file_name(disposition, url):
    """Gives the name for what was downloaded.

    Args:
        disposition (str): the Content-Disposition header (RFC 6266), or None.
        url (str): where it came from.

    Returns:
        str: a safe name: of the header, else the last one in the URL's path, else ``download``.

    Example:
        >>> print(file_name('attachment; filename="trees.csv"', 'https://app.amigocloud.com/exports/1'))
        trees.csv
        >>> print(file_name(None, 'https://app.amigocloud.com/thumbnails/oak%20tree.png?size=2'))
        oak tree.png
    """
    name = _disposition_name(disposition) if disposition else None
    path = re.match(_URL, six.ensure_text(url)).group(1)
    return safe_name(name or _unquoted(path.rstrip('/').rpartition('/')[2], 'utf-8'))


def safe_name(name):
    """Makes a name that a file can have in any folder and on any system.

    Args:
        name (str): what somebody else calls it.

    Returns:
        str: one plain name: not empty, without folders, not hidden, no device of Windows, not too long.

    Example:
        >>> print(safe_name('../../etc/passwd'))
        passwd
        >>> print(safe_name('C:\\\\con.txt'))
        _con.txt
    """
    # A surrogate alone is no character that a name could be written with.
    name = six.ensure_text(name, errors='replace').encode('utf-8', 'replace').decode('utf-8')
    name = re.sub(_UNSAFE, '_', re.split(r'[/\\]', name)[-1]).strip(' .')
    stem, ending = os.path.splitext(name)
    if len(ending.encode('utf-8')) > LONGEST_ENDING:
        stem, ending = name, ''
    room = LONGEST_NAME - len(ending.encode('utf-8'))
    name = (stem.encode('utf-8')[:room].decode('utf-8', 'ignore') + ending).strip(' .') or NAMELESS
    return '_' + name if re.match(_WINDOWS_DEVICE, name) else name


def _disposition_name(header):
    header = _as_utf8(header)
    parameters = {name.lower(): value.strip() for name, value in re.findall(_PARAMETER, ';' + header)}
    extended = re.match(_EXTENDED, parameters.get('filename*', '').strip('"'))
    if extended:
        charset, value = extended.groups()
        return _unquoted(value, charset)
    value = parameters.get('filename', '')
    if value.startswith('"') and value.endswith('"'):
        value = re.sub(r'\\(.)', r'\1', value[1:-1])
    return value.strip('"')


def _unquoted(text, charset):
    return unquote_to_bytes(text.encode('utf-8')).decode(charset, 'replace')


def _as_utf8(header):
    """The header as most servers mean it; Python 3 reads every header as Latin-1, Python 2 as bytes."""
    try:
        raw = header if isinstance(header, bytes) else header.encode('latin-1')
        return raw.decode('utf-8')
    except UnicodeError:
        return header if isinstance(header, six.text_type) else header.decode('latin-1')
