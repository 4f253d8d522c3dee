"""The scripts of examples/."""
import os
import re
import subprocess
import sys

import pytest

import amigocloud
from amigocloud import AmigoCloud

for module in ('dask_geopandas', 'distributed', 'pyarrow', 'amigocloud_sandbox.server'):
    pytest.importorskip(module, reason='needs the extras examples and sandbox')

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'examples')


@pytest.fixture
def dask_dataset(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import dask_dataset
    return dask_dataset


@pytest.mark.slow
def test_dask_dataset__by_processes():
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(amigocloud.__file__)))
    printed = subprocess.check_output([sys.executable, os.path.join(FOLDER, 'dask_dataset.py')], env=environment,
                                      timeout=300).decode()
    assert '10 partitions, read by 2 processes' in printed
    assert re.search('400 tall trees in EPSG:4326, within .11.016 ', printed), printed
    assert '1000 rows, written by 2 processes' in printed
    assert '500 tall trees now' in printed


@pytest.mark.slow
def test_dask_dataset__at_one_state(dask_dataset):
    from geopandas.testing import assert_geodataframe_equal

    from amigocloud_sandbox import Sandbox

    with Sandbox() as sandbox, AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as client:
        vehicles = client.project(sandbox.project_id).dataset(sandbox.vehicles_id)
        whole = vehicles.read().to_geodataframe()
        lazy = dask_dataset.read_lazily(vehicles, partition_rows=2)
        few = dask_dataset.read_lazily(vehicles, 1, ['seats', 'location'], 'seats > :seats', {'seats': 50})
        none = dask_dataset.read_lazily(vehicles, where='seats < 0')
        vehicles.project.execute('DELETE FROM {}'.format(vehicles.table_name))
        assert lazy.npartitions == 3 and lazy.crs == whole.crs
        read, seats, nothing = (
            frame.compute(scheduler='synchronous').reset_index(drop=True) for frame in (lazy, few, none))
    assert_geodataframe_equal(read, whole)
    assert list(nothing.columns) == list(whole.columns) and not len(nothing)
    assert_geodataframe_equal(
        seats, whole.loc[whole.seats > 50, ['seats', 'location']].reset_index(drop=True))


@pytest.fixture
def parquet_lake(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import parquet_lake
    return parquet_lake


@pytest.mark.slow
def test_parquet_lake__main(parquet_lake, capsys):
    parquet_lake.main()
    assert capsys.readouterr().out.splitlines() == [
        "{'read': 1000, 'deleted': 0} {'read': 0, 'deleted': 0}",
        "{'read': 2, 'deleted': 1}",
        '1000 rows, the lowest is -5']


@pytest.fixture
def trees(sandbox):
    """A dataset of trees, some without a place."""
    shapely = pytest.importorskip('shapely')
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as client:
        dataset = client.project(sandbox.project_id).create_dataset('trees', [
            {'name': 'height', 'type': 'integer'}, {'name': 'updated', 'type': 'datetime'},
            {'name': 'location', 'type': 'geometry', 'geometry_type': 'POINT'}])
        dataset.insert([{'amigo_id': name, 'height': number, 'updated': '2026-03-01T02:00:00+00:00',
                         'location': shapely.Point(1, 2) if number > 1 else None}
                        for number, name in enumerate(['a1', 'A2', 'a3', '/b', 'b5'])])
        yield dataset


def heights(folder):
    import pyarrow.dataset
    table = pyarrow.dataset.dataset(str(folder), partitioning='hive').to_table()
    return dict(zip(table['amigo_id'].to_pylist(), table['height'].to_pylist()))


@pytest.mark.slow
def test_parquet_lake__as_the_dataset_changes(trees, parquet_lake, tmpdir, monkeypatch):
    folder = tmpdir.join('lake')
    first = {'a1': 0, 'A2': 1, 'a3': 2, '/b': 3, 'b5': 4}
    # An interrupted synchronization is repeated.
    write_file = parquet_lake.write_file

    def fail_later(path, table):
        monkeypatch.setattr(parquet_lake, 'write_file', interrupt)
        write_file(path, table)

    def interrupt(path, table):
        raise KeyboardInterrupt
    monkeypatch.setattr(parquet_lake, 'write_file', fail_later)
    with pytest.raises(KeyboardInterrupt):
        parquet_lake.synchronize(trees, str(folder), window_rows=2)
    assert 0 < len(heights(folder)) < 5
    monkeypatch.setattr(parquet_lake, 'write_file', write_file)
    assert parquet_lake.synchronize(trees, str(folder), window_rows=2) == {'read': 5, 'deleted': 0}
    assert heights(folder) == first
    # Only the rows of later times are read, and those without a time.
    trees.update([{'amigo_id': 'a1', 'height': 10, 'updated': '2026-03-02T02:00:00.5+00:00'},
                  {'amigo_id': '/b', 'height': 13, 'updated': None}])
    trees.insert([{'amigo_id': 'c', 'height': 5, 'updated': '2026-03-02T02:00:00+00:00'}])
    assert parquet_lake.synchronize(trees, str(folder)) == {'read': 3, 'deleted': 0}
    assert heights(folder) == dict(first, a1=10, c=5, **{'/b': 13})
    # Rows that came with an earlier time, and rows that are gone, are found by their number.
    trees.insert([{'amigo_id': name, 'height': 6, 'updated': '2020-01-01T00:00:00+00:00'} for name in ('d', 'e')])
    trees.delete(['A2', 'a3', 'b5'])
    assert parquet_lake.synchronize(trees, str(folder)) == {'read': 3, 'deleted': 3}
    assert heights(folder) == {'a1': 10, '/b': 13, 'c': 5, 'd': 6, 'e': 6}
    trees.update([{'amigo_id': '/b', 'updated': '2026-03-02T02:00:00+00:00'}])
    trees.add_column('species', 'string')
    with pytest.raises(ValueError, match='into a new folder'):
        parquet_lake.synchronize(trees, str(folder))
    assert parquet_lake.synchronize(trees, str(tmpdir.join('new'))) == {'read': 5, 'deleted': 0}
    trees.delete(list(heights(folder)))
    assert parquet_lake.synchronize(trees, str(tmpdir.join('other'))) == {'read': 0, 'deleted': 0}
