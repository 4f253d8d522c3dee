"""The tour, from its first step to its last, on both engines."""
import importlib.util
import re

import pytest

from amigocloud_sandbox import tour

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('database', [None, 'sqlite'])
def test_tour(capsys, database):
    steps = 12 if importlib.util.find_spec('geopandas') else 10
    assert tour.main(database) == steps
    output = capsys.readouterr().out
    assert output.startswith('Starting an AmigoCloud')
    assert re.search(r'\nAll {} steps worked, in \d+ s\.\n'.format(steps), output)
    # What a callback prints is indented like a value.
    assert output.count('\n      Bus 7 is at') >= 1
    # No terminal, no colours.
    assert '\x1b' not in output


def test_tour__fails_loudly(monkeypatch):
    monkeypatch.setattr(tour, '_STEPS', [('Fail', '>>> amigocloud = AmigoCloud(base_url=url)\n>>> 1 / 0\n')])
    with pytest.raises(ZeroDivisionError):
        tour.main('sqlite')


def test_colours_in_a_terminal(monkeypatch):
    class Terminal:
        def isatty(self):
            return True
    for name, value in (('TERM', 'xterm'), ('NO_COLOR', None)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    assert tour._Paint(Terminal())('1', 'a\n\nb') == '\x1b[1ma\x1b[0m\n\n\x1b[1mb\x1b[0m'
    monkeypatch.setenv('NO_COLOR', '1')
    assert tour._Paint(Terminal())('1', 'a') == 'a'
