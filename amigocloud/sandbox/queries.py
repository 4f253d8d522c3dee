"""The SQL endpoint of a project: GET reads, POST writes. Without a limit every row is answered."""
from flask import Blueprint, g, jsonify, request

from . import sql, states
from .access import require
from .answers import LARGEST, arguments, fields, invalid, needs, next_link, text, window

blueprint = Blueprint('queries', __name__)


@blueprint.route('/sql', methods=['GET', 'POST'])
@needs('READ')
def query():
    sent = fields() if request.method == 'POST' else {}
    values = dict(arguments(), **sent)
    statement = text(values, 'query')
    if request.method == 'POST' and sql.is_write(statement):
        require('CREATE' if statement.split(None, 1)[0].upper() == 'INSERT' else 'EDIT')
        return jsonify(dict(g.cloud.databases.run(g.project['id'], states.write, statement), next=None))
    limit, offset = window(values, LARGEST)
    answer = g.cloud.databases.run(g.project['id'], states.read, statement, limit, offset, *_state_asked_for(values))
    return jsonify(dict(answer, next=next_link(answer['count'], limit, offset, sent)))


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
