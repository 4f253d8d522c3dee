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
FLOORS = [
    '__main__', 'cli', 'amigocloud', 'client', 'project',
    'rows.writing', 'rows.upserts', 'rows.history', 'rows.changes', 'rows.sending', 'rows.batches', 'rows.results',
    'rows.fitting', 'rows.geocoding', 'rows.positions',
    'files.photos', 'files.tiles', 'files.downloads', 'files.filenames', 'files.uploads', 'files.chunks',
    'files.multipart',
    'events.realtime', 'events.background', 'events.imports', 'events.mailbox',
    'events.connection', 'events.greenlets', 'events.transports', 'events.packets',
    'rows.finding', 'rows.queries', 'rows.related', 'rows.schema', 'rows.literals', 'rows.comparing', 'rows.columns',
    'rows.cursor', 'rows.frames', 'rows.table_file', 'rows.text_files', 'rows.preview', 'rows.prefetch', 'rows.pages',
    'rows.dtypes',
    'jobs', 'progress',
    'http.transport', 'http.session', 'http.retrying', 'http.tls', 'http.urls',
    'encoding', 'checks', 'extras', 'exceptions', 'decoding', 'tokens', 'waiting', 'version']

#: The ground floor: modules that import nothing of the package.
GROUND = ['decoding', 'tokens', 'waiting', 'version']

LOADS = """
import sys
before = set(sys.modules)
import requests
import amigocloud
{}
print(' '.join(sorted(name for name in sys.modules if name.split('.')[0] in (
    'gevent', 'socketIO_client', 'websocket', 'pandas', 'numpy', 'shapely', 'flask')
    or 'sandbox' in name or name == 'amigocloud.cli')))
"""


def source(module):
    with io.open(os.path.join(FOLDER, *module.split('.')) + '.py', 'rb') as code:
        return code.read()


def modules():
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            if name.endswith('.py') and name != '__init__.py':
                yield os.path.relpath(os.path.join(folder, name[:-3]), FOLDER).replace(os.sep, '.')


def imported(module):
    """Return the modules of the package that a module imports."""
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = module.split('.')[:-node.level] if node.level <= module.count('.') + 1 else None
            assert package is not None, module
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                path = '.'.join(package + [name])
                if path in FLOORS:
                    yield path
                else:
                    for alias in node.names:
                        yield '.'.join([path, alias.name])


def test_floors():
    assert sorted(modules()) == sorted(FLOORS)
    for place, module in enumerate(FLOORS):
        assert set(imported(module)) <= set(FLOORS[place + 1:]), module


def test_ground_floor_imports_nothing_of_the_package():
    assert [list(imported(module)) for module in GROUND] == [[], [], [], []]


def test_imports_are_relative():
    for module in FLOORS:
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
    assert [module for module in FLOORS if b'import socketIO_client' in source(module)
            or b'from socketIO_client' in source(module)] == ['events.transports']


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
    assert loaded_by('amigocloud.events.background.START_SECONDS = 60; '
                     'amigocloud.AmigoCloud(base_url="http://127.0.0.1:1").close()') == []


def test_rest_needs_no_websockets():
    assert loaded_by('amigocloud.AmigoCloud(use_websockets=False).build_url("x")') == []
