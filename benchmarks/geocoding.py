"""Geocoding of 300 addresses of the sandbox, 80 ms away."""
from amigocloud import AmigoCloud
from amigocloud_sandbox import Sandbox
from benchmarks.race import Contestant, median_of
from benchmarks.report import Row
from benchmarks.servers import child

ADDRESSES, AT_A_TIME, ROUND_TRIP = 300, 30, 0.08


def rows(bench):
    with Sandbox() as sandbox:
        with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as client:
            dataset = client.get('/projects/{}/datasets/{}'.format(sandbox.project_id, sandbox.places_id))
            client.project(sandbox.project_id).dataset(sandbox.places_id).insert([
                {'address': '{} Main St'.format(number)} for number in range(dataset['feature_count'], ADDRESSES)])
        port = sandbox.url.rpartition(':')[2]
        with child('relay.py', port, ROUND_TRIP) as far_url, child('relay.py', port, 0) as near_url:
            far = median_of(5, lambda: geocode(bench, sandbox, far_url))
            near = median_of(5, lambda: geocode(bench, sandbox, near_url))
    round_trips = ADDRESSES // AT_A_TIME
    yield Row('geocoding of 300 addresses, 80 ms away', far, '{} round trips + the same near by'.format(round_trips),
              round_trips * ROUND_TRIP + near, 1.3)


def geocode(bench, sandbox, url):
    """With a client of its own each time, for a script geocodes once."""
    contestant = Contestant('Client', url, bench.nginx.certificate, token=sandbox.token)
    try:
        return contestant.run('geocode', 1, sandbox.project_id, sandbox.places_id)['seconds']
    finally:
        contestant.close()
