"""The lazy Cursor over the pages of an endpoint."""
from __future__ import absolute_import

import collections
import os
import threading

import six

from . import preview
from .exceptions import AmigoCloudError, printable
from .pages import Pages


class Cursor(six.Iterator):
    """Iterates over the rows of an endpoint, page by page; made by ``AmigoCloud.get_cursor``.

    Nothing is sent before the first use, and a page is requested only when a row of it is needed. One page is
    kept in memory. A page that fails raises AmigoCloudError; using the cursor again requests it again, so that
    no row is lost and none comes twice. An answer that is not a page (a JSON object with ``next``) is one row by
    itself.

    ``to_dataframe`` and its like return the whole result, from its first row, no matter how many rows the cursor has
    returned: they read it again, and can be called again. A notebook shows a cursor as a table of its first rows, and
    requests the first page if there was none yet.

    Several threads may use one cursor: each row goes to one of them. Where another thread may take the last row, call
    ``next`` and catch StopIteration instead of asking ``has_next``.

    A cursor can be pickled or copied, with its rows at hand and its position. The copy goes on from there by itself, so
    both return the remaining rows. What is lost is the open connection, and the pages that ``prefetch`` has already
    requested: the copy requests them again.

    Args:
        fetch (callable): ``fetch(url, params)`` returns the decoded answer. It must be picklable for a cursor that is.
        url (str): the endpoint, as ``AmigoCloud.get`` takes it.
        params (dict): the query of the first request; the service repeats it in the ``next`` links.
        prefetch (int): pages that a thread requests while the rows of an earlier one are used. Defaults to 0.

    Raises:
        AmigoCloudValueError: url is not a str.

    Example:
        cursor = amigocloud.get_cursor('me/projects')
        print(cursor.get('count'))
        for project in cursor:
            print(project['name'])
    """

    def __init__(self, fetch, url, params=None, prefetch=0):
        self._endpoint = url
        self._source = (fetch, url, dict(params or {}))
        self._prefetch = prefetch
        self._pages = self._open()
        self._page = self._head = self._position = None
        self._rows = collections.deque()
        self._turning = _TurningLock()

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            try:
                return self._rows.popleft()
            except IndexError:
                # Turn the page outside of this block, or its errors would show this one as their context.
                pass
            if not self.has_next:
                raise StopIteration

    def next(self):
        """Return the next row, on Python 3 too.

        Returns:
            The row: a dict from lists and SQL.

        Raises:
            StopIteration: there is no other row.
            AmigoCloudError: the request for the page failed.
        """
        return self.__next__()

    @property
    def has_next(self):
        """Whether there is another row; sends a request only if the rows at hand do not tell.

        Returns:
            bool: True if ``next`` will return a row, unless another thread takes it.

        Raises:
            AmigoCloudError: the request for the page failed.
        """
        if self._rows:
            return True
        with self._turning:
            while not self._rows and self._has_page:
                self._turn_page()
            return bool(self._rows)

    def get(self, name):
        """Return a member of the latest page other than its rows, such as ``count`` or ``columns``.

        Args:
            name (str): the member's name.

        Returns:
            Its value. Requests the first page if there was none yet.

        Raises:
            ValueError: the page has no such member, or is not a JSON object.
            AmigoCloudError: the request for the page failed.

        Example:
            amigocloud.get_cursor('me/projects').get('count')
        """
        self._turn_first_page()
        page = self._page
        if name not in page:
            raise ValueError('The page of {} has no {!r}; it has {}.'.format(
                printable(self._endpoint), name, printable(', '.join(sorted(page))) or 'nothing else'))
        return page[name]

    def to_dataframe(self, progress=None):
        """Return the whole result as a table; needs ``pip install "amigocloud[pandas]"``.

        The types of SQL's columns become ``string``, ``Int32`` (integer), ``Int64`` (bigint), ``boolean``, ``float64``
        (number and float), ``float32`` (real), ``datetime64[us, UTC]`` (datetime; one without a time zone is in UTC),
        ``datetime64[s]`` without a time zone (date) and ``string`` (geometry, as hex EWKB). A list, which names no
        types, gets those that pandas finds.

        A date or datetime that pandas cannot hold (``infinity``, years BC or after 9999) raises an error that names the
        column; ``"column"::text`` in the SQL returns such a column as text.

        Args:
            progress (bool or callable): True for a bar, or ``progress(done, total)`` in rows.

        Returns:
            pandas.DataFrame: with all the columns, also if there are no rows.

        Raises:
            AmigoCloudError: a page could not be had, a value is not of its column's type (the message has the column
                and the value), or pandas is not installed.

        Example:
            amigocloud.sql('SELECT name, seats FROM dataset_1', project_id=1).to_dataframe()
        """
        from . import frames
        return frames.to_dataframe(self._read_anew(), progress)

    def to_geodataframe(self, geometry=None, crs=None, progress=None):
        """Return the whole result as a table with geometry; needs ``pip install "amigocloud[geo]"``.

        All columns of geometry are shapely's, each with the coordinate system of its SRID; see ``to_dataframe`` for the
        others.

        Args:
            geometry (str): the active geometry's column. Defaults to the first one.
            crs: the coordinate system, as pyproj takes it, of geometry without an SRID or with one of its own.
            progress (bool or callable): see ``to_dataframe``.

        Returns:
            geopandas.GeoDataFrame: the table.

        Raises:
            AmigoCloudError: see ``to_dataframe``; also if there is no geometry, the SRIDs of a column differ, crs is
                not what they say, or shapely has no class for a geometry: ``ST_CurveToLine("column")`` in the SQL
                turns curves into lines, and ``to_dataframe`` returns them as hex.

        Example:
            amigocloud.read_dataset(1, 2).to_geodataframe().plot()
        """
        from . import frames
        return frames.to_geodataframe(self._read_anew(), geometry, crs, progress)

    def to_arrow(self, progress=None):
        """Return the whole result as an Arrow table; needs ``pip install "amigocloud[arrow]"``.

        Args:
            progress (bool or callable): see ``to_dataframe``.

        Returns:
            pyarrow.Table: geometry as GeoArrow's WKB with its coordinate system, dates as ``date32``.

        Raises:
            AmigoCloudError: see ``to_geodataframe``; also if a column mixes types that Arrow cannot combine.
        """
        from . import frames
        return frames.to_arrow(self._read_anew(), progress)

    def to_file(self, path, progress=None, **kwargs):
        """Write the whole result to a file; needs ``pip install "amigocloud[geo]"``.

        The file is written in a temporary folder beside its place and moved there once it is complete. A call that
        fails leaves the old file as it was. An existing file is replaced, except that a GeoPackage and other formats
        with several layers keep their other layers. ``append=True`` adds the rows to the layer.

        Dates are written as dates where the format has them (FlatGeobuf has none). Geometry goes into a CSV file as WKT
        in the column ``WKT``, and into a spreadsheet as WKT under its own name. In a GeoPackage a column ``fid`` or
        ``geom`` stays an ordinary column: the layer's own columns get the names ``fid_1`` and ``geom_1``, unless the
        options ``FID=`` and ``GEOMETRY_NAME=`` name them.

        Args:
            path (str or os.PathLike): its ending names the format (.gpkg, .geojson, .json, .kml, .shp, .fgb, .csv ...).
            progress (bool or callable): see ``to_dataframe``.
            **kwargs: passed to ``pyogrio.write_dataframe``, such as ``driver``, ``layer`` and ``append``.

        Raises:
            AmigoCloudValueError: the path names no format, is a folder, is in no folder, or is a GeoPackage that
                another program has open; nothing was sent.
            AmigoCloudError: see ``to_geodataframe``; also if the file cannot be written. The message has the path and
                the reason, and the error of pyogrio is its ``__cause__``.

        Example:
            amigocloud.read_dataset(1, 2).to_file('trees.gpkg', layer='trees')
        """
        from . import frames
        frames.to_file(self._read_anew(), path, progress, **kwargs)

    def _repr_html_(self):
        try:
            self._turn_first_page()
            return preview.table(self._title(), self._head)
        except AmigoCloudError as error:
            return preview.failure(self._title(), error)

    def __repr__(self):
        page = self._page
        count = ''
        if page is not None and 'count' in page:
            count = ', {:.40} rows'.format(repr(page['count']))
        return str('<Cursor over {}{}>').format(printable(self._endpoint), count)

    def __getstate__(self):
        with self._turning:
            # A list at once, since other threads may take rows while it is being pickled.
            state = dict(self.__dict__, _rows=list(self._rows))
        del state['_pages'], state['_turning']
        return state

    def __setstate__(self, state):
        self.__dict__.update(state, _rows=collections.deque(state['_rows']), _turning=_TurningLock())
        self._pages = self._open(self._position)

    @property
    def _has_page(self):
        """Whether there is a page to request."""
        return self._position is None or self._position.url is not None

    def _title(self):
        """Return the query of SQL, or else the endpoint."""
        query = self._source[2].get('query') or (self._head.members.get('query') if self._head else None)
        return query if isinstance(query, six.string_types) else self._endpoint

    def _turn_first_page(self):
        if self._page is None:
            with self._turning:
                if self._page is None:
                    self._turn_page()

    def _turn_page(self):
        page = self._pages.turn()
        if self._head is None:
            self._head = preview.Head(page)
        self._page, self._position = page.members, page.position
        self._rows.extend(page.rows)

    def _open(self, position=None):
        """Return pages that send their own requests: from the first on, or from a position."""
        pages = Pages(*self._source, position=position)
        if not self._prefetch:
            return pages
        from .prefetch import PrefetchedPages
        return PrefetchedPages(pages, self._prefetch)

    def _read_anew(self):
        pages = self._open()
        while True:
            page = pages.turn()
            yield page
            if page.position.url is None:
                return


class _TurningLock(object):
    """A lock for turning a page, which does not block forever in a process that was forked meanwhile.

    Each process has a lock of its own. One that is still held in the copy of another process belongs to a thread that
    does not exist here: it had requested a page, and whether its rows arrived is unknown.
    """

    def __init__(self):
        self._locks = {}

    def __enter__(self):
        own = self._locks.setdefault(os.getpid(), threading.Lock())
        if any(lock.locked() for lock in list(self._locks.values()) if lock is not own):
            raise AmigoCloudError('The process was forked while a page of this cursor was being requested, and the '
                                  'page went to the parent. Make a cursor in each process.')
        own.acquire()

    def __exit__(self, *exc_info):
        self._locks[os.getpid()].release()
