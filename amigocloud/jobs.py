"""Wait for jobs, which the service starts for long-running requests."""
from __future__ import absolute_import

import itertools
import json
import time

import six
from six.moves.urllib.parse import quote

from . import checks, waiting
from .exceptions import (
    TEXT_LIMIT,
    AmigoCloudError,
    AmigoCloudJobError,
    AmigoCloudValueError,
    printable,
    shortened,
    shown,
)
from .progress import reporting
from .tokens import strike_out

#: The first and the longest pause between two requests, in seconds.
PAUSE_SECONDS = (0.1, 5)

#: The URL of the jobs, for user tokens and project tokens.
JOBS_URL = '/me/jobs'

#: The statuses of a job that failed; REVOKED means cancelled.
FAILED = ('FAILURE', 'FAILED', 'ERROR', 'REVOKED', 'CANCELLED', 'CANCELED')

#: The statuses of a job that has not ended.
UNFINISHED = ('PENDING', 'RECEIVED', 'STARTED', 'PROGRESS', 'RETRY')

_SUCCESS = 'SUCCESS'
_MEMBERS = ('job', 'job_id')


def wait_for_job(client, job, timeout=None, progress=None):
    """Wait until a job has ended; see ``AmigoCloud.wait_for_job``."""
    job_id = _job_id(job)
    if timeout is not None:
        checks.seconds('timeout', timeout)
    name = u'Job {}'.format(shortened(printable(job_id)))
    url = '{}/{}'.format(JOBS_URL, quote(six.ensure_binary(job_id), safe=''))
    deadline = None if timeout is None else waiting.now() + timeout
    with reporting(progress, 1, 'jobs', six.ensure_str(name)) as report:
        for pause in pauses():
            state = client.get(url)
            status = checks.member(state, 'status', six.string_types, url).upper()
            report(int(status == _SUCCESS))
            if status == _SUCCESS:
                return state
            if status in FAILED:
                raise AmigoCloudJobError(
                    u'{} ended with {}: {}'.format(name, status, _reason(state)), state)
            if status not in UNFINISHED:
                raise AmigoCloudError(
                    u'{} has the unknown status {} and may not have ended. See {} for '
                    u'details.'.format(name, shown(six.ensure_str(status)), url))
            if deadline is not None:
                left = deadline - waiting.now()
                if left <= 0:
                    raise AmigoCloudError(
                        u'{} has not ended after {} s; its status is {}. It continues on the '
                        u'service. Call wait_for_job again to keep waiting.'.format(
                            name, timeout, status))
                pause = min(pause, left)
            time.sleep(pause)


def run_job(client, url, data=None):
    """POST a request that starts a job, wait for the job, and return it.

    Raises:
        AmigoCloudError: the request failed, its response names no job, or the job failed.
    """
    answer = client.post(url, data)
    if not names_job(answer):
        # Only the end of a job proves that the work is done; a proxy may have answered.
        raise AmigoCloudError(
            u'The response of {} names no job, so it is unknown whether the request was carried '
            u'out: {}'.format(shortened(url), shown(answer)))
    return client.wait_for_job(answer)


def names_job(answer):
    """Return whether a response holds the id of a job.

    Args:
        answer: the decoded response of the service.
    """
    return isinstance(answer, dict) and any(_is_id(answer.get(member)) for member in _MEMBERS)


def pauses():
    """Return an endless iterator over the pauses between two requests, in seconds."""
    return (waiting.backoff(polls, *PAUSE_SECONDS) for polls in itertools.count(1))


def _is_id(value):
    is_id = isinstance(value, six.string_types) or checks.is_integer(value)
    # An id of dots or slashes would lead to another URL, such as that of the list of jobs.
    return is_id and bool(six.text_type(value).strip(u' ./'))


def _job_id(job):
    job_id = job
    if names_job(job):
        job_id = next(job[member] for member in _MEMBERS if _is_id(job.get(member)))
    if not _is_id(job_id):
        raise AmigoCloudValueError(
            u"job must be the id of a job, or a response with a 'job' or 'job_id', not {}.".format(
                shown(job)))
    return six.text_type(job_id)


def _reason(state):
    """Return the text of the service about a failure: ``error``, else ``extra``, else the job."""
    extra = state.get('extra')
    reason = extra.get('error') or extra if isinstance(extra, dict) else extra
    reason = reason or state
    if isinstance(reason, list):
        reason = u' '.join(six.text_type(text) for text in reason)
    elif not isinstance(reason, six.string_types):
        reason = json.dumps(reason)
    # Tokens are struck out before the text is cut, so that no part of one is left over.
    reason = strike_out(reason)
    if len(reason) <= TEXT_LIMIT:
        return reason
    return u'{}... ({} characters in all)'.format(reason[:TEXT_LIMIT], len(reason))
