"""The process that keeps a private PostgreSQL: it starts it, and stops it when its standard input ends.

The operating system closes that pipe even when the sandbox is killed, so no server outlives its sandbox.
"""
import fcntl
import functools
import json
import os
import shutil
import signal
import subprocess
import sys


def main():
    """Keep the server that the arguments describe."""
    order = json.loads(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if order['forget']:
        # No other sandbox takes the folder for that of a dead one before the server has stopped.
        fcntl.flock(os.open(order['forget'], os.O_RDONLY), fcntl.LOCK_SH)
    run = functools.partial(_run, order['programs'], order['user_id'])
    data = order['data']
    options = ' '.join('-c {}={}'.format(name, value) for name, value in order['settings'].items())
    try:
        if not os.path.exists(os.path.join(data, 'PG_VERSION')):
            run('initdb', '-D', data, '-U', order['role'], '-A', 'trust', '-E', 'UTF8', '--no-sync')
        run('pg_ctl', '-D', data, '-l', os.path.join(data, 'log'), '-o', options, '-w', 'start')
    except subprocess.CalledProcessError as error:
        print(json.dumps({'error': (error.stderr or error.stdout).strip()}), flush=True)
    else:
        print(json.dumps({'error': None}), flush=True)
        sys.stdin.read()
        run('pg_ctl', '-D', data, '-m', 'immediate' if order['forget'] else 'fast', '-w', 'stop')
    shutil.rmtree(order['sockets'], ignore_errors=True)
    if order['forget']:
        shutil.rmtree(order['forget'], ignore_errors=True)


def _run(programs, user_id, program, *arguments):
    """Run a program of PostgreSQL, as another user if one is given."""
    def become():
        if user_id is not None:
            os.setgroups([])
            os.setgid(user_id[1])
            os.setuid(user_id[0])

    # The server inherits no pipe: its end could not be seen otherwise. pg_ctl writes the server's words into its log.
    locale = 'C.UTF-8' if sys.platform.startswith('linux') else 'en_US.UTF-8'
    subprocess.run([os.path.join(programs, program), *arguments], check=True, cwd='/', preexec_fn=become,
                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                   env=dict(os.environ, LC_ALL=locale))


if __name__ == '__main__':
    main()
