"""A dataset that is larger than the memory of one machine, as a dask-geopandas frame.

Each partition is a window of the dataset, all of them at one state, and is read by a worker with a client of its own:
the client is pickled and logged in there. Run as a script, it shows so with a sandbox and two worker processes:

    pip install "amigocloud[examples,sandbox]"
    python dask_dataset.py
"""
import os

import dask.dataframe
import dask_geopandas
import geopandas
import numpy
from dask.distributed import Client, LocalCluster

from amigocloud import AmigoCloud
from amigocloud.sandbox import Sandbox

#: Rows from which the types of the columns and the coordinate system are taken.
SAMPLE_ROWS = 100


def read_lazily(amigocloud, project_id, dataset_id, partition_rows=100000):
    """Makes a lazy frame of a dataset, as it is now.

    Args:
        amigocloud (AmigoCloud): the client; the workers get copies.
        project_id (int): the project.
        dataset_id (int): the dataset.
        partition_rows (int): rows of one partition. Defaults to 100000.

    Returns:
        dask_geopandas.GeoDataFrame: its rows are read when they are computed with.
    """
    state = amigocloud.get('/projects/{}/datasets/{}/master'.format(project_id, dataset_id))['master']
    count = amigocloud.read_dataset(project_id, dataset_id, limit=1, state=state).get('count')
    sample = amigocloud.read_dataset(project_id, dataset_id, rows=SAMPLE_ROWS, state=state).to_geodataframe()

    def read_window(offset):
        window = amigocloud.read_dataset(project_id, dataset_id, offset=offset, rows=partition_rows, state=state)
        return window.to_geodataframe(crs=sample.crs)

    return dask_geopandas.from_dask_dataframe(dask.dataframe.from_map(
        read_window, range(0, max(count, 1), partition_rows), meta=sample.iloc[:0]))


def make_trees(count):
    """Makes a frame of trees on a grid."""
    numbers = numpy.arange(count)
    points = geopandas.points_from_xy(11 + numbers % 100 / 1000, 48 + numbers // 100 / 1000)
    return geopandas.GeoDataFrame({'number': numbers, 'height': 5 + numbers % 20}, geometry=points, crs=4326)


def main():
    """Reads a dataset of a sandbox by two processes."""
    with Sandbox() as sandbox, AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        dataset = amigocloud.write_geodataframe(sandbox.project_id, make_trees(10000), 'trees')
        trees = read_lazily(amigocloud, sandbox.project_id, dataset['id'], partition_rows=1000)
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            processes = trees.map_partitions(lambda part: os.getpid(), meta=('process', int)).compute()
            print('{} partitions, read by {} processes'.format(len(processes), processes.nunique()))
            tall = trees[trees.height > 20].compute()
            print('{} tall trees in {}, within {}'.format(len(tall), tall.crs, tall.total_bounds.round(3)))


if __name__ == '__main__':
    main()
