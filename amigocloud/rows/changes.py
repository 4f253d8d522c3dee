"""Insert, update and delete rows of a dataset, by ``DATASET/submit_change``."""
from __future__ import absolute_import

import os
import uuid

import six

from .. import checks
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shown
from .batches import (
    change_of,
    checked_columns,
    checked_id,
    column_batches,
    frame_batches,
    is_frame,
    row_batches,
    values_of_row,
)
from .columns import AMIGO_ID, in_row, values_of
from .queries import PAGE_SIZE
from .results import WriteResult
from .sending import is_doubtful, listing_written, send_change, submit

# Amigo_ids in one query. More would make the URL too long for a server.
_LOOKUP_SIZE = 500


@listing_written
def insert(dataset, rows):
    """Insert rows; see ``Dataset.insert``."""
    unchanged = []
    amigo_ids = []
    batches = (_new_frame_batches if is_frame(rows) else _new_row_batches)(
        dataset, rows, amigo_ids, unchanged)
    inserted, = submit(dataset, [('INSERT', batches)])
    return WriteResult(amigo_ids, inserted=inserted, unchanged=unchanged)


@listing_written
def update(dataset, rows):
    """Update rows; see ``Dataset.update``."""
    batches = (_updated_frame_batches(rows) if is_frame(rows)
               else row_batches(rows, _distinct(_updated)))
    updated, = submit(dataset, [('UPDATE', batches)])
    return WriteResult(updated, updated=updated)


@listing_written
def delete(dataset, amigo_ids):
    """Delete rows; see ``Dataset.delete``."""
    if is_frame(amigo_ids):
        raise AmigoCloudValueError(
            "amigo_ids must be a list or a column, not a frame; pass frame['amigo_id'].")
    deleted, = submit(dataset, [('DELETE', row_batches(amigo_ids, _distinct(_deleted)))])
    return WriteResult(deleted, deleted=deleted)


def truncate(dataset):
    """Delete all rows; see ``Dataset.truncate``."""
    try:
        send_change(dataset, 'TRUNCATE', 'null')
    except AmigoCloudError as error:
        if is_doubtful(error):
            error.message = (
                u'{}. It is unknown whether the rows of {} were deleted; truncate can be '
                u'repeated.'.format(error.message.rstrip(u'.'), dataset.url))
        raise


def insert_columns(dataset, columns, amigo_ids, report, advice):
    """Insert rows from columns that ``check_columns`` accepted.

    Args:
        dataset (Dataset): the dataset that receives the rows.
        columns (list of Column): at least one, all of the same length.
        amigo_ids (list of str): the amigo_id of each row.
        report (callable), advice (str): see ``sending.submit``.

    Returns:
        list of str: the amigo_ids.

    Raises:
        AmigoCloudError: see ``Dataset.insert``.
    """
    batches = column_batches(columns, amigo_ids)
    return submit(dataset, [('INSERT', batches)], report, advice)[0]


def present_ids(dataset, amigo_ids):
    """Return which of some amigo_ids a dataset has, as a set.

    Args:
        dataset (Dataset): the dataset.
        amigo_ids (list of str): the amigo_ids.
    """
    if len(amigo_ids) > _LOOKUP_SIZE and (
            dataset.count() // PAGE_SIZE < len(amigo_ids) // _LOOKUP_SIZE):
        # Reading all amigo_ids of the dataset takes fewer requests.
        return _ids_of(dataset, dataset.read(columns=[AMIGO_ID])).intersection(amigo_ids)
    found = set()
    query = 'SELECT amigo_id FROM {} WHERE amigo_id IN :amigo_ids'.format(dataset.table_name)
    for some in lookups(amigo_ids):
        found |= _ids_of(dataset, dataset.project.sql(query, {'amigo_ids': some}))
    return found


def lookups(amigo_ids):
    """Yield the lists of amigo_ids that fit into one query each."""
    for start in range(0, len(amigo_ids), _LOOKUP_SIZE):
        yield amigo_ids[start:start + _LOOKUP_SIZE]


def _ids_of(dataset, rows):
    url = dataset.project.url + '/sql'
    return {checks.member(row, AMIGO_ID, six.string_types, url) for row in rows}


def checked_ids(amigo_ids, make_ids):
    """Return the amigo_ids of rows, with new ones for rows that have none.

    Args:
        amigo_ids (list): the amigo_id of each row, or None.
        make_ids (callable): ``make_ids(count)`` returns new amigo_ids; None if every row must have
            an amigo_id.

    Returns:
        list of str: the amigo_ids.

    Raises:
        AmigoCloudValueError: a value is not an amigo_id; the message has the number of its row.
    """
    made = iter(make_ids(amigo_ids.count(None)) if make_ids else ())
    checked = []
    for number, amigo_id in enumerate(amigo_ids):
        try:
            is_new = amigo_id is None and make_ids is not None
            checked.append(next(made) if is_new else checked_id(amigo_id))
        except AmigoCloudValueError as error:
            six.raise_from(in_row(number, error), error)
    return checked


def new_amigo_ids(count):
    """Return new amigo_ids in ascending order, because ``Dataset.read`` sorts by them.

    Args:
        count (int): how many.

    Returns:
        list of str: random UUIDs, as ``uuid.uuid4`` makes them one by one and more slowly.
    """
    import numpy
    numbers = numpy.frombuffer(os.urandom(16 * count), 'uint8').reshape(-1, 16).copy()
    # The version and the variant of a UUID.
    numbers[:, 6] = numbers[:, 6] & 0x0f | 0x40
    numbers[:, 8] = numbers[:, 8] & 0x3f | 0x80
    # numpy sorts bytes faster than texts.
    digits = numpy.sort(numbers.view('S16'), axis=0).tobytes().hex()
    return [digits[start:start + 32] for start in range(0, len(digits), 32)]


def _new_row_batches(dataset, rows, amigo_ids, unchanged):
    """Return the batches of rows that a dataset does not have yet.

    Args:
        dataset (Dataset): the dataset.
        rows (iterable of dict): the rows.
        amigo_ids (list), unchanged (list): receive the amigo_ids of all rows, and of those that the
            dataset has.
    """
    own = set()

    def encode(row):
        amigo_id, members = _inserted(row)
        if row.get(AMIGO_ID) is not None:
            _add_distinct(own, amigo_id)
        amigo_ids.append(amigo_id)
        return amigo_id, members
    return _without_present(dataset, row_batches(rows, encode), own, unchanged)


def _without_present(dataset, batches, own, unchanged):
    for amigo_ids, texts in batches:
        present = present_ids(dataset, [amigo_id for amigo_id in amigo_ids if amigo_id in own])
        if present:
            unchanged.extend(amigo_id for amigo_id in amigo_ids if amigo_id in present)
            kept = [place for place, amigo_id in enumerate(amigo_ids) if amigo_id not in present]
            amigo_ids = [amigo_ids[place] for place in kept]
            texts = [texts[place] for place in kept]
        if amigo_ids:
            yield amigo_ids, texts


def _distinct(encode):
    """Return a function that encodes rows, and raises for the second one with an amigo_id."""
    seen = set()

    def encode_distinct(row):
        amigo_id, members = encode(row)
        _add_distinct(seen, amigo_id)
        return amigo_id, members
    return encode_distinct


def _add_distinct(seen, amigo_id):
    if amigo_id in seen:
        raise AmigoCloudValueError(
            u'the amigo_id {} is that of an earlier row too; each row must have its own. Remove '
            u'one.'.format(shown(amigo_id)))
    seen.add(amigo_id)


def _updated_frame_batches(frame):
    batches = frame_batches(frame, _ids_of_frame(frame, None))
    own_ids(frame)
    return batches


def _new_frame_batches(dataset, frame, amigo_ids, unchanged):
    """Return the batches of rows of a frame that a dataset does not have yet.

    Args:
        dataset, amigo_ids, unchanged: see ``_new_row_batches``.
    """
    amigo_ids.extend(_ids_of_frame(frame, new_amigo_ids))
    # All rows are checked before anything is sent.
    columns = checked_columns(frame, amigo_ids)
    columns, new, present = new_part(dataset, frame, columns, amigo_ids)
    unchanged.extend(present)
    return column_batches(columns, new)


def new_part(dataset, frame, columns, amigo_ids):
    """Return the part of a frame that a dataset does not have yet.

    Args:
        dataset (Dataset): the dataset.
        frame (pandas.DataFrame): all rows.
        columns (list of Column): the columns of the frame.
        amigo_ids (list of str): the amigo_id of each row.

    Returns:
        tuple of list: the columns and the amigo_ids of the rows that are new, and the amigo_ids of
        the others.
    """
    present = present_ids(dataset, own_ids(frame))
    if present:
        places = [place for place, amigo_id in enumerate(amigo_ids) if amigo_id not in present]
        columns = [column.part(places) for column in columns]
    return (columns, [amigo_id for amigo_id in amigo_ids if amigo_id not in present],
            [amigo_id for amigo_id in amigo_ids if amigo_id in present])


def own_ids(frame):
    """Return the amigo_ids that a frame has, which must differ.

    Args:
        frame (pandas.DataFrame): its column amigo_id may be missing, or have missing values.
    """
    if AMIGO_ID not in frame:
        return []
    present = frame[AMIGO_ID].dropna()
    repeated = present[present.duplicated()]
    if len(repeated):
        raise AmigoCloudValueError(
            u'The amigo_id {} is that of several rows; each row must have its own.'.format(
                shown(repeated.iloc[0])))
    return present.tolist()


def _ids_of_frame(frame, make_ids):
    amigo_ids = values_of(frame[AMIGO_ID]) if AMIGO_ID in frame else [None] * len(frame)
    return checked_ids(amigo_ids, make_ids)


def _inserted(row):
    values = values_of_row(row)
    amigo_id = values.pop(AMIGO_ID, None)
    return change_of(uuid.uuid4().hex if amigo_id is None else checked_id(amigo_id), values)


def _updated(row):
    values = values_of_row(row)
    return change_of(checked_id(values.pop(AMIGO_ID, None)), values)


def _deleted(amigo_id):
    return amigo_id, {AMIGO_ID: checked_id(amigo_id)}
