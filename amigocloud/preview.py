"""A few rows as HTML, for notebooks."""
from __future__ import absolute_import

import collections

import six

from .exceptions import printable
from .pages import columns_of
from .tokens import strike_out

#: Rows that are shown.
ROWS = 10

_CELL_LENGTH = 60
_TITLE_LENGTH = 200


class Head(object):
    """The first rows of a result.

    Args:
        page (Page): the first one.

    Attributes:
        members (dict): of that page.
        rows (list): those to show.
    """

    def __init__(self, page):
        self.members, self.rows = page.members, page.rows[:ROWS]
        count = page.members.get('count') if page.position.url is not None else len(page.rows)
        is_count = isinstance(count, six.integer_types) and not isinstance(count, bool) and count >= len(page.rows)
        self._count = count if is_count else None

    def summary(self):
        """Return how many rows there are, such as "first 10 of 3000 rows"."""
        shown = len(self.rows)
        if self._count is None:
            return 'first {} rows'.format(shown)
        return '{} rows'.format(shown if shown == self._count else 'first {} of {}'.format(shown, self._count))


def table(title, head):
    """Return a table of the first rows, which scrolls if it is wide.

    Args:
        title (str): the query, or else the endpoint.
        head (Head): the rows.

    Returns:
        str: HTML in which all text is escaped and has no token.
    """
    types = columns_of(head.members)
    names = None if types is None else [column['name'] for column in head.members['columns']]
    rows = [_by_name(row, names) for row in head.rows]
    if types is None:
        types = collections.OrderedDict.fromkeys(name for row in rows for name in row)
    lines = [_row('th', types)]
    lines.extend(_row('td', (_text(row.get(name), kind) for name, kind in types.items())) for row in rows)
    # The caption stays at the left edge, in one line: a table may be wider than the window, or narrower than its title.
    return (u'<div style="overflow-x: auto"><table>'
            u'<caption style="text-align: left; white-space: nowrap">{}: {}</caption>\n{}\n</table></div>').format(
                _escaped(_short_title(title)), head.summary(), u'\n'.join(lines))


def failure(title, error):
    """Return an error in the place of a table."""
    return u'<p>{}</p>\n<pre>{}</pre>'.format(_escaped(_short_title(title)), _escaped(six.text_type(error)))


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
        # A curve, which shapely cannot read, or not a geometry: show it as it came.
        return value


def _escaped(text):
    # Here, for its import takes longer than that of all the rest.
    from xml.sax.saxutils import escape
    return escape(six.ensure_text(text), {u'"': u'&quot;'})
