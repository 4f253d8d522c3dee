"""SQL queries of a project, and a dataset read at one state."""
from __future__ import absolute_import, unicode_literals

import functools
import math

import six

from .. import checks
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shown
from .cursor import Cursor

#: Rows per page.
PAGE_SIZE = 5000


def select(project, query, params, limit, prefetch, state, dataset_id):
    """Return the cursor over a query; see ``Project.sql``."""
    settings = {'query': _bound('query', query, params)}
    if state is not None:
        settings['state'] = checks.text('state', state)
    if dataset_id is not None:
        settings['dataset_id'] = checks.whole_number('dataset_id', dataset_id, 1)
    return _cursor(project, project.client._fetch(), limit, prefetch, settings)


def execute(project, query, params):
    """Send a query that writes; see ``Project.execute``."""
    return project.client.post(project.url + '/sql', {'query': _bound('query', query, params)})


def read(dataset, columns, where, params, bbox, intersects, order_by, limit, prefetch, offset, rows,
         state, labels):
    """Return the cursor over a dataset at one state; see ``Dataset.read``."""
    tail = ' ORDER BY ' + _order([] if order_by is None else _names('order_by', order_by))
    if rows is not None:
        tail += ' LIMIT {}'.format(checks.whole_number('rows', rows))
    offset = checks.whole_number('offset', offset)
    if offset:
        tail += ' OFFSET {}'.format(offset)
    if state is not None:
        checks.text('state', state)
    if not isinstance(labels, bool) and labels != 'category':
        raise AmigoCloudValueError(
            "labels must be True, False or 'category', not {}.".format(shown(labels)))
    selected = '*' if columns is None else _selected(_names('columns', columns))
    fetch, settings = _filtered(dataset, selected, where, params, bbox, intersects, tail)
    fetch = functools.partial(_fetch_at_state, fetch, dataset, state)
    if labels:
        from .schema import LabelledPages
        fetch = LabelledPages(fetch, dataset, labels == 'category')
    return _cursor(dataset.project, fetch, limit, prefetch, dict(settings, dataset_id=dataset.id))


def count(dataset, where, params, bbox, intersects):
    """Return the number of rows; see ``Dataset.count``."""
    fetch, settings = _filtered(dataset, 'count(*)', where, params, bbox, intersects, '')
    row = next(_cursor(dataset.project, fetch, 1, 0, dict(settings, dataset_id=dataset.id)), None)
    return checks.member(row, 'count', six.integer_types, dataset.project.url + '/sql')


def _cursor(project, fetch, limit, prefetch, settings):
    settings = dict(settings, limit=checks.whole_number('limit', limit, 1))
    return Cursor(fetch, project.url + '/sql', settings, checks.whole_number('prefetch', prefetch))


def _bound(name, query, params):
    query = checks.sendable_text(name, query)
    if params is None:
        return query
    # Few queries have placeholders; the import takes some milliseconds.
    from .literals import bind
    return bind(query, params)


def _filtered(dataset, selected, where, params, bbox, intersects, tail):
    """Return the fetch of a filtered query, and the settings of its first request.

    The filters of geometry need the name of the geometry column, which is requested with the
    first page.
    """
    conditions = []
    if where is not None:
        where = _bound('where', where, params)
        # A comment up to the end of the line must not include the bracket.
        conditions.append(('({}\n)' if '--' in where else '({})').format(where))
    elif params is not None:
        raise AmigoCloudValueError(
            'params are values for the placeholders of where; pass where too.')
    spatial = _spatial_conditions(bbox, intersects)
    fetch = dataset.client._fetch()
    query = functools.partial(_query, selected, dataset.table_name, conditions, spatial, tail)
    if not spatial:
        return fetch, {'query': query(None)}
    return functools.partial(_fetch_filtered, fetch, dataset, query), {}


def _query(selected, table, conditions, spatial, tail, geometry):
    conditions = conditions + [condition.format(geometry) for condition in spatial]
    where = ' WHERE ' + ' AND '.join(conditions) if conditions else ''
    return 'SELECT {} FROM {}{}{}'.format(selected, table, where, tail)


def _fetch_filtered(fetch, dataset, query, url, params):
    """Fetch a page of a query that filters by the geometry of a dataset.

    Functions of this module, unlike nested ones, can be pickled with their cursor.
    """
    if params:
        description = fetch(dataset.url, None)
        geometry = description.get('geometry_column') if isinstance(description, dict) else None
        if not geometry or not isinstance(geometry, six.string_types):
            raise AmigoCloudError(
                '{} has no geometry column, which bbox and intersects need.'.format(dataset.url))
        from .literals import identifier
        params = dict(params, query=query(identifier(geometry)))
    return fetch(url, params)


def _fetch_at_state(fetch, dataset, state, url, params):
    """Fetch a page at a state; only the first page has params, which the next links repeat."""
    if params and state is None:
        state = newest_state(dataset, fetch)
    return fetch(url, dict(params, state=state) if params else params)


def newest_state(dataset, fetch):
    """Return the id of the newest state of a dataset.

    Args:
        dataset (Dataset): the dataset.
        fetch (callable): ``fetch(url, params)`` returns the decoded answer of a GET.
    """
    url = dataset.url + '/master'
    return checks.member(fetch(url, None), 'master', six.string_types, url)


def _spatial_conditions(bbox, intersects):
    from .columns import WGS84, is_geometry, srid_of
    from .literals import literal
    conditions = []
    if bbox is not None:
        west, south, east, north = _checked_box(bbox)
        conditions.append('{{}} && ST_MakeEnvelope({}, {}, {}, {}, 4326)'.format(
            literal(west), literal(south), literal(east), literal(north)))
    if intersects is not None:
        if not is_geometry(intersects):
            raise AmigoCloudValueError('intersects must be a shapely geometry, not {}.'.format(
                shown(intersects)))
        geometry = literal(intersects)
        if srid_of(intersects) not in (0, WGS84):
            # PostGIS compares only geometries of the same SRID.
            geometry = 'ST_Transform({}, {})'.format(geometry, WGS84)
        conditions.append('ST_Intersects({}, ' + geometry + ')')
    return conditions


def _checked_box(bbox):
    import numbers
    try:
        west, south, east, north = [float(number) for number in bbox]
        is_box = all(isinstance(number, numbers.Real) and not isinstance(number, bool)
                     for number in bbox)
        is_box = is_box and not any(math.isnan(number) or math.isinf(number)
                                    for number in (west, south, east, north))
    except (OverflowError, TypeError, ValueError):
        is_box = False
    if not is_box:
        raise AmigoCloudValueError(
            'bbox must be four numbers, west, south, east and north, not {}.'.format(shown(bbox)))
    if west > east or south > north:
        raise AmigoCloudValueError(
            'bbox must be west, south, east and north in this order, not {}. Read a box over the '
            'antimeridian in two parts.'.format(shown(bbox)))
    return west, south, east, north


def _names(argument, columns):
    """Return names of columns as a list of texts."""
    if isinstance(columns, (bytes, six.text_type)) or not hasattr(columns, '__iter__'):
        raise AmigoCloudValueError('{} must be a list of column names, not {}.'.format(
            argument, shown(columns)))
    return [checks.sendable_text('a name in ' + argument, column) for column in columns]


def _selected(names):
    from .literals import identifier
    if not names:
        raise AmigoCloudValueError('columns must name at least one column.')
    return ', '.join(identifier(name) for name in names)


def _order(names):
    """Return the expressions of ORDER BY; a minus before a name means descending order.

    Without a unique order each page may be sorted in its own way: some rows would be lost, others
    returned twice. The amigo_id is different in each row, so that columns after it have no effect.
    """
    from .literals import identifier
    keys = []
    for name in names + ['amigo_id']:
        column = name[1:] if name.startswith('-') else name
        if not column:
            raise AmigoCloudValueError("order_by must have the name of a column after the minus.")
        key = column if column == 'amigo_id' else identifier(column)
        keys.append(key if column == name else key + ' DESC')
        if column == 'amigo_id':
            break
    return ', '.join(keys)
