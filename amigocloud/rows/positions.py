"""Positions of moving objects, in the XML that trackers send."""
from __future__ import absolute_import

import datetime
import numbers
import re
import sys

import six

from .. import checks
from ..exceptions import AmigoCloudValueError, shown

# The required members, and their largest number.
_REQUIRED = {'latitude': 90, 'longitude': 180}

_XML = u'<gps id="{}"><coordinates><coordinate>{}</coordinate></coordinates></gps>'


def report(dataset, object_id, values):
    """Report a position; see ``Dataset.report_position``.

    Args:
        values (list of tuple): the names and values of the members of a coordinate.
    """
    # The import takes some milliseconds, and few programs report positions.
    from xml.sax.saxutils import escape
    # Trackers often have a number, also one of numpy.
    is_integer = isinstance(object_id, numbers.Integral) and not isinstance(object_id, bool)
    object_id = checks.sendable_text(
        'object_id', u'{}'.format(object_id) if is_integer else object_id)
    if re.search(u'[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]', object_id):
        raise AmigoCloudValueError(
            u'object_id has control characters, which XML cannot hold; remove them: {}.'.format(
                shown(object_id)))
    members = u''.join(u'<{0}>{1}</{0}>'.format(name, escape(_text(name, value)))
                       for name, value in values if value is not None or name in _REQUIRED)
    body = _XML.format(escape(object_id, {u'"': u'&quot;'}), members)
    dataset.client.post(dataset.url + '/realtime', body.encode('utf-8'), send_as_json=False,
                        content_type='application/xml')


def _text(name, value):
    if name == 'time':
        # NaT of pandas is a datetime, and does not equal itself.
        if not isinstance(value, datetime.datetime) or value != value:
            raise AmigoCloudValueError(u'time must be a datetime, not {}.'.format(shown(value)))
        return six.text_type(value.isoformat())
    limit = _REQUIRED.get(name)
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    # NaN is not at most the largest number.
    if not is_number or not abs(value) <= (limit or sys.float_info.max):
        raise AmigoCloudValueError(u'{} must be a number{}, not {}.'.format(
            name, u' from -{0} to {0}'.format(limit) if limit else u'', shown(value)))
    return six.text_type(repr(float(value)))
