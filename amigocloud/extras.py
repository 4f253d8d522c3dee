"""Optional packages, and the advice to install them."""
from __future__ import absolute_import

import importlib

import six

from .exceptions import AmigoCloudError


def need(extra, *modules):
    """Raise AmigoCloudError with the install command, unless all modules can be imported.

    Args:
        extra (str): the name of the extra that installs the modules, such as ``geo``.
        *modules (str): the names of the modules.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            message = 'This requires {}: pip install "amigocloud[{}]"'.format(module, extra)
            six.raise_from(AmigoCloudError(message), error)
