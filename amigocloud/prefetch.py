"""Pages asked for ahead, by a thread, while the rows of an earlier one are being used."""
from __future__ import absolute_import

import atexit
import collections
import threading
import weakref

from .exceptions import AmigoCloudError

#: Seconds after which a wait looks whether there still is a thread to wait for. Python 2 cannot interrupt a wait
#: without a limit.
_LOOK_AGAIN = 1

_shelves = weakref.WeakSet()


class PrefetchedPages(object):
    """Turns pages as ``Pages`` does, with a thread that is ahead of it.

    There is a thread only while there is a page to ask for: from the first that is wanted on, and when one was taken
    away. A page that fails raises its error from the ``turn`` that wants it; the next ``turn`` has it asked for again.
    When this object is gone, no further page is asked for.

    Args:
        pages (Pages): where the pages come from.
        ahead (int): pages that may be at hand or on their way, besides the one turned last.
    """

    def __init__(self, pages, ahead):
        self._shelf = _Shelf(pages, ahead)

    def turn(self):
        """Gives the next page; see ``Pages.turn``."""
        return self._shelf.take()

    def __del__(self):
        # The thread holds the shelf alone, so that this object, and the cursor that it serves, can go.
        self._shelf.abandoned = True


class _Shelf(object):
    """Where a thread puts the pages, at most ``size`` of them, and ``take`` takes them away in their order."""

    def __init__(self, pages, size):
        self.abandoned = False
        self._pages, self._size = pages, size
        self._outcomes = collections.deque()
        self._changed = threading.Condition()
        self._thread = None
        self._goes_on = True
        _shelves.add(self)

    def take(self):
        with self._changed:
            while not self._outcomes:
                self._fill()
                self._changed.wait(_LOOK_AGAIN)
                if self._thread and not self._thread.is_alive():
                    raise AmigoCloudError('The process was forked while a page was asked for ahead, and the page is '
                                          'with the parent. Make a cursor in each process.')
            page, error = self._outcomes.popleft()
            if self._goes_on:
                self._fill()
        if error is None:
            return page
        try:
            raise error
        finally:
            # Its traceback holds this frame: together they would live on until the garbage collector comes.
            del error

    def _fill(self):
        if self._thread is None:
            thread = threading.Thread(target=self._work, name='amigocloud-prefetch')
            thread.daemon = True
            thread.start()
            self._thread = thread

    def _work(self):
        try:
            while self._put(*self._turn()):
                pass
        except:  # noqa: E722 - by then there may be no Exception either
            # Where a process of Python 2 ends, what a thread needs is taken away before the thread is.
            if not self.abandoned:
                raise

    def _turn(self):
        try:
            return self._pages.turn(), None
        except BaseException as error:
            # Whatever it is, it is for the one who wants the page.
            return None, error

    def _put(self, page, error):
        """Puts down what was turned, and tells whether to turn another one."""
        with self._changed:
            self._outcomes.append((page, error))
            self._goes_on = error is None and page.position.url is not None and not self.abandoned
            has_room = len(self._outcomes) < self._size
            if not (self._goes_on and has_room):
                self._thread = None
            self._changed.notify_all()
            return self._goes_on and has_room


@atexit.register
def _abandon_all():
    for shelf in list(_shelves):
        shelf.abandoned = True
