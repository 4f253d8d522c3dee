"""Fixtures: event servers of Python and Node, and the relays and proxies in front of them."""
import os

import pytest
from servers import EventServer, node_command, python_command
from servers.faults import FaultyRelay, Proxy

VARIANTS = ['python', 'python-polling', 'node', 'node-polling']


@pytest.fixture(scope='session')
def make_server(request):
    """Return a function that starts an event server, or returns a running one that is shared."""
    made = []
    shared = {}

    def make(variant, shares=False, **options):
        if shares and variant in shared:
            shared[variant].reset()
            return shared[variant]
        if variant.startswith('node'):
            command = node_command(request.config.cache.makedir('node'))
        else:
            command = python_command()
        made.append(EventServer(command, polling=variant.endswith('polling'), **options))
        if shares:
            shared[variant] = made[-1]
        return made[-1]
    yield make
    for server in made:
        server.close()


@pytest.fixture(params=VARIANTS)
def server(request, make_server):
    return make_server(request.param, shares=True)


@pytest.fixture
def closed_at_end():
    made = []
    yield made
    for each in made:
        each.close()


@pytest.fixture
def make_relay(closed_at_end):
    def make(server, **options):
        closed_at_end.append(FaultyRelay(server.port, **options))
        return closed_at_end[-1]
    return make


@pytest.fixture
def make_proxy(closed_at_end):
    def make(credentials=None):
        closed_at_end.append(Proxy(credentials))
        return closed_at_end[-1]
    return make


@pytest.fixture
def open_files():
    """Return a function that counts the open files of this process."""
    if not os.path.isdir('/proc/self/fd'):
        pytest.skip('no /proc to count open files in')
    return lambda: len(os.listdir('/proc/self/fd'))
