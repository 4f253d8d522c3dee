"""The benchmarks run, and their table says what was missed; what they measure is not a matter for tests."""
import os
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

if sys.version_info < (3, 8):
    pytest.skip('the benchmarks are for Python 3', allow_module_level=True)


def run(*arguments):
    return subprocess.run([sys.executable] + list(arguments), cwd=ROOT, stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout


def test_table():
    assert run('-c', '''
from benchmarks.report import Row, table
print(table([Row('small GET', 0.0005, 'requests', 0.001, 0.85), Row('memory', 5e6, 'a page', 1e6, 3, 'B')]))
''') == r'''
=========  ==========  =============  ======  =====  ========
task       amigocloud  compared with  takes   ratio  target
=========  ==========  =============  ======  =====  ========
small GET  500 us      requests       1 ms    0.50   0.85
memory     5.0 MB      a page         1.0 MB  5.00   3 missed
=========  ==========  =============  ======  =====  ========

'''.lstrip()


@pytest.mark.skipif(not shutil.which('nginx', path=os.environ['PATH'] + os.pathsep + '/usr/sbin'), reason='no nginx')
def test_run(tmpdir):
    kept = tmpdir.join('rows.json')
    assert 'a request of 16 threads' in run('-m', 'benchmarks', 'threads', '--json', str(kept))
    assert '16 Sessions of requests' in kept.read()
