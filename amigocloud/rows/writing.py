"""Create a dataset from a table of pandas or geopandas."""
from __future__ import absolute_import

import itertools
import json
import re
import struct

import six

from .. import checks, extras
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown
from ..jobs import names_job
from ..progress import check_progress, reporting
from . import batches, changes, finding, fitting, queries, sending
from .columns import (
    AMIGO_ID,
    HEAD_SIZE,
    NO_CRS,
    WGS84,
    Column,
    GeometryColumn,
    checked_name,
    checked_text,
    naming_column,
    values_of,
)
from .dtypes import service_type
from .results import WriteResult

#: What to do with a dataset that has the name of the one to be created.
IF_EXISTS = ('fail', 'replace', 'append')

# Bytes; PostgreSQL truncates a longer name of a column.
_LONGEST_NAME = 63

_SYSTEM_COLUMNS = ('cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin')

# The types of geometry by their number in WKB.
_GEOMETRY_TYPES = {1: 'POINT', 2: 'LINESTRING', 3: 'POLYGON', 4: 'MULTIPOINT',
                   5: 'MULTILINESTRING', 6: 'MULTIPOLYGON', 7: 'GEOMETRYCOLLECTION'}
_POINT = 1
# The types that have geometries as parts.
_COLLECTIONS = (4, 5, 6, 7)
# The dimensions besides X and Y by their flags in EWKB.
_DIMENSIONS = {0: '', 0x80000000: 'Z', 0x40000000: 'M', 0xC0000000: 'ZM'}
_ALL_DIMENSIONS = 0xC0000000


@sending.listing_written
def create_dataset(project, name, content, progress, if_exists, add_columns):
    """Create a dataset, or write into the one with its name; see ``Project.create_dataset``."""
    check_progress(progress)
    name = checked_text(checks.text('name', name))
    if if_exists not in IF_EXISTS:
        raise AmigoCloudValueError(u'if_exists must be one of {}, not {}.'.format(
            u', '.join(IF_EXISTS), shown(if_exists)))
    rows = _Rows(content)
    # Without this look a call that is repeated would create a second dataset with the same name.
    found = finding.named(project.client, project.url + '/datasets', name)
    if len(found) > 1 or found and if_exists == 'fail':
        ids = u', '.join(shown(entry.get('id')) for entry in found)
        cure = (u'delete or rename some of them' if len(found) > 1
                else u"pass if_exists='replace' or 'append'")
        raise AmigoCloudValueError(
            u'{} has a dataset with the name {} already, with the id {}; nothing was created. Use '
            u'another name, or {}.'.format(project.url, shown(six.ensure_str(name)), ids, cure))
    if not found:
        return _create(project, name, rows, progress)
    dataset = project.dataset(found[0].get('id'))
    return _write_into(dataset, rows, progress, if_exists, add_columns)


class _Rows(object):
    """The rows that a dataset receives, checked.

    Args:
        content (pandas.DataFrame or list of dict): see ``Project.create_dataset``.

    Attributes:
        frame (pandas.DataFrame): the content; None for a schema.
        schema (list of dict): the columns.
        columns (list of Column), amigo_ids (list of str): of the rows.
    """

    def __init__(self, content):
        self.frame = None
        self.schema = content
        self.columns = []
        self.amigo_ids = []
        if isinstance(content, list):
            _check_schema(content)
            return
        self.frame = content
        self.schema, self.columns = _columns(content)
        self.amigo_ids = _amigo_ids(content)
        batches.check_columns(self.columns, self.amigo_ids)


def _create(project, name, rows, progress):
    answer = project.client.post(project.url + '/datasets/create',
                                 {'name': name, 'schema': json.dumps(rows.schema)})
    dataset_id = _id_of_answer(answer)
    if dataset_id is None and not names_job(answer):
        raise AmigoCloudError(
            u'The response to the creation of a dataset has neither an id nor a job: {}'.format(
                shown(answer)))
    dataset = None
    try:
        if names_job(answer):
            job = project.client.wait_for_job(answer)
            dataset_id = dataset_id or _id_of_job(job)
        dataset = project.dataset(dataset_id)
        _insert(dataset, rows, progress, u"Repeat the call with if_exists='replace'.")
    except AmigoCloudError as error:
        created = u'Dataset {}'.format(dataset_id) if dataset_id else u'The dataset'
        state = u'was created but is incomplete' if dataset else u'may be incomplete or missing'
        error.message = u'{} {}: {}'.format(created, state, error.message)
        raise
    dataset.written = WriteResult(rows.amigo_ids, inserted=rows.amigo_ids)
    return dataset


def _write_into(dataset, rows, progress, if_exists, add_columns):
    """Write rows into a dataset that exists, in the place of its rows or besides them."""
    missing = fitting.check(dataset, rows, add_columns)
    amigo_ids = rows.amigo_ids
    unchanged = []
    if if_exists == 'append' and rows.frame is not None:
        rows.columns, rows.amigo_ids, unchanged = changes.new_part(
            dataset, rows.frame, rows.columns, amigo_ids)
    for column in missing:
        dataset.add_column(column['name'], column['type'])
    if if_exists == 'append':
        _insert(dataset, rows, progress, None)
    else:
        _replace(dataset, rows, progress)
    dataset.written = WriteResult(amigo_ids, inserted=rows.amigo_ids, unchanged=unchanged)
    return dataset


def _replace(dataset, rows, progress):
    state = queries.newest_state(dataset, dataset.client.get)
    changes.truncate(dataset)
    try:
        _insert(dataset, rows, progress, u'Repeat the call, which begins by deleting all rows.')
    except AmigoCloudError as error:
        error.message = (
            u'The rows of {} were deleted, and not all new ones are written. read(state={}) '
            u'returns the old ones. {}'.format(
                dataset.url, shown(six.ensure_str(state)), error.message))
        raise


def _insert(dataset, rows, progress, advice):
    if rows.amigo_ids:
        with reporting(progress, len(rows.amigo_ids), 'rows', 'Writing') as report:
            changes.insert_columns(dataset, rows.columns, rows.amigo_ids, report, advice)


def _check_schema(schema):
    for number, column in enumerate(schema):
        members = column if isinstance(column, dict) else {}
        if not all(isinstance(members.get(name), six.string_types) for name in ('name', 'type')):
            raise AmigoCloudValueError(
                u'Column {} of the schema, counted from 0, must be a dict with a name and a type, '
                u'not {}.'.format(number, shown(column)))
        _check_is_free(members['name'])


def _id_of_answer(answer):
    """Return the id of the new dataset from ``id`` or ``url``; None if neither has it."""
    if not isinstance(answer, dict):
        return None
    if _is_id(answer.get('id')):
        return answer['id']
    found = re.search(r'/datasets/([0-9]+)/?(?:[?#]|\Z)', u'{}'.format(answer.get('url')))
    return found.group(1) if found else None


def _is_id(value):
    is_number = re.match(r'[1-9][0-9]*\Z', u'{}'.format(value)) is not None
    return is_number and not isinstance(value, bool)


def _id_of_job(job):
    extra = job.get('extra')
    dataset_ids = extra.get('dataset_ids') if isinstance(extra, dict) else None
    if not isinstance(dataset_ids, list) or len(dataset_ids) != 1 or not _is_id(dataset_ids[0]):
        raise AmigoCloudError(
            u'Neither the response to its creation nor the job has its id: {}'.format(shown(job)))
    return dataset_ids[0]


def _columns(frame):
    """Return the schema of a dataset for a frame, and the columns of its rows."""
    extras.need('geo', 'pandas')
    import pandas
    if not isinstance(frame, pandas.DataFrame):
        raise AmigoCloudValueError(
            u'content must be a GeoDataFrame, a DataFrame or a list of columns, not {}.'.format(
                shown(frame)))
    schema = []
    columns = []
    names = {}
    for place, name in enumerate(frame.columns):
        _check_name(name, names)
        if name == AMIGO_ID:
            continue
        series = frame.iloc[:, place]
        kind = naming_column(name, service_type, series)
        definition = {'name': name, 'type': kind, 'nullable': True, 'visible': True}
        if kind == 'geometry':
            series = naming_column(name, _in_wgs84, series)
            column = GeometryColumn(name, series, WGS84)
            definition['geometry_type'] = naming_column(name, _unify_geometry, series, column)
        else:
            column = Column(name, series, as_dates=kind == 'date')
        schema.append(definition)
        columns.append(column)
    if not columns:
        raise AmigoCloudValueError('The frame has no column besides amigo_id; add one.')
    return schema, columns


def _check_name(name, names):
    """Raise unless a name is new in a dataset, and add it to the names by their lower case."""
    checked_name(name)
    if len(name.encode('utf-8')) > _LONGEST_NAME:
        raise AmigoCloudValueError(
            u'The name of the column {} is longer than {} bytes; rename it.'.format(
                shown(name), _LONGEST_NAME))
    _check_is_free(name)
    folded = name.lower()
    if folded in names or folded == AMIGO_ID and name != AMIGO_ID:
        raise AmigoCloudValueError(
            u'The names of the columns {} and {} differ at most in case; rename one.'.format(
                shown(names.get(folded, AMIGO_ID)), shown(name)))
    names[folded] = name


def _check_is_free(name):
    """Raise for the name of a column that every table of PostgreSQL has."""
    if name in _SYSTEM_COLUMNS:
        raise AmigoCloudValueError(
            u'Every table of PostgreSQL has a system column {}; rename yours.'.format(shown(name)))


def _amigo_ids(frame):
    """Return the amigo_id of each row."""
    if AMIGO_ID not in frame:
        return changes.new_amigo_ids(len(frame))
    given = frame[AMIGO_ID]
    if naming_column(AMIGO_ID, service_type, given) != 'string':
        raise AmigoCloudValueError(u'The column amigo_id must hold texts, not {}; convert it with '
                                   u"astype('string').".format(given.dtype))
    changes.own_ids(frame)
    return changes.checked_ids(values_of(given), changes.new_amigo_ids)


def _in_wgs84(series):
    """Return a geometry column in the coordinate system of datasets."""
    import numpy
    import pyproj
    import shapely
    crs = series.values.crs
    if crs is None and not series.values.isna().all():
        raise AmigoCloudValueError(NO_CRS)
    if crs is None or crs == WGS84:
        return series
    shapes = series.to_numpy()
    # Shapely before 2.1 does not support M.
    if hasattr(shapely, 'has_m') and shapely.has_m(shapes).any():
        raise AmigoCloudValueError(
            u'it has M values, which to_crs would drop, and its coordinate system is {}, not '
            u'WGS 84 (SRID 4326); transform it first.'.format(shortened(crs.name)))
    try:
        moved = series.to_crs(WGS84)
    except pyproj.exceptions.ProjError as error:
        six.raise_from(AmigoCloudValueError(
            u'it cannot be transformed from {} to WGS 84 (SRID 4326): {}'.format(
                shortened(crs.name), shortened(str(error)))), error)
    is_lost = ~numpy.isfinite(shapely.get_coordinates(moved.to_numpy())).all(axis=1)
    if is_lost.any() and numpy.isfinite(shapely.get_coordinates(shapes)[is_lost]).any():
        raise AmigoCloudValueError(
            u'it has coordinates outside of its coordinate system, {}, which cannot be transformed '
            u'to WGS 84 (SRID 4326); correct or remove them.'.format(shortened(crs.name)))
    return moved


def _unify_geometry(series, column):
    """Return the PostGIS type of a geometry column, and give its empty geometries the dimensions.

    PostGIS refuses any geometry, even an empty one, whose dimensions are not those of its column.
    """
    import numpy
    import shapely
    shapes = series.to_numpy()
    if (shapely.get_type_id(shapes) == shapely.GeometryType.LINEARRING).any():
        raise AmigoCloudValueError(
            'it has linear rings, which PostGIS does not support; convert them to line strings.')
    # Read types and dimensions from the WKB, because has_z and has_m differ between versions of
    # GEOS.
    kinds = {_type_number(head) & 0xff for head in column.heads()}
    is_missing = shapely.is_missing(shapes)
    is_empty = shapely.is_empty(shapes)
    is_filled = ~is_empty & ~is_missing
    filled_wkbs = list(itertools.compress(column.wkbs, is_filled.tolist()))
    dimensions = _dimensions(shapes[is_filled], filled_wkbs)
    if len(dimensions) > 1:
        names = ['XY' + _DIMENSIONS[flags] for flags in sorted(dimensions)]
        raise AmigoCloudValueError(
            u'it mixes geometries of the dimensions {}, but a column has the same for all; convert '
            u'them with shapely.force_2d or shapely.force_3d.'.format(' and '.join(names)))
    empty_rows = numpy.flatnonzero(is_empty & ~is_missing)
    if not dimensions:
        dimensions = {_type_number(column.wkbs[row]) & _ALL_DIMENSIONS for row in empty_rows}
    wanted = dimensions.pop() if len(dimensions) == 1 else 0
    for row in empty_rows:
        column.wkbs[row] = _empty_wkb(column.wkbs[row], wanted)
    kind = _GEOMETRY_TYPES.get(*kinds) if len(kinds) == 1 else None
    return (kind or 'GEOMETRY') + _DIMENSIONS[wanted]


def _type_number(wkb):
    return int.from_bytes(wkb[1:HEAD_SIZE], 'little')


def _dimensions(shapes, wkbs):
    """Return the flags of the dimensions of geometries and of their parts.

    PostGIS also refuses a collection whose parts, even empty ones, have different dimensions.
    """
    import shapely
    numbers = {head: _type_number(head) for head in {wkb[:HEAD_SIZE] for wkb in wkbs}}
    found = {number & _ALL_DIMENSIONS for number in numbers.values()}
    # A collection without Z and M has only parts without them.
    mixable = {head for head, number in numbers.items()
               if number & _ALL_DIMENSIONS and number & 0xff in _COLLECTIONS}
    if mixable:
        parts = shapely.get_parts(
            [shape for shape, wkb in zip(shapes, wkbs) if wkb[:HEAD_SIZE] in mixable])
        found |= _dimensions(parts, shapely.to_wkb(parts).tolist())
    return found


def _empty_wkb(wkb, dimensions):
    """Return the WKB of an empty geometry with other dimensions."""
    number = _type_number(wkb)
    if number & _ALL_DIMENSIONS == dimensions:
        return wkb
    head = wkb[:1] + (number & ~_ALL_DIMENSIONS | dimensions).to_bytes(4, 'little')
    if number & 0xff == _POINT:
        # WKB has no count of the coordinates of a point, so an empty one has NaN for each of them.
        return head + struct.pack('<d', float('nan')) * (2 + len(_DIMENSIONS[dimensions]))
    return head + bytes(4)
