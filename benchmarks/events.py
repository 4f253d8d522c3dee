"""Live events: how many in a second and in a second of the processor, how late, and what waiting costs."""

from benchmarks.race import contestants, lines, race
from benchmarks.report import Row
from benchmarks.servers import child

PEERS = {'amigocloud': 'Events', 'socketIO_client': 'BareEvents', 'python-socketio 4': 'SocketioEvents'}
MANY = 20000
IDLE_SECONDS = 30


def rows(bench):
    medians = race({name: burst(bench, name, MANY) for name in PEERS}, 7)
    yield Row('an event of {:,}'.format(MANY), medians['amigocloud'] / MANY, 'socketIO_client',
              medians['socketIO_client'] / MANY, 1 / 0.9)
    yield Row('an event of {:,}'.format(MANY), medians['amigocloud'] / MANY, 'python-socketio 4',
              medians['python-socketio 4'] / MANY)
    medians = race({name: (lambda name=name: listen(bench, name, 'processor', MANY)) for name in PEERS}, 5)
    for peer in ('socketIO_client', 'python-socketio 4'):
        yield Row('processor time of an event of {:,}'.format(MANY), medians['amigocloud'] / MANY, peer,
                  medians[peer] / MANY)
    medians = race({name: (lambda name=name: listen(bench, name, 'idle', IDLE_SECONDS)) for name in PEERS}, 1,
                   warm_up=False)
    for peer in ('socketIO_client', 'python-socketio 4'):
        yield Row('processor time of a second without events', medians['amigocloud'] / IDLE_SECONDS, peer,
                  medians[peer] / IDLE_SECONDS)
    medians = race({name: (lambda name=name: listen(bench, name, 'latency', 200)) for name in PEERS}, 5)
    yield Row('from an event to its callback', medians['amigocloud'], 'socketIO_client + 1 ms',
              medians['socketIO_client'] + 0.001, 1)


def growth(bench):
    """The seconds for 1e2 to 1e5 events, by contestant."""
    counts = [10 ** exponent for exponent in range(2, 6)]
    peers = ('amigocloud', 'socketIO_client')
    medians = [race({name: burst(bench, name, count) for name in peers}, 3, warm_up=False) for count in counts]
    return lines(counts, medians)


def burst(bench, name, count):
    return lambda: listen(bench, name, 'burst', count)


def listen(bench, name, method, count):
    """With a client of its own each time: one that has stopped listening does not take part."""
    with child('event_server.py') as url, contestants(bench, url, {name: PEERS[name]}) as made:
        return made[name].run(method, 1, count)['seconds']
