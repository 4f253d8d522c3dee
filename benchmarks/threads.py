"""Sixteen threads that share a client."""
from benchmarks.race import contestants, race
from benchmarks.report import Row


def rows(bench, threads=16, times=50):
    with contestants(bench, bench.nginx.url, {'amigocloud': 'Client', 'sessions': 'OwnSessions'}) as made:
        medians = race({name: (lambda peer=peer: peer.run('get', times, threads, how='in_threads')['seconds'])
                        for name, peer in made.items()}, 9)
    requests = threads * times
    yield Row('a request of 16 threads', medians['amigocloud'] / requests, '16 Sessions of requests',
              medians['sessions'] / requests, 1 / 0.9)
