"""The lazy Cursor over the pages of an endpoint."""
from __future__ import absolute_import

import collections

import six

from . import preview
from .exceptions import AmigoCloudError, printable
from .pages import Pages


class Cursor(six.Iterator):
    """Iterates over the rows of an endpoint, page by page; made by ``AmigoCloud.get_cursor``.

    Nothing is sent before the first use, and a page is asked for only when a row of it is wanted. One page is
    kept in memory. A page that fails raises AmigoCloudError; using the cursor again asks for it again, so that
    no row is lost and none comes twice.

    ``to_dataframe`` and its like give the whole result, from its first row, whatever was used of the cursor: they read
    it anew, and can be called again. A notebook shows a cursor as a table of its first rows, and asks for the first
    page if there was none yet.

    Args:
        fetch (callable): ``fetch(url, params)`` gives the decoded answer.
        url (str): the endpoint, as ``AmigoCloud.get`` takes it.
        params (dict): the query of the first request; the service repeats it in the ``next`` links.
        prefetch (int): pages that a thread asks for while the rows of an earlier one are used. Defaults to 0.

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
        self._page = self._head = None
        self._more = True
        self._rows = collections.deque()

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self._rows.popleft()
        except IndexError:
            if not self.has_next:
                raise StopIteration
            return self._rows.popleft()

    def next(self):
        """Gives the next row, on Python 3 too.

        Returns:
            The row: a dict from lists and SQL.

        Raises:
            StopIteration: there is none.
            AmigoCloudError: the page could not be had.
        """
        return self.__next__()

    @property
    def has_next(self):
        """Whether there is another row; asks the service only where the rows at hand do not tell.

        Returns:
            bool: True if ``next`` will give a row.

        Raises:
            AmigoCloudError: the page could not be had.
        """
        while not self._rows and self._more:
            self._turn_page()
        return bool(self._rows)

    def get(self, name):
        """Gives a member of the latest page other than its rows, such as ``count`` or ``columns``.

        Args:
            name (str): the member's name.

        Returns:
            Its value. Asks for the first page if there was none yet.

        Raises:
            ValueError: the page has no such member.
            AmigoCloudError: the page could not be had.

        Example:
            amigocloud.get_cursor('me/projects').get('count')
        """
        if self._page is None:
            self._turn_page()
        if name not in self._page:
            raise ValueError('The page of {} has no {!r}; it has {}.'.format(
                printable(self._endpoint), name, printable(', '.join(sorted(self._page))) or 'nothing else'))
        return self._page[name]

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
            if self._page is None:
                self._turn_page()
            return preview.table(repr(self), self._page, self._head)
        except AmigoCloudError as error:
            return preview.failure(repr(self), error)

    def __repr__(self):
        count = ''
        if self._page is not None and 'count' in self._page:
            count = ', {:.40} rows'.format(repr(self._page['count']))
        return str('<Cursor over {}{}>').format(printable(self._endpoint), count)

    def _turn_page(self):
        page = self._pages.turn()
        self._page, self._more = page.members, page.more
        self._rows.extend(page.rows)
        if self._head is None:
            self._head = page.rows[:preview.ROWS]

    def _open(self):
        """The pages from the first on, with their own requests."""
        pages = Pages(*self._source)
        if not self._prefetch:
            return pages
        from .prefetch import PrefetchedPages
        return PrefetchedPages(pages, self._prefetch)

    def _read_anew(self):
        pages = self._open()
        more = True
        while more:
            page = pages.turn()
            more = page.more
            yield page
