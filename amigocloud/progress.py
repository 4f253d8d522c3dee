"""Progress of work that takes a while: for a callable, or as a bar of tqdm in a terminal or a notebook."""
from __future__ import absolute_import

import contextlib
import re

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError, printable


def check_progress(progress):
    """Raises for what ``reporting`` cannot use; for work whose total is known only once it has begun.

    Args:
        progress (bool or callable): see ``reporting``.

    Raises:
        AmigoCloudError: it is neither a bool nor callable; or it is True, and tqdm is not installed.
    """
    if progress is True:
        _tqdm()
    elif progress is not None and progress is not False and not callable(progress):
        raise AmigoCloudValueError(
            'progress is True or a callable that takes (done, total), not {!r}.'.format(progress))


@contextlib.contextmanager
def reporting(progress, total=None, unit='', description=None):
    """Gives the function that is told how far some work has come.

    Args:
        progress (bool or callable): True for a bar; a callable is called with ``(done, total)``, and what it raises
            comes out; None and False for nothing.
        total (int): what ``done`` ends with, or None where nobody knows.
        unit (str): what is counted: ``'B'`` for bytes, else a noun such as ``'rows'``.
        description (str): stands before the bar.

    Returns:
        A context manager that gives ``report(done)``; done is the whole so far, and may go back.

    Raises:
        AmigoCloudError: see ``check_progress``.

    Example:
        with reporting(progress, len(rows), 'rows', 'Writing') as report:
            for done, row in enumerate(rows, 1):
                write(row)
                report(done)
    """
    check_progress(progress)
    if progress is True:
        # Powers of 1000, as the sizes of files and networks are given.
        with _tqdm()(total=total, desc=description and _one_line(description), unit=unit if unit == 'B' else ' ' + unit,
                     unit_scale=unit == 'B') as bar:
            yield lambda done: bar.update(done - bar.n)
    elif callable(progress):
        yield lambda done: progress(done, total)
    else:
        yield lambda done: None


def _one_line(text):
    # Names and ids come from the service; a terminal would act on some characters, or show the rest in another order.
    text = six.ensure_text(printable(text), errors='replace')
    return re.sub(u'[\\s\u061c\u200e\u200f]+', u' ', text)


def _tqdm():
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        six.raise_from(AmigoCloudError('A progress bar needs tqdm: pip install "amigocloud[progress]"'), error)
    return tqdm
