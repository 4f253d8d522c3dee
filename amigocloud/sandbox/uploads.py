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

from . import formats
from .answers import Refusal, fields, html_refusal, invalid
from .datasets import start_making

blueprint = Blueprint('uploads', __name__)
_LIFETIME = datetime.timedelta(days=1)
_CONTENT_RANGE = re.compile(r'bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})')
_EXTENSION = re.compile(r'\.\w{1,8}')


@blueprint.route('/datasets/upload', methods=['POST'])
def upload():
    return _start_import(*receive())


@blueprint.route('/datasets/chunked_upload', methods=['POST'])
def upload_chunk():
    return receive_chunk('project {}'.format(g.project['id']))


@blueprint.route('/datasets/chunked_upload/complete', methods=['POST'])
def complete_upload():
    file, filename, _ = complete('project {}'.format(g.project['id']))
    return _start_import(file, filename)


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
    upload_id = fields().get('upload_id')
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
    g.cloud.store.update('uploads', row['id'], offset=start + size)
    return jsonify(upload_id=row['id'], offset=start + size, expires=row['expires'])


def complete(target):
    """Take a chunked upload as complete.

    Args:
        target (str): what the file is for, as with `receive_chunk`.

    Returns:
        tuple: the file's name among the cloud's files, the name that it came with, and the other fields of the request.
    """
    sent = fields()
    upload_id, md5 = sent.pop('upload_id', None), sent.pop('md5', None)
    if not upload_id or not md5:
        raise Refusal(400, "Both 'upload_id' and 'md5' are required")
    row = _found(upload_id, target)
    if gevent.get_hub().threadpool.apply(_md5_of, (g.cloud.path_of(row['file']),)) != md5:
        raise Refusal(400, 'md5 checksum does not match')
    g.cloud.store.update('uploads', row['id'], complete=1)
    return row['file'], row['filename'], sent


def _start_import(file, filename):
    path = g.cloud.path_of(file)
    _, job = start_making(os.path.splitext(filename)[0], lambda: formats.read_file(path))
    g.cloud.store.update('jobs', job, file=file, filename=filename)
    return jsonify(job=job)


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
    return {'id': upload_id, 'user_id': g.token['user_id'], 'target': target, 'filename': filename, 'offset': 0,
            'complete': 0, 'expires': _time(_LIFETIME), 'file': _file_name(upload_id, filename)}


def _found(upload_id, target):
    row = g.cloud.store.find('uploads', id=str(upload_id), user_id=g.token['user_id'], target=target)
    if row is None:
        raise html_refusal(404, 'Not Found')
    return row


def _continued(upload_id, target):
    row = _found(upload_id, target)
    if row['expires'] <= _time():
        raise Refusal(410, 'Upload has expired')
    if row['complete']:
        raise Refusal(400, 'Upload has already been marked as "complete"')
    return row


def _time(later=datetime.timedelta()):
    """Return the time, or a later one, as the service writes it; such texts sort as the times do."""
    return (datetime.datetime.now(datetime.timezone.utc) + later).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def _md5_of(path):
    digest = hashlib.md5()
    with open(path, 'rb') as held:
        for block in iter(lambda: held.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()
