"""The values of rows as JSON: single ones, and the columns of a frame, whose values are alike."""
from __future__ import absolute_import

import datetime
import decimal
import json
import math
import numbers
import struct
import sys
import uuid

import six

from .exceptions import AmigoCloudValueError

#: Rows of a frame that are encoded at a time.
SLICE_ROWS = 10000

_WGS84 = 4326
_NO_CRS = 'It has no coordinate system; set_crs says which it is in.'
#: Bytes of the byte order and the type of WKB, the last of which has a bit for the SRID that follows in EWKB.
_HEAD_SIZE = 5
_HAS_SRID = 0x20
#: Bytes that a number, a time or null takes at the most.
_SHORT = 60
#: Bytes that a character takes at the most: two escaped surrogates, whose backslashes are escaped again.
_LONGEST_CHARACTER = 14


def checked_text(text):
    """Return a text if a database of the service can hold it.

    Args:
        text (str): a value, or the name of a column.

    Raises:
        AmigoCloudValueError: it cannot.
    """
    try:
        text = six.ensure_text(text)
        text.encode('utf-8')
    except UnicodeError as error:
        six.raise_from(AmigoCloudValueError(u'{:.200} is no text: {:.200}'.format(repr(text), str(error))), error)
    if u'\0' in text:
        raise AmigoCloudValueError(u'{:.200} holds a null character, which no text of the service can.'.format(
            repr(text)))
    return text


def json_value(value):
    """Return what ``json.dumps`` takes for a value of a row.

    Args:
        value: None, a bool, number, text, date, time, UUID or shapely geometry, or a scalar of numpy.

    Raises:
        AmigoCloudValueError: no column holds such a value.
    """
    value = _plain(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, six.string_types):
        return checked_text(value)
    if isinstance(value, decimal.Decimal):
        value = _number(value)
    if isinstance(value, numbers.Integral):
        if not -2 ** 63 <= value < 2 ** 63:
            raise AmigoCloudValueError('{:.200} has more than 64 bits.'.format(str(value)))
        return int(value)
    if isinstance(value, numbers.Real):
        if math.isnan(value) or math.isinf(value):
            raise AmigoCloudValueError('{} is no number that JSON has; None is null.'.format(value))
        return float(value)
    # The missing time of pandas is a datetime too.
    if isinstance(value, (datetime.date, datetime.time)) and value == value:
        if getattr(value, 'nanosecond', 0):
            raise AmigoCloudValueError(u"{} holds nanoseconds; floor('us') leaves what the service keeps.".format(
                value))
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if _is_geometry(value):
        return _hex_ewkb(value)
    raise AmigoCloudValueError(u'{:.200} is of a type that no column holds.'.format(repr(value)))


class Column(object):
    """A column of a frame, checked as a whole and encoded in parts.

    Args:
        name (str): the column's name.
        series (pandas.Series): the column.
        as_dates (bool): times without a zone are midnights, and stand for their days.

    Attributes:
        name (str): as given.
        longest (int): no value takes more bytes in a request.

    Raises:
        AmigoCloudValueError: a value cannot be sent; the message has the number of its row.
    """

    def __init__(self, name, series, as_dates=False):
        self.name, self.longest = checked_text(name), _SHORT
        self._series, self._as_dates, self._texts = dense(series), as_dates, None
        self._encode = self._choose()
        if self._encode is _json_of_texts:
            self._check_texts()

    def texts(self, start, end):
        """Return the JSON of the values in some rows, as a list of str."""
        if self._texts is not None:
            return self._texts[start:end]
        return self._encode(self._series.iloc[start:end])

    def _choose(self):
        import pandas
        series, types = self._series, pandas.api.types
        plain = getattr(series.dtype, 'numpy_dtype', series.dtype)
        if is_time(series):
            check_times(series)
            return _json_of_dates if self._as_dates else _json_of_times
        if types.is_bool_dtype(plain) and not isinstance(series.dtype, pandas.CategoricalDtype):
            return _json_of_bools
        if types.is_integer_dtype(plain):
            self._check(series.notna() & (series >= 2 ** 63) if plain.kind == 'u' else None)
            return _json_of_integers
        if types.is_float_dtype(plain) and plain.itemsize <= 8:
            self._check(series.isin([float('inf'), float('-inf')]))
            return _json_of_floats
        if series.dtype.name != 'category' and types.infer_dtype(series, skipna=True) == 'string':
            return _json_of_texts
        self._texts = [self._json(number, value) for number, value in enumerate(_values(series))]
        self.longest = 2 * max([_SHORT] + [len(text) for text in self._texts])
        return None

    def _check(self, bad):
        """Raise for the first row that a Series of bool marks."""
        if bad is not None and bad.any():
            number = int(bad.to_numpy(dtype=bool, na_value=False).argmax())
            self._json(number, self._series.iloc[number])

    def _check_texts(self):
        for start in range(0, len(self._series), SLICE_ROWS):
            texts = [text for text in _values(self._series.iloc[start:start + SLICE_ROWS]) if text is not None]
            try:
                checked_text(u''.join(texts))
            except AmigoCloudValueError:
                for number, value in enumerate(_values(self._series)):
                    self._json(number, value)
            self.longest = max([self.longest] + [_LONGEST_CHARACTER * len(text) + 4 for text in texts])

    def _json(self, number, value):
        try:
            if _is_geometry(value) and not _srid_of(value):
                raise AmigoCloudValueError(_NO_CRS)
            return json.dumps(json_value(value))
        except AmigoCloudValueError as error:
            six.raise_from(AmigoCloudValueError(
                u'Row {}, counted from 0: {}: {}'.format(number, self.name, error.message)), error)


class GeometryColumn(object):
    """A column of geometry, as ``Column``; it is encoded once, to WKB.

    Args:
        name (str), series (geopandas.GeoSeries): see ``Column``.
        srid (int): of the whole column; None to keep that of each geometry.

    Attributes:
        name (str), longest (int): see ``Column``.
        wkbs (list of bytes): the EWKB of each geometry, or None; without an SRID where ``srid`` is given.
    """

    def __init__(self, name, series, srid):
        import shapely
        self.name, self._srid = checked_text(name), srid
        self.wkbs = shapely.to_wkb(series.to_numpy(), include_srid=srid is None).tolist()

    def heads(self):
        """Return the different beginnings of the WKB, with the byte order and the type, as a set of bytes."""
        return _heads(self.wkbs)

    @property
    def longest(self):
        return max([_SHORT] + [2 * (len(wkb) + _HEAD_SIZE) for wkb in self.wkbs if wkb])

    def texts(self, start, end):
        # To put the SRID in here is faster than to copy each geometry for it.
        wkbs = self.wkbs[start:end]
        heads = {head: '"' + self._with_srid(head).hex().upper() for head in _heads(wkbs)}
        return ['null' if wkb is None else heads[wkb[:_HEAD_SIZE]] + wkb[_HEAD_SIZE:].hex().upper() + '"'
                for wkb in wkbs]

    def _with_srid(self, head):
        if self._srid is None:
            return head
        return head[:-1] + bytes([head[-1] | _HAS_SRID]) + struct.pack('<I', self._srid)


def columns_of(frame, without):
    """Return the columns of a frame as they are sent to a dataset that is there.

    Args:
        frame (pandas.DataFrame): NaN, NaT and NA become null; its coordinate systems become SRIDs.
        without (str): a column to leave out.

    Raises:
        AmigoCloudValueError: a column cannot be sent; the message names it.
    """
    columns, names = [], set()
    for place, name in enumerate(frame.columns):
        if not isinstance(name, six.string_types) or not name.strip():
            raise AmigoCloudValueError(u'{!r} is no name of a column.'.format(name))
        if name in names:
            raise AmigoCloudValueError(u'There are two columns {!r}.'.format(name))
        names.add(name)
        if name == without:
            continue
        series = frame.iloc[:, place]
        if series.dtype.name == 'geometry':
            columns.append(GeometryColumn(name, series, _srid_of_column(name, series)))
        else:
            columns.append(_named(name, Column, name, series))
    return columns


def row_texts(columns, amigo_ids):
    """Yield amigo_ids and JSON of rows, slice by slice.

    Args:
        columns (list of Column): all of one length.
        amigo_ids (list of str): of the same length.
    """
    names = ', '.join(json.dumps(column.name).replace('%', '%%') + ': %s' for column in columns)
    template = '{{"new": {{{}}}, "amigo_id": %s}}'.format(names)
    for start in range(0, len(amigo_ids), SLICE_ROWS):
        end = start + SLICE_ROWS
        ids = amigo_ids[start:end]
        texts = [column.texts(start, end) for column in columns] + [_quoted(ids)]
        yield ids, [template % row for row in zip(*texts)]


def values_of(series):
    """Return the values of a column as a list, with None for what is missing."""
    return _values(dense(series))


def dense(series):
    """Return a column that is not sparse."""
    import pandas
    return series.sparse.to_dense() if isinstance(series.dtype, pandas.SparseDtype) else series


def is_time(series):
    """Return whether a column holds date-times of pandas."""
    import pandas
    return pandas.api.types.is_datetime64_any_dtype(series.dtype)


def check_times(series):
    """Return a column's moments that are there, in UTC if they have a zone.

    Raises:
        AmigoCloudValueError: the service cannot keep one as it is.
    """
    import pandas
    index = pandas.DatetimeIndex(series.dropna())
    if index.tz is not None:
        # The end of summer time has hours that are there twice, which cannot be rounded.
        index = index.tz_convert('UTC')
    if (index != index.floor('us')).any():
        raise AmigoCloudValueError("It holds nanoseconds; dt.floor('us') leaves what the service keeps.")
    if len(index) and (index.min().year < 1 or index.max().year > 9999):
        raise AmigoCloudValueError('It holds years that are not from 1 to 9999.')
    return index


def srid_of_crs(crs):
    """Return the SRID of a coordinate system.

    Raises:
        AmigoCloudValueError: it has none, or there is no coordinate system.
    """
    if crs is None:
        raise AmigoCloudValueError(_NO_CRS)
    import pyproj
    code = crs.to_epsg()
    if code is None or not pyproj.CRS.from_epsg(code).equals(crs, ignore_axis_order=True):
        raise AmigoCloudValueError('Its coordinate system, {}, has no code of EPSG; to_crs converts it to one that '
                                   'has.'.format(crs.name))
    return code


def _srid_of_column(name, series):
    import shapely
    shapes = series.to_numpy()
    if series.values.crs is None and shapely.get_srid(shapes[~shapely.is_missing(shapes)]).all():
        return None
    return _named(name, srid_of_crs, series.values.crs)


def _named(name, function, *args):
    """Call a function, and have its error name a column if it names no row."""
    try:
        return function(*args)
    except AmigoCloudValueError as error:
        if error.message.startswith('Row '):
            raise
        six.raise_from(AmigoCloudValueError(u'Column {!r}: {}'.format(name, error.message)), error)


def _plain(value):
    """A scalar of numpy as Python has it; what Python has not, as it is."""
    numpy = sys.modules.get('numpy')
    if numpy is None or not isinstance(value, numpy.generic) or isinstance(value, six.string_types):
        return value
    if isinstance(value, numpy.datetime64) and not numpy.isnat(value):
        # Python has no nanoseconds: item() would make a number of them.
        coarse = value if value == value.astype('datetime64[D]') else value.astype('datetime64[us]')
        if coarse != value:
            raise AmigoCloudValueError("{} holds nanoseconds; astype('datetime64[us]') leaves what the service "
                                       'keeps.'.format(value))
        unit = numpy.datetime_data(value.dtype)[0]
        moment = coarse.astype('datetime64[D]' if unit in 'YMWD' else 'datetime64[us]').item()
        if isinstance(moment, datetime.date):
            return moment
        raise AmigoCloudValueError('{} is not in the years from 1 to 9999.'.format(value))
    plain = value.item()
    return value if isinstance(plain, bytes) or plain is None else plain


def _number(value):
    """A Decimal as an int, which keeps all its digits, or else as a float; one that signals has no float."""
    if value.is_nan():
        return float('nan')
    is_whole = abs(value) < 2 ** 63 and value == value.to_integral_value()
    return int(value) if is_whole else float(value)


def _heads(wkbs):
    return {wkb[:_HEAD_SIZE] for wkb in wkbs if wkb}


def _is_geometry(value):
    return isinstance(value, getattr(sys.modules.get('shapely'), 'Geometry', ()))


def _srid_of(geometry):
    import shapely
    return int(shapely.get_srid(geometry))


def _hex_ewkb(geometry):
    import shapely
    if not shapely.get_srid(geometry):
        geometry = shapely.set_srid(geometry, _WGS84)
    return shapely.to_wkb(geometry, hex=True, include_srid=True)


def _values(series):
    import numpy
    values, missing = series.to_numpy(dtype=object), series.isna().to_numpy(dtype=bool)
    return numpy.where(missing, None, values).tolist() if missing.any() else values.tolist()


def _quoted(texts):
    quote = json.encoder.encode_basestring_ascii
    return [quote(text) for text in texts]


def _json_of_texts(series):
    quote = json.encoder.encode_basestring_ascii
    return ['null' if text is None else quote(text) for text in _values(series)]


def _json_of_bools(series):
    return ['null' if value is None else 'true' if value else 'false' for value in _values(series)]


def _json_of_integers(series):
    return ['null' if value is None else str(value) for value in _values(series)]


def _json_of_floats(series):
    numbers = series.to_numpy(dtype='float64', na_value=float('nan')).tolist()
    return [repr(number) if number == number else 'null' for number in numbers]


def _json_of_dates(series):
    import pandas
    return _json_of_moments(pandas.DatetimeIndex(series), 'D', 'naive')


def _json_of_times(series):
    import pandas
    index = pandas.DatetimeIndex(series)
    if index.tz is None:
        return _json_of_moments(index, 'us', 'naive')
    return _json_of_moments(index.tz_convert('UTC').tz_localize(None), 'us', 'UTC')


def _json_of_moments(index, unit, timezone):
    import numpy
    texts = numpy.datetime_as_string(index.to_numpy().astype('datetime64[{}]'.format(unit)), timezone=timezone)
    return ['null' if text == 'NaT' else '"' + text + '"' for text in texts.tolist()]
