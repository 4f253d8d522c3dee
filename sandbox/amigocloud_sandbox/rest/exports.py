"""Exports: files made of a dataset by a job, and fetched afterwards."""
from flask import Blueprint, g, jsonify

from ..files import formats
from .answers import Refusal, anonymous, attachment, fields, invalid, needs, text
from .datasets import in_thread

blueprint = Blueprint('exports', __name__)
files = Blueprint('exported_files', __name__)
#: The formats of an export and the endings of their files.
_FORMATS = {'CSV': 'csv', 'GEOJSON': 'geojson', 'KML': 'kml', 'SHP': 'zip'}


@blueprint.route('/export', methods=['POST'])
@needs('READ')
def export():
    kind = text(fields(), 'format').upper()
    if kind not in _FORMATS:
        raise invalid('format', '"{}" is not a valid choice.'.format(kind))
    cloud, row = g.cloud, g.dataset

    def work(job):
        file = 'export_' + job
        schema = cloud.databases.run(row['project_id'], 'schema', row['id'])
        rows = cloud.databases.run(row['project_id'], 'rows', row['id'])
        in_thread(formats.write_file, schema, rows, kind, cloud.path_of(file))
        cloud.store.update('jobs', job, file=file, filename='{}.{}'.format(row['name'], _FORMATS[kind]))
        return {'link': '/exports/' + job}

    return jsonify(job=cloud.jobs.start(g.token['user_id'], g.project['id'], work))


@files.route('/exports/<job_id>')
@anonymous
def exported(job_id):
    job = g.cloud.store.find('jobs', id=job_id, status='SUCCESS')
    if job is None or 'link' not in job['extra']:
        raise Refusal(404, 'Not found.')
    return attachment(g.cloud.path_of(job['file']), job['filename'])
