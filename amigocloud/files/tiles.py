"""The tiles of a dataset: their URL, which contains the token, and a layer of folium."""
from __future__ import absolute_import

import six
from six.moves.urllib.parse import quote

from .. import checks
from ..exceptions import AmigoCloudValueError, shown
from ..extras import need
from ..http import urls
from ..tokens import strike_out, with_token

#: The formats of tiles: pictures, and UTFGrids.
FORMATS = ('png', 'json')


class TileURL(six.text_type):
    """The URL of tiles with its token, which the repr leaves out: notebooks show and store it."""

    def format(self, *args, **kwargs):
        """Return the URL of one tile; its repr leaves out the token, too."""
        return TileURL(six.text_type(self).format(*args, **kwargs))

    def __repr__(self):
        return repr(strike_out(six.text_type(self)))


def tile_url(dataset, format):
    """Return the URL of a dataset's tiles; see ``Dataset.tile_url``."""
    if format not in FORMATS:
        raise AmigoCloudValueError(u"format must be 'png' or 'json', not {}.".format(shown(format)))
    return _url(dataset, dataset.client.get(dataset.url), format)


def tile_layer(dataset):
    """Return a layer of folium with a dataset's tiles; see ``Dataset.tile_layer``."""
    need('maps', 'folium')
    # Import folium here, because tile_url works without it.
    from xml.sax.saxutils import escape

    import folium
    description = dataset.client.get(dataset.url)
    name = checks.member(description, 'name', six.string_types, dataset.url)
    # Leaflet shows the name as HTML.
    return folium.TileLayer(_url(dataset, description, 'png'), attr='AmigoCloud', overlay=True,
                            name=escape(name))


def _url(dataset, description, format):
    link = checks.member(description, 'tiles', six.string_types, dataset.url)
    client = dataset.client
    url = with_token(urls.normalize(client.build_url(link)), client._token,
                     urls.normalize(client.api_url))
    # Add the placeholders last, because braces in a URL are percent-encoded.
    url = urls.add_segment(url, '{z}/{x}/{y}.' + format)
    version = description.get('cache_busting')
    if version not in (None, ''):
        version = quote(six.text_type(version).encode('utf-8'), safe='')
        url += ('&c=' if '?' in url else '?c=') + version
    return TileURL(url)
