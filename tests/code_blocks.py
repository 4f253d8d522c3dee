"""The Python examples of a page in reStructuredText, run as printed, and the output that the page shows below them.

``code:: python`` is run; ``code-block:: python`` is only shown. A ``code:: text`` right below an example is its output.
It is compared as doctest does, with ``...`` for any text, unless it has ``:class: varies``; ports, amigo_ids and
times of day may differ. AMIGOCLOUD_TEST_WRITE=1 writes what the examples print into the pages.
"""
import contextlib
import doctest
import io
import os
import re

_EXAMPLE = re.compile(r'(?m)^\.\. code:: python\n\n(?P<code>(?:    .*\n|\n)+)'
                      r'(?:\.\. code:: text\n(?P<varies>    :class: varies\n)?\n(?P<output>(?:    .*\n|\n)+))?')
_DIFFERS = re.compile(r'(?<=127\.0\.0\.1:)\d+|\b[0-9a-f]{32}\b|\b\d+(:\d\d)+(\.\d+)?\b')
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(path):
    """Return the examples of a page as pairs: the code, and a match with the output that is shown."""
    with io.open(path, encoding='utf-8') as page:
        # A page may end with an example.
        text = page.read() + u'\n'
    return [(re.sub('(?m)^    ', '', match.group('code')), match) for match in _EXAMPLE.finditer(text)]


def run(path, names):
    """Run the examples of a page one after another. Each that prints must be followed by its output.

    Args:
        path (str): the page.
        names (dict): the names that the examples can use at first.
    """
    printed = []
    # One for the whole page: a log handler keeps the stdout that it was created with.
    output = io.StringIO()
    try:
        for number, (code, match) in enumerate(examples(path), 1):
            title = '{}, example {}'.format(path, number)
            start = output.tell()
            with contextlib.redirect_stdout(output):
                exec(compile(code, '<{}>'.format(title), 'exec'), names)
            text = output.getvalue()[start:]
            printed.append((match, text))
            if not os.environ.get('AMIGOCLOUD_TEST_WRITE'):
                _compare(title, match, text)
    finally:
        for value in list(names.values()):
            if type(value).__name__ == 'AmigoCloud':
                value.close()
    if os.environ.get('AMIGOCLOUD_TEST_WRITE'):
        _write(path, printed)


def _compare(title, match, printed):
    if match.group('varies'):
        assert printed, '{} prints nothing'.format(title)
    else:
        shown = match.group('output') or ''
        assert _same(shown, printed), '{} prints\n{}\nand the page shows\n{}'.format(title, printed, shown)


def _same(shown, printed):
    return doctest.OutputChecker().check_output(_comparable(shown), _comparable(printed), _OPTIONS)


def _comparable(text):
    # Older releases of GeoPandas print coordinates with zeros at the end.
    return re.sub(r'(\.\d+?)0+\b', r'\1', _DIFFERS.sub('*', text))


def _write(path, printed):
    with io.open(path, encoding='utf-8') as page:
        text = page.read()
    for match, output in reversed(printed):
        shown = match.group('output')
        if shown and not _same(shown, output):
            lines = re.sub('(?m)^(?=.)', '    ', output.rstrip())
            text = text[:match.start('output')] + lines + shown[len(shown.rstrip()):] + text[match.end('output'):]
    with io.open(path, 'w', encoding='utf-8') as page:
        page.write(text)
