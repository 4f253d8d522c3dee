"""The columns of a dataset: read, added, altered and dropped by ``submit_change``."""
from __future__ import absolute_import

import collections

import six
from requests.compat import Mapping

from .. import checks
from ..encoding import encode
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown
from ..jobs import run_job
from .columns import json_value

#: The types of columns that the service has.
TYPES = ('integer', 'bigint', 'float', 'string', 'date', 'time', 'datetime', 'geometry', 'boolean',
         'real')


def read(dataset):
    """Return the columns of a dataset; see ``Dataset.schema``."""
    url = dataset.url + '/schema'
    columns = checks.member(dataset.client.get(url), 'schema', list, url)
    for column in columns:
        checks.member(column, 'name', six.string_types, url)
    return columns


def add_column(dataset, name, type, default, nullable, choices):
    """Add a column; see ``Dataset.add_column``."""
    name = checks.sendable_text('name', name)
    if not isinstance(type, six.string_types) or type not in TYPES:
        raise AmigoCloudValueError(
            u'type must be one of {}, not {}.'.format(', '.join(TYPES), shown(type)))
    choices = None if choices is None else _choices(choices)
    column = {'name': name, 'type': type, 'nullable': bool(nullable), 'default': default}
    # The choices are sent after the column.
    encode(column, allow_nan=False)
    _change(dataset, 'ADD COLUMN', {'new': column})
    if choices is None:
        return
    try:
        _change(dataset, 'ALTER COLUMN', {'new': dict(column, choices=choices)})
    except AmigoCloudError as error:
        error.message = u'The column {} was added, but not its choices: {}'.format(
            shown(name), error.message)
        raise


def alter_column(dataset, name, members):
    """Alter a column; see ``Dataset.alter_column``."""
    name = checks.sendable_text('name', name)
    if not members:
        raise AmigoCloudValueError(
            'alter_column needs a member to change, such as alias="Height in m".')
    if 'choices' in members:
        members = dict(members, choices=_choices(members['choices']))
    # The column is read before the change is sent.
    encode(members, allow_nan=False)
    _change(dataset, 'ALTER COLUMN', {'new': dict(_column(dataset, name), **members)})


def drop_column(dataset, name):
    """Drop a column; see ``Dataset.drop_column``."""
    name = checks.sendable_text('name', name)
    _change(dataset, 'DROP COLUMN', {'old': {'name': _column(dataset, name)['name']}})


class LabelledPages(object):
    """Fetch the pages of a dataset with the labels of picklists in the place of their codes.

    Args:
        fetch (callable): ``fetch(url, params)`` returns a page; see ``Cursor``.
        dataset (Dataset): the dataset, whose schema is read with the first page.
        has_categories (bool): add to each column of labels, as its member ``categories``, all
            labels of its picklist.
    """

    def __init__(self, fetch, dataset, has_categories):
        self._fetch = fetch
        self._dataset = dataset
        self._has_categories = has_categories
        self._labels = None

    def __call__(self, url, params):
        page = self._fetch(url, params)
        if self._labels is None:
            self._labels = {column['name']: _labels_of(column, self._dataset.url + '/schema')
                            for column in read(self._dataset) if column.get('choices')}
        try:
            for column in page.get('columns') or []:
                name = column['name']
                labels = self._labels.get(name)
                if labels:
                    column['type'] = 'string'
                    if self._has_categories:
                        # Two codes may have the same label.
                        column['categories'] = list(collections.OrderedDict.fromkeys(
                            labels.values()))
                    for row in page['data']:
                        row[name] = _label(labels, row[name])
        except (AttributeError, LookupError, TypeError) as error:
            six.raise_from(AmigoCloudError(
                u'The response of {} is not a page with columns and rows: {}'.format(
                    shortened(url), shown(page))), error)
        return page


def _labels_of(column, url):
    """Return the labels of a column by the text of their code, since a service may send texts."""
    try:
        return collections.OrderedDict(
            (_code_text(choice['code']), u'{}'.format(choice['value']))
            for choice in column['choices'] if choice.get('value') is not None)
    except (AttributeError, LookupError, TypeError) as error:
        six.raise_from(AmigoCloudError(
            u'The choices of column {} in the response of {} must be a list of objects with a '
            u'code, not {}.'.format(shown(column['name']), url, shown(column['choices']))),
            error)


def _label(labels, code):
    if code is None:
        return None
    text = _code_text(code)
    return labels.get(text, text)


def _code_text(code):
    # A column of floats has 1.0 for the code 1.
    is_whole = isinstance(code, float) and code.is_integer()
    return u'{}'.format(int(code) if is_whole else code)


def _column(dataset, name):
    columns = read(dataset)
    for column in columns:
        if column['name'] == name:
            return column
    raise AmigoCloudValueError(u'{} has no column {}. Its columns are {}.'.format(
        dataset.url, shown(name), shortened(u', '.join(column['name'] for column in columns))))


def _choices(choices):
    """Return choices as the service has them, from a dict of labels by code."""
    if not isinstance(choices, Mapping):
        raise AmigoCloudValueError(
            u'choices must be a dict of labels by code, not {}.'.format(shown(choices)))
    plain = []
    for code, label in choices.items():
        try:
            code = json_value(code)
        except AmigoCloudValueError as error:
            six.raise_from(
                AmigoCloudValueError(u'A code in choices: {}'.format(error.message)), error)
        is_code = isinstance(
            code, six.string_types + six.integer_types + (float,)) and not isinstance(code, bool)
        if not is_code or not isinstance(label, six.string_types):
            raise AmigoCloudValueError(u'A code must be a text or a number and its label a text, '
                                       u'not {}: {}.'.format(shown(code), shown(label)))
        plain.append({'code': code, 'value': label})
    return plain


def _change(dataset, action, entry):
    change = {'type': 'DDL', 'entity': dataset.table_name, 'parent': None, 'action': action,
              'data': [entry]}
    run_job(dataset.client, dataset.url + '/submit_change',
            {'change': encode(change, allow_nan=False)})
