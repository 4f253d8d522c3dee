"""Tiles: the pictures and grids of a dataset for a map, and the base layer below them."""
from flask import Blueprint, Response, g, jsonify

from ..files import drawing
from ..sql.geometry import parse_geometry
from .answers import Refusal, for_every_token, link, page
from .datasets import in_thread

blueprint = Blueprint('tiles', __name__)
base_layers = Blueprint('base_layers', __name__)
of_projects = Blueprint('base_layers_of_projects', __name__)
_LARGEST_ZOOM = 30
_BASE_LAYER = 1


@blueprint.route('/tiles/<int:zoom>/<int:x>/<int:y>.png')
def picture(zoom, x, y):
    _check_tile(zoom, x, y)
    shapes = [shape for _, shape in _features(zoom, x, y)]
    return Response(in_thread(drawing.draw_tile, shapes, zoom, x, y), mimetype='image/png')


@blueprint.route('/tiles/<int:zoom>/<int:x>/<int:y>.json')
def grid(zoom, x, y):
    _check_tile(zoom, x, y)
    features = [({'amigo_id': amigo_id}, shape) for amigo_id, shape in _features(zoom, x, y)]
    return jsonify(in_thread(drawing.utf_grid, features, zoom, x, y))


@of_projects.route('/base_layers')
def layers():
    return page(1, lambda limit, offset: [_layer()][offset:offset + limit])


@base_layers.route('/base_layers/<id:layer_id>')
@for_every_token
def layer(layer_id):
    _check_layer(layer_id)
    return jsonify(_layer())


@base_layers.route('/base_layers/<id:layer_id>/tiles/<int:zoom>/<int:x>/<int:y>.png')
@for_every_token
def layer_picture(layer_id, zoom, x, y):
    _check_layer(layer_id)
    _check_tile(zoom, x, y)
    return Response(drawing.draw([], (256, 256)), mimetype='image/png')


def _features(zoom, x, y):
    found = g.cloud.databases.run(g.project['id'], 'features', g.dataset['id'], drawing.box_of_tile(zoom, x, y))
    return [(amigo_id, parse_geometry(geometry)) for amigo_id, geometry in found]


def _check_tile(zoom, x, y):
    if zoom > _LARGEST_ZOOM or max(x, y) >= 2 ** zoom:
        raise Refusal(404, 'Not found.')


def _check_layer(layer_id):
    if layer_id != _BASE_LAYER:
        raise Refusal(404, 'Not found.')


def _layer():
    path = '/base_layers/{}'.format(_BASE_LAYER)
    return {'id': _BASE_LAYER, 'url': link(path), 'name': 'White', 'tiles': link(path + '/tiles')}
