"""`python -m amigocloud_sandbox`: serve an AmigoCloud on this machine, or show the library at work against one."""
import argparse
import json
import os
import signal
import sys

_WELCOME = """\
AmigoCloud sandbox at {url}

  token (ADMIN)  {token}
  token (EDIT)   {edit_token}
  token (CREATE) {create_token}
  token (READ)   {read_token}
  project        {project_url}
  project token  {project_token}
  database       {engine}

  from amigocloud import AmigoCloud
  amigocloud = AmigoCloud(token='{token}', base_url='{url}')

Ctrl-C ends it."""


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(prog='python -m amigocloud_sandbox', description=__doc__)
    parser.add_argument('command', nargs='?', choices=('serve', 'tour'), default='serve')
    parser.add_argument('--host', default='127.0.0.1', help='address to listen at (default: %(default)s)')
    parser.add_argument('--port', type=int, default=8080, help='port, 0 for a free one (default: %(default)s)')
    parser.add_argument('--data', metavar='DIR', help='keep everything in this folder (default: forget it at the end)')
    parser.add_argument('--database', metavar='URL',
                        help='postgresql://... of a server with PostGIS, or sqlite (default: a private PostgreSQL '
                             'where it is installed with PostGIS, SQLite elsewhere)')
    parser.add_argument('--job-seconds', type=float, default=0.3, help='how long a job takes (default: %(default)s)')
    parser.add_argument('--ping-interval', type=float, default=25, help='of the events, in s (default: %(default)s)')
    parser.add_argument('--ping-timeout', type=float, default=60, help='of the events, in s (default: %(default)s)')
    parser.add_argument('--polling-only', action='store_true', help='events without websockets')
    parser.add_argument('--json', action='store_true',
                        help='print one line of JSON when ready, and end when standard input does')
    options = parser.parse_args()
    try:
        (_tour if options.command == 'tour' else _serve)(options)
    except ModuleNotFoundError as error:
        if error.name.startswith('amigocloud'):
            raise
        sys.exit('The sandbox needs {}: pip install "amigocloud[sandbox]"'.format(error.name))


def _tour(options):
    from . import tour
    tour.main(options.database)


def _serve(options):
    from . import temporary
    from .server import serve
    from .sql.types import EngineError
    settings = {'database': options.database, 'forget': not options.data, 'job_seconds': options.job_seconds,
                'ping_interval': options.ping_interval, 'ping_timeout': options.ping_timeout,
                'websocket': not options.polling_only}
    # Until the server has a handler of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    temporary.drop_leftovers()
    with temporary.folder() as forgotten:
        if options.data:
            os.makedirs(options.data, exist_ok=True)
        folder = options.data or forgotten
        try:
            if options.json:
                # Ctrl-C in a terminal reaches this process too, but it ends with its parent.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                serve(options.host, options.port, folder, _print_json, _wait_for_parent, **settings)
            else:
                serve(options.host, options.port, folder, _print_welcome, **settings)
        except KeyboardInterrupt:
            print()
        except EngineError as error:
            sys.exit(str(error))
        except OSError as error:
            sys.exit('The sandbox cannot listen at {0.host}:{0.port}: {1}'.format(options, error))


def _wait_for_parent():
    # An interpreter that ends meanwhile cannot get the lock of sys.stdin.
    while os.read(0, 1024):
        pass


def _print_json(world):
    print(json.dumps(world), flush=True)


def _print_welcome(world):
    print(_WELCOME.format(**world), flush=True)


if __name__ == '__main__':
    main()
