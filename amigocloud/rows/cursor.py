"""The lazy Cursor over the pages of an endpoint."""
from __future__ import absolute_import

import collections
import os
import threading

import six

from ..exceptions import AmigoCloudError, printable
from . import preview
from .pages import Pages


class Cursor(six.Iterator):
    """An iterator over the rows of an endpoint, page by page; ``AmigoCloud.get_cursor`` creates it.

    Nothing is sent before the first use, and a page is requested only when one of its rows is
    needed. One page is kept in memory. If a page fails, AmigoCloudError is raised; keep iterating,
    and the cursor retries that page, so that no row is lost or returned twice. A response that is
    not a page (a JSON object with ``next``) is one row by itself.

    ``to_dataframe``, ``to_geodataframe``, ``to_arrow`` and ``to_file`` read the whole result again
    from its first row, even if the cursor has already returned rows, and can be called more than
    once. A notebook shows a cursor as a table of its first rows, and requests the first page if
    necessary.

    Several threads may use one cursor: each row goes to one of them. If another thread may take the
    last row, call ``next`` and catch StopIteration instead of checking ``has_next``.

    A cursor can be pickled or copied with its current page and its position. The copy continues
    from there on its own, so both return the remaining rows. The copy does not share the open
    connection, and requests the pages again that ``prefetch`` has already requested.

    Args:
        fetch (callable): ``fetch(url, params)`` returns the decoded answer. A cursor can be pickled
            if fetch can be.
        url (str): the endpoint, as ``AmigoCloud.get`` takes it.
        params (dict): the query of the first request; the service repeats it in the ``next`` links.
        prefetch (int): pages that a thread requests while the rows of an earlier one are used.
            Defaults to 0.

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
        self._page = None
        self._head = None
        self._position = None
        self._rows = collections.deque()
        self._turning = _TurningLock()

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            try:
                return self._rows.popleft()
            except IndexError:
                # Turn the page outside of this block, so that its errors do not show IndexError as
                # their context.
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
        """Return whether there is another row; request a page only if the current one is used up.

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
        """Return a member of the latest page, such as ``count`` or ``columns``, but not its rows.

        Args:
            name (str): the member's name.

        Returns:
            The value of the member. The first page is requested if necessary.

        Raises:
            ValueError: the page has no such member, or is not a JSON object.
            AmigoCloudError: the request for the page failed.

        Example:
            amigocloud.get_cursor('me/projects').get('count')
        """
        self._turn_first_page()
        page = self._page
        if name not in page:
            raise ValueError('The page of {} has no {!r}; it has {}.'.format(printable(
                self._endpoint), name, printable(', '.join(sorted(page))) or 'nothing else'))
        return page[name]

    def to_dataframe(self, progress=None):
        """Return the whole result as a table; needs ``pip install "amigocloud[pandas]"``.

        The types of SQL's columns become ``string``, ``Int32`` (integer), ``Int64`` (bigint),
        ``boolean``, ``float64`` (number and float), ``float32`` (real), ``datetime64[us, UTC]``
        (datetime; one without a time zone is in UTC), ``datetime64[s]`` without a time zone (date)
        and ``string`` (geometry, as hex EWKB). A list, which names no types, gets the types that
        pandas infers.

        A date or datetime that pandas cannot represent (``infinity``, years BC or after 9999)
        raises an error that names the column; ``"column"::text`` in the SQL returns such a column
        as text.

        Args:
            progress (bool or callable): True for a bar, or ``progress(done, total)`` in rows.

        Returns:
            pandas.DataFrame: the table, with all columns even if there are no rows.

        Raises:
            AmigoCloudError: a request failed, a value is not of its column's type (the message has
                the column and the value), or pandas is not installed.

        Example:
            amigocloud.project(1).sql('SELECT name, seats FROM dataset_2').to_dataframe()
        """
        from . import frames
        return frames.to_dataframe(self._all_pages(), progress)

    def to_geodataframe(self, geometry=None, crs=None, progress=None):
        """Return the whole result as a table with geometry.

        It needs ``pip install "amigocloud[geo]"``.

        Each geometry column holds shapely geometries, with the coordinate system of its SRID; see
        ``to_dataframe`` for the other columns.

        Args:
            geometry (str): the column of the active geometry. Defaults to the first geometry
                column.
            crs: the coordinate system, in any form that pyproj accepts, of a geometry column
                without an SRID, or with an SRID that EPSG does not define.
            progress (bool or callable): see ``to_dataframe``.

        Returns:
            geopandas.GeoDataFrame: the table.

        Raises:
            AmigoCloudError: see ``to_dataframe``; also if there is no geometry, the SRIDs of a
                column differ, crs contradicts the SRID, or shapely has no class for a geometry:
                ``ST_CurveToLine("column")`` in the SQL converts curves to lines, and
                ``to_dataframe`` returns them as hex.

        Example:
            amigocloud.project(1).dataset(2).read().to_geodataframe().plot()
        """
        from . import frames
        return frames.to_geodataframe(self._all_pages(), geometry, crs, progress)

    def to_arrow(self, progress=None):
        """Return the whole result as an Arrow table; needs ``pip install "amigocloud[arrow]"``.

        Args:
            progress (bool or callable): see ``to_dataframe``.

        Returns:
            pyarrow.Table: the table; geometry is GeoArrow WKB with its coordinate system, dates are
            ``date32``.

        Raises:
            AmigoCloudError: see ``to_geodataframe``; also if a column mixes types that Arrow cannot
                combine.

        Example:
            amigocloud.project(1).dataset(2).read().to_arrow().schema
        """
        from . import frames
        return frames.to_arrow(self._all_pages(), progress)

    def to_file(self, path, progress=None, **kwargs):
        """Write the whole result to a file; needs ``pip install "amigocloud[geo]"``.

        The file is written in a temporary folder beside its destination and moved there when it is
        complete. A call that fails does not change the old file. An existing file is replaced,
        except that a GeoPackage and other formats with several layers keep their other layers.
        ``append=True`` adds the rows to the layer.

        Dates are written as dates if the format supports them (FlatGeobuf does not). Geometry is
        written to a CSV file as WKT in the column ``WKT``, and to a spreadsheet as WKT in its own
        column. In a GeoPackage a column ``fid`` or ``geom`` stays an ordinary column: the layer's
        own columns are named ``fid_1`` and ``geom_1``, unless the options ``FID=`` and
        ``GEOMETRY_NAME=`` name them.

        Args:
            path (str or os.PathLike): the file; its ending selects the format (.gpkg, .geojson,
                .json, .kml, .shp, .fgb, .csv ...).
            progress (bool or callable): see ``to_dataframe``.
            **kwargs: arguments of ``pyogrio.write_dataframe``, such as ``driver``, ``layer`` and
                ``append``.

        Raises:
            AmigoCloudValueError: the ending of the path is unknown, the path is a folder, its
                folder does not exist, or another program has the GeoPackage open; nothing was sent.
            AmigoCloudError: see ``to_geodataframe``; also if the file cannot be written. The
                message has the path and the reason, and the error of pyogrio is the ``__cause__``.

        Example:
            amigocloud.project(1).dataset(2).read().to_file('trees.gpkg', layer='trees')
        """
        from . import frames
        frames.to_file(self._all_pages(), path, progress, **kwargs)

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
        self.__dict__.update(state, _rows=collections.deque(state['_rows']),
                             _turning=_TurningLock())
        self._pages = self._open(self._position)

    @property
    def _has_page(self):
        """Return whether there is a page to request."""
        return self._position is None or self._position.url is not None

    def _title(self):
        """Return the query of SQL, or else the endpoint."""
        query = self._source[2].get('query') or (self._head.members.get('query') if self._head
                                                 else None)
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
        self._page = page.members
        self._position = page.position
        self._rows.extend(page.rows)

    def _open(self, position=None):
        """Return pages that start at the first page, or at a position."""
        pages = Pages(*self._source, position=position)
        if not self._prefetch:
            return pages
        from .prefetch import PrefetchedPages
        return PrefetchedPages(pages, self._prefetch)

    def _all_pages(self):
        pages = self._open()
        while True:
            page = pages.turn()
            yield page
            if page.position.url is None:
                return


class _TurningLock(object):
    """A lock for turning a page, which does not block forever after a fork.

    Each process has its own lock. A lock of another process that is still held belongs to a thread
    that does not exist here: it had requested a page, and it is unknown whether its rows arrived.
    """

    def __init__(self):
        self._locks = {}

    def __enter__(self):
        own = self._locks.setdefault(os.getpid(), threading.Lock())
        if any(lock.locked() for lock in list(self._locks.values()) if lock is not own):
            raise AmigoCloudError(
                'The process was forked while a page of this cursor was being requested, and the '
                'page went to the parent. Create a cursor in each process.')
        own.acquire()

    def __exit__(self, *exc_info):
        self._locks[os.getpid()].release()
