"""The command line: ``amigocloud`` and ``python -m amigocloud``."""
from __future__ import absolute_import, unicode_literals

import argparse
import collections
import contextlib
import errno
import functools
import io
import itertools
import os
import re
import signal
import sys

import six

from . import checks, extras, waiting
from .client import BASE_URL, AmigoCloud
from .exceptions import AmigoCloudError, AmigoCloudValueError, printable, shown, text_of
from .rows import text_files
from .rows.pages import columns_of
from .tokens import strike_out
from .version import __version__

#: The exit codes besides 0. Ctrl-C has the code of a program that a shell ends by it.
FAILED = 1
INTERRUPTED = 130

#: The events that ``watch`` prints; the last two report the state of the connection.
EVENTS = ('realtime', 'project:creation_succeeded', 'dataset:creation_succeeded',
          'dataset:style_updated', 'temp_dataset:creation_succeeded',
          'temp_dataset:style_updated', 'disconnect', 'reconnect')

#: Characters of a cell in a table, and the rows that determine the widths of its columns.
CELL_LENGTH = 60
WIDTH_ROWS = 1000

#: Seconds between two lines of progress if the total is not known.
PROGRESS_SECONDS = 1

_PROJECT_COLUMNS = ('id', 'name', 'dataset_count')
_DATASET_COLUMNS = ('id', 'name', 'type', 'feature_count')

# The first word of a query, after spaces, brackets and comments; the words that begin a read; and
# the writes that may follow WITH and EXPLAIN.
_FIRST_WORD = re.compile(r'(?s)(?:\s|\(|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*(\w*)')
_READING_WORDS = ('select', 'values', 'table', 'show')
_WRITES = re.compile(r'(?i)\b(?:insert\s+into|update\s.*\sset|delete\s+from|merge\s+into)\b', re.S)

_EPILOG = ('The token is read from the environment variable AMIGOCLOUD_API_KEY or from the file of '
           '--token-file, and the address of another service from AMIGOCLOUD_API_URL.')


def main(arguments=None):
    """Run the command line.

    Args:
        arguments (list of str): the arguments. Defaults to those of the process.

    Returns:
        int: the exit code: 0, 1 after an error, 130 after Ctrl-C. A usage error exits with 2.
    """
    options = _options(arguments)
    console = _Console(options.progress)
    code = 0
    try:
        console.token = _token(options.token_file)
        address = os.environ.get('AMIGOCLOUD_API_URL') or BASE_URL
        with AmigoCloud(console.token, base_url=address,
                        use_websockets=options.run is _watch) as client:
            options.run(client, options, console)
    except _ReaderGone:
        # A program such as head has read as much as it wanted.
        pass
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (AmigoCloudError, EnvironmentError) as error:
        console.report('amigocloud: ' + strike_out(_described(error), console.token))
        code = FAILED
    return console.close() or code


def _whoami(client, options, console):
    user = client.get('/me')
    if options.json:
        console.write_json(user)
    else:
        names = [user.get(name) for name in ('first_name', 'last_name')]
        name = ' '.join(name for name in names if name)
        console.write('{} <{}>, user {}\n'.format(name, user.get('email'), user.get('id')))


def _projects(client, options, console):
    _show_list(client.get_cursor('me/projects'), _PROJECT_COLUMNS, options, console)


def _datasets(client, options, console):
    cursor = client.project(options.project).datasets()
    _show_list(cursor, _DATASET_COLUMNS, options, console)


def _show_list(cursor, columns, options, console):
    if options.json:
        text_files.write_json(console.write_service_text, None, cursor)
    else:
        _show(collections.OrderedDict.fromkeys(columns), cursor, console)


def _sql(client, options, console):
    project = client.project(options.project)
    if not _reads(options.query):
        if options.output is not None:
            raise AmigoCloudValueError(
                '--output needs a query that returns rows, but this query writes.')
        _execute(project, options, console)
    elif options.output is not None:
        _write_file(project.sql(options.query), options.output, console.progress('Reading', 'rows'))
    else:
        cursor = project.sql(options.query)
        types = _types(cursor)
        # Rows that appear in the terminal are progress enough.
        progress = None if console.is_terminal else console.progress('Reading', 'rows')
        rows = _rows(cursor, types, progress)
        if options.json:
            text_files.write_json(console.write, types, rows)
        else:
            _show(types, rows, console)


def _reads(query):
    """Return whether a query only reads: a read is retried if its answer is lost."""
    word = _FIRST_WORD.match(query).group(1).lower()
    if word in ('with', 'explain'):
        return _WRITES.search(query) is None
    return word in _READING_WORDS


def _execute(project, options, console):
    answer = project.execute(options.query)
    if options.json:
        console.write_json(answer)
    else:
        count = checks.member(answer, 'count', six.integer_types, 'the query')
        console.write('{} rows written\n'.format(count))


def _write_file(cursor, path, progress):
    writer = text_files.writer_of(path)
    if writer:
        types = _types(cursor)
        text_files.write_file(path, writer, types, _rows(cursor, types, progress))
    elif path.lower().endswith('.parquet'):
        _write_parquet(cursor, path, progress)
    else:
        cursor.to_file(path, progress)


def _rows(cursor, types, report):
    """Yield the rows as dicts, and report the progress."""
    total = cursor.get('count') if report else None
    for done, row in enumerate(cursor, 1):
        yield row if isinstance(row, dict) else dict(zip(types, row))
        if report:
            report(done, total)


def _write_parquet(cursor, path, progress):
    extras.need('arrow', 'pyarrow', 'pandas', 'geopandas', 'shapely', 'pyproj')
    with text_files.replaced(path) as part:
        if 'geometry' in _types(cursor).values():
            # geopandas adds the metadata of GeoParquet, by which other programs know the geometry.
            cursor.to_geodataframe(progress=progress).to_parquet(part)
        else:
            from pyarrow import parquet
            parquet.write_table(cursor.to_arrow(progress), part)


def _export(client, options, console):
    dataset = client.project(options.project).dataset(options.dataset)
    path = dataset.export(options.format, options.output, console.progress('Downloading', 'bytes'))
    console.write(six.ensure_text(path, errors='replace') + '\n')


def _upload(client, options, console):
    project = client.project(options.project)
    answer = project.upload(options.file, progress=console.progress('Uploading', 'bytes'))
    job = client.wait_for_job(answer, progress=console.progress('Importing', 'jobs'))
    extra = job.get('extra')
    ids = extra.get('dataset_ids') if isinstance(extra, dict) else None
    ids = ids or []
    if options.json:
        console.write_json({'dataset_ids': ids})
    else:
        for dataset_id in ids:
            console.write('{}\n'.format(dataset_id))


def _photos(client, options, console):
    paths = client.gallery(options.gallery).download(
        options.folder, progress=console.progress('Downloading', 'photos'))
    for path in paths:
        console.write(six.ensure_text(path, errors='replace') + '\n')


def _watch(client, options, console):
    def show(name, data):
        console.write_json(collections.OrderedDict([('event', name), ('data', data)]))
        console.flush()
    for name in EVENTS:
        client.add_callback(name, functools.partial(show, name))
    if options.project:
        client.project(options.project).dataset(options.dataset).listen()
    else:
        client.listen_user_events()
    interrupts = []

    def stop(number, frame):
        # A KeyboardInterrupt inside gevent would be printed with a traceback. The second Ctrl-C
        # raises one, because the first has no effect while nobody reads the output.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupts.append(number)
        client.stop_listening()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    if console.shows_progress:
        console.report('Listening. Press Ctrl-C to end.')
    client.start_listening()
    if interrupts:
        raise KeyboardInterrupt


def _show(types, rows, console):
    """Write rows as a table to a terminal, else as CSV."""
    if not console.is_terminal:
        text_files.write_csv(console.write, types, rows)
        return
    lines = (_cells(row.get(name) for name in types) for row in rows)
    first = [_cells(types)]
    first.extend(itertools.islice(lines, WIDTH_ROWS))
    widths = [max(len(cell) for cell in column) for column in zip(*first)]
    first.insert(1, ['-' * width for width in widths])
    for line in itertools.chain(first, lines):
        text = '  '.join(cell.ljust(width) for cell, width in zip(line, widths))
        console.write(text.rstrip() + '\n')


def _cells(values):
    texts = (six.ensure_text(printable(text_files.cell_text(value))) for value in values)
    texts = (' '.join(text.split()) for text in texts)
    return [text if len(text) <= CELL_LENGTH else text[:CELL_LENGTH - 1] + '\u2026'
            for text in texts]


class _ReaderGone(Exception):
    """The program that read the standard output has ended."""


class _Console(object):
    """The standard output, and the progress on the standard error.

    Args:
        progress (bool): report the progress even if the standard error is not a terminal.

    Attributes:
        is_terminal (bool): whether the output is shown in a terminal.
        shows_progress (bool): whether the progress is reported.
        token (str): is struck out of ``write_service_text``.
    """

    def __init__(self, progress):
        self.token = None
        self.is_terminal = sys.stdout.isatty()
        self.shows_progress = progress or sys.stderr.isatty()
        self._encoding = (self.is_terminal and sys.stdout.encoding) or 'utf-8'
        self._output = getattr(sys.stdout, 'buffer', sys.stdout)
        self._has_open_line = False

    def write(self, text):
        if self.is_terminal:
            self._end_line()
        with self._reader():
            self._output.write(text.encode(self._encoding, 'replace'))

    def write_service_text(self, text):
        """Write a text of the service without the token, which its links may hold."""
        self.write(strike_out(text, self.token))

    def write_json(self, value):
        """Write a value of the service in one line."""
        self.write_service_text(text_files.json_text(value) + '\n')

    def flush(self):
        with self._reader():
            self._output.flush()

    def close(self):
        """Write out what is buffered, and return the exit code for that."""
        self._end_line()
        try:
            self.flush()
        except _ReaderGone:
            pass
        except EnvironmentError as error:
            self.report('amigocloud: ' + _described(error))
            return FAILED
        return 0

    def report(self, text):
        """Write a line to the standard error."""
        self._end_line()
        self._write_error(six.ensure_text(printable(text)).rstrip() + '\n')

    def progress(self, label, unit):
        """Return a function that reports the progress, or None if nobody sees it."""
        if not self.shows_progress:
            return None
        latest = [None, 0]

        def report(done, total):
            if total:
                text = '{}: {} %'.format(label, 100 * done // total)
            elif waiting.now() - latest[1] < PROGRESS_SECONDS:
                return
            else:
                text = '{}: {:,} {}'.format(label, done, unit)
            if text != latest[0]:
                latest[:] = [text, waiting.now()]
                self._show_progress(text)
                if total and done >= total:
                    self._end_line()
        return report

    def _end_line(self):
        """End the line of a progress."""
        if self._has_open_line:
            self._has_open_line = False
            self._write_error('\n')

    def _show_progress(self, text):
        if sys.stderr.isatty():
            self._has_open_line = True
            self._write_error('\r' + text)
        else:
            self._write_error(text + '\n')

    @contextlib.contextmanager
    def _reader(self):
        try:
            yield
        except EnvironmentError as error:
            # The interpreter flushes the output once more when it ends, which must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno == errno.EPIPE:
                raise _ReaderGone()
            raise

    def _write_error(self, text):
        output = getattr(sys.stderr, 'buffer', sys.stderr)
        output.write(text.encode(sys.stderr.encoding or 'utf-8', 'replace'))
        output.flush()


def _token(path):
    """Return the token of a file, or else of the environment.

    The message of an error does not repeat the path, which may be a token passed by mistake.
    """
    if path is None:
        token = os.environ.get('AMIGOCLOUD_API_KEY') or os.environ.get('AMIGOCLOUD_TOKEN')
        if not token:
            raise AmigoCloudValueError(
                'Set the environment variable AMIGOCLOUD_API_KEY to your token, or name a file '
                'that holds it by --token-file.')
        return token
    try:
        with io.open(path, encoding='utf-8-sig') as content:
            token = str(content.readline().strip())
    except (EnvironmentError, ValueError) as error:
        six.raise_from(AmigoCloudValueError('The file of --token-file cannot be read: {}'.format(
            getattr(error, 'strerror', None) or 'it is not text.')), error)
    if not token:
        raise AmigoCloudValueError(
            'The first line of the file of --token-file is empty; write the token into it.')
    return token


def _types(cursor):
    """Return the types of the columns by their names."""
    try:
        columns = cursor.get('columns')
    except ValueError as error:
        if isinstance(error, AmigoCloudError):
            raise
        six.raise_from(AmigoCloudError(text_of(error)), error)
    return columns_of({'columns': columns})


def _described(error):
    """Return an error as the text of one line, and the text of the service below it."""
    if isinstance(error, AmigoCloudError) or not error.strerror:
        return text_of(error)
    if error.filename is None:
        return error.strerror
    return '{}: {}'.format(shown(error.filename), error.strerror)


class _Refuse(argparse.Action):
    """Refuse a token among the arguments: all users of a machine can read them."""

    def __call__(self, parser, namespace, values, option_string=None):
        parser.error('a token cannot be an argument, which other users of the machine can read; '
                     'set AMIGOCLOUD_API_KEY, or use --token-file')


def _text(value):
    """Return an argument, which is bytes on Python 2, as a text."""
    try:
        text = six.ensure_text(value)
        text.encode('utf-8')
    except UnicodeError:
        raise argparse.ArgumentTypeError('must be text in UTF-8')
    return text


def _argument(check):
    """Return the type of an argument that a function of ``checks`` checks."""
    def convert(value):
        try:
            return check(value)
        except AmigoCloudValueError as error:
            raise argparse.ArgumentTypeError(text_of(error))
    return convert


_PROJECT = _argument(checks.project_id)
_DATASET = _argument(functools.partial(checks.whole_number, 'dataset_id', smallest=1))
_GALLERY = _argument(functools.partial(checks.whole_number, 'gallery_id', smallest=1))


def _options(arguments):
    parser = _parser()
    options = parser.parse_args(arguments, argparse.Namespace(token_file=None, progress=False))
    if options.run is _watch and options.project and not options.dataset:
        parser.error('watch needs a project and a dataset, or neither')
    return options


def _parser():
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument('--token-file', metavar='FILE',
                        help='a file with the token in its first line')
    common.add_argument('--token', nargs='?', action=_Refuse, help=argparse.SUPPRESS)
    common.add_argument('--progress', action='store_true',
                        help='report the progress even if stderr is not a terminal')
    parser = argparse.ArgumentParser('amigocloud', parents=[common], epilog=_EPILOG,
                                     description='Work with AmigoCloud from the command line.')
    parser.add_argument('--version', action='version', version='amigocloud ' + __version__)
    commands = parser.add_subparsers(metavar='COMMAND', dest='command')
    # Subparsers of Python 3 are optional unless this is set.
    commands.required = True

    def add(name, run, text):
        command = commands.add_parser(name, parents=[common], help=text, description=text)
        command.set_defaults(run=run)
        return command

    def add_json(command):
        command.add_argument('--json', action='store_true', help='print JSON')

    add_json(add('whoami', _whoami, 'Show the user of the token.'))
    add_json(add('projects', _projects, 'List the projects of the user.'))

    datasets = add('datasets', _datasets, 'List the datasets of a project.')
    datasets.add_argument('project', type=_PROJECT, metavar='PROJECT', help='id or UUID')
    add_json(datasets)

    sql = add('sql', _sql, 'Run a query: show its rows as a table in a terminal, else as CSV.')
    sql.add_argument('project', type=_PROJECT, metavar='PROJECT', help='id or UUID')
    sql.add_argument('query', type=_text, metavar='QUERY', help='in the SQL of PostGIS')
    formats = sql.add_mutually_exclusive_group()
    formats.add_argument('-o', '--output', metavar='FILE',
                         help='write a file; its ending selects the format: .csv, .json, .geojson, '
                              'or with further packages .gpkg, .parquet, .shp, .kml ...')
    add_json(formats)

    export = add('export', _export, 'Export a dataset to a file, and print its path.')
    export.add_argument('project', type=_PROJECT, metavar='PROJECT', help='id or UUID')
    export.add_argument('dataset', type=_DATASET, metavar='DATASET', help='id')
    export.add_argument('format', type=_text, metavar='FORMAT', help='CSV, GEOJSON, KML, SHP ...')
    export.add_argument('-o', '--output', metavar='FILE',
                        help='a file or a folder (default: the current folder)')

    upload = add('upload', _upload, 'Upload a file, wait for its import, print the dataset ids.')
    upload.add_argument('project', type=_PROJECT, metavar='PROJECT', help='id or UUID')
    upload.add_argument('file', metavar='FILE')
    add_json(upload)

    photos = add('photos', _photos, 'Download the photos of a gallery, and print their paths.')
    photos.add_argument('gallery', type=_GALLERY, metavar='GALLERY', help='id')
    photos.add_argument('folder', metavar='FOLDER', help='created if it does not exist')

    watch = add('watch', _watch, 'Print live events as lines of JSON until Ctrl-C.')
    watch.add_argument('project', type=_PROJECT, nargs='?', metavar='PROJECT',
                       help='id or UUID (default: the events of the user)')
    watch.add_argument('dataset', type=_DATASET, nargs='?', metavar='DATASET', help='id')
    return parser
