"""The events that wait for their callbacks."""
from __future__ import absolute_import

import collections


class Mailbox(object):
    """A queue between the thread that receives events and the thread that calls the callbacks.

    Exactly one thread puts and one thread takes. There is no lock, because a signal could
    interrupt a thread that holds it and leave it locked.

    Args:
        limit (int): the number of events to keep, or None for no limit. When the mailbox is full,
            each new event replaces the oldest one.
    """

    def __init__(self, limit):
        self._limit = limit
        self._events = collections.deque()
        # Only the thread that puts changes the first number, and only the one that takes changes
        # the second.
        self._dropped = 0
        self._reported = 0

    def __len__(self):
        return len(self._events) + (self._dropped > self._reported)

    def put(self, event, data):
        """Add an event.

        Args:
            event (str): its name.
            data: its first argument.

        Returns:
            bool: whether the mailbox may have been empty.
        """
        if len(self._events) == self._limit:
            try:
                self._events.popleft()
                self._dropped += 1
            except IndexError:
                # The other thread has emptied the mailbox since it was measured.
                pass
        self._events.append((event, data))
        return len(self._events) == 1

    def take(self):
        """Remove the next event and return it.

        Returns:
            tuple: its name and its data; a ``dropped`` event first if events were dropped. None if
            the mailbox is empty.
        """
        number = self._dropped - self._reported
        if number:
            self._reported += number
            return 'dropped', {'number': number}
        return self._events.popleft() if self._events else None
