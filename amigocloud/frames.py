"""The pages of a result as one table: for pandas, geopandas, Arrow, or in a file.

Rows become columns page by page, so that a million of them are never a million dicts at a time.
"""
from __future__ import absolute_import

import importlib
import itertools
import json

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError
from .pages import columns_of
from .progress import check_progress, reporting

_DTYPES = {
    'string': 'string', 'time': 'string', 'geometry': 'string', 'integer': 'Int32', 'bigint': 'Int64',
    'boolean': 'boolean', 'number': 'float64', 'float': 'float64', 'real': 'float32',
    'datetime': 'datetime64[us, UTC]', 'date': 'datetime64[s]'}


def to_dataframe(pages, progress=None):
    """Makes a table of pages; see ``Cursor.to_dataframe``.

    Args:
        pages (iterator of Page): all of them.
    """
    need('pandas', 'pandas')
    check_progress(progress)
    return _dataframe(_Result(pages), progress)


def to_geodataframe(pages, geometry=None, crs=None, progress=None):
    """Makes a table with geometry of pages; see ``Cursor.to_geodataframe``."""
    _need_geo()
    check_progress(progress)
    crs = _parse_crs(crs)
    return _geodataframe(_Result(pages), geometry, crs, progress)


def to_arrow(pages, progress=None):
    """Makes a table of Arrow of pages; see ``Cursor.to_arrow``."""
    need('arrow', 'pyarrow', 'pandas', 'geopandas', 'shapely', 'pyproj')
    check_progress(progress)
    return _arrow(_Result(pages), progress)


def to_file(pages, path, progress=None, **kwargs):
    """Writes pages to a file; see ``Cursor.to_file``."""
    _need_geo()
    check_progress(progress)
    import pyogrio
    result = _Result(pages)
    frame = _geodataframe(result, None, None, progress) if result.geometries else _dataframe(result, progress)
    pyogrio.write_dataframe(frame, path, **kwargs)


class _Result(object):
    """What the first page says of the columns, and the pages.

    Attributes:
        types (dict): the service's type of each column, or None for a list, which names none.
        geometries (list): the names of the columns of geometry.
    """

    def __init__(self, pages):
        self._first, self._others = next(pages), pages
        self.types = columns_of(self._first.members)
        self.geometries = [name for name, kind in (self.types or {}).items() if kind == 'geometry']

    def rows(self, progress):
        """Gives the rows of page after page, and reports them."""
        with reporting(progress, self._first.members.get('count'), 'rows', 'Reading') as report:
            done = 0
            for page in itertools.chain([self._first], self._others):
                yield page.rows
                done += len(page.rows)
                report(done)

    def columns(self, progress, convert):
        """Gives name, type and the parts, one of each page, of every column; ``convert(values, type)`` makes a part."""
        parts = {name: [] for name in self.types}
        for rows in self.rows(progress):
            for name, kind in self.types.items():
                try:
                    parts[name].append(convert([row[name] for row in rows], kind))
                except (TypeError, ValueError, OverflowError) as error:
                    six.raise_from(AmigoCloudError(
                        u'The column {!r} is said to be of type {}, but not all its values are: {}'.format(
                            name, kind, error)), error)
                except KeyError as error:
                    six.raise_from(AmigoCloudError('A row of the answer has no {!r}.'.format(name)), error)
        for name, kind in self.types.items():
            # Each column's parts go as soon as they are put together.
            yield name, kind, parts.pop(name)


def _dataframe(result, progress):
    import pandas
    if result.types is None:
        return pandas.DataFrame(list(itertools.chain.from_iterable(result.rows(progress))))
    return pandas.DataFrame({name: _joined(parts) for name, _, parts in result.columns(progress, _array)}, copy=False)


def _geodataframe(result, geometry, crs, progress):
    import geopandas
    import pandas
    if not result.geometries:
        raise AmigoCloudError('The result has no column of geometry; to_dataframe makes a table of it.')
    if geometry is not None and geometry not in result.geometries:
        raise AmigoCloudValueError('{!r} is no column of geometry; there is {}.'.format(
            geometry, ', '.join(result.geometries)))
    columns = {}
    for name, kind, parts in result.columns(progress, _array_or_wkb):
        if kind == 'geometry':
            shapes = _decoded(name, parts)
            columns[name] = geopandas.array.GeometryArray(shapes, crs=_crs_of(name, shapes, crs))
        else:
            columns[name] = _joined(parts)
    return geopandas.GeoDataFrame(pandas.DataFrame(columns, copy=False), geometry=geometry or result.geometries[0])


def _arrow(result, progress):
    import pyarrow
    import shapely
    if result.types is None:
        return pyarrow.Table.from_pandas(_dataframe(result, progress), preserve_index=False)
    fields, arrays = [], []
    for name, kind, parts in result.columns(progress, _array_or_wkb):
        metadata = None
        if kind == 'geometry':
            shapes = _decoded(name, parts)
            crs = _crs_of(name, shapes)
            # GeoArrow's WKB is that of ISO, which says Z in another way than EWKB and has no SRID.
            arrays.append(pyarrow.array(shapely.to_wkb(shapes, flavor='iso'), pyarrow.binary()))
            metadata = {'ARROW:extension:name': 'geoarrow.wkb', 'ARROW:extension:metadata': json.dumps(
                {'crs': crs.to_json_dict(), 'crs_type': 'projjson'} if crs else {})}
        else:
            arrays.append(pyarrow.array(_joined(parts), from_pandas=True))
            if kind == 'date':
                arrays[-1] = arrays[-1].cast(pyarrow.date32())
        fields.append(pyarrow.field(name, arrays[-1].type, metadata=metadata))
    return pyarrow.table(arrays, schema=pyarrow.schema(fields))


def _array(values, kind):
    import numpy
    import pandas
    if kind not in _DTYPES:
        return pandas.Series(values, dtype='object')
    if kind == 'datetime':
        return _moments(values)
    dtype = _DTYPES[kind]
    if dtype in ('float64', 'float32', 'datetime64[s]'):
        # numpy takes null for NaN and NaT, several times faster than pandas does.
        return numpy.array(values, dtype)
    return pandas.array(values, dtype)


def _moments(texts):
    import numpy
    import pandas
    try:
        moments = pandas.to_datetime(texts, utc=True, format='ISO8601')
    except pandas.errors.OutOfBoundsDatetime:
        # pandas 2 parses many at a time to nanoseconds only, which end in 2262; one at a time it does better.
        moments = pandas.DatetimeIndex(numpy.array([_moment(text) for text in texts], 'datetime64[us]'), tz='UTC')
    return moments.as_unit('us')


def _moment(text):
    import pandas
    moment = pandas.Timestamp(text)
    return moment.to_datetime64() if moment.tz is None else moment.tz_convert(None).to_datetime64()


def _array_or_wkb(values, kind):
    import numpy
    if kind != 'geometry':
        return _array(values, kind)
    # Half as large as its hex, and shapely reads it five times as fast.
    decode = bytes.fromhex
    return numpy.array([None if value is None else decode(value) for value in values], object)


def _joined(parts):
    import pandas
    return pandas.concat([pandas.Series(part, copy=False) for part in parts], ignore_index=True)


def _decoded(name, parts):
    import numpy
    import shapely
    try:
        return shapely.from_wkb(numpy.concatenate(parts))
    except shapely.errors.ShapelyError as error:
        six.raise_from(AmigoCloudError('The column {!r} holds what is no geometry: {}'.format(name, error)), error)


def _crs_of(name, shapes, given=None):
    import pandas
    import pyproj
    import shapely
    srids = sorted(pandas.unique(shapely.get_srid(shapes[~shapely.is_missing(shapes)])).tolist())
    if len(srids) > 1:
        raise AmigoCloudError('The geometry of {!r} is in several coordinate systems: SRID {}.'.format(
            name, ' and '.join(map(str, srids))))
    if srids in ([], [0]):
        return given
    try:
        own = pyproj.CRS.from_epsg(srids[0])
    except pyproj.exceptions.CRSError as error:
        if given is None:
            six.raise_from(AmigoCloudError('The SRID {} of {!r} is none of EPSG; to_geodataframe(crs=...) is told what '
                                           'it means.'.format(srids[0], name)), error)
        return given
    if given is not None and not own.equals(given, ignore_axis_order=True):
        raise AmigoCloudError('The SRID of {!r} is {}, not crs={}; to_crs of the GeoDataFrame converts it.'.format(
            name, srids[0], given.to_string()))
    return own


def _parse_crs(crs):
    import pyproj
    try:
        return None if crs is None else pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        six.raise_from(AmigoCloudValueError('crs={!r} is no coordinate system: {}'.format(crs, error)), error)


def _need_geo():
    need('geo', 'pandas', 'geopandas', 'shapely', 'pyproj', 'pyogrio')


def need(extra, *modules):
    """Raises AmigoCloudError, with the advice to install an extra, where one of its modules cannot be imported."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            six.raise_from(AmigoCloudError('This needs {}: pip install "amigocloud[{}]"'.format(module, extra)), error)
