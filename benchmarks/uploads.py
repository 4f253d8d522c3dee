"""Files in chunks of 1 MB, beside curl."""
import os
import subprocess
import time

from benchmarks.race import contestants, lines, race
from benchmarks.report import Row
from benchmarks.servers import relay

MB = 1 << 20
PATH = '/api/v1/upload'


def rows(bench):
    path = make_file(bench.folder, 64)
    with contestants(bench, bench.nginx.url, {'amigocloud': 'Client'}) as made:
        medians = race({'amigocloud': upload(made['amigocloud'], path),
                        'curl': lambda: curl(bench, bench.nginx.url, path),
                        'md5sum + curl': lambda: md5sum(path) + curl(bench, bench.nginx.url, path)}, 9)
    yield Row('64 MB in chunks of 1 MB', medians['amigocloud'], 'curl', medians['curl'], 1.15)
    yield Row('64 MB in chunks of 1 MB', medians['amigocloud'], 'md5sum + curl', medians['md5sum + curl'])
    with contestants(bench, bench.nginx.url, {'amigocloud': 'Client'}) as made:
        made['amigocloud'].run('get')
        grown = made['amigocloud'].run('upload', 1, path, MB)['grown']
    yield Row('memory for 64 MB in chunks of 1 MB', grown, 'a chunk', MB, 3, 'B')
    with relay(bench.nginx.port, 0.08) as url, relay(bench.nginx.port, 0) as near_url:
        with contestants(bench, url, {'amigocloud': 'Client', 'wire': 'Wire'}) as made:
            medians = race({'amigocloud': upload(made['amigocloud'], path),
                            'round trips': lambda: made['wire'].run('get', 65)['seconds'],
                            'transfer': lambda: curl(bench, near_url, path)}, 3)
    yield Row('64 MB in chunks of 1 MB, 80 ms away', medians['amigocloud'], '65 round trips + curl near by',
              medians['round trips'] + medians['transfer'], 1.05)


def growth(bench):
    """The seconds for 1 MB to 1 GB, by contestant."""
    sizes = [1, 4, 16, 64, 256, 1024]
    paths = [make_file(bench.folder, size) for size in sizes]
    with contestants(bench, bench.nginx.url, {'amigocloud': 'Client'}) as made:
        medians = [race({'amigocloud': upload(made['amigocloud'], path),
                         'curl': lambda path=path: curl(bench, bench.nginx.url, path)}, 3) for path in paths]
    return lines(sizes, medians)


def upload(peer, path):
    return lambda: peer.run('upload', 1, path, MB)['seconds']


def make_file(folder, size):
    """A file of a number of MB, and beside it those chunks of it that curl sends."""
    path = os.path.join(folder, 'file-{}'.format(size))
    if not os.path.exists(path):
        with open(path, 'wb') as whole:
            for number in range(size):
                chunk = os.urandom(MB)
                whole.write(chunk)
                with open('{}-{}'.format(path, number), 'wb') as part:
                    part.write(chunk)
    return path


def md5sum(path):
    start = time.perf_counter()
    subprocess.run(['md5sum', path], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def curl(bench, url, path):
    """The seconds that curl takes for the same requests over one connection, without its start and its handshake."""
    count = os.path.getsize(path) // MB
    transfers = []
    for number in range(count):
        start = number * MB
        transfers.append(['url = "{}{}?token=t"'.format(url, PATH),
                          'header = "Content-Range: bytes {}-{}/{}"'.format(start, start + MB - 1, count * MB)]
                         + ['form = "upload_id=u"'] * (number > 0)
                         + ['form = "datafile=@{0}-{1};filename={0}"'.format(path, number)])
    transfers.append(['url = "{}{}/complete?token=t"'.format(url, PATH), 'header = "Content-Type: application/json"',
                      'data = "{}"'])
    common = ['silent', 'fail', 'cacert = "{}"'.format(bench.nginx.certificate), 'output = /dev/null',
              'header = "Expect:"', 'write-out = "%{time_total} %{time_appconnect}\\n"']
    config = '\nnext\n'.join('\n'.join(common + transfer) for transfer in transfers)
    done = subprocess.run(['curl', '--config', '-'], input=config, text=True, stdout=subprocess.PIPE, check=True)
    totals, handshakes = zip(*(map(float, line.split()) for line in done.stdout.splitlines()))
    assert len(totals) == count + 1
    return sum(totals) - sum(handshakes)
