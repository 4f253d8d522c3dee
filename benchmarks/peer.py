"""One contestant, in a process of its own: python peer.py NAME URL TOKEN.

Does what its standard input says, an object a line, and prints one for each: the ``seconds`` that it took, and by how
many bytes its memory had ``grown`` at the most. Release 1.2.5 runs this file too.
"""
import gc
import http.client
import json
import os
import socket
import ssl
import statistics
import sys
import threading
import time

SQL = '/api/v1/projects/1/sql?query={}&limit=1000&token={}'


class Client(object):
    """AmigoCloud, of this release or of 1.2.5."""

    def __init__(self, url, token):
        from amigocloud import AmigoCloud
        self.client = AmigoCloud(token, base_url=url, use_websockets=False)

    def get(self):
        return self.client.get('/me')

    def read(self, name, work=0, **options):
        """Reads the rows of a query, and uses each page of 1000 for ``work`` seconds."""
        parameters = {'query': name, 'limit': 1000}
        rows = (self.client.project(1).sql(name, limit=1000, **options) if options
                else self.client.get_cursor('/projects/1/sql', parameters))
        count = 0
        for _ in rows:
            count += 1
            if work and count % 1000 == 0:
                time.sleep(work)
        return count

    def upload(self, path, chunk_size):
        self.client.upload_file(None, '/upload', path, chunk_size=chunk_size, force_chunked=True)

    def geocode(self, project_id, dataset_id):
        sys.stdout, stdout = open(os.devnull, 'w'), sys.stdout
        sys.stderr, stderr = sys.stdout, sys.stderr
        try:
            self.client.geocode_addresses(project_id, dataset_id, 'address', 'location')
        finally:
            sys.stdout, sys.stderr = stdout, stderr


class ClientWithoutOrjson(Client):
    def __init__(self, url, token):
        sys.modules['orjson'] = None
        Client.__init__(self, url, token)


class Session(object):
    """requests as most scripts use it."""

    loads = staticmethod(json.loads)

    def __init__(self, url, token):
        import requests
        self.session, self.url, self.token = requests.Session(), url, token

    def get(self):
        return self.session.get(self.url + '/api/v1/me', params={'token': self.token}).json()

    def body(self, url):
        return self.session.get(url).content

    def read(self, name, work=0):
        url = self.url + SQL.format(name, self.token)
        count = 0
        while url:
            page = self.loads(self.body(url))
            for _ in page['data']:
                count += 1
            if work:
                time.sleep(work)
            url = page['next'] and page['next'] + '&token=' + self.token
        return count


class Httpx(Session):
    def __init__(self, url, token):
        import httpx
        context = ssl.create_default_context(cafile=os.environ['REQUESTS_CA_BUNDLE'])
        self.session, self.url, self.token = httpx.Client(verify=context), url, token


class Urllib3(Session):
    def __init__(self, url, token):
        import urllib3
        self.pool, self.url, self.token = urllib3.PoolManager(ca_certs=os.environ['REQUESTS_CA_BUNDLE']), url, token

    def get(self):
        return self.pool.request('GET', self.url + '/api/v1/me', fields={'token': self.token}).json()

    def body(self, url):
        return self.pool.request('GET', url).data


class HttpClient(Session):
    def __init__(self, url, token):
        context = ssl.create_default_context(cafile=os.environ['REQUESTS_CA_BUNDLE'])
        self.connection = http.client.HTTPSConnection(url.split('://')[1], context=context)
        self.url, self.token = url, token

    def get(self):
        return json.loads(self.body(self.url + '/api/v1/me?token=' + self.token))

    def body(self, url):
        self.connection.request('GET', url[len(self.url):])
        return self.connection.getresponse().read()


class Memory(Session):
    """The pages in memory: the floor of what decoding takes."""

    def __init__(self, url, token):
        import requests
        self.session, self.url, self.token, self.bodies = requests.Session(), url, token, {}

    def body(self, url):
        if url not in self.bodies:
            self.bodies[url] = self.session.get(url).content
        return self.bodies[url]


class FastMemory(Memory):
    def __init__(self, url, token):
        import orjson
        Memory.__init__(self, url, token)
        self.loads = orjson.loads


class Wire(object):
    """The bytes of a request and its answer, and nothing else: what a round trip and the server take."""

    def __init__(self, url, token):
        host, port = url.split('://')[1].split(':')
        context = ssl.create_default_context(cafile=os.environ['REQUESTS_CA_BUNDLE'])
        self.socket = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = 'GET /api/v1/me?token={} HTTP/1.1\r\nHost: {}\r\n\r\n'.format(token, host).encode()

    def get(self):
        self.socket.sendall(self.request)
        answer = b''
        while not answer.endswith(b'}'):
            answer += self.socket.recv(65536)


class OwnSessions(Session):
    """A Session for each thread."""

    def __init__(self, url, token):
        self.local, self.arguments = threading.local(), (url, token)

    def get(self):
        if not hasattr(self.local, 'peer'):
            self.local.peer = Session(*self.arguments)
        return self.local.peer.get()


class Events(object):
    """The live events of this release."""

    def __init__(self, url, token):
        from amigocloud import AmigoCloud
        self.client = AmigoCloud(base_url=url)
        self.client.add_callback('realtime', self.receive)

    def emit(self, event, count):
        self.client.socketio.emit(event, count)

    def listen(self, seconds=None):
        self.client.start_listening(seconds)

    def stop(self):
        self.client.stop_listening()

    def receive(self, data):
        now = time.time()
        self.times.append((now, now - data['sent']))
        if len(self.times) == self.count:
            self.stop()

    def run(self, event, count):
        self.times, self.count = [], count
        self.emit(event, count)
        self.listen()

    def burst(self, count):
        """From the sending of many events at once to the callback of the last."""
        self.run('burst', count)
        (first, latency), (last, _) = self.times[0], self.times[-1]
        return last - (first - latency)

    def latency(self, count):
        """From the sending of an event to its callback."""
        self.run('single', count)
        return statistics.median(latency for _, latency in self.times)

    def processor(self, count):
        """The processor time of many events at once."""
        self.run('single', 1)
        start = time.process_time()
        self.run('burst', count)
        return time.process_time() - start

    def idle(self, seconds):
        """The processor time of listening while no events come."""
        self.run('single', 1)
        start = time.process_time()
        self.listen(seconds)
        return time.process_time() - start


class BareEvents(Events):
    """socketIO_client by itself."""

    def __init__(self, url, token):
        from socketIO_client import BaseNamespace, SocketIO
        host, port = url.split('://')[1].split(':')
        self.connection = SocketIO(host, int(port), resource='v2_socket.io/socket.io')
        self.namespace = self.connection.define(BaseNamespace, '/amigosocket')
        self.namespace.on('realtime', self.receive)
        self.emit = self.namespace.emit

    def listen(self, seconds=None):
        try:
            self.connection.wait(seconds)
        except StopIteration:
            pass

    def stop(self):
        raise StopIteration


class SocketioEvents(Events):
    """The client of python-socketio 4."""

    def __init__(self, url, token):
        import socketio
        self.all_came, entered = threading.Event(), threading.Event()
        self.connection = socketio.Client()
        self.connection.on('connect', entered.set, namespace='/amigosocket')
        self.connection.on('realtime', self.receive, namespace='/amigosocket')
        self.connection.connect(url, namespaces=['/amigosocket'], socketio_path='v2_socket.io/socket.io',
                                transports=['websocket'])
        entered.wait()

    def emit(self, event, count):
        self.connection.emit(event, count, namespace='/amigosocket')

    def listen(self, seconds=None):
        self.all_came.wait(seconds)
        self.all_came.clear()

    def stop(self):
        self.all_came.set()


def memory(which):
    """The bytes of memory that the process has (VmRSS), or had at the most (VmHWM)."""
    with open('/proc/self/status') as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith(which))


def repeat(peer, method, times, *arguments, **options):
    """Gives what the last call gave."""
    for _ in range(times):
        result = getattr(peer, method)(*arguments, **options)
    return result


def in_threads(peer, method, times, threads):
    workers = [threading.Thread(target=repeat, args=(peer, method, times)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def main(name, url, token):
    peer = globals()[name](url, token)
    print('{}', flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        function = {'repeat': repeat, 'in_threads': in_threads}[command['how']]
        gc.collect()
        with open('/proc/self/clear_refs', 'w') as clear:
            # From here on VmHWM counts anew.
            clear.write('5')
        before, start = memory('VmRSS'), time.perf_counter()
        result = function(peer, command['method'], command['times'], *command['arguments'], **command['options'])
        seconds = time.perf_counter() - start
        if isinstance(result, float):
            # It took the time itself.
            seconds = result
        print(json.dumps({'seconds': seconds, 'grown': memory('VmHWM') - before}), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
