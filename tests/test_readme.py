"""The README's examples, run as they are printed, against the sandbox."""
import io
import os
import re

import pytest

pytest.importorskip('amigocloud.sandbox.server', reason='the sandbox is not installed, or this is Python 2')

README = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'README.rst')


def test_readme(tmpdir, monkeypatch, capsys):
    with io.open(README, encoding='utf-8') as readme:
        blocks = re.findall(r'\.\. code:: python\n\n((?:    .*\n|\n)+)', readme.read())
    assert len(blocks) > 15
    names = {}
    # The examples set the variables of from_env.
    for name in ('AMIGOCLOUD_API_KEY', 'AMIGOCLOUD_API_URL'):
        monkeypatch.setenv(name, '')
    with tmpdir.as_cwd():
        try:
            for block in blocks:
                exec(compile(re.sub('(?m)^    ', '', block), '<README>', 'exec'), names)
        finally:
            for name in ('amigocloud', 'project', 'from_environment', 'sandbox'):
                if name in names:
                    names[name].close()
    printed = capsys.readouterr().out
    assert '404' in printed and 'Ada' in printed and "'geocoded': 7" in printed
