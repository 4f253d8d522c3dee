"""Slow work: done beside the requests, asked for by its id."""
import uuid

import gevent

from .rest.answers import Refusal
from .sql.types import SQLError


class Jobs:
    """Runs jobs in greenlets and keeps their state in the store.

    Args:
        store (Store): where jobs are written down.
        events (Events): told of what a job made.
        seconds (float): how long a job takes at least.
    """

    def __init__(self, store, events, seconds):
        self._store = store
        self._events = events
        self._seconds = seconds
        for status in ('PENDING', 'STARTED'):
            for job in store.select('jobs', status=status):
                store.update('jobs', job['id'], status='FAILURE', extra={'error': ['The server was restarted.']})

    def start(self, user_id, project_id, work, event=None):
        """Start a job and return its id.

        Args:
            user_id (int): whose job it is; this user's listeners are told.
            project_id (int): the project that it works in.
            work (callable): is given the job's id and returns the job's `extra`. A `Refusal` means failure.
            event (callable): is given `extra` and returns the event that success brings: a name and its data.
        """
        job_id = str(uuid.uuid4())
        self._store.insert('jobs', id=job_id, user_id=user_id, project_id=project_id, status='PENDING', extra={})
        told = {'user_id': user_id, 'project_id': project_id, 'job': job_id}
        greenlet = gevent.spawn(self._run, told, work, event)
        greenlet.link_exception(lambda _: self._fail(job_id, {'error': ['Internal error.']}))
        return job_id

    def _run(self, told, work, event):
        gevent.sleep(self._seconds / 2)
        self._store.update('jobs', told['job'], status='STARTED')
        try:
            extra = work(told['job'])
        except Refusal as refusal:
            self._fail(told['job'], refusal.body)
            return
        except SQLError as error:
            self._fail(told['job'], {'error': [str(error)]})
            return
        gevent.sleep(self._seconds / 2)
        self._store.update('jobs', told['job'], status='SUCCESS', extra=extra)
        if event is not None:
            name, data = event(extra)
            self._events.tell_user(told['user_id'], name, dict(told, **data))

    def _fail(self, job_id, extra):
        self._store.update('jobs', job_id, status='FAILURE', extra=extra)
