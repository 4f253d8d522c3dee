"""The notebooks of examples/, run in a fresh kernel, and what is stored in them."""
import glob
import os
import re
import shutil
import sys

import pytest

import amigocloud

nbformat = pytest.importorskip('nbformat', reason='needs the extra examples')

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'examples')
NOTEBOOKS = sorted(os.path.basename(path) for path in glob.glob(os.path.join(FOLDER, '*.ipynb')))

LARGEST = 300000


def read(name):
    return nbformat.read(os.path.join(FOLDER, name), as_version=4)


def kinds(notebook):
    """What kinds of output each cell has."""
    return [[sorted(output.get('data', [output.output_type])) for output in cell.get('outputs', [])]
            for cell in notebook.cells]


def test_notebooks_are_there():
    assert NOTEBOOKS == ['live_buses.ipynb', 'map_of_a_dataset.ipynb', 'quickstart.ipynb']


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_notebook__stored(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert os.path.getsize(os.path.join(FOLDER, name)) < LARGEST
    code = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    text = nbformat.writes(notebook)
    assert not re.search(r'/(home|root|tmp|work|Users|usr|var)/|site-packages', text)
    # What a page loads from elsewhere is missing where there is no internet.
    assert 'script src=' not in text


@pytest.mark.filterwarnings('default::DeprecationWarning')
@pytest.mark.parametrize('name', NOTEBOOKS)
def test_notebook__runs(name, tmpdir, monkeypatch):
    for module in ('ipykernel', 'nbclient', 'geopandas', 'matplotlib', 'folium', 'amigocloud_sandbox.server'):
        pytest.importorskip(module, reason='needs the extras examples and sandbox')
    import nbclient

    # The kernel of this Python, with this amigocloud.
    monkeypatch.setenv('JUPYTER_PREFER_ENV_PATH', '1')
    monkeypatch.setenv('JUPYTER_PLATFORM_DIRS', '1')
    monkeypatch.setenv('PYTHONPATH', os.path.dirname(os.path.dirname(amigocloud.__file__)))
    folder = str(tmpdir.join('examples'))
    shutil.copytree(FOLDER, folder)
    stored = kinds(read(name))
    notebook = read(name)
    notebook.cells.insert(0, nbformat.v4.new_code_cell('import sys; print(sys.prefix)'))
    nbclient.NotebookClient(notebook, timeout=300, resources={'metadata': {'path': folder}}).execute()
    assert notebook.cells.pop(0).outputs[0].text.strip() == sys.prefix
    assert kinds(notebook) == stored
