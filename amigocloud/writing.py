"""A table of pandas or geopandas as a new dataset."""
from __future__ import absolute_import

import datetime
import json
import re
import struct

import six

from . import changes, frames, rowjson
from .exceptions import AmigoCloudError, AmigoCloudValueError
from .jobs import names_job
from .progress import check_progress, reporting
from .tokens import strike_out

_AMIGO_ID = 'amigo_id'
#: Bytes; PostgreSQL cuts a longer name.
_LONGEST_NAME = 63
#: The service's types for what pandas holds as objects or texts, as ``pandas.api.types.infer_dtype`` calls it.
_TYPES_OF_OBJECTS = {'string': 'string', 'empty': 'string', 'boolean': 'boolean', 'integer': 'bigint',
                     'floating': 'float', 'mixed-integer-float': 'float', 'date': 'date'}
#: By the numbers that WKB has for them.
_GEOMETRY_TYPES = {1: 'POINT', 2: 'LINESTRING', 3: 'POLYGON', 4: 'MULTIPOINT', 5: 'MULTILINESTRING',
                   6: 'MULTIPOLYGON', 7: 'GEOMETRYCOLLECTION'}
#: By the flags that EWKB has for them.
_DIMENSIONS = {0: '', 0x80000000: 'Z', 0x40000000: 'M', 0xC0000000: 'ZM'}
_ALL_DIMENSIONS = 0xC0000000
#: Floats hold whole numbers up to this.
_LARGEST_WHOLE = 2 ** 53


def write_geodataframe(get, post, wait_for_job, below, frame, name, progress=None):
    """Makes a dataset of a table; see ``AmigoCloud.write_geodataframe``.

    Args:
        get, post, wait_for_job (callable): as the methods of ``AmigoCloud``.
        below (str): what stands before the paths of the project; see ``queries.project_path``.
    """
    check_progress(progress)
    if not isinstance(name, six.string_types) or not name.strip():
        raise AmigoCloudValueError('The name of a dataset is a str with something in it, not {!r}.'.format(name))
    definitions, columns = _columns(frame)
    amigo_ids = _amigo_ids(frame)
    changes.check_columns(columns, amigo_ids)
    answer = post(below + 'datasets/create', {'name': rowjson.checked_text(name), 'schema': json.dumps(definitions)})
    dataset_id = _id_in(answer)
    if dataset_id is None and not names_job(answer):
        raise AmigoCloudError(u'The answer to the creation of a dataset names no id: {:.200}'.format(
            strike_out(repr(answer))))
    try:
        if names_job(answer):
            job = wait_for_job(answer)
            dataset_id = dataset_id or _id_in_job(job)
        with reporting(progress, len(frame), 'rows', 'Writing') as report:
            written = changes.insert_columns(post, wait_for_job, below, dataset_id, columns, amigo_ids, report)
    except AmigoCloudError as error:
        error.message = u'{} was begun, and is not whole: {}'.format(
            u'Dataset {}'.format(dataset_id) if dataset_id else u'The dataset', error.message)
        raise
    try:
        return get('{}datasets/{}'.format(below, dataset_id))
    except AmigoCloudError as error:
        error.written = written
        error.message = (u'Dataset {} is complete: all {} rows were written. Only its description could not be read '
                         u'afterwards: {}').format(dataset_id, len(written), error.message)
        raise


def _id_in(answer):
    """The id of the dataset that an answer tells of: public clients know no more of it than its url."""
    if not isinstance(answer, dict):
        return None
    found = re.search(r'/datasets/([0-9]+)/?(?:[?#]|\Z)', u'{}'.format(answer.get('url')))
    return answer.get('id') or (found and found.group(1))


def _id_in_job(job):
    extra = job.get('extra')
    made = extra.get('dataset_ids') if isinstance(extra, dict) else None
    if not isinstance(made, list) or len(made) != 1:
        raise AmigoCloudError(u'Neither the answer to its creation nor the job names its id: {:.200}'.format(
            strike_out(repr(job))))
    return made[0]


def _columns(frame):
    frames.need('geo', 'pandas')
    import pandas
    if not isinstance(frame, pandas.DataFrame):
        raise AmigoCloudValueError('This writes a GeoDataFrame or a DataFrame, not a {}.'.format(type(frame).__name__))
    definitions, columns, seen = [], [], {}
    for place, name in enumerate(frame.columns):
        series = frame.iloc[:, place]
        try:
            _check_name(name, seen)
            if name == _AMIGO_ID:
                continue
            kind = _kind(series)
            definition = {'name': name, 'type': kind, 'nullable': True, 'visible': True}
            if kind == 'geometry':
                columns.append(rowjson.GeometryColumn(name, series, rowjson.srid_of_crs(series.values.crs)))
                definition['geometry_type'] = _settle_geometry(series, columns[-1])
            definitions.append(definition)
        except AmigoCloudValueError as error:
            six.raise_from(AmigoCloudValueError(u'Column {!r}: {}'.format(name, error.message)), error)
        if kind != 'geometry':
            columns.append(rowjson.Column(name, series, kind == 'date'))
    if not columns:
        raise AmigoCloudValueError('The frame has no column that could be written.')
    return definitions, columns


def _check_name(name, seen):
    if not isinstance(name, six.string_types) or not name.strip():
        raise AmigoCloudValueError('A column is named by a str with something in it.')
    if len(rowjson.checked_text(name).encode('utf-8')) > _LONGEST_NAME:
        raise AmigoCloudValueError('Its name is longer than {} bytes.'.format(_LONGEST_NAME))
    folded = name.lower()
    if folded in seen or folded == _AMIGO_ID != name:
        raise AmigoCloudValueError('There is a column of this name already, but for case at the most: {!r}.'.format(
            seen.get(folded, _AMIGO_ID)))
    seen[folded] = name


def _amigo_ids(frame):
    """The amigo_id of each row; those that are made here ascend, as ``read_dataset`` sorts by them."""
    if _AMIGO_ID not in frame:
        return changes.new_amigo_ids(len(frame))
    given = rowjson.dense(frame[_AMIGO_ID])
    if _kind(given) != 'string' or given.dropna().duplicated().any():
        raise AmigoCloudValueError('Each amigo_id is a text of its own, or missing.')
    return changes.checked_ids(rowjson.values_of(given), changes.new_amigo_ids)


def _kind(series):
    """The service's type for a column."""
    import numpy
    import pandas
    series, types = rowjson.dense(series), pandas.api.types
    dtype = series.dtype
    if dtype.name == 'geometry':
        return 'geometry'
    if rowjson.is_time(series):
        return _kind_of_times(rowjson.check_times(series))
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
        if found == 'mixed-integer-float' and series.dropna().map(_is_rounded).any():
            raise AmigoCloudValueError('It mixes floats with whole numbers that no float holds; astype(float) rounds '
                                       'them.')
    if not is_known or found not in _TYPES_OF_OBJECTS:
        raise AmigoCloudValueError('The service has no type for {} ({}); astype(str) would make texts of it.'.format(
            dtype, found))
    return _TYPES_OF_OBJECTS[found]


def _is_rounded(value):
    return not isinstance(value, float) and abs(int(value)) > _LARGEST_WHOLE if value == value else False


def _kind_of_times(index):
    if index.tz is not None:
        return 'datetime'
    if (index != index.normalize()).any():
        raise AmigoCloudValueError("It has times without a time zone; dt.tz_localize('UTC') or another says which.")
    return 'date'


def _settle_geometry(series, column):
    """Return what PostGIS calls the column's geometry: one kind, if it is of one.

    PostGIS refuses what has not exactly the dimensions of its column, what is empty too; that takes them on.
    """
    import numpy
    import shapely
    shapes = series.to_numpy()
    if (shapely.get_type_id(shapes) == shapely.GeometryType.LINEARRING).any():
        raise AmigoCloudValueError('It holds linear rings, which PostGIS has only as line strings.')
    missing, empty = shapely.is_missing(shapes), shapely.is_empty(shapes)
    # What the bytes say, for has_z and has_m are not the same in all versions of GEOS.
    kinds = {_type_number(head) & 0xff for head in column.heads()}
    dimensions = _dimensions(shapes, column.wkbs)
    if len(dimensions) > 1:
        raise AmigoCloudValueError(
            'It mixes geometry of the dimensions {}, of which a column holds one; shapely.force_2d or '
            'shapely.force_3d makes them alike.'.format(' and '.join(
                'XY' + _DIMENSIONS[dimension] for dimension in sorted(dimensions))))
    empties = numpy.flatnonzero(empty & ~missing)
    of_empties = {_type_number(column.wkbs[place]) & _ALL_DIMENSIONS for place in empties}
    wanted = (dimensions or (of_empties if len(of_empties) == 1 else {0})).pop()
    for place in empties:
        column.wkbs[place] = _empty_wkb(column.wkbs[place], wanted)
    kind = _GEOMETRY_TYPES.get(*kinds) if len(kinds) == 1 else None
    return (kind or 'GEOMETRY') + _DIMENSIONS[wanted]


def _type_number(wkb):
    return int.from_bytes(wkb[1:5], 'little')


def _dimensions(shapes, wkbs):
    """The dimensions of geometry that is not empty, and of its parts, whose mixture PostGIS refuses as well."""
    import shapely
    heads = [None if wkb is None or is_empty else wkb[:5] for wkb, is_empty in zip(wkbs, shapely.is_empty(shapes))]
    numbers = {head: _type_number(head) for head in set(heads) if head}
    found = {number & _ALL_DIMENSIONS for number in numbers.values()}
    mixable = {head for head, number in numbers.items() if number & _ALL_DIMENSIONS and 4 <= number & 0xff <= 7}
    if mixable:
        parts = shapely.get_parts([shape for shape, head in zip(shapes, heads) if head in mixable])
        found |= _dimensions(parts, shapely.to_wkb(parts).tolist())
    return found


def _empty_wkb(wkb, dimensions):
    """The WKB of something empty, with other dimensions."""
    number = _type_number(wkb)
    if number & _ALL_DIMENSIONS == dimensions:
        return wkb
    size = 2 + bin(dimensions).count('1')
    head = wkb[:1] + (number & ~_ALL_DIMENSIONS | dimensions).to_bytes(4, 'little')
    # A point has no count of its points that could be 0.
    return head + (struct.pack('<d', float('nan')) * size if number & 0xff == 1 else bytes(4))
