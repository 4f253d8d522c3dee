"""Users: who asks, their pictures, their websocket sessions."""
from flask import Blueprint, Response, g, jsonify

from ..files import drawing
from .answers import Refusal, anonymous, link
from .projects import projects

blueprint = Blueprint('accounts', __name__)


@blueprint.route('/')
@anonymous
def root():
    return jsonify(me=link('/me'))


@blueprint.route('/me')
@blueprint.route('/users/<id:user_id>')
def user():
    path = '/users/{}'.format(g.user['id'])
    return jsonify(dict(g.user, projects=link(path + '/projects'), visible_projects=link('/me/visible_projects'),
                   images=link(path + '/images')))


@blueprint.route('/me/visible_projects')
def visible_projects():
    return projects()


@blueprint.route('/me/images')
@blueprint.route('/users/<id:user_id>/images')
def images():
    return jsonify(thumbnail=link('/users/{}/thumbnail'.format(g.user['id'])))


@blueprint.route('/users/<id:picture_id>/thumbnail')
@anonymous
def thumbnail(picture_id):
    if g.cloud.store.find('users', id=picture_id) is None:
        raise Refusal(404, 'Not found.')
    return Response(drawing.draw([], (64, 64)), mimetype='image/png')


@blueprint.route('/me/start_websocket_session')
def start_websocket_session():
    return jsonify(websocket_session=g.cloud.events.open_session(g.token))
