"""The examples of the documentation, run as they are printed, against the sandbox."""
import glob
import os

import pytest
from code_blocks import python_blocks, run_blocks

from amigocloud import AmigoCloud

pytest.importorskip('amigocloud.sandbox.server', reason='the sandbox is not installed, or this is Python 2')

#: Beside the sandbox, what the examples of a page need.
NEEDS = {'tables': ('geopandas', 'pyarrow', 'pyogrio'), 'writing': ('geopandas',)}

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'docs')
PAGES = sorted(os.path.splitext(os.path.basename(path))[0] for path in glob.glob(os.path.join(FOLDER, '*.rst')))


def path_of(page):
    return os.path.join(FOLDER, page + '.rst')


@pytest.mark.parametrize('page', [page for page in PAGES if python_blocks(path_of(page))])
def test_examples(page, tmpdir, monkeypatch):
    for module in NEEDS.get(page, ()):
        pytest.importorskip(module, reason='the examples of this page need it')
    for name in ('AMIGOCLOUD_API_KEY', 'AMIGOCLOUD_API_URL'):
        monkeypatch.setenv(name, '')
    from amigocloud.sandbox import Sandbox

    with Sandbox(job_seconds=0.1) as sandbox, AmigoCloud(sandbox.token, base_url=sandbox.url) as amigocloud:
        with tmpdir.as_cwd():
            run_blocks(path_of(page), {'sandbox': sandbox, 'amigocloud': amigocloud})


def test_every_page_is_listed():
    with open(path_of('index')) as index:
        listed = {line.strip() for line in index}
    assert set(PAGES) - {'index'} <= listed
