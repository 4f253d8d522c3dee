"""Who may do what: tokens, their levels and their scope, and the things that a URL names."""
from flask import current_app, g, request

from .answers import Refusal, arguments, check_values

_LEVELS = ('READ', 'CREATE', 'EDIT', 'ADMIN')
_LEVEL_OF_METHOD = {'GET': 'READ', 'HEAD': 'READ', 'POST': 'CREATE', 'PUT': 'ADMIN', 'PATCH': 'ADMIN',
                    'DELETE': 'ADMIN'}


def admit():
    """Let a request to the API in, or refuse it; what its URL names is put into flask's `g`."""
    if request.method == 'OPTIONS':
        return      # Browsers ask so, without a token, before a request to another origin.
    if 'sessionid' in request.cookies and _LEVEL_OF_METHOD.get(request.method) != 'READ':
        raise Refusal(403, 'CSRF Failed: CSRF cookie not set.')
    values = arguments()
    check_values(values)
    view = current_app.view_functions[request.endpoint]
    if getattr(view, 'anonymous', False):
        return
    g.token = _token(values.get('token') or _bearer())
    g.user = g.cloud.store.find('users', id=g.token['user_id'])
    _resolve(request.view_args, getattr(view, 'for_every_token', False))
    require(getattr(view, 'level', _LEVEL_OF_METHOD[request.method]))


def require(level):
    """Refuse the request if its token's level is below this one."""
    if _LEVELS.index(g.token['level']) < _LEVELS.index(level):
        raise forbidden()


def check_writable(dataset):
    """Refuse to change the dataset of a project's history; each change of another is put into it."""
    if dataset['type'] != 'vector':
        raise forbidden()


def forbidden():
    """Return the refusal of an action that the token does not allow."""
    return Refusal(403, 'You do not have permission to perform this action.')


def _bearer():
    scheme, _, token = request.headers.get('Authorization', '').partition(' ')
    return token.strip() if scheme.lower() == 'bearer' else None


def _token(name):
    if not name:
        raise Refusal(401, 'Authentication credentials were not provided.')
    token = g.cloud.store.find('tokens', token=name)
    if token is None:
        raise Refusal(401, 'Invalid token')
    return token


def _resolve(names, for_every_token):
    """Replace the ids in a URL by what they stand for: user, project, dataset, gallery."""
    owner = names.pop('user_id', None)
    if owner:  # 0 stands for any owner
        g.user = _found('users', id=owner)
    if 'project_id' in names:
        project = {('uuid' if isinstance(names['project_id'], str) else 'id'): names.pop('project_id')}
        if project == {'id': 0} and 'dataset_id' in names:  # 0 stands for the project of the dataset
            project = {'id': _found('datasets', id=names['dataset_id'])['project_id']}
        g.project = _found('projects', **project, **({'user_id': owner} if owner else {}))
    if 'dataset_id' in names:
        g.dataset = _found('datasets', id=names.pop('dataset_id'), project_id=g.project['id'])
    if 'gallery_id' in names:
        scope = {'dataset_id': g.dataset['id']} if 'dataset' in g else {}
        g.gallery = _found('galleries', id=names.pop('gallery_id'), **scope)
        g.dataset = _found('datasets', id=g.gallery['dataset_id'])
        g.project = _found('projects', id=g.dataset['project_id'])
    project = g.get('project')
    owner_id = g.user['id'] if project is None else project['user_id']
    scope = None if for_every_token else g.token['project_id']
    if owner_id != g.token['user_id'] or scope is not None and (project is None or project['id'] != scope):
        raise forbidden()


def _found(table, **where):
    row = g.cloud.store.find(table, **where)
    if row is None:
        raise Refusal(404, 'Not found.')
    return row
