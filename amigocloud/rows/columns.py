"""Encode values of rows as JSON, one by one or a whole column of a frame at a time."""
from __future__ import absolute_import

import copy
import datetime
import decimal
import functools
import json
import math
import numbers
import struct
import sys
import uuid

import six

from .. import checks
from ..exceptions import AmigoCloudValueError, shortened, shown, text_of
from .dtypes import checked_times, dense, is_time

#: The column that identifies each row of a dataset.
AMIGO_ID = 'amigo_id'

#: Rows of a frame that are encoded at a time; more would need more memory and be no faster.
SLICE_ROWS = 2000
# Bytes of WKB that are encoded at a time, unless a single row has more.
_SLICE_SIZE = 2000000

#: The SRID of WGS 84, the coordinate system of the geometry in every dataset.
WGS84 = 4326

#: Bytes of the byte order and the type, with which WKB begins.
HEAD_SIZE = 5
# The bit in the last byte of the type which says that EWKB has an SRID after the type.
_HAS_SRID = 0x20

# The largest number of bytes of a number, a time or null in a request.
_SHORT = 60
# The largest number of bytes of a character in a request: a surrogate pair is escaped as two
# sequences, whose backslashes are escaped again.
_LONGEST_CHARACTER = 14
# The bytes of the two quotation marks of a text in a request, where they are escaped.
_QUOTES = 4

#: The message for geometry that may be anywhere.
NO_CRS = 'it has no coordinate system; set one with set_crs.'


def checked_name(name):
    """Return the name of a column as a text.

    Args:
        name (str): the name.

    Raises:
        AmigoCloudValueError: name is not a str, is blank, or is a text that the service cannot
            store.
    """
    return checked_text(checks.text('The name of a column', name))


def checked_text(text):
    """Return a text that the service can store.

    Args:
        text (str): a value, or the name of a column.

    Raises:
        AmigoCloudValueError: the text is not valid UTF-8, or has a null character.
    """
    try:
        text = six.ensure_text(text)
        text.encode('utf-8')
    except UnicodeError as error:
        six.raise_from(AmigoCloudValueError(u'{} is not valid UTF-8: {}'.format(
            shown(text), shortened(text_of(error)))), error)
    if u'\0' in text:
        raise AmigoCloudValueError(
            u'{} has a null character, which the service cannot store; remove it.'.format(
                shown(text)))
    return text


def json_value(value):
    """Return a value of a row as ``json.dumps`` accepts it.

    Args:
        value: None, a bool, number, text, date, time, UUID, shapely geometry or numpy scalar.

    Raises:
        AmigoCloudValueError: no column can store the value.
    """
    value = python_value(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, six.string_types):
        return checked_text(value)
    if isinstance(value, decimal.Decimal):
        value = _int_or_float(value)
    if isinstance(value, numbers.Integral):
        if not -2 ** 63 <= value < 2 ** 63:
            raise AmigoCloudValueError(
                u'{} has more than 64 bits; convert it to float or str.'.format(shown(int(value))))
        return int(value)
    if isinstance(value, numbers.Real):
        return _finite_float(value)
    # The missing time of pandas, which is not equal to itself, is a datetime too.
    if isinstance(value, (datetime.date, datetime.time)) and value == value:
        if getattr(value, 'nanosecond', 0):
            raise AmigoCloudValueError(
                u"{} has nanoseconds, which the service does not keep; round it with "
                u"floor('us').".format(shown(value)))
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if is_geometry(value):
        return _hex_ewkb(value)
    # The missing values of pandas and numpy, which are not None.
    is_missing = type(value).__name__ in ('NAType', 'NaTType') or isinstance(
        value, getattr(sys.modules.get('numpy'), 'datetime64', ()))
    raise AmigoCloudValueError(u'no column can store {}, which is of type {}; {}.'.format(
        shown(value), type(value).__name__,
        'use None for null' if is_missing else 'convert it to text'))


def in_row(number, error):
    """Return an AmigoCloudValueError that says in which row another one occurred."""
    return AmigoCloudValueError(u'Row {}, counted from 0: {}'.format(number, error.message))


def in_value(name, error):
    """Return an AmigoCloudValueError that says in which column of its row another one occurred."""
    return AmigoCloudValueError(u'column {}: {}'.format(shown(name), error.message))


def naming_column(name, check, *args):
    """Call a function, and name the column if it raises AmigoCloudValueError."""
    try:
        return check(*args)
    except AmigoCloudValueError as error:
        six.raise_from(AmigoCloudValueError(
            u'Column {}: {}'.format(shown(name), error.message)), error)


class Column(object):
    """A column of a frame, checked as a whole and encoded in parts.

    Args:
        name (str): the name of the column.
        series (pandas.Series): the column.
        as_dates (bool): whether to send times without a time zone, all midnight, as dates.

    Attributes:
        name (str): as given.
        longest (int): an upper limit of the bytes of a value in a request.

    Raises:
        AmigoCloudValueError: a value cannot be sent; the message has the number of its row.
    """

    def __init__(self, name, series, as_dates=False):
        self.name = checked_text(name)
        self.longest = _SHORT
        self._series = dense(series)
        self._as_dates = as_dates
        # The JSON of all values, if they cannot be encoded in parts.
        self._texts = None
        self._encode = self._choose_encoder()
        if self._encode is None:
            self._texts = [self._json(row, value)
                           for row, value in enumerate(_values(self._series))]
            self.longest = 2 * max([_SHORT] + [len(text) for text in self._texts])
        elif self._encode is _json_of_texts:
            self._check_texts()

    def texts(self, start, end):
        """Return the JSON of the values of some rows, as a list of str."""
        if self._texts is not None:
            return self._texts[start:end]
        return self._encode(self._series.iloc[start:end])

    def part(self, places):
        """Return a column of some of the rows, which are encoded as in this one.

        A table of only these rows could get other types.
        """
        column = copy.copy(self)
        column._series = self._series.iloc[places]
        if self._texts is not None:
            column._texts = [self._texts[place] for place in places]
        return column

    def values(self, as_dates=False):
        """Return the values as the service returns them, where it is certain how.

        Args:
            as_dates (bool): whether the column of the dataset has dates.

        Returns:
            list: the values as ``json.loads`` returns them.
        """
        if self._encode in (_json_of_bools, _json_of_integers, _json_of_texts):
            return _values(self._series)
        if self._encode is _json_of_floats:
            numbers = self._series.to_numpy(dtype='float64', na_value=float('nan')).tolist()
            return [number if number == number else None for number in numbers]
        if self._encode is _json_of_times:
            return _times_of_service(self._series, as_dates)
        texts = self.texts(0, len(self._series))
        return json.loads('[{}]'.format(','.join(texts)))

    def _choose_encoder(self):
        import numpy
        import pandas
        series = self._series
        types = pandas.api.types
        plain = getattr(series.dtype, 'numpy_dtype', series.dtype)
        if is_time(series):
            naming_column(self.name, checked_times, series)
            return _json_of_dates if self._as_dates else _json_of_times
        if types.is_bool_dtype(plain) and not isinstance(series.dtype, pandas.CategoricalDtype):
            return _json_of_bools
        if types.is_integer_dtype(plain):
            if plain.kind == 'u':
                self._raise_for_first(series.to_numpy('uint64', na_value=0) >= 2 ** 63)
            return _json_of_integers
        if types.is_float_dtype(plain) and plain.itemsize <= 8:
            # Check in numpy, because Arrow cannot compare floats of 16 bits.
            self._raise_for_first(numpy.isinf(series.to_numpy('float64', na_value=numpy.nan)))
            return _json_of_floats
        if series.dtype.name != 'category' and types.infer_dtype(series, skipna=True) == 'string':
            return _json_of_texts
        return None

    def _raise_for_first(self, is_bad):
        """Raise for the first row that is True in an array."""
        if is_bad.any():
            row = int(is_bad.argmax())
            self._json(row, self._series.iloc[row])

    def _check_texts(self):
        for start in range(0, len(self._series), SLICE_ROWS):
            values = _values(self._series.iloc[start:start + SLICE_ROWS])
            texts = [text for text in values if text is not None]
            try:
                # One check of the joined texts is faster than a check of each.
                checked_text(u''.join(texts))
            except AmigoCloudValueError:
                for row, value in enumerate(_values(self._series)):
                    self._json(row, value)
            longest = max([0] + [len(text) for text in texts])
            self.longest = max(self.longest, _LONGEST_CHARACTER * longest + _QUOTES)

    def _json(self, row, value):
        try:
            if is_geometry(value) and not srid_of(value):
                raise AmigoCloudValueError(NO_CRS)
            return json.dumps(json_value(value))
        except AmigoCloudValueError as error:
            six.raise_from(in_row(row, in_value(self.name, error)), error)


class GeometryColumn(object):
    """A geometry column of a frame, encoded to WKB once; see ``Column``.

    Args:
        name (str): the name of the column.
        series (geopandas.GeoSeries): the column.
        srid (int): the SRID of all geometries; None to send the SRID that each geometry has.

    Attributes:
        name (str): as given.
        longest (int): see ``Column``.
        wkbs (list of bytes): the EWKB of each geometry, or None for a missing one; without an SRID
            if ``srid`` is given.
    """

    def __init__(self, name, series, srid):
        import shapely
        self.name = checked_text(name)
        self._srid = srid
        self.wkbs = shapely.to_wkb(series.to_numpy(), include_srid=srid is None).tolist()

    def part(self, places):
        """Return a column of some of the rows."""
        column = copy.copy(self)
        column.wkbs = [self.wkbs[place] for place in places]
        return column

    def heads(self):
        """Return the different heads of the WKB, which are byte order and type, as a set."""
        return _heads(self.wkbs)

    @property
    def longest(self):
        return max(_SHORT, 2 * (HEAD_SIZE + max([0] + [len(wkb) for wkb in self.wkbs if wkb])))

    def texts(self, start, end):
        """Return the JSON of the values of some rows, as a list of str."""
        # Inserting the SRID into the WKB is faster than copying each geometry to set it.
        wkbs = self.wkbs[start:end]
        heads = {head: '"' + self._with_srid(head).hex().upper() for head in _heads(wkbs)}
        return ['null' if wkb is None else
                heads[wkb[:HEAD_SIZE]] + wkb[HEAD_SIZE:].hex().upper() + '"' for wkb in wkbs]

    def values(self, as_dates=False):
        """Return the values as hexadecimal EWKB, as a list; see ``Column``."""
        heads = {head: self._with_srid(head).hex().upper() for head in _heads(self.wkbs)}
        return [None if wkb is None else heads[wkb[:HEAD_SIZE]] + wkb[HEAD_SIZE:].hex().upper()
                for wkb in self.wkbs]

    def _with_srid(self, head):
        if self._srid is None:
            return head
        return head[:-1] + bytes([head[-1] | _HAS_SRID]) + struct.pack('<I', self._srid)


def frame_columns(frame):
    """Return the columns of a frame, except its amigo_id, as an existing dataset receives them.

    Args:
        frame (pandas.DataFrame): NaN, NaT and NA become null; a coordinate system becomes the SRID.

    Returns:
        list of Column: the columns.

    Raises:
        AmigoCloudValueError: a column cannot be sent; the message names it.
    """
    columns = []
    names = set()
    for place, name in enumerate(frame.columns):
        checked_name(name)
        if name in names:
            raise AmigoCloudValueError(
                u'There are two columns {}; rename one.'.format(shown(name)))
        names.add(name)
        if name == AMIGO_ID:
            continue
        series = frame.iloc[:, place]
        if series.dtype.name == 'geometry':
            columns.append(GeometryColumn(name, series, naming_column(name, _common_srid, series)))
        else:
            columns.append(Column(name, series))
    return columns


def row_texts(columns, amigo_ids):
    """Yield slices of rows with their JSON.

    Args:
        columns (list of Column): at least one, all of the same length.
        amigo_ids (list of str): the amigo_id of each row.

    Yields:
        tuple: the first row, the row after the last one, and a function that returns the JSON of
            the rows between two such numbers as a str.
    """
    # The text before each value. The first one also ends the row before.
    befores = ['}, {"new": {'] + [', '] * (len(columns) - 1)
    befores = [before + json.dumps(column.name) + ': ' for before, column in zip(befores, columns)]
    befores.append('}, "amigo_id": ')
    width = 2 * len(befores)
    for start, end in _slices(columns, len(amigo_ids)):
        # One list of all pieces is faster than a text of each row.
        pieces = [piece for before in befores for piece in (before, None)] * (end - start)
        for place, column in enumerate(columns):
            pieces[2 * place + 1::width] = column.texts(start, end)
        pieces[width - 1::width] = _quoted(amigo_ids[start:end])
        yield start, end, functools.partial(_joined, pieces, width, start)


def values_of(series):
    """Return the values of a column as a list, with None for missing ones."""
    return _values(dense(series))


def _slices(columns, count):
    geometries = [column.wkbs for column in columns if isinstance(column, GeometryColumn)]
    slices = [(0, count)] if count else []
    while slices:
        start, end = slices.pop()
        is_large = end - start > SLICE_ROWS or sum(
            sum(map(len, filter(None, wkbs[start:end]))) for wkbs in geometries) > _SLICE_SIZE
        if is_large and end - start > 1:
            middle = (start + end) // 2
            slices += [(middle, end), (start, middle)]
        else:
            yield start, end


def _joined(pieces, width, first, start, end):
    text = ''.join(pieces[(start - first) * width:(end - first) * width])
    return text[len('}, '):] + '}'


def _common_srid(series):
    """Return the SRID of a column; None if it has no coordinate system, but each geometry an SRID.

    Raises:
        AmigoCloudValueError: the coordinate system has no SRID, or there is none.
    """
    import pyproj
    import shapely
    crs = series.values.crs
    if crs is None:
        shapes = series.to_numpy()
        if shapely.get_srid(shapes[~shapely.is_missing(shapes)]).all():
            return None
        raise AmigoCloudValueError(NO_CRS)
    code = crs.to_epsg()
    # to_epsg also returns the code of a system that is only similar.
    if code is None or not pyproj.CRS.from_epsg(code).equals(crs, ignore_axis_order=True):
        raise AmigoCloudValueError(
            u'its coordinate system, {}, has no EPSG code; convert it with to_crs to one that '
            u'has.'.format(shortened(crs.name)))
    return code


def python_value(value):
    """Return a numpy scalar as a value of Python; return any other value unchanged."""
    numpy = sys.modules.get('numpy')
    if (numpy is None or not isinstance(value, numpy.generic)
            or isinstance(value, six.string_types)):
        return value
    if isinstance(value, numpy.datetime64) and not numpy.isnat(value):
        return _python_time(value)
    plain = value.item()
    return value if isinstance(plain, bytes) or plain is None else plain


def _python_time(value):
    import numpy
    # Python has no nanoseconds: item() would return a number for them.
    coarse = value if value == value.astype('datetime64[D]') else value.astype('datetime64[us]')
    if coarse != value:
        raise AmigoCloudValueError(
            u"{} has nanoseconds, which the service does not keep; round it with "
            u"astype('datetime64[us]').".format(shown(value)))
    unit = numpy.datetime_data(value.dtype)[0]
    moment = coarse.astype('datetime64[D]' if unit in 'YMWD' else 'datetime64[us]').item()
    if not isinstance(moment, datetime.date):
        raise AmigoCloudValueError(
            u'the year of {} is not between 1 and 9999; replace it.'.format(shown(value)))
    return moment


def _int_or_float(value):
    """Return a Decimal as an int if it is whole, which keeps all digits, or else as a float."""
    if value.is_nan():
        # float() raises an error for a signaling NaN.
        return float('nan')
    is_whole = abs(value) < 2 ** 63 and value == value.to_integral_value()
    return int(value) if is_whole else float(value)


def _finite_float(value):
    try:
        number = float(value)
    except OverflowError:
        # A fraction of large integers.
        number = float('inf')
    if math.isnan(number) or math.isinf(number):
        raise AmigoCloudValueError(
            u'{} is not a number in JSON; use None for null.'.format(number))
    return number


def _heads(wkbs):
    return {wkb[:HEAD_SIZE] for wkb in wkbs if wkb}


def is_geometry(value):
    """Return whether a value is a shapely geometry; do not import shapely for it."""
    return isinstance(value, getattr(sys.modules.get('shapely'), 'Geometry', ()))


def srid_of(geometry):
    """Return the SRID of a shapely geometry; 0 if it has none."""
    import shapely
    return int(shapely.get_srid(geometry))


def _hex_ewkb(geometry):
    import shapely
    if not shapely.get_srid(geometry):
        geometry = shapely.set_srid(geometry, WGS84)
    return shapely.to_wkb(geometry, hex=True, include_srid=True)


def _values(series):
    import numpy
    values = series.to_numpy(dtype=object)
    missing = series.isna().to_numpy(dtype=bool)
    return numpy.where(missing, None, values).tolist() if missing.any() else values.tolist()


def _quoted(texts):
    quote = json.encoder.encode_basestring_ascii
    return list(map(quote, texts))


def _json_of_texts(series):
    quote = json.encoder.encode_basestring_ascii
    return ['null' if text is None else quote(text) for text in _values(series)]


def _json_of_bools(series):
    return ['null' if value is None else 'true' if value else 'false' for value in _values(series)]


def _json_of_integers(series):
    return ['null' if value is None else str(value) for value in _values(series)]


def _json_of_floats(series):
    values = series.to_numpy(dtype='float64', na_value=float('nan')).tolist()
    return [repr(value) if value == value else 'null' for value in values]


def _times_of_service(series, as_dates):
    """Return the times of a column as texts, as the service spells them; see ``Column.values``."""
    import numpy
    import pandas
    index = pandas.DatetimeIndex(series)
    zone = '' if index.tz is None else '+00:00'
    # Spell each time once, because days repeat. The code of a missing time is -1.
    codes, moments = pandas.factorize(index.tz_convert(None) if zone else index)
    texts = numpy.datetime_as_string(moments.to_numpy().astype('datetime64[us]')).tolist()
    # The service leaves out fractions that are zero.
    texts = [(text[:-len('.000000')] if text.endswith('.000000') else text).replace('T', ' ') + zone
             for text in texts]
    if as_dates and not zone and all(text.endswith(' 00:00:00') for text in texts):
        texts = [text[:-len(' 00:00:00')] for text in texts]
    texts.append(None)
    return [texts[code] for code in codes.tolist()]


def _json_of_dates(series):
    import pandas
    # Format each day once, because days repeat. The code of a missing day is -1.
    codes, days = pandas.factorize(pandas.DatetimeIndex(series))
    texts = _json_of_moments(days, 'D', 'naive') + ['null']
    return [texts[code] for code in codes.tolist()]


def _json_of_times(series):
    import pandas
    index = pandas.DatetimeIndex(series)
    if index.tz is None:
        return _json_of_moments(index, 'us', 'naive')
    return _json_of_moments(index.tz_convert('UTC').tz_localize(None), 'us', 'UTC')


def _json_of_moments(index, unit, timezone):
    import numpy
    values = index.to_numpy().astype('datetime64[{}]'.format(unit))
    texts = numpy.datetime_as_string(values, timezone=timezone)
    return ['null' if text == 'NaT' else '"' + text + '"' for text in texts.tolist()]
