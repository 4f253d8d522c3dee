"""The pages of a result as one table: for pandas, geopandas, Arrow, or in a file.

Rows become columns page by page, so that a million of them are never a million dicts at a time.
"""
from __future__ import absolute_import

import importlib
import itertools
import json
import os
import re
import shutil
import struct
import tempfile

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError
from .pages import columns_of
from .progress import check_progress, reporting

_DTYPES = {
    'string': 'string', 'time': 'string', 'geometry': 'string', 'integer': 'Int32', 'bigint': 'Int64',
    'boolean': 'boolean', 'number': 'float64', 'float': 'float64', 'real': 'float32',
    'datetime': 'datetime64[us, UTC]', 'date': 'datetime64[s]'}

# As PostgreSQL writes them. An era at the end is not theirs: pandas would not mind it, and miss the year.
_DAY = re.compile(r'\d{4}-\d\d-\d\d(?:[T ][\d:.]+)?\Z')
# Offsets of before the time zones have seconds.
_MOMENT = re.compile(r'(\d{4}-\d\d-\d\d(?:[T ][\d:.]+)?) ?(?:Z|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?\Z')

# Types of geometry that shapely has no class for, by their number in WKB, and what SQL makes of them.
_CURVES = {8: 'CIRCULARSTRING', 9: 'COMPOUNDCURVE', 10: 'CURVEPOLYGON', 11: 'MULTICURVE', 12: 'MULTISURFACE'}
_SURFACES = {15: 'POLYHEDRALSURFACE', 16: 'TIN', 17: 'TRIANGLE'}

# Endings that several drivers of GDAL claim.
_DRIVERS = {'.gdb': 'OpenFileGDB', '.json': 'GeoJSON', '.kml': 'KML'}
# The names that a driver gives to columns of its own, and the options that change them.
_OWN_COLUMNS = {'GPKG': {'FID': 'fid', 'GEOMETRY_NAME': 'geom'},
                'SQLITE': {'GEOMETRY_NAME': 'geometry'}}
# Formats whose files hold several layers, of which one is written.
_CONTAINERS = ('GPKG', 'SQLITE', 'OPENFILEGDB', 'LIBKML', 'XLSX', 'ODS')
# The files that belong to one of this ending.
_COMPANIONS = {'.shp': ('.shx', '.dbf', '.prj', '.cpg', '.qpj', '.qix', '.sbn', '.sbx', '.idm', '.ind'),
               '.tab': ('.dat', '.map', '.id', '.ind'), '.mif': ('.mid',), '.gml': ('.xsd', '.gfs'),
               '.csv': ('.csvt', '.prj')}


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
    place = _Place(path, kwargs)
    result = _Result(pages)
    frame = _geodataframe(result, None, None, progress) if result.geometries else _dataframe(result, progress)
    for name, kind in (result.types or {}).items():
        if kind == 'date':
            frame[name] = _days(frame[name])
    place.write(frame, result.geometries)


_MISFITS = (TypeError, ValueError, OverflowError, NotImplementedError)


def _misfit_error(name, kind, values, convert, error):
    """Names the first value that is not of its column's type."""
    for value in values:
        try:
            convert([value], kind)
        except _MISFITS:
            return AmigoCloudError(
                u'The column {0!r} is of type {1}, which cannot be made of {2:.200}. Cast it in the SQL: '
                u'"{0}"::text'.format(name, kind, repr(value)))
    return AmigoCloudError(u'The values of the column {!r} of type {} do not go together: {:.200}'.format(
        name, kind, str(error)))


class _Place(object):
    """Where ``to_file`` writes to: a file that is replaced once the new one is whole.

    Args:
        path (str or os.PathLike): as the caller named it. What is no path of a file, such as ``/vsimem/x`` or an
            open file, is written to directly.
        settings (dict): for ``pyogrio.write_dataframe``.

    Raises:
        AmigoCloudValueError: nothing can be written there.
    """

    def __init__(self, path, settings):
        self._settings = dict(settings)
        self._name = path
        self._path = None
        if isinstance(path, (bytes, six.text_type, os.PathLike)):
            path = os.fsdecode(path)
            self._choose_driver(path)
            if not path.startswith('/vsi') and '://' not in path:
                # A link stays one, and its target is written.
                self._path = os.path.realpath(path)
                self._check()
        elif not hasattr(path, 'write'):
            raise AmigoCloudValueError('path must be a str or os.PathLike, not {:.200}.'.format(repr(path)))

    def write(self, frame, geometries):
        """Writes a frame with the columns of geometry named."""
        settings = self._settings
        # GDAL ignores the case of a driver's name.
        driver = str(settings.get('driver')).upper()
        options = {name.upper() for name in list(settings) + list(settings.get('layer_options') or {})}
        if driver == 'CSV' and geometries and 'GEOMETRY' not in options:
            settings['GEOMETRY'] = 'AS_WKT'
        elif driver in ('XLSX', 'ODS') and geometries:
            frame = _with_wkt(frame, geometries)
        taken = {str(name).lower() for name in frame.columns if name not in geometries[:1]}
        for option, own in _OWN_COLUMNS.get(driver, {}).items():
            if own in taken and option not in options:
                settings[option] = next(name for name in map((own + '_{}').format, itertools.count(1))
                                        if name not in taken)
        if self._path is None:
            self._write(frame, self._name, '')
            return
        folder, name = os.path.split(self._path)
        try:
            part = tempfile.mkdtemp('.part', '.', folder)
            try:
                if settings.get('append') or driver in _CONTAINERS:
                    self._copy(folder, part)
                self._write(frame, os.path.join(part, name), part)
                self._move(part, folder)
            finally:
                shutil.rmtree(part)
        except EnvironmentError as error:
            six.raise_from(self._error(error), error)

    def _choose_driver(self, path):
        import pyogrio
        if self._settings.get('driver') is None:
            ending = os.path.splitext(path)[1].lower()
            try:
                self._settings['driver'] = _DRIVERS.get(ending) or pyogrio.detect_write_driver(path)
            except ValueError as error:
                six.raise_from(AmigoCloudValueError(u'{:.200} names no format: {:.200}'.format(
                    repr(path), str(error))), error)

    def _check(self):
        folder, name = os.path.split(self._path)
        if not os.path.isdir(folder):
            raise AmigoCloudValueError('There is no folder for {:.200}.'.format(repr(self._path)))
        if os.path.isdir(self._path) and not name.lower().endswith('.gdb'):
            raise AmigoCloudValueError('{:.200} is a folder; name a file in it.'.format(repr(self._path)))
        for log in (self._path + '-wal', self._path + '-journal'):
            if os.path.exists(log):
                # SQLite keeps rows there that the file does not have yet.
                raise AmigoCloudValueError('{:.200} is open in another program, which has {:.200} beside it; close it '
                                           'there first.'.format(repr(self._path), repr(log)))

    def _names(self):
        """The name of the file, and of those that belong to it."""
        name = os.path.basename(self._path)
        stem, ending = os.path.splitext(name)
        return [stem + other for other in _COMPANIONS.get(ending.lower(), ())] + [name]

    def _copy(self, folder, part):
        # GDAL keeps the other layers that it finds, or appends to its own.
        for name in self._names():
            old, new = os.path.join(folder, name), os.path.join(part, name)
            if os.path.isdir(old):
                shutil.copytree(old, new)
            elif os.path.exists(old):
                shutil.copy(old, new)

    def _write(self, frame, path, part):
        import pyogrio
        try:
            pyogrio.write_dataframe(frame, path, **self._settings)
        except Exception as error:
            # pyogrio, pandas and pyarrow raise of many classes here.
            six.raise_from(self._error(str(error).replace(os.path.join(part, ''), '')), error)

    def _move(self, part, folder):
        made = os.listdir(part)
        for name in self._names():
            old = os.path.join(folder, name)
            if os.path.isdir(old):
                # A folder cannot be replaced in one step.
                os.rename(old, tempfile.mkdtemp(dir=part))
            elif os.path.exists(old) and name in made:
                shutil.copymode(old, os.path.join(part, name))
            elif os.path.exists(old):
                os.remove(old)
        # The file itself comes last, for its companions are read with it.
        for name in sorted(made, key=os.path.basename(self._path).__eq__):
            os.replace(os.path.join(part, name), os.path.join(folder, name))

    def _error(self, reason):
        return AmigoCloudError(u'{:.200} cannot be written: {:.500}'.format(repr(self._name), str(reason)))


def _with_wkt(frame, geometries):
    import pandas
    return pandas.DataFrame({name: column.to_wkt() if name in geometries else column for name, column in frame.items()})


def _days(column):
    """Makes an array that GDAL takes for days: pandas has only moments."""
    import numpy
    import pandas

    class DayType(pandas.api.extensions.ExtensionDtype):
        name, type, na_value = 'day', numpy.datetime64, pandas.NaT

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
                    values = [row[name] for row in rows]
                except (KeyError, TypeError) as error:
                    six.raise_from(AmigoCloudError('A row of the answer has no {!r}.'.format(name)), error)
                try:
                    parts[name].append(convert(values, kind))
                except _MISFITS as error:
                    six.raise_from(_misfit_error(name, kind, values, convert, error), error)
        for name, kind in self.types.items():
            # Each column's parts go as soon as they are put together.
            yield name, kind, parts.pop(name)


def _dataframe(result, progress):
    import pandas
    if result.types is None:
        rows = list(itertools.chain.from_iterable(result.rows(progress)))
        try:
            return pandas.DataFrame(rows)
        except Exception as error:
            # Rows of several kinds make pandas fail in many ways.
            six.raise_from(AmigoCloudError(u'The rows make no table: {:.200}'.format(str(error))), error)
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
        frame = _dataframe(result, progress)
        return pyarrow.table({str(name): _arrow_array(str(name), frame[name]) for name in frame.columns})
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
            u'The column {0!r} holds values that Arrow has no common type for: {1:.200} Cast it in the SQL: '
            u'"{0}"::text'.format(name, str(error))), error)


def _array(values, kind):
    import numpy
    import pandas
    if kind not in _DTYPES:
        return pandas.Series(values, dtype='object')
    if kind in ('date', 'datetime') and not set(map(type, values)) <= {str, type(None)}:
        # numpy would take a number for seconds.
        raise TypeError('not a text')
    if kind == 'datetime':
        return _moments(values)
    if kind == 'date' and not all(value is None or _DAY.match(value) for value in values):
        raise ValueError('no day')
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
    except ValueError:
        # pandas 2 parses many at a time to nanoseconds only, which end in 2262, and no pandas parses every offset.
        moments = pandas.DatetimeIndex(numpy.array([_moment(text) for text in texts], 'datetime64[us]'), tz='UTC')
    return moments.as_unit('us')


def _moment(text):
    import numpy
    if text is None:
        return None
    match = _MOMENT.match(text)
    if match is None:
        raise ValueError(text)
    local, sign, hours, minutes, seconds = match.groups()
    offset = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return numpy.datetime64(local, 'us') - numpy.timedelta64(-offset if sign == '-' else offset, 's')


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
    except (shapely.errors.ShapelyError, NotImplementedError) as error:
        six.raise_from(_geometry_error(name, itertools.chain.from_iterable(parts), error), error)


def _geometry_error(name, values, error):
    """Names the first value that shapely cannot read, and what SQL makes of it."""
    import shapely
    for value in values:
        try:
            shapely.from_wkb(value)
        except (shapely.errors.ShapelyError, NotImplementedError) as failure:
            kind = _kind_of(value, failure)
            if kind in _CURVES or isinstance(failure, NotImplementedError):
                return AmigoCloudError(
                    u'The column {0!r} holds a {1}, which shapely has no class for. Make lines of it in the SQL: '
                    u'ST_CurveToLine("{0}"). to_dataframe keeps it as it is.'.format(name, _CURVES.get(kind, 'curve')))
            if kind in _SURFACES:
                return AmigoCloudError(
                    u'The column {0!r} holds a {1}, which shapely has no class for. Take it as text in the SQL: '
                    u'ST_AsText("{0}"). to_dataframe keeps it as it is.'.format(name, _SURFACES[kind]))
            return AmigoCloudError(u'The column {!r} holds what is no geometry, {:.200}: {:.200}'.format(
                name, value.hex(), str(failure)))
    return AmigoCloudError(u'The column {!r} holds what is no geometry: {:.200}'.format(name, str(error)))


def _kind_of(value, failure):
    """The number of a type without the flags for Z, M and SRID; of the part, where a collection holds it."""
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
