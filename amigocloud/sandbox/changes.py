"""submit_change: rows put in, changed and removed, columns added and dropped, each change one state."""
import json

import shapely
from flask import Blueprint, g, jsonify

from . import postgis, sql, states, tables
from .access import require
from .answers import fields, invalid, needs, parse_json, text
from .states import table_of

blueprint = Blueprint('changes', __name__)
#: Bytes of a request; GDAL's AmigoCloud driver sends changes of as many.
_LARGEST_CHANGE = 15 * 1024 * 1024


@blueprint.route('/submit_change', methods=['POST'])
@needs('READ')
def submit_change():
    change = parse_json(text(fields(_LARGEST_CHANGE), 'change'))
    if not isinstance(change, dict):
        raise invalid('change', 'Expected an object.')
    kind = text(change, 'type').upper(), text(change, 'action').upper()
    if kind not in _ACTIONS:
        raise invalid('change', 'Type {} has no action {}.'.format(*kind))
    if text(change, 'entity') != table_of(g.dataset['id']):
        raise invalid('change', 'Entity must be {}.'.format(table_of(g.dataset['id'])))
    rows = change.get('data')
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise invalid('change', 'Data must be a list of objects.')
    require(_ACTIONS[kind][0])
    state = g.cloud.databases.run(g.project['id'], _apply, g.dataset['id'], change.get('parent'), kind, rows)
    extra = {'dataset_ids': [g.dataset['id']], 'state': state}
    return jsonify(job=g.cloud.jobs.start(g.token['user_id'], g.project['id'], lambda job: extra), state=state)


def _apply(connection, dataset_id, parent, kind, rows):
    """Make a change as a whole, and return the state that it made."""
    if parent is not None and all(state['id'] != parent for state in states.listed(connection, dataset_id)):
        raise sql.SQLError('unknown parent "{}"'.format(parent))
    with states.change(connection, kind[1]):
        _ACTIONS[kind][1](connection, dataset_id, rows)
    return states.newest(connection, dataset_id)


def _insert(connection, dataset_id, rows):
    sql.insert_rows(connection, table_of(dataset_id), [_inserted(row) for row in rows])


def _update(connection, dataset_id, rows):
    geometry = {column['name'] for column in tables.schema(connection, dataset_id) if column['type'] == 'geometry'}
    for row in rows:
        values = ', '.join(
            '{} = {}'.format(_name(name), _geometry(value) if name in geometry else _literal(value))
            for name, value in _object(row, 'new').items())
        _one_row(connection, 'UPDATE {} SET {}'.format(table_of(dataset_id), values), row)


def _delete(connection, dataset_id, rows):
    for row in rows:
        _one_row(connection, 'DELETE FROM ' + table_of(dataset_id), row)


def _add_columns(connection, dataset_id, rows):
    for row in rows:
        column = _object(row, 'new')
        states.change_columns(connection, dataset_id, sql.add_column, text(column, 'name'), text(column, 'type'))


def _drop_columns(connection, dataset_id, rows):
    for row in rows:
        states.change_columns(connection, dataset_id, sql.drop_column, text(_object(row, 'old'), 'name'))


_ACTIONS = {
    ('DML', 'INSERT'): ('CREATE', _insert),
    ('DML', 'UPDATE'): ('EDIT', _update),
    ('DML', 'DELETE'): ('EDIT', _delete),
    ('DDL', 'ADD COLUMN'): ('EDIT', _add_columns),
    ('DDL', 'DROP COLUMN'): ('EDIT', _drop_columns),
}


def _inserted(row):
    """Return the values of a new row; its amigo_id stands beside them, as GDAL's driver sends it, or among them."""
    values = _object(row, 'new')
    return values if row.get('amigo_id') is None else dict(values, amigo_id=text(row, 'amigo_id'))


def _object(row, name):
    value = row.get(name)
    if not isinstance(value, dict) or not value:
        raise sql.SQLError('the data of a change needs an object "{}"'.format(name))
    return value


def _one_row(connection, statement, row):
    amigo_id = text(row, 'amigo_id')
    if not sql.write(connection, '{} WHERE amigo_id = {}'.format(statement, _literal(amigo_id)))['count']:
        raise sql.SQLError('no row has the amigo_id "{}"'.format(amigo_id))


def _name(name):
    return '"{}"'.format(name.replace('"', '""'))


def _geometry(value):
    """Write a geometry into SQL; one that does not say its SRID is in WGS 84."""
    if value is None:
        return 'NULL'
    geometry = postgis.parse_geometry(value)
    if not shapely.get_srid(geometry):
        geometry = shapely.set_srid(geometry, postgis.WGS84)
    return "'{}'".format(postgis.to_ewkb(geometry).hex())


def _literal(value):
    """Write a JSON value into SQL; the type of its column says what it is."""
    if value is None or isinstance(value, (bool, int, float)):
        return 'NULL' if value is None else str(value)
    return "'{}'".format((value if isinstance(value, str) else json.dumps(value)).replace("'", "''"))
