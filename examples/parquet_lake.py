"""Keep a copy of a dataset as Parquet files, and read only the rows that changed since the last time.

The copy is a dataset of pyarrow: one folder for each first character of the amigo_id, with one file. The dataset needs
a column with the time of the latest change of each row. A change may be missed if that time is not later than that of
the newest row in the copy, such as one from a device that was offline; rows without a time are read each time. Deleted
rows are found by the number of rows: if it differs, all amigo_ids are read. As a script, it copies a dataset of a
sandbox:

    pip install "amigocloud[arrow,sandbox]"
    python parquet_lake.py
"""
import datetime
import json
import os
import tempfile
import urllib.parse

import pandas
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet

from amigocloud import AmigoCloud
from amigocloud_sandbox import Sandbox

#: The state, the latest time and the columns of the last synchronization. pyarrow ignores files that begin with "_".
LOG = '_log.json'

#: Rows that are looked up by their amigo_ids at a time.
LOOKUP_ROWS = 500


def synchronize(dataset, folder, updated='updated', window_rows=100000):
    """Bring a copy of a dataset up to date. A call that was interrupted can be repeated.

    Args:
        dataset (amigocloud.project.Dataset): the dataset.
        folder (str): the folder of the copy; it is created if it does not exist.
        updated (str): the column with the time of the latest change of a row. Defaults to 'updated'.
        window_rows (int): rows in memory at a time. Defaults to 100000.

    Returns:
        dict: the number of rows that were ``read``, and of those that were ``deleted``.

    Raises:
        ValueError: the columns of the dataset are no longer those of the copy.
        KeyError: the dataset does not have the column ``updated``.
    """
    os.makedirs(folder, exist_ok=True)
    log = read_log(folder)
    state = dataset.client.get(dataset.url + '/master')['master']
    if state == log['state']:
        return {'read': 0, 'deleted': 0}
    where = 'true'
    params = {}
    if log['updated'] is not None:
        where = '"{0}" > :since OR "{0}" IS NULL'.format(updated)
        params = {'since': datetime.datetime.fromisoformat(log['updated'])}
    read = 0
    times = [log['updated']]
    for table in windows(dataset, state, where, params, window_rows):
        columns = {field.name: str(field.type) for field in table.schema}
        if log['columns'] not in (None, columns):
            raise ValueError('The columns of the dataset have changed; synchronize it into a new folder.')
        read += merge(folder, table)
        latest = pyarrow.compute.max(table[updated]).as_py()
        times.append(latest and latest.isoformat(timespec='microseconds'))
    missing, deleted = compare(dataset, state, folder)
    for start in range(0, len(missing), LOOKUP_ROWS):
        params = {'ids': missing[start:start + LOOKUP_ROWS]}
        read += merge(folder, dataset.read(where='amigo_id IN :ids', params=params, state=state).to_arrow())
    remove(folder, deleted)
    # Only a complete synchronization is logged, so that the next one reads again what an interrupted one has read.
    with open(os.path.join(folder, LOG + '.new'), 'w') as new:
        json.dump({'state': state, 'updated': max(filter(None, times), default=None), 'columns': columns}, new)
    os.replace(new.name, os.path.join(folder, LOG))
    return {'read': read, 'deleted': len(deleted)}


def read_log(folder):
    try:
        with open(os.path.join(folder, LOG)) as log:
            return json.load(log)
    except FileNotFoundError:
        return {'state': None, 'updated': None, 'columns': None}


def windows(dataset, state, where, params, rows):
    """Yield tables of rows at a state, in the order of their amigo_ids; the last one may be empty."""
    last = ''
    while True:
        cursor = dataset.read(where='amigo_id > :last AND ({})'.format(where), params=dict(params, last=last),
                              rows=rows, state=state)
        table = cursor.to_arrow()
        yield table
        if len(table) < rows:
            return
        last = table['amigo_id'][-1].as_py()


def compare(dataset, state, folder):
    """Return the amigo_ids that the copy lacks, and those that only the copy has."""
    query = 'SELECT count(*) AS count FROM {}'.format(dataset.table_name)
    count = next(dataset.project.sql(query, state=state, dataset_id=dataset.id))['count']
    copy = pyarrow.dataset.dataset(folder, partitioning='hive')
    if copy.count_rows() == count:
        return [], set()
    copied = set(copy.to_table(columns=['amigo_id'])['amigo_id'].to_pylist())
    ids = {row['amigo_id'] for row in dataset.read(columns=['amigo_id'], state=state)}
    return sorted(ids - copied), copied - ids


def merge(folder, table):
    """Put rows into the files of the copy, in the place of those with the same amigo_ids."""
    for path, rows in by_file(folder, table):
        if os.path.exists(path):
            rows = pyarrow.concat_tables([without(read_file(path), rows['amigo_id']), rows])
        write_file(path, rows)
    return len(table)


def remove(folder, amigo_ids):
    """Remove rows from the files of the copy."""
    for path, rows in by_file(folder, pyarrow.table({'amigo_id': pyarrow.array(sorted(amigo_ids), 'string')})):
        write_file(path, without(read_file(path), rows['amigo_id']))


def by_file(folder, table):
    """Yield each file of the copy that rows belong to, and these rows."""
    buckets = pyarrow.compute.utf8_lower(pyarrow.compute.utf8_slice_codeunits(table['amigo_id'], 0, 1))
    for bucket in pyarrow.compute.unique(buckets):
        name = 'bucket=' + urllib.parse.quote(bucket.as_py(), safe='')
        yield os.path.join(folder, name, 'rows.parquet'), table.filter(pyarrow.compute.equal(buckets, bucket))


def without(table, amigo_ids):
    values = amigo_ids.cast(table['amigo_id'].type).combine_chunks()
    is_in = pyarrow.compute.is_in(table['amigo_id'], value_set=values)
    return table.filter(pyarrow.compute.invert(is_in))


def read_file(path):
    # A ParquetFile, unlike read_table, adds no column for the name of the folder.
    with pyarrow.parquet.ParquetFile(path) as content:
        return content.read()


def write_file(path, table):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # A file is replaced as a whole, so that an interruption loses no rows. pyarrow ignores files that begin with "_".
    new = os.path.join(os.path.dirname(path), '_new')
    pyarrow.parquet.write_table(table, new)
    os.replace(new, path)


def main():
    """Copy a dataset of a sandbox, change some rows, and copy these."""
    with Sandbox() as sandbox, AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud, \
            tempfile.TemporaryDirectory() as folder:
        night = pandas.Timestamp('2026-03-01 02:00', tz='UTC')
        trees = pandas.DataFrame({'height': range(1000), 'updated': night})
        dataset = amigocloud.project(sandbox.project_id).create_dataset('trees', trees)
        print(synchronize(dataset, folder), synchronize(dataset, folder))
        first, second = dataset.read(columns=['amigo_id'], rows=2)
        later = (night + pandas.Timedelta(hours=9)).to_pydatetime()
        dataset.update([{'amigo_id': first['amigo_id'], 'height': -5, 'updated': later}])
        dataset.delete([second['amigo_id']])
        dataset.insert([{'height': 7, 'updated': later}])
        print(synchronize(dataset, folder))
        copy = pyarrow.dataset.dataset(folder, partitioning='hive').to_table()
        print('{} rows, the lowest is {}'.format(len(copy), pyarrow.compute.min(copy['height'])))


if __name__ == '__main__':
    main()
