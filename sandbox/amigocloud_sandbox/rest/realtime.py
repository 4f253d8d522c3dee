"""Positions in real time: sent in Moovbox XML, told to those who listen to the dataset."""
import sys
import xml.etree.ElementTree

from flask import Blueprint, g, jsonify, request

from .answers import Refusal

blueprint = Blueprint('realtime', __name__)
#: What a point of Moovbox XML may tell, apart from where it is.
_TELEMETRY = ('altitude', 'climb', 'speed', 'separation', 'track', 'satellites')


@blueprint.route('/realtime', methods=['POST'])
def move():
    if request.mimetype not in ('', 'application/xml', 'text/xml'):
        raise Refusal(415, 'Unsupported media type "{}" in request.'.format(request.mimetype))
    try:
        gps = xml.etree.ElementTree.fromstring(request.get_data())  # noqa: S314 - only this machine sends it
        positions = [_position(gps, coordinate) for coordinate in gps.iter('coordinate')]
    except (xml.etree.ElementTree.ParseError, TypeError, ValueError) as error:
        raise Refusal(400, 'XML parse error - {}'.format(error)) from None
    if not positions:
        raise Refusal(400, 'A coordinate is required.')
    g.cloud.events.tell_dataset(g.dataset['id'], 'realtime', {'dataset_id': g.dataset['id'], 'data': positions})
    return jsonify({})


@blueprint.route('/start_websocket_session')
def start_websocket_session():
    return jsonify(websocket_session=g.cloud.events.open_session(g.token, g.dataset['id']))


def _position(gps, coordinate):
    position = {'object_id': gps.attrib['id'] if 'id' in gps.attrib else None, 'time': coordinate.findtext('time')}
    for name, limit in (('latitude', 90), ('longitude', 180)):
        position[name] = _number(coordinate.findtext(name), limit)
    told = {name: coordinate.findtext(name, '').strip() for name in _TELEMETRY}
    return dict(position, **{name: _number(value, sys.float_info.max) for name, value in told.items() if value})


def _number(text, limit):
    number = float(text)
    if not -limit <= number <= limit:
        raise ValueError('{} is not from -{} to {}'.format(text, limit, limit))
    return number
