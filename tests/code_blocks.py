"""The Python examples of a page in reStructuredText, run as they are printed."""
import io
import re

#: ``print(error.status_code)  # 404`` is a promise.
_PROMISE = re.compile(r'(?m)^( *)print\((.*)\) +# (\d+|None)\b.*')


def python_blocks(path):
    """Gives the code of each ``code:: python`` of a page."""
    with io.open(path, encoding='utf-8') as page:
        blocks = re.findall(r'\.\. code:: python\n\n((?:    .*\n|\n)+)', page.read())
    return [re.sub('(?m)^    ', '', block) for block in blocks]


def run_blocks(path, names):
    """Runs the examples of a page one after another, with these names at first; closes the clients they make."""
    given = set(map(id, names.values()))
    names['_check'] = _check
    try:
        for number, block in enumerate(python_blocks(path), 1):
            block = _PROMISE.sub(r'\1_check(\2, \3)', block)
            exec(compile(block, '<{}, example {}>'.format(path, number), 'exec'), names)
    finally:
        for value in reversed(list(names.values())):
            if type(value).__name__ in ('AmigoCloud', 'Sandbox') and id(value) not in given:
                value.close()


def _check(value, promised):
    print(value)
    assert value == promised
