# -*- coding: utf-8 -*-
"""Calls of 1.2.5's public methods, as scripts write them; run once with 1.2.5 and once with this library.

Usage: python calls.py BASE_URL FOLDER; prints a JSON object of what each call gave or raised.
"""
from __future__ import print_function, unicode_literals

import io
import json
import os
import sys

import requests

from amigocloud import AmigoCloud, AmigoCloudError
from amigocloud.amigocloud import BASE_URL, CHUNK_SIZE, MAX_SIZE_SIMPLE_UPLOAD

CALLS = {}
BASE, FOLDER = sys.argv[1:]
# 1.2.5 calls every chunk so; with this name the chunks of both are the same.
PATH = os.path.join(FOLDER, 'datafile')


def call(function):
    CALLS[function.__name__] = function
    return function


def user():
    return AmigoCloud('secret', None, BASE, False)


def project():
    return AmigoCloud('pass', '/users/1/projects/9', BASE, False)


def state(client):
    return [client.base_url, client.api_url, client._token, client._user_id, client._project_id, client._project_url]


@call
def constants():
    return [BASE_URL, CHUNK_SIZE, MAX_SIZE_SIMPLE_UPLOAD]


@call
def error_class():
    error = AmigoCloudError('message')
    return [str(error), error.message, error.response, error.text]


@call
def login_anonymous():
    return state(AmigoCloud(base_url=BASE, project_url='x', use_websockets=False))


@call
def login_user():
    return state(user())


@call
def login_project():
    return [state(AmigoCloud('pass', url, BASE, False)) for url in (
        'users/1/projects/9', '/users/1/projects/9', BASE + '/api/v1/users/1/projects/9/')]


@call
def login_refused():
    return AmigoCloud('wrong', '/refused', BASE, False)


@call
def login_again():
    client = user()
    client.authenticate('pass', 'users/1/projects/9')
    first = state(client)[:3] + state(client)[4:]
    client.authenticate('other')
    client.get('one')
    return first


@call
def logout():
    client = project()
    client.logout()
    client.get('one')
    return state(client)


@call
def build_url():
    return [client.build_url(url) for client in (user(), project()) for url in (
        'x', 'x/', '/x', '/x/', '//x', '', 'x/y?a=1', ' x', 'http://a/b/', 'https://app.amigocloud.com/api/v2/x')]


@call
def get():
    client = user()
    return [client.get('one'), client.get('/one', {'a': 1, 'b': ['x', 'y'], 'n': None}), client.get('one?q=1'),
            client.get('one#part'), client.get('one', {'token': 'mine'}), client.get(BASE + '/api/v1/one'),
            client.get('one', headers={'X-Who': 'me'}, timeout=5), client.get('one', {'q': 'é &+'})]


@call
def get_project():
    return [project().get('datasets'), project().get('/one')]


@call
def answers():
    return [user().get(name) for name in ('null', 'zero', 'false', 'empty', 'list', 'accents')]


@call
def answers_raw():
    return [user().get('one', raw=True), user().get('empty', raw=True), user().post('one', raw=True)]


@call
def answer_stream():
    response = user().get('one', stream=True)
    return [isinstance(response, requests.Response), response.json()]


@call
def error_400():
    return user().get('status400')


@call
def error_500():
    return user().post('status500', {'a': 1})


@call
def error_of_connection():
    return user().get('http://127.0.0.1:1/x')


@call
def error_of_time():
    # Not a GET, which is sent again now.
    return user().post('slow', timeout=0.3)


@call
def check_for_errors():
    return user().check_for_errors(user().get('one', stream=True))


def _verbs(*args, **kwargs):
    client = user()
    return [getattr(client, verb)('one', *args, **kwargs) for verb in ('post', 'put', 'patch', 'delete')]


@call
def send_json():
    return [_verbs({'a': 'é', 'b': [1, None]}), _verbs(), _verbs([]), _verbs([1]), _verbs('text')]


@call
def send_json_content_type():
    return _verbs({'a': 1}, headers={'X-Who': 'me'}, content_type='text/csv')


@call
def send_form():
    return _verbs({'a': 1}, send_as_json=False)


@call
def send_form_content_type():
    return _verbs({'a': 1}, send_as_json=False, content_type='x/y')


@call
def send_bytes():
    return [_verbs(b'a,b', send_as_json=False), _verbs(b'a,b', send_as_json=False, content_type='text/csv')]


@call
def send_files():
    return _verbs({'a': 1, 'b': ['x', 'y']}, {'datafile': ('n.csv', b'abc')})


@call
def send_query():
    client = user()
    return [client.post('one?a=1', {}), client.post('one?token=mine&a=1', {}), client.delete('/one?a=1')]


@call
def cursor():
    return [list(user().get_cursor('page')), list(user().get_cursor('sql')), list(user().get_cursor('one'))]


@call
def cursor_use():
    rows = user().get_cursor('page')
    first = [rows.has_next, next(rows), rows.get('count'), rows.get('next') is None, rows.next(), rows.has_next]
    try:
        rows.get('missing')
    except ValueError:
        return first + [next(rows), rows.get('count'), rows.has_next, list(rows)]


@call
def upload_simple():
    with io.open(PATH, 'rb') as content:
        return [user().upload_file('/upload', '/chunked', PATH, extra_data={'a': 1}),
                user().upload_file('upload', 'chunked', content)]


@call
def upload_chunks():
    return [user().upload_file('/upload', '/chunked', PATH, 400, True, {'a': 1}),
            user().upload_file(None, 'chunked/', io.BytesIO(b'abcdefg'), chunk_size=3)]


@call
def upload_no_file():
    return user().upload_file('/upload', '/chunked', PATH + 'x')


@call
def upload_datafile():
    return [user().upload_datafile(5, 6, PATH), user().upload_datafile(5, 6, PATH, 400, True)]


@call
def upload_gallery_photo():
    if sys.version_info[0] > 2:
        return '1.2.5 cannot do it on Python 3'
    with io.open(PATH, 'rb') as content:
        return [user().upload_gallery_photo(3, 'f00', PATH), user().upload_gallery_photo(3, 'f00', content),
                user().upload_gallery_photo(3, 'f00', PATH, 400, True, {'k': 'v'})]


@call
def geocode_addresses():
    user().geocode_addresses(1, 2, 'address', 'geom', country='US')


@call
def geocode_addresses_no_components():
    user().geocode_addresses(1, 2, 'address', 'geom')


@call
def listen_without_a_user():
    return project().listen_user_events()


@call
def differs_callers_dicts():
    params, headers = {'a': 1}, {'X-Who': 'me'}
    user().get('one', params)
    user().post('one', {}, headers=headers)
    return [params, headers]


@call
def differs_token_in_the_url():
    return user().get('one?token=mine')


@call
def differs_empty_token():
    return user().post('one?token=')


@call
def differs_no_token():
    return user().get('one', {'token': None})


@call
def differs_authenticate_refused():
    client = user()
    try:
        client.authenticate('wrong', '/refused')
    except AmigoCloudError:
        return client._token


@call
def differs_cursor_that_is_not_used():
    user().get_cursor('page')


@call
def differs_last_row_of_a_page():
    rows = user().get_cursor('page')
    return [next(rows), next(rows)]


@call
def differs_empty_page():
    return list(user().get_cursor('emptypage'))


@call
def differs_params_of_a_cursor():
    return list(user().get_cursor('page', {'a': 1}))


@call
def differs_cursor_over_one_object():
    return user().get_cursor('one').get('id')


@call
def differs_redirected_post():
    return user().post('moved', {})


@call
def differs_redirect_not_followed():
    return user().get('tohtml', allow_redirects=False)


@call
def differs_json():
    return user().post('one', json={'a': 1})


@call
def differs_stream():
    return isinstance(user().post('one', stream=True), requests.Response)


@call
def differs_url_that_begins_with_http():
    return user().build_url('http-log')


@call
def differs_imports():
    # Each of them loaded with the package in 1.2.5 only.
    return user().base_url, 'gevent' in sys.modules


def describe(value):
    if isinstance(value, bytes) and not isinstance(value, str):
        return {'bytes': value.decode('latin-1')}
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    return value


def run(function):
    try:
        return describe(function())
    except Exception as error:  # Whatever a call raises is what the comparison is about.
        kinds = [AmigoCloudError, requests.ConnectionError, requests.Timeout, IOError, ValueError]
        response = getattr(error, 'response', None)
        return {'raised': [kind.__name__ for kind in kinds if isinstance(error, kind)],
                'status': response is not None and response.status_code, 'text': getattr(error, 'text', None)}


results, stdout = {}, sys.stdout
sys.stdout = open(os.devnull, 'w')
for name in sorted(CALLS):
    results[name] = run(CALLS[name])
    requests.get('{}/mark/{}'.format(BASE, name))
stdout.write(json.dumps(results))
