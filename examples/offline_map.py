"""Maps of folium that work without internet: Leaflet comes from the folder beside this file."""
import pathlib

import branca

LEAFLET = pathlib.Path(__file__).parent / 'leaflet'


def offline(fmap):
    """Put Leaflet into the page of a map, which loads it from the web otherwise.

    Args:
        fmap (folium.Map): the map, such as ``GeoDataFrame.explore(tiles=None)`` returns it.

    Returns:
        folium.Map: the same map.
    """
    fmap.default_js = []
    fmap.default_css = []
    page = '<style>{}</style>\n<script>{}</script>'.format(
        (LEAFLET / 'leaflet.css').read_text(), (LEAFLET / 'leaflet.js').read_text())
    fmap.get_root().header.add_child(branca.element.Element(page), index=0)
    return fmap
