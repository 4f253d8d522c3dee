"""Geocoding: reads the addresses of a dataset, asks the geocoder, writes the points back."""
from __future__ import absolute_import, print_function, unicode_literals

import collections
import datetime
import itertools
import json
import re
import sys
from multiprocessing.pool import ThreadPool

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError
from .progress import check_progress, reporting

#: Rows of one page of addresses.
PAGE_SIZE = 1000

#: Requests in flight, and points written by one query.
BATCH_SIZE = 30

#: Batches that are being searched for, and writes that are not answered, at a time.
AHEAD = 2

#: Seconds that one batch may take at the most; a wait without a limit cannot be interrupted on Python 2.
BATCH_TIMEOUT = 86400

_PLAIN_IDENTIFIER = re.compile(r'[A-Za-z_][A-Za-z0-9_$]*\Z')


def geocode(get, post, below, dataset_id, address_field, geometry_field, components, progress=None):
    """Geocode the addresses of a dataset; see ``AmigoCloud.geocode_addresses``.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does, from several threads at a time.
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
        below (str): what stands before the paths of the project; see ``queries.project_path``.
        components (dict): narrows the search, such as ``{'country': 'US'}``.
        progress (bool or callable): see ``progress.reporting``; percentages on stderr by default.
    """
    for field in (address_field, geometry_field):
        if not field or not isinstance(field, six.string_types):
            raise AmigoCloudValueError('A field is a name, not {!r}.'.format(field))
    if not re.match(r'\d+\Z', str(dataset_id)):
        raise AmigoCloudValueError('dataset_id is a number, not {!r}.'.format(dataset_id))
    progress = _print_percentage if progress is None else progress
    check_progress(progress)

    sql_url = '{}sql'.format(below)
    table = 'dataset_{}'.format(dataset_id)
    start = datetime.datetime.now()

    total = _ask(get, '{}datasets/{}'.format(below, dataset_id), None, 'feature_count', int)
    print('{} rows to process'.format(total))
    print('Started at {:%H:%M} hrs'.format(start))
    print('Exporting addresses...')
    # All of them before the first is written: an UPDATE would move rows between the pages still to be read.
    rows = list(_read_addresses(get, sql_url, table, six.ensure_text(address_field), total))
    print('Done!')

    print('Geocoding addresses...')
    geometry_field = _identifier(six.ensure_text(geometry_field))
    geocoded = done = 0
    writes = collections.deque()
    pool = ThreadPool(BATCH_SIZE)
    try:
        with reporting(progress, len(rows), 'rows', 'Geocoding') as report:
            for batch, points in _search_ahead(pool, lambda row: _search(get, row[1], components), rows):
                found = [(amigo_id, point) for (amigo_id, _), point in zip(batch, points) if point]
                if found:
                    # By a thread that searches, whose connection is open.
                    query = _update_query(table, geometry_field, found)
                    writes.append(pool.apply_async(post, (sql_url, {'query': query})))
                if len(writes) == AHEAD:
                    writes.popleft().get(BATCH_TIMEOUT)
                geocoded += len(found)
                done += len(batch)
                report(done)
            for write in writes:
                write.get(BATCH_TIMEOUT)
    finally:
        pool.terminate()
    print('Done!')

    finish = datetime.datetime.now()
    query = 'SELECT count(*) FROM {} WHERE {} IS NOT NULL'.format(table, geometry_field)
    made = [row.get('count') for row in _ask(get, sql_url, {'query': query}, 'data', list) if isinstance(row, dict)]
    print('Finished at {:%H:%M} hrs'.format(finish))
    print('Success rate: {} of {} points created'.format(made[0] if made and made[0] is not None else geocoded, total))
    print('Total time: {}'.format(finish - start))
    return {'rows': len(rows), 'geocoded': geocoded, 'failed': len(rows) - geocoded,
            'seconds': (finish - start).total_seconds()}


def _print_percentage(done, total):
    sys.stderr.write('\r{}%{}'.format(100 * done // total, '\n' if done == total else ''))
    sys.stderr.flush()


def _read_addresses(get, sql_url, table, address_field, total):
    query = 'SELECT {}, amigo_id FROM {}'.format(_identifier(address_field), table)
    for offset in range(0, total, PAGE_SIZE):
        for row in _ask(get, sql_url, {'query': query, 'offset': offset, 'limit': PAGE_SIZE}, 'data', list):
            if not isinstance(row, dict) or not isinstance(row.get('amigo_id'), six.string_types):
                raise AmigoCloudError(u'A row of {} has no amigo_id.'.format(sql_url))
            # PostgreSQL gives a plain name back in lower case.
            yield row['amigo_id'], row.get(address_field, row.get(address_field.lower()))


def _ask(get, url, params, name, kind):
    """A member of an answer, which has to be there and of a kind."""
    answer = get(url, params)
    if not isinstance(answer, dict) or not isinstance(answer.get(name), kind):
        raise AmigoCloudError(u'The answer of {} has no {}.'.format(url, name))
    return answer[name]


def _search_ahead(pool, search, rows):
    """Gives the rows batch by batch with what was found, while the next ones are being searched for."""
    batches = (rows[offset:offset + BATCH_SIZE] for offset in range(0, len(rows), BATCH_SIZE))
    searches = ((batch, pool.map_async(search, batch)) for batch in batches)
    begun = collections.deque(itertools.islice(searches, AHEAD))
    while begun:
        batch, points = begun.popleft()
        yield batch, points.get(BATCH_TIMEOUT)
        begun.extend(itertools.islice(searches, 1))


def _search(get, address, components):
    """The longitude and latitude of the first match, as SQL; None where there is none."""
    if not address:
        return None
    try:
        answer = get('/me/geocoder/search', {
            'text': address, 'focus.point.lat': 0, 'focus.point.lon': 0,
            'components': '|'.join('{}:{}'.format(*component) for component in components.items())})
        longitude, latitude = answer['features'][0]['geometry']['coordinates'][:2]
        return _number(longitude), _number(latitude)
    except (AmigoCloudError, LookupError, TypeError, ValueError):
        # One address that the geocoder stumbles over must not end the run: it is counted as failed.
        return None


def _number(value):
    """A coordinate as it stands in SQL; what is no number (a text, null, NaN) raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, six.integer_types + (float,)):
        raise ValueError(value)
    return json.dumps(value, allow_nan=False)


def _update_query(table, geometry_field, points):
    values = ','.join('({}, ST_SetSRID(ST_MakePoint({}, {}), 4326))'.format(_literal(amigo_id), *point)
                      for amigo_id, point in points)
    return ('UPDATE {} as d SET {} = c.geom FROM (values {}) as c(amigo_id, geom) '
            'WHERE c.amigo_id = d.amigo_id').format(table, geometry_field, values)


def _identifier(name):
    return name if _PLAIN_IDENTIFIER.match(name) else '"{}"'.format(name.replace('"', '""'))


def _literal(value):
    return "'{}'".format(value.replace("'", "''"))
