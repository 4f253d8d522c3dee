"""The Flask application: the endpoints under their paths, and every error as the service answers it."""
import uuid

from flask import Flask, Request, g, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter

from . import access, accounts, changes, datasets, galleries, geocoder, knobs, projects, queries, uploads
from .answers import API, LARGEST, LARGEST_BODY, Refusal, html_refusal

_PROJECTS = (API + '/users/<id:user_id>/projects/<id:project_id>', API + '/projects/<id:project_id>')
_DATASET = '/datasets/<id:dataset_id>'
_GALLERY = '/related_tables/<id:gallery_id>'


class _Id(IntegerConverter):
    """An id in a URL; a number that no database holds is not found."""

    def __init__(self, url_map):
        super().__init__(url_map, max=LARGEST)


class _Request(Request):
    max_form_memory_size = LARGEST_BODY


def make_app(cloud):
    """Return the WSGI application that serves a cloud's REST API.

    Args:
        cloud (Cloud): what is served.
    """
    app = Flask(__name__, static_folder=None)
    app.request_class = _Request
    app.json.sort_keys = False
    app.url_map.converters['id'] = _Id
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _mount(app)
    secret = uuid.uuid4().hex

    @app.before_request
    def admit():
        g.cloud = cloud
        if request.routing_exception is None:
            (access.admit if request.path.startswith(API) else knobs.admit)()

    @app.after_request
    def set_session(response):
        response.set_cookie('sessionid', secret, httponly=True, samesite='Lax')
        return response

    app.register_error_handler(Refusal, lambda refusal: (jsonify(refusal.body), refusal.status))
    app.register_error_handler(HTTPException, _http_error)
    return app


def _mount(app):
    for module in (accounts, geocoder):
        app.register_blueprint(module.blueprint, url_prefix=API)
    app.register_blueprint(projects.listing, url_prefix=API)
    app.register_blueprint(knobs.blueprint, url_prefix='/sandbox')
    app.register_blueprint(galleries.blueprint, url_prefix=API + _GALLERY)
    for number, path in enumerate(_PROJECTS):
        for blueprint, below in (
                (projects.blueprint, ''), (queries.blueprint, ''), (datasets.blueprint, ''), (uploads.blueprint, ''),
                (changes.blueprint, _DATASET), (galleries.listing, _DATASET),
                (galleries.blueprint, _DATASET + _GALLERY)):
            app.register_blueprint(blueprint, url_prefix=path + below, name='{}_{}'.format(blueprint.name, number))


def _http_error(error):
    if error.response is not None:
        return error.response
    if error.code == 413:
        return html_refusal(400, 'Bad Request (400)').response
    details = {404: 'Not found.', 405: 'Method "{}" not allowed.'.format(request.method)}
    answer = jsonify(detail=details.get(error.code, error.description))
    answer.status_code = error.code
    answer.headers.update({name: value for name, value in error.get_headers() if name != 'Content-Type'})
    return answer
