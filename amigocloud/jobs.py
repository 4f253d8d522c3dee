"""Slow work of the service: waiting for a job."""
from __future__ import absolute_import

import json
import random
import time

import six
from six.moves.urllib.parse import quote

from .exceptions import AmigoCloudError, AmigoCloudJobError, AmigoCloudValueError, strike_out
from .progress import reporting

#: The first and the longest pause between two questions, in seconds.
PAUSE_SECONDS = (0.1, 5)

#: How a job ends that did not do its work; a revoked one was cancelled.
FAILED = ('FAILURE', 'REVOKED')

_now = getattr(time, 'monotonic', time.time)  # Python 2 has no clock that nobody sets.


def wait_for_job(get, jobs_url, job, timeout=None, progress=None):
    """Waits until a job has ended; see ``AmigoCloud.wait_for_job``.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does.
        jobs_url (str): where the jobs are.
    """
    job_id = _job_id(job)
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, six.integer_types + (float,))
                                or not timeout >= 0):
        raise AmigoCloudValueError('timeout is a number of seconds from 0, not {!r}.'.format(timeout))
    url = '{}/{}'.format(jobs_url, quote(six.ensure_binary(job_id), safe=''))
    deadline = None if timeout is None else _now() + timeout
    with reporting(progress, 1, 'jobs', u'Job {}'.format(job_id)) as report:
        for pause in pauses():
            state = get(url)
            status = state.get('status') if isinstance(state, dict) else None
            if not isinstance(status, six.string_types):
                raise AmigoCloudError(u'The answer of {} has no status; it is no job: {:.200}'.format(
                    url, strike_out(repr(state))))
            report(int(status == 'SUCCESS'))
            if status == 'SUCCESS':
                return state
            if status in FAILED:
                raise AmigoCloudJobError(u'Job {} ended with {}: {}'.format(
                    job_id, status, strike_out(_reason(state))), state)
            if deadline is not None:
                left = deadline - _now()
                if left <= 0:
                    raise AmigoCloudError(
                        u'Job {} has not ended after {} s; its status is {}. It goes on, and can be waited for '
                        u'again.'.format(job_id, timeout, status))
                pause = min(pause, left)
            time.sleep(pause)


def pauses():
    """Gives the pauses between questions, without end.

    Returns:
        iterator: seconds: growing to the longest, and at random, so that many who wait do not ask together.
    """
    limit, longest = PAUSE_SECONDS
    while True:
        yield random.uniform(limit / 2.0, limit)  # noqa: S311 - no secret
        limit = min(limit * 1.5, longest)


def _job_id(job):
    job_id = job.get('job') if isinstance(job, dict) else job
    is_id = isinstance(job_id, six.integer_types + six.string_types) and not isinstance(job_id, bool)
    text = six.text_type(job_id) if is_id else u''
    if not text.strip(u' ./'):
        raise AmigoCloudValueError("A job is an id or an answer with a 'job', not {:.200}.".format(repr(job)))
    return text


def _reason(state):
    """What the service says about a failure: the texts of ``error``, else all of ``extra``."""
    extra = state.get('extra')
    said = extra.get('error', extra) if isinstance(extra, dict) else extra
    if isinstance(said, list):
        return u' '.join(six.text_type(text) for text in said)
    return said if isinstance(said, six.string_types) else json.dumps(said)
