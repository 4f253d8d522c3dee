"""Compare the client with others, and print one table.

    pip install -e ".[benchmarks]" -e ./sandbox
    python -m benchmarks [--json PATH] [--docs] [FAMILY ...]

It needs nginx, openssl and curl. Every contestant is a process of its own; all take turns, and the table shows
medians.
"""
import argparse
import json
import sys

from benchmarks import (
    events,
    frames,
    geocoding,
    pages,
    plots,
    report,
    requests_,
    snapshots,
    start,
    threads,
    uploads,
)
from benchmarks.servers import Bench

FAMILIES = {'requests': requests_, 'threads': threads, 'pages': pages, 'frames': frames, 'snapshots': snapshots,
            'uploads': uploads, 'geocoding': geocoding, 'events': events, 'start': start}


def measure(names, with_growth):
    """Return the rows of families, and how their costs grow, by name."""
    rows, growth = [], {}
    with Bench() as bench:
        for name in names:
            print(name, file=sys.stderr)
            rows.extend(FAMILIES[name].rows(bench))
            if with_growth and hasattr(FAMILIES[name], 'growth'):
                growth[name] = FAMILIES[name].growth(bench)
    return rows, growth


def main():
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__.split('\n')[0])
    parser.add_argument('--json', metavar='PATH', help='keep the rows in a file')
    parser.add_argument('--docs', action='store_true', help='also measure how costs grow, and write docs/performance')
    parser.add_argument('families', nargs='*', metavar='FAMILY', default=list(FAMILIES),
                        help='any of: {} (default: all)'.format(', '.join(FAMILIES)))
    arguments = parser.parse_args()
    rows, growth = measure(arguments.families, arguments.docs)
    text = report.table(rows)
    print(report.machine(), text, sep='\n\n')
    if arguments.json:
        with open(arguments.json, 'w') as kept:
            json.dump({'machine': report.machine(), 'rows': [row._asdict() for row in rows], 'growth': growth}, kept,
                      indent=1)
    if arguments.docs:
        plots.write(text, growth)


if __name__ == '__main__':
    main()
