import pytest

# Before the tour, whose syntax is not that of Python 2.
pytest.importorskip('flask', reason='the sandbox is not installed, or this is Python 2')
tour = pytest.importorskip('amigocloud.sandbox.tour')


def test_tour(capsys):
    assert tour.main() == 13
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == 'All 13 steps of the tour worked.'
    assert len([line for line in lines if line.startswith('Bus 7 is at')]) > 3


def test_tour__fails_loudly(monkeypatch):
    monkeypatch.setattr(tour, '_GUIDE', 'Fail.\n\n>>> amigocloud = project = None\n>>> 1 / 0\n')
    with pytest.raises(ZeroDivisionError):
        tour.main()
