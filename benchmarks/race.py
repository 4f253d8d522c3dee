"""Contestants side by side: each a process of its own, all in turns, medians compared."""
import contextlib
import json
import os
import statistics
import subprocess
import sys

from benchmarks.servers import HERE, ROOT


class Contestant:
    """A peer of peer.py in a process of its own.

    Args:
        name (str): its class there.
        url (str): the service.
        certificate (str): the file that makes the service trusted.
        library (str): the folder of the amigocloud that it imports. Defaults to the one beside this folder.
        token (str): for the service; nginx takes any.
    """

    def __init__(self, name, url, certificate, library=ROOT, token='benchmark-token'):
        environment = dict(os.environ, REQUESTS_CA_BUNDLE=certificate, PYTHONPATH=library)
        self._process = subprocess.Popen([sys.executable, os.path.join(HERE, 'peer.py'), name, url, token],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._read()

    def run(self, method, times=1, *arguments, how='repeat', **options):
        """Has it do something a number of times.

        Returns:
            dict: the ``seconds`` that it took in all, and by how many bytes its memory has ``grown`` at the most.
        """
        command = {'how': how, 'method': method, 'times': times, 'arguments': arguments, 'options': options}
        self._process.stdin.write(json.dumps(command) + '\n')
        self._process.stdin.flush()
        return self._read()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit('A contestant broke down.')
        return json.loads(line)

    def close(self):
        self._process.kill()
        self._process.communicate()


def race(runs, rounds, warm_up=True):
    """Runs all in turns, a number of rounds; gives the median of what each returned.

    Args:
        runs (dict): by name a function that gives seconds.
        rounds (int): how often each is run, besides a first time that does not count.
        warm_up (bool): whether there is such a first time. Defaults to True.

    Returns:
        dict: the median by name.
    """
    results = {name: [] for name in runs}
    order = list(runs)
    for number in range(rounds + warm_up):
        for name in order:
            seconds = runs[name]()
            if number or not warm_up:
                results[name].append(seconds)
        # So that nobody always follows the same one.
        order.append(order.pop(0))
    return {name: statistics.median(values) for name, values in results.items()}


def lines(amounts, medians):
    """Gives what ``race`` gave for growing amounts as a line of points, (amount, seconds), by name."""
    return {name: [(amount, each[name]) for amount, each in zip(amounts, medians)] for name in medians[0]}


def median_of(times, function):
    """Gives the median of what a function returns."""
    return statistics.median(function() for _ in range(times))


@contextlib.contextmanager
def contestants(bench, url, peers, old=None):
    """Starts contestants, and ends them.

    Args:
        bench (Bench): what the run has.
        url (str): the service.
        peers (dict): by name a class of peer.py.
        old (str): the name for amigocloud 1.2.5, if it takes part.

    Returns:
        dict: the Contestant by name, in a ``with``.
    """
    made = {}
    try:
        for name, peer in peers.items():
            made[name] = Contestant(peer, url, bench.nginx.certificate)
        if old:
            made[old] = Contestant('Client', url, bench.nginx.certificate, bench.library)
        yield made
    finally:
        for each in made.values():
            each.close()
