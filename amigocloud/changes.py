"""Rows of a dataset put in, changed and removed: the changes that ``submit_change`` takes, in batches."""
from __future__ import absolute_import

import collections
import datetime
import json
import math
import numbers
import re
import sys
import uuid

import six
from requests.compat import Mapping

from .exceptions import AmigoCloudError, AmigoCloudValueError, failure_error
from .jobs import names_job

#: Bytes of a request, which stays below that; GDAL's AmigoCloud driver sends as much.
BATCH_SIZE = 15000000

_AMIGO_ID = 'amigo_id'
#: Bytes of a request that are no rows, and more than that.
_ENVELOPE_SIZE = 1000
_WGS84 = 4326
#: Characters of a value, or of a list of amigo_ids, in a message.
_SHOWN = 200

#: One row as a change names it: its amigo_id, its JSON, and the bytes that this takes in a request.
_Entry = collections.namedtuple('_Entry', ('amigo_id', 'json', 'size'))


def insert_rows(post, wait_for_job, below, dataset_id, rows, report=None):
    """Puts rows into a dataset; see ``AmigoCloud.insert_rows``.

    Args:
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
        wait_for_job (callable): waits for a job, as ``AmigoCloud.wait_for_job`` does.
        below (str): what stands before the paths of the project; see ``queries.project_path``.
        report (callable): is told how many rows are written.
    """
    return _submit(post, wait_for_job, below, dataset_id, 'INSERT', _entries(rows, _inserted), report)


def update_rows(post, wait_for_job, below, dataset_id, rows):
    """Changes rows of a dataset; see ``AmigoCloud.update_rows`` and, for the arguments, ``insert_rows``."""
    return _submit(post, wait_for_job, below, dataset_id, 'UPDATE', _entries(rows, _updated), None)


def delete_rows(post, wait_for_job, below, dataset_id, amigo_ids):
    """Removes rows of a dataset; see ``AmigoCloud.delete_rows`` and, for the arguments, ``insert_rows``."""
    return _submit(post, wait_for_job, below, dataset_id, 'DELETE', _entries(amigo_ids, _deleted), None)


def check_rows(rows):
    """Raises for the first of some rows that ``insert_rows`` would not send.

    Args:
        rows (iterable of dict): see ``insert_rows``.

    Raises:
        AmigoCloudValueError: with the number of the row and the name of the column.
    """
    collections.deque(_encoded(rows, _inserted), maxlen=0)


def checked_text(text):
    """Gives a text if a database of the service can hold it.

    Args:
        text (str): a value, or the name of a column.

    Raises:
        AmigoCloudValueError: it cannot.
    """
    try:
        text = six.ensure_text(text)
        text.encode('utf-8')
    except UnicodeError as error:
        six.raise_from(AmigoCloudValueError(u'{!r} is no text: {}'.format(text, error)), error)
    if u'\0' in text:
        raise AmigoCloudValueError(u'{!r} holds a null character, which no text of the service can.'.format(text))
    return text


def _submit(post, wait_for_job, below, dataset_id, action, entries, report):
    if isinstance(dataset_id, bool) or not re.match(r'[1-9][0-9]*\Z', u'{}'.format(dataset_id)):
        raise AmigoCloudValueError('dataset_id is a number from 1, not {!r}.'.format(dataset_id))
    url = '{}datasets/{}/submit_change'.format(below, dataset_id)
    written = []
    try:
        for batch in _batches(entries):
            change = '{{"type": "DML", "entity": "dataset_{}", "parent": null, "action": "{}", "data": [{}]}}'.format(
                dataset_id, action, ', '.join(entry.json for entry in batch))
            answer = post(url, {'change': change})
            if names_job(answer):
                wait_for_job(answer)
            written.extend(entry.amigo_id for entry in batch)
            if report:
                report(len(written))
    except BaseException as error:
        # What the caller's own callback raises, and Ctrl-C, come out as they are, but not without this.
        error.written = written
        if written and isinstance(error, AmigoCloudError):
            error.message = u'{} rows were written, but then: {} Their amigo_ids, in error.written: {}'.format(
                len(written), error.message, _shortened(u', '.join(written)))
        raise
    return written


def _shortened(text):
    return text if len(text) <= _SHOWN else text[:_SHOWN - 3] + u'...'


def _taken(rows):
    """Yield the caller's rows; what an iterator of theirs raises becomes an AmigoCloudError of the same class too."""
    rows = iter(rows)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except AmigoCloudError:
            raise
        except Exception as failure:
            six.raise_from(_failure_of_rows(failure), failure)
        yield row


def _failure_of_rows(failure):
    message = u'The rows raised {}: {}'.format(type(failure).__name__, _shortened(_text_of(failure)))
    try:
        error = failure_error(failure, message)
    except TypeError:
        # A few classes, such as those with slots, cannot be combined with another.
        error = AmigoCloudError(message)
    error.__dict__.update(failure.__dict__, **error.__dict__)
    return error


def _text_of(failure):
    try:
        return six.text_type(failure)
    except UnicodeError:
        return six.text_type(repr(failure))


def _batches(entries):
    batch, size = [], _ENVELOPE_SIZE
    for entry in entries:
        if batch and size + entry.size >= BATCH_SIZE:
            yield batch
            batch, size = [], _ENVELOPE_SIZE
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


def _entries(rows, encode):
    """The rows as JSON: all at once where they are in memory anyway, so that a bad one is found before any is sent."""
    if isinstance(rows, six.string_types + (bytes, Mapping)) or not hasattr(rows, '__iter__'):
        raise AmigoCloudValueError('The rows are a list or another iterable, not {:.200}.'.format(repr(rows)))
    entries = _encoded(rows, encode)
    return list(entries) if hasattr(rows, '__len__') else entries


def _encoded(rows, encode):
    for number, row in enumerate(_taken(rows)):
        try:
            amigo_id, members = encode(row)
            text = json.dumps(members)
            # The change is a text inside the JSON of the request, where these two take another byte.
            size = len(text) + text.count('"') + text.count('\\') + len(', ')
            if _ENVELOPE_SIZE + size >= BATCH_SIZE:
                raise AmigoCloudValueError('It takes {} bytes, and a request {} at the most.'.format(size, BATCH_SIZE))
        except AmigoCloudValueError as error:
            six.raise_from(AmigoCloudValueError(u'Row {}, counted from 0: {}'.format(number, error.message)), error)
        yield _Entry(amigo_id, text, size)


def new_amigo_id():
    """Gives an amigo_id that no other row has, as a str of 32 hexadecimal digits."""
    return uuid.uuid4().hex


def _inserted(row):
    values = _values(row)
    amigo_id = values.pop(_AMIGO_ID, None)
    amigo_id = new_amigo_id() if amigo_id is None else _checked_id(amigo_id)
    return amigo_id, {'new': _not_empty(values), _AMIGO_ID: amigo_id}


def _updated(row):
    values = _values(row)
    amigo_id = _checked_id(values.pop(_AMIGO_ID, None))
    return amigo_id, {'new': _not_empty(values), _AMIGO_ID: amigo_id}


def _deleted(amigo_id):
    return amigo_id, {_AMIGO_ID: _checked_id(amigo_id)}


def _checked_id(amigo_id):
    if not isinstance(amigo_id, six.string_types) or not amigo_id.strip():
        raise AmigoCloudValueError(u'An amigo_id is a str with something in it, not {!r}.'.format(amigo_id))
    return checked_text(amigo_id)


def _not_empty(values):
    if not values:
        raise AmigoCloudValueError('It has no column besides its amigo_id.')
    return values


def _values(row):
    if not isinstance(row, Mapping):
        raise AmigoCloudValueError('It is a {}, not a dict.'.format(type(row).__name__))
    values = {}
    for name, value in row.items():
        if not isinstance(name, six.string_types) or not name.strip():
            raise AmigoCloudValueError(u'{!r} is no name of a column.'.format(name))
        name = checked_text(name)
        try:
            values[name] = _value(value)
        except AmigoCloudValueError as error:
            six.raise_from(AmigoCloudValueError(u'{}: {}'.format(name, error.message)), error)
    return values


def _value(value):
    """What JSON says for a value."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, six.string_types):
        return checked_text(value)
    if isinstance(value, numbers.Integral):
        if not -2 ** 63 <= value < 2 ** 63:
            raise AmigoCloudValueError('{} has more than 64 bits.'.format(value))
        return int(value)
    if isinstance(value, numbers.Real):
        if math.isnan(value) or math.isinf(value):
            raise AmigoCloudValueError('{} is no number that JSON has; None is null.'.format(value))
        return float(value)
    # The missing time of pandas is a datetime too.
    if isinstance(value, datetime.date) and value == value:
        return value.isoformat()
    if isinstance(value, getattr(sys.modules.get('shapely'), 'Geometry', ())):
        return _hex_ewkb(value)
    raise AmigoCloudValueError(u'{:.200} is of a type that no column holds.'.format(repr(value)))


def _hex_ewkb(geometry):
    import shapely
    if not shapely.get_srid(geometry):
        geometry = shapely.set_srid(geometry, _WGS84)
    return shapely.to_wkb(geometry, hex=True, include_srid=True)
