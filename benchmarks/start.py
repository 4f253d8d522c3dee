"""What it takes to begin: the import, and a client without a token."""
import os
import statistics
import subprocess
import sys

from benchmarks.report import Row
from benchmarks.servers import ROOT

IMPORT = '''
import time
start = time.perf_counter()
import requests
middle = time.perf_counter()
import amigocloud
print(middle - start, time.perf_counter() - start)
'''

MAKE = '''
import time
import requests
from amigocloud import AmigoCloud
start = time.perf_counter()
session = requests.Session()
middle = time.perf_counter()
amigocloud = AmigoCloud()
print(middle - start, time.perf_counter() - middle)
'''


def rows(bench):
    requests, both = run(IMPORT)
    yield Row('import amigocloud', both, 'import requests + 5 ms', requests + 0.005, 1)
    session, client = run(MAKE)
    yield Row('AmigoCloud() without a token', client, '1 ms', 0.001, 1)
    yield Row('AmigoCloud() without a token', client, 'requests.Session()', session)


def run(code, rounds=31):
    """Gives the medians of what a script prints, each time in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONDONTWRITEBYTECODE'}
    environment['PYTHONPATH'] = ROOT
    printed = [subprocess.run([sys.executable, '-c', code], env=environment, text=True, stdout=subprocess.PIPE,
                              check=True).stdout.split() for _ in range(rounds)]
    return [statistics.median(map(float, column)) for column in zip(*printed)]
