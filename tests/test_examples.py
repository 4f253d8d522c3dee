"""The scripts of examples/."""
import os
import re
import subprocess
import sys

import pytest

import amigocloud
from amigocloud import AmigoCloud

for module in ('dask_geopandas', 'distributed', 'amigocloud.sandbox.server'):
    pytest.importorskip(module, reason='needs the extras examples and sandbox')

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'examples')


@pytest.fixture
def dask_dataset(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import dask_dataset
    return dask_dataset


def test_dask_dataset__by_processes():
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(amigocloud.__file__)))
    printed = subprocess.check_output([sys.executable, os.path.join(FOLDER, 'dask_dataset.py')], env=environment,
                                      timeout=300).decode()
    assert '10 partitions, read by 2 processes' in printed
    assert re.search('2000 tall trees in EPSG:4326, within .11.016 ', printed), printed


def test_dask_dataset__at_one_state(dask_dataset):
    from geopandas.testing import assert_geodataframe_equal

    from amigocloud.sandbox import Sandbox

    with Sandbox() as sandbox, AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as client:
        whole = client.read_dataset(sandbox.project_id, sandbox.vehicles_id).to_geodataframe()
        lazy = dask_dataset.read_lazily(client, sandbox.project_id, sandbox.vehicles_id, partition_rows=2)
        client.execute('DELETE FROM dataset_{}'.format(sandbox.vehicles_id), sandbox.project_id)
        assert lazy.npartitions == 3 and lazy.crs == whole.crs
        read = lazy.compute(scheduler='synchronous')
    assert_geodataframe_equal(read.reset_index(drop=True), whole)
