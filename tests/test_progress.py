import sys

import pytest
import six

from amigocloud import AmigoCloudError
from amigocloud.progress import check_progress, reporting


def test_reporting__callable():
    told = []
    with reporting(lambda *args: told.append(args), 5, 'rows') as report:
        report(2)
        report(5)
    assert told == [(2, 5), (5, 5)]


def test_reporting__unknown_total():
    told = []
    with reporting(lambda *args: told.append(args)) as report:
        report(2)
    assert told == [(2, None)]


def test_reporting__callable_raises():
    failure = KeyError('mine')

    def fail(done, total):
        raise failure
    with pytest.raises(KeyError) as raised, reporting(fail, 5) as report:
        report(1)
    assert raised.value is failure


@pytest.mark.parametrize('nothing', [None, False])
def test_reporting__nothing(nothing, capsys):
    with reporting(nothing, 5, 'rows', 'Writing') as report:
        report(5)
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize('progress', [0, 1, 'yes', [], object()])
def test_reporting__bad_input(progress):
    for use in (check_progress, lambda progress: reporting(progress).__enter__()):
        with pytest.raises(ValueError, match='progress must be True or a callable'):
            use(progress)


def test_reporting__bar(capsys):
    pytest.importorskip('tqdm')
    with reporting(True, 4000, 'B', 'trees.csv') as report:
        report(3000)
        report(1000)
        report(4000)
    shown = capsys.readouterr().err
    assert 'trees.csv: 100%' in shown and '4.00k/4.00k' in shown and 'B/s' in shown


@pytest.mark.parametrize('odd', [u'\x1b', u'\x07', u'\r', u'\n', u'\t', u'\x9b', u'\x7f', u'\u202e',
                                 u'\u2066', u'\u200f', u'\u061c', u'\u2028'])
def test_reporting__bar_without_control_characters(monkeypatch, odd):
    tqdm = pytest.importorskip('tqdm.auto')
    described, plain = [], tqdm.tqdm

    class Bar(plain):
        def __init__(self, **settings):
            described.append(settings['desc'])
            plain.__init__(self, **settings)
    monkeypatch.setattr(tqdm, 'tqdm', Bar)
    with reporting(True, 5, 'rows', u'Job a{}[2Jb \xe4'.format(odd)) as report:
        report(5)
    shown, = described
    assert odd not in six.ensure_text(shown) and six.ensure_text(shown).endswith(u'[2Jb \xe4')


def test_reporting__bar_of_unknown_length(capsys):
    pytest.importorskip('tqdm')
    with reporting(True, unit='rows') as report:
        report(7)
    assert '7 rows [' in capsys.readouterr().err


def test_reporting__without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tqdm', None)
    for use in (check_progress, lambda progress: reporting(progress).__enter__()):
        with pytest.raises(AmigoCloudError, match=r'pip install "amigocloud\[progress\]"'):
            use(True)


@pytest.mark.parametrize('call', [
    lambda client: client.wait_for_job(17, progress='yes'),
    lambda client: client.download('/x', progress='yes'),
    lambda client: client.project(1).dataset(2).export('CSV', progress='yes'),
    lambda client: client.gallery(1).download('photos', progress='yes'),
    lambda client: client.geocode_addresses(1, 2, 'address', 'location', progress='yes')])
def test_bad_progress__nothing_is_sent(wire, client, call):
    with pytest.raises(ValueError, match='progress must be True'):
        call(client)
    assert not wire.requests
