"""Geocoding: read the addresses of a dataset, search for them, write the points."""
from __future__ import absolute_import, print_function, unicode_literals

import collections
import datetime
import functools
import itertools
import json
import re
import sys
from multiprocessing.pool import ThreadPool

import six

from .. import checks
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shown
from ..progress import check_progress, reporting

#: Rows per page of addresses.
PAGE_SIZE = 1000

#: Simultaneous requests, and points written by one query.
BATCH_SIZE = 30

#: Batches that are searched at a time, and writes that are unanswered at a time.
AHEAD = 2

#: Maximum seconds per batch. Python 2 cannot interrupt a wait without a limit.
BATCH_TIMEOUT = 86400

_PLAIN_IDENTIFIER = re.compile(r'[A-Za-z_][A-Za-z0-9_$]*\Z')


def geocode(dataset, address_field, geometry_field, components, progress=None):
    """Geocode the addresses of a dataset; see ``Dataset.geocode``.

    Args:
        components (dict): narrows the search, such as ``{'country': 'US'}``.
        progress (bool or callable): see ``progress.reporting``; percentages on stderr by default.
    """
    checks.text('address_field', address_field)
    checks.text('geometry_field', geometry_field)
    if address_field == geometry_field:
        raise AmigoCloudValueError('address_field and geometry_field must be different columns.')
    progress = _print_percentage if progress is None else progress
    check_progress(progress)

    client = dataset.client
    sql_url = dataset.project.url + '/sql'
    table = dataset.table_name
    start = datetime.datetime.now()

    total = checks.member(client.get(dataset.url), 'feature_count', int, dataset.url)
    print('{} rows to process'.format(total))
    print('Started at {:%H:%M} hrs'.format(start))
    print('Exporting addresses...')
    # Read all addresses before the first write: an UPDATE would move rows between pages that are
    # not read yet.
    rows = list(_read_addresses(client, sql_url, table, six.ensure_text(address_field), total))
    print('Done!')

    print('Geocoding addresses...')
    geometry_field = _identifier(six.ensure_text(geometry_field))
    geocoded = 0
    done = 0
    written = 0
    writes = collections.deque()
    pool = ThreadPool(BATCH_SIZE)
    try:
        with reporting(progress, len(rows), 'rows', 'Geocoding') as report:
            search = functools.partial(_search, client, components)
            for batch, points in _search_ahead(pool, search, rows):
                found = [(amigo_id, point) for (amigo_id, _), point in zip(batch, points) if point]
                if found:
                    # Write by a thread that searches, because its connection is open.
                    query = _update_query(table, geometry_field, found)
                    writes.append((pool.apply_async(client.post, (sql_url, {'query': query})),
                                   len(found)))
                if len(writes) == AHEAD:
                    written += _finish(writes.popleft())
                geocoded += len(found)
                done += len(batch)
                report(done)
            while writes:
                written += _finish(writes.popleft())
    except AmigoCloudError as error:
        error.message = '{} points were written, but then: {}'.format(written, error.message)
        raise
    finally:
        pool.terminate()
    print('Done!')

    finish = datetime.datetime.now()
    query = 'SELECT count(*) FROM {} WHERE {} IS NOT NULL'.format(table, geometry_field)
    try:
        found = checks.member(client.get(sql_url, {'query': query}), 'data', list, sql_url)
        made = [row.get('count') for row in found if isinstance(row, dict)]
    except AmigoCloudError:
        # The points are written; only their number is unknown.
        made = []
    print('Finished at {:%H:%M} hrs'.format(finish))
    count = made[0] if made and made[0] is not None else geocoded
    print('Success rate: {} of {} points created'.format(count, total))
    print('Total time: {}'.format(finish - start))
    return {'rows': len(rows), 'geocoded': geocoded, 'failed': len(rows) - geocoded,
            'seconds': (finish - start).total_seconds()}


def _finish(write):
    """Wait for a write, and return the number of its points."""
    answer, points = write
    answer.get(BATCH_TIMEOUT)
    return points


def _print_percentage(done, total):
    sys.stderr.write('\r{}%{}'.format(100 * done // total, '\n' if done == total else ''))
    sys.stderr.flush()


def _read_addresses(client, sql_url, table, address_field, total):
    query = 'SELECT {}, amigo_id FROM {}'.format(_identifier(address_field), table)
    for offset in range(0, total, PAGE_SIZE):
        answer = client.get(sql_url, {'query': query, 'offset': offset, 'limit': PAGE_SIZE})
        _check_is_no_geometry(answer, address_field)
        for row in checks.member(answer, 'data', list, sql_url):
            if not isinstance(row, dict) or not isinstance(row.get('amigo_id'), six.string_types):
                raise AmigoCloudError(u'A row of {} has no amigo_id.'.format(sql_url))
            # PostgreSQL returns a plain name in lower case.
            yield row['amigo_id'], row.get(address_field, row.get(address_field.lower()))


def _check_is_no_geometry(answer, address_field):
    """Raise if the addresses are geometry: the points would overwrite the addresses."""
    columns = answer.get('columns') if isinstance(answer, dict) else None
    for column in columns if isinstance(columns, list) else ():
        if isinstance(column, dict) and column.get('type') == 'geometry':
            raise AmigoCloudValueError(
                'address_field must name the column of the addresses, but {} is geometry. Perhaps '
                'address_field and geometry_field are swapped.'.format(shown(address_field)))


def _search_ahead(pool, search, rows):
    """Yield each batch of rows with its points, while the next batches are searched."""
    batches = (rows[offset:offset + BATCH_SIZE] for offset in range(0, len(rows), BATCH_SIZE))
    searches = ((batch, pool.map_async(search, batch)) for batch in batches)
    begun = collections.deque(itertools.islice(searches, AHEAD))
    while begun:
        batch, points = begun.popleft()
        yield batch, points.get(BATCH_TIMEOUT)
        begun.extend(itertools.islice(searches, 1))


def _search(client, components, row):
    """Return the longitude and latitude of the first match as SQL, or None if there is no match."""
    address = row[1]
    if not address:
        return None
    try:
        answer = client.get('/me/geocoder/search', {
            'text': address, 'focus.point.lat': 0, 'focus.point.lon': 0,
            'components': '|'.join('{}:{}'.format(*component) for component in components.items())})
        longitude, latitude = answer['features'][0]['geometry']['coordinates'][:2]
        return _number(longitude), _number(latitude)
    except (AmigoCloudError, LookupError, TypeError, ValueError):
        # An address that fails must not end the run. It is counted as failed.
        return None


def _number(value):
    """Return a coordinate as SQL; raise ValueError for a text, null or NaN."""
    if isinstance(value, bool) or not isinstance(value, six.integer_types + (float,)):
        raise ValueError(value)
    return json.dumps(value, allow_nan=False)


def _update_query(table, geometry_field, points):
    values = ','.join(
        '({}, ST_SetSRID(ST_MakePoint({}, {}), 4326))'.format(_literal(amigo_id), *point)
        for amigo_id, point in points)
    return ('UPDATE {} as d SET {} = c.geom FROM (values {}) as c(amigo_id, geom) '
            'WHERE c.amigo_id = d.amigo_id').format(table, geometry_field, values)


def _identifier(name):
    return name if _PLAIN_IDENTIFIER.match(name) else '"{}"'.format(name.replace('"', '""'))


def _literal(value):
    return "'{}'".format(value.replace("'", "''"))
