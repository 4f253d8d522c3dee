"""Rows of a dataset put in, changed and removed: the changes that ``submit_change`` takes, in batches."""
from __future__ import absolute_import

import collections
import json
import os
import re
import sys
import uuid

import six
from requests.compat import Mapping

from . import rowjson
from .exceptions import AmigoCloudError, AmigoCloudValueError, failure_error, text_of
from .jobs import names_job

#: Bytes of a request, which stays below that; GDAL's AmigoCloud driver sends as much.
BATCH_SIZE = 15000000

_AMIGO_ID = 'amigo_id'
#: Bytes of a request that are no rows, and more than that.
_ENVELOPE_SIZE = 1000
#: Characters of a value, or of a list of amigo_ids, in a message.
_SHOWN = 200


def insert_rows(post, wait_for_job, below, dataset_id, rows, report=None):
    """Insert rows into a dataset; see ``AmigoCloud.insert_rows``.

    Args:
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
        wait_for_job (callable): waits for a job, as ``AmigoCloud.wait_for_job`` does.
        below (str): what stands before the paths of the project; see ``queries.project_path``.
        report (callable): is told how many rows are written.
    """
    entries = _of_frame(rows, new_amigo_ids) if _is_frame(rows) else _entries(rows, _inserted)
    return _submit(post, wait_for_job, below, dataset_id, 'INSERT', entries, report)


def insert_columns(post, wait_for_job, below, dataset_id, columns, amigo_ids, report):
    """Insert the rows of checked columns; see ``insert_rows``.

    Args:
        columns (list of rowjson.Column), amigo_ids (list of str): of one length.
    """
    entries = _of_columns(columns, amigo_ids)
    return _submit(post, wait_for_job, below, dataset_id, 'INSERT', entries, report)


def check_columns(columns, amigo_ids):
    """Raise for the first row that would not fit into a request; see ``insert_columns``."""
    longest = sum(column.longest + 2 * len(json.dumps(column.name)) + 4 for column in columns)
    if 2 * _ENVELOPE_SIZE + longest >= BATCH_SIZE:
        collections.deque(_of_columns(columns, amigo_ids), maxlen=0)


def update_rows(post, wait_for_job, below, dataset_id, rows):
    """Update rows of a dataset; see ``AmigoCloud.update_rows`` and, for the arguments, ``insert_rows``."""
    entries = _of_frame(rows, None) if _is_frame(rows) else _entries(rows, _updated)
    return _submit(post, wait_for_job, below, dataset_id, 'UPDATE', entries, None)


def delete_rows(post, wait_for_job, below, dataset_id, amigo_ids):
    """Delete rows of a dataset; see ``AmigoCloud.delete_rows`` and, for the arguments, ``insert_rows``."""
    if _is_frame(amigo_ids):
        raise AmigoCloudValueError("amigo_ids are a list or a column, not a frame; frame['amigo_id'] may hold them.")
    return _submit(post, wait_for_job, below, dataset_id, 'DELETE', _entries(amigo_ids, _deleted), None)


def _submit(post, wait_for_job, below, dataset_id, action, entries, report):
    if isinstance(dataset_id, bool) or not re.match(r'[1-9][0-9]*\Z', u'{}'.format(dataset_id)):
        raise AmigoCloudValueError('dataset_id is a number from 1, not {!r}.'.format(dataset_id))
    url = '{}datasets/{}/submit_change'.format(below, dataset_id)
    written = []
    try:
        for batch in _batches(entries):
            change = '{{"type": "DML", "entity": "dataset_{}", "parent": null, "action": "{}", "data": [{}]}}'.format(
                dataset_id, action, ', '.join(text for _, text in batch))
            answer = post(url, {'change': change})
            if names_job(answer):
                wait_for_job(answer)
            written.extend(amigo_id for amigo_id, _ in batch)
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
    message = u'The rows raised {}: {}'.format(type(failure).__name__, _shortened(text_of(failure)))
    try:
        error = failure_error(failure, message)
    except TypeError:
        # A few classes, such as those with slots, cannot be combined with another.
        error = AmigoCloudError(message)
    error.__dict__.update(failure.__dict__, **error.__dict__)
    return error


def _batches(entries):
    """Gather amigo_id and JSON of rows, each of which comes with the bytes that it takes in a request."""
    batch, size = [], _ENVELOPE_SIZE
    for amigo_id, text, added in entries:
        if batch and size + added >= BATCH_SIZE:
            yield batch
            batch, size = [], _ENVELOPE_SIZE
        batch.append((amigo_id, text))
        size += added
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
            entry = _sized(amigo_id, json.dumps(members))
        except AmigoCloudValueError as error:
            six.raise_from(_in_row(number, error), error)
        yield entry


def _sized(amigo_id, text):
    # The change is a text inside the JSON of the request, where these two take another byte.
    size = len(text) + text.count('"') + text.count('\\') + len(', ')
    if _ENVELOPE_SIZE + size >= BATCH_SIZE:
        raise AmigoCloudValueError('It takes {} bytes, and a request {} at the most.'.format(size, BATCH_SIZE))
    return amigo_id, text, size


def _is_frame(rows):
    return isinstance(rows, getattr(sys.modules.get('pandas'), 'DataFrame', ()))


def _of_frame(frame, make_ids):
    columns = rowjson.columns_of(frame, _AMIGO_ID)
    _not_empty(columns)
    amigo_ids = rowjson.values_of(frame[_AMIGO_ID]) if _AMIGO_ID in frame else [None] * len(frame)
    amigo_ids = checked_ids(amigo_ids, make_ids)
    check_columns(columns, amigo_ids)
    return _of_columns(columns, amigo_ids)


def _of_columns(columns, amigo_ids):
    number = 0
    for ids, texts in rowjson.row_texts(columns, amigo_ids):
        # As _sized computes them, without a call for each row.
        sizes = [len(text) + text.count('"') + text.count('\\') + len(', ') for text in texts]
        if _ENVELOPE_SIZE + max(sizes) >= BATCH_SIZE:
            place = sizes.index(max(sizes))
            try:
                _sized(ids[place], texts[place])
            except AmigoCloudValueError as error:
                six.raise_from(_in_row(number + place, error), error)
        for entry in zip(ids, texts, sizes):
            yield entry
        number += len(ids)


def checked_ids(amigo_ids, make_ids):
    """Return amigo_ids of rows, with new ones for those that are None.

    Args:
        amigo_ids (list): as rows name them.
        make_ids (callable): takes a number and returns so many new ones; None where each row has to have one.

    Raises:
        AmigoCloudValueError: one is no amigo_id; the message has the number of its row.
    """
    made = iter(make_ids(amigo_ids.count(None)) if make_ids else ())
    checked = []
    for number, amigo_id in enumerate(amigo_ids):
        try:
            checked.append(next(made) if amigo_id is None and make_ids else _checked_id(amigo_id))
        except AmigoCloudValueError as error:
            six.raise_from(_in_row(number, error), error)
    return checked


def _in_row(number, error):
    return AmigoCloudValueError(u'Row {}, counted from 0: {}'.format(number, error.message))


def new_amigo_id():
    """Return an amigo_id that no other row has, as a str of 32 hexadecimal digits."""
    return uuid.uuid4().hex


def new_amigo_ids(count):
    """Return several new amigo_ids that ascend, as ``read_dataset`` sorts by them."""
    import numpy
    # Those of uuid.uuid4, which makes them one by one and takes longer for it than the rest of a row does.
    numbers = numpy.frombuffer(os.urandom(16 * count), 'uint8').reshape(-1, 16).copy()
    numbers[:, 6] = numbers[:, 6] & 0x0f | 0x40
    numbers[:, 8] = numbers[:, 8] & 0x3f | 0x80
    digits = numbers.tobytes().hex()
    return sorted(digits[start:start + 32] for start in range(0, len(digits), 32))


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
    return rowjson.checked_text(amigo_id)


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
        name = rowjson.checked_text(name)
        try:
            values[name] = rowjson.json_value(value)
        except AmigoCloudValueError as error:
            six.raise_from(AmigoCloudValueError(u'{}: {}'.format(name, error.message)), error)
    return values
