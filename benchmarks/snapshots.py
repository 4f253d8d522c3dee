"""What two snapshots of a million rows take in memory while they are compared, and what a few columns take to read.

The pages of the snapshots are served from the memory of a child process, the columns by a sandbox.
"""
import json
import multiprocessing
import random

import requests

from amigocloud import AmigoCloud
from amigocloud_sandbox import Sandbox
from benchmarks.frames import make_client, make_frame, make_row, peak_and_kept, run, serve_pages
from benchmarks.report import Row

#: One row of so many was updated between the snapshots, another was deleted, and a third inserted.
CHANGED = 100
CHOSEN = ['name', 'number']


def snapshots(count):
    """Return the rows of two states, in the order of their amigo_ids."""
    numbers = random.Random(1)
    rows = sorted((make_row(number, numbers) for number in range(count + count // CHANGED)),
                  key=lambda row: row['amigo_id'])
    old = [row for place, row in enumerate(rows) if place % (CHANGED + 1) != 0]
    new = [dict(row, height=-1.5) if place % (CHANGED + 1) == 1 else row for place, row in enumerate(rows)
           if place % (CHANGED + 1) != 2]
    return {'old': old, 'new': new, 'few': old[:10]}


def serve(count, page_rows, pipe):
    serve_pages(snapshots(count), page_rows, pipe)


def measure_frame(url, state, pipe):
    """Sends the lasting growth of the process by a frame of a state, in bytes."""
    with make_client(url) as client:
        dataset = client.project(1).dataset(2)
        dataset.read(state='few').to_dataframe()                                    # imports
        pipe.send(peak_and_kept(lambda: dataset.read(state=state).to_dataframe())[1])


def measure_diff(url, pipe):
    """Sends the peak of the process while it compares the states, in bytes, and the rows that differ."""
    with make_client(url) as client:
        dataset = client.project(1).dataset(2)
        dataset.diff('few', 'few')                                                  # imports
        peak, _, difference = peak_and_kept(lambda: dataset.diff('old', 'new'))
    pipe.send((peak, [len(rows) for rows in difference]))


def measure_columns(count, pipe):
    """Sends the bytes of the responses to a read of some columns, and of the JSON of the values."""
    received = []
    with Sandbox() as sandbox, requests.Session() as session:
        session.hooks['response'].append(lambda response, **kwargs: received.append(len(response.content)))
        with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False, session=session) as client:
            dataset = client.project(sandbox.project_id).create_dataset('Trees', make_frame(count))
            del received[:]
            found = list(dataset.read(columns=CHOSEN))
    pipe.send((sum(received), len(json.dumps(found, separators=(',', ':')))))


def rows(bench, count=1000000, page_rows=5000):
    context = multiprocessing.get_context('spawn')
    url, _ = run(context, serve, count, page_rows)
    larger = max(run(context, measure_frame, url, state) for state in ('old', 'new'))
    peak, found = run(context, measure_diff, url)
    assert found == [count // CHANGED] * 3, found
    yield Row('peak memory of a diff of {:,} rows'.format(count), peak, 'the larger frame', larger, 2.5, 'B')
    moved, needed = run(context, measure_columns, count // 100)
    yield Row('reading 2 of 9 columns of {:,} rows'.format(count // 100), moved, 'their JSON', needed, 1.1, 'B')
