"""The SQL endpoint of a project: GET reads, POST reads and writes."""
from flask import Blueprint, g, jsonify, request

from ..sql.types import SQLError
from .access import require
from .answers import Refusal, arguments, fields, invalid, needs, next_link, text, window

blueprint = Blueprint('queries', __name__)
#: Rows of a page where the request does not say.
_PAGE_SIZE = 100


@blueprint.route('/sql', methods=['GET', 'POST'])
@needs('READ')
def query():
    sent = fields() if request.method == 'POST' else {}
    values = dict(arguments(), **sent)
    statement = text(values, 'query')
    try:
        writes = request.method == 'POST' and g.cloud.databases.run(g.project['id'], 'writes', statement)
        if writes:
            require('CREATE' if set(writes) == {'Insert'} else 'EDIT')
            answer = g.cloud.databases.run(g.project['id'], 'write', statement)
            g.cloud.changed(g.project['id'], g.user, answer.get('new_state'))
            return jsonify(dict(answer, total_rows=answer['count']))
        limit, offset = window(values, _PAGE_SIZE)
        answer = g.cloud.databases.run(g.project['id'], 'read', statement, limit, offset, *_state_asked_for(values))
    except SQLError as error:
        raise Refusal(400, {'query': statement, 'error': str(error)}) from error
    count = answer['count']
    return jsonify(query=statement, count=count, limit=limit, offset=offset, columns=answer['columns'],
                   data=answer['data'], next=next_link(count, limit, offset, sent), total_rows=count)


def _state_asked_for(values):
    """Return a dataset's id and which state of it is to be read, or nothing for the newest of all."""
    if not values.get('state'):
        return ()
    try:
        dataset = g.cloud.store.find('datasets', id=int(values['dataset_id']), project_id=g.project['id'])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise invalid('dataset_id', 'A state needs the id of its dataset.') from None
    if dataset is None:
        raise invalid('dataset_id', 'The project has no such dataset.')
    return dataset['id'], text(values, 'state')
