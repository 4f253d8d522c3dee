"""Test the queue of events between two threads."""
import threading

from amigocloud.events.mailbox import Mailbox


def test_take__in_the_order_of_put():
    mailbox = Mailbox(None)
    assert mailbox.put('a', 1)
    assert not mailbox.put('b', 2)
    assert len(mailbox) == 2
    assert [mailbox.take() for _ in range(3)] == [('a', 1), ('b', 2), None]
    assert mailbox.put('c', 3)


def test_limit__dropped_events_are_counted_once():
    mailbox = Mailbox(2)
    for number in range(5):
        mailbox.put('tick', number)
    # The two events, and the report of the dropped ones.
    assert len(mailbox) == 3
    assert [mailbox.take() for _ in range(4)] == [
        ('dropped', {'number': 3}), ('tick', 3), ('tick', 4), None]
    assert len(mailbox) == 0


def test_limit__two_threads_lose_nothing_unnoticed():
    mailbox = Mailbox(3)
    count = 20000

    def put():
        for number in range(count):
            mailbox.put('tick', number)
        mailbox.put('end', None)
    thread = threading.Thread(target=put)
    thread.start()
    received = []
    dropped = 0
    event = None
    while event != 'end':
        event, data = mailbox.take() or (None, None)
        if event == 'tick':
            received.append(data)
        elif event == 'dropped':
            dropped += data['number']
    thread.join()
    assert received == sorted(received)
    assert len(received) + dropped == count
