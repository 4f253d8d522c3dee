"""A page of another origin, in headless Chromium."""
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest

pytest_plugins = ['sandbox_api']
pytestmark = pytest.mark.slow
#: Nothing but this machine is asked for anything.
COMMAND = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking',
           '--no-first-run', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1']


class Site(http.server.ThreadingHTTPServer):
    """Serves the page, and keeps what it reports."""

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Page)
        self.url = 'http://127.0.0.1:{}'.format(self.server_port)
        self.reports = queue.Queue()
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True).start()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith('/sandbox/'):
            with urllib.request.urlopen(self.server.sandbox_url + self.path) as answer:
                content, kind = answer.read(), 'application/json'
        else:
            with open(os.path.join(os.path.dirname(__file__), 'page.html'), 'rb') as page:
                content, kind = page.read(), 'text/html; charset=utf-8'
        self.send_response(200 if self.path.startswith(('/?', '/sandbox/')) else 404)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        self.server.reports.put(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def report_of(tmp_path):
    """Opens the page with parameters, and returns what it reports."""
    chromium = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
    if chromium is None:
        pytest.skip('there is no Chromium (apt-get install chromium)')
    site, browsers = Site(), []

    def report(**parameters):
        site.sandbox_url = parameters['url']
        browsers.append(subprocess.Popen(
            [chromium, *COMMAND, '--user-data-dir={}'.format(tmp_path / 'profile'),
             '{}/?{}'.format(site.url, urllib.parse.urlencode(parameters))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))
        return dict(site.reports.get(timeout=120), site=site.url)
    yield report
    for browser in browsers:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
    site.shutdown()
    site.server_close()


def test_page_of_another_origin(sandbox, api, report_of):
    """SERVICE.md, Links and lists; Jobs, exports, tiles, maps; Events; Tokens."""
    report = report_of(url=sandbox.url, token=sandbox.token, project=sandbox.project_id, dataset=sandbox.vehicles_id)
    assert 'error' not in report, report['error']
    assert report['origin'] == report['site'] != sandbox.url
    assert (report['me'], report['email'], report['name']) == ('Ada', 'ada@example.com', 'vehicles')
    width, painted = report['tile']
    assert width == report['preview'] == 256 and 0 < painted < 256 * 256
    assert {feature['amigo_id'] for feature in report['grid'].values()} < {
        row['amigo_id'] for row in api.sql('SELECT amigo_id FROM dataset_{}'.format(sandbox.vehicles_id))['data']}
    assert report['grid'] and report['rows'] == [{'name': 'Bus 12'}, {'name': 'Bus 7'}]
    name, data = report['event']
    point, = data['data']
    assert (name, data['dataset_id'], point['object_id']) == ('realtime', sandbox.vehicles_id, 'bus')
    assert (point['latitude'], point['longitude']) == (1.5, 2)
    assert report['refused'] == [401, {'detail': 'Invalid token'}]
