"""Write the rows of a table that a dataset does not have yet, by a key that both have."""
from __future__ import absolute_import

import collections
import uuid

import six
from six.moves.urllib.parse import quote

from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown
from . import batches, schema, sending
from .columns import AMIGO_ID, checked_name, in_row, in_value, values_of
from .comparing import ABSENT, UNCERTAIN, canonical, differences
from .literals import identifier, literal
from .results import WriteResult

# Bytes of keys that fit into the URL of a query.
_KEYS_SIZE = 8000

# The types of columns whose values can be a key: equal ones have one form.
_KEY_KINDS = ('string', 'integer', 'bigint', 'date', 'datetime')

_ADVICE = sending.WAIT + u'repeat the call, which finds the rows that exist by their key.'


@sending.listing_written
def upsert(dataset, rows, key):
    """Insert and update rows by a key; see ``Dataset.upsert``."""
    key = checked_name(key)
    table = _FrameRows(rows) if batches.is_frame(rows) else _DictRows(rows)
    if not table.count:
        return WriteResult()
    if key not in table.names:
        raise AmigoCloudValueError(
            u'The rows do not have the column {}, which is the key; add it{}. Their columns are '
            u'{}.'.format(shown(key), table.cure, shortened(u', '.join(table.names))))
    if key != AMIGO_ID and AMIGO_ID in table.names:
        raise AmigoCloudValueError(
            u"The rows have the column amigo_id besides the key {}; drop it, or pass "
            u"key='amigo_id'.".format(shown(key)))
    keys = table.keys(key)
    _check_given(key, keys)
    kinds = _kinds(dataset, table, key)
    keys = _checked_keys(key, kinds[key], keys)
    names = [name for name in table.names if name != key]
    amigo_ids, changed = _compare(dataset, table, key, keys, kinds, names)
    new = [place for place, amigo_id in enumerate(amigo_ids) if amigo_id is None]
    for place in new:
        amigo_ids[place] = keys[place] if key == AMIGO_ID else uuid.uuid4().hex
    is_written = set(new).union(changed)
    inserted, updated = sending.submit(
        dataset, [(action, table.batches(some, amigo_ids))
                  for action, some in (('INSERT', new), ('UPDATE', changed))], advice=_ADVICE)
    return WriteResult(amigo_ids, inserted, updated, unchanged=[
        amigo_id for place, amigo_id in enumerate(amigo_ids) if place not in is_written])


class _DictRows(object):
    """Rows that are dicts.

    All of them are held, because a key that occurs twice must be found before anything is written.

    Args:
        rows (iterable of dict): the rows.

    Attributes:
        names (list of str): the columns of all rows.
        count (int): the number of rows.
        cure (str): how a column may be added, for an error.
    """

    cure = u''

    def __init__(self, rows):
        batches.check_is_iterable(rows)
        self._rows = []
        self._first = collections.OrderedDict()
        for number, row in enumerate(batches.rows_of(rows)):
            try:
                self._rows.append(batches.values_of_row(row))
            except AmigoCloudValueError as error:
                six.raise_from(in_row(number, error), error)
            for name in self._rows[-1]:
                self._first.setdefault(name, number)
        self.names = list(self._first)
        self.count = len(self._rows)

    def keys(self, key):
        return [row.get(key) for row in self._rows]

    def column(self, name, kind):
        return [row.get(name, ABSENT) for row in self._rows]

    def where(self, name):
        return u'Row {}, counted from 0'.format(self._first[name])

    def batches(self, places, amigo_ids):
        """Return the batches of some rows; see ``sending.submit``."""
        def encode(place):
            values = dict(self._rows[place])
            values.pop(AMIGO_ID, None)
            return batches.change_of(amigo_ids[place], values)
        return batches.entry_batches(list(batches.encoded(zip(places, places), encode)))


class _FrameRows(object):
    """The rows of a frame; see ``_DictRows``.

    Args:
        frame (pandas.DataFrame): the frame.
    """

    cure = u', for example with reset_index, because the index is not written'

    def __init__(self, frame):
        self._frame = frame
        # An amigo_id has at most as many characters as a new one.
        columns = batches.checked_columns(frame, [uuid.uuid4().hex] * len(frame))
        self._columns = collections.OrderedDict((column.name, column) for column in columns)
        self.names = list(frame.columns)
        self.count = len(frame)

    def keys(self, key):
        if key == AMIGO_ID:
            return values_of(self._frame[key])
        return self._columns[key].values()

    def column(self, name, kind):
        return self._columns[name].values(as_dates=kind == 'date')

    def where(self, name):
        return u'The frame'

    def batches(self, places, amigo_ids):
        columns = [column.part(places) for column in self._columns.values()]
        return batches.column_batches(columns, [amigo_ids[place] for place in places])


def _check_given(key, keys):
    """Check what can be checked before the dataset is read."""
    if None in keys:
        raise in_row(keys.index(None), in_value(key, AmigoCloudValueError(
            'it is the key, and must have a value in each row; fill it, or leave the row out.')))
    _places(key, keys)


def _kinds(dataset, table, key):
    """Return the types of the columns of a dataset by name, after checking those of the rows."""
    kinds = {column['name']: column.get('type') for column in schema.read(dataset)}
    for name in table.names:
        if name not in kinds:
            raise AmigoCloudValueError(
                u'{}: the dataset {} does not have the column {}; add it with add_column, or '
                u'rename it. Its columns are {}.'.format(
                    table.where(name), dataset.url, shown(name),
                    shortened(u', '.join(sorted(kinds)))))
    if kinds[key] not in _KEY_KINDS:
        raise AmigoCloudValueError(
            u'The column {} is of the type {} and cannot be the key, which must be one of '
            u'{}.'.format(shown(key), kinds[key], u', '.join(_KEY_KINDS)))
    return kinds


def _check_fractions(name, kind, values):
    """Raise for a number with a fraction in a column of integers, which would be rounded."""
    if kind not in ('integer', 'bigint') or float not in set(map(type, values)):
        return
    for number, value in enumerate(values):
        if isinstance(value, float) and not value.is_integer():
            raise in_row(number, in_value(name, AmigoCloudValueError(
                u'{} is not a value of the type {}, which the column has in the dataset; round '
                u'it.'.format(shown(value), kind))))


def _checked_keys(key, kind, keys):
    """Return the keys in their canonical form."""
    types = set(map(type, keys))
    # Checking the types of all keys is several times faster than checking each key.
    if key != AMIGO_ID and (kind == 'string' and types == {six.text_type} or types == {int}
                            and kind in ('integer', 'bigint')):
        return keys
    return [_checked_key(number, key, kind, value) for number, value in enumerate(keys)]


def _checked_key(number, key, kind, value):
    """Return the key of a row in its canonical form."""
    found = canonical(kind, value)
    is_blank = key == AMIGO_ID and not value
    if found is UNCERTAIN or isinstance(value, float) or is_blank:
        raise in_row(number, in_value(key, AmigoCloudValueError(
            u'{} is not a value of the type {}, which the key has in the dataset; convert the '
            u'column.'.format(shown(value), kind))))
    return found


def _places(key, keys):
    """Return the number of the row of each key."""
    places = dict(zip(keys, range(len(keys))))
    if len(places) < len(keys):
        last = next(place for place, value in enumerate(keys) if places[value] != place)
        raise AmigoCloudValueError(
            u'Rows {} and {}, counted from 0, have the same {}: {}. The key must be different in '
            u'each row; remove one.'.format(
                last, places[keys[last]], shown(key), shown(keys[last])))
    return places


def _compare(dataset, table, key, keys, kinds, names):
    """Read the rows of a dataset and compare them with those that have the same key.

    Returns:
        tuple: the amigo_id of each row, or None for those that the dataset does not have; and the
            numbers of the rows that are different in the dataset, in ascending order.
    """
    places = _places(key, keys)
    given = [(name, kinds[name], table.column(name, kinds[name])) for name in names]
    for name, kind, values in given:
        _check_fractions(name, kind, values)
    amigo_ids = [None] * len(keys)
    changed = set()
    # Page by page, because lists of values are compared fast.
    for page in _read(dataset, key, keys, kinds[key], names)._all_pages():
        try:
            matched, found = _match(page.rows, key, kinds[key], places, amigo_ids)
            for name, kind, values in given:
                olds = [row[name] for row in matched]
                news = list(map(values.__getitem__, found))
                changed.update(found[number] for number in differences(kind, olds, news))
        except (KeyError, TypeError) as error:
            six.raise_from(AmigoCloudError(
                u'The rows of {} must be dicts with the requested columns, not {}.'.format(
                    dataset.url, shown(page.rows[0]))), error)
    return amigo_ids, sorted(changed)


def _match(rows, key, kind, places, amigo_ids):
    """Return the rows of a page that have one of the keys, and the places of their keys.

    Args:
        amigo_ids (list): receives the amigo_id of each row at its place.
    """
    values = [row[key] for row in rows]
    found = list(map(places.get, values))
    if None in found:
        # The dataset spells a key in another way, or does not have it.
        found = [places.get(canonical(kind, value, is_stored=True)) for value in values]
        rows = [row for row, place in zip(rows, found) if place is not None]
        found = [place for place in found if place is not None]
    for row, place in zip(rows, found):
        if amigo_ids[place] is not None:
            raise AmigoCloudValueError(
                u'Row {}, counted from 0: several rows of the dataset have its {}: {}, such as the '
                u'rows with the amigo_ids {} and {}. Correct them, or use another key.'.format(
                    place, shown(key), shown(row[key]), amigo_ids[place], row[AMIGO_ID]))
        amigo_ids[place] = row[AMIGO_ID]
    return rows, found


def _read(dataset, key, keys, kind, names):
    """Return a cursor over the rows of a dataset that may have one of some keys."""
    columns = [AMIGO_ID] + [name for name in [key] if name != AMIGO_ID] + names
    if kind in ('string', 'integer', 'bigint') and len(keys) <= _KEYS_SIZE // 2:
        text = literal(keys)
        if len(quote(text.encode('utf-8'))) <= _KEYS_SIZE:
            return dataset.read(columns, u'{} IN :keys'.format(identifier(key)), {'keys': keys})
    if kind in ('integer', 'bigint'):
        # Several processes may write the rows of one table, each those of a range of keys.
        where = u'{} BETWEEN :first AND :last'.format(identifier(key))
        return dataset.read(columns, where, {'first': min(keys), 'last': max(keys)})
    return dataset.read(columns)
