"""Datasets: listed, made from a schema, described, drawn, exported, moved in real time."""
import gevent
from flask import Blueprint, Response, g, jsonify, request, send_file

from . import formats, states, tables
from .answers import Refusal, fields, invalid, link, needs, page, parse_json, stated, text
from .projects import path_of
from .sqltypes import SQLError, type_of

blueprint = Blueprint('datasets', __name__)
#: The formats of an export and the endings of their files.
_FORMATS = {'CSV': 'csv', 'GEOJSON': 'geojson', 'KML': 'kml', 'SHP': 'zip'}


@blueprint.route('/datasets')
def listed():
    store, project_id = g.cloud.store, g.project['id']
    return page(store.count('datasets', project_id=project_id), lambda limit, offset: [
        stated(row, _state) for row in store.select('datasets', limit, offset, project_id=project_id)])


@blueprint.route('/datasets/create', methods=['POST'])
def create():
    values = fields()
    name, schema = text(values, 'name'), values.get('schema', [])
    if isinstance(schema, str):
        schema = parse_json(schema)
    _check_schema(schema)
    dataset_id, job = start_making(name, lambda: (schema, []))
    return jsonify(id=dataset_id, name=name, job=job)


@blueprint.route('/datasets/<id:dataset_id>')
def dataset():
    return jsonify(_state(g.dataset))


@blueprint.route('/datasets/<id:dataset_id>', methods=['PUT', 'PATCH'])
def change():
    values = fields()
    if request.method == 'PUT' or 'name' in values:
        g.dataset['name'] = text(values, 'name')
        g.cloud.store.update('datasets', g.dataset['id'], name=g.dataset['name'])
    return jsonify(_state(g.dataset))


@blueprint.route('/datasets/<id:dataset_id>', methods=['DELETE'])
def remove():
    key = g.dataset['id']
    g.cloud.store.delete('galleries', dataset_id=key)
    g.cloud.store.delete('datasets', id=key)
    g.cloud.databases.run(g.project['id'], states.forget, key)
    return Response(status=204)


@blueprint.route('/datasets/<id:dataset_id>/schema')
def schema_of_dataset():
    return jsonify(schema=_ask(tables.schema))


@blueprint.route('/datasets/<id:dataset_id>/master')
def master():
    return jsonify(master=_ask(states.newest))


@blueprint.route('/datasets/<id:dataset_id>/states')
def states_of_dataset():
    every = _ask(states.listed)
    return page(len(every), lambda limit, offset: every[offset:offset + limit])


@blueprint.route('/datasets/<id:dataset_id>/preview', defaults={'size': (64, 64)})
@blueprint.route('/datasets/<id:dataset_id>/preview_image', defaults={'size': (256, 256)})
def preview(size):
    return Response(_in_thread(formats.preview, _ask(tables.geometries), size), mimetype='image/png')


@blueprint.route('/datasets/<id:dataset_id>/export', methods=['POST'])
@needs('READ')
def export():
    kind = text(fields(), 'format').upper()
    if kind not in _FORMATS:
        raise invalid('format', '"{}" is not a valid choice.'.format(kind))
    cloud, row, link_path = g.cloud, g.dataset, path_of_dataset(g.project, g.dataset) + '/exports/'

    def work(job):
        file = 'export_' + job
        schema = cloud.databases.run(row['project_id'], tables.schema, row['id'])
        rows = cloud.databases.run(row['project_id'], tables.rows, row['id'])
        _in_thread(formats.write_file, schema, rows, kind, cloud.path_of(file))
        cloud.store.update('jobs', job, file=file, filename='{}.{}'.format(row['name'], _FORMATS[kind]))
        return {'link': link_path + job}

    return jsonify(job=cloud.jobs.start(g.token['user_id'], g.project['id'], work))


@blueprint.route('/datasets/<id:dataset_id>/exports/<job_id>')
def exported(job_id):
    job = g.cloud.store.find('jobs', id=job_id, project_id=g.project['id'], status='SUCCESS')
    if job is None or 'link' not in job['extra']:
        raise Refusal(404, 'Not found.')
    return send_file(g.cloud.path_of(job['file']), as_attachment=True, download_name=job['filename'], conditional=True)


@blueprint.route('/datasets/<id:dataset_id>/realtime', methods=['POST'])
def move():
    position = fields()
    if not isinstance(position.get('object_id'), (str, int)):
        raise invalid('object_id', 'This field is required.')
    for name, limit in (('latitude', 90), ('longitude', 180)):
        if not isinstance(position.get(name), (int, float)) or not -limit <= position[name] <= limit:
            raise invalid(name, 'A number from -{0} to {0} is required.'.format(limit))
    g.cloud.events.tell_dataset(g.dataset['id'], 'realtime', {'dataset_id': g.dataset['id'], 'data': [position]})
    return jsonify(position)


@blueprint.route('/datasets/<id:dataset_id>/start_websocket_session')
def start_websocket_session():
    return jsonify(websocket_session=g.cloud.events.open_session(g.token, g.dataset['id']))


def path_of_dataset(project, row):
    """Return the path of a dataset below the API's base."""
    return '{}/datasets/{}'.format(path_of(project), row['id'])


def start_making(name, read):
    """Start the job that makes a dataset.

    Args:
        name (str): the dataset's name.
        read (callable): gives its schema and its rows.

    Returns:
        tuple: the dataset's id and the job's.
    """
    cloud, project_id = g.cloud, g.project['id']
    dataset_id = cloud.store.insert('datasets', name=name)

    def work(job):
        fill(cloud, project_id, dataset_id, *_in_thread(read))
        return {'dataset_ids': [dataset_id]}

    def event(extra):
        return 'dataset:creation_succeeded', {'dataset_id': dataset_id}

    return dataset_id, cloud.jobs.start(g.token['user_id'], project_id, work, event)


def fill(cloud, project_id, dataset_id, schema, rows):
    """Give a dataset its table and its project; it is not seen before."""
    if cloud.store.find('projects', id=project_id) is None:
        raise Refusal(404, 'Not found.')
    cloud.databases.run(project_id, tables.create, dataset_id, schema, rows)
    cloud.store.update('datasets', dataset_id, project_id=project_id)


def _in_thread(function, *args):
    """Call a function that reads, writes or draws, while other requests go on."""
    try:
        return gevent.get_hub().threadpool.apply(function, args)
    except formats.FormatError as error:
        raise Refusal(400, {'error': [str(error)]}) from error


def _state(row):
    path = path_of_dataset(g.project, row)
    facts = g.cloud.databases.run(g.project['id'], tables.describe, row['id'])
    links = {name: link('{}/{}'.format(path, name)) for name in (
        'states', 'master', 'schema', 'submit_change', 'export', 'related_tables', 'realtime',
        'start_websocket_session')}
    pictures = {name: link('{}/{}'.format(path, name), with_token=True) for name in ('preview', 'preview_image')}
    return dict(facts, id=row['id'], name=row['name'], table_name=states.table_of(row['id']), url=link(path),
                project=link(path_of(g.project)), **links, **pictures)


def _ask(function):
    return g.cloud.databases.run(g.project['id'], function, g.dataset['id'])


def _check_schema(schema):
    if not isinstance(schema, list):
        raise invalid('schema', 'Expected a list of columns.')
    for column in schema:
        if not isinstance(column, dict):
            raise invalid('schema', 'Expected a list of columns.')
        text(column, 'name')
        try:
            type_of(text(column, 'type'))
        except SQLError as error:
            raise invalid('schema', str(error)) from error
