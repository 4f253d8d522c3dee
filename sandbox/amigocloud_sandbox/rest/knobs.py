"""Settings and facts for tests, under /sandbox. The service has none of them, and only this machine is served.

    GET  /sandbox                            which database answers SQL
    GET  /sandbox/tokens                     every token: token, level, user_id, project_id
    POST /sandbox/tokens/revoke              {"token": T}: T is unknown from now on, and who listens by it is dropped
    POST /sandbox/websockets/drop            closes every Socket.IO connection; answers their number
    GET  /sandbox/listeners?at_least=N       waits, 10 s at most, until N connections listen; answers their number
    POST /sandbox/uploads/expire             every chunked upload that is not complete has expired
    GET  /sandbox/received/JOB               the bytes of the file that an import's job was started with
    POST /sandbox/failures                   {"path": P, "times": N, "status": S, "retry_after": T, "larger_than": B}:
                                             the next N requests (one, if it is not said) whose path holds P, and whose
                                             body has more than B bytes, are refused with S; without a status they are
                                             carried out, and the answer is lost
    POST /sandbox/queries                    {"project_id": N, "name": T, "query": SQL}: saves a query; answers its id
    POST /sandbox/relationships              {"dataset_id": N, "primary_dataset_name": T, "foreign_dataset_name": T,
                                             "primary_key": T, "foreign_key": T}: relates two datasets

The last two are done in the web pages of the service.
"""
import http
import ipaddress
import re
import socket

from flask import Blueprint, abort, g, jsonify, request, send_file

from .answers import Refusal, fields, invalid, text

blueprint = Blueprint('knobs', __name__)
_LONGEST_WAIT = 10
#: Hosts of URLs that no name server can lead elsewhere.
_NOT_RENAMED = re.compile(r'(localhost|[\d.]+|\[[\da-f:.]+\])(:\d+)?', re.IGNORECASE)


def admit():
    """Refuse whoever does not ask from this machine, and the pages in its browsers."""
    if not ipaddress.ip_address(request.remote_addr).is_loopback:
        raise Refusal(403, 'Only from this machine.')
    # A page's own name may be made to lead here, which makes its requests those of one origin.
    if 'Origin' in request.headers or not _NOT_RENAMED.fullmatch(request.host):
        raise Refusal(403, 'Not for the pages in a browser.')


def fail():
    """Refuse the request, or mark its answer as lost, if a test has said so."""
    for failure in g.cloud.failures:
        if failure['path'] in request.path and (request.content_length or 0) > failure['larger_than']:
            failure['times'] -= 1
            if not failure['times']:
                g.cloud.failures.remove(failure)
            g.is_lost = failure['status'] is None
            if not g.is_lost:
                answer = jsonify(detail=http.HTTPStatus(failure['status']).phrase.upper())
                answer.status_code = failure['status']
                if failure['retry_after'] is not None:
                    answer.headers['Retry-After'] = str(failure['retry_after'])
                abort(answer)
            return


def lose():
    """Close the connection of a request whose answer is lost."""
    if g.get('is_lost'):
        request.environ['sandbox.connection'].shutdown(socket.SHUT_RDWR)


@blueprint.route('/failures', methods=['POST'])
def failures():
    values = fields()
    failure = {'path': text(values, 'path', '/'), 'times': values.get('times', 1), 'status': values.get('status'),
               'retry_after': values.get('retry_after'), 'larger_than': values.get('larger_than', -1)}
    if not isinstance(failure['times'], int) or failure['times'] < 1:
        raise invalid('times', 'A number from 1 is required.')
    if not isinstance(failure['larger_than'], int):
        raise invalid('larger_than', 'A number of bytes is required.')
    if failure['status'] not in [None] + [status.value for status in http.HTTPStatus if status >= 400]:
        raise invalid('status', 'The status of an error is required.')
    g.cloud.failures.append(failure)
    return jsonify(failure)


@blueprint.route('/queries', methods=['POST'])
def save_query():
    values = fields()
    return jsonify(id=g.cloud.store.insert('queries', project_id=values.get('project_id'), name=text(values, 'name'),
                                           query=text(values, 'query')))


@blueprint.route('/relationships', methods=['POST'])
def relate():
    values = fields()
    names = ('primary_dataset_name', 'foreign_dataset_name', 'primary_key', 'foreign_key')
    return jsonify(id=g.cloud.store.insert('relationships', dataset_id=values.get('dataset_id'),
                                           **{name: text(values, name) for name in names}))


@blueprint.route('')
def described():
    return jsonify(engine=g.cloud.databases.engine)


@blueprint.route('/tokens')
def tokens():
    return jsonify(g.cloud.store.select('tokens'))


@blueprint.route('/tokens/revoke', methods=['POST'])
def revoke():
    token = text(fields(), 'token')
    g.cloud.store.delete('tokens', token=token)
    g.cloud.events.revoke(token)
    return jsonify(token=token)


@blueprint.route('/websockets/drop', methods=['POST'])
def drop():
    return jsonify(dropped=g.cloud.events.drop())


@blueprint.route('/listeners')
def listeners():
    number = request.args.get('at_least', 0, type=int)
    return jsonify(listeners=g.cloud.events.wait_for_listeners(number, _LONGEST_WAIT))


@blueprint.route('/uploads/expire', methods=['POST'])
def expire():
    for upload in g.cloud.store.select('uploads', complete=0):
        g.cloud.store.update('uploads', upload['id'], expires='')
    return jsonify({})


@blueprint.route('/received/<job_id>')
def received(job_id):
    job = g.cloud.store.find('jobs', id=job_id)
    if job is None or job['file'] is None:
        raise Refusal(404, 'Not found.')
    return send_file(g.cloud.path_of(job['file']), mimetype='application/octet-stream')
