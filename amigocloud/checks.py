"""Checks of arguments, which run before anything is sent, and of responses."""
from __future__ import absolute_import

import re

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown, text_of

_UUID = re.compile(r'[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z')


def whole_number(name, value, smallest=0):
    """Return an id as an int.

    Args:
        name (str): the name of the argument.
        value (int or str): the number. A str of digits is accepted, because ids often come from
            JSON or a command line.
        smallest (int): the smallest allowed number. Defaults to 0.

    Raises:
        AmigoCloudValueError: value is not such a number.
    """
    digits = re.match(r'[0-9]{1,100}\Z', text_of(value))
    if isinstance(value, bool) or not digits or int(value) < smallest:
        raise _not_an_integer(name, value, smallest)
    return int(value)


def count(name, value, smallest=0):
    """Return a count, such as a limit or a size in bytes. Unlike an id, it must be an int.

    Args:
        name (str): the name of the argument.
        value (int): the number.
        smallest (int): the smallest allowed number. Defaults to 0.

    Raises:
        AmigoCloudValueError: value is not such a number.
    """
    if not is_integer(value) or value < smallest:
        raise _not_an_integer(name, value, smallest)
    return value


def is_integer(value):
    """Return whether a value is an int (or a long of Python 2), and not a bool."""
    return isinstance(value, six.integer_types) and not isinstance(value, bool)


def project_id(value):
    """Return the id of a project as a text for a URL.

    Args:
        value (int or str): an integer, or the UUID that the service also accepts.

    Raises:
        AmigoCloudValueError: value is neither.
    """
    name = text_of(value)
    if isinstance(value, bool) or not re.match(r'[0-9]{1,100}\Z', name) and not _UUID.match(name):
        raise AmigoCloudValueError(
            u'project_id must be an integer or a UUID, not {}.'.format(shown(value)))
    return name


def seconds(name, value):
    """Return a number of seconds of at least 0.

    Args:
        name (str): the name of the argument.
        value (int or float): the number.

    Raises:
        AmigoCloudValueError: value is not such a number.
    """
    # Import this here, because it takes a tenth of the time of importing everything else.
    import numbers
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    # NaN is not at least 0.
    if not is_number or not value >= 0:
        raise AmigoCloudValueError(
            u'{} must be a number of seconds, 0 or more, not {}.'.format(name, shown(value)))
    return value


def text(name, value, may_be_blank=False):
    """Return a text.

    Args:
        name (str): the name of the argument.
        value (str): the text.
        may_be_blank (bool): accept an empty text and one of spaces. Defaults to False.

    Raises:
        AmigoCloudValueError: value is not a str, or is blank.
    """
    if isinstance(value, six.string_types) and (may_be_blank or value.strip()):
        return value
    wanted = 'a str' if may_be_blank else 'a str that is not empty'
    raise AmigoCloudValueError(u'{} must be {}, not {}.'.format(name, wanted, shown(value)))


def sendable_text(name, value):
    """Return a text that can be sent as UTF-8 and that PostgreSQL can read.

    Args:
        name (str): the name of the argument.
        value (str): the text.

    Raises:
        AmigoCloudValueError: value is not a str, is blank, is not valid UTF-8, or has a null
            character.
    """
    try:
        sendable = six.ensure_text(text(name, value))
        sendable.encode('utf-8')
        problem = u'null characters' if u'\0' in sendable else None
    except UnicodeError:
        problem = u'characters that are not valid UTF-8'
    if problem:
        raise AmigoCloudValueError(
            u'{} has {}, which cannot be sent; remove them: {}.'.format(
                name, problem, shown(value)))
    return sendable


def member(answer, name, kinds, url):
    """Return a member of a response.

    Args:
        answer: the decoded response of the service.
        name (str): the name of the member.
        kinds (type or tuple): the accepted types. A bool is never accepted.
        url (str): the URL that was requested.

    Raises:
        AmigoCloudError: the response has no such member, or it is an empty text.
    """
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kinds) or isinstance(value, bool) or value == '':
        raise AmigoCloudError(u'The response of {} has no {!r}: {}'.format(
            shortened(url), str(name), shown(answer)))
    return value


def _not_an_integer(name, value, smallest):
    return AmigoCloudValueError(u'{} must be an integer of at least {}, not {}.'.format(
        name, smallest, shown(value)))
