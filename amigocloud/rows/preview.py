"""A few rows as HTML, for notebooks."""
from __future__ import absolute_import

import collections

import six

from ..exceptions import printable
from ..tokens import strike_out
from .pages import columns_of, count_of

#: The number of rows that are shown.
ROWS = 10

_CELL_LENGTH = 60
_TITLE_LENGTH = 200


class Head(object):
    """The first rows of a result.

    Args:
        page (Page): the first page.

    Attributes:
        members (dict): the members of the page.
        rows (list): the rows to show.
    """

    def __init__(self, page):
        self.members = page.members
        self.rows = page.rows[:ROWS]
        count = count_of(page.members) if page.position.url is not None else len(page.rows)
        self._count = count if count is not None and count >= len(page.rows) else None

    def summary(self):
        """Return the number of rows as a text, such as "first 10 of 3000 rows"."""
        shown = len(self.rows)
        if self._count is None:
            return 'first {} rows'.format(shown)
        return '{} rows'.format(
            shown if shown == self._count else 'first {} of {}'.format(shown, self._count))


def table(title, head):
    """Return a table of the first rows, which scrolls if it is wide.

    Args:
        title (str): the query, or else the endpoint.
        head (Head): the rows.

    Returns:
        str: HTML in which all text is escaped and tokens are struck out.
    """
    types = columns_of(head.members)
    rows = [_by_name(row, types) for row in head.rows]
    if types is None:
        types = collections.OrderedDict.fromkeys(name for row in rows for name in row)
    lines = [_row('th', types)]
    lines.extend(_row('td', (_text(row.get(name), kind) for name, kind in types.items()))
                 for row in rows)
    # Keep the caption at the left edge and on one line: a table may be wider than the window, or
    # narrower than its title.
    return (u'<div style="overflow-x: auto"><table><caption style="text-align: left; white-space: '
            u'nowrap">{}: {}</caption>\n{}\n</table></div>').format(
                _escaped(_short_title(title)), head.summary(), u'\n'.join(lines))


def failure(title, error):
    """Return the HTML that shows an error instead of a table."""
    return u'<p>{}</p>\n<pre>{}</pre>'.format(_escaped(_short_title(title)),
                                              _escaped(six.text_type(error)))


def _by_name(row, names):
    """Return a row as a dict; ``names`` are the columns of SQL, or None."""
    if isinstance(row, dict):
        return row
    if names is None:
        return collections.OrderedDict(enumerate(row)) if isinstance(row, list) else {'': row}
    return dict(zip(names, row if isinstance(row, list) else [row]))


def _short_title(title):
    title = six.ensure_text(printable(u' '.join(six.ensure_text(title, errors='replace').split())))
    return title if len(title) <= _TITLE_LENGTH else title[:_TITLE_LENGTH] + u'\u2026'


def _row(tag, texts):
    return u'<tr>{}</tr>'.format(u''.join(
        u'<{0}>{1}</{0}>'.format(tag, _escaped(six.text_type(text))) for text in texts))


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
        # Show a curve, which shapely cannot read, or a value that is not a geometry, unchanged.
        return value


def _escaped(text):
    # Imported here because its import takes longer than that of the whole library.
    from xml.sax.saxutils import escape
    text = escape(six.ensure_text(printable(text)), {u'"': u'&quot;'})
    # JSON may hold half of a surrogate pair, which cannot be sent to the notebook.
    return text.encode('utf-8', 'replace').decode('utf-8')
