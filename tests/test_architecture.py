"""Who may import whom, what is exported, and what ``import amigocloud`` loads."""
import ast
import io
import os
import shutil
import subprocess
import sys

import amigocloud
from amigocloud import amigocloud as old_path

FOLDER = os.path.dirname(amigocloud.__file__)

#: From the top down: a module imports only what stands behind it.
LAYERS = ['amigocloud', 'client', 'writing', 'changes', 'rowjson', 'geocoding', 'photos', 'downloads', 'jobs',
          'realtime', 'connection', 'uploads', 'chunks', 'multipart', 'queries', 'cursor', 'frames', 'preview',
          'prefetch', 'pages', 'transport', 'decoding', 'encoding', 'session', 'retrying', 'tls', 'urls',
          'filenames', 'progress', 'exceptions', 'tokens', 'waiting', 'version']

LOADS = """
import sys
before = set(sys.modules)
import requests
import amigocloud
{}
print(' '.join(sorted(name for name in sys.modules if name.split('.')[0] in (
    'gevent', 'socketIO_client', 'websocket', 'pandas', 'numpy', 'shapely', 'flask') or '.sandbox' in name)))
"""


def source(module):
    with io.open(os.path.join(FOLDER, module + '.py'), 'rb') as code:
        return code.read()


def imported(module):
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.ImportFrom) and node.level:
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                yield name


def test_layers():
    modules = sorted(name[:-3] for name in os.listdir(FOLDER) if name.endswith('.py') and name != '__init__.py')
    assert modules == sorted(LAYERS)
    for place, module in enumerate(LAYERS):
        assert set(imported(module)) <= set(LAYERS[place + 1:]), module


def test_imports_are_relative():
    for module in LAYERS:
        for node in ast.walk(ast.parse(source(module))):
            if isinstance(node, ast.Import):
                assert not [alias.name for alias in node.names if alias.name.split('.')[0] == 'amigocloud'], module
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module.split('.')[0] != 'amigocloud', module


def test_copied_folder_works_inside_another_package(tmpdir, wire):
    # Plugins ship the folder so, without an installation.
    tmpdir.join('plugin').ensure('utils', dir=True)
    tmpdir.join('plugin', '__init__.py').write('')
    tmpdir.join('plugin', 'utils', '__init__.py').write('')
    shutil.copytree(FOLDER, str(tmpdir.join('plugin', 'utils', 'amigocloud')))
    script = ('import sys; sys.modules["amigocloud"] = None\n'
              'from plugin.utils.amigocloud import AmigoCloud\n'
              'from plugin.utils.amigocloud.amigocloud import AmigoCloudError\n'
              'client = AmigoCloud("secret", base_url=sys.argv[1], use_websockets=False)\n'
              'print(client.get("me")["id"])')
    output = subprocess.check_output([sys.executable, '-c', script, wire.url], cwd=str(tmpdir))
    assert output.split() == [b'7']


def test_socketio_client_is_named_once():
    assert [module for module in LAYERS if b'import socketIO_client' in source(module)
            or b'from socketIO_client' in source(module)] == ['connection']


def test_exports():
    assert amigocloud.__all__ == ['AmigoCloud', 'AmigoCloudError', 'AmigoCloudJobError', 'Cursor']
    assert old_path.AmigoCloud is amigocloud.AmigoCloud
    assert old_path.AmigoCloudIterator is amigocloud.Cursor
    assert all(hasattr(old_path, name) for name in old_path.__all__)


def loaded_by(statement):
    return subprocess.check_output([sys.executable, '-c', LOADS.format(statement)]).decode().split()


def test_import_loads_what_it_needs():
    assert loaded_by('') == []


def test_client_that_ends_at_once_loads_nothing_for_events():
    assert loaded_by('amigocloud.realtime.START_SECONDS = 60; '
                     'amigocloud.AmigoCloud(base_url="http://127.0.0.1:1").close()') == []


def test_rest_needs_no_websockets():
    assert loaded_by('amigocloud.AmigoCloud(use_websockets=False).build_url("x")') == []
