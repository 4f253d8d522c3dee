"""Who may do what: tokens, their levels and their scope, and the things that a URL names."""
from flask import current_app, g, request

from .answers import Refusal, arguments, check_values

_LEVELS = ('READ', 'CREATE', 'EDIT', 'ADMIN')
_LEVEL_OF_METHOD = {'GET': 'READ', 'HEAD': 'READ', 'OPTIONS': 'READ', 'POST': 'CREATE', 'PUT': 'EDIT', 'PATCH': 'EDIT',
                    'DELETE': 'ADMIN'}


def admit():
    """Let a request to the API in, or refuse it; what its URL names is put into flask's `g`."""
    if 'sessionid' in request.cookies and _LEVEL_OF_METHOD.get(request.method) != 'READ':
        raise Refusal(403, 'CSRF Failed: CSRF cookie not set.')
    values = arguments()
    check_values(values)
    view = current_app.view_functions[request.endpoint]
    g.token = _token(values.get('token'), optional=getattr(view, 'anonymous', False))
    if g.token is None:
        g.user = None
        return
    g.user = g.cloud.store.find('users', id=g.token['user_id'])
    _resolve(request.view_args)
    require(getattr(view, 'level', _LEVEL_OF_METHOD[request.method]))


def require(level):
    """Refuse the request if its token's level is below this one."""
    if _LEVELS.index(g.token['level']) < _LEVELS.index(level):
        raise Refusal(403, 'You do not have permission to perform this action.')


def _token(name, optional):
    if not name:
        if optional:
            return None
        raise Refusal(401, 'Authentication credentials were not provided.')
    token = g.cloud.store.find('tokens', token=name)
    if token is None:
        raise Refusal(401, 'Invalid token')
    return token


def _resolve(names):
    """Replace the ids in a URL by what they stand for: user, project, dataset, gallery."""
    owner = names.pop('user_id', None)
    if owner:  # 0 stands for whoever asks
        g.user = _found('users', id=owner)
    if 'project_id' in names:
        g.project = _found('projects', id=names.pop('project_id'), **({'user_id': owner} if owner else {}))
    if 'dataset_id' in names:
        g.dataset = _found('datasets', id=names.pop('dataset_id'), project_id=g.project['id'])
    if 'gallery_id' in names:
        scope = {'dataset_id': g.dataset['id']} if 'dataset' in g else {}
        g.gallery = _found('galleries', id=names.pop('gallery_id'), **scope)
        g.dataset = _found('datasets', id=g.gallery['dataset_id'])
        g.project = _found('projects', id=g.dataset['project_id'])
    project = g.get('project')
    owner_id = g.user['id'] if project is None else project['user_id']
    scope = g.token['project_id']
    if owner_id != g.token['user_id'] or scope is not None and (project is None or project['id'] != scope):
        raise Refusal(403, 'You do not have permission to perform this action.')


def _found(table, **where):
    row = g.cloud.store.find(table, **where)
    if row is None:
        raise Refusal(404, 'Not found.')
    return row
