"""Uploads of files, in one request or in chunks; the file is read while it is sent."""
from __future__ import absolute_import

import contextlib
import io
import os
import re
import stat
import sys

import six

from .. import checks
from ..exceptions import AmigoCloudValueError, failure_error, shortened, shown, text_of
from ..progress import reporting
from ..rows import finding
from .multipart import BLOCK_SIZE, FILE_FIELD, Form, Multipart

#: Bytes of one chunk.
CHUNK_SIZE = 100000

#: Bytes from which a file is uploaded in chunks.
MAX_SIZE_SIMPLE_UPLOAD = 8000000

#: Extensions of compressed files, and the extension of each after unpacking.
_UNPACKED_EXTENSIONS = {
    '.gz': '', '.bz2': '', '.xz': '', '.lzma': '', '.zst': '',
    '.tgz': '.tar', '.tbz': '.tar', '.tbz2': '.tar', '.txz': '.tar', '.tzst': '.tar'}

_UNPACKING_CLASSES = ('GzipFile', 'BZ2File', 'LZMAFile', 'ZstdFile')

# On Python 3, file names that are not UTF-8 hold lone surrogates. Pairs exist on Python 2 only.
_LONE_SURROGATE = u'[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]'


def upload(client, simple_url, chunked_url, file_obj, chunk_size, force_chunked, extra_data,
           timeout, resume=None, progress=None):
    """Upload a file; see ``AmigoCloud.upload_file``.

    Args:
        timeout (float or tuple): the client's.
    """
    if chunk_size == CHUNK_SIZE:
        chunk_size = _setting('CHUNK_SIZE', CHUNK_SIZE)
    checks.count('chunk_size', chunk_size, 1)
    _check_extra_data(extra_data)
    upload_id, offset = _state_of(resume)
    with _opened(file_obj) as content:
        size = _size(content)
        if offset > size:
            raise AmigoCloudValueError(
                u'resume belongs to another file: the service holds {} bytes of it, and this file '
                u'has {}.'.format(offset, size))
        name = base_name(file_obj) or FILE_FIELD
        is_small = size < _setting('MAX_SIZE_SIMPLE_UPLOAD', MAX_SIZE_SIMPLE_UPLOAD)
        with reporting(progress, size, 'B', name) as report:
            if simple_url and is_small and not force_chunked and upload_id is None:
                form = Form(extra_data, name)
                return client.post(
                    simple_url, Multipart(form, content, size, report), send_as_json=False,
                    content_type=form.content_type)
            # Most scripts upload small files only, so the module is not loaded with the library.
            from .chunks import ChunkedUpload
            chunked = ChunkedUpload(
                client, chunked_url, name, content, size, chunk_size, timeout, upload_id, offset)
            return chunked.run(extra_data, report)


def import_settings(project, file_obj, overwrite, delimiter, extra_data):
    """Return the form fields of an upload that becomes a dataset; see ``Project.upload``."""
    settings = {}
    if overwrite is not None:
        settings['dataset_write_action'] = 'overwrite'
    if delimiter is not None:
        delimiter = checks.text('delimiter', delimiter, may_be_blank=True)
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise AmigoCloudValueError(
                u'delimiter must be one character, no quotation mark and no line break, not '
                u'{}.'.format(shown(delimiter)))
        settings['csv_props.delimiter'] = delimiter
    if not settings:
        return extra_data
    _check_extra_data(extra_data)
    for name in settings:
        if name in (extra_data or {}):
            raise AmigoCloudValueError(
                u'{} is in extra_data and an argument too; pass one of them.'.format(name))
    if overwrite is not None:
        _check_overwrite(project, file_obj, overwrite)
    return dict(extra_data or {}, **settings)


def _check_overwrite(project, file_obj, dataset):
    """Check that an upload can only mean this dataset, although it has no field for its id."""
    if getattr(getattr(dataset, 'project', None), 'url', None) != project.url:
        raise AmigoCloudValueError(
            u'overwrite must be a dataset of {}, not {}.'.format(project.url, shown(dataset)))
    name = checks.member(
        project.client.get(dataset.url), 'name', six.string_types, dataset.url)
    stem = os.path.splitext(base_name(file_obj) or u'')[0]
    if stem != name:
        found = (u'{}; rename the file'.format(shown(six.ensure_str(stem))) if stem
                 else u"none; set the file object's attribute name")
        raise AmigoCloudValueError(
            u'An upload names the dataset to overwrite only by the name of its file. {} has the '
            u'name {}, but the file has {}. Nothing was uploaded.'.format(
                dataset.url, shown(six.ensure_str(name)), found))
    if len(finding.named(project.client, project.url + '/datasets', name)) != 1:
        raise AmigoCloudValueError(
            u'Several datasets have the name {}, and it is unknown which one the service would '
            u'overwrite; rename them. Nothing was uploaded.'.format(shown(six.ensure_str(name))))


def base_name(file_obj):
    """Return the name of a file without its folders, in a form that can be sent.

    Bytes that are not UTF-8 become U+FFFD. A file object that unpacks its content, such as a
    ``gzip.GzipFile``, loses the extension of the packed file.

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
    stem, extension = os.path.splitext(name)
    if extension.lower() in _UNPACKED_EXTENSIONS and _unpacks(file_obj):
        name = stem + _UNPACKED_EXTENSIONS[extension.lower()]
    return name


def sendable(name):
    """Return a file name as text that can be encoded; bytes that are not UTF-8 become U+FFFD."""
    return re.sub(_LONE_SURROGATE, u'\ufffd', six.ensure_text(name, errors='replace'))


def _setting(name, default):
    """Return a constant as a script set it in ``amigocloud.amigocloud``, where 1.2.5 reads it."""
    return getattr(sys.modules.get(__name__.rsplit('.', 2)[0] + '.amigocloud'), name, default)


def _check_extra_data(extra_data):
    try:
        is_dict = all(isinstance(name, (bytes, six.text_type)) for name in dict(extra_data or {}))
    except (TypeError, ValueError):
        is_dict = False
    if not is_dict:
        raise AmigoCloudValueError(
            u'extra_data must be a dict whose keys are str, not {}.'.format(shown(extra_data)))


def _state_of(resume):
    """Return the upload_id and the offset of an exception; None and 0 if it has none."""
    if resume is not None and not isinstance(resume, BaseException):
        raise AmigoCloudValueError(
            u'resume must be the exception that an upload raised, not {}.'.format(shown(resume)))
    upload_id = getattr(resume, 'upload_id', None)
    offset = getattr(resume, 'offset', None)
    if upload_id is None:
        return None, 0
    has_upload_id = isinstance(upload_id, six.string_types) or checks.is_integer(upload_id)
    if not has_upload_id or not checks.is_integer(offset) or offset < 0:
        raise AmigoCloudValueError(
            u'resume must have the upload_id and offset of an upload, not {} and {}.'.format(
                shown(upload_id), shown(offset)))
    return upload_id, offset


def _unpacks(file_obj):
    layers = [file_obj]
    for name in ('buffer', 'raw'):
        layers.append(getattr(layers[-1], name, layers[-1]))
    classes = [cls for layer in layers for cls in type(layer).__mro__]
    return any(cls.__name__ in _UNPACKING_CLASSES for cls in classes)


def _path(file_obj):
    if hasattr(file_obj, '__fspath__'):
        return file_obj.__fspath__()
    return file_obj if isinstance(file_obj, (bytes, six.text_type)) else None


def _size(content):
    try:
        content.seek(0, os.SEEK_END)
    except ValueError:
        # The GzipFile of Python 2 cannot seek from the end.
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
        if _is_pipe(path):
            # Opening it would wait until another program writes to it.
            raise AmigoCloudValueError(
                u'{} is a named pipe. Save its content to a file first.'.format(shown(path)))
        with _open(path) as content:
            yield content
        return
    try:
        # This also flushes the text that was written to a file in text mode.
        file_obj.seek(0)
        file_obj.tell()
        is_binary = isinstance(file_obj.read(0), bytes)
    except (AttributeError, EnvironmentError, TypeError, ValueError) as error:
        six.raise_from(AmigoCloudValueError(
            u'{} is neither a path nor an open file that can be read and rewound: {}. Save the '
            u'content of a pipe to a file first.'.format(
                shown(file_obj), shortened(text_of(error)))), error)
    content = file_obj if is_binary else getattr(file_obj, 'buffer', None)
    if content is None:
        raise AmigoCloudValueError(
            u"{} returns text. Open the file in mode 'rb', or pass io.BytesIO of the encoded text."
            .format(shown(file_obj)))
    yield content


def _is_pipe(path):
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (EnvironmentError, TypeError, ValueError):
        # Opening it raises the error that the caller expects.
        return False


def _open(path):
    try:
        return io.open(path, 'rb')
    except (EnvironmentError, TypeError, ValueError) as error:
        is_path = isinstance(path, six.string_types) and len(path) <= 200
        if isinstance(error, EnvironmentError) and is_path:
            raise
        # This is probably the content of a file. The original error would repeat all of it.
        reason = getattr(error, 'strerror', None) or error
        failure = failure_error(
            error, u'{} cannot be opened ({}). Pass a path or an open file object, not the content '
            u'of a file.'.format(shown(path[:200]), shortened(text_of(reason))))
    # Raised outside of the except block, or the original error would be its context.
    raise failure
