"""A table of pandas or geopandas as a new dataset."""
from __future__ import absolute_import

import datetime
import json

import six

from . import changes, frames
from .exceptions import AmigoCloudError, AmigoCloudValueError
from .progress import check_progress, reporting

#: Rows that are taken out of the frame at a time.
SLICE_ROWS = 10000

_AMIGO_ID = 'amigo_id'
#: Bytes; PostgreSQL cuts a longer name.
_LONGEST_NAME = 63
#: The service's types for what pandas holds as objects or texts, as ``pandas.api.types.infer_dtype`` calls it.
_TYPES_OF_OBJECTS = {'string': 'string', 'empty': 'string', 'boolean': 'boolean', 'integer': 'bigint',
                     'floating': 'float', 'date': 'date'}
#: By shapely's numbers for them.
_GEOMETRY_TYPES = ('POINT', 'LINESTRING', 'LINEARRING', 'POLYGON', 'MULTIPOINT', 'MULTILINESTRING', 'MULTIPOLYGON',
                   'GEOMETRYCOLLECTION')


def write_geodataframe(get, post, wait_for_job, below, frame, name, progress=None):
    """Makes a dataset of a table; see ``AmigoCloud.write_geodataframe``.

    Args:
        get, post, wait_for_job (callable): as the methods of ``AmigoCloud``.
        below (str): what stands before the paths of the project; see ``queries.project_path``.
    """
    check_progress(progress)
    if not isinstance(name, six.string_types) or not name.strip():
        raise AmigoCloudValueError('The name of a dataset is a str with something in it, not {!r}.'.format(name))
    columns, amigo_ids = _columns(frame), _amigo_ids(frame)
    changes.check_rows(_rows(frame, columns, amigo_ids))
    answer = post(below + 'datasets/create', {'name': changes.checked_text(name), 'schema': json.dumps(
        [column.definition for column in columns])})
    if not isinstance(answer, dict) or 'id' not in answer:
        raise AmigoCloudError(u'The answer to the creation of a dataset names no id: {!r}'.format(answer))
    try:
        if 'job' in answer:
            wait_for_job(answer)
        with reporting(progress, len(frame), 'rows', 'Writing') as report:
            changes.insert_rows(post, wait_for_job, below, answer['id'], _rows(frame, columns, amigo_ids), report)
    except AmigoCloudError as error:
        error.message = u'Dataset {} was begun, and is not whole: {}'.format(answer['id'], error.message)
        raise
    return get('{}datasets/{}'.format(below, answer['id']))


class _Column(object):
    """A column of a frame: how a schema defines it, and how its values become those of rows.

    Args:
        name (str): the column's name.
        series (pandas.Series): the whole column.

    Raises:
        AmigoCloudValueError: the service has no type that holds it as it is.
    """

    def __init__(self, name, series):
        self.name, self._kind = name, _kind(series)
        self.definition = {'name': name, 'type': self._kind, 'nullable': True, 'visible': True}
        if self._kind == 'geometry':
            self._srid = _srid(series.values.crs)
            self.definition['geometry_type'] = _geometry_type(series)

    def values(self, series):
        """Gives the values of a part of the column, as ``changes.insert_rows`` takes them."""
        if self._kind == 'geometry':
            import shapely
            return shapely.to_wkb(shapely.set_srid(series.to_numpy(), self._srid), hex=True, include_srid=True).tolist()
        if _is_time(series):
            return _texts_of_times(series, self._kind)
        if self._kind == 'boolean':
            # Among objects those of numpy would stay what they are, and are no bool.
            series = series.astype('boolean')
        return series.astype(object).where(series.notna(), None).tolist()


def _columns(frame):
    frames.need('geo', 'pandas')
    import pandas
    if not isinstance(frame, pandas.DataFrame):
        raise AmigoCloudValueError('This writes a GeoDataFrame or a DataFrame, not a {}.'.format(type(frame).__name__))
    columns, seen = [], {}
    for place, name in enumerate(frame.columns):
        try:
            _check_name(name, seen)
            if name != _AMIGO_ID:
                columns.append(_Column(name, frame.iloc[:, place]))
        except AmigoCloudValueError as error:
            six.raise_from(AmigoCloudValueError(u'Column {!r}: {}'.format(name, error.message)), error)
    if not columns:
        raise AmigoCloudValueError('The frame has no column that could be written.')
    return columns


def _check_name(name, seen):
    if not isinstance(name, six.string_types) or not name.strip():
        raise AmigoCloudValueError('A column is named by a str with something in it.')
    if len(changes.checked_text(name).encode('utf-8')) > _LONGEST_NAME:
        raise AmigoCloudValueError('Its name is longer than {} bytes.'.format(_LONGEST_NAME))
    folded = name.lower()
    if folded in seen or folded == _AMIGO_ID != name:
        raise AmigoCloudValueError('There is a column of this name already, but for case at the most: {!r}.'.format(
            seen.get(folded, _AMIGO_ID)))
    seen[folded] = name


def _amigo_ids(frame):
    """The amigo_id of each row; those that are made here ascend, as ``read_dataset`` sorts by them."""
    if _AMIGO_ID not in frame:
        return sorted(changes.new_amigo_id() for _ in range(len(frame)))
    given = frame[_AMIGO_ID]
    if _kind(given) != 'string' or given.dropna().duplicated().any():
        raise AmigoCloudValueError('Each amigo_id is a text of its own, or missing.')
    return _Column(_AMIGO_ID, given).values(given)


def _rows(frame, columns, amigo_ids):
    names = [column.name for column in columns] + [_AMIGO_ID]
    for start in range(0, len(frame), SLICE_ROWS):
        end = start + SLICE_ROWS
        part = frame.iloc[start:end]
        values = [column.values(part[column.name]) for column in columns] + [amigo_ids[start:end]]
        for row in zip(*values):
            yield dict(zip(names, row))


def _kind(series):
    """The service's type for a column."""
    import numpy
    import pandas
    dtype, types = series.dtype, pandas.api.types
    if dtype.name == 'geometry':
        return 'geometry'
    if _is_time(series):
        return _kind_of_times(series)
    # Nullable types and those of Arrow name the type of numpy that they are like.
    plain = getattr(dtype, 'numpy_dtype', dtype)
    if types.is_bool_dtype(plain):
        return 'boolean'
    if types.is_integer_dtype(plain):
        return 'integer' if numpy.can_cast(plain, 'int32') else 'bigint'
    if types.is_float_dtype(plain) and numpy.can_cast(plain, 'float64'):
        return 'real' if numpy.can_cast(plain, 'float32') else 'float'
    if isinstance(dtype, pandas.CategoricalDtype):
        found = types.infer_dtype(dtype.categories) if len(dtype.categories) else 'empty'
        is_known = found in ('string', 'empty')
    else:
        found = dtype.name if types.is_numeric_dtype(dtype) else types.infer_dtype(series.dropna())
        # A datetime is a date too, and would lose its time.
        is_known = found != 'date' or series.dropna().map(type).eq(datetime.date).all()
    if not is_known or found not in _TYPES_OF_OBJECTS:
        raise AmigoCloudValueError('The service has no type for {} ({}); astype(str) would make texts of it.'.format(
            dtype, found))
    return _TYPES_OF_OBJECTS[found]


def _is_time(series):
    import pandas
    return pandas.api.types.is_datetime64_any_dtype(series.dtype)


def _kind_of_times(series):
    import pandas
    index = pandas.DatetimeIndex(series.dropna())
    if (index != index.floor('us')).any():
        raise AmigoCloudValueError("It holds nanoseconds; dt.floor('us') leaves what the service keeps.")
    if index.tz is not None:
        index = index.tz_convert('UTC')
    if len(index) and (index.min().year < 1 or index.max().year > 9999):
        raise AmigoCloudValueError('It holds years that are not from 1 to 9999.')
    if index.tz is not None:
        return 'datetime'
    if (index != index.normalize()).any():
        raise AmigoCloudValueError("It has times without a time zone; dt.tz_localize('UTC') or another says which.")
    return 'date'


def _texts_of_times(series, kind):
    import numpy
    import pandas
    index = pandas.DatetimeIndex(series)
    if kind == 'date':
        texts = numpy.datetime_as_string(index.to_numpy().astype('datetime64[D]'))
    else:
        moments = index.tz_convert('UTC').tz_localize(None).to_numpy().astype('datetime64[us]')
        texts = numpy.datetime_as_string(moments, timezone='UTC')
    return numpy.where(index.isna(), None, texts).tolist()


def _srid(crs):
    if crs is None:
        raise AmigoCloudValueError('It has no coordinate system; set_crs says which it is in.')
    import pyproj
    code = crs.to_epsg()
    if code is None or not pyproj.CRS.from_epsg(code).equals(crs, ignore_axis_order=True):
        raise AmigoCloudValueError('Its coordinate system, {}, has no code of EPSG; to_crs converts it to one that '
                                   'has.'.format(crs.name))
    return code


def _geometry_type(series):
    """What PostGIS calls the column's geometry: one kind, if it is of one."""
    import numpy
    import shapely
    shapes = series.to_numpy()
    shapes = shapes[~shapely.is_missing(shapes)]
    kinds = [_GEOMETRY_TYPES[number] for number in numpy.unique(shapely.get_type_id(shapes))]
    if 'LINEARRING' in kinds:
        raise AmigoCloudValueError('It holds linear rings, which PostGIS has only as line strings.')
    is_3d = len(shapes) and shapely.has_z(shapes).all()
    return (kinds[0] if len(kinds) == 1 else 'GEOMETRY') + ('Z' if is_3d else '')
