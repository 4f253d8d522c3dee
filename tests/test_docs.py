"""The examples of the README and of the documentation, run as printed, against the sandbox."""
import glob
import os

import pytest
from code_blocks import examples, run

from amigocloud import AmigoCloud

pytest.importorskip('amigocloud_sandbox.server', reason='the sandbox is not installed, or this is Python 2')

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGES = {os.path.splitext(os.path.basename(path))[0]: path
         for path in glob.glob(os.path.join(ROOT, 'docs', '*.rst')) + [os.path.join(ROOT, 'README.rst')]}

#: The packages that the examples of a page need, beside the sandbox.
NEEDS = {
    'README': ('geopandas',),
    'cookbook': ('geopandas', 'pyogrio'),
    'datasets': ('pandas',),
    'index': ('geopandas', 'matplotlib'),
    'maps': ('folium',),
    'tables': ('geopandas', 'pyarrow', 'pyogrio'),
    'testing': ('vcr', 'responses'),
    'writing': ('geopandas',),
}


class _Shared(object):
    """Stands in for ``Sandbox`` on the pages: each ``Sandbox()`` is the one sandbox of all pages."""

    def __init__(self, running):
        vars(self).update((name, value) for name, value in vars(running).items() if not name.startswith('_'))

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.fixture(scope='module')
def running():
    from amigocloud_sandbox import Sandbox

    # SQLite starts sooner than PostgreSQL. The examples use only SQL that both know.
    with Sandbox(job_seconds=0.1, database='sqlite') as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize('page', sorted(page for page, path in PAGES.items() if examples(path)))
def test_examples(page, running, tmpdir, monkeypatch):
    for module in NEEDS.get(page, ()):
        pytest.importorskip(module, reason='the examples of {} need {}'.format(page, module))
    for name in ('AMIGOCLOUD_API_KEY', 'AMIGOCLOUD_API_URL'):
        # The examples set them; monkeypatch restores them afterwards.
        monkeypatch.setenv(name, '')
    monkeypatch.setenv('MPLBACKEND', 'agg')
    monkeypatch.setattr('amigocloud_sandbox.Sandbox', lambda **settings: _Shared(running))
    with AmigoCloud(running.token, base_url=running.url, use_websockets=False) as amigocloud:
        project = amigocloud.project(running.project_id)
        known = [dataset['id'] for dataset in project.datasets()]
        try:
            with tmpdir.as_cwd():
                run(PAGES[page], {})
        finally:
            # Other pages create datasets with the same names.
            for dataset in list(project.datasets()):
                if dataset['id'] not in known:
                    amigocloud.delete(project.dataset(dataset['id']).url)


def test_every_page_is_listed():
    with open(PAGES['index']) as index:
        listed = {line.strip() for line in index}
    assert set(PAGES) - {'index', 'README'} <= listed
