"""A few rows as HTML, for notebooks."""
from __future__ import absolute_import

import six

from .exceptions import strike_out
from .pages import columns_of

#: Rows that are shown.
ROWS = 10

_CELL_LENGTH = 60


def table(title, members, rows):
    """Gives a table of rows.

    Args:
        title (str): what stands above it.
        members (dict): of the page of the rows.
        rows (list): those to show.

    Returns:
        str: HTML in which all text is escaped and has no token.
    """
    types = columns_of(members)
    if types is None:
        rows = [row if isinstance(row, dict) else {'': row} for row in rows]
        types = dict.fromkeys(rows[0] if rows else ())
    lines = [_row('th', types)]
    lines.extend(_row('td', (_text(row.get(name), kind) for name, kind in types.items())) for row in rows)
    return u'<table><caption>{}</caption>\n{}\n</table>'.format(_escaped(title), u'\n'.join(lines))


def failure(title, error):
    """Gives an error in the place of a table."""
    return u'<p>{}</p>\n<pre>{}</pre>'.format(_escaped(title), _escaped(six.text_type(error)))


def _row(tag, texts):
    return u'<tr>{}</tr>'.format(u''.join(u'<{0}>{1}</{0}>'.format(tag, _escaped(text)) for text in texts))


def _text(value, kind):
    if value is None:
        return u''
    text = strike_out(six.text_type(_short_wkt(value) if kind == 'geometry' else value))
    return text if len(text) <= _CELL_LENGTH else text[:_CELL_LENGTH] + u'\u2026'


def _short_wkt(value):
    try:
        from shapely import errors, wkb, wkt
    except ImportError:
        return value
    try:
        return wkt.dumps(wkb.loads(value, hex=True), rounding_precision=5, trim=True)
    except (errors.ShapelyError, NotImplementedError, TypeError, ValueError):
        # Shown as it came; shapely has no class for curves.
        return value


def _escaped(text):
    # Here, for its import takes longer than that of all the rest.
    from xml.sax.saxutils import escape
    return escape(six.ensure_text(text), {u'"': u'&quot;'})
