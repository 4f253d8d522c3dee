"""The fixture `amigocloud_sandbox` for pytest, which finds it by itself where the sandbox is installed."""
import types

import pytest

from . import Sandbox


@pytest.fixture(scope='session')
def _running_sandbox():
    with Sandbox(job_seconds=0.1) as running:
        yield running


@pytest.fixture
def amigocloud_sandbox(request, _running_sandbox):
    """An AmigoCloud to test a script against: one server for the whole session, and a new project for each test.

    Attributes:
        url (str): the `base_url` for a client.
        token (str): a user's token of level ADMIN.
        user_id (int): the user.
        project_id (int): the project of this test.
        project_url (str): the same as a URL.
        client (AmigoCloud): a client that has logged in with the token.
    """
    from amigocloud import AmigoCloud
    with AmigoCloud(token=_running_sandbox.token, base_url=_running_sandbox.url) as client:
        project = client.post('/me/projects', {'name': request.node.name})
        yield types.SimpleNamespace(
            url=_running_sandbox.url, token=_running_sandbox.token, user_id=_running_sandbox.user_id,
            project_id=project['id'], project_url=project['url'], client=client)
