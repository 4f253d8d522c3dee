"""The README's examples, run as they are printed, against the sandbox."""
import os

import pytest
from code_blocks import python_blocks, run_blocks

pytest.importorskip('amigocloud.sandbox.server', reason='the sandbox is not installed, or this is Python 2')
pytest.importorskip('tqdm', reason='the examples need the extra progress')

README = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'README.rst')


def test_readme(tmpdir, monkeypatch, capsys):
    assert len(python_blocks(README)) > 15
    # The examples set the variables of from_env.
    for name in ('AMIGOCLOUD_API_KEY', 'AMIGOCLOUD_API_URL'):
        monkeypatch.setenv(name, '')
    with tmpdir.as_cwd():
        run_blocks(README, {})
    printed = capsys.readouterr().out
    assert '404' in printed and 'Ada' in printed and "'geocoded': 7" in printed
