"""Small GETs over HTTPS: what a request costs above the wire."""
from benchmarks.race import contestants, race
from benchmarks.report import Row
from benchmarks.servers import relay

LIMITS = {'requests': 0.85, 'amigocloud 1.2.5': 0.2}
PEERS = {'requests': 'Session', 'httpx': 'Httpx', 'urllib3': 'Urllib3', 'http.client': 'HttpClient'}


def rows(bench):
    with contestants(bench, bench.nginx.url, dict(PEERS, amigocloud='Client'), old='amigocloud 1.2.5') as made:
        medians = race({name: per_get(peer, 300) for name, peer in made.items()}, 15)
    for peer in made:
        if peer != 'amigocloud':
            yield Row('small GET', medians['amigocloud'], peer, medians[peer], LIMITS.get(peer))
    for seconds in (0.02, 0.08):
        with relay(bench.nginx.port, seconds) as url:
            peers = {'amigocloud': 'Client', 'a round trip + the server': 'Wire', 'requests': 'Session'}
            with contestants(bench, url, peers, old='amigocloud 1.2.5') as made:
                medians = race({name: per_get(peer, 20) for name, peer in made.items()}, 5)
        for peer, limit in (('a round trip + the server', 1.02), ('requests', None), ('amigocloud 1.2.5', None)):
            yield Row('small GET, {:.0f} ms away'.format(seconds * 1e3), medians['amigocloud'], peer, medians[peer],
                      limit)


def per_get(peer, times):
    return lambda: peer.run('get', times)['seconds'] / times
