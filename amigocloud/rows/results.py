"""The result of a call that writes."""
from __future__ import absolute_import


class WriteResult(object):
    """The rows that a call wrote, as lists of amigo_ids.

    Attributes:
        amigo_ids (list of str): the amigo_id of each row that was given, in their order.
        inserted (list of str): the rows that were inserted.
        updated (list of str): the rows that were updated.
        deleted (list of str): the rows that were deleted.
        unchanged (list of str): the rows that the dataset had already, so that nothing was sent for
            them.

    Example:
        result = amigocloud.project(1).dataset(2).upsert([{'code': 'a1', 'seats': 4}], key='code')
        print(len(result.inserted), len(result.updated), len(result.unchanged))
    """

    def __init__(self, amigo_ids=(), inserted=(), updated=(), deleted=(), unchanged=()):
        self.amigo_ids = list(amigo_ids)
        self.inserted = list(inserted)
        self.updated = list(updated)
        self.deleted = list(deleted)
        self.unchanged = list(unchanged)

    def __repr__(self):
        counts = ['{} {}'.format(len(getattr(self, name)), name)
                  for name in ('inserted', 'updated', 'deleted', 'unchanged')
                  if getattr(self, name)]
        return '<WriteResult: {}>'.format(', '.join(counts) or 'no rows')
