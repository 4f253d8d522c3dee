"""The geocoder: some real addresses, and a place for every other text that is always the same one."""
import hashlib

from flask import Blueprint, jsonify

from .answers import Refusal, arguments, text

blueprint = Blueprint('geocoder', __name__)
#: Longitude and latitude.
_KNOWN = {
    '600 montgomery st, san francisco': (-122.4029, 37.7952),
    '1600 pennsylvania ave nw, washington': (-77.0365, 38.8977),
    '350 5th ave, new york': (-73.9857, 40.7484),
    '221b baker street, london': (-0.1586, 51.5238),
    '5 avenue anatole france, paris': (2.2945, 48.8584),
    'plaza murillo, la paz': (-68.1336, -16.4957),
}


@blueprint.route('/me/geocoder/search')
@blueprint.route('/me/geocoder/autocomplete')
def search():
    values = arguments()
    address = text(values, 'text')
    for name in ('focus.point.lat', 'focus.point.lon'):
        try:
            float(values.get(name, 0))
        except ValueError:
            raise Refusal(400, {name: ['A valid number is required.']}) from None
    components = values.get('components', '')
    if any(':' not in part for part in components.split('|') if part):
        raise Refusal(400, {'components': ['Expected key:value|key:value.']})
    features = [] if 'nowhere' in address.lower() else [_feature(address)]
    return jsonify(type='FeatureCollection', features=features)


def _feature(address):
    name = ' '.join(address.lower().split())
    place_id = hashlib.sha256(name.encode('utf-8')).hexdigest()[:12]
    return {'type': 'Feature', 'geometry': {'type': 'Point', 'coordinates': _KNOWN.get(name) or _place(name)},
            'properties': {'id': place_id, 'gid': 'sandbox:address:' + place_id, 'layer': 'address',
                           'source': 'sandbox', 'name': address, 'country': None, 'region': None,
                           'locality': address.rpartition(',')[2].strip() if name in _KNOWN else None}}


def _place(name):
    """Return a place within California, drawn from the text."""
    digest = hashlib.sha256(name.encode('utf-8')).digest()
    across, up = (int.from_bytes(digest[start:start + 4], 'big') / 2 ** 32 for start in (0, 4))
    return (round(-122 + 4 * across, 6), round(34 + 4 * up, 6))
