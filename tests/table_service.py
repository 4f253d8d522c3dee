"""A dataset on the wire that keeps its rows, so that calls can be repeated after faults."""
import json

from conftest import Answer

PROJECT = '/api/v1/projects/1'
DATASET = PROJECT + '/datasets/2'
CHANGE = DATASET + '/submit_change'
SQL = PROJECT + '/sql'


class TableService(object):
    """Answers as a service with dataset 2, and applies each change whole.

    Args:
        wire (Wire): receives the answers.
        columns (dict): the types of the columns by name.

    Attributes:
        rows (list of dict): what the dataset has.
        faults (dict): by the number of a change, from 0, ``'before'`` or ``'after'``: the connection breaks before or
            after it is applied; or a status, with which it is answered and not applied; or a pair of ``'after'`` and a
            status.
        page_rows (int): rows of a page at the most.
        changes (list): an action and its rows, for each change that came.
    """

    def __init__(self, wire, columns):
        self.wire = wire
        self.columns = dict(columns, amigo_id='string')
        self.rows = []
        self.page_rows = 5000
        self.faults = {}
        self.changes = []
        wire.answers.update({
            CHANGE: self.change, SQL: self.sql, DATASET + '/master': {'master': 's1'},
            DATASET + '/schema': lambda request: {'schema': [
                {'name': name, 'type': kind, 'nullable': True} for name, kind in self.columns.items()]},
            DATASET: {'id': 2, 'name': 'trees'}, '/api/v1/me/jobs/j': {'status': 'SUCCESS'},
            PROJECT + '/datasets': {'results': [{'id': 2, 'name': 'trees'}], 'next': None}})

    def sql(self, request):
        if 'count(*)' in request.params['query']:
            return {'columns': [], 'data': [{'count': len(self.rows)}], 'next': None}
        # In the order of amigo_id, and all columns; more than was requested does no harm.
        rows = [dict(dict.fromkeys(self.columns), **row) for row in self.rows]
        rows.sort(key=lambda row: row['amigo_id'])
        start = int(request.params.get('offset', 0))
        limit = min(int(request.params['limit']), self.page_rows)
        following = None
        if start + limit < len(rows):
            following = '{}{}?limit={}&offset={}&query=q'.format(self.wire.url, SQL, limit, start + limit)
        return {'columns': [{'name': name, 'type': kind} for name, kind in self.columns.items()], 'count': len(rows),
                'data': rows[start:start + limit], 'next': following}

    def change(self, request):
        change = json.loads(request.json['change'])
        fault = self.faults.get(len(self.changes))
        self.changes.append((change['action'], change['data']))
        when, status = fault if isinstance(fault, tuple) else (fault, fault)
        if fault is None or when == 'after':
            self.apply(change)
        if fault is None:
            return {'job': 'j'}
        return Answer({'error': ['fault']}, status) if isinstance(status, int) else None

    def apply(self, change):
        if change['action'] == 'TRUNCATE':
            assert change['data'] is None
            del self.rows[:]
            return
        if change['action'] == 'ADD COLUMN':
            self.columns.update((entry['new']['name'], entry['new']['type']) for entry in change['data'])
            return
        for entry in change['data']:
            found = [row for row in self.rows if row['amigo_id'] == entry['amigo_id']]
            if change['action'] == 'INSERT':
                assert not found, 'a row was inserted twice'
                self.rows.append(dict(entry['new'], amigo_id=entry['amigo_id']))
            elif change['action'] == 'UPDATE':
                found[0].update(entry['new'])
            else:
                self.rows.remove(found[0])
