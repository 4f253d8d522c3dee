"""Columns of a dataset: what is sent, and what a sandbox makes of it."""
import datetime
import decimal
import json
import pickle

import pytest
from conftest import Answer

from amigocloud import AmigoCloud, AmigoCloudError, AmigoCloudJobError
from amigocloud.exceptions import AmigoCloudValueError

DATASET = '/api/v1/projects/1/datasets/2'
CHANGE = DATASET + '/submit_change'
JOB = '/api/v1/me/jobs/j'
COLUMNS = [{'name': 'height', 'type': 'integer', 'nullable': True, 'alias': None},
           {'name': 'amigo_id', 'type': 'string', 'nullable': False}]


@pytest.fixture
def dataset(wire, client):
    wire.answers.update({DATASET + '/schema': {'schema': COLUMNS}, CHANGE: {'job': 'j'}, JOB: {'status': 'SUCCESS'}})
    return client.project(1).dataset(2)


def changes(wire):
    return [json.loads(request.json['change']) for request in wire.requests if request.path == CHANGE]


def test_schema(wire, dataset):
    assert dataset.schema() == COLUMNS
    wire.answers[DATASET + '/schema'] = {'schema': [{'type': 'x'}]}
    with pytest.raises(AmigoCloudError, match="no 'name'"):
        dataset.schema()


def test_add_column(wire, dataset):
    dataset.add_column('species', 'string', default='o', nullable=False, choices={'o': 'Oak'})
    column = {'name': 'species', 'type': 'string', 'nullable': False, 'default': 'o'}
    assert changes(wire) == [
        {'type': 'DDL', 'entity': 'dataset_2', 'parent': None, 'action': 'ADD COLUMN', 'data': [{'new': column}]},
        {'type': 'DDL', 'entity': 'dataset_2', 'parent': None, 'action': 'ALTER COLUMN', 'data': [
            {'new': dict(column, choices=[{'code': 'o', 'value': 'Oak'}])}]}]
    assert [request.path for request in wire.requests] == [CHANGE, JOB] * 2


def test_alter_and_drop_column(wire, dataset):
    dataset.alter_column('height', alias='Height')
    dataset.set_choices('height', {1: 'small'})
    dataset.drop_column('height')
    assert [(change['action'], change['data']) for change in changes(wire)] == [
        ('ALTER COLUMN', [{'new': dict(COLUMNS[0], alias='Height')}]),
        ('ALTER COLUMN', [{'new': dict(COLUMNS[0], choices=[{'code': 1, 'value': 'small'}])}]),
        ('DROP COLUMN', [{'old': {'name': 'height'}}])]


@pytest.mark.parametrize('call, message', [
    (lambda dataset: dataset.add_column('', 'string'), 'name must be a str'),
    (lambda dataset: dataset.add_column('a', 'text'), "type must be one of integer, .*, not 'text'"),
    (lambda dataset: dataset.add_column('a', 'string', choices=['o']), 'choices must be a dict'),
    (lambda dataset: dataset.set_choices('height', {None: 'x'}), 'A code must be a text or a number'),
    (lambda dataset: dataset.set_choices('height', {'o': 1}), 'its label a text'),
    (lambda dataset: dataset.alter_column('height'), 'needs a member to change'),
    (lambda dataset: dataset.alter_column('wheels', alias='x'),
     "has no column u?'wheels'. Its columns are height, amigo_id"),
    (lambda dataset: dataset.add_column('a', ['string']), 'type must be one of'),
    (lambda dataset: dataset.add_column('a\0', 'string'), 'name has null characters'),
    (lambda dataset: dataset.add_column('a', 'string', default={1}),
     r"'default'\] cannot be sent as JSON: .* of type set"),
    (lambda dataset: dataset.add_column('a', 'float', default=float('nan')),
     r"'default'\] cannot be sent as JSON: nan"),
    (lambda dataset: dataset.alter_column('height', alias={1}), r"'alias'\] cannot be sent as JSON"),
    (lambda dataset: dataset.set_choices('height', {float('nan'): 'x'}), 'A code in choices: nan'),
    (lambda dataset: dataset.add_column('a', 'float', choices={True: 'x'}), 'A code must be a text or a number'),
    (lambda dataset: dataset.drop_column('wheels'), "has no column u?'wheels'"),
    (lambda dataset: dataset.drop_column(None), 'name must be a str')])
def test_bad_arguments(wire, dataset, call, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        call(dataset)
    assert not changes(wire)


def test_add_column__values_that_are_not_json(wire, dataset):
    dataset.add_column('day', 'date', default=datetime.date(2024, 2, 29))
    dataset.add_column('width', 'float', default=decimal.Decimal('1.5'), choices={decimal.Decimal('2'): 'two'})
    sent = [change['data'][0]['new'] for change in changes(wire)]
    assert [column['default'] for column in sent] == ['2024-02-29', 1.5, 1.5]
    assert sent[2]['choices'] == [{'code': 2, 'value': 'two'}]


def test_add_column__without_its_choices(wire, dataset):
    wire.answers[JOB] = [{'status': 'SUCCESS'}, {'status': 'FAILURE', 'extra': {'error': ['no']}}]
    with pytest.raises(AmigoCloudJobError, match="The column u?'species' was added, but not its choices: .*no"):
        dataset.add_column(str('species'), 'string', choices={'o': 'Oak'})


@pytest.mark.parametrize('choices, message', [
    ({'o': 'Oak'}, 'choices of column .*kind'), ([1], 'choices of column .*kind'),
    ([{'value': 'x'}], 'choices of column')])
def test_labels__choices_of_another_shape(wire, dataset, choices, message):
    wire.answers.update({DATASET + '/schema': {'schema': [{'name': 'kind', 'type': 'string', 'choices': choices}]},
                         '/api/v1/projects/1/sql': {'columns': [], 'data': [], 'count': 0, 'next': None}})
    with pytest.raises(AmigoCloudError, match=message):
        list(dataset.read(state='s', labels=True))


@pytest.mark.parametrize('page', [
    [], {'columns': [5]}, {'columns': 5}, {'columns': [{'name': 'kind'}]},
    {'columns': [{'name': 'kind'}], 'data': [{}]},
    {'columns': [{'name': 'kind'}], 'data': [None]}, {'columns': [{'name': []}]}, {'columns': [{}], 'data': []}])
def test_labels__page_of_another_shape(wire, dataset, page):
    wire.answers.update({
        DATASET + '/schema': {'schema': [{'name': 'kind', 'choices': [{'code': 1, 'value': 'x'}]}]},
        '/api/v1/projects/1/sql': lambda request: Answer(page)})
    with pytest.raises(AmigoCloudError, match='/sql is not a page with columns and rows'):
        list(dataset.read(state='s', labels=True))


def test_labels__null_and_floats(wire, dataset):
    wire.answers.update({
        DATASET + '/schema': {'schema': [{'name': 'kind', 'choices': [
            {'code': 1, 'value': 'one'}, {'code': 2, 'value': None}, {'code': 3}, {'code': 2.5, 'value': 7}]}]},
        '/api/v1/projects/1/sql': {'columns': [{'name': 'kind', 'type': 'float'}], 'data': [
            {'kind': kind} for kind in (1.0, 2.0, 2.5)], 'count': 3, 'next': None}})
    assert [row['kind'] for row in dataset.read(state='s', labels=True)] == ['one', '2', '7']


def test_failures(wire, dataset):
    wire.answers[JOB] = {'status': 'FAILURE', 'extra': {'error': ['no']}}
    with pytest.raises(AmigoCloudJobError, match='no'):
        dataset.drop_column('height')
    wire.answers[CHANGE] = {}
    with pytest.raises(AmigoCloudError, match='names no job'):
        dataset.drop_column('height')


def test_labels(wire, dataset):
    wire.answers.update({
        DATASET + '/schema': {'schema': [
            {'name': 'kind', 'type': 'integer', 'choices': [
                {'code': 1, 'value': 'Oak'}, {'code': '2', 'value': 'Elm'}]},
            {'name': 'height', 'type': 'integer', 'choices': None}, {'name': 'note', 'type': 'string', 'choices': []}]},
        '/api/v1/projects/1/sql': [
            {'columns': [{'name': 'kind', 'type': 'integer'}, {'name': 'height', 'type': 'integer'}],
             'data': [{'kind': kind, 'height': 1} for kind in (1, 2, 3, None)], 'count': 5,
             'next': wire.url + '/api/v1/projects/1/sql?page=2'},
            {'columns': [{'name': 'kind', 'type': 'integer'}, {'name': 'height', 'type': 'integer'}],
             'data': [{'kind': 2, 'height': 1}], 'count': 5, 'next': None}]})
    cursor = pickle.loads(pickle.dumps(dataset.read(state='s', labels=True)))
    assert [row['kind'] for row in cursor] == ['Oak', 'Elm', '3', None, 'Elm']
    assert cursor.get('columns')[0]['type'] == 'string'
    assert [request.path for request in wire.requests].count(DATASET + '/schema') == 1
    assert list(dataset.read(state='s', labels=True))[-1] == {'kind': 'Elm', 'height': 1}


@pytest.fixture
def picklists(wire):
    """A dataset with picklists, in two pages."""
    columns = [{'name': name, 'type': kind} for name, kind in (
        ('kind', 'integer'), ('size', 'string'), ('n', 'integer'))]
    wire.answers.update({
        DATASET + '/schema': {'schema': [
            {'name': 'kind', 'type': 'integer', 'choices': [
                {'code': 4, 'value': 'Yew'}, {'code': 1, 'value': 'Oak'}, {'code': 2, 'value': u'\xc4sche'},
                {'code': 5, 'value': None}, {'code': 3, 'value': 'Oak'}]},
            {'name': 'size', 'type': 'string', 'choices': [{'code': 's', 'value': 'small'}]}, {'name': 'n'}]},
        '/api/v1/projects/1/sql': lambda request: {
            'columns': columns, 'data': [{'kind': kind, 'size': None, 'n': 1} for kind in (2, 1, 9, None)],
            'next': wire.url + '/api/v1/projects/1/sql/2', 'count': 6},
        '/api/v1/projects/1/sql/2': lambda request: {
            'columns': columns, 'data': [{'kind': kind, 'size': None, 'n': 1} for kind in (3, 5)], 'next': None}})
    return [u'\xc4sche', 'Oak', '9', None, 'Oak', '5']


def test_labels__category(dataset, picklists, tmpdir):
    pytest.importorskip('pandas')
    cursor = dataset.read(state='s', labels='category')
    assert [row['kind'] for row in cursor] == picklists
    frame = cursor.to_dataframe()
    assert frame['kind'].cat.categories.tolist() == ['Yew', 'Oak', u'\xc4sche', '5', '9']
    assert [None if label != label else label for label in frame['kind']] == picklists
    assert (str(frame['size'].dtype), frame['size'].cat.categories.tolist()) == ('category', ['small'])
    assert frame['n'].dtype == 'Int32' and not frame['kind'].cat.ordered
    assert 'category' not in set(map(str, dataset.read(state='s', labels=True).to_dataframe().dtypes))


def test_labels__category_elsewhere(dataset, picklists, tmpdir):
    pyarrow = pytest.importorskip('pyarrow')
    pytest.importorskip('pyogrio')
    cursor = dataset.read(state='s', labels='category')
    column = cursor.to_arrow()['kind']
    assert pyarrow.types.is_dictionary(column.type) and column.to_pylist() == picklists
    path = tmpdir.join('trees.csv')
    cursor.to_file(str(path))
    assert path.read_text('utf-8').splitlines()[1].startswith(u'\xc4sche')


@pytest.mark.parametrize('labels', ['categories', '', None, 1, b'category ', []])
def test_labels__bad_input(wire, dataset, labels):
    with pytest.raises(AmigoCloudValueError, match='labels must be'):
        dataset.read(labels=labels)
    assert not wire.requests


def test_sandbox(sandbox):
    with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as amigocloud:
        dataset = amigocloud.project(sandbox.project_id).create_dataset('schema', [{'name': 'name', 'type': 'string'}])
        dataset.insert([{'name': 'a'}])
        dataset.add_column('species', 'string', default='o', choices={'o': 'Oak', 'e': 'Elm'})
        dataset.alter_column('name', alias='Name')
        columns = {column['name']: column for column in dataset.schema()}
        assert columns['name']['alias'] == 'Name'
        assert columns['species']['choices'] == [{'code': 'o', 'value': 'Oak'}, {'code': 'e', 'value': 'Elm'}]
        assert [row['species'] for row in dataset.read()] == ['o']
        assert [row['species'] for row in dataset.read(labels=True)] == ['Oak']
        dataset.drop_column('species')
        assert [column['name'] for column in dataset.schema()] == ['name', 'amigo_id']
