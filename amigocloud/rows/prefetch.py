"""Pages requested ahead by a thread while the rows of an earlier page are used."""
from __future__ import absolute_import

import atexit
import collections
import threading
import weakref

from ..exceptions import AmigoCloudError

#: Seconds after which a wait checks whether its thread is still alive. Python 2 cannot interrupt a
#: wait without a limit.
_CHECK_SECONDS = 1

_queues = weakref.WeakSet()


class PrefetchedPages(object):
    """Request pages as ``Pages`` does, with a thread that is ahead of it.

    A thread exists only while there is a page to request: it starts when the first page is needed,
    and again when a page is taken. The error of a page that fails is raised by the ``turn`` that
    needs the page; the next ``turn`` requests it again. When this object is destroyed, no further
    page is requested.

    Args:
        pages (Pages): requests the pages.
        ahead (int): the number of pages that may be requested beyond the page turned last.
    """

    def __init__(self, pages, ahead):
        self._queue = _PageQueue(pages, ahead)

    def turn(self):
        """Return the next page; see ``Pages.turn``."""
        return self._queue.take()

    def __del__(self):
        # The thread refers only to the queue, so that this object and its cursor can be destroyed.
        self._queue.abandoned = True


class _PageQueue(object):
    """A queue of at most ``size`` pages, which a thread fills and ``take`` empties in order."""

    def __init__(self, pages, size):
        self.abandoned = False
        self._pages = pages
        self._size = size
        self._outcomes = collections.deque()
        self._changed = threading.Condition()
        self._thread = None
        self._has_more = True
        _queues.add(self)

    def take(self):
        with self._changed:
            while not self._outcomes:
                self._start_thread()
                self._changed.wait(_CHECK_SECONDS)
                if self._thread and not self._thread.is_alive():
                    raise AmigoCloudError(
                        'The process was forked while a page was being requested ahead, and the '
                        'page went to the parent. Create a cursor in each process.')
            page, error = self._outcomes.popleft()
            if self._has_more:
                self._start_thread()
        if error is None:
            return page
        try:
            raise error
        finally:
            # The traceback of the error refers to this frame. Break the cycle, which would keep
            # both alive until the garbage collector runs.
            del error

    def _start_thread(self):
        if self._thread is None:
            thread = threading.Thread(target=self._work, name='amigocloud-prefetch')
            thread.daemon = True
            thread.start()
            self._thread = thread

    def _work(self):
        try:
            while self._put(*self._turn()):
                pass
        except:  # noqa: E722 - at the end of a process, Exception itself may be gone
            # Python 2 destroys the modules before the daemon threads at the end of a process.
            if not self.abandoned:
                raise

    def _turn(self):
        try:
            return self._pages.turn(), None
        except BaseException as error:
            # Whoever takes the page raises the error.
            return None, error

    def _put(self, page, error):
        """Append a page or an error, and return whether to request another page."""
        with self._changed:
            self._outcomes.append((page, error))
            self._has_more = error is None and page.position.url is not None and not self.abandoned
            has_room = len(self._outcomes) < self._size
            if not (self._has_more and has_room):
                self._thread = None
            self._changed.notify_all()
            return self._has_more and has_room


@atexit.register
def _abandon_all():
    for queue in list(_queues):
        queue.abandoned = True
