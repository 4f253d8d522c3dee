# -*- coding: utf-8 -*-
"""Safe local names for files from the service; pure functions."""
from __future__ import absolute_import, unicode_literals

import os.path
import re

import six
from six.moves.urllib.parse import unquote_to_bytes

#: The name of a file that has none on the service.
NAMELESS = 'download'

#: Bytes to which a name is cut, in UTF-8. File systems allow 255, so there is room for a prefix or
#: a suffix.
LONGEST_NAME = 200

#: Bytes of an extension that is kept when a name is cut.
LONGEST_EXTENSION = 20

# These patterns are compiled at their first use, because that takes longer than the import.
# Characters that Windows rejects or reads as a drive, and those that control a terminal.
_UNSAFE = '[<>:"|?*\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]'
_WINDOWS_DEVICE = r'(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|\Z)'
_PARAMETER = r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)'
# This matches any text. The group is the path (RFC 3986, appendix B).
_URL = r'(?:[^:/?#]+:)?(?://[^/?#]*)?([^?#]*)'
_EXTENDED = r"(?i)(utf-8|iso-8859-1)'[^']*'(.*)\Z"


def file_name(disposition, url):
    """Return the name for a downloaded file.

    Args:
        disposition (str): the Content-Disposition header (RFC 6266), or None.
        url (str): the URL of the file.

    Returns:
        str: the name of the header, else the last segment of the URL's path, else ``download``,
        made safe.

    Example:
        >>> print(file_name('attachment; filename="trees.csv"', 'https://example.com/exports/1'))
        trees.csv
        >>> print(file_name(None, 'https://example.com/thumbnails/oak%20tree.png?size=2'))
        oak tree.png
    """
    name = _disposition_name(disposition) if disposition else None
    path = re.match(_URL, six.ensure_text(url)).group(1)
    return safe_name(name or _unquoted(path.rstrip('/').rpartition('/')[2], 'utf-8'))


def safe_name(name):
    """Return a name that a file can have in any folder and on any system.

    Args:
        name (str): the name that a server or a user chose.

    Returns:
        str: a name that is not empty, has no folders, is not hidden, is not a device of Windows
        and is at most LONGEST_NAME bytes long (one more if a ``_`` was put before it).

    Example:
        >>> print(safe_name('../../etc/passwd'))
        passwd
        >>> print(safe_name('C:\\\\con.txt'))
        _con.txt
    """
    # A lone surrogate cannot be encoded in a file name.
    name = six.ensure_text(name, errors='replace').encode('utf-8', 'replace').decode('utf-8')
    name = re.sub(_UNSAFE, '_', re.split(r'[/\\]', name)[-1]).strip(' .')
    stem, extension = os.path.splitext(name)
    if len(extension.encode('utf-8')) > LONGEST_EXTENSION:
        stem = name
        extension = ''
    room = LONGEST_NAME - len(extension.encode('utf-8'))
    stem = stem.encode('utf-8')[:room].decode('utf-8', 'ignore')
    name = (stem + extension).strip(' .') or NAMELESS
    return '_' + name if re.match(_WINDOWS_DEVICE, name) else name


def _disposition_name(header):
    header = _as_utf8(header)
    found = re.findall(_PARAMETER, ';' + header)
    parameters = {name.lower(): value.strip() for name, value in found}
    extended = re.match(_EXTENDED, parameters.get('filename*', '').strip('"'))
    if extended and extended.group(2):
        charset, value = extended.groups()
        return _unquoted(value, charset)
    value = parameters.get('filename', '')
    if value.startswith('"') and value.endswith('"'):
        # Other backslashes belong to a Windows path, which some servers send without escapes.
        value = re.sub(r'\\(["\\])', r'\1', value[1:-1])
    return value.strip('"')


def _unquoted(text, charset):
    return unquote_to_bytes(text.encode('utf-8')).decode(charset, 'replace')


def _as_utf8(header):
    """Return a header decoded as UTF-8, or as Latin-1 if it is not UTF-8.

    Most servers send UTF-8. Python 3 decodes each header as Latin-1, and Python 2 does not decode
    it.
    """
    try:
        raw = header if isinstance(header, bytes) else header.encode('latin-1')
        return raw.decode('utf-8')
    except UnicodeError:
        return header if isinstance(header, six.text_type) else header.decode('latin-1')
