"""Files that arrive, whole or in chunks by the rules of the package django-chunked-upload.

Its order of checks, its texts and its weaknesses are kept: the total of the headers is never compared with what
came, an upload that is complete can be completed again, and there is no way to ask for the offset.
"""
import datetime
import hashlib
import os
import re
import shutil
import uuid

import gevent
from flask import Blueprint, g, jsonify, request

from ..store import now
from .answers import Refusal, fields, html_refusal, invalid, needs
from .datasets import start_import

blueprint = Blueprint('uploads', __name__)
_LIFETIME = datetime.timedelta(days=1)
_CONTENT_RANGE = re.compile(r'bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})')
_EXTENSION = re.compile(r'\.\w{1,8}')


@blueprint.route('/datasets/upload', methods=['POST'])
@needs('ADMIN')
def upload():
    file, filename = receive()
    return start_import(file, filename, fields())


@blueprint.route('/datasets/chunked_upload', methods=['POST'])
@needs('ADMIN')
def upload_chunk():
    return receive_chunk('project {}'.format(g.project['id']))


@blueprint.route('/datasets/chunked_upload/complete', methods=['POST'])
@needs('ADMIN')
def complete_upload():
    return start_import(*complete('project {}'.format(g.project['id'])))


def receive():
    """Keep the file of a simple upload; return its name among the cloud's files and the name that it came with."""
    sent = _datafile()
    if sent is None:
        raise invalid('datafile', 'No file was submitted.')
    filename = _base_name(sent.filename)
    file = _file_name(uuid.uuid4().hex, filename)
    sent.save(g.cloud.path_of(file))
    return file, filename


def receive_chunk(target):
    """Keep a chunk, and answer as django-chunked-upload does.

    Args:
        target (str): what the file is for; an upload begun for something else is not found.
    """
    chunk = _datafile()
    if chunk is None:
        raise Refusal(400, 'No chunk file was submitted')
    sent = fields()
    upload_id = sent.pop('upload_id', None)
    row = _continued(upload_id, target) if upload_id else _begun(chunk.filename, target)
    chunk.seek(0, os.SEEK_END)
    size = chunk.tell()
    match = _CONTENT_RANGE.fullmatch(request.headers.get('Content-Range', ''))
    start, end = (int(match.group(1)), int(match.group(2))) if match else (0, size - 1)
    if row['offset'] != start:
        raise Refusal(400, {'detail': 'Offsets do not match', 'offset': row['offset']})
    if size != end - start + 1:
        raise Refusal(400, "File size doesn't match headers")
    chunk.seek(0)
    with open(g.cloud.path_of(row['file']), 'ab') as held:
        shutil.copyfileobj(chunk, held)
    if not upload_id:
        g.cloud.store.insert('uploads', **row)
    g.cloud.store.update('uploads', row['id'], offset=start + size, fields=dict(row['fields'], **sent))
    return jsonify(upload_id=row['id'], offset=start + size, expires=row['expires'])


def complete(target, checks_md5=True):
    """Take a chunked upload as complete.

    Args:
        target (str): what the file is for, as with `receive_chunk`.
        checks_md5 (bool): refuse an md5 that is not the file's.

    Returns:
        tuple: the file's name among the cloud's files, the name that it came with, and the other fields of this request
        and of those with the chunks.
    """
    sent = fields()
    upload_id, md5 = sent.pop('upload_id', None), sent.pop('md5', None)
    if not upload_id or not md5:
        raise Refusal(400, "Both 'upload_id' and 'md5' are required")
    row = _found(upload_id, target)
    if checks_md5 and gevent.get_hub().threadpool.apply(_md5_of, (g.cloud.path_of(row['file']),)) != md5:
        raise Refusal(400, 'md5 checksum does not match')
    g.cloud.store.update('uploads', row['id'], complete=1)
    return row['file'], row['filename'], dict(row['fields'], **sent)


def _datafile():
    """Return the file of the request; as in Django a part without a name or a body without a length holds none."""
    sent = request.files.get('datafile') if request.content_length is not None else None
    return sent if sent is not None and sent.filename else None


def _base_name(filename):
    return re.split(r'[/\\]', filename.replace('\0', ''))[-1] or 'file'


def _file_name(upload_id, filename):
    """Return the name that a file is kept under: our own, but with its extension, which tells the format."""
    extension = os.path.splitext(filename)[1].lower()
    return 'upload_' + upload_id + (extension if _EXTENSION.fullmatch(extension) else '')


def _begun(filename, target):
    upload_id = uuid.uuid4().hex
    filename = _base_name(filename)
    return {'id': upload_id, 'user_id': g.token['user_id'], 'target': target, 'filename': filename, 'fields': {},
            'offset': 0, 'complete': 0, 'expires': now(_LIFETIME), 'file': _file_name(upload_id, filename)}


def _found(upload_id, target):
    row = g.cloud.store.find('uploads', id=str(upload_id), user_id=g.token['user_id'], target=target)
    if row is None:
        raise html_refusal(404, 'Not Found')
    return row


def _continued(upload_id, target):
    row = _found(upload_id, target)
    if row['expires'] <= now():
        raise Refusal(410, 'Upload has expired')
    if row['complete']:
        raise Refusal(400, 'Upload has already been marked as "complete"')
    return row


def _md5_of(path):
    digest = hashlib.md5()
    with open(path, 'rb') as held:
        for block in iter(lambda: held.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()
