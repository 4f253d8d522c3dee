"""The README's length and commands; test_docs.py runs its examples."""
import io
import os
import re

README = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'README.rst')


def read():
    with io.open(README, encoding='utf-8') as text:
        return text.read()


def test_length():
    assert len(read().splitlines()) <= 130


def test_commands():
    """The first starts the tour; the second runs the tests, and .ci/run takes it from the README by this pattern."""
    commands = re.findall(r'(?m)^ +(python3 -m venv .*)$', read())
    assert [command.rsplit('/', 1)[-1] for command in commands] == ['amigocloud-sandbox tour', 'pytest -n auto']
    assert re.search(r'(?m)python3 -m venv .*pytest -n auto$', read()).group() == commands[1]
