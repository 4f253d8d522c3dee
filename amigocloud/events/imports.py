"""Imports of the packages that only live events need, when they are needed.

Requests work without these packages, and importing them takes longer than everything else.
"""
from __future__ import absolute_import

import contextlib
import os

import six

from ..exceptions import AmigoCloudError
from .greenlets import new_lock

# Python 3.8 crashes if one thread imports gevent while another thread imports other modules.
_importing = new_lock()


class MissingPackageError(AmigoCloudError):
    """A package that live events need is not installed."""


def import_connection():
    """Import the module ``connection`` and return it.

    Raises:
        MissingPackageError: socketIO-client or a package that it needs is not installed.
    """
    try:
        with _import_alone():
            from . import connection
    except ImportError as error:
        six.raise_from(_missing(error), error)
    return connection


def import_gevent():
    """Import gevent with ``gevent.event`` and return it.

    Raises:
        MissingPackageError: gevent is not installed.
    """
    try:
        with _import_alone():
            import gevent.event
    except ImportError as error:
        six.raise_from(_missing(error), error)
    return gevent


@contextlib.contextmanager
def _import_alone():
    """Prevent other threads of this package from importing meanwhile."""
    if six.PY2:
        # Python 2 has one lock for all imports. A second one could cause a deadlock in a module
        # that uses live events while it is imported.
        yield
    else:
        with _importing:
            yield


def _missing(error):
    # The packages belong to no extra: they are missing only where the library was copied or
    # installed without its dependencies.
    return MissingPackageError(
        'Live events need two more packages ({}). Install them: '
        'pip install gevent socketIO-client'.format(error))


if hasattr(os, 'register_at_fork'):
    # Without this, a child process could not import a module that another thread of the parent
    # was importing during the fork. Python 2 handles this itself.
    os.register_at_fork(before=_importing.acquire, after_in_parent=_importing.release,
                        after_in_child=_importing.release)
