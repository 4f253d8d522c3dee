"""Changes and states: rows put in, changed and removed, columns too, each change one state; states undone."""
from flask import Blueprint, g, jsonify

from ..sql.types import SQLError, type_of
from .access import check_writable, require
from .answers import Refusal, arguments, fields, invalid, needs, parse_json, text
from .datasets import check_column, schema_of

blueprint = Blueprint('changes', __name__)
of_projects = Blueprint('changesets', __name__)
#: Bytes of a request; GDAL's AmigoCloud driver sends changes of as many.
_LARGEST_CHANGE = 15 * 1024 * 1024
#: The token level of each change, and the members that its data need.
_ACTIONS = {
    ('DML', 'INSERT'): ('CREATE', ('new',)),
    ('DML', 'UPDATE'): ('EDIT', ('amigo_id', 'new')),
    ('DML', 'DELETE'): ('EDIT', ('amigo_id',)),
    ('DML', 'TRUNCATE'): ('EDIT', ()),
    ('DDL', 'ADD COLUMN'): ('ADMIN', ('new',)),
    ('DDL', 'ALTER COLUMN'): ('ADMIN', ('new',)),
    ('DDL', 'DROP COLUMN'): ('ADMIN', ('old',)),
}
_ROW_ACTIONS = {'inserted': 'INSERT', 'updated': 'UPDATE', 'deleted': 'DELETE'}


@blueprint.route('/submit_change', methods=['POST'])
@needs('READ')
def submit_change():
    change = _checked(parse_json(text(fields(_LARGEST_CHANGE), 'change')))
    if change['dataset'] != g.dataset:
        raise invalid('change', 'Entity must be dataset_{}.'.format(g.dataset['id']))
    _make(change, change['parent'])
    return _done([g.dataset['id']])


@of_projects.route('/submit_changeset', methods=['POST'])
@needs('READ')
def submit_changeset():
    changes = parse_json(text(fields(_LARGEST_CHANGE), 'changeset'))
    if not isinstance(changes, list):
        raise invalid('changeset', 'Expected a list of changes.')
    changes = [_checked(change) for change in changes]
    for change in changes:
        _make(change, None)
    return _done(sorted({change['dataset']['id'] for change in changes}))


@blueprint.route('/master')
def master():
    return jsonify(master=_ask('newest_state'))


@blueprint.route('/states')
def states():
    every = [state['id'] for state in _ask('states')]
    first, last = 0, len(every)
    if arguments().get('from'):
        first = _place(every, 'from') + 1
    if arguments().get('to'):
        last = _place(every, 'to') + 1
    return jsonify(states=every[first:last])


@blueprint.route('/changeset')
def changeset():
    state, row = text(arguments(), 'hash'), _state_named(text(arguments(), 'hash'))
    changes = {}
    for kind, amigo_id in _ask('changes', state):
        changes.setdefault(_ROW_ACTIONS[kind], []).append({'amigo_id': amigo_id})
    entity, kinds = 'dataset_{}'.format(g.dataset['id']), dict.fromkeys(changes, 'DML')
    if ('DDL', row['action']) in _ACTIONS:
        kinds[row['action']] = 'DDL'
    return jsonify(changeset=[
        {'type': kind, 'entity': entity, 'action': action, 'parent': row['parent'], 'data': changes.get(action)}
        for action, kind in kinds.items()])


@blueprint.route('/revert/<state>', methods=['POST'])
@needs('EDIT')
def revert(state):
    check_writable(g.dataset)
    row = _state_named(state)
    if row['parent'] is None or ('DDL', row['action']) in _ACTIONS:
        raise Refusal(400, 'The sandbox reverts changes of rows only; this state comes of {}.'.format(row['action']))
    newest = _ask('newest_state')
    made = _ask('revert', state)
    g.cloud.changed(g.project['id'], g.user, made if made != newest else None, g.dataset['id'])
    return _done([g.dataset['id']])


def _checked(change):
    """Return a change with its dataset, or refuse it."""
    if not isinstance(change, dict):
        raise invalid('change', 'Expected an object.')
    kind, action = text(change, 'type').upper(), text(change, 'action').upper()
    if (kind, action) not in _ACTIONS:
        raise invalid('change', 'Type {} has no action {}.'.format(kind, action))
    name, _, number = text(change, 'entity').partition('_')
    dataset = g.cloud.store.find('datasets', id=number, project_id=g.project['id']) if name == 'dataset' else None
    if dataset is None:
        raise invalid('change', 'The project has no {}.'.format(change['entity']))
    check_writable(dataset)
    level, needed = _ACTIONS[kind, action]
    rows = change.get('data') if needed else []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise invalid('change', 'Data must be a list of objects.')
    require(level)
    for row in rows:
        _check(row, kind, action, needed)
    return {'dataset': dataset, 'action': action, 'parent': change.get('parent'), 'data': rows}


def _check(row, kind, action, needed):
    """Refuse a row that has not what its change needs; GDAL's driver inserts rows with an empty `new`."""
    for name in needed:
        if name == 'amigo_id':
            text(row, name)
        elif not isinstance(row.get(name), dict) or not row[name] and action != 'INSERT':
            raise SQLError('the data of a change needs an object "{}"'.format(name))
    if action in ('ADD COLUMN', 'ALTER COLUMN'):
        check_column(row['new'])
    elif kind == 'DDL':
        text(row['old'], 'name')
    elif row.get('amigo_id') is not None:
        text(row, 'amigo_id')


def _make(change, parent):
    dataset, action, rows = change['dataset'], change['action'], change['data']
    columns = _columns_after(dataset, action, rows)
    newest = g.cloud.databases.run(g.project['id'], 'newest_state', dataset['id'])
    state = g.cloud.databases.run(g.project['id'], 'change', dataset['id'], parent, action, rows)
    g.cloud.store.update('datasets', dataset['id'], columns=columns)
    g.cloud.changed(g.project['id'], g.user, state if state != newest else None, dataset['id'])


def _columns_after(dataset, action, rows):
    """Return what is known of a dataset's columns once a change is made."""
    columns = {column['name']: column for column in dataset['columns']}
    if action == 'ALTER COLUMN':
        described = {column['name']: column for column in schema_of(dataset)}
        for row in rows:
            _check_altered(described.get(row['new']['name']), row['new'])
    for row in rows:
        if action == 'DROP COLUMN':
            columns.pop(row['old']['name'], None)
        elif action in ('ADD COLUMN', 'ALTER COLUMN'):
            columns[row['new']['name']] = dict(columns.get(row['new']['name'], {}), **row['new'])
    return list(columns.values())


def _check_altered(old, new):
    if old is None:
        raise SQLError('column "{}" does not exist'.format(new['name']))
    for name in ('type', 'nullable', 'default', 'geometry_type'):
        value = type_of(new[name]) if name == 'type' else new.get(name, old.get(name))
        if value != old.get(name):
            raise Refusal(400, 'The sandbox does not change the {} of a column.'.format(name))


def _done(dataset_ids):
    extra = {'dataset_ids': dataset_ids}
    return jsonify(job=g.cloud.jobs.start(g.token['user_id'], g.project['id'], lambda job: extra))


def _state_named(name):
    every = _ask('states')
    return every[_place([state['id'] for state in every], 'hash', name)]


def _place(every, name, state=None):
    state = state or arguments()[name]
    if state not in every:
        raise invalid(name, 'The dataset has no state "{}".'.format(state))
    return every.index(state)


def _ask(operation, *args):
    return g.cloud.databases.run(g.project['id'], operation, g.dataset['id'], *args)
