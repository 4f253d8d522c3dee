"""Files to the service: simple or in chunks, read while they are sent."""
from __future__ import absolute_import

import contextlib
import io
import os

import six

from .exceptions import AmigoCloudError, AmigoCloudValueError
from .multipart import FILE_FIELD, Form, Multipart
from .progress import reporting

#: Bytes of one chunk.
CHUNK_SIZE = 100000

#: Bytes from which on a file goes in chunks.
MAX_SIZE_SIMPLE_UPLOAD = 8000000


def upload(post, simple_url, chunked_url, file_obj, chunk_size, force_chunked, extra_data, resume=None,
           progress=None):
    """Uploads a file; see ``AmigoCloud.upload_file``.

    Args:
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
    """
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, six.integer_types) or chunk_size < 1:
        raise AmigoCloudValueError('chunk_size is a number of bytes above 0, not {!r}.'.format(chunk_size))
    if resume is not None and not isinstance(resume, AmigoCloudError):
        raise AmigoCloudValueError('resume is the AmigoCloudError of an upload, not {!r}.'.format(resume))
    with _opened(file_obj) as content:
        content.seek(0, os.SEEK_END)
        size = content.tell()
        content.seek(0)
        name = base_name(file_obj) or FILE_FIELD
        with reporting(progress, size, 'B', name) as report:
            if simple_url and not force_chunked and size < MAX_SIZE_SIMPLE_UPLOAD:
                form = Form(extra_data, name)
                return post(simple_url, Multipart(form, content, size, report), send_as_json=False,
                            content_type=form.content_type)
            from .chunks import ChunkedUpload
            return ChunkedUpload(post, chunked_url, name, content, size, chunk_size, resume).run(extra_data, report)


def base_name(file_obj):
    """Gives the name of a file without its folders.

    Args:
        file_obj (str or os.PathLike or file): as ``AmigoCloud.upload_file`` takes it.

    Returns:
        str: the name, or None for a file object without one.
    """
    path = _path(file_obj) or getattr(file_obj, 'name', None)
    if isinstance(path, six.string_types) and not path.startswith('<'):
        return os.path.basename(path)


def _path(file_obj):
    if hasattr(file_obj, '__fspath__'):
        return file_obj.__fspath__()
    return file_obj if isinstance(file_obj, six.string_types) else None


@contextlib.contextmanager
def _opened(file_obj):
    """A path is opened and closed again; the caller's own file object stays open."""
    path = _path(file_obj)
    if path is not None:
        with io.open(path, 'rb') as content:
            yield content
        return
    try:
        file_obj.seek(0)
        is_binary = isinstance(file_obj.read(0), bytes)
    except (AttributeError, EnvironmentError, ValueError) as error:
        six.raise_from(AmigoCloudValueError(
            '{!r} is neither a path nor an open file that can be read and rewound (a pipe has to be saved to a file '
            'first): {}'.format(file_obj, error)), error)
    if not is_binary:
        raise AmigoCloudValueError("{!r} gives text; open the file in mode 'rb'.".format(file_obj))
    yield file_obj
