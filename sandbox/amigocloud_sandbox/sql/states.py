"""The changes of datasets and their states, which every database keeps in the same way.

A dataset is a table `dataset_ID`. A log of its rows holds the number of the first state that has a
row and of the first that has it no longer; so an older state is a selection of the log.
"""
import datetime

from .types import SQLError

_AMIGO_ID = 'amigo_id'
#: What a state changed in its dataset.
_CHANGES = (
    "SELECT CASE sum(kind) WHEN 1 THEN 'inserted' WHEN 2 THEN 'deleted' ELSE 'updated' END, "
    'amigo_id FROM '
    '(SELECT amigo_id, CASE WHEN sandbox_first = {number} THEN 1 ELSE 2 END AS kind FROM {log} '
    'WHERE sandbox_first = {number} AND (sandbox_next IS NULL OR sandbox_next <> {number}) '
    'OR sandbox_next = {number} AND sandbox_first < {number}) AS changed '
    'GROUP BY amigo_id ORDER BY amigo_id')
_REVERT = [
    'DELETE FROM {table} WHERE amigo_id IN '
    '(SELECT amigo_id FROM {log} WHERE sandbox_first = {number} OR sandbox_next = {number})',
    'INSERT INTO {table} ({columns}) '
    'SELECT {columns} FROM {log} WHERE sandbox_next = {number} AND sandbox_first < {number}']


class States:
    """The part of a project's database that both engines share."""

    _states = None      # the table of all states
    _log = None         # the log of a dataset, with `{}` for its id
    _place = None       # what stands for a value in a statement

    def forget(self, dataset_id):
        """Drop a dataset's table and its states."""
        with self._change('DROP') as connection:
            for table in ('dataset_{:d}'.format(dataset_id), self._log.format(dataset_id)):
                connection.execute('DROP TABLE IF EXISTS ' + table)
            connection.execute('DELETE FROM {} WHERE dataset_id = {:d}'.format(self._states, dataset_id))

    def forget_gallery(self, gallery_id):
        """Drop the table of a gallery."""
        with self._change('DROP') as connection:
            connection.execute('DROP TABLE IF EXISTS gallery_{:d}'.format(gallery_id))

    def states(self, dataset_id):
        """Return the states of a dataset, the oldest first."""
        with self._session() as connection:
            rows = connection.execute(
                'SELECT id, action, lag(id) OVER (ORDER BY number) FROM {} WHERE dataset_id = {:d} '
                'ORDER BY number'.format(self._states, dataset_id)).fetchall()
        return [{'id': row[0], 'action': row[1], 'parent': row[2]} for row in rows]

    def newest_state(self, dataset_id):
        """Return the id of a dataset's newest state."""
        with self._session() as connection:
            row = connection.execute(
                'SELECT id FROM {} WHERE dataset_id = {:d} ORDER BY number DESC LIMIT 1'.format(
                    self._states, dataset_id)).fetchone()
        if row is None:
            raise SQLError('relation "dataset_{}" does not exist'.format(dataset_id))
        return row[0]

    def changes(self, dataset_id, state):
        """Return `inserted`, `updated` or `deleted` and the amigo_id of each row of a state."""
        with self._session() as connection:
            return connection.execute(_CHANGES.format(
                log=self._log.format(dataset_id),
                number=self._number(connection, dataset_id, state))).fetchall()

    def revert(self, dataset_id, state):
        """Undo what a state did to its rows: they become what they were before it."""
        columns = ', '.join('"{}"'.format(column['name'].replace('"', '""'))
                            for column in self.schema(dataset_id))
        with self._change('REVERT') as connection:
            number = self._number(connection, dataset_id, state)
            for statement in _REVERT:
                connection.execute(statement.format(
                    table='dataset_{:d}'.format(dataset_id), log=self._log.format(dataset_id),
                    number=number, columns=columns))
        return self.newest_state(dataset_id)

    def record(self, history_id, dataset_id, state, who):
        """Add what a state changed to the dataset of the project's history.

        Args:
            history_id (int): that dataset, with the columns dataset_id, change_date, change_type
                and who_changed_custom_id.
            dataset_id (int): what was changed; None to find it by the state.
            state (str): the state that came of it.
            who (str): the custom_id of the user.
        """
        if dataset_id is None:
            with self._session() as connection:
                dataset_id, = connection.execute('SELECT dataset_id FROM {} WHERE id = {}'.format(
                    self._states, self._place), [state]).fetchone()
        moment = datetime.datetime.now(datetime.timezone.utc).isoformat(' ')
        rows = [{'dataset_id': dataset_id, 'change_date': moment, 'change_type': kind,
                 'who_changed_custom_id': who} for kind, _ in self.changes(dataset_id, state)]
        with self._change('INSERT') as connection:
            self._insert(connection, history_id, rows)

    def change(self, dataset_id, parent, action, rows):
        """Make one change, whole or not at all, and return the state that it made.

        Args:
            dataset_id (int): its id.
            parent (str): a state that the change says it comes after; it must be there.
            action (str): INSERT, UPDATE, DELETE, TRUNCATE, ADD COLUMN, ALTER COLUMN or DROP COLUMN.
                What ALTER COLUMN changes is not kept in the table.
            rows (list of dict): `amigo_id`, `new` and `old`, as the action needs them.
        """
        with self._change(action) as connection:
            if parent is not None:
                self._number(connection, dataset_id, parent)
            if action == 'INSERT':
                self._insert(connection, dataset_id, [
                    row['new'] if row.get(_AMIGO_ID) is None else
                    dict(row['new'], amigo_id=row[_AMIGO_ID]) for row in rows])
            elif action == 'TRUNCATE':
                connection.execute('DELETE FROM dataset_{:d}'.format(dataset_id))
            elif action in ('ADD COLUMN', 'ALTER COLUMN', 'DROP COLUMN'):
                self._change_columns(connection, dataset_id, action, rows)
            else:
                self._change_rows(connection, dataset_id, rows)
        return self.newest_state(dataset_id)

    def _number(self, connection, dataset_id, state):
        row = connection.execute('SELECT number FROM {} WHERE dataset_id = {:d} AND id = {}'.format(
            self._states, dataset_id, self._place), [state]).fetchone()
        if row is None:
            raise SQLError('dataset {} has no state "{}"'.format(dataset_id, state))
        return row[0]
