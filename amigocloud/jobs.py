"""Wait for a job, the service's name for slow work."""
from __future__ import absolute_import

import json
import random
import time

import six
from six.moves.urllib.parse import quote

from .exceptions import AmigoCloudError, AmigoCloudJobError, AmigoCloudValueError, printable
from .progress import reporting
from .tokens import strike_out
from .waiting import now as _now

#: The first and the longest pause between two questions, in seconds.
PAUSE_SECONDS = (0.1, 5)

#: Where the jobs of a user are; all public clients ask there.
USER_JOBS = '/me/jobs'

#: How a job ends that did not do its work; a revoked one was cancelled.
FAILED = ('FAILURE', 'FAILED', 'ERROR', 'REVOKED', 'CANCELLED', 'CANCELED')

#: How a job is called that has not ended.
UNFINISHED = ('PENDING', 'RECEIVED', 'STARTED', 'PROGRESS', 'RETRY')

_SUCCESS = 'SUCCESS'
_MEMBERS = ('job', 'job_id')



def wait_for_job(get, jobs_url, job, timeout=None, progress=None):
    """Wait until a job has ended; see ``AmigoCloud.wait_for_job``.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does.
        jobs_url (str): where the jobs are. A job that may not be seen there is looked for at USER_JOBS.
    """
    job_id = _job_id(job)
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, six.integer_types + (float,))
                                or not timeout >= 0):
        raise AmigoCloudValueError('timeout is a number of seconds from 0, not {!r}.'.format(timeout))
    name = u'Job {}'.format(_shown(job_id))
    ask = _Asking(get, jobs_url, quote(six.ensure_binary(job_id), safe=''))
    deadline = None if timeout is None else _now() + timeout
    with reporting(progress, 1, 'jobs', six.ensure_str(name)) as report:
        for pause in pauses():
            state, status = ask()
            report(int(status == _SUCCESS))
            if status == _SUCCESS:
                return state
            if status in FAILED:
                raise AmigoCloudJobError(
                    u'{} ended with {}: {}'.format(name, status, strike_out(_reason(state))), state)
            if status not in UNFINISHED:
                raise AmigoCloudError(u'{} has the unknown status {!r}. It may have ended or may go on; {} shows the '
                                      u'whole of it.'.format(name, six.ensure_str(_shown(status)), ask.url))
            if deadline is not None:
                left = deadline - _now()
                if left <= 0:
                    raise AmigoCloudError(u'{} has not ended after {} s; its status is {}. It goes on, and can be '
                                          u'waited for again.'.format(name, timeout, status))
                pause = min(pause, left)
            time.sleep(pause)


def names_job(answer):
    """Return whether an answer holds the id of a job.

    Args:
        answer: what the service answered, decoded.
    """
    return isinstance(answer, dict) and any(answer.get(member) is not None for member in _MEMBERS)


def pauses():
    """Yield the pauses between two requests, without end.

    Returns:
        iterator: seconds: growing to the longest, and at random, so that many who wait do not ask together.
    """
    limit, longest = PAUSE_SECONDS
    while True:
        yield random.uniform(limit / 2.0, limit)  # noqa: S311 - no secret
        limit = min(limit * 1.5, longest)


class _Asking(object):
    """Requests for the state of a job, at the URL that answers.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does.
        jobs_url (str): where to ask first.
        job_id (str): the id, encoded for a URL.
    """

    def __init__(self, get, jobs_url, job_id):
        self._get, self._job_id = get, job_id
        self.url = '{}/{}'.format(jobs_url, job_id)

    def __call__(self):
        """Return the job and its status in capitals."""
        state = self._state()
        status = state.get('status') if isinstance(state, dict) else None
        if not isinstance(status, six.string_types):
            raise AmigoCloudError(u'The answer of {} has no status; it is no job: {:.200}'.format(
                self.url, strike_out(repr(state))))
        return state, status.upper()

    def _state(self):
        general = '{}/{}'.format(USER_JOBS, self._job_id)
        try:
            return self._get(self.url)
        except AmigoCloudError as error:
            if error.status_code not in (403, 404) or self.url == general:
                raise
        self.url = general
        return self._get(self.url)


def _shown(text):
    """A text of the service's in one line of at most 200 characters that a terminal only shows."""
    return u' '.join(six.ensure_text(printable(text)).split())[:200]


def _job_id(job):
    job_id = job
    if names_job(job):
        job_id = next(job[member] for member in _MEMBERS if job.get(member) is not None)
    is_id = isinstance(job_id, six.integer_types + six.string_types) and not isinstance(job_id, bool)
    text = six.text_type(job_id) if is_id else u''
    if not text.strip(u' ./'):
        raise AmigoCloudValueError("A job is an id or an answer with a 'job' or 'job_id', not {:.200}.".format(
            repr(job)))
    return text


def _reason(state):
    """What the service says about a failure: the texts of ``error``, else all of ``extra``."""
    extra = state.get('extra')
    said = extra.get('error', extra) if isinstance(extra, dict) else extra
    if isinstance(said, list):
        return u' '.join(six.text_type(text) for text in said)
    return said if isinstance(said, six.string_types) else json.dumps(said)
