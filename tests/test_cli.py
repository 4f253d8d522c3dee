# coding: utf-8
"""The command line, in processes of its own, against the recording server and the sandbox."""
from __future__ import unicode_literals

import io
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading

import pytest
import six
from conftest import Answer
from servers import PATIENCE

import amigocloud
from amigocloud import AmigoCloudError, cli
from amigocloud.rows import text_files

pytest_plugins = ['realtime_fixtures']

pytestmark = pytest.mark.every_python

TOKEN = 'R:secret+0123456789'

COLUMNS = [{'name': 'id', 'type': 'integer'}, {'name': 'name', 'type': 'string'},
           {'name': 'size', 'type': 'float'}, {'name': 'place', 'type': 'geometry'}]

#: POINT(1 2) in SRID 4326.
POINT = '0101000020E6100000000000000000F03F0000000000000040'

SQL = '/api/v1/projects/1/sql'


def _heed_interrupts():
    # A shell lets the programs that it runs in the background ignore Ctrl-C, and their children too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(wire, tmpdir):
    """Starts the command line with the server's URL and a token; kills what has not ended."""
    processes = []

    def run(*arguments, **options):
        path = os.pathsep.join([os.path.dirname(os.path.dirname(amigocloud.__file__)),
                                os.environ.get('PYTHONPATH', '')])
        env = dict(os.environ, PYTHONPATH=path, AMIGOCLOUD_API_URL=wire.url,
                   AMIGOCLOUD_API_KEY=TOKEN)
        env.update(options.pop('env', {}))
        command = [sys.executable] + options.pop('python', ['-m', 'amigocloud']) + list(arguments)
        # Python 2 takes the bytes of the terminal.
        settings = dict({'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}, **options)
        process = subprocess.Popen(
            [six.ensure_str(word) for word in command], cwd=str(tmpdir),
            env={six.ensure_str(name): six.ensure_str(value) for name, value in env.items()},
            preexec_fn=_heed_interrupts, **settings)
        watchdog = threading.Timer(3 * PATIENCE, process.kill)
        watchdog.start()
        processes.append((process, watchdog))
        return process
    yield run
    for process, watchdog in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()
        watchdog.cancel()
        watchdog.join()


@pytest.fixture
def run(start):
    """Runs the command line, and returns its exit code, output and errors."""
    def run(*arguments, **options):
        process = start(*arguments, **options)
        out, err = (text.decode('utf-8') for text in process.communicate())
        for secret in (TOKEN, 'secret'):
            assert secret not in out + err
        assert 'Traceback' not in err
        return process.returncode, out, err
    return run


def page(rows, next=None, count=None, columns=COLUMNS):
    return {'columns': columns, 'data': rows, 'next': next, 'count': count}


def two_pages(wire):
    """Has the server answer a query by two pages of one row each."""
    first = page([{'id': 1, 'name': 'Ünter "A", B', 'size': 0.1, 'place': POINT}],
                 wire.url + SQL + '?query=x&offset=1&token=' + TOKEN, 2)
    second = page([{'id': 2, 'name': '', 'size': None, 'place': None}], count=2)
    wire.answers[SQL] = lambda request: second if 'offset' in request.params else first
    return second


def test_whoami(run, wire):
    wire.answers['/api/v1/me'] = {'id': 7, 'first_name': 'Ada', 'last_name': None, 'email': 'a@b.c',
                                  'images': wire.url + '/images?token=' + TOKEN}
    assert run('whoami') == (0, 'Ada <a@b.c>, user 7\n', '')
    code, out, err = run('whoami', '--json')
    assert (code, json.loads(out)['email'], json.loads(out)['images'], err) == (
        0, 'a@b.c', wire.url + '/images?token=***', '')
    assert wire.requests[0].params == {'token': TOKEN}


def test_lists(run, wire):
    projects = [{'id': 1, 'name': 'Bäume', 'dataset_count': 2, 'sql': 'http://x?token=' + TOKEN},
                {'id': 2, 'name': None}]
    wire.answers['/api/v1/me/projects'] = {'results': projects, 'next': None}
    wire.answers['/api/v1/projects/1/datasets'] = {
        'results': [{'id': 3, 'name': 'Oaks', 'type': 'vector', 'feature_count': 5}], 'next': None}
    assert run('projects') == (0, 'id,name,dataset_count\n1,Bäume,2\n2,,\n', '')
    assert run('datasets', '1') == (0, 'id,name,type,feature_count\n3,Oaks,vector,5\n', '')
    code, out, err = run('projects', '--json')
    assert (code, err, [row['name'] for row in json.loads(out)]) == (0, '', ['Bäume', None])
    wire.answers['/api/v1/projects/1/datasets'] = {'results': [], 'next': None}
    assert run('datasets', '1', '--json') == (0, '[]\n', '')


def test_sql__writes_csv_to_a_pipe(run, wire):
    two_pages(wire)
    assert run('sql', '1', "SELECT 'ü'") == (
        0, 'id,name,size,place\n1,"Ünter ""A"", B",0.1,{}\n2,"",,\n'.format(POINT), '')
    assert wire.requests[1].method == 'GET'
    assert wire.requests[1].params['query'] == "SELECT 'ü'"
    code, out, _ = run('sql', '1', 'SELECT', '--json')
    assert (code, [row['id'] for row in json.loads(out)]) == (0, [1, 2])


@pytest.mark.parametrize('name, expected', [
    ('x.csv', 'id,name,size,place\n1,"Ünter ""A"", B",0.1,{0}\n2,"",,\n'),
    ('x.JSON', '[\n{{"id": 1, "name": "Ünter \\"A\\", B", "size": 0.1, "place": "{0}"}},\n'
               '{{"id": 2, "name": "", "size": null, "place": null}}\n]\n'),
    ('x.geojson', '{{"type": "FeatureCollection", "features": [\n'
                  '{{"type": "Feature", '
                  '"geometry": {{"type": "Point", "coordinates": [1.0, 2.0]}}, '
                  '"properties": {{"id": 1, "name": "Ünter \\"A\\", B", "size": 0.1}}}},\n'
                  '{{"type": "Feature", "geometry": null, '
                  '"properties": {{"id": 2, "name": "", "size": null}}}}\n]}}\n')])
def test_sql__writes_a_file(run, wire, tmpdir, name, expected):
    two_pages(wire)
    tmpdir.join(name).write('old')
    tmpdir.join(name).chmod(0o640)
    assert run('sql', '1', 'SELECT 1', '-o', name, '--progress') == (
        0, '', 'Reading: 50 %\nReading: 100 %\n')
    assert tmpdir.join(name).read_binary().decode('utf-8') == expected.format(POINT)
    assert stat.S_IMODE(tmpdir.join(name).stat().mode) == 0o640


def test_sql__keeps_the_old_file_when_a_page_fails(run, wire, tmpdir):
    second = two_pages(wire)
    second['data'] = [{'id': 2, 'place': 'xyz'}]
    tmpdir.join('x.geojson').write('old')
    code, out, err = run('sql', '1', 'SELECT 1', '-o', 'x.geojson')
    assert (code, out) == (1, '')
    assert err.startswith('amigocloud: The column') and 'xyz' in err and err.count('\n') == 1
    assert [path.basename for path in tmpdir.listdir()] == ['x.geojson']
    assert tmpdir.join('x.geojson').read() == 'old'


@pytest.mark.parametrize('name, columns, reason', [
    ('x.geojson', COLUMNS[:2], 'needs a geometry column, and the result has id, name'),
    ('nowhere/x.csv', COLUMNS, 'There is no folder'), ('.', COLUMNS, '')])
def test_sql__refuses_a_file(run, wire, tmpdir, name, columns, reason):
    wire.answers[SQL] = page([], columns=columns)
    code, _, err = run('sql', '1', 'SELECT 1', '-o', name)
    assert code == 1 and reason in err
    assert not tmpdir.listdir()


def test_sql__posts_a_write(run, wire, tmpdir):
    wire.answers[SQL] = {'query': 'x', 'count': 3}
    query = '-- A comment.\nWITH old AS (SELECT 1) DELETE FROM t'
    assert run('sql', '1', query) == (0, '3 rows written\n', '')
    assert [(request.method, request.path) for request in wire.requests[1:]] == [('POST', SQL)]
    assert wire.requests[1].json == {'query': query}
    code, _, err = run('sql', '1', 'UPDATE t SET a = 1', '-o', 'x.csv')
    assert code == 1 and '--output needs a query that returns rows' in err
    assert len(wire.requests) == 3 and not tmpdir.listdir()


@pytest.mark.parametrize('query, expected', [
    ('SELECT 1', True), (' \n(select 1)', True), ('/* UPDATE */ VALUES (1)', True),
    ('--\nTABLE t', True), ('WITH a AS (SELECT 1) SELECT * FROM a', True),
    ('with a as (insert into t select 1 returning *) select * from a', False),
    ('UPDATE t\nSET a = 1', False), ('/* SELECT */ DELETE FROM t', False),
    ('-- SELECT\ninsert into t select 1', False), ('TRUNCATE t', False), ('--', False),
    ('EXPLAIN SELECT 1', True), ('EXPLAIN ANALYZE DELETE FROM t', False)])
def test_reads(query, expected):
    assert cli._reads(query) is expected


def test_sql__names_the_extra_of_a_format(run, wire):
    script = ('import sys; sys.modules.update(pandas=None, pyarrow=None)\n'
              'from amigocloud import cli; sys.exit(cli.main())')
    wire.answers[SQL] = page([])
    for name, extra in (('x.gpkg', 'geo'), ('x.parquet', 'arrow')):
        code, _, err = run('sql', '1', 'SELECT 1', '-o', name, python=['-c', script])
        assert code == 1 and 'pip install "amigocloud[{}]"'.format(extra) in err
    assert len(wire.requests) == 2


def test_sql__writes_files_by_packages(run, sandbox, tmpdir):
    geopandas = pytest.importorskip('geopandas', reason='it is an extra')
    pyogrio = pytest.importorskip('pyogrio', reason='it is an extra')
    pytest.importorskip('pyarrow', reason='it is an extra')
    env = {'AMIGOCLOUD_API_URL': sandbox.url, 'AMIGOCLOUD_API_KEY': sandbox.token}
    query = 'SELECT name, location FROM dataset_{} ORDER BY name'.format(sandbox.vehicles_id)
    for name in ('x.gpkg', 'x.parquet', 'x.geojson'):
        assert run('sql', str(sandbox.project_id), query, '-o', name, env=env) == (0, '', '')
    tables = [pyogrio.read_dataframe(str(tmpdir.join('x.gpkg'))),
              geopandas.read_parquet(str(tmpdir.join('x.parquet'))).rename_geometry('geometry'),
              pyogrio.read_dataframe(str(tmpdir.join('x.geojson')))]
    for table in tables:
        assert table['name'].tolist() == tables[0]['name'].tolist() and len(table) == 5
        assert table.geometry.geom_equals_exact(tables[0].geometry, 1e-9).all()
        assert table.crs.to_epsg() == 4326
    query = 'SELECT name FROM dataset_{}'.format(sandbox.vehicles_id)
    assert run('sql', str(sandbox.project_id), query, '-o', 'x.parquet', env=env) == (0, '', '')
    assert len(tmpdir.listdir()) == 3


def test_export(run, wire, tmpdir):
    wire.answers.update({
        '/api/v1/projects/1/datasets/2': {'export': wire.url + '/api/v1/export'},
        '/api/v1/export': {'job': 5}, '/file.csv': Answer(b'a,b\n'), '/api/v1/me/jobs/5': {
            'status': 'SUCCESS', 'extra': {'link': wire.url + '/file.csv'}}})
    assert run('export', '1', '2', 'CSV') == (0, 'file.csv\n', '')
    assert run('export', '1', '2', 'CSV', '-o', 'ä.csv') == (0, 'ä.csv\n', '')
    assert sorted(path.read() for path in tmpdir.listdir()) == ['a,b\n', 'a,b\n']


def test_upload(run, wire, tmpdir):
    tmpdir.join('x.csv').write('a,b\n')
    wire.answers.update({
        '/api/v1/projects/1/datasets/upload': {'job': 5},
        '/api/v1/me/jobs/5': {'status': 'SUCCESS', 'extra': {'dataset_ids': [8, 9]}}})
    assert run('upload', '1', 'x.csv', '--progress')[:2] == (0, '8\n9\n')
    assert b'a,b\n' in wire.requests[1].body
    assert run('upload', '1', 'x.csv', '--json') == (0, '{"dataset_ids": [8, 9]}\n', '')
    code, _, err = run('upload', '1', 'missing.csv')
    assert (code, err) == (1, "amigocloud: 'missing.csv': No such file or directory\n")
    wire.answers['/api/v1/me/jobs/5'] = {'status': 'FAILURE', 'extra': {'error': 'no columns'}}
    code, out, err = run('upload', '1', 'x.csv')
    assert (code, out) == (1, '') and 'no columns' in err


def test_photos(run, wire, tmpdir):
    gallery = '/api/v1/related_tables/3/'
    wire.answers[gallery + 'entries'] = {'next': None, 'data': [
        {'amigo_id': '0a', 'source_amigo_id': '1b', 'filename': 'Käfer.jpg'}]}
    wire.answers[gallery + 'files/1b/0a/K%C3%A4fer.jpg'] = Answer(b'photo')
    assert run('photos', '3', 'new') == (0, os.path.join('new', 'Käfer-0a.jpg') + '\n', '')
    assert [path.read() for path in tmpdir.join('new').listdir()] == ['photo']


def test_error__has_the_text_of_the_service_and_no_token(run, wire):
    wire.answers[SQL] = Answer(('no table for ' + TOKEN + '\n').encode('utf-8'), 400)
    code, out, err = run('sql', '1', 'SELECT 1')
    assert (code, out) == (1, '')
    assert err.startswith('amigocloud: 400 ') and err.endswith('\nno table for ***\n')
    assert err.count('\n') == 2


def test_token(run, wire, tmpdir):
    path = tmpdir.join('token')
    # Some editors begin a file with a byte order mark.
    path.write_binary(b'\xef\xbb\xbf' + TOKEN.encode('utf-8') + b'\r\nmore\n')
    none = {'AMIGOCLOUD_API_KEY': ''}
    assert run('whoami', '--token-file', 'token', env=none)[0] == 0
    assert run('--token-file', 'token', 'whoami', env=none)[0] == 0
    assert {request.params['token'] for request in wire.requests} == {TOKEN}
    path.write('\n')
    for arguments, reason in ((['--token-file', 'token'], 'is empty'), ([], 'AMIGOCLOUD_API_KEY'),
                              (['--token-file', TOKEN], 'No such file')):
        code, _, err = run('whoami', *arguments, env=none)
        assert code == 1 and reason in err
    for arguments in (['whoami', '--token', TOKEN], ['--token=' + TOKEN, 'whoami']):
        code, _, err = run(*arguments)
        assert code == 2 and 'a token cannot be an argument' in err
    assert len(wire.requests) == 4


@pytest.mark.parametrize('arguments', [
    [], ['nothing'], ['datasets'], ['datasets', 'x'], ['export', '1', '-2', 'CSV'], ['watch', '1'],
    ['sql', '1', 'SELECT 1', '--json', '-o', 'x.csv']])
def test_usage(capsys, arguments):
    with pytest.raises(SystemExit) as info:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert (info.value.code, out) == (2, '') and err.startswith('usage: ')


def test_help(run):
    code, out, err = run('sql', '--help')
    assert (code, err) == (0, '') and '.geojson' in out and '--token ' not in out
    assert run('--help')[1].count('watch') and run('--help')[0] == 0


def test_interrupt__ends_with_130_and_leaves_the_old_file(start, wire, tmpdir):
    two_pages(wire)
    first = wire.answers[SQL]
    requested = threading.Event()
    over = threading.Event()

    def answer(request):
        if 'offset' in request.params:
            requested.set()
            over.wait(PATIENCE)
        return first(request)
    wire.answers[SQL] = answer
    tmpdir.join('x.csv').write('old')
    process = start('sql', '1', 'SELECT 1', '-o', 'x.csv')
    assert requested.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    try:
        assert process.communicate() == (b'', b'')
    finally:
        over.set()
    assert process.returncode == 130
    assert [path.read() for path in tmpdir.listdir()] == ['old']


def test_broken_pipe__ends_quietly(start, wire):
    wire.answers[SQL] = page([{'id': number, 'name': 1000 * 'x'} for number in range(1000)])
    process = start('sql', '1', 'SELECT 1')
    assert process.stdout.readline() == b'id,name,size,place\n'
    process.stdout.close()
    assert process.stderr.read() == b''
    assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='only Linux has a disk that is full')
def test_full_disk(start, wire):
    wire.answers[SQL] = page([])
    with io.open('/dev/full', 'wb') as full:
        process = start('sql', '1', 'SELECT 1', stdout=full)
        assert process.communicate()[1] == b'amigocloud: No space left on device\n'
    assert process.returncode == 1


WATCH = '''
import functools, sys
from amigocloud import AmigoCloud, cli
cli.AmigoCloud = functools.partial(AmigoCloud, websocket_port=int(sys.argv.pop(1)))
sys.exit(cli.main())
'''


@pytest.mark.parametrize('arguments, session, event', [
    (['1', '2'], '/api/v1/projects/1/datasets/2', 'realtime'),
    ([], '/api/v1/me', 'project:creation_succeeded')])
def test_watch(start, wire, python_server, arguments, session, event):
    wire.answers[session + '/start_websocket_session'] = {'websocket_session': 'S'}
    process = start(str(python_server.port), 'watch', *arguments, python=['-c', WATCH])
    python_server.expect('authenticate')
    for data in ({'name': 'Käfer', 'url': 'http://x?token=' + TOKEN}, {'name': 'B'}):
        python_server.emit(event, data)
    assert [json.loads(process.stdout.readline().decode('utf-8')) for _ in range(2)] == [
        {'event': event, 'data': {'name': 'Käfer', 'url': 'http://x?token=***'}},
        {'event': event, 'data': {'name': 'B'}}]
    process.send_signal(signal.SIGINT)
    assert process.communicate() == (b'', b'')
    assert process.returncode == 130


def test_terminal__shows_a_table_and_progress(start, wire, tmpdir):
    pty = pytest.importorskip('pty', reason='Windows has no such terminals')
    two_pages(wire)
    process = None
    near, far = pty.openpty()
    try:
        process = start('sql', '1', 'SELECT 1', stdout=far, env={'PYTHONIOENCODING': 'utf-8'})
        assert process.communicate()[1] == b''
        process = start('sql', '1', 'SELECT 1', '-o', 'x.csv', stdout=far, stderr=far)
        process.communicate()
        os.close(far)
        shown = os.read(near, 10000).decode('utf-8').replace('\r\n', '\n')
    finally:
        os.close(near)
    assert shown == (
        'id  name          size  place\n'
        '--  ------------  ----  {}\n'
        '1   Ünter "A", B  0.1   {}\n'
        '2\n'
        '\rReading: 50 %\rReading: 100 %\n').format('-' * len(POINT), POINT)


NESTED = '01{:02x}000000{:02x}000000'.format


@pytest.mark.parametrize('value, expected', [
    (None, None), (POINT, {'type': 'Point', 'coordinates': [1.0, 2.0]}),
    ('00000000013FF00000000000004000000000000000', {'type': 'Point', 'coordinates': [1.0, 2.0]}),
    ('0101000000000000000000F87F000000000000F87F', {'type': 'Point', 'coordinates': []}),
    # POINT ZM(1 2 3 4), and POINT M(1 2 4).
    ('01010000C0000000000000F03F000000000000004000000000000008400000000000001040',
     {'type': 'Point', 'coordinates': [1.0, 2.0, 3.0]}),
    ('0101000040000000000000F03F00000000000000400000000000001040',
     {'type': 'Point', 'coordinates': [1.0, 2.0]}),
    (NESTED(2, 2) + 2 * POINT[18:], {'type': 'LineString', 'coordinates': 2 * [[1.0, 2.0]]}),
    (NESTED(3, 2) + 2 * ('02000000' + 2 * POINT[18:]),
     {'type': 'Polygon', 'coordinates': 2 * [2 * [[1.0, 2.0]]]}),
    (NESTED(3, 0), {'type': 'Polygon', 'coordinates': []}),
    (NESTED(4, 2) + 2 * ('0101000000' + POINT[18:]),
     {'type': 'MultiPoint', 'coordinates': 2 * [[1.0, 2.0]]}),
    (NESTED(6, 1) + NESTED(3, 1) + '01000000' + POINT[18:],
     {'type': 'MultiPolygon', 'coordinates': [[[[1.0, 2.0]]]]}),
    (NESTED(7, 1) + POINT,
     {'type': 'GeometryCollection', 'geometries': [{'type': 'Point', 'coordinates': [1.0, 2.0]}]})])
def test_geojson(value, expected):
    assert text_files.geojson('place', value) == expected


@pytest.mark.parametrize('value, reason', [
    (POINT.replace('E6100000', '110F0000'), 'SRID 3857.*ST_Transform'),
    (NESTED(8, 0), 'ST_CurveToLine'), (NESTED(2, 255), 'not hex EWKB'),
    (POINT[:-2], 'not hex EWKB'), ('', 'not hex EWKB'), ('xyz', 'not hex EWKB'),
    ('é', 'not hex EWKB'), (5, 'not hex EWKB'), (20000 * NESTED(7, 1), 'not hex EWKB')])
def test_geojson__refuses(value, reason):
    with pytest.raises(AmigoCloudError, match=reason) as info:
        text_files.geojson('place', value)
    assert 'place' in str(info.value)


def test_text_files__values():
    lines = []
    types = dict.fromkeys(['a'])
    rows = [None, '', ' x', 'é\n', True, 1.5, 12345678901234567890, ['ä', None], {'b': 1}]
    text_files.write_csv(lines.append, types, [{'a': value} for value in rows])
    assert lines == ['a\n', '""\n', '""\n', '" x"\n', '"é\n"\n', 'true\n', '1.5\n',
                     '12345678901234567890\n', '"[""ä"", null]"\n', '"{""b"": 1}"\n']
    with pytest.raises(AmigoCloudError, match='NaN'):
        text_files.write_json(lines.append, types, [{'a': float('nan')}])


def test_documentation__has_commands_that_exist():
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with io.open(os.path.join(folder, 'docs', 'command_line.rst'), encoding='utf-8') as text:
        lines = [line.strip() for line in text if line.startswith('    amigocloud ')]
    commands = {cli._options(shlex.split(str(line))[1:]).run for line in lines}
    assert len(commands) == 8


def test_geojson__collection_in_a_multipoint():
    with pytest.raises(AmigoCloudError, match='not hex EWKB'):
        text_files.geojson('g', '010400000001000000' '010700000000000000')
