"""Projects: listed, made, changed; what lies below them; and the jobs."""
from flask import Blueprint, Response, g, jsonify, request

from ..files import drawing
from .access import forbidden
from .answers import (
    Refusal,
    arguments,
    fields,
    for_every_token,
    invalid,
    link,
    links,
    needs,
    page,
    rows_page,
    text,
)

listing = Blueprint('project_lists', __name__)
blueprint = Blueprint('projects', __name__)
#: Links of a project, and their paths below it.
_LINKS = {
    'datasets': 'datasets', 'upload_datasets': 'datasets/upload', 'chunked_upload_datasets': 'datasets/chunked_upload',
    'upload': 'datasets/upload', 'chunked_upload': 'datasets/chunked_upload',
    'chunked_upload_complete': 'datasets/chunked_upload/complete', 'create_dataset': 'datasets/create', 'sql': 'sql',
    'submit_changeset': 'submit_changeset', 'support_files': 'support_files',
    'support_files_hash': 'support_files_hash', 'base_layers': 'base_layers', 'contributors': 'contributors',
    'invitations': 'invitations', 'grant': 'grant', 'revoke': 'revoke', 'leave': 'leave', 'queries': 'queries',
    'notifications': 'notifications', 'offline_areas': 'offline_areas', 'temporary_datasets': 'temporary_datasets'}
_SUMMARY = ('id', 'name', 'url', 'hash', 'preview_image', 'preview_image_hash')


@listing.route('/me/projects')
@listing.route('/users/<id:user_id>/projects')
def projects():
    return rows_page('projects', _summary if 'summary' in arguments() else _state, user_id=g.user['id'])


@listing.route('/me/projects', methods=['POST'])
@listing.route('/users/<id:user_id>/projects', methods=['POST'])
@needs('ADMIN')
def create():
    values = fields()
    name, description = text(values, 'name'), values.get('description') or ''
    if not isinstance(description, str):
        raise invalid('description', 'Not a valid string.')
    project_id = g.cloud.make_project(g.user['id'], name, description)
    g.cloud.jobs.start(g.user['id'], project_id, lambda job: {},
                       lambda extra: ('project:creation_succeeded', {}))
    return jsonify(_state(g.cloud.store.find('projects', id=project_id))), 201


@listing.route('/me/jobs/<job_id>')
@for_every_token
def job(job_id):
    row = g.cloud.store.find('jobs', id=job_id, user_id=g.token['user_id'])
    if row is None or g.token['project_id'] not in (None, row['project_id']):
        raise Refusal(404, 'Not found.')
    extra = dict(row['extra'])
    if 'link' in extra:
        extra['link'] = link(extra['link'])
    return jsonify(id=row['id'], status=row['status'], extra=extra, url=link('/me/jobs/' + row['id']))


@blueprint.route('')
def described():
    return jsonify(_state(g.project))


@blueprint.route('', methods=['PUT', 'PATCH'])
def change():
    values = fields()
    changes = {name: text(values, name) for name in ('name', 'description') if name in values}
    if request.method == 'PUT' and 'name' not in changes:
        raise invalid('name', 'This field is required.')
    if changes:
        g.cloud.store.update('projects', g.project['id'], **changes)
        g.cloud.changed(g.project['id'], g.user)
    return jsonify(_state(g.cloud.store.find('projects', id=g.project['id'])))


@blueprint.route('', methods=['DELETE'])
def remove():
    raise forbidden()


@blueprint.route('/preview_image')
def preview_image():
    return Response(drawing.draw([], (256, 256)), mimetype='image/png')


@blueprint.route('/support_files')
@blueprint.route('/contributors')
@blueprint.route('/invitations')
@blueprint.route('/notifications')
@blueprint.route('/offline_areas')
@blueprint.route('/temporary_datasets')
@blueprint.route('/maps')
def nothing():
    return page(0, lambda limit, offset: [])


@blueprint.route('/support_files_hash')
def support_files_hash():
    return jsonify(support_files_hash='0' * 32)


@blueprint.route('/grant', methods=['POST'])
@blueprint.route('/revoke', methods=['POST'])
@blueprint.route('/leave', methods=['POST'])
def share():
    raise Refusal(400, 'The sandbox shares no projects.')


@blueprint.route('/queries')
def saved_queries():
    return rows_page('queries', _query_state, project_id=g.project['id'])


@blueprint.route('/queries/<id:query_id>')
def saved_query(query_id):
    row = g.cloud.store.find('queries', id=query_id, project_id=g.project['id'])
    if row is None:
        raise Refusal(404, 'Not found.')
    return jsonify(_query_state(row))


def path_of(project):
    """Return the path of a project below the API's base."""
    return '/users/{user_id}/projects/{id}'.format(**project)


def _state(project):
    path = path_of(project)
    level = g.token['level']
    return {
        'id': project['id'], 'url': link(path), 'name': project['name'], 'description': project['description'],
        'owner': link('/users/{user_id}'.format(**project)), 'owner_id': project['user_id'],
        'organization': g.user['organization'], 'created_on': project['created_on'],
        'last_updated': project['last_updated'], 'hash': project['hash'], 'public_read': False, 'public_write': False,
        'permission_level': level, 'my_permission_level': level, 'preview_image': link(path + '/preview_image'),
        'preview_image_hash': project['hash'],
        'dataset_count': g.cloud.store.count('datasets', project_id=project['id']),
        'history_dataset_id': project['history_dataset_id'], **links(path, _LINKS)}


def _summary(project):
    state = _state(project)
    return {name: state[name] for name in _SUMMARY}


def _query_state(row):
    return {'id': row['id'], 'name': row['name'], 'query': row['query']}
