"""Projects: listed, made, changed, removed; and the jobs that work in them."""
from flask import Blueprint, Response, g, jsonify, request

from .answers import Refusal, fields, link, page, stated, text

listing = Blueprint('project_lists', __name__)
blueprint = Blueprint('projects', __name__)


@listing.route('/me/projects')
@listing.route('/users/<id:user_id>/projects')
def projects():
    store, owner = g.cloud.store, g.user['id']
    return page(store.count('projects', user_id=owner), lambda limit, offset: [
        stated(project, _state) for project in store.select('projects', limit, offset, user_id=owner)])


@listing.route('/me/projects', methods=['POST'])
@listing.route('/users/<id:user_id>/projects', methods=['POST'])
def create():
    values = fields()
    name, description = text(values, 'name'), values.get('description') or ''
    if not isinstance(description, str):
        raise Refusal(400, {'description': ['Not a valid string.']})
    project_id = g.cloud.store.insert('projects', user_id=g.user['id'], name=name, description=description)
    g.cloud.jobs.start(g.user['id'], project_id, lambda job: {},
                       lambda extra: ('project:creation_succeeded', {}))
    return jsonify(_state(g.cloud.store.find('projects', id=project_id))), 201


@listing.route('/me/jobs')
def jobs():
    store, owner = g.cloud.store, g.user['id']
    return page(store.count('jobs', user_id=owner), lambda limit, offset: [
        _job_state(job) for job in store.select('jobs', limit, offset, user_id=owner)])


@listing.route('/me/jobs/<job_id>')
def job(job_id):
    return _job_answer(g.cloud.store.find('jobs', id=job_id, user_id=g.user['id']))


@blueprint.route('/jobs/<job_id>')
def project_job(job_id):
    return _job_answer(g.cloud.store.find('jobs', id=job_id, project_id=g.project['id']))


@blueprint.route('')
def described():
    return jsonify(_state(g.project))


@blueprint.route('', methods=['PUT', 'PATCH'])
def change():
    values = fields()
    changes = {name: text(values, name) for name in ('name', 'description') if name in values}
    if request.method == 'PUT' and 'name' not in changes:
        raise Refusal(400, {'name': ['This field is required.']})
    if changes:
        g.cloud.store.update('projects', g.project['id'], **changes)
    return jsonify(_state(dict(g.project, **changes)))


@blueprint.route('', methods=['DELETE'])
def remove():
    key = g.project['id']
    for dataset in g.cloud.store.select('datasets', project_id=key):
        g.cloud.store.delete('galleries', dataset_id=dataset['id'])
    for token in g.cloud.store.select('tokens', project_id=key):
        g.cloud.events.revoke(token['token'])
    for table in ('datasets', 'tokens', 'jobs'):
        g.cloud.store.delete(table, project_id=key)
    g.cloud.store.delete('projects', id=key)
    g.cloud.databases.remove(key)
    return Response(status=204)


def path_of(project):
    """Return the path of a project below the API's base."""
    return '/users/{user_id}/projects/{id}'.format(**project)


def _state(project):
    path = path_of(project)
    return {
        'id': project['id'], 'name': project['name'], 'description': project['description'],
        'user': project['user_id'], 'url': link(path), 'datasets': link(path + '/datasets'),
        'sql': link(path + '/sql'), 'chunked_upload': link(path + '/datasets/chunked_upload'),
        'chunked_upload_complete': link(path + '/datasets/chunked_upload/complete')}


def _job_answer(row):
    if row is None:
        raise Refusal(404, 'Not found.')
    return jsonify(_job_state(row))


def _job_state(row):
    extra = dict(row['extra'])
    if 'link' in extra:
        extra['link'] = link(extra['link'], with_token=True)
    return {'id': row['id'], 'status': row['status'], 'extra': extra}
