"""A GeoDataFrame of a million rows: its time beside json.loads plus shapely.from_wkb, its peak beside what it holds.

And a GeoDataFrame of 100,000 rows that is written: its time beside json.dumps plus shapely.to_wkb of the same rows; or
upserted, 1 % of it changed: its time beside reading the same columns as a frame and updating the changed rows.

A child process serves the same bytes to all from its memory, over loopback.
"""
import ctypes
import gc
import json
import multiprocessing
import random
import re
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from benchmarks.report import Row

COLUMNS = [('amigo_id', 'string'), ('name', 'string'), ('number', 'integer'), ('code', 'bigint'), ('height', 'float'),
           ('open', 'boolean'), ('made', 'datetime'), ('day', 'date'), ('location', 'geometry')]
ROUNDS = 3


def make_row(number, numbers):
    point = struct.pack('<BIIdd', 1, 0x20000001, 4326, numbers.uniform(-180, 180), numbers.uniform(-90, 90))
    values = ('{:032x}'.format(numbers.getrandbits(128)), 'Tree {}'.format(number), number,
              number * 10 ** 6 if number % 10 else None, number / 7, number % 2 == 0,
              '2020-01-02 03:04:05.{:06d}+00:00'.format(number % 10 ** 6), '2020-01-{:02d}'.format(number % 28 + 1),
              point.hex().upper())
    return dict(zip((name for name, _ in COLUMNS), values))


def serve(rows, page_rows, pipe):
    numbers = random.Random(1)
    serve_pages({'1': [make_row(number, numbers) for number in range(rows)]}, page_rows, pipe)


def serve_pages(states, page_rows, pipe):
    """Serves the rows of states at /api/v1/projects/1/sql, and tells the URL and the number of pages."""
    pages = {}
    others = {'/jobs/': b'{"status": "SUCCESS"}', '/master': b'{"master": "1"}', '/schema': json.dumps(
        {'schema': [{'name': name, 'type': kind} for name, kind in COLUMNS]}).encode(),
        '/datasets?': b'{"results": [], "next": null}'}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'
        disable_nagle_algorithm = True

        def do_GET(self):
            query = dict(parse_qsl(urlsplit(self.path).query))
            body = pages.get((query.get('state', '1'), int(query.get('offset', 0)) // page_rows))
            for place, other in others.items():
                if place in self.path:
                    body = other
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            # Whatever is written is taken and forgotten.
            left = int(self.headers['Content-Length'])
            while left:
                left -= len(self.rfile.read(min(left, 2 ** 16)))
            body = b'{"id": 1, "job": "1"}'
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Nothing on stderr."""

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    url = 'http://127.0.0.1:{}'.format(server.server_port)
    for state, rows in states.items():
        for start in range(0, len(rows), page_rows):
            end = start + page_rows
            following = '{}/api/v1/projects/1/sql?limit={}&offset={}&state={}'.format(url, page_rows, end, state)
            pages[state, start // page_rows] = json.dumps({
                'columns': [{'name': name, 'type': kind} for name, kind in COLUMNS], 'count': len(rows),
                'data': rows[start:end], 'next': following if end < len(rows) else None}).encode()
    pipe.send((url, len(pages)))
    server.serve_forever()


def make_client(url):
    from amigocloud import AmigoCloud
    return AmigoCloud(base_url=url, use_websockets=False)


def measure_time(url, page_count, page_rows, pipe):
    import shapely
    with make_client(url) as client:
        bodies = [client.get('/projects/1/sql', {'offset': number * page_rows}, raw=True)
                  for number in range(page_count)]
        client.project(1).sql('SELECT', limit=page_rows).to_geodataframe()      # imports
        best = [float('inf')] * 3
        for _ in range(ROUNDS):
            start = time.perf_counter()
            texts = []
            for body in bodies:
                texts.extend([row['location'] for row in json.loads(body)['data']])
            loaded = time.perf_counter()
            shapely.from_wkb(texts)
            decoded = time.perf_counter()
            best[0] = min(best[0], loaded - start)
            best[1] = min(best[1], decoded - loaded)
            del texts
            start = time.perf_counter()
            client.project(1).sql('SELECT', limit=page_rows).to_geodataframe()
            best[2] = min(best[2], time.perf_counter() - start)
    pipe.send(best)


def measure_memory(url, pipe):
    """Sends the peak and the lasting growth of the process, in bytes."""
    with make_client(url) as client:
        client.project(1).sql('SELECT').to_geodataframe().iloc[:0]              # imports
        peak, kept, frame = peak_and_kept(lambda: client.project(1).sql('SELECT').to_geodataframe())
    pipe.send((peak, kept, len(frame)))


def peak_and_kept(function):
    """Gives by how many bytes a function makes the process grow at the most and in the end, and what it returns."""
    before = resident()
    with open('/proc/self/clear_refs', 'w') as peak:
        peak.write('5')
    result = function()
    peak = resident('VmHWM')
    return peak - before, resident() - before, result


def make_frame(count):
    import geopandas
    import pandas
    numbers = random.Random(1)
    rows = [make_row(number, numbers) for number in range(count)]
    frame = pandas.DataFrame(rows).drop(columns=['amigo_id', 'location'])
    frame['code'] = frame['code'].astype('Int64')
    frame['made'] = pandas.to_datetime(frame['made'], utc=True)
    frame['day'] = pandas.to_datetime(frame['day'])
    places = geopandas.points_from_xy([numbers.uniform(-180, 180) for _ in rows],
                                      [numbers.uniform(-90, 90) for _ in rows], crs=4326)
    return geopandas.GeoDataFrame(frame, geometry=places)


def measure_writing(url, count, pipe):
    """Sends the best times of json.dumps, of shapely.to_wkb and of the client."""
    import shapely
    frame = make_frame(count)
    rows = [{'new': new, 'amigo_id': '{:032x}'.format(number)}
            for number, new in enumerate(json.loads(frame.drop(columns='geometry').to_json(orient='records')))]
    shapes = shapely.set_srid(frame.geometry.to_numpy(), 4326)
    with make_client(url) as client:
        client.project(1).create_dataset('Trees', frame.iloc[:10])          # imports
        best = [float('inf')] * 3
        for _ in range(ROUNDS):
            start = time.perf_counter()
            texts = shapely.to_wkb(shapes, hex=True, include_srid=True)
            encoded = time.perf_counter()
            for row, text in zip(rows, texts):
                row['new']['geometry'] = text
            begun = time.perf_counter()
            json.dumps({'change': json.dumps(rows)}).encode()
            dumped = time.perf_counter()
            client.project(1).create_dataset('Trees', frame)
            written = time.perf_counter()
            for number, seconds in enumerate((dumped - begun, encoded - start, written - dumped)):
                best[number] = min(best[number], seconds)
    pipe.send(best)


def measure_upsert(url, pipe):
    """Sends the best times of reading the columns, of updating the changed rows and of the upsert."""
    with make_client(url) as client:
        dataset = client.project(1).dataset(1)
        frame = dataset.read().to_geodataframe()
        changed = frame.iloc[::100].assign(height=-1.0)
        frame.loc[changed.index, 'height'] = -1.0
        rows = frame.drop(columns='amigo_id')
        best = [float('inf')] * 3
        for _ in range(ROUNDS):
            start = time.perf_counter()
            dataset.read(columns=list(frame.columns)).to_geodataframe()
            read = time.perf_counter()
            dataset.update(changed)
            updated = time.perf_counter()
            result = dataset.upsert(rows, key='number')
            upserted = time.perf_counter()
            assert len(result.updated) == len(changed) and len(result.unchanged) == len(frame) - len(changed)
            for number, seconds in enumerate((read - start, updated - read, upserted - updated)):
                best[number] = min(best[number], seconds)
    pipe.send(best)


def resident(name='VmRSS'):
    if name == 'VmRSS':
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
    with open('/proc/self/status') as status:
        return 1024 * int(re.search(name + r':\s*(\d+) kB', status.read()).group(1))


def run(context, function, *args):
    receiving, sending = context.Pipe()
    process = context.Process(target=function, args=args + (sending,), daemon=True)
    process.start()
    return receiving.recv()


def rows(bench, count=1000000, page_rows=10000):
    context = multiprocessing.get_context('spawn')
    url, page_count = run(context, serve, count, page_rows)
    loads, from_wkb, frame = run(context, measure_time, url, page_count, page_rows)
    yield Row('GeoDataFrame of {:,} rows'.format(count), frame, 'json.loads + from_wkb', loads + from_wkb, 1.3)
    dumps, to_wkb, write = run(context, measure_writing, url, count // 10)
    yield Row('writing a GeoDataFrame of {:,} rows'.format(count // 10), write, 'json.dumps + to_wkb', dumps + to_wkb,
              1.3)
    smaller, _ = run(context, serve, count // 10, page_rows)
    read, update, upsert = run(context, measure_upsert, smaller)
    yield Row('upsert of {:,} rows, 1 % of them changed'.format(count // 10), upsert, 'reading it + update',
              read + update, 1.3)
    peak, kept, length = run(context, measure_memory, url)
    assert length == count
    yield Row('peak memory of the GeoDataFrame', peak, 'the GeoDataFrame', kept, 2.5, 'B')
