"""Rows of SQL in pages of 1000: time, prefetching, memory."""
import json
import random
import tracemalloc

from benchmarks.frames import COLUMNS, make_row
from benchmarks.race import contestants, lines, race
from benchmarks.report import Row
from benchmarks.servers import relay

PAGE = 1000


def rows(bench):
    publish(bench.nginx, bench.nginx.url, 100 * PAGE)
    peers = {'amigocloud': 'ClientWithoutOrjson', 'amigocloud[fast]': 'Client', 'requests + json': 'Session',
             'json.loads in memory': 'Memory', 'orjson.loads in memory': 'FastMemory', 'httpx + json': 'Httpx'}
    with contestants(bench, bench.nginx.url, peers, old='amigocloud 1.2.5') as made:
        medians = race({name: read(peer, 100 * PAGE) for name, peer in made.items()}, 7)
    for ours, peer, limit in (('amigocloud', 'requests + json', 1.1), ('amigocloud', 'amigocloud 1.2.5', 0.5),
                              ('amigocloud', 'httpx + json', None), ('amigocloud', 'json.loads in memory', None),
                              ('amigocloud[fast]', 'requests + json', 0.7),
                              ('amigocloud[fast]', 'orjson.loads in memory', None)):
        what = '100,000 rows' if ours == 'amigocloud' else '100,000 rows with orjson'
        yield Row(what, medians[ours], peer, medians[peer], limit)
    yield prefetch(bench)
    yield memory(bench)


def prefetch(bench, pages=30, work=0.02):
    with relay(bench.nginx.port, 0.08) as url:
        publish(bench.nginx, url, pages * PAGE)
        with contestants(bench, url, {'amigocloud': 'Client', 'wire': 'Client'}) as made:
            medians = race({'amigocloud': read(made['amigocloud'], pages * PAGE, work, prefetch=1),
                            'wire': read(made['wire'], pages * PAGE)}, 3)
    return Row('30 pages, 80 ms away, 20 ms of work each', medians['amigocloud'], 'the wire alone',
               max(medians['wire'], pages * work), 1.1)


def memory(bench, count=1000000):
    publish(bench.nginx, bench.nginx.url, count)
    with contestants(bench, bench.nginx.url, {'amigocloud': 'Client'}) as made:
        made['amigocloud'].run('get')
        grown = made['amigocloud'].run('read', 1, query(count))['grown']
    body = page(0, '')
    tracemalloc.start()
    rows = json.loads(body)     # noqa: F841 - kept, to be measured
    size = tracemalloc.get_traced_memory()[0] + len(body)
    tracemalloc.stop()
    return Row('memory for 1,000,000 rows', grown, 'a page', size, 3, 'B')


def growth(bench):
    """The seconds for 1e3 to 1e6 rows, by contestant."""
    counts = [10 ** exponent for exponent in range(3, 7)]
    for count in counts:
        publish(bench.nginx, bench.nginx.url, count)
    peers = {'amigocloud': 'ClientWithoutOrjson', 'amigocloud[fast]': 'Client', 'requests + json': 'Session'}
    with contestants(bench, bench.nginx.url, peers) as made:
        medians = [race({name: read(peer, count) for name, peer in made.items()}, 3, warm_up=count < 10 ** 6)
                   for count in counts]
    return lines(counts, medians)


def read(peer, count, *arguments, **options):
    return lambda: peer.run('read', 1, query(count), *arguments, **options)['seconds']


def query(count):
    return 'first{}'.format(count)


def publish(nginx, url, count):
    """Serves a number of rows: the same thousand on each page."""
    following = '{}/api/v1/projects/1/sql?query={}&limit={}&offset='.format(url, query(count), PAGE)
    nginx.publish(query(count), url, (
        (start, page(start, following + str(start + PAGE) if start + PAGE < count else None))
        for start in range(0, count, PAGE)))


def page(start, following):
    return '{{"offset": {}, "next": {}, {}'.format(start, json.dumps(following), _REST).encode()


_NUMBERS = random.Random(1)
_REST = json.dumps({'columns': [{'name': name, 'type': kind} for name, kind in COLUMNS],
                    'data': [make_row(number, _NUMBERS) for number in range(PAGE)]})[1:]
