"""Rows of the caller as JSON, in batches that fit into one request each."""
from __future__ import absolute_import

import collections
import json
import sys

import six
from requests.compat import Mapping

from .. import checks
from ..exceptions import (
    AmigoCloudError,
    AmigoCloudValueError,
    failure_error,
    shortened,
    shown,
    text_of,
)
from .columns import (
    AMIGO_ID,
    checked_name,
    checked_text,
    frame_columns,
    in_row,
    in_value,
    json_value,
    row_texts,
)

#: Bytes; a request is smaller. The AmigoCloud driver of GDAL has the same limit.
BATCH_SIZE = 15000000

# Bytes of a request that are not rows, rounded up.
_ENVELOPE_SIZE = 1000

# Characters of an amigo_id, by the schema of every dataset.
_LONGEST_ID = 32


def is_frame(rows):
    return isinstance(rows, getattr(sys.modules.get('pandas'), 'DataFrame', ()))


def check_is_iterable(rows):
    """Raise AmigoCloudValueError for rows that are not an iterable, or are a text or one dict."""
    is_one_value = isinstance(rows, six.string_types + (bytes, Mapping))
    if is_one_value or not hasattr(rows, '__iter__'):
        raise AmigoCloudValueError(
            u'The rows must be a list or another iterable, not {}.'.format(shown(rows)))


def row_batches(rows, encode):
    """Return rows in batches.

    A list is encoded as a whole, so that an error in a row is raised before anything is sent; an
    iterator is encoded batch by batch.

    Args:
        rows (iterable): the rows.
        encode (callable): ``encode(row)`` returns the amigo_id and the JSON object of a row.

    Returns:
        iterator of tuple: the amigo_ids of a batch, and the JSON of its rows as a list of str.
    """
    check_is_iterable(rows)
    entries = encoded(enumerate(rows_of(rows)), encode)
    return entry_batches(list(entries) if hasattr(rows, '__len__') else entries)


def rows_of(rows):
    """Yield the caller's rows; an exception of the iterator becomes an AmigoCloudError as well."""
    try:
        for row in rows:
            yield row
    except AmigoCloudError:
        raise
    except Exception as failure:
        six.raise_from(_iterator_error(failure), failure)


def _iterator_error(failure):
    message = u'The iterator of rows raised {}: {}'.format(
        type(failure).__name__, shortened(text_of(failure)))
    try:
        error = failure_error(failure, message)
    except TypeError:
        # A few classes, such as those with slots, cannot be combined with another class.
        error = AmigoCloudError(message)
    error.__dict__.update(failure.__dict__, **error.__dict__)
    return error


def encoded(rows, encode):
    """Yield the amigo_id, the JSON and the size in a request of each row.

    Args:
        rows (iterable of tuple): the number of each row, for errors, and the row.
        encode (callable): ``encode(row)`` returns the amigo_id and the JSON object of a row.
    """
    for number, row in rows:
        try:
            amigo_id, members = encode(row)
            text = json.dumps(members)
            size = _size(text)
            _check_size(size)
        except AmigoCloudValueError as error:
            six.raise_from(in_row(number, error), error)
        yield amigo_id, text, size


def entry_batches(entries):
    """Yield the batches of rows that ``encoded`` yields; see ``sending.submit``."""
    amigo_ids = []
    texts = []
    size = _ENVELOPE_SIZE
    for amigo_id, text, added in entries:
        if texts and size + added >= BATCH_SIZE:
            yield amigo_ids, texts
            amigo_ids = []
            texts = []
            size = _ENVELOPE_SIZE
        amigo_ids.append(amigo_id)
        texts.append(text)
        size += added
    if texts:
        yield amigo_ids, texts


def values_of_row(row):
    """Return the values of a row by column, as JSON accepts them."""
    if not isinstance(row, Mapping):
        raise AmigoCloudValueError(u'it must be a dict, not {}.'.format(shown(row)))
    values = {}
    for name, value in row.items():
        name = checked_name(name)
        try:
            values[name] = json_value(value)
        except AmigoCloudValueError as error:
            six.raise_from(in_value(name, error), error)
    return values


def change_of(amigo_id, values):
    """Return the amigo_id of a row and the JSON object that writes its values."""
    if not values:
        raise AmigoCloudValueError('it has no column besides amigo_id; add one.')
    return amigo_id, {'new': values, AMIGO_ID: amigo_id}


def checked_id(amigo_id):
    amigo_id = checked_text(checks.text('amigo_id', amigo_id))
    if len(amigo_id) > _LONGEST_ID:
        raise AmigoCloudValueError(
            u'the amigo_id {} has more than {} characters; write a UUID without hyphens, as its '
            u'attribute hex has it.'.format(shown(amigo_id), _LONGEST_ID))
    return amigo_id


def frame_batches(frame, amigo_ids):
    """Return the batches of the rows of a frame; see ``sending.submit``.

    Args:
        frame (pandas.DataFrame): the rows.
        amigo_ids (list of str): the amigo_id of each row.
    """
    return column_batches(checked_columns(frame, amigo_ids), amigo_ids)


def checked_columns(frame, amigo_ids):
    columns = frame_columns(frame)
    if not columns:
        raise AmigoCloudValueError('The frame has no column besides amigo_id; add one.')
    check_columns(columns, amigo_ids)
    return columns


def check_columns(columns, amigo_ids):
    """Raise AmigoCloudValueError for the first row that is too large for a request.

    Args:
        columns (list of Column), amigo_ids (list of str): see ``insert_columns``.
    """
    longest = sum(column.longest + 2 * len(json.dumps(column.name)) + 4 for column in columns)
    if 2 * _ENVELOPE_SIZE + longest >= BATCH_SIZE:
        # Encode the rows only if one may be too large, because it takes as long as sending them.
        collections.deque(column_batches(columns, amigo_ids), maxlen=0)


def column_batches(columns, amigo_ids):
    """Yield batches for ``sending.submit``, in which each text is the JSON of many rows."""
    first = 0
    texts = []
    size = _ENVELOPE_SIZE
    for start, end, text_of_rows in row_texts(columns, amigo_ids):
        # Halving a run of rows that does not fit is faster than measuring each row.
        runs = [(start, end)]
        while runs:
            start, end = runs.pop()
            text = text_of_rows(start, end)
            added = _size(text)
            if size + added < BATCH_SIZE:
                texts.append(text)
                size += added
            elif end - start > 1:
                middle = (start + end) // 2
                runs += [(middle, end), (start, middle)]
            elif texts:
                yield amigo_ids[first:start], texts
                first = start
                texts = []
                size = _ENVELOPE_SIZE
                runs.append((start, end))
            else:
                try:
                    _check_size(added)
                except AmigoCloudValueError as error:
                    six.raise_from(in_row(start, error), error)
    if texts:
        yield amigo_ids[first:], texts


def _size(text):
    """Return the bytes of the JSON of rows in a request, with the separator."""
    # The change is a text inside the JSON of the request, so these characters are escaped again.
    return len(text) + text.count('"') + text.count('\\') + len(', ')


def _check_size(size):
    if _ENVELOPE_SIZE + size >= BATCH_SIZE:
        raise AmigoCloudValueError(
            'it takes {} bytes, but a request must be smaller than {}; shorten its values.'.format(
                size, BATCH_SIZE))
