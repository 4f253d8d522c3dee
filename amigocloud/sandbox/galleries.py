"""Galleries: photos that belong to the rows of a dataset."""
import re
import uuid

from flask import Blueprint, g, jsonify, send_file

from .answers import Refusal, arguments, fields, invalid, link, next_link, page, stated, text, window
from .datasets import path_of_dataset
from .uploads import complete, receive, receive_chunk

listing = Blueprint('gallery_lists', __name__)
blueprint = Blueprint('galleries', __name__)
_AMIGO_ID = re.compile(r'[\w-]{1,64}')
# Where the amigo_ids of entries come from, so that each keeps its own.
_ENTRIES = uuid.UUID('5f0c1c52-9f1d-4a0e-8f5e-0d2a6f3b7c11')


@listing.route('/related_tables')
def galleries():
    store, dataset_id = g.cloud.store, g.dataset['id']
    return page(store.count('galleries', dataset_id=dataset_id), lambda limit, offset: [
        stated(row, _state) for row in store.select('galleries', limit, offset, dataset_id=dataset_id)])


@listing.route('/related_tables', methods=['POST'])
def create():
    name = text(fields(), 'name')
    gallery_id = g.cloud.store.insert('galleries', dataset_id=g.dataset['id'], name=name)
    return jsonify(_state(g.cloud.store.find('galleries', id=gallery_id))), 201


@blueprint.route('')
def gallery():
    return jsonify(_state(g.gallery))


@blueprint.route('/entries')
def entries():
    where = {'gallery_id': g.gallery['id']}
    if 'source_amigo_id' in arguments():
        where['source_amigo_id'] = arguments()['source_amigo_id']
    store, (limit, offset) = g.cloud.store, window(arguments())
    return jsonify(data=[_entry(row) for row in store.select('entries', limit, offset, **where)],
                   next=next_link(store.count('entries', **where), limit, offset))


@blueprint.route('/files/<source>/<amigo_id>/<name>')
def photo(source, amigo_id, name):
    rows = g.cloud.store.select('entries', gallery_id=g.gallery['id'], source_amigo_id=source, filename=name)
    row = next((row for row in rows if _amigo_id(row) == amigo_id), None)
    if row is None:
        raise Refusal(404, 'Not found.')
    return send_file(g.cloud.path_of(row['file']), as_attachment=True, download_name=row['filename'],
                     conditional=True)


@blueprint.route('/upload', methods=['POST'])
def upload():
    file, filename = receive()
    return _add(file, filename, fields())


@blueprint.route('/chunked_upload', methods=['POST'])
def upload_chunk():
    return receive_chunk('gallery {}'.format(g.gallery['id']))


@blueprint.route('/chunked_upload/complete', methods=['POST'])
def complete_upload():
    return _add(*complete('gallery {}'.format(g.gallery['id'])))


def _add(file, filename, sent):
    source = text(sent, 'source_amigo_id')
    if not _AMIGO_ID.fullmatch(source):
        raise invalid('source_amigo_id', 'Not a valid amigo_id.')
    name = re.sub(r'[/\\]', '_', text(sent, 'filename', filename))
    metadata = {key: value for key, value in sent.items() if key not in ('source_amigo_id', 'filename')}
    entry_id = g.cloud.store.insert('entries', gallery_id=g.gallery['id'], source_amigo_id=source, filename=name,
                                    metadata=metadata, file=file)
    return jsonify(_entry(g.cloud.store.find('entries', id=entry_id)))


def _entry(row):
    amigo_id = _amigo_id(row)
    return {'amigo_id': amigo_id, 'source_amigo_id': row['source_amigo_id'], 'filename': row['filename'],
            'metadata': row['metadata'],
            'url': link('/related_tables/{}/files/{}/{}/{}'.format(
                row['gallery_id'], row['source_amigo_id'], amigo_id, row['filename']))}


def _amigo_id(row):
    return uuid.uuid5(_ENTRIES, str(row['id'])).hex


def _state(row):
    path = '/related_tables/{}'.format(row['id'])
    links = {name: link('{}/{}'.format(path, name)) for name in ('entries', 'upload', 'chunked_upload')}
    return dict(links, id=row['id'], name=row['name'], url=link(path), chunked_upload_complete=link(
        path + '/chunked_upload/complete'), dataset=link(path_of_dataset(g.project, g.dataset)))
