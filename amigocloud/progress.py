"""Progress of long calls, for a callable or as a bar of tqdm in a terminal or a notebook."""
from __future__ import absolute_import

import contextlib
import re

import six

from . import extras
from .exceptions import AmigoCloudValueError, printable, shown


def check_progress(progress):
    """Raise an error unless ``reporting`` accepts the argument.

    Calls that know their total only after a request check their argument with it before.

    Args:
        progress (bool or callable): see ``reporting``.

    Raises:
        AmigoCloudValueError: progress is neither a bool nor callable.
        AmigoCloudError: progress is True, and tqdm is not installed.
    """
    if progress is True:
        _tqdm()
    elif progress is not None and progress is not False and not callable(progress):
        raise AmigoCloudValueError(
            u'progress must be True or a callable that takes (done, total), not {}.'.format(
                shown(progress)))


@contextlib.contextmanager
def reporting(progress, total=None, unit='', description=None):
    """Yield the function that reports the progress of a call.

    Args:
        progress (bool or callable): True for a bar. A callable is called with ``(done, total)``,
            and its exceptions are not caught. None and False for no report.
        total (int): the last ``done``, or None if it is not known.
        unit (str): the unit of ``done``: ``'B'`` for bytes, else a noun such as ``'rows'``.
        description (str): the text before the bar.

    Yields:
        callable: ``report(done)``; done counts from the beginning, and may become smaller.

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
        is_bytes = unit == 'B'
        # tqdm scales by 1000, which is usual for the sizes of files and the speeds of networks.
        with _tqdm()(total=total, desc=description and _one_line(description),
                     unit=unit if is_bytes else ' ' + unit, unit_scale=is_bytes) as bar:
            yield lambda done: bar.update(done - bar.n)
    elif callable(progress):
        yield lambda done: progress(done, total)
    else:
        yield lambda done: None


def _one_line(text):
    # Names and ids come from the service. Some of their characters would move the cursor of a
    # terminal, or reverse the direction of the text.
    text = six.ensure_text(printable(text), errors='replace')
    return re.sub(u'[\\s\u061c\u200e\u200f]+', u' ', text)


def _tqdm():
    extras.need('progress', 'tqdm')
    from tqdm.auto import tqdm
    return tqdm
