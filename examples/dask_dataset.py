"""Read a dataset that is larger than the memory of one machine as a dask-geopandas frame, and write columns back.

Each partition is a range of amigo_ids, and all of them have the same state. A worker reads or writes a partition with
its own copy of the client. As a script, it works on a dataset of a sandbox with two worker processes:

    pip install "amigocloud[examples,sandbox]"
    python dask_dataset.py
"""
import os

import dask.dataframe
import dask_geopandas
import geopandas
import numpy
import pandas
from dask.distributed import Client, LocalCluster

from amigocloud import AmigoCloud
from amigocloud_sandbox import Sandbox

#: Rows that determine the types of the columns and the coordinate system.
SAMPLE_ROWS = 100

#: The first amigo_id of each partition.
FIRST_KEYS = '''
    SELECT amigo_id FROM (SELECT amigo_id, row_number() OVER (ORDER BY amigo_id) - 1 AS place
                          FROM {table} WHERE {where}) AS keys
    WHERE place % {rows} = 0 ORDER BY amigo_id'''


def read_lazily(dataset, partition_rows=100000, columns=None, where='true', params=None):
    """Return a lazy frame of a dataset as it is now.

    Args:
        dataset (amigocloud.project.Dataset): the dataset; the workers get copies of it and its client.
        partition_rows (int): rows of one partition. Defaults to 100000.
        columns (list of str): the columns to read, with the geometry. Defaults to all.
        where (str), params (dict): a condition for the rows, see Dataset.read. Defaults to all rows.

    Returns:
        dask_geopandas.GeoDataFrame: its rows are read when a result is computed.
    """
    params = params or {}
    state = dataset.client.get(dataset.url + '/master')['master']
    query = FIRST_KEYS.format(table=dataset.table_name, where=where, rows=partition_rows)
    keys = dataset.project.sql(query, params, state=state, dataset_id=dataset.id)
    firsts = [row['amigo_id'] for row in keys] or ['']
    sample = dataset.read(columns, where, params, rows=SAMPLE_ROWS, state=state).to_geodataframe()

    def read_range(first, following):
        condition = '({}) AND amigo_id >= :first_key'.format(where)
        values = dict(params, first_key=first)
        if following is not None:
            condition += ' AND amigo_id < :following_key'
            values['following_key'] = following
        return dataset.read(columns, condition, values, state=state).to_geodataframe(crs=sample.crs)

    return dask_geopandas.from_dask_dataframe(dask.dataframe.from_map(
        read_range, firsts, firsts[1:] + [None], meta=sample.iloc[:0]))


def write_back(dataset, frame, key):
    """Return a lazy frame that writes rows to a dataset, partition by partition, when it is computed.

    An upsert can be repeated, so it does no harm if dask runs a task again.

    Args:
        dataset (amigocloud.project.Dataset): the dataset; the workers get copies of it and its client.
        frame (dask.dataframe.DataFrame): the key and the new values of each row.
        key (str): the column that names a row; no two partitions may have rows with the same key.

    Returns:
        dask.dataframe.DataFrame: how many rows of each partition were written, and by which process.
    """
    def write(part):
        result = dataset.upsert(part, key)
        return pandas.DataFrame({'inserted': [len(result.inserted)], 'updated': [len(result.updated)],
                                 'process': [os.getpid()]})

    return frame.map_partitions(write, meta={'inserted': int, 'updated': int, 'process': int})


def make_trees(count):
    """Return a frame of trees on a grid."""
    numbers = numpy.arange(count)
    points = geopandas.points_from_xy(11 + numbers % 100 / 1000, 48 + numbers // 100 / 1000)
    return geopandas.GeoDataFrame({'number': numbers, 'height': 5 + numbers % 20}, geometry=points, crs=4326)


def main():
    """Read a dataset of a sandbox with two processes, and let them write a column."""
    with Sandbox() as sandbox, AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        dataset = amigocloud.project(sandbox.project_id).create_dataset('trees', make_trees(2000))
        trees = read_lazily(dataset, partition_rows=200)
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            processes = trees.map_partitions(lambda part: os.getpid(), meta=('process', int)).compute()
            print('{} partitions, read by {} processes'.format(len(processes), processes.nunique()))
            tall = read_lazily(dataset, where='height > :height', params={'height': 20}).compute()
            print('{} tall trees in {}, within {}'.format(len(tall), tall.crs, tall.total_bounds.round(3)))
            grown = trees[['number', 'height']].assign(height=(trees.height + 1).where(trees.height > 14, trees.height))
            written = write_back(dataset, grown, 'number').compute()
            print('{} rows, written by {} processes'.format(written.updated.sum(), written.process.nunique()))
            print('{} tall trees now'.format(dataset.count('height > 20')))


if __name__ == '__main__':
    main()
