"""Parts of every endpoint: read a request as Django REST framework does, refuse it, make links and pages of lists."""
import json
import math
import re
import urllib.parse

from flask import Response, g, jsonify, request, send_file
from werkzeug.exceptions import HTTPException

API = '/api/v1'
SECOND_API = '/api/v2'
PAGE_SIZE = 20
#: The largest integer that the database holds.
LARGEST = 2 ** 63 - 1
#: Django's DATA_UPLOAD_MAX_MEMORY_SIZE, in bytes.
LARGEST_BODY = 2621440
_NOT_IN_QUOTES = re.compile(r'["\\\x00-\x1f\x7f]')


class Refusal(Exception):
    """A request that is answered with an error.

    Args:
        status (int): the HTTP status.
        body (dict or str): the answer as JSON; a text is sent as `{"detail": text}`.
    """

    def __init__(self, status, body):
        super().__init__(status, body)
        self.status = status
        self.body = {'detail': body} if isinstance(body, str) else body


def invalid(name, message):
    """Return the refusal of one field of a request."""
    return Refusal(400, {name: [message]})


def html_refusal(status, title):
    """Return a refusal with a page of HTML, as the parts of the service send it that are not its REST framework."""
    html = '<!doctype html>\n<html lang="en">\n<head><title>{0}</title></head>\n<body><h1>{0}</h1></body>\n</html>\n'
    return HTTPException(response=Response(html.format(title), status, mimetype='text/html'))


def arguments():
    """Return the query's parameters; of a repeated one the last value counts."""
    return {name: values[-1] for name, values in request.args.lists()}


def fields(largest=LARGEST_BODY):
    """Return the fields of the request's body, JSON object or form, as a dictionary.

    Args:
        largest (int): bytes of a body of JSON that are not refused yet.
    """
    if request.mimetype in ('application/x-www-form-urlencoded', 'multipart/form-data'):
        values = {name: values[-1] for name, values in request.form.lists()}
        check_values(values)
        return values
    if request.content_length and request.content_length > largest:
        raise html_refusal(400, 'Bad Request (400)')
    data = request.get_data()
    if not data.strip():
        return {}
    if request.mimetype != 'application/json':
        raise Refusal(415, 'Unsupported media type "{}" in request.'.format(request.mimetype))
    values = parse_json(data)
    if not isinstance(values, dict):
        raise Refusal(400, {'non_field_errors': [
            'Invalid data. Expected a dictionary, but got {}.'.format(type(values).__name__)]})
    return values


def parse_json(data):
    """Return the value of a JSON text, or refuse the request."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, 'JSON parse error - {}'.format(error)) from None
    check_values(value)
    return value


def check_values(value):
    """Refuse a value that holds a text or a number which no column of a database takes."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if '\0' in item:
                raise Refusal(400, 'Null characters are not allowed.')
            try:
                item.encode('utf-8')
            except UnicodeEncodeError:
                raise Refusal(400, 'Surrogate characters are not allowed.') from None
        elif isinstance(item, float) and not math.isfinite(item):
            raise Refusal(400, 'Out of range float values are not JSON compliant.')
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def text(values, name, default=None):
    """Return a field that has to be a text with something in it."""
    value = values.get(name, default)
    if value is None:
        raise invalid(name, 'This field is required.')
    if not isinstance(value, str):
        raise invalid(name, 'Not a valid string.')
    if not value.strip():
        raise invalid(name, 'This field may not be blank.')
    return value


def window(values, page_size=PAGE_SIZE):
    """Return limit and offset as the service understands them: what makes no sense counts as not given."""
    return _positive(values.get('limit'), 1, page_size), _positive(values.get('offset'), 0, 0)


def page(count, fetch):
    """Answer one page of a list.

    Args:
        count (int): how long the list is.
        fetch (callable): called with limit and offset, returns the page's members.
    """
    limit, offset = window(arguments())
    return jsonify(count=count, next=next_link(count, limit, offset), previous=_previous_link(limit, offset),
                   results=fetch(limit, offset))


def next_link(count, limit, offset, sent=()):
    """Return the URL of the next page, with the request's parameters and those sent in its body, or None."""
    if offset + limit >= count:
        return None
    return _with_parameters(dict(sent, limit=limit, offset=offset + limit))


def link(path):
    """Return an absolute URL of the API; it holds no query, for clients append `?token=TOKEN` to it."""
    return request.host_url.rstrip('/') + API + urllib.parse.quote(path)


def links(path, names):
    """Return links below a path.

    Args:
        path (str): below the API's base.
        names (dict or sequence): the links' names, with their paths where these are not the names themselves.
    """
    return {name: link('{}/{}'.format(path, names[name] if isinstance(names, dict) else name)) for name in names}


def rows_page(table, state, **where):
    """Answer one page of rows of the store; `search` of the request is a part of their names."""
    store, search = g.cloud.store, arguments().get('search', '')
    return page(store.count(table, search, **where), lambda limit, offset: [
        state(row) for row in store.select(table, limit, offset, search, **where)])


def attachment(path, filename):
    """Answer with a file that has a name; clients look for quotes around it."""
    plain = _NOT_IN_QUOTES.sub('_', filename.encode('ascii', 'replace').decode())
    extended = '' if plain == filename else "; filename*=UTF-8''" + urllib.parse.quote(filename, safe='')
    answer = send_file(path, as_attachment=True, download_name=plain, conditional=True)
    answer.headers['Content-Disposition'] = 'attachment; filename="{}"{}'.format(plain, extended)
    return answer


def anonymous(view):
    """Mark a view that needs no token."""
    view.anonymous = True
    return view


def for_every_token(view):
    """Mark a view that takes the token of a project too, although it is not below one."""
    view.for_every_token = True
    return view


def needs(level):
    """Mark a view with the token level that it needs, where the method does not tell."""
    def mark(view):
        view.level = level
        return view
    return mark


def _no_constant(name):
    raise ValueError('{} is not JSON'.format(name))


def _positive(value, smallest, default):
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return min(number, LARGEST) if number >= smallest else default


def _previous_link(limit, offset):
    if offset <= 0:
        return None
    if offset <= limit:
        return _with_parameters({'limit': limit})
    return _with_parameters({'limit': limit, 'offset': offset - limit})


def _with_parameters(changes):
    parameters = request.args.to_dict(flat=False)
    parameters.pop('offset', None)
    parameters.update({name: [value] for name, value in changes.items()})
    return request.base_url + '?' + urllib.parse.urlencode(sorted(parameters.items()), doseq=True)
