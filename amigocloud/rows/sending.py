"""Send batches of rows by ``DATASET/submit_change``, and tell which were written."""
from __future__ import absolute_import

import functools
import json

from ..exceptions import AmigoCloudError, AmigoCloudJobError, shortened
from ..jobs import run_job

#: The most rows of a batch after the service has refused a larger one with 429. Users pause after
#: as many to stay within its limits.
RATE_LIMIT_ROWS = 1000

#: How often a batch that is refused is divided before the error is raised.
DIVISIONS = 3

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
        error.unknown = list(sender.pending) if is_doubtful(error) else []
        if isinstance(error, AmigoCloudError):
            _explain(error, advice or _ADVICE[action])
        raise
    return written


class _Sender(object):
    """Send batches, and divide them after the service has refused one with 429.

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
                    send_change(self._dataset, action, '[{}]'.format(', '.join(texts)))
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
            and not is_doubtful(error))


def _divided(amigo_ids, texts, most_rows):
    """Return the parts of a batch that have at most some number of rows."""
    rows = json.loads('[{}]'.format(', '.join(texts)))
    return [(amigo_ids[start:start + most_rows],
             [json.dumps(row) for row in rows[start:start + most_rows]])
            for start in range(0, len(rows), most_rows)]


def send_change(dataset, action, data):
    run_job(dataset.client, dataset.url + '/submit_change',
            {'change': _CHANGE.format(dataset.table_name, action, data)})


def is_doubtful(error):
    """Return whether the service may have carried out a change that failed with an error."""
    is_refusal = 300 <= (getattr(error, 'status_code', None) or 0) < 500
    # A 404 of a job says nothing about the change.
    is_of_change = is_refusal and '/submit_change' in (getattr(error.response, 'url', None) or '')
    return not (isinstance(error, AmigoCloudJobError) or is_of_change and error.status_code != 408)


def _explain(error, advice):
    """Add to the message of an error which rows were written."""
    if error.written:
        error.message = (
            u'{} rows were written, but then: {}. error.written has the amigo_ids of the written '
            u'rows: {}.'.format(len(error.written), error.message.rstrip(u'.'),
                                shortened(u', '.join(error.written)).rstrip(u'.')))
    if error.unknown:
        error.message = (
            u'{}. It is unknown whether these {} rows were written, whose amigo_ids are in '
            u'error.unknown: {}. {}'.format(
                error.message.rstrip(u'.'), len(error.unknown),
                shortened(u', '.join(error.unknown)), advice))
