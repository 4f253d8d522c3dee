"""The states of a dataset: every change makes a new one, and an older one can still be read.

A dataset's table holds its newest rows. Triggers put what a change replaces or removes into `sandbox_history_ID`, with
the numbers of the first state that had it and the first that has it no longer, and note in `sandbox_touched_ID` in
which state a row got its present values. So the states cost as much as was changed, and an older one is read as a view.
"""
import contextlib
import uuid

from . import sql


def table_of(dataset_id):
    """Return the name of a dataset's table."""
    return 'dataset_{}'.format(dataset_id)


def prepare(connection):
    """Make the tables that number the states."""
    connection.execute(
        'CREATE TABLE IF NOT EXISTS sandbox_states '
        '(dataset_id INTEGER, number INTEGER, id TEXT, action TEXT, PRIMARY KEY (dataset_id, number))')
    connection.execute('CREATE TABLE IF NOT EXISTS sandbox_changed (dataset_id INTEGER PRIMARY KEY)')


@contextlib.contextmanager
def change(connection, action):
    """Make what is done meanwhile one change, whole or not at all; the datasets that it touches get a state."""
    connection.execute('BEGIN')
    try:
        yield
        _advance(connection, action)
        connection.execute('COMMIT')
    finally:
        if connection.in_transaction:
            connection.execute('ROLLBACK')


def track(connection, dataset_id):
    """Begin to keep the states of a dataset whose table has just been made and filled, within a `change`."""
    # The same declared types as in the dataset's table, or the view of an older state would have none.
    declared = connection.execute('PRAGMA table_info({})'.format(table_of(dataset_id))).fetchall()
    columns = ''.join('{} {}, '.format(_quoted(row[1]), row[2]) for row in declared)
    connection.execute('CREATE TABLE sandbox_history_{} ({}sandbox_first INTEGER, sandbox_next INTEGER)'.format(
        dataset_id, columns))
    connection.execute('CREATE TABLE sandbox_touched_{} (amigo_id TEXT PRIMARY KEY, state INTEGER)'.format(dataset_id))
    _make_triggers(connection, dataset_id)
    connection.execute('INSERT INTO sandbox_changed VALUES (?)', [dataset_id])


def forget(connection, dataset_id):
    """Remove a dataset's table and its states."""
    for name in ('dataset', 'sandbox_history', 'sandbox_touched'):
        connection.execute('DROP TABLE IF EXISTS {}_{}'.format(name, dataset_id))
    connection.execute('DELETE FROM sandbox_states WHERE dataset_id = ?', [dataset_id])


def listed(connection, dataset_id):
    """Return a dataset's states, the oldest first."""
    rows = connection.execute(
        'SELECT id, action, lag(id) OVER (ORDER BY number) FROM sandbox_states WHERE dataset_id = ? ORDER BY number',
        [dataset_id])
    return [{'id': row[0], 'action': row[1], 'parent': row[2]} for row in rows]


def newest(connection, dataset_id):
    """Return the id of a dataset's newest state."""
    every = listed(connection, dataset_id)
    if not every:
        raise sql.SQLError('relation "{}" does not exist'.format(table_of(dataset_id)))
    return every[-1]['id']


def change_columns(connection, dataset_id, function, *args):
    """Call `function(connection, table, *args)`, which changes a table's columns, for a dataset within a `change`.

    The columns of the older states change too: a new one is empty in them, a dropped one is gone.
    """
    for action in ('insert', 'update', 'delete'):
        connection.execute('DROP TRIGGER sandbox_keep_{}_{}'.format(dataset_id, action))
    for table in (table_of(dataset_id), 'sandbox_history_{}'.format(dataset_id)):
        function(connection, table, *args)
    _make_triggers(connection, dataset_id)
    connection.execute('INSERT OR IGNORE INTO sandbox_changed VALUES (?)', [dataset_id])


def read(connection, query, limit, offset, dataset_id=None, state=None):
    """Read as `sql.read` does; from a dataset's older state, if one is given.

    Raises:
        SQLError: the query is bad, or the dataset has no such state.
    """
    older = state is not None and state != newest(connection, dataset_id)
    if older:
        _show(connection, dataset_id, state)
    try:
        return sql.read(connection, query, limit, offset)
    finally:
        if older:
            connection.execute('DROP VIEW temp.dataset_{}'.format(dataset_id))


def write(connection, query):
    """Write as `sql.write` does, and number the states that come of it."""
    with change(connection, 'SQL'):
        return sql.write(connection, query)


def _show(connection, dataset_id, state):
    """Hide a dataset's table behind a view of an older state; names in `temp` are found first."""
    number = connection.execute('SELECT number FROM sandbox_states WHERE dataset_id = ? AND id = ?',
                                [dataset_id, state]).fetchone()
    if number is None:
        raise sql.SQLError('dataset {} has no state "{}"'.format(dataset_id, state))
    connection.execute(
        'CREATE TEMP VIEW dataset_{0} AS SELECT {1} FROM main.dataset_{0} AS newest WHERE NOT EXISTS '
        '(SELECT 1 FROM main.sandbox_touched_{0} AS t WHERE t.amigo_id = newest.amigo_id AND t.state > {2}) UNION ALL '
        'SELECT {1} FROM main.sandbox_history_{0} WHERE sandbox_first <= {2} AND sandbox_next > {2}'
        .format(dataset_id, ', '.join(_columns(connection, dataset_id)), number[0]))


def _advance(connection, action):
    """Give every dataset that was changed its next state."""
    for dataset_id, in connection.execute('SELECT dataset_id FROM sandbox_changed').fetchall():
        connection.execute('INSERT INTO sandbox_states SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 '
                           'FROM sandbox_states WHERE dataset_id = ?1', [dataset_id, uuid.uuid4().hex, action])
    connection.execute('DELETE FROM sandbox_changed')


def _columns(connection, dataset_id):
    return [_quoted(column['name']) for column in sql.columns(connection, table_of(dataset_id))]


def _quoted(name):
    return '"{}"'.format(name.replace('"', '""'))


def _make_triggers(connection, dataset_id):
    columns = _columns(connection, dataset_id)
    parts = {
        'id': dataset_id, 'columns': ', '.join(columns), 'old': ', '.join('OLD.' + column for column in columns),
        'next': '(SELECT max(number) + 1 FROM sandbox_states WHERE dataset_id = {})'.format(dataset_id)}
    changed = 'INSERT OR IGNORE INTO sandbox_changed VALUES ({id});'
    touched = 'INSERT OR REPLACE INTO sandbox_touched_{id} VALUES (NEW.amigo_id, {next});'
    replaced = ('INSERT INTO sandbox_history_{id} ({columns}, sandbox_first, sandbox_next) VALUES ({old}, '
                'coalesce((SELECT state FROM sandbox_touched_{id} WHERE amigo_id = OLD.amigo_id), 1), {next});')
    for action, body in (('INSERT', touched), ('UPDATE', replaced + touched), ('DELETE', replaced)):
        connection.execute(
            'CREATE TRIGGER sandbox_keep_{id}_{action} AFTER {action} ON dataset_{id} BEGIN {body} END'.format(
                id=dataset_id, action=action.lower(), body=(changed + body).format(**parts)))
