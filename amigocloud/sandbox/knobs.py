"""What a test may see and turn, under /sandbox; the service has nothing of this, and only this machine is served.

    GET  /sandbox/tokens                     every token: token, level, user_id, project_id
    POST /sandbox/tokens/revoke              {"token": T}: T is unknown from now on, and who listens by it is dropped
    POST /sandbox/websockets/drop            closes every Socket.IO connection; answers their number
    GET  /sandbox/listeners?at_least=N       waits, 10 s at most, until N connections listen; answers their number
    POST /sandbox/uploads/expire             every chunked upload that is not complete has expired
    GET  /sandbox/received/JOB               the bytes of the file that an import's job was started with
"""
import ipaddress

from flask import Blueprint, g, jsonify, request, send_file

from .answers import Refusal, fields, text

blueprint = Blueprint('knobs', __name__)
_LONGEST_WAIT = 10


def admit():
    """Refuse whoever does not ask from this machine."""
    if not ipaddress.ip_address(request.remote_addr).is_loopback:
        raise Refusal(403, 'Only from this machine.')


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
