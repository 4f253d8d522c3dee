"""docs/performance: the table and the plots of costs that grow."""
import os

from benchmarks.report import machine
from benchmarks.servers import ROOT

FOLDER = os.path.join(ROOT, 'docs', 'performance')
AXES = {'pages': 'rows', 'uploads': 'MB', 'events': 'events'}


def write(table, growth):
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, 'table.inc'), 'w') as target:
        target.write('{}:\n\n{}'.format(machine(), table))
    for family, lines in growth.items():
        draw(os.path.join(FOLDER, family + '.svg'), AXES[family], lines)


def draw(path, unit, lines):
    """Draws seconds over amounts, both logarithmic: what grows in proportion is a straight line."""
    # Here, for the table needs no matplotlib.
    from matplotlib import rcParams
    from matplotlib.figure import Figure
    # The same bytes for the same figures.
    rcParams['svg.hashsalt'] = 'amigocloud'
    figure = Figure(figsize=(6, 4), layout='constrained')
    axes = figure.subplots()
    for name, points in lines.items():
        axes.loglog(*zip(*points), marker='o', label=name)
    axes.set(xlabel=unit, ylabel='seconds')
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={'Date': None})
