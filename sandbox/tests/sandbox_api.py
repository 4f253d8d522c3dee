"""The fixtures for tests of the sandbox."""
import tempfile

import pytest
from api_client import Api

from amigocloud_sandbox import Sandbox
from amigocloud_sandbox.sql.postgres.cluster import Cluster
from amigocloud_sandbox.sql.types import EngineError


@pytest.fixture(scope='module')
def cluster():
    """A PostgreSQL server for tests that name one; skips where there is none."""
    # Not below the folder of pytest, which only its user may enter.
    with tempfile.TemporaryDirectory() as folder:
        try:
            cluster = Cluster(folder, forget=True)
        except EngineError as error:
            pytest.skip(str(error))
        yield cluster
        cluster.close()


@pytest.fixture(scope='module')
def sandbox(request):
    """A sandbox, with the database of its parameter; which one does not matter to tests that have none."""
    engine = getattr(request, 'param', 'sqlite')
    database = request.getfixturevalue('cluster').dsn if engine == 'postgresql' else 'sqlite'
    with Sandbox(job_seconds=0.1, database=database) as running:
        yield running


@pytest.fixture
def make_api():
    """Makes the APIs of a URL and a token."""
    made = []

    def make(url, token):
        made.append(Api(url, token))
        return made[-1]
    yield make
    for api in made:
        api.session.close()


@pytest.fixture
def api(make_api, sandbox):
    return make_api(sandbox.url, sandbox.token)


@pytest.fixture
def as_other(make_api, sandbox):
    """Gives the API with another token."""
    return lambda token: make_api(sandbox.url, token)


@pytest.fixture
def make_sandbox():
    """Makes sandboxes with settings of their own, on SQLite for want of another: it starts at once."""
    running = []

    def make(**settings):
        running.append(Sandbox(**dict({'database': 'sqlite'}, **settings)))
        return running[-1]
    yield make
    for sandbox in running:
        sandbox.close()
