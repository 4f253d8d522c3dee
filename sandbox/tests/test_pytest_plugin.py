"""The fixture that comes with the sandbox, in a pytest of its own."""
import subprocess
import sys
from importlib import metadata

import pytest

pytestmark = pytest.mark.slow

TESTS = '''
SEEN = []


def test_first(amigocloud_sandbox):
    client = amigocloud_sandbox.client
    path = '/projects/{}/datasets'.format(amigocloud_sandbox.project_id)
    client.wait_for_job(client.post(path + '/create', {'name': 'trees', 'schema': '[]'}))
    assert client.get(amigocloud_sandbox.project_url)['id'] == amigocloud_sandbox.project_id
    assert client.get(path, {'type': 'vector'})['count'] == 1
    SEEN.append(amigocloud_sandbox)


def test_second(amigocloud_sandbox):
    sandbox = amigocloud_sandbox
    assert (sandbox.url, sandbox.token, sandbox.user_id) == (SEEN[0].url, SEEN[0].token, SEEN[0].user_id)
    assert sandbox.project_id != SEEN[0].project_id
    assert sandbox.client.get('/projects/{}/datasets'.format(sandbox.project_id), {'type': 'vector'})['count'] == 0
'''


def installed():
    """Return the distribution, which is not there where the tests run in a folder that is not installed."""
    try:
        return metadata.distribution('amigocloud-sandbox')
    except metadata.PackageNotFoundError:
        return None


def test_fixture(tmp_path):
    (tmp_path / 'test_script.py').write_text(TESTS)
    plugin = [] if installed() else ['-p', 'amigocloud_sandbox.pytest_plugin']
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider']
    output = subprocess.run(command + plugin, cwd=str(tmp_path),
                            stdout=subprocess.PIPE, universal_newlines=True, check=False).stdout
    assert '2 passed' in output, output


def test_installation():
    if not installed():
        pytest.skip('the sandbox is not installed')
    entries = {(entry.group, entry.name): entry.value for entry in installed().entry_points}
    assert entries == {('pytest11', 'amigocloud_sandbox'): 'amigocloud_sandbox.pytest_plugin',
                       ('console_scripts', 'amigocloud-sandbox'): 'amigocloud_sandbox.__main__:main'}
    assert installed().version == metadata.version('amigocloud')
