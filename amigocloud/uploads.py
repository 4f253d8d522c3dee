"""Files to the service: simple or in chunks, read while they are sent."""
from __future__ import absolute_import

import contextlib
import io
import os
import re
import sys

import six

from .exceptions import AmigoCloudValueError, failure_error
from .multipart import BLOCK_SIZE, FILE_FIELD, Form, Multipart
from .progress import reporting

#: Bytes of one chunk.
CHUNK_SIZE = 100000

#: Bytes from which on a file goes in chunks.
MAX_SIZE_SIMPLE_UPLOAD = 8000000


#: Endings of compressed files, and what is left of each once the file is unpacked.
_UNPACKED_ENDINGS = {'.gz': '', '.bz2': '', '.xz': '', '.lzma': '', '.zst': '',
                     '.tgz': '.tar', '.tbz': '.tar', '.tbz2': '.tar', '.txz': '.tar', '.tzst': '.tar'}

_UNPACKING_CLASSES = ('GzipFile', 'BZ2File', 'LZMAFile', 'ZstdFile')

# File names that are not UTF-8 hold lone surrogates on Python 3. Real pairs exist on Python 2 only.
_LONE_SURROGATE = u'[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]'


def upload(post, simple_url, chunked_url, file_obj, chunk_size, force_chunked, extra_data, resume=None,
           progress=None):
    """Upload a file; see ``AmigoCloud.upload_file``.

    Args:
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
    """
    if chunk_size == CHUNK_SIZE:
        chunk_size = _setting('CHUNK_SIZE', CHUNK_SIZE)
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, six.integer_types) or chunk_size < 1:
        raise AmigoCloudValueError('chunk_size must be a number of bytes above 0, not {:.200}.'.format(
            repr(chunk_size)))
    upload_id, offset = _resumed(resume)
    with _opened(file_obj) as content:
        size = _size(content)
        if offset > size:
            raise AmigoCloudValueError('resume belongs to another file: {} bytes of that one are stored, and this one '
                                       'has {}.'.format(offset, size))
        name = base_name(file_obj) or FILE_FIELD
        with reporting(progress, size, 'B', name) as report:
            if (simple_url and not force_chunked and upload_id is None
                    and size < _setting('MAX_SIZE_SIMPLE_UPLOAD', MAX_SIZE_SIMPLE_UPLOAD)):
                form = Form(extra_data, name)
                return post(simple_url, Multipart(form, content, size, report), send_as_json=False,
                            content_type=form.content_type)
            from .chunks import ChunkedUpload
            return ChunkedUpload(post, chunked_url, name, content, size, chunk_size, upload_id, offset).run(
                extra_data, report)


def base_name(file_obj):
    """Return the name of a file without its folders, as it can be sent.

    Bytes that are not UTF-8 become U+FFFD. A file object that unpacks what it reads, such as a ``gzip.GzipFile``, loses
    the ending of the packed file.

    Args:
        file_obj (str or bytes or os.PathLike or file): as ``AmigoCloud.upload_file`` takes it.

    Returns:
        str: the name, or None for a file object without one.
    """
    path = _path(file_obj) or getattr(file_obj, 'name', None)
    if not isinstance(path, (bytes, six.text_type)):
        return None
    name = sendable(os.path.basename(path))
    if name.startswith(u'<'):
        return None
    stem, ending = os.path.splitext(name)
    if ending.lower() in _UNPACKED_ENDINGS and _unpacks(file_obj):
        name = stem + _UNPACKED_ENDINGS[ending.lower()]
    return name


def sendable(name):
    """Return a file name as text that can be encoded: what is not UTF-8 becomes U+FFFD."""
    return re.sub(_LONE_SURROGATE, u'\ufffd', six.ensure_text(name, errors='replace'))


def _setting(name, default):
    """Return a constant as a script has set it in ``amigocloud.amigocloud``, where 1.2.5 reads it."""
    return getattr(sys.modules.get(__name__.rpartition('.')[0] + '.amigocloud'), name, default)


def _resumed(resume):
    """Return the upload_id and the offset of an exception; None and 0 where no chunk had been stored."""
    if resume is not None and not isinstance(resume, BaseException):
        raise AmigoCloudValueError('resume must be the exception that an upload raised, not {:.200}.'.format(
            repr(resume)))
    upload_id, offset = getattr(resume, 'upload_id', None), getattr(resume, 'offset', None)
    if upload_id is None:
        return None, 0
    if (isinstance(upload_id, bool) or not isinstance(upload_id, six.string_types + six.integer_types)
            or isinstance(offset, bool) or not isinstance(offset, six.integer_types) or offset < 0):
        raise AmigoCloudValueError('resume must have the upload_id and offset of an upload, not {:.90} and {:.90}.'
                                   .format(repr(upload_id), repr(offset)))
    return upload_id, offset


def _unpacks(file_obj):
    layers = [file_obj]
    for name in ('buffer', 'raw'):
        layers.append(getattr(layers[-1], name, layers[-1]))
    return any(cls.__name__ in _UNPACKING_CLASSES for layer in layers for cls in type(layer).__mro__)


def _path(file_obj):
    if hasattr(file_obj, '__fspath__'):
        return file_obj.__fspath__()
    return file_obj if isinstance(file_obj, (bytes, six.text_type)) else None


def _size(content):
    try:
        content.seek(0, os.SEEK_END)
    except ValueError:
        # The GzipFile of Python 2 seeks from the start only.
        while content.read(BLOCK_SIZE):
            pass
    size = content.tell()
    content.seek(0)
    return size


@contextlib.contextmanager
def _opened(file_obj):
    """Open a path and close it afterwards; leave the caller's own file object open."""
    path = _path(file_obj)
    if path is not None:
        with _open(path) as content:
            yield content
        return
    try:
        # This also flushes what was written to a file in text mode.
        file_obj.seek(0)
        is_binary = isinstance(file_obj.read(0), bytes)
    except (AttributeError, EnvironmentError, TypeError, ValueError) as error:
        six.raise_from(AmigoCloudValueError(
            '{:.200} is neither a path nor an open file that can be read and rewound (a pipe has to be saved to a file '
            'first): {:.200}'.format(repr(file_obj), str(error))), error)
    content = file_obj if is_binary else getattr(file_obj, 'buffer', None)
    if content is None:
        raise AmigoCloudValueError("{:.200} gives text; open the file in mode 'rb', or pass io.BytesIO of the encoded "
                                   'text.'.format(repr(file_obj)))
    yield content


def _open(path):
    try:
        return io.open(path, 'rb')
    except (EnvironmentError, TypeError, ValueError) as error:
        if isinstance(error, EnvironmentError) and isinstance(path, six.string_types) and len(path) <= 200:
            raise
        # Probably the content of a file. The original error would repeat all of it.
        reason = str(getattr(error, 'strerror', None) or error)
        failure = failure_error(error, '{:.200} cannot be opened ({:.200}). Pass a path or an open file object, not '
                                'the content of a file.'.format(repr(path[:200]), reason))
    raise failure
