"""Checks of arguments and answers."""
import pytest

from amigocloud import checks
from amigocloud.exceptions import AmigoCloudError, AmigoCloudValueError

HUGE = 10 ** 5000
UUID = '3f2b8c1e-9d4a-4f6b-8a77-0c1d2e3f4a5b'


def kind_of(value):
    """The name of a test: an int of thousands of digits has no text."""
    return type(value).__name__


def refused(check, *arguments):
    with pytest.raises(AmigoCloudValueError) as caught:
        check(*arguments)
    message = str(caught.value)
    assert ' must be ' in message and ', not ' in message and len(message) < 300 and '\n' not in message
    return message


@pytest.mark.parametrize('value, number', [(0, 0), (7, 7), ('7', 7), (u'007', 7)])
def test_whole_number(value, number):
    assert checks.whole_number('id', value) == number


@pytest.mark.parametrize('value', [
    None, True, -1, 1.0, '', ' 7', '7\n', '-1', '1.5', [7], float('nan'), u'\u0667', HUGE, '1' * 5000], ids=kind_of)
def test_whole_number__bad_input(value):
    assert refused(checks.whole_number, 'id', value).startswith('id must be an integer of at least 0')


def test_smallest():
    assert checks.whole_number('id', 1, 1) == checks.count('limit', 1, 1) == 1
    assert 'at least 1' in refused(checks.whole_number, 'id', 0, 1)
    assert 'at least 1' in refused(checks.count, 'limit', 0, 1)


@pytest.mark.parametrize('value', [0, 7, 2 ** 70])
def test_count(value):
    assert checks.count('limit', value) == value


@pytest.mark.parametrize('value', [None, True, -1, 1.0, '7', [7]])
def test_count__bad_input(value):
    refused(checks.count, 'limit', value)


@pytest.mark.parametrize('value', [7, '7', UUID, UUID.replace('-', '')])
def test_project_id(value):
    assert checks.project_id(value) == str(value)


@pytest.mark.parametrize('value', [
    None, True, -1, 1.0, '', 'x', '../1', '1/2', UUID + 'a', UUID + '\n', HUGE], ids=kind_of)
def test_project_id__bad_input(value):
    refused(checks.project_id, value)


@pytest.mark.parametrize('value', [0, 0.5, 7, float('inf')])
def test_seconds(value):
    assert checks.seconds('timeout', value) == value


@pytest.mark.parametrize('value', [None, True, -1, float('nan'), '7', [7]])
def test_seconds__bad_input(value):
    refused(checks.seconds, 'timeout', value)


def test_text():
    assert checks.text('name', 'x') == 'x' and checks.text('name', u'\xe9') == u'\xe9'
    assert checks.text('url', '', may_be_blank=True) == ''
    for value in (None, 5, '', ' ', ['x']):
        refused(checks.text, 'name', value)
    refused(checks.text, 'url', 5, True)


def test_member():
    assert checks.member({'a': 0}, 'a', int, '/x') == 0
    for answer in (None, [], 'a', {}, {'a': None}, {'a': True}, {'a': '1'}):
        with pytest.raises(AmigoCloudError, match="/x has no 'a'"):
            checks.member(answer, 'a', int, '/x')
    with pytest.raises(AmigoCloudError, match="has no 'a'"):
        checks.member({'a': ''}, 'a', str, '/x')


def test_member__message_without_token():
    with pytest.raises(AmigoCloudError) as caught:
        checks.member({'b': '/y?token=secret' + 'x' * 1000}, 'a', str, '/x?token=secret')
    assert 'secret' not in str(caught.value) and len(str(caught.value)) < 300
