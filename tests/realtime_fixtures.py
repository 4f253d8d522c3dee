"""Fixtures: live events of each kind of server."""
import pytest
from realtime_tools import Service, own_threads, subscribed

from amigocloud.events import background, connection
from amigocloud.events.realtime import Realtime

pytest_plugins = ['event_servers']


@pytest.fixture
def short_event_pauses(monkeypatch):
    monkeypatch.setattr(background, 'BACKOFF_SECONDS', (0.05, 0.2))
    monkeypatch.setattr(connection, 'ERROR_SECONDS', 0.2)


@pytest.fixture
def python_server(make_server):
    return make_server('python', shares=True)


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def make_realtime(service, short_event_pauses):
    made = []

    def make(url, **options):
        service.base_url = url
        made.append(Realtime(service, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()
    assert not own_threads()


@pytest.fixture
def events(make_realtime, server):
    """Return live events with a subscription, from each kind of server."""
    return subscribed(make_realtime(server.url), server)
