"""Geocoding of 300 addresses, 80 ms away."""
from benchmarks.race import contestants, median_of
from benchmarks.report import Row
from benchmarks.servers import ADDRESSES, relay


def rows(bench):
    with relay(bench.nginx.port, 0.08) as url, relay(bench.nginx.port, 0) as near_url:
        far = median_of(5, lambda: geocode(bench, url))
        near = median_of(5, lambda: geocode(bench, near_url))
        with contestants(bench, url, {'wire': 'Wire'}) as made:
            round_trip = median_of(10, lambda: made['wire'].run('get')['seconds'])
    round_trips = -(-ADDRESSES // 30)
    yield Row('geocoding of 300 addresses, 80 ms away', far,
              '{} round trips + the same near by'.format(round_trips), round_trips * round_trip + near, 1.3)


def geocode(bench, url):
    """With a client of its own each time, for a script geocodes once."""
    with contestants(bench, url, {'amigocloud': 'Client'}) as made:
        return made['amigocloud'].run('geocode')['seconds']
