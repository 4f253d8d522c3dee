"""What the contestants talk to: nginx with TLS, and a relay that makes the way to it longer."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

_NGINX = '''
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    map $arg_offset $page {{ default $arg_offset; '' 0; }}
    default_type application/json;
    client_body_temp_path {folder}/bodies;
    client_body_in_file_only clean;
    client_max_body_size 0;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    server {{
        listen 127.0.0.1:{port} ssl;
        location = /api/v1/me {{ return 200 '{me}'; }}
        # Pages name the next one by a full URL, and so differ from origin to origin.
        location = /api/v1/projects/1/sql {{
            root {folder}/pages/$http_host/$arg_query;
            try_files /$page.json =404;
        }}
        # Answers when the chunk has come whole, and passes none of it on.
        location ~ upload {{
            proxy_pass http://unix:{folder}/upload;
            proxy_pass_request_body off;
            proxy_set_header Content-Length '';
        }}
    }}
    server {{
        listen unix:{folder}/upload;
        location / {{ return 200 '{chunk}'; }}
    }}
}}
'''


class Nginx:
    """nginx on a free port of loopback, with a certificate of its own, ended by ``close``.

    Attributes:
        url (str): where it is.
        certificate (str): the file that makes it trusted, as REQUESTS_CA_BUNDLE has it.
    """

    def __init__(self):
        program = shutil.which('nginx', path=os.environ['PATH'] + os.pathsep + '/usr/sbin')
        if not program:
            raise SystemExit("The benchmarks need nginx; on Debian: apt-get install nginx-light")
        self._folder = tempfile.mkdtemp(prefix='amigocloud-benchmarks-')
        self.certificate = os.path.join(self._folder, 'certificate.pem')
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
             '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
             '-keyout', os.path.join(self._folder, 'key.pem'), '-out', self.certificate],
            check=True, stderr=subprocess.DEVNULL)
        self.port = free_port()
        self.url = 'https://127.0.0.1:{}'.format(self.port)
        chunk = {'upload_id': 'u', 'offset': 1, 'expires': '2030-01-01T00:00:00Z'}
        me = {'id': 1, 'email': 'ana@example.com', 'first_name': 'Ana', 'projects': self.url + '/api/v1/me/projects'}
        with open(os.path.join(self._folder, 'nginx.conf'), 'w') as config:
            config.write(_NGINX.format(folder=self._folder, port=self.port, me=json.dumps(me), chunk=json.dumps(chunk)))
        # As root it would give up root's rights, and with them the folder.
        user = ['-g', 'user root;'] if os.geteuid() == 0 else []
        self._process = subprocess.Popen([program, '-c', os.path.join(self._folder, 'nginx.conf')] + user,
                                         stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def publish(self, name, origin, pages):
        """Serves pages of SQL under a query of a name, to those who come by an origin.

        Args:
            name (str): the query.
            origin (str): the URL by which they come; its ``host:port`` is told by their requests.
            pages (iterable): of (int, bytes), the offset and the page.
        """
        folder = os.path.join(self._folder, 'pages', origin.split('://')[1], name)
        if os.path.exists(folder):
            return
        os.makedirs(folder)
        for offset, body in pages:
            with open(os.path.join(folder, '{}.json'.format(offset)), 'wb') as page:
                page.write(body)

    def close(self):
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder)


class Bench:
    """What a run has, removed at its end: the server, a folder for files, and a folder with 1.2.5."""

    def __enter__(self):
        self.nginx = Nginx()
        self.folder = tempfile.mkdtemp(prefix='amigocloud-benchmarks-')
        return self

    def __exit__(self, *exc_info):
        self.nginx.close()
        shutil.rmtree(self.folder)

    @property
    def library(self):
        """The folder of the release that this one takes the place of, over the packages of this environment."""
        folder = os.path.join(self.folder, 'amigocloud-1.2.5')
        if not os.path.exists(folder):
            subprocess.run([sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder,
                            'amigocloud==1.2.5'], check=True)
        return folder


@contextlib.contextmanager
def child(script, *arguments, scheme='http'):
    """Runs a script of this folder that prints the port on which it listens; gives its URL."""
    process = subprocess.Popen([sys.executable, os.path.join(HERE, script)] + [str(each) for each in arguments],
                               stdout=subprocess.PIPE, text=True)
    try:
        yield '{}://127.0.0.1:{}'.format(scheme, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


def relay(port, seconds):
    """Adds a round-trip time to the way to nginx; gives the URL to come by, in a ``with``."""
    return child('relay.py', port, seconds, scheme='https')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    while True:
        try:
            return socket.create_connection(('127.0.0.1', port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
