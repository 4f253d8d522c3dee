"""The table of the measurements, as text that is also reStructuredText."""
import collections
import platform

#: One comparison: the task, our figure, the peer and its figure, and the highest ratio that is accepted (or None).
#: Figures are seconds, or bytes if ``unit`` is 'B'.
Row = collections.namedtuple('Row', 'what ours peer theirs limit unit', defaults=(None, 's'))

HEADER = ('task', 'amigocloud', 'compared with', 'takes', 'ratio', 'target')


def cells(row):
    ratio = row.ours / row.theirs
    limit = '' if row.limit is None else '{:.3g}'.format(row.limit)
    return (row.what, show(row.ours, row.unit), row.peer, show(row.theirs, row.unit), '{:.2f}'.format(ratio),
            limit + (' missed' if limit and ratio > row.limit else ''))


def show(figure, unit):
    if unit == 'B':
        return '{:.1f} MB'.format(figure / 1e6)
    factor, name = (1e6, 'us') if figure < 1e-3 else (1e3, 'ms') if figure < 1 else (1, 's')
    return '{:.3g} {}'.format(figure * factor, name)


def table(rows):
    """Return the rows as a table of reStructuredText."""
    lines = [HEADER] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    rule = '  '.join('=' * width for width in widths)
    body = ['  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return '\n'.join([rule, body[0], rule] + body[1:] + [rule, ''])


def machine():
    """Return a line about the machine that the figures depend on."""
    with open('/proc/cpuinfo') as cpus:
        models = [line.split(':')[1].strip() for line in cpus if line.startswith('model name')]
    return 'Python {}, {} x {}'.format(platform.python_version(), len(models), models[0])
