"""The column types of the service, as dtypes of pandas and back."""
from __future__ import absolute_import

import datetime
import numbers

from ..exceptions import AmigoCloudValueError

#: The dtypes of pandas by the types of the service.
DTYPES = {'string': 'string', 'time': 'string', 'geometry': 'string', 'integer': 'Int32',
          'bigint': 'Int64', 'boolean': 'boolean', 'number': 'float64', 'float': 'float64',
          'real': 'float32', 'datetime': 'datetime64[us, UTC]', 'date': 'datetime64[s]'}

# The types of the service by what pandas.api.types.infer_dtype finds in a column of objects.
_TYPES_OF_OBJECTS = {'string': 'string', 'empty': 'string', 'boolean': 'boolean',
                     'integer': 'bigint', 'floating': 'float', 'mixed-integer-float': 'float',
                     'date': 'date'}

# A float holds every whole number up to this one.
_LARGEST_WHOLE = 2 ** 53


def service_type(series):
    """Return the type of the service for a column.

    Args:
        series (pandas.Series): the column.

    Raises:
        AmigoCloudValueError: no type of the service keeps all values of the column.
    """
    import numpy
    import pandas
    series = dense(series)
    dtype = series.dtype
    types = pandas.api.types
    if dtype.name == 'geometry':
        return 'geometry'
    if is_time(series):
        return _type_of_times(checked_times(series))
    # Nullable dtypes and those of Arrow name the dtype of numpy that they extend.
    plain = getattr(dtype, 'numpy_dtype', dtype)
    if types.is_bool_dtype(plain):
        return 'boolean'
    if types.is_integer_dtype(plain):
        return 'integer' if numpy.can_cast(plain, 'int32') else 'bigint'
    if types.is_float_dtype(plain) and numpy.can_cast(plain, 'float64'):
        return 'real' if numpy.can_cast(plain, 'float32') else 'float'
    return _type_of_objects(series)


def dense(series):
    """Return a column that is not sparse."""
    import pandas
    return series.sparse.to_dense() if isinstance(series.dtype, pandas.SparseDtype) else series


def is_time(series):
    """Return whether a column has a dtype of date-times."""
    import pandas
    return pandas.api.types.is_datetime64_any_dtype(series.dtype)


def checked_times(series):
    """Return the date-times of a column that are not missing, in UTC if they have a time zone.

    Args:
        series (pandas.Series): the column; see ``is_time``.

    Returns:
        pandas.DatetimeIndex: the date-times.

    Raises:
        AmigoCloudValueError: the service cannot keep one of them unchanged.
    """
    import pandas
    index = pandas.DatetimeIndex(series.dropna())
    if index.tz is not None:
        # Hours that occur twice, at the end of summer time, cannot be rounded in local time.
        index = index.tz_convert('UTC')
    if (index != index.floor('us')).any():
        raise AmigoCloudValueError(
            "it has nanoseconds, which the service does not keep; round it with dt.floor('us').")
    if len(index) and (index.min().year < 1 or index.max().year > 9999):
        raise AmigoCloudValueError('it has a year that is not between 1 and 9999; replace it.')
    return index


def _type_of_times(index):
    if index.tz is not None:
        return 'datetime'
    if (index != index.normalize()).any():
        raise AmigoCloudValueError(
            "it has times without a time zone; set it, for example with dt.tz_localize('UTC').")
    return 'date'


def _type_of_objects(series):
    import pandas
    types = pandas.api.types
    dtype = series.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        found = types.infer_dtype(dtype.categories) if len(dtype.categories) else 'empty'
        is_known = found in ('string', 'empty')
    else:
        present = series.dropna()
        found = dtype.name if types.is_numeric_dtype(dtype) else types.infer_dtype(present)
        is_known = found in _TYPES_OF_OBJECTS
        if found == 'date':
            # pandas counts a datetime as a date too, but it would lose its time.
            is_known = present.map(type).eq(datetime.date).all()
        if found == 'mixed-integer-float' and present.map(_is_rounded_by_float).any():
            raise AmigoCloudValueError(
                'it mixes floats and whole numbers above 2**53, which a float cannot hold exactly; '
                'round them with astype(float).')
    if not is_known:
        raise AmigoCloudValueError(
            u'the service has no type for its dtype {} ({}); convert it, for example to text with '
            u"astype('string').".format(dtype, found))
    return _TYPES_OF_OBJECTS[found]


def _is_rounded_by_float(value):
    return isinstance(value, numbers.Integral) and abs(int(value)) > _LARGEST_WHOLE
