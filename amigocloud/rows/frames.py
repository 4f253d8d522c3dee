"""Tables of pandas, geopandas and Arrow made of the pages of a result.

Rows become columns page by page, so that a million rows are never a million dicts at the same time.
"""
from __future__ import absolute_import

import itertools
import json
import re
import struct

import six

from .. import extras
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown
from ..progress import check_progress, reporting
from .dtypes import DTYPES
from .pages import columns_of, count_of
from .table_file import TableFile

# Dates as PostgreSQL writes them. A date with an era (BC) does not match: pandas would accept it
# with a wrong year.
_DAY = re.compile(r'(?!0000)\d{4}-\d\d-\d\d(?:[T ][\d:.]+)?\Z')
# Offsets from before the introduction of time zones have seconds.
_MOMENT = re.compile(r'(\d{4}-\d\d-\d\d(?:[T ][\d:.]+)?) '
                     r'?(?:Z|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?\Z')

# Geometry types without a class in shapely, by their number in WKB.
_CURVES = {8: 'CIRCULARSTRING', 9: 'COMPOUNDCURVE', 10: 'CURVEPOLYGON', 11: 'MULTICURVE',
           12: 'MULTISURFACE'}
_SURFACES = {15: 'POLYHEDRALSURFACE', 16: 'TIN', 17: 'TRIANGLE'}
_NO_CLASS = (u'The column {} holds a {}, for which shapely has no class. {} in the SQL: '
             u'{}("{}"). to_dataframe returns it as hex.')


def to_dataframe(pages, progress=None):
    """Return a table of pages; see ``Cursor.to_dataframe``.

    Args:
        pages (iterator of Page): all pages of the result.
    """
    extras.need('pandas', 'pandas')
    check_progress(progress)
    return _dataframe(_Result(pages), progress)


def each_page(pages):
    """Yield a table of each page; all have the same dtypes.

    Args:
        pages (iterator of Page): all pages of the result of a query.
    """
    import pandas
    result = _Result(pages)
    if result.types is None:
        raise AmigoCloudError('The response of the query names no columns, which a table needs.')
    for parts in result.pages(None, _array):
        yield pandas.DataFrame(parts, copy=False)


def to_geodataframe(pages, geometry=None, crs=None, progress=None):
    """Return a table with geometry; see ``Cursor.to_geodataframe``."""
    _need_geo()
    check_progress(progress)
    crs = _parse_crs(crs)
    return _geodataframe(_Result(pages), geometry, crs, progress)


def to_arrow(pages, progress=None):
    """Return an Arrow table; see ``Cursor.to_arrow``."""
    extras.need('arrow', 'pyarrow', 'pandas', 'geopandas', 'shapely', 'pyproj')
    check_progress(progress)
    return _arrow(_Result(pages), progress)


def to_file(pages, path, progress=None, **kwargs):
    """Write pages to a file; see ``Cursor.to_file``."""
    _need_geo()
    check_progress(progress)
    destination = TableFile(path, kwargs)
    result = _Result(pages)
    # Write labels as texts, because the formats of files have no categories.
    result.categories = {}
    frame = _geodataframe(
        result, None, None, progress) if result.geometries else _dataframe(result, progress)
    for name, kind in (result.types or {}).items():
        if kind == 'date':
            frame[name] = _days(frame[name])
    # The columns of rows that are lists are numbered.
    frame.columns = frame.columns.map(str)
    destination.write(frame, result.geometries)


_MISFITS = (TypeError, ValueError, OverflowError, IndexError, NotImplementedError)


def _misfit_error(name, kind, values, convert, error):
    """Return the error that names the first value which is not of the type of its column."""
    for value in values:
        try:
            convert([value], kind)
        except _MISFITS:
            return AmigoCloudError(
                u'The value {} in column {} is not of its type {}. Cast the column in the SQL: '
                u'"{}"::text'.format(shown(value), shown(name), kind, name))
    return AmigoCloudError(u'The values of column {} of type {} cannot be combined: {}'.format(
        shown(name), kind, shortened(str(error))))


def _days(column):
    """Return an array that GDAL writes as dates; pandas has only timestamps."""
    import numpy
    import pandas

    class DayType(pandas.api.extensions.ExtensionDtype):
        name = 'day'
        type = numpy.datetime64
        na_value = pandas.NaT

        @classmethod
        def construct_array_type(cls):
            return Days

    class Days(pandas.api.extensions.ExtensionArray):
        dtype = DayType()

        def __init__(self, days):
            self._days = days

        def __len__(self):
            return len(self._days)

        def __getitem__(self, place):
            found = self._days[place]
            return Days(found) if isinstance(found, numpy.ndarray) else found

        def __array__(self, dtype=None, copy=None):
            return self._days.astype(dtype or self._days.dtype)

        def __arrow_array__(self, type=None):
            import pyarrow
            return pyarrow.array(self._days, type)

        def isna(self):
            return numpy.isnat(self._days)

        def copy(self):
            return Days(self._days.copy())

    return Days(column.to_numpy().astype('datetime64[D]'))


class _Result(object):
    """The pages of a result, with the columns that its first page names.

    Attributes:
        types (dict): the type of the service by column; None for a list, which has no types.
        geometries (list): the names of the geometry columns.
        categories (dict): the labels of a picklist by column; see ``schema.LabelledPages``.
    """

    def __init__(self, pages):
        self._first = next(pages)
        self._others = pages
        self.types = columns_of(self._first.members)
        self.geometries = [name for name, kind in (self.types or {}).items() if kind == 'geometry']
        self.categories = {column['name']: column['categories'] for column in
                           self._first.members.get('columns', ()) if 'categories' in column}

    def rows(self, progress):
        """Yield the rows of each page, and report their number."""
        with reporting(progress, count_of(self._first.members), 'rows', 'Reading') as report:
            done = 0
            for page in itertools.chain([self._first], self._others):
                yield page.rows
                done += len(page.rows)
                report(done)

    def pages(self, progress, convert):
        """Yield the parts of the columns of each page, by name.

        Args:
            progress (bool or callable): see ``progress.reporting``.
            convert (callable): ``convert(values, type)`` returns the part of one page.
        """
        for rows in self.rows(progress):
            parts = {}
            for name, kind in self.types.items():
                try:
                    values = [row[name] for row in rows]
                except (KeyError, TypeError) as error:
                    six.raise_from(AmigoCloudError(
                        u'A row of the response has no {}.'.format(shown(name))), error)
                try:
                    parts[name] = convert(values, kind)
                except _MISFITS as error:
                    six.raise_from(_misfit_error(name, kind, values, convert, error), error)
            yield parts

    def columns(self, progress, convert):
        """Yield the name, the type and the parts of each column; see ``pages``."""
        columns = {name: [] for name in self.types}
        for parts in self.pages(progress, convert):
            for name, part in parts.items():
                columns[name].append(part)
        for name, kind in self.types.items():
            # The parts of a column are released as soon as they are joined.
            parts = columns.pop(name)
            if name in self.categories:
                parts = [_categorical(parts, self.categories[name])]
            yield name, kind, parts


def _dataframe(result, progress):
    import pandas
    if result.types is None:
        rows = list(itertools.chain.from_iterable(result.rows(progress)))
        try:
            return pandas.DataFrame(rows)
        except Exception as error:
            # pandas raises exceptions of many classes for rows of several kinds.
            six.raise_from(AmigoCloudError(
                u'The rows cannot be made a table: {}'.format(shortened(str(error)))), error)
    return pandas.DataFrame(
        {name: _joined(parts) for name, _, parts in result.columns(progress, _array)}, copy=False)


def _geodataframe(result, geometry, crs, progress):
    import geopandas
    import pandas
    if not result.geometries:
        raise AmigoCloudError('The result has no geometry column; use to_dataframe.')
    if geometry is not None and geometry not in result.geometries:
        raise AmigoCloudValueError(u'geometry must be one of the columns {}, not {}.'.format(
            ', '.join(result.geometries), shown(geometry)))
    columns = {}
    for name, kind, parts in result.columns(progress, _array_or_wkb):
        if kind == 'geometry':
            shapes = _decoded(name, parts)
            columns[name] = geopandas.array.GeometryArray(shapes, crs=_crs_of(name, shapes, crs))
        else:
            columns[name] = _joined(parts)
    return geopandas.GeoDataFrame(pandas.DataFrame(columns, copy=False), geometry=geometry
                                  or result.geometries[0])


def _arrow(result, progress):
    import pyarrow
    import shapely
    if result.types is None:
        frame = _dataframe(result, progress)
        return pyarrow.table({str(name): _arrow_array(str(name), frame[name])
                              for name in frame.columns})
    fields = []
    arrays = []
    for name, kind, parts in result.columns(progress, _array_or_wkb):
        metadata = None
        if kind == 'geometry':
            shapes = _decoded(name, parts)
            crs = _crs_of(name, shapes)
            # GeoArrow uses the WKB of ISO, which marks Z in another way than EWKB and has no SRID.
            arrays.append(pyarrow.array(shapely.to_wkb(shapes, flavor='iso'), pyarrow.binary()))
            metadata = {'ARROW:extension:name': 'geoarrow.wkb',
                        'ARROW:extension:metadata': json.dumps(
                            {'crs': crs.to_json_dict(), 'crs_type': 'projjson'} if crs else {})}
        else:
            arrays.append(_arrow_array(name, _joined(parts)))
            if kind == 'date':
                arrays[-1] = arrays[-1].cast(pyarrow.date32())
        fields.append(pyarrow.field(name, arrays[-1].type, metadata=metadata))
    return pyarrow.table(arrays, schema=pyarrow.schema(fields))


def _arrow_array(name, column):
    import pyarrow
    try:
        return pyarrow.array(column, from_pandas=True)
    except _MISFITS as error:
        six.raise_from(AmigoCloudError(
            u'The values of column {} have no common type in Arrow: {} Cast the column in the SQL: '
            u'"{}"::text'.format(shown(name), shortened(str(error)), name)), error)


def _array(values, kind):
    import numpy
    import pandas
    if kind not in DTYPES:
        return pandas.Series(values, dtype='object')
    if kind in ('date', 'datetime') and not set(map(type, values)) <= {str, type(None)}:
        # numpy would read a number as seconds.
        raise TypeError('not a text')
    if kind == 'datetime':
        return _moments(values)
    if kind == 'date' and not all(value is None or _DAY.match(value) for value in values):
        raise ValueError('no day')
    dtype = DTYPES[kind]
    if dtype in ('float64', 'float32', 'datetime64[s]'):
        # numpy converts None to NaN and NaT, several times faster than pandas does.
        column = numpy.array(values, dtype)
        if column.ndim != 1:
            raise ValueError('lists')
        return column
    return pandas.array(values, dtype)


def _moments(texts):
    import numpy
    import pandas
    if max(filter(None, texts), default='') > ':':
        # pandas would convert the word now to the current time.
        raise ValueError('a word')
    try:
        moments = pandas.to_datetime(texts, utc=True, format='ISO8601')
    except ValueError:
        # pandas 2 parses arrays to nanoseconds only, which end in 2262, and no pandas parses every
        # offset.
        moments = pandas.DatetimeIndex(numpy.array([_moment(text) for text in texts],
                                                   'datetime64[us]'), tz='UTC')
    moments = moments.as_unit('us')
    values = moments.tz_convert(None).to_numpy()
    if (values < numpy.datetime64('0001')).any() or (values >= numpy.datetime64('10000')).any():
        # The conversion to UTC moved it out of the years that Python supports.
        raise ValueError('a year')
    if moments.isna().sum() != texts.count(None):
        raise ValueError('no moment')
    return moments


def _moment(text):
    import numpy
    if text is None:
        return None
    match = _MOMENT.match(text)
    if match is None:
        raise ValueError(text)
    local, sign, hours, minutes, seconds = match.groups()
    offset = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return numpy.datetime64(
        local, 'us') - numpy.timedelta64(-offset if sign == '-' else offset, 's')


def _array_or_wkb(values, kind):
    import numpy
    if kind != 'geometry':
        return _array(values, kind)
    # WKB takes half the memory of its hex, and shapely reads it five times as fast.
    decode = bytes.fromhex
    return numpy.array([None if value is None else decode(value) for value in values], object)


def _joined(parts):
    import pandas
    return pandas.concat([pandas.Series(part, copy=False) for part in parts], ignore_index=True)


def _categorical(parts, labels):
    """Return a column with the labels of its picklist as categories, then codes without a label."""
    import pandas
    column = _joined(parts)
    codes = sorted(set(column.dropna()) - set(labels))
    return column.astype(pandas.CategoricalDtype(labels + codes))


def _decoded(name, parts):
    import numpy
    import shapely
    try:
        return shapely.from_wkb(numpy.concatenate(parts))
    except (shapely.errors.ShapelyError, NotImplementedError) as error:
        six.raise_from(_geometry_error(name, itertools.chain.from_iterable(parts), error), error)


def _geometry_error(name, values, error):
    """Return the error that names the first value which shapely cannot read, and the cure."""
    import shapely
    for value in values:
        try:
            shapely.from_wkb(value)
        except (shapely.errors.ShapelyError, NotImplementedError) as failure:
            kind = _kind_of(value, failure)
            if kind in _CURVES or isinstance(failure, NotImplementedError):
                return AmigoCloudError(_NO_CLASS.format(
                    shown(name), _CURVES.get(kind, 'curve'), u'Convert it to lines',
                    u'ST_CurveToLine', name))
            if kind in _SURFACES:
                return AmigoCloudError(_NO_CLASS.format(
                    shown(name), _SURFACES[kind], u'Read it as text', u'ST_AsText', name))
            return AmigoCloudError(
                u'The column {} holds a value that is not a geometry, {}: {}'.format(
                    shown(name), shortened(value.hex()), shortened(str(failure))))
    return AmigoCloudError(u'The column {} holds a value that is not a geometry: {}'.format(
        shown(name), shortened(str(error))))


def _kind_of(value, failure):
    """Return the number of the geometry type without the flags for Z, M and SRID.

    In a collection it is the type of the member that shapely cannot read.
    """
    named = re.search(r'Unknown WKB type (\d+)', str(failure))
    if named or len(value) < 5:
        return named and int(named.group(1))
    return (struct.unpack_from('<I' if value[0] else '>I', value, 1)[0] & 0xfffffff) % 1000


def _crs_of(name, shapes, given=None):
    import pandas
    import pyproj
    import shapely
    srids = sorted(pandas.unique(shapely.get_srid(shapes[~shapely.is_missing(shapes)])).tolist())
    if len(srids) > 1:
        raise AmigoCloudError('The geometries of column {} have several SRIDs: {}.'.format(
            shown(name), ' and '.join(map(str, srids))))
    if srids in ([], [0]):
        return given
    try:
        own = pyproj.CRS.from_epsg(srids[0])
    except pyproj.exceptions.CRSError as error:
        if given is None:
            six.raise_from(AmigoCloudError(
                u'EPSG does not define the SRID {} of column {}; pass its coordinate system as '
                u'to_geodataframe(crs=...).'.format(srids[0], shown(name))), error)
        return given
    if given is not None and not own.equals(given, ignore_axis_order=True):
        raise AmigoCloudError(
            u'The SRID of column {} is {}, which contradicts crs={}; convert the GeoDataFrame '
            u'with to_crs.'.format(shown(name), srids[0], shortened(given.to_string())))
    return own


def _parse_crs(crs):
    import pyproj
    try:
        return None if crs is None else pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        six.raise_from(AmigoCloudValueError(
            u'crs must be a coordinate system, not {}: {}'.format(
                shown(crs), shortened(str(error)))), error)


def _need_geo():
    extras.need('geo', 'pandas', 'geopandas', 'shapely', 'pyproj', 'pyogrio')
