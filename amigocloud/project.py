"""Project, Dataset and Gallery: handles that know their ids and URLs.

Their methods call into the folders rows and files.
"""
from __future__ import absolute_import

import datetime

import six

from . import checks
from .exceptions import AmigoCloudValueError, shown
from .files import uploads
from .rows import queries


class Project(object):
    """A project. ``AmigoCloud.project`` creates the handle and sends nothing.

    Args:
        client (AmigoCloud): sends the requests.
        project_id (int or str): the id of the project, or its UUID. Defaults to the project of the
            project token.

    Attributes:
        client (AmigoCloud): as given.
        id (str): the id, as it stands in URLs; None for the project of a project token.
        url (str): the URL of the project, as ``AmigoCloud.get`` takes it, such as ``/projects/1``.

    Raises:
        AmigoCloudValueError: project_id is neither an integer nor a UUID; or it is missing, and the
            login is not by a project token.

    Example:
        project = amigocloud.project(1)
        amigocloud.get(project.url)['name']
    """

    def __init__(self, client, project_id=None):
        self.client = client
        if project_id is not None:
            self.id = checks.project_id(project_id)
            self.url = '/projects/{}'.format(self.id)
        elif client._project_url:
            self.id = None
            self.url = client._project_url.rstrip('/')
        else:
            raise AmigoCloudValueError(
                'project_id is required unless you log in with a project token.')

    def dataset(self, dataset_id):
        """Return a dataset of the project; nothing is sent.

        Args:
            dataset_id (int or str): the id of the dataset.

        Returns:
            Dataset: the dataset.

        Raises:
            AmigoCloudValueError: dataset_id is not an integer.

        Example:
            amigocloud.project(1).dataset(2).read().to_dataframe()
        """
        return Dataset(self, dataset_id)

    def datasets(self, **params):
        """Return the datasets of the project, from ``PROJECT/datasets``.

        Args:
            **params: parameters of the list, such as ``search='oak'`` (part of the name) and
                ``type='vector'``.

        Returns:
            Cursor: a dict for each dataset, with its ``id``, ``name``, ``feature_count`` and links.
                Nothing is sent before its first use.

        Example:
            for dataset in amigocloud.project(1).datasets():
                print(dataset['id'], dataset['name'])
        """
        return self.client.get_cursor(self.url + '/datasets', params)

    def dataset_named(self, name):
        """Return the dataset with a name, searched in ``PROJECT/datasets``.

        Args:
            name (str): the whole name.

        Returns:
            Dataset: the dataset.

        Raises:
            AmigoCloudError: no dataset or several datasets have the name; the message lists the
                candidates.

        Example:
            amigocloud.project(1).dataset_named('Oaks').count()
        """
        from .rows import finding
        return self.dataset(finding.id_of(self.client, self.url + '/datasets', name))

    def saved_query(self, query_id):
        """Return the text of a saved query, from ``PROJECT/queries/QUERY``.

        Args:
            query_id (int or str): the id of the query.

        Returns:
            str: the SQL.

        Raises:
            AmigoCloudError: the project has no such query.

        Example:
            project = amigocloud.project(1)
            project.sql(project.saved_query(5)).to_dataframe()
        """
        url = '{}/queries/{}'.format(self.url, checks.whole_number('query_id', query_id, 1))
        return checks.member(self.client.get(url), 'query', six.string_types, url)

    def record_history(self, since=None):
        """Return the changes of rows in all datasets of the project, from its record history.

        Args:
            since (datetime.datetime): only later changes; in UTC if it has no time zone. Defaults
                to all.

        Returns:
            Cursor: a dict for each change, with ``dataset_id``, ``change_date``, ``change_type``
                (such as ``inserted``) and ``who_changed_custom_id``, oldest first.

        Raises:
            AmigoCloudError: the project has no record history, because it is older than 2017.

        Example:
            yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
            for change in amigocloud.project(1).record_history(yesterday):
                print(change['change_date'], change['change_type'])
        """
        if since is not None and not (isinstance(since, datetime.datetime) and since == since):
            raise AmigoCloudValueError('since must be a datetime, not {}.'.format(shown(since)))
        history_id = checks.member(
            self.client.get(self.url + '/'), 'history_dataset_id',
            six.integer_types + six.string_types, self.url)
        where = None if since is None else 'change_date > :since'
        params = None if since is None else {'since': since}
        return self.dataset(history_id).read(where=where, params=params, order_by=['change_date'])

    def sql(self, query, params=None, limit=queries.PAGE_SIZE, prefetch=0, state=None,
            dataset_id=None):
        """Return the rows of an SQL query, from ``PROJECT/sql``.

        Args:
            query (str): a SELECT in the SQL of PostGIS, with ``:name`` instead of each value in
                params.
            params (dict): values for the placeholders, which become literals of PostgreSQL: None,
                bool, numbers, texts, dates, times, datetimes, UUIDs, shapely geometries, and lists
                of these (or a set, a column of pandas, an array of numpy) for ``IN :name``.
            limit (int): rows per page. Defaults to 5000.
            prefetch (int): pages that a thread requests while the rows of an earlier page are used.
                Defaults to 0.
            state (str): the id of the state of dataset_id to read.
            dataset_id (int or str): the dataset whose state is read.

        Returns:
            Cursor: nothing is sent before its first use. It also returns tables, see
                ``Cursor.to_dataframe``.

        Raises:
            AmigoCloudValueError: an argument cannot be used.

        Example:
            query = 'SELECT name FROM dataset_2 WHERE kind IN :kinds AND seats > :seats'
            for row in amigocloud.project(1).sql(query, {'kinds': ['bus', 'tram'], 'seats': 40}):
                print(row['name'])
        """
        return queries.select(self, query, params, limit, prefetch, state, dataset_id)

    def execute(self, query, params=None):
        """Run an SQL query that writes: POST it to ``PROJECT/sql``.

        Args:
            query (str): an INSERT, UPDATE or DELETE in the SQL of PostGIS.
            params (dict): values for the ``:name`` placeholders; see ``sql``.

        Returns:
            dict: the response; ``count`` is the number of rows that were written.

        Raises:
            AmigoCloudError: the service refuses the query.

        Example:
            update = 'UPDATE dataset_2 SET kind = :kind WHERE seats > :seats'
            amigocloud.project(1).execute(update, {'kind': 'bus', 'seats': 30})['count']
        """
        return queries.execute(self, query, params)

    def create_dataset(self, name, content, progress=None, if_exists='fail', add_columns=False):
        """Create a dataset at ``PROJECT/datasets/create`` and insert the rows of a table.

        The names of the datasets are read first, because the service would create a second dataset
        with the same name.

        A table needs ``pip install "amigocloud[geo]"``. ``dataset.read().to_geodataframe()``
        returns the same table in the same order, with an ``amigo_id`` before the other columns:
        integers, floats, booleans, texts, times with a time zone (which come back in UTC), dates
        (``datetime.date``, or times without a time zone that are all midnight), and any number of
        geometry columns, which are transformed to WGS 84 (SRID 4326) as in any dataset. The service
        shows the first of them on its maps. The index is not written; ``reset_index`` turns
        it into a column.

        Args:
            name (str): the name of the dataset.
            content (geopandas.GeoDataFrame, pandas.DataFrame or list of dict): the table, whose
                column ``amigo_id`` names the rows if it has one; or the schema of an empty dataset,
                such as ``[{'name': 'species', 'type': 'string'}]``.
            progress (bool or callable): True for a bar, or ``progress(done, total)`` in rows.
            if_exists (str): what to do if the project has a dataset with this name: ``'fail'``
                raises an error; ``'replace'`` deletes all of its rows and inserts those of the
                table; ``'append'`` adds the rows of the table to its own, except those whose
                ``amigo_id`` it has. Both keep its id, styles, forms, and the columns that the table
                does not have. Defaults to ``'fail'``.
            add_columns (bool): add the columns that an existing dataset does not have. Defaults to
                False, with which such a column is an error.

        Returns:
            Dataset: the dataset. Its ``written`` is a ``WriteResult`` with the amigo_ids of the
                rows.

        Raises:
            AmigoCloudValueError: the service cannot keep the table unchanged; the name is taken,
                by several datasets or with ``if_exists='fail'``; or the columns of the dataset do
                not fit. Nothing was written.
            AmigoCloudError: the dataset could not be created or written as a whole. The message
                names the dataset, and how to continue; see ``Dataset.insert``.

        Example:
            trees = amigocloud.project(1).create_dataset('Trees', geopandas.read_file('trees.gpkg'))
            trees.id
        """
        from .rows import writing
        return writing.create_dataset(self, name, content, progress, if_exists, add_columns)

    def base_layers(self):
        """Return the base layers of the project's maps, from ``PROJECT/base_layers``.

        Returns:
            Cursor: a dict for each layer, with its ``name`` and ``tiles``.

        Example:
            for layer in amigocloud.project(1).base_layers():
                print(layer['name'], layer['tiles'])
        """
        return self.client.get_cursor(self.url + '/base_layers')

    def upload(self, file_obj, chunk_size=uploads.CHUNK_SIZE, force_chunked=False, resume=None,
               progress=None, extra_data=None, overwrite=None, delimiter=None):
        """Upload a file that the service imports as a dataset, to ``PROJECT/datasets/upload``.

        Args:
            file_obj, chunk_size, force_chunked, resume, progress: see ``AmigoCloud.upload_file``.
            extra_data (dict): settings of the import, such as
                ``{'csv_props.decimal_separator': ','}``.
            overwrite (Dataset): the dataset that the file replaces. As an upload has no field for
                an id, the dataset must have the name of the file without the extension, and be the
                only one with it. Defaults to a new dataset.
            delimiter (str): the character between the values of a CSV file, such as ``';'``.
                Defaults to what the service finds.

        Returns:
            dict: ``{'job': ID}``; when the job has ended its ``extra`` names the ``dataset_ids``.

        Raises:
            AmigoCloudValueError: the file does not have the name of the dataset to overwrite, or
                several datasets have it; nothing was uploaded.
            IOError, AmigoCloudError: see ``AmigoCloud.upload_file``.

        Example:
            job = amigocloud.wait_for_job(amigocloud.project(1).upload('trees.zip'))
            job['extra']['dataset_ids']
        """
        extra_data = uploads.import_settings(self, file_obj, overwrite, delimiter, extra_data)
        datasets = self.url + '/datasets/'
        return self.client.upload_file(datasets + 'upload', datasets + 'chunked_upload', file_obj,
                                       chunk_size, force_chunked, extra_data, resume, progress)

    def __repr__(self):
        return str('<Project {}>').format(self.client._project_id if self.id is None else self.id)


class Dataset(object):
    """A dataset. ``Project.dataset`` creates the handle and sends nothing.

    Args:
        project (Project): the project that has the dataset.
        dataset_id (int or str): the id of the dataset.

    Attributes:
        client (AmigoCloud): sends the requests.
        project (Project): as given.
        id (int): the id.
        url (str): the URL of the dataset, as ``AmigoCloud.get`` takes it, such as
            ``/projects/1/datasets/2``.
        table_name (str): the name of the table in SQL, such as ``dataset_2``.
        written (WriteResult): the rows that ``Project.create_dataset`` wrote; otherwise None.

    Raises:
        AmigoCloudValueError: dataset_id is not an integer.

    Example:
        dataset = amigocloud.project(1).dataset(2)
        amigocloud.get(dataset.url)['feature_count']
    """

    def __init__(self, project, dataset_id):
        self.client = project.client
        self.project = project
        self.id = checks.whole_number('dataset_id', dataset_id, 1)
        self.url = '{}/datasets/{}'.format(project.url, self.id)
        self.table_name = 'dataset_{}'.format(self.id)
        self.written = None

    def read(self, columns=None, where=None, params=None, bbox=None, intersects=None,
             order_by=None, limit=queries.PAGE_SIZE, prefetch=0, offset=0, rows=None, state=None,
             labels=False):
        """Read the rows of the dataset at one state: edits in between do not change the result.

        When the first row is needed, the newest state is requested from ``DATASET/master``, and
        ``SELECT * FROM dataset_ID ORDER BY amigo_id`` is read at that state. Several reads of parts
        of a dataset, by offset and rows, must name the same state.

        Args:
            columns (list of str): the columns to read. Defaults to all.
            where (str): a condition in SQL, with ``:name`` instead of each value in params.
            params (dict): values for the placeholders; see ``Project.sql``.
            bbox (tuple): west, south, east and north, in degrees; only rows whose geometry has a
                bounding box that meets this box.
            intersects (shapely geometry): only rows whose geometry intersects it, in SRID 4326
                unless it has another, from which the service transforms it.
            order_by (list of str): columns to sort by, and by amigo_id after them, such as
                ``['kind', '-seats']``, where the minus means descending order. Defaults to
                amigo_id.
            limit (int), prefetch (int): see ``Project.sql``.
            offset (int): rows to skip. Defaults to 0.
            rows (int): how many rows to read. Defaults to all that follow. The cursor's ``count``
                is their number.
            state (str): the id of a state, from the dataset's ``master`` or ``states``. Defaults to
                the newest.
            labels (bool or str): return the labels of picklists instead of their codes; a code
                without a label stays, as a text. The picklists are read from ``DATASET/schema``.
                ``'category'`` also makes them categorical in tables of pandas and Arrow, with all
                labels in the order of the picklist, and after them the codes without a label.
                Defaults to False.

        Returns:
            Cursor: see ``Project.sql``.

        Raises:
            AmigoCloudValueError: an argument cannot be used.

        Example:
            dataset = amigocloud.project(1).dataset(2)
            dataset.read(where='seats > :seats', params={'seats': 40}).to_dataframe()
            dataset.read(columns=['name', 'location'], bbox=(-122.5, 37.7, -122.3, 37.8))
        """
        return queries.read(self, columns, where, params, bbox, intersects, order_by, limit,
                            prefetch, offset, rows, state, labels)

    def count(self, where=None, params=None, bbox=None, intersects=None):
        """Return the number of rows, from ``PROJECT/sql``.

        Args:
            where, params, bbox, intersects: see ``read``. Defaults to all rows.

        Returns:
            int: the number.

        Raises:
            AmigoCloudError: an argument cannot be used, or the service refuses the query.

        Example:
            amigocloud.project(1).dataset(2).count("kind = 'bus'")
        """
        return queries.count(self, where, params, bbox, intersects)

    def insert(self, rows):
        """Insert rows by ``DATASET/submit_change`` in batches below 15 MB; wait for their jobs.

        Rows in a list are all checked before any is sent; those of an iterator, of which one batch
        is in memory at a time, are checked before their batch is sent. A batch is retried only if
        the service was not reached or refused it, because one without a response may have been
        written. A batch that is still refused with 429 is divided into smaller ones.

        A row with an ``amigo_id`` that the dataset has is skipped, even if its other values differ.
        A call that failed can therefore be repeated if its rows have amigo_ids of your own
        (``uuid.uuid4().hex``). Use ``upsert`` to overwrite rows, or to find them by another column.

        Args:
            rows (iterable of dict, geopandas.GeoDataFrame or pandas.DataFrame): values by column:
                None, bool, numbers (Decimal and those of numpy too), texts, UUIDs, dates, times and
                datetimes; geometry as a shapely geometry (in SRID 4326 unless it has another), EWKT
                or hex EWKB. A row without an ``amigo_id`` gets a new one. In a frame, NaN, NaT and
                NA become null, and the coordinate system becomes the SRID; its index is not
                written.

        Returns:
            WriteResult: the lists ``amigo_ids`` in the order of the rows, ``inserted`` and
                ``unchanged``.

        Raises:
            AmigoCloudError: a row cannot be sent, a batch failed, or the iterator raised (the error
                is also an instance of what it raised). Its list ``written`` has the amigo_ids of
                the rows that were written, and its list ``unknown`` those of a batch without a
                response, which may have been written. All others were not.

        Example:
            oak = {'name': 'Oak', 'location': 'SRID=4326;POINT(11.6 48.1)'}
            amigocloud.project(1).dataset(2).insert([oak]).amigo_ids
        """
        from .rows import changes
        return changes.insert(self, rows)

    def update(self, rows):
        """Update rows; see ``insert``.

        Args:
            rows (iterable of dict, geopandas.GeoDataFrame or pandas.DataFrame): the ``amigo_id``
                and the new values of each row; the other columns stay. Each ``amigo_id`` occurs
                once.

        Returns:
            WriteResult: the lists ``amigo_ids`` and ``updated``, in the order of the rows.

        Raises:
            AmigoCloudError: see ``insert``.

        Example:
            amigocloud.project(1).dataset(2).update([{'amigo_id': '6f1c', 'name': 'Elm'}])
        """
        from .rows import changes
        return changes.update(self, rows)

    def upsert(self, rows, key):
        """Insert the rows that the dataset does not have, and update those that differ.

        The key and the columns of the rows are read once, at the newest state. A row is inserted if
        no row of the dataset has its key, updated if another value differs, and otherwise not sent.
        A value counts as different unless it is certain that writing it would change nothing, so
        geometry as EWKT and times without a time zone are always written. A call that failed can be
        repeated: it finishes the rest.

        Args:
            rows (iterable of dict, geopandas.GeoDataFrame or pandas.DataFrame): see ``insert``. All
                of them are held in memory. Columns that they do not have stay.
            key (str): the column that names a row, such as ``'code'`` or ``'amigo_id'``; a text, an
                integer, a date or a datetime.

        Returns:
            WriteResult: the lists ``amigo_ids`` in the order of the rows, ``inserted``, ``updated``
                and ``unchanged``.

        Raises:
            AmigoCloudValueError: a key is missing, is not of the type of its column, or occurs in
                several rows, given or in the dataset; or the dataset does not have a column.
                Nothing was written.
            AmigoCloudError: see ``insert``.

        Example:
            rows = [{'code': 'a1', 'seats': 41}, {'code': 'a2', 'seats': 37}]
            amigocloud.project(1).dataset(2).upsert(rows, key='code')
        """
        from .rows import upserts
        return upserts.upsert(self, rows, key)

    def delete(self, amigo_ids):
        """Delete rows; see ``insert``.

        Args:
            amigo_ids (iterable of str): the rows to delete, each once.

        Returns:
            WriteResult: the lists ``amigo_ids`` and ``deleted``.

        Raises:
            AmigoCloudError: see ``insert``.

        Example:
            amigocloud.project(1).dataset(2).delete(['6f1c'])
        """
        from .rows import changes
        return changes.delete(self, amigo_ids)

    def truncate(self):
        """Delete all rows by ``DATASET/submit_change``, and wait for the job.

        The dataset keeps its id, columns, styles and forms. Earlier states still have the rows; see
        ``read``. A call that failed can be repeated.

        Raises:
            AmigoCloudError: the rows could not be deleted, or it is unknown whether they were.

        Example:
            amigocloud.project(1).dataset(2).truncate()
        """
        from .rows import changes
        changes.truncate(self)

    def schema(self):
        """Return the columns of the dataset, from ``DATASET/schema``.

        Returns:
            list of dict: the columns, with their ``name``, ``type``, ``alias``, ``nullable``,
                ``default``, ``choices`` and more; members that do not apply are left out or None.

        Raises:
            AmigoCloudError: the schema could not be read.

        Example:
            for column in amigocloud.project(1).dataset(2).schema():
                print(column['name'], column['type'])
        """
        from .rows import schema
        return schema.read(self)

    def add_column(self, name, type, default=None, nullable=True, choices=None):
        """Add a column by ``DATASET/submit_change``, and wait for the job.

        Args:
            name (str): the name of the column.
            type (str): ``string``, ``integer``, ``bigint``, ``float``, ``real``, ``boolean``,
                ``date``, ``time``, ``datetime`` or ``geometry``.
            default: the value of the column in existing rows, and in new rows without one.
            nullable (bool): allow null. Defaults to True.
            choices (dict): the labels of a picklist by code, such as ``{'o': 'Oak', 'e': 'Elm'}``.

        Raises:
            AmigoCloudError: the column could not be added.

        Example:
            amigocloud.project(1).dataset(2).add_column('species', 'string', choices={'o': 'Oak'})
        """
        from .rows import schema
        schema.add_column(self, name, type, default, nullable, choices)

    def alter_column(self, name, **members):
        """Alter a column by ``DATASET/submit_change``, and wait for the job.

        Args:
            name (str): the name of the column.
            **members: members of the column to change, such as ``alias='Height in m'``,
                ``nullable=False`` or ``choices={'o': 'Oak'}``; see ``schema``.

        Raises:
            AmigoCloudError: the dataset has no such column, or it could not be altered.

        Example:
            amigocloud.project(1).dataset(2).alter_column('height', alias='Height in m')
        """
        from .rows import schema
        schema.alter_column(self, name, members)

    def set_choices(self, name, choices):
        """Make a column a picklist; see ``alter_column``.

        Args:
            name (str): the name of the column.
            choices (dict): the labels by code; an empty dict removes the picklist.

        Raises:
            AmigoCloudError: see ``alter_column``.

        Example:
            amigocloud.project(1).dataset(2).set_choices('species', {'o': 'Oak', 'e': 'Elm'})
        """
        self.alter_column(name, choices=choices)

    def drop_column(self, name):
        """Drop a column and its values by ``DATASET/submit_change``, and wait for the job.

        Args:
            name (str): the name of the column.

        Raises:
            AmigoCloudError: the dataset has no such column, or it could not be dropped.

        Example:
            amigocloud.project(1).dataset(2).drop_column('species')
        """
        from .rows import schema
        schema.drop_column(self, name)

    def states(self, since=None, until=None):
        """Return the ids of the states of the dataset, oldest first, from ``DATASET/states``.

        Args:
            since (str): the id of a state; only the states after it. Defaults to all.
            until (str): the id of a state; only the states up to it. Defaults to all.

        Returns:
            list of str: the ids.

        Raises:
            AmigoCloudError: the states could not be read.

        Example:
            amigocloud.project(1).dataset(2).states()[-1]
        """
        from .rows import history
        return history.states(self, since, until)

    def changeset(self, state):
        """Return the changes of a state, from ``DATASET/changeset``.

        Args:
            state (str): the id of the state.

        Returns:
            list, dict or str: the member ``changeset`` of the response, as the service sends it;
                usually a list of changes as ``submit_change`` takes them.

        Raises:
            AmigoCloudError: the service has no such state.

        Example:
            dataset = amigocloud.project(1).dataset(2)
            dataset.changeset(dataset.states()[-1])
        """
        from .rows import history
        return history.changeset(self, state)

    def revert(self, state):
        """Undo the changes of a state by ``DATASET/revert/STATE``, and wait for the job.

        Args:
            state (str): the id of the state.

        Returns:
            dict: the job.

        Raises:
            AmigoCloudError: the changes could not be undone.

        Example:
            dataset = amigocloud.project(1).dataset(2)
            dataset.revert(dataset.states()[-1])
        """
        from .rows import history
        return history.revert(self, state)

    def restore(self, amigo_ids):
        """Insert deleted rows again, with the values of the newest state that has them.

        Rows that exist are left alone. Each older state takes a query until all rows are found.
        Values of columns that were dropped since are not restored.

        Args:
            amigo_ids (iterable of str): the rows to restore.

        Returns:
            WriteResult: the lists ``amigo_ids`` in the order of the rows, ``inserted``, and
                ``unchanged`` with the rows that exist.

        Raises:
            AmigoCloudError: no state has one of the rows, and nothing was inserted; or see
                ``insert``.

        Example:
            dataset = amigocloud.project(1).dataset(2)
            amigo_id = next(dataset.read())['amigo_id']
            dataset.delete([amigo_id])
            dataset.restore([amigo_id])
        """
        from .rows import history
        return history.restore(self, amigo_ids)

    def diff(self, old, new=None):
        """Return the rows in which two states differ; needs ``pip install "amigocloud[pandas]"``.

        Only the old state is held in memory as a whole; the new one is read page by page.

        Args:
            old (str): the id of a state.
            new (str): the id of a later state. Defaults to the newest.

        Returns:
            Difference: a named tuple of three ``pandas.DataFrame`` with the amigo_id as index:
                ``inserted`` and ``updated`` with the new values, ``deleted`` with the old ones.

        Raises:
            AmigoCloudError: a state could not be read.

        Example:
            dataset = amigocloud.project(1).dataset(2)
            inserted, updated, deleted = dataset.diff(dataset.states()[0])
        """
        from .rows import history
        return history.diff(self, old, new)

    def export(self, format, destination=None, progress=None):
        """Export the dataset to a file: request the export, wait for its job, download it.

        Args:
            format (str): such as ``'CSV'``, ``'GEOJSON'``, ``'KML'``, ``'SHP'``.
            destination, progress: see ``AmigoCloud.download``.

        Returns:
            str: the path, or bytes if destination is bytes; None for an open file.

        Raises:
            AmigoCloudJobError: the export failed.
            IOError, AmigoCloudError: see ``AmigoCloud.download``.

        Example:
            amigocloud.project(1).dataset(2).export('KML', 'trees.kml')
        """
        from .files import downloads
        return downloads.export(self, format, destination, progress)

    def geocode(self, address_field, geometry_field, progress=None, **components):
        """Fill the points of the dataset from its addresses.

        The addresses come from ``PROJECT/sql``. For 30 of them at a time, the client requests
        ``/me/geocoder/search`` and writes those points by one UPDATE. An address that is not found
        is skipped.

        Args:
            address_field (str): the column of the addresses.
            geometry_field (str): the column of the points, written in SRID 4326.
            progress (bool or callable): ``progress(done, total)`` after each batch, or True for a
                bar. By default percentages go to stderr; False for nothing.
            **components: narrow the search, such as ``country='US'``.

        Returns:
            dict: ``rows``, ``geocoded``, ``failed`` and ``seconds``. A summary is printed too,
                which counts the points that the column had before.

        Raises:
            AmigoCloudError: the dataset could not be read or written.

        Example:
            amigocloud.project(1).dataset(2).geocode('address', 'location', country='US')
        """
        from .rows import geocoding
        return geocoding.geocode(self, address_field, geometry_field, components, progress)

    def listen(self):
        """Subscribe to the live events of the dataset, such as ``realtime``.

        The session comes from ``DATASET/start_websocket_session``; each reconnection requests a new
        one. ``AmigoCloud.add_callback`` registers the callback, and
        ``AmigoCloud.start_listening`` delivers the events.

        Raises:
            AmigoCloudError: the login is not by a user token, or there is no connection.

        Example:
            amigocloud.add_callback('realtime', print)
            amigocloud.project(1).dataset(2).listen()
            amigocloud.start_listening(10)
        """
        self.client._listen(self.url + '/start_websocket_session', {'datasetid': self.id})

    def related_tables(self):
        """Return the related tables of the dataset, such as galleries.

        They come from ``DATASET/related_tables``.

        Returns:
            Cursor: a dict for each table, with its ``id``, ``name`` and ``type``.

        Example:
            for table in amigocloud.project(1).dataset(2).related_tables():
                print(table['id'], table['name'], table['type'])
        """
        return self.client.get_cursor(self.url + '/related_tables')

    def create_gallery(self, name):
        """Create a gallery for photos of the dataset, at ``DATASET/related_tables``.

        Args:
            name (str): the name of the gallery.

        Returns:
            Gallery: the new gallery.

        Raises:
            AmigoCloudError: the service refuses it.

        Example:
            gallery = amigocloud.project(1).dataset(2).create_gallery('photos')
        """
        url = self.url + '/related_tables'
        name = checks.sendable_text('name', name)
        table = self.client.post(url, {'name': name, 'type': 'gallery'})
        kinds = six.integer_types + six.string_types
        return Gallery(self.client, checks.member(table, 'id', kinds, url))

    def children(self, amigo_id, table):
        """Return the rows of a related table that belong to a row of the dataset.

        They come from ``DATASET/related_tables/TABLE/entries``.

        Args:
            amigo_id (str): the amigo_id of the row.
            table (int or str): the id of the related table, such as a gallery; see
                ``related_tables``.

        Returns:
            Cursor: a dict for each row, such as an entry of ``Gallery.photos``. Nothing is sent
                before its first use.

        Raises:
            AmigoCloudValueError: amigo_id is not a str, or table is not an integer.

        Example:
            dataset = amigocloud.project(1).dataset(2)
            for table in dataset.related_tables():
                print(table['name'], list(dataset.children('6f1c', table['id'])))
        """
        from .rows import related
        url = '{}/related_tables/{}'.format(self.url, checks.whole_number('table', table, 1))
        return related.entries(self.client, url, checks.sendable_text('amigo_id', amigo_id))

    def relationships(self):
        """Return the relationships of the dataset to others, from ``DATASET/relationships/``.

        Returns:
            Cursor: a dict for each relationship, with ``primary_dataset_name``,
                ``foreign_dataset_name``, ``primary_key`` and ``foreign_key``.

        Example:
            list(amigocloud.project(1).dataset(2).relationships())
        """
        return self.client.get_cursor(self.url + '/relationships/')

    def tile_url(self, format='png'):
        """Return the URL of the dataset's tiles, for maps in Web Mercator.

        The URL is made of the members ``tiles`` and ``cache_busting`` of ``DATASET``. It changes
        with the dataset, so that maps do not show old tiles of a cache.

        **The URL contains the token**, because a map requests the tiles without this client.
        Everyone who sees the map can read it: use a token of the level READ for maps that you
        share. The ``repr`` leaves out the token; ``print`` shows it.

        Args:
            format (str): ``'png'`` for pictures, ``'json'`` for UTFGrids, which name the feature at
                each place. Defaults to ``'png'``.

        Returns:
            str: the URL, with ``{z}``, ``{x}`` and ``{y}`` as Leaflet, MapLibre, QGIS and others
                take them.

        Raises:
            AmigoCloudError: format is unknown, or the dataset could not be read.

        Example:
            url = amigocloud.project(1).dataset(2).tile_url()
            picture = amigocloud.get(url.format(z=12, x=655, y=1583), raw=True)
        """
        from .files import tiles
        return tiles.tile_url(self, format)

    def tile_layer(self):
        """Return the dataset's tiles as a layer for maps of folium and ``GeoDataFrame.explore``.

        It needs ``pip install "amigocloud[maps]"``. The page of a map that has the layer contains
        the token; see ``tile_url``. In a notebook, clear the output before you share it.

        Returns:
            folium.TileLayer: the layer, an overlay with the name of the dataset.

        Raises:
            AmigoCloudError: the dataset could not be read, or folium is not installed.

        Example:
            dataset = amigocloud.project(1).dataset(2)
            fmap = dataset.read(where='seats > 40').to_geodataframe().explore()
            dataset.tile_layer().add_to(fmap)
        """
        from .files import tiles
        return tiles.tile_layer(self)

    def report_position(self, object_id, latitude, longitude, time=None, altitude=None, speed=None,
                        track=None):
        """Report the position of an object, as a tracker does: POST XML to ``DATASET/realtime``.

        Clients that listen to the dataset get a ``realtime`` event.

        Args:
            object_id (str or int): the object, such as a vehicle.
            latitude (float), longitude (float): in degrees, WGS 84.
            time (datetime.datetime): the time of the position. It is left out by default.
            altitude (float), speed (float), track (float): further numbers. They are left out by
                default.

        Raises:
            AmigoCloudError: a value cannot be sent, or the service refuses it.

        Example:
            amigocloud.project(1).dataset(2).report_position('Bus 7', 37.77, -122.42)
        """
        from .rows import positions
        positions.report(self, object_id, [('time', time), ('latitude', latitude), (
            'longitude', longitude), ('altitude', altitude), ('speed', speed), ('track', track)])

    def __repr__(self):
        return str('<Dataset {} of {!r}>').format(self.id, self.project)


class Gallery(object):
    """A gallery of photos. ``AmigoCloud.gallery`` creates the handle and sends nothing.

    Args:
        client (AmigoCloud): sends the requests.
        gallery_id (int or str): the id of the gallery.

    Attributes:
        client (AmigoCloud): as given.
        id (int): the id.
        url (str): the URL of the gallery, as ``AmigoCloud.get`` takes it, such as
            ``/related_tables/3``.

    Raises:
        AmigoCloudValueError: gallery_id is not an integer.

    Example:
        amigocloud.gallery(3).photos()
    """

    def __init__(self, client, gallery_id):
        self.client = client
        self.id = checks.whole_number('gallery_id', gallery_id, 1)
        self.url = '/related_tables/{}'.format(self.id)

    def upload(self, source_amigo_id, file_obj, chunk_size=uploads.CHUNK_SIZE, force_chunked=False,
               metadata=None, filename=None, resume=None, progress=None):
        """Upload a photo of a row, to ``/related_tables/GALLERY/upload``.

        Args:
            source_amigo_id (str): the amigo_id of the row.
            file_obj, chunk_size, force_chunked, resume, progress: see ``AmigoCloud.upload_file``.
            metadata (dict): further fields to store with the photo.
            filename (str): the name of the photo. Defaults to the name of the file; a file object
                without one, such as ``io.BytesIO``, needs it.

        Returns:
            dict: the response.

        Raises:
            IOError, AmigoCloudError: see ``AmigoCloud.upload_file``.

        Example:
            amigocloud.gallery(3).upload('6f1c', 'oak.jpg')
        """
        return self.client.upload_gallery_photo(self.id, source_amigo_id, file_obj, chunk_size,
                                                force_chunked, metadata, filename, resume, progress)

    def photos(self, source_amigo_id=None):
        """Return the entries of the gallery, from ``/related_tables/GALLERY/entries``.

        Args:
            source_amigo_id (str): only the photos of the row with this amigo_id. Defaults to all.

        Returns:
            Cursor: a dict for each photo, with its ``amigo_id``, ``source_amigo_id`` (that of the
                row) and ``filename``. Nothing is sent before its first use.

        Raises:
            AmigoCloudValueError: source_amigo_id is not a str.

        Example:
            for photo in amigocloud.gallery(3).photos('6f1c'):
                print(photo['filename'])
        """
        from .rows import related
        return related.entries(self.client, self.url, source_amigo_id)

    def download(self, destination, source_amigo_id=None, progress=None, size=None):
        """Download the photos of the gallery, several at a time.

        The entry with the amigo_id 0a1b and the file name ``oak.jpg`` becomes ``oak-0a1b.jpg``, so
        that no photo overwrites another. A photo that exists with the right size is skipped, so a
        call that ended early can be repeated.

        Args:
            destination (str or os.PathLike): a folder; it is created if it does not exist.
            source_amigo_id (str): only the photos of the row with this amigo_id.
            progress (bool or callable): ``progress(done, total)`` is called with photos, or True
                for a bar.
            size (str): ``'medium'`` for smaller pictures, which are named ``oak-0a1b-medium.jpg``.
                Defaults to the original pictures.

        Returns:
            list of str: the paths, in the order of the gallery's entries.

        Raises:
            AmigoCloudValueError: destination is not a folder, or size is unknown; nothing was sent.
            AmigoCloudError: the gallery could not be read; or, after all other photos were
                downloaded, the photos that failed.

        Example:
            amigocloud.gallery(3).download('photos')
        """
        from .files import photos
        return photos.download(self, destination, source_amigo_id, progress, size)

    def __repr__(self):
        return str('<Gallery {}>').format(self.id)
