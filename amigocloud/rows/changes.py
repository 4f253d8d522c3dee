"""Insert, update and delete rows of a dataset in batches, by ``DATASET/submit_change``."""
from __future__ import absolute_import

import collections
import functools
import json
import os
import sys
import uuid

import six
from requests.compat import Mapping

from .. import checks
from ..exceptions import (
    AmigoCloudError,
    AmigoCloudJobError,
    AmigoCloudValueError,
    failure_error,
    shortened,
    shown,
    text_of,
)
from ..jobs import run_job
from .columns import (
    AMIGO_ID,
    checked_name,
    checked_text,
    frame_columns,
    in_row,
    in_value,
    json_value,
    row_texts,
    values_of,
)
from .queries import PAGE_SIZE
from .results import WriteResult

#: Bytes; a request is smaller. The AmigoCloud driver of GDAL has the same limit.
BATCH_SIZE = 15000000

#: The most rows of a batch after the service has refused a larger one with 429. Users pause after
#: as many to stay within its limits.
RATE_LIMIT_ROWS = 1000

#: How often a batch that is refused is divided before the error is raised.
DIVISIONS = 3

# Bytes of a request that are not rows, rounded up.
_ENVELOPE_SIZE = 1000

# Characters of an amigo_id, by the schema of every dataset.
_LONGEST_ID = 32

# Amigo_ids in one query. More would make the URL too long for a server.
_LOOKUP_SIZE = 500

_CHANGE = '{{"type": "DML", "entity": "{}", "parent": null, "action": "{}", "data": {}}}'

#: The first half of the advice for rows that may have been inserted.
WAIT = (u'The service may still be writing them: wait until dataset.count() no longer changes, '
        u'then ')

_ADVICE = {
    'INSERT': WAIT + u'repeat the insert with these amigo_ids in its rows, which skips rows that '
                     u'exist.',
    'UPDATE': u'An update can be repeated.',
    'DELETE': u'Look which of them exist before you delete them again.'}


def listing_written(write):
    """Decorate a function that writes, so that errors before the first batch have lists too."""
    @functools.wraps(write)
    def write_or_list(*args):
        try:
            return write(*args)
        except AmigoCloudError as error:
            if error.written is None:
                error.written = []
                error.unknown = []
            raise
    return write_or_list


@listing_written
def insert(dataset, rows):
    """Insert rows; see ``Dataset.insert``."""
    unchanged = []
    amigo_ids = []
    batches = (_new_frame_batches if is_frame(rows) else _new_row_batches)(
        dataset, rows, amigo_ids, unchanged)
    inserted, = submit(dataset, [('INSERT', batches)])
    return WriteResult(amigo_ids, inserted=inserted, unchanged=unchanged)


def check_is_iterable(rows):
    """Raise AmigoCloudValueError for rows that are not an iterable, or are a text or one dict."""
    is_one_value = isinstance(rows, six.string_types + (bytes, Mapping))
    if is_one_value or not hasattr(rows, '__iter__'):
        raise AmigoCloudValueError(
            u'The rows must be a list or another iterable, not {}.'.format(shown(rows)))


def insert_columns(dataset, columns, amigo_ids, report, advice):
    """Insert rows from columns that ``check_columns`` accepted.

    Args:
        dataset (Dataset): the dataset that receives the rows.
        columns (list of Column): at least one, all of the same length.
        amigo_ids (list of str): the amigo_id of each row.
        report (callable), advice (str): see ``submit``.

    Returns:
        list of str: the amigo_ids.

    Raises:
        AmigoCloudError: see ``Dataset.insert``.
    """
    batches = column_batches(columns, amigo_ids)
    return submit(dataset, [('INSERT', batches)], report, advice)[0]


def check_columns(columns, amigo_ids):
    """Raise AmigoCloudValueError for the first row that is too large for a request.

    Args:
        columns (list of Column), amigo_ids (list of str): see ``insert_columns``.
    """
    longest = sum(column.longest + 2 * len(json.dumps(column.name)) + 4 for column in columns)
    if 2 * _ENVELOPE_SIZE + longest >= BATCH_SIZE:
        # Encode the rows only if one may be too large, because it takes as long as sending them.
        collections.deque(column_batches(columns, amigo_ids), maxlen=0)


@listing_written
def update(dataset, rows):
    """Update rows; see ``Dataset.update``."""
    batches = (_updated_frame_batches(rows) if is_frame(rows)
               else _row_batches(rows, _distinct(_updated)))
    updated, = submit(dataset, [('UPDATE', batches)])
    return WriteResult(updated, updated=updated)


@listing_written
def delete(dataset, amigo_ids):
    """Delete rows; see ``Dataset.delete``."""
    if is_frame(amigo_ids):
        raise AmigoCloudValueError(
            "amigo_ids must be a list or a column, not a frame; pass frame['amigo_id'].")
    deleted, = submit(dataset, [('DELETE', _row_batches(amigo_ids, _distinct(_deleted)))])
    return WriteResult(deleted, deleted=deleted)


def truncate(dataset):
    """Delete all rows; see ``Dataset.truncate``."""
    try:
        _send(dataset, 'TRUNCATE', 'null')
    except AmigoCloudError as error:
        if _is_doubtful(error):
            error.message = (
                u'{}. It is unknown whether the rows of {} were deleted; truncate can be '
                u'repeated.'.format(error.message.rstrip(u'.'), dataset.url))
        raise


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


def submit(dataset, parts, report=None, advice=None):
    """Send batches of rows, one after another, and wait for their jobs.

    Args:
        dataset (Dataset): the dataset.
        parts (list of tuple): an action, such as ``'INSERT'``, and its batches: the amigo_ids of
            each batch, and the JSON of its rows as a list of str.
        report (callable): ``report(rows)`` is called with the number of rows that are written.
        advice (str): what to do about a batch of which it is unknown whether it was written.

    Returns:
        list of list: the amigo_ids of the rows that each part wrote.

    Raises:
        AmigoCloudError: a batch failed. ``written`` has the amigo_ids of all rows that were
            written, ``unknown`` those of the rows of a batch of which it is unknown.
    """
    written = [[] for _ in parts]
    count = 0
    sender = _Sender(dataset)
    try:
        for (action, batches), done in zip(parts, written):
            for amigo_ids in sender.send(action, batches):
                done.extend(amigo_ids)
                count += len(amigo_ids)
                if report:
                    report(count)
    except BaseException as error:
        # Exceptions of the caller's callback, and KeyboardInterrupt, keep their class and message.
        error.written = [amigo_id for done in written for amigo_id in done]
        error.unknown = list(sender.pending) if _is_doubtful(error) else []
        if isinstance(error, AmigoCloudError):
            _explain(error, advice or _ADVICE[action])
        raise
    return written


class _Sender(object):
    """Sends batches, and divides them after the service has refused one with 429.

    Args:
        dataset (Dataset): the dataset.

    Attributes:
        pending (list of str): the amigo_ids of the batch that is being sent.
    """

    def __init__(self, dataset):
        self.pending = []
        self._dataset = dataset
        self._most_rows = float('inf')

    def send(self, action, batches):
        """Send batches, wait for their jobs, and yield the amigo_ids of each that is written.

        Args:
            action (str), batches (iterable of tuple): see ``submit``.
        """
        for batch in batches:
            refusals = 0
            parts = [batch]
            while parts:
                amigo_ids, texts = parts.pop()
                if len(amigo_ids) > self._most_rows:
                    parts.extend(reversed(_divided(amigo_ids, texts, self._most_rows)))
                    continue
                self.pending = amigo_ids
                try:
                    _send(self._dataset, action, '[{}]'.format(', '.join(texts)))
                except AmigoCloudError as error:
                    refusals += 1
                    if not _may_divide(error) or len(amigo_ids) == 1 or refusals > DIVISIONS:
                        raise
                    self._most_rows = min(RATE_LIMIT_ROWS, len(amigo_ids) // 2)
                    parts.append((amigo_ids, texts))
                    continue
                refusals = 0
                self.pending = []
                yield amigo_ids


def _may_divide(error):
    # A service that says when to retry does not ask for smaller batches.
    return (error.status_code == 429 and 'Retry-After' not in error.response.headers
            and not _is_doubtful(error))


def _divided(amigo_ids, texts, most_rows):
    """Return the parts of a batch that have at most some number of rows."""
    rows = json.loads('[{}]'.format(', '.join(texts)))
    return [(amigo_ids[start:start + most_rows],
             [json.dumps(row) for row in rows[start:start + most_rows]])
            for start in range(0, len(rows), most_rows)]


def _send(dataset, action, data):
    run_job(dataset.client, dataset.url + '/submit_change',
            {'change': _CHANGE.format(dataset.table_name, action, data)})


def _is_doubtful(error):
    """Return whether the service may have carried out a change that failed with an error."""
    is_refusal = 300 <= (getattr(error, 'status_code', None) or 0) < 500
    # A 404 of a job says nothing about the change.
    is_of_change = is_refusal and '/submit_change' in (getattr(error.response, 'url', None) or '')
    return not (isinstance(error, AmigoCloudJobError) or is_of_change and error.status_code != 408)


def _explain(error, advice):
    """Add to the message of an error which rows were written."""
    if error.written:
        error.message = (
            u'{} rows were written, but then: {}. Their amigo_ids are in error.written: {}.'.format(
                len(error.written), error.message.rstrip(u'.'),
                shortened(u', '.join(error.written))))
    if error.unknown:
        error.message = (
            u'{}. It is unknown whether these {} rows were written, whose amigo_ids are in '
            u'error.unknown: {}. {}'.format(
                error.message.rstrip(u'.'), len(error.unknown),
                shortened(u', '.join(error.unknown)), advice))


def is_frame(rows):
    return isinstance(rows, getattr(sys.modules.get('pandas'), 'DataFrame', ()))


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
    return _without_present(dataset, _row_batches(rows, encode), own, unchanged)


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


def _row_batches(rows, encode):
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
    return row_batches(list(entries) if hasattr(rows, '__len__') else entries)


def row_batches(entries):
    """Yield the batches of rows that ``encoded`` yields; see ``submit``."""
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
    message = u'The rows raised {}: {}'.format(type(failure).__name__, shortened(text_of(failure)))
    try:
        error = failure_error(failure, message)
    except TypeError:
        # A few classes, such as those with slots, cannot be combined with another class.
        error = AmigoCloudError(message)
    error.__dict__.update(failure.__dict__, **error.__dict__)
    return error


def _size(text):
    """Return the bytes of the JSON of rows in a request, with the separator."""
    # The change is a text inside the JSON of the request, so these characters are escaped again.
    return len(text) + text.count('"') + text.count('\\') + len(', ')


def _check_size(size):
    if _ENVELOPE_SIZE + size >= BATCH_SIZE:
        raise AmigoCloudValueError(
            'it takes {} bytes, but a request must be smaller than {}; shorten its values.'.format(
                size, BATCH_SIZE))


def frame_batches(frame, amigo_ids):
    """Return the batches of the rows of a frame; see ``submit``.

    Args:
        frame (pandas.DataFrame): the rows.
        amigo_ids (list of str): the amigo_id of each row.
    """
    return column_batches(_checked_columns(frame, amigo_ids), amigo_ids)


def _checked_columns(frame, amigo_ids):
    columns = frame_columns(frame)
    if not columns:
        raise AmigoCloudValueError('The frame has no column besides amigo_id; add one.')
    check_columns(columns, amigo_ids)
    return columns


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
    columns = _checked_columns(frame, amigo_ids)
    new, present = keep_new(dataset, frame, columns, amigo_ids)
    unchanged.extend(present)
    return column_batches(columns, new)


def keep_new(dataset, frame, columns, amigo_ids):
    """Keep the rows that a dataset does not have yet, as they are encoded.

    Another table of these rows could get other types.

    Args:
        dataset (Dataset): the dataset.
        frame (pandas.DataFrame): all rows.
        columns (list of Column): the columns of the frame, which lose the other rows.
        amigo_ids (list of str): the amigo_id of each row.

    Returns:
        tuple of list: the amigo_ids of the rows that are kept, and of the others.
    """
    present = present_ids(dataset, own_ids(frame))
    if present:
        places = [place for place, amigo_id in enumerate(amigo_ids) if amigo_id not in present]
        for column in columns:
            column.keep(places)
    return ([amigo_id for amigo_id in amigo_ids if amigo_id not in present],
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


def column_batches(columns, amigo_ids):
    """Yield batches as ``submit`` takes them, in which each text is the JSON of many rows."""
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


def _inserted(row):
    values = values_of_row(row)
    amigo_id = values.pop(AMIGO_ID, None)
    return change_of(uuid.uuid4().hex if amigo_id is None else checked_id(amigo_id), values)


def _updated(row):
    values = values_of_row(row)
    return change_of(checked_id(values.pop(AMIGO_ID, None)), values)


def _deleted(amigo_id):
    return amigo_id, {AMIGO_ID: checked_id(amigo_id)}


def checked_id(amigo_id):
    amigo_id = checked_text(checks.text('amigo_id', amigo_id))
    if len(amigo_id) > _LONGEST_ID:
        raise AmigoCloudValueError(
            u'the amigo_id {} has more than {} characters; write a UUID without hyphens, as its '
            u'attribute hex has it.'.format(shown(amigo_id), _LONGEST_ID))
    return amigo_id


def change_of(amigo_id, values):
    """Return the amigo_id of a row and the JSON object that writes its values."""
    if not values:
        raise AmigoCloudValueError('it has no column besides amigo_id; add one.')
    return amigo_id, {'new': values, AMIGO_ID: amigo_id}


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
