"""Files to the service: simple or in chunks, read while they are sent."""
from __future__ import absolute_import

import contextlib
import hashlib
import io
import os

import six

from amigocloud import urls
from amigocloud.exceptions import AmigoCloudError, AmigoCloudValueError, strike_out
from amigocloud.multipart import FILE_FIELD, Multipart

#: Bytes of one chunk.
CHUNK_SIZE = 100000

#: Bytes from which on a file goes in chunks.
MAX_SIZE_SIMPLE_UPLOAD = 8000000


def upload(post, simple_url, chunked_url, file_obj, chunk_size, force_chunked, extra_data):
    """Uploads a file; see ``AmigoCloud.upload_file``.

    Args:
        post (callable): sends a POST, as ``AmigoCloud.post`` does.
    """
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, six.integer_types) or chunk_size < 1:
        raise AmigoCloudValueError('chunk_size is a number of bytes above 0, not {!r}.'.format(chunk_size))
    with _opened(file_obj) as content:
        content.seek(0, os.SEEK_END)
        size = content.tell()
        content.seek(0)
        name = base_name(file_obj) or FILE_FIELD
        if simple_url and not force_chunked and size < MAX_SIZE_SIMPLE_UPLOAD:
            return _post_file(post, simple_url, extra_data, name, content, size)
        return _upload_chunks(post, chunked_url, extra_data, name, content, size, chunk_size)


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


def _post_file(post, url, fields, name, content, size, headers=None):
    body = Multipart(fields, name, content, size)
    return post(url, body, headers=headers, send_as_json=False, content_type=body.content_type)


def _upload_chunks(post, url, extra_data, name, content, size, chunk_size):
    md5 = hashlib.md5()
    upload_id, offset = None, 0
    # At least once: an empty file is one empty chunk.
    while upload_id is None or offset < size:
        chunk = content.read(min(chunk_size, size - offset))
        if not chunk and offset < size:
            raise AmigoCloudError('The file shrank while it was being sent, to {} of {} bytes.'.format(offset, size))
        end = offset + len(chunk)
        md5.update(chunk)
        answer = _post_file(post, url, {'upload_id': upload_id}, name, io.BytesIO(chunk), len(chunk),
                            {'Content-Range': 'bytes {}-{}/{}'.format(offset, end - 1, size)})
        upload_id = _upload_id(answer, url)
        offset = end
    if content.read(1):
        raise AmigoCloudError('The file grew while it was being sent; it had {} bytes.'.format(size))
    completion = {'upload_id': upload_id, 'md5': md5.hexdigest()}
    completion.update(extra_data or {})
    return post(urls.add_segment(url, 'complete'), completion)


def _upload_id(answer, url):
    if not isinstance(answer, dict) or not answer.get('upload_id'):
        raise AmigoCloudError('The answer to a chunk sent to {} names no upload_id: {:.200}'.format(
            strike_out(url), repr(answer)))
    return answer['upload_id']
