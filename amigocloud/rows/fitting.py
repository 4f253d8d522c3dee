"""Check that the columns of a table fit those of a dataset, before any of its rows is deleted."""
from __future__ import absolute_import

from ..exceptions import AmigoCloudValueError, shortened, shown
from . import schema
from .columns import AMIGO_ID
from .dtypes import dense

# The types of the service by the other types whose values they keep unchanged.
_WIDER = {'integer': ('bigint', 'float', 'number'), 'bigint': ('number',),
          'real': ('float', 'number'), 'float': ('number',), 'string': ('time',)}

# The smallest and the largest of the whole numbers that narrower types keep.
_RANGES = {'integer': (-2 ** 31, 2 ** 31 - 1), 'float': (-2 ** 53, 2 ** 53),
           'real': (-2 ** 24, 2 ** 24)}


def check(dataset, rows, add_columns):
    """Check that rows can be written into a dataset.

    Args:
        dataset (Dataset): the dataset.
        rows: has ``frame`` (None for a schema without rows), and ``schema``.
        add_columns (bool): accept columns that the dataset does not have.

    Returns:
        list of dict: the columns that the dataset does not have.

    Raises:
        AmigoCloudValueError: a column does not fit; the message names it.
    """
    existing = {column['name']: column for column in schema.read(dataset)}
    missing = [column for column in rows.schema if column['name'] not in existing]
    folded = {name.lower(): name for name in existing}
    for column in missing:
        if column['name'].lower() in folded:
            raise AmigoCloudValueError(u'The column {} differs only in case from {} of {}; rename '
                                       u'it.'.format(shown(column['name']),
                                                     shown(folded[column['name'].lower()]),
                                                     dataset.url))
    if missing and not add_columns:
        raise AmigoCloudValueError(
            u'{} does not have the columns {}. Rename or drop them, or pass add_columns=True. Its '
            u'columns are {}.'.format(
                dataset.url, shortened(u', '.join(column['name'] for column in missing)),
                shortened(u', '.join(sorted(existing)))))
    for column in rows.schema:
        if column['name'] in existing:
            series = None if rows.frame is None else rows.frame[column['name']]
            _check_type(column, existing[column['name']], series)
    if rows.frame is not None:
        _check_required(rows.frame, existing)
    return missing


def _check_type(column, existing, series):
    kind = column['type']
    wanted = existing.get('type')
    fits = kind == wanted or wanted in _WIDER.get(kind, ())
    is_filled = False
    if series is not None:
        series = series[~_missing(series)]
        is_filled = len(series) > 0
        fits = fits or not is_filled
        if not fits and kind in ('integer', 'bigint') and wanted in _RANGES:
            smallest, largest = _RANGES[wanted]
            fits = smallest <= int(series.min()) and int(series.max()) <= largest
    if fits and is_filled and kind == 'geometry' and existing.get('geometry_type'):
        kind = column['geometry_type']
        wanted = existing['geometry_type']
        fits = _geometry_fits(kind, u'{}'.format(wanted).upper().replace(u' ', u''))
    if not fits:
        raise AmigoCloudValueError(
            u'Column {}: its type is {}, but the dataset has {}; convert it, or write it to '
            u'another column.'.format(shown(column['name']), kind, wanted))


def _geometry_fits(kind, wanted):
    dimensions = len(kind) - len(kind.rstrip('ZM'))
    return kind == wanted or wanted == 'GEOMETRY' + kind[len(kind) - dimensions:]


def _check_required(frame, existing):
    """Check the columns of a dataset that must have a value."""
    for name, column in existing.items():
        if name == AMIGO_ID or column.get('nullable') is not False:
            continue
        if name not in frame and column.get('default') is None and len(frame):
            raise AmigoCloudValueError(
                u'The frame does not have the column {}, which must have a value in each row; add '
                u'it.'.format(shown(name)))
        if name in frame and _missing(frame[name]).any():
            raise AmigoCloudValueError(
                u'Row {}, counted from 0: column {}: it must have a value in each row; fill '
                u'it.'.format(int(_missing(frame[name]).argmax()), shown(name)))


def _missing(series):
    """Return an array of whether each value of a column is missing."""
    import numpy
    # The method of a GeoSeries warns of empty geometry.
    return numpy.asarray(dense(series).array.isna())
