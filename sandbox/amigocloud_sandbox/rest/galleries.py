"""Galleries: photos that belong to the rows of a dataset."""
import io
import re
import uuid

from flask import Blueprint, g, jsonify, send_file

from ..store import now
from .answers import (
    Refusal,
    arguments,
    attachment,
    fields,
    invalid,
    link,
    links,
    needs,
    next_link,
    rows_page,
    text,
    window,
)
from .uploads import complete, receive, receive_chunk

listing = Blueprint('gallery_lists', __name__)
blueprint = Blueprint('galleries', __name__)
_AMIGO_ID = re.compile(r'[\w-]{1,64}')
#: The longer side of a picture of medium size, in pixels.
_MEDIUM_PIXELS = 400


@listing.route('/related_tables')
def galleries():
    return rows_page('galleries', _state, dataset_id=g.dataset['id'])


@listing.route('/related_tables', methods=['POST'])
@needs('ADMIN')
def create():
    values = fields()
    if text(values, 'type') != 'gallery':
        raise invalid('type', '"{}" is not a valid choice.'.format(values['type']))
    gallery_id = make_gallery(g.cloud, g.project['id'], g.dataset['id'], text(values, 'name'))
    return jsonify(_state(g.cloud.store.find('galleries', id=gallery_id))), 201


@blueprint.route('')
def gallery():
    return jsonify(_state(g.gallery))


@blueprint.route('/schema')
def schema():
    return jsonify(schema=[{'name': name, 'type': kind} for name, kind in (
        ('amigo_id', 'string'), ('source_amigo_id', 'string'), ('filename', 'string'), ('s3_filename', 'string'),
        ('amigocloud_url', 'string'), ('datetime', 'datetime'), ('location', 'geometry'))])


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
    return _picture(source_amigo_id=source, amigo_id=amigo_id, filename=name)


@blueprint.route('/files/<source>/<name>')
def photo_by_name(source, name):
    return _picture(source_amigo_id=source, filename=name)


@blueprint.route('/upload', methods=['POST'])
def upload():
    file, filename = receive()
    return _add(file, filename, fields())


@blueprint.route('/chunked_upload', methods=['POST'])
def upload_chunk():
    return receive_chunk(_target())


@blueprint.route('/chunked_upload/complete', methods=['POST'])
def complete_upload():
    return _add(*complete(_target(), checks_md5=False))


def make_gallery(cloud, project_id, dataset_id, name):
    """Make a gallery of a dataset, with its table, and return its id."""
    gallery_id = cloud.store.insert('galleries', dataset_id=dataset_id, name=name, type='gallery')
    cloud.databases.run(project_id, 'create_gallery', gallery_id)
    return gallery_id


def _add(file, filename, sent):
    source = text(sent, 'source_amigo_id')
    if not _AMIGO_ID.fullmatch(source):
        raise invalid('source_amigo_id', 'Not a valid amigo_id.')
    name = re.sub(r'[/\\]', '_', text(sent, 'filename', filename))
    row = {'amigo_id': uuid.uuid4().hex, 'source_amigo_id': source, 'filename': name, 'datetime': now()}
    path = '/related_tables/{}/files/{}/{}/{}'.format(g.gallery['id'], source, row['amigo_id'], name)
    g.cloud.databases.run(g.project['id'], 'add_entry', g.gallery['id'], dict(
        row, s3_filename=file, amigocloud_url=link(path)))
    g.cloud.store.insert('entries', gallery_id=g.gallery['id'], file=file, **row)
    return jsonify(_entry(row))


def _picture(**where):
    rows = g.cloud.store.select('entries', gallery_id=g.gallery['id'], **where)
    if not rows:
        raise Refusal(404, 'Not found.')
    path = g.cloud.path_of(rows[-1]['file'])
    smaller = _medium(path) if 'medium' in arguments() else None
    if smaller is not None:
        return send_file(smaller, mimetype='image/jpeg')
    return attachment(path, rows[-1]['filename'])


def _medium(path):
    """Return a smaller picture as JPEG, or None of a file that is none."""
    from PIL import Image  # needed for nothing else
    try:
        with Image.open(path) as image:
            image.thumbnail((_MEDIUM_PIXELS, _MEDIUM_PIXELS))
            smaller = io.BytesIO()
            image.convert('RGB').save(smaller, 'JPEG')
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    smaller.seek(0)
    return smaller


def _entry(row):
    return {'amigo_id': row['amigo_id'], 'source_amigo_id': row['source_amigo_id'], 'filename': row['filename'],
            'datetime': row['datetime'].replace('T', ' ').replace('Z', '+00:00'), 'location': None}


def _target():
    return 'gallery {}'.format(g.gallery['id'])


def _state(row):
    path = '/related_tables/{}'.format(row['id'])
    return dict({'id': row['id'], 'url': link(path), 'name': row['name'], 'type': row['type'],
                 'table_name': 'gallery_{}'.format(row['id'])}, **links(path, {
                     'schema': 'schema', 'chunked_upload': 'chunked_upload',
                     'chunked_upload_complete': 'chunked_upload/complete'}))
