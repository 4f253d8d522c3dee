"""The Flask application: the endpoints under their paths, and every error as the service answers it."""
import json
import uuid

import gevent
from flask import Flask, Request, g, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, IntegerConverter, ValidationError

from ..files.formats import FormatError
from ..sql.types import SQLError
from . import (
    access,
    accounts,
    changes,
    datasets,
    exports,
    galleries,
    geocoder,
    knobs,
    projects,
    queries,
    realtime,
    tiles,
    uploads,
)
from .answers import API, LARGEST, LARGEST_BODY, Refusal, html_refusal

_PROJECTS = (API + '/users/<id:user_id>/projects/<id:project_id>', API + '/projects/<project:project_id>')
_DATASET = '/datasets/<id:dataset_id>'
_GALLERY = '/related_tables/<id:gallery_id>'
#: What lets the pages of other origins use the API.
_FOR_OTHER_ORIGINS = {
    'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': 'Authorization, Content-Range, Content-Type, X-Requested-With'}


class _Id(IntegerConverter):
    """An id in a URL; a number that no database holds is not found."""

    def __init__(self, url_map):
        super().__init__(url_map, max=LARGEST)


class _Project(BaseConverter):
    """A project in a URL, named by its id or its UUID."""

    regex = r'\d{1,19}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'

    def to_python(self, value):
        if '-' in value:
            return value
        if int(value) > LARGEST:
            raise ValidationError
        return int(value)


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
    app.url_map.converters.update(id=_Id, project=_Project)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _mount(app)
    # What a thread refuses becomes an answer; gevent would print its traceback.
    gevent.get_hub().NOT_ERROR += (FormatError, Refusal, SQLError)
    secret = uuid.uuid4().hex

    @app.before_request
    def admit():
        g.cloud = cloud
        g.token = None
        if request.routing_exception is None:
            if _is_knob():
                knobs.admit()
            else:
                knobs.fail()
                access.admit()

    @app.after_request
    def finish(response):
        response.set_cookie('sessionid', secret, httponly=True, samesite='Lax')
        if not _is_knob():
            response.headers.update(_FOR_OTHER_ORIGINS)
        if response.status_code == 204:
            del response.headers['Content-Type']
        if request.environ.get('sandbox.second') and response.is_json and 'job' in response.json:
            response.data = json.dumps({'job_id' if name == 'job' else name: value
                                        for name, value in response.json.items()})
        knobs.lose()
        return response

    app.register_error_handler(Refusal, lambda refusal: (jsonify(refusal.body), refusal.status))
    app.register_error_handler(SQLError, lambda error: (jsonify(error=[str(error)]), 400))
    app.register_error_handler(HTTPException, _http_error)
    return app


def _is_knob():
    return not request.path.startswith(API)


def _mount(app):
    for blueprint in (accounts.blueprint, geocoder.blueprint, projects.listing, exports.files, tiles.base_layers):
        app.register_blueprint(blueprint, url_prefix=API)
    app.register_blueprint(knobs.blueprint, url_prefix='/sandbox')
    app.register_blueprint(galleries.blueprint, url_prefix=API + _GALLERY)
    for number, path in enumerate(_PROJECTS):
        for blueprints, below in (
                ((projects.blueprint, queries.blueprint, datasets.blueprint, uploads.blueprint, changes.of_projects,
                  tiles.of_projects), ''),
                ((changes.blueprint, exports.blueprint, galleries.listing, realtime.blueprint, tiles.blueprint),
                 _DATASET),
                ((galleries.blueprint,), _DATASET + _GALLERY)):
            for blueprint in blueprints:
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
