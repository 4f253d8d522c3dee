"""Read and write KML by the standard library, because the wheels of GDAL read it in different ways."""

from xml.etree import ElementTree

import shapely

_NAMESPACE = 'http://www.opengis.net/kml/2.2'
#: The columns that KML has elements of its own for; all others are ExtendedData.
_OWN_COLUMNS = ('name', 'description')


def read_kml(file):
    """Read the placemarks of a KML file.

    Args:
        file (binary file): the document.

    Returns:
        list of tuple: for each placemark a dict of its texts (`name`, `description` and its data), and its shapely
        geometry or None.

    Raises:
        ValueError: it is not KML.
    """
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    if _tag(root) != 'kml':
        raise ValueError('it has no element <kml>')
    return [_placemark(element) for element in root.iter() if _tag(element) == 'Placemark']


def _tag(element):
    return element.tag.rpartition('}')[2]


def _text(element):
    return (element.text or '').strip() or None


def _inside(element, tag):
    return [child for child in element.iter() if _tag(child) == tag]


def _placemark(element):
    texts = {_tag(child): _text(child) for child in element if _tag(child) in _OWN_COLUMNS}
    for data in _inside(element, 'Data'):
        texts[data.get('name', '')] = next(map(_text, _inside(data, 'value')), None)
    for data in _inside(element, 'SimpleData'):
        texts[data.get('name', '')] = _text(data)
    shapes = [shape for shape in map(_geometry, element) if shape is not None]
    return texts, shapes[0] if shapes else None


def _geometry(element):
    tag = _tag(element)
    if tag == 'Point':
        return shapely.Point(_coordinates(element)[0])
    if tag == 'LineString':
        return shapely.LineString(_coordinates(element))
    if tag == 'LinearRing':
        return shapely.LinearRing(_coordinates(element))
    if tag == 'Polygon':
        outer, inner = [[_coordinates(boundary) for boundary in _inside(element, side + 'BoundaryIs')]
                        for side in ('outer', 'inner')]
        if not outer:
            raise ValueError('a polygon has no outer boundary')
        return shapely.Polygon(outer[0], inner)
    if tag == 'MultiGeometry':
        parts = [part for part in map(_geometry, element) if part is not None]
        kinds = {part.geom_type for part in parts}
        makers = {'Point': shapely.MultiPoint, 'LineString': shapely.MultiLineString, 'Polygon': shapely.MultiPolygon}
        return makers.get(''.join(kinds), shapely.GeometryCollection)(parts)    # of two kinds, the key is none of them
    return None


def _coordinates(element):
    texts = [child.text or '' for child in _inside(element, 'coordinates')]
    points = [[float(number) for number in point.split(',')] for point in ' '.join(texts).split()]
    if not points:
        raise ValueError('a geometry has no coordinates')
    return points


def write_kml(rows, path):
    """Write placemarks into a KML file.

    Args:
        rows (iterable of tuple): for each a dict of texts and a shapely geometry or None, as `read_kml` gives them.
        path (str): the file to write.
    """
    root = ElementTree.Element('kml', xmlns=_NAMESPACE)
    document = ElementTree.SubElement(root, 'Document')
    for texts, geometry in rows:
        placemark = ElementTree.SubElement(document, 'Placemark')
        present = {name: text for name, text in texts.items() if text is not None}
        for name in _OWN_COLUMNS:
            if name in present:
                ElementTree.SubElement(placemark, name).text = present.pop(name)
        if present:
            extended = ElementTree.SubElement(placemark, 'ExtendedData')
            for name, text in present.items():
                data = ElementTree.SubElement(extended, 'Data', name=name)
                ElementTree.SubElement(data, 'value').text = text
        if geometry is not None and not geometry.is_empty:
            _write_geometry(placemark, geometry)
    ElementTree.ElementTree(root).write(path, encoding='utf-8', xml_declaration=True)


def _write_geometry(parent, geometry):
    if hasattr(geometry, 'geoms'):
        multiple = ElementTree.SubElement(parent, 'MultiGeometry')
        for part in geometry.geoms:
            _write_geometry(multiple, part)
        return
    element = ElementTree.SubElement(parent, geometry.geom_type)
    if geometry.geom_type == 'Polygon':
        for side, rings in (('outer', [geometry.exterior]), ('inner', geometry.interiors)):
            for ring in rings:
                _write_geometry(ElementTree.SubElement(element, side + 'BoundaryIs'), ring)
        return
    ElementTree.SubElement(element, 'coordinates').text = ' '.join(
        ','.join(repr(number) for number in point) for point in geometry.coords)
