"""Datasets: listed, made from a schema or a file, described, drawn."""
import base64
import hashlib
import json
import os

import gevent
from flask import Blueprint, Response, g, jsonify, request

from ..files import drawing, formats
from ..sql.geometry import geometry_type, parse_geometry
from ..sql.types import SQLError, type_of
from ..store import now
from .access import check_writable
from .answers import (
    Refusal,
    arguments,
    fields,
    invalid,
    link,
    links,
    needs,
    page,
    parse_json,
    rows_page,
    text,
)
from .projects import path_of

blueprint = Blueprint('datasets', __name__)
_LINKS = ('schema', 'master', 'states', 'changeset', 'submit_change', 'export', 'style', 'forms', 'forms_summary',
          'tiles', 'preview', 'preview_image', 'preview_vector', 'related_tables', 'relationships', 'notifications',
          'generalization')
_SUMMARY = ('id', 'name', 'url', 'visible', 'type', 'schema_hash', 'preview_image', 'preview_image_hash')
#: What is said of a column that does not say otherwise.
_COLUMN = {'alias': None, 'nullable': True, 'default': None, 'editable': True, 'visible': True}
#: Columns of the tables that hold the older states.
_RESERVED = ('sandbox_first', 'sandbox_next')
_AMIGO_ID = {'name': 'amigo_id', 'alias': None, 'type': 'string', 'nullable': False, 'default': 'GENERATE_UUID',
             'auto_populate': True, 'max_length': 32}


@blueprint.route('/datasets')
def listed():
    where = {'type': arguments()['type']} if 'type' in arguments() else {}
    return rows_page('datasets', _summary if 'summary' in arguments() else _state, project_id=g.project['id'], **where)


@blueprint.route('/datasets/create', methods=['POST'])
@needs('ADMIN')
def create():
    values = fields()
    name, schema = text(values, 'name'), values.get('schema', [])
    if isinstance(schema, str):
        schema = parse_json(schema)
    if not isinstance(schema, list):
        raise invalid('schema', 'Expected a list of columns.')
    for column in schema:
        check_column(column)
    dataset_id = make_dataset(g.cloud, name)
    job = _start_making(dataset_id, lambda: (schema, []))
    return jsonify(job=job, id=dataset_id, name=name, url=link('{}/datasets/{}'.format(path_of(g.project), dataset_id)))


@blueprint.route('/datasets/<id:dataset_id>')
def dataset():
    return jsonify(_state(g.dataset))


@blueprint.route('/datasets/<id:dataset_id>', methods=['PUT', 'PATCH'])
def change():
    check_writable(g.dataset)
    values = fields()
    if request.method == 'PUT' or 'name' in values:
        g.dataset['name'] = text(values, 'name')
        g.cloud.store.update('datasets', g.dataset['id'], name=g.dataset['name'])
    return jsonify(_state(g.dataset))


@blueprint.route('/datasets/<id:dataset_id>', methods=['DELETE'])
def remove():
    check_writable(g.dataset)
    key = g.dataset['id']
    for gallery in g.cloud.store.select('galleries', dataset_id=key):
        g.cloud.databases.run(g.project['id'], 'forget_gallery', gallery['id'])
    g.cloud.store.delete('galleries', dataset_id=key)
    g.cloud.store.delete('datasets', id=key)
    g.cloud.databases.run(g.project['id'], 'forget', key)
    g.cloud.changed(g.project['id'], g.user)
    return Response(status=204)


@blueprint.route('/datasets/<id:dataset_id>/schema')
def schema_of_dataset():
    return jsonify(schema=schema_of(g.dataset))


@blueprint.route('/datasets/<id:dataset_id>/relationships')
def relationships():
    store, where = g.cloud.store, {'dataset_id': g.dataset['id']}
    return page(store.count('relationships', **where), lambda limit, offset: [
        {name: row[name] for name in row if name != 'dataset_id'}
        for row in store.select('relationships', limit, offset, **where)])


@blueprint.route('/datasets/<id:dataset_id>/forms')
@blueprint.route('/datasets/<id:dataset_id>/forms_summary')
@blueprint.route('/datasets/<id:dataset_id>/notifications')
def nothing():
    return page(0, lambda limit, offset: [])


@blueprint.route('/datasets/<id:dataset_id>/style')
@blueprint.route('/datasets/<id:dataset_id>/generalization')
def unknown():
    return jsonify({})


@blueprint.route('/datasets/<id:dataset_id>/preview')
def preview():
    picture = base64.b64encode(_picture()).decode()
    return Response('<!doctype html>\n<html lang="en">\n<head><title>dataset_{}</title></head>\n<body>'
                    '<img alt="" src="data:image/png;base64,{}"></body>\n</html>\n'.format(g.dataset['id'], picture),
                    mimetype='text/html')


@blueprint.route('/datasets/<id:dataset_id>/preview_image')
def preview_image():
    return Response(_picture(), mimetype='image/png')


@blueprint.route('/datasets/<id:dataset_id>/preview_vector')
def preview_vector():
    features = [{'type': 'Feature', 'geometry': parse_geometry(geometry).__geo_interface__,
                 'properties': {'amigo_id': amigo_id}} for amigo_id, geometry in _ask('features')]
    return jsonify(type='FeatureCollection', features=features)


def make_dataset(cloud, name):
    """Return the id of a new dataset; without a project it is not seen yet."""
    return cloud.store.insert('datasets', name=name, type='vector', columns=[], created_on=now(), last_updated=now())


def fill(cloud, project_id, dataset_id, schema, rows):
    """Create a dataset's table and give the dataset its project."""
    for column in schema:
        _check_name(column['name'])
    cloud.databases.run(project_id, 'create', dataset_id, schema, rows)
    columns = [column if column['name'] == 'amigo_id' or type_of(column['type']) != 'geometry'
               else dict(column, geometry_type=geometry_type(column, rows).upper()) for column in schema]
    cloud.store.update('datasets', dataset_id, project_id=project_id, columns=columns, last_updated=now())


def _check_name(name):
    if name.lower() in _RESERVED:
        raise invalid('schema', 'The sandbox keeps the column name "{}" for itself.'.format(name))


def check_column(column):
    """Refuse what is no definition of a column."""
    if not isinstance(column, dict):
        raise invalid('schema', 'Expected a list of columns.')
    _check_name(text(column, 'name'))
    try:
        type_of(text(column, 'type'))
    except SQLError as error:
        raise invalid('schema', str(error)) from error


def schema_of(row):
    """Return the columns as the table has them, with the other members that were sent for each."""
    kept = {column['name']: column for column in row['columns']}
    columns = g.cloud.databases.run(row['project_id'], 'schema', row['id'])
    return [dict(_COLUMN, **dict(kept.get(column['name'], {}), **column)) for column in columns
            if column['name'] != 'amigo_id'] + [_AMIGO_ID]


def start_import(file, filename, sent):
    """Start the job that makes a dataset of a file, and answer with it.

    Args:
        file (str): its name among the cloud's files.
        filename (str): the name that it came with; the dataset is named by it.
        sent (dict): the fields `dataset_write_action`, of which only `overwrite` is known, `csv_props.delimiter` and
            `csv_props.decimal_separator`.
    """
    cloud, project_id, name = g.cloud, g.project['id'], os.path.splitext(filename)[0]
    action, path = sent.get('dataset_write_action'), cloud.path_of(file)
    if action not in (None, '', 'overwrite'):
        raise invalid('dataset_write_action', '"{}" is not a valid choice.'.format(action))
    options = {option: sent.get('csv_props.' + option) for option in ('delimiter', 'decimal_separator')}
    for option, value in options.items():
        if value not in (None, '') and (not isinstance(value, str) or len(value) != 1):
            raise invalid('csv_props.' + option, 'A single character is required.')
    overwritten = cloud.store.find('datasets', project_id=project_id, name=name, type='vector') if action else None
    dataset_id = overwritten['id'] if overwritten else make_dataset(cloud, name)
    job = _start_making(dataset_id, lambda: formats.read_file(path, **options), overwritten is not None)
    cloud.store.update('jobs', job, file=file, filename=filename)
    return jsonify(job=job)


def in_thread(function, *args):
    """Call a function that reads, writes or draws, while other requests go on."""
    try:
        return gevent.get_hub().threadpool.apply(function, args)
    except formats.FormatError as error:
        raise Refusal(400, {'error': [str(error)]}) from error


def _start_making(dataset_id, read, is_overwritten=False):
    """Start the job that fills a dataset; `read` gives its schema and its rows."""
    cloud, user, project_id = g.cloud, g.user, g.project['id']

    def work(job):
        schema, rows = in_thread(read)
        if is_overwritten:
            cloud.databases.run(project_id, 'forget', dataset_id)
        fill(cloud, project_id, dataset_id, schema, rows)
        cloud.changed(project_id, user)
        return {'dataset_ids': [dataset_id]}

    def event(extra):
        return 'dataset:creation_succeeded', {'dataset_id': dataset_id}

    return cloud.jobs.start(g.token['user_id'], project_id, work, event)


def _picture():
    return in_thread(drawing.draw, [parse_geometry(geometry) for _, geometry in _ask('features')], (256, 256))


def _summary(row):
    state = _state(row)
    return {name: state[name] for name in _SUMMARY}


def _state(row):
    path = '{}/datasets/{}'.format(path_of(g.project), row['id'])
    facts = g.cloud.databases.run(g.project['id'], 'describe', row['id'])
    master = g.cloud.databases.run(g.project['id'], 'newest_state', row['id'])
    schema = schema_of(row)
    kind = next((column.get('geometry_type') for column in schema if column['type'] == 'geometry'), None)
    galleries = [gallery['id'] for gallery in g.cloud.store.select('galleries', dataset_id=row['id'])]
    return {
        'id': row['id'], 'url': link(path), 'name': row['name'], 'project': link(path_of(g.project)),
        'table_name': 'dataset_{}'.format(row['id']), 'visible': True, 'type': row['type'], 'description': '',
        'created_on': row['created_on'], 'last_updated': row['last_updated'], **facts, 'geo_type': kind,
        'wkt_geo_type': kind, 'read_only': row['type'] != 'vector', 'online_only': False, 'auto_sync': True,
        'display_field': next((column['name'] for column in schema if column['type'] == 'string'), None),
        'cache_busting': master, 'master_state': master, 'schema_hash': _hash(schema),
        'related_tables_hash': _hash(galleries), 'preview_image_hash': master, **links(path, _LINKS)}


def _hash(value):
    return hashlib.md5(json.dumps(value).encode()).hexdigest()


def _ask(operation):
    return g.cloud.databases.run(g.project['id'], operation, g.dataset['id'])
