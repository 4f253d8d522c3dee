"""The photos of a gallery, several at a time."""
from __future__ import absolute_import

import contextlib
import os
import threading
from multiprocessing.pool import ThreadPool

import six
from six.moves.urllib.parse import quote

from .downloads import Body, GivenUp, in_folder
from .exceptions import AmigoCloudError, AmigoCloudValueError
from .filenames import LONGEST_NAME, safe_name
from .pages import ROW_MEMBERS
from .progress import check_progress, reporting
from .tokens import strike_out

#: Photos on their way at a time.
AT_ONCE = 8

#: Entries of one page of the gallery's list.
PAGE_SIZE = 100

#: Seconds to wait for one photo at the most; a wait without a limit cannot be interrupted on Python 2.
PHOTO_TIMEOUT = 86400

#: Seconds to wait for each photo that is on its way when the call ends early, so that it leaves nothing half done.
GIVE_UP_SECONDS = 2


def download_photos(get, get_cursor, gallery_id, destination, source_amigo_id=None, progress=None):
    """Downloads the photos of a gallery; see ``AmigoCloud.download_photos``.

    Args:
        get (callable): sends a GET, as ``AmigoCloud.get`` does, from several threads at a time.
        get_cursor (callable): gives a cursor, as ``AmigoCloud.get_cursor`` does.
    """
    check_progress(progress)
    folder = _checked_folder(destination)
    gallery = '/related_tables/{}/'.format(gallery_id)
    params = {'limit': PAGE_SIZE}
    if source_amigo_id is not None:
        params['source_amigo_id'] = source_amigo_id
    entries = _all_entries(get_cursor, gallery + 'entries', params)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    stopped, underway = threading.Event(), set()

    def fetch(entry):
        ended = threading.Event()
        underway.add(ended)
        try:
            return _fetch(get, gallery + 'files', entry, folder, stopped), None
        except (AmigoCloudError, EnvironmentError) as error:
            return None, six.ensure_text(str(error), errors='replace')
        finally:
            underway.discard(ended)
            ended.set()

    paths, failures = [], []
    pool = ThreadPool(AT_ONCE)
    try:
        with reporting(progress, len(entries), 'photos', 'Gallery {}'.format(gallery_id)) as report:
            results = pool.imap(fetch, entries)
            for done, entry in enumerate(entries, 1):
                path, failure = results.next(PHOTO_TIMEOUT)
                if failure is None:
                    paths.append(path)
                else:
                    failures.append(u'{}: {}'.format(_title(entry), failure))
                report(done)
    finally:
        # A thread cannot be ended from outside; each ends at its next block.
        stopped.set()
        pool.terminate()
        for ended in list(underway):
            ended.wait(GIVE_UP_SECONDS)
    if failures:
        raise AmigoCloudError(u'{} of {} photos of gallery {} could not be downloaded.\n{}'.format(
            len(failures), len(entries), gallery_id, u'\n'.join(failures)))
    return paths


def _all_entries(get_cursor, url, params):
    """The entries of a gallery, also where the pages of its list do not say that others follow."""
    entries = []
    while True:
        rows = list(get_cursor(url, dict(params, offset=len(entries)) if entries else params))
        found = [entry for row in rows for entry in _entries(row)]
        if found[:1] == entries[:1] and entries:
            # The list is whole, and not one of pages.
            return entries
        entries += found
        # Rows that are the entries themselves come from a list whose links were followed to its end.
        if found == rows or len(found) != PAGE_SIZE:
            return entries


def _entries(row):
    """The entries in a row of the cursor, for which a page without ``next`` is one row."""
    if isinstance(row, dict) and 'filename' not in row:
        row = next((row[name] for name in ROW_MEMBERS if isinstance(row.get(name), list)), row)
    return row if isinstance(row, list) else [row]


def _fetch(get, url, entry, folder, stopped):
    """Downloads one photo, unless it is there already; gives its path."""
    def check(done):
        if stopped.is_set():
            raise GivenUp('The download was given up.')

    source, entry_id, name = _members(entry)
    for segment in (source, entry_id, name):
        url += '/' + quote(segment.encode('utf-8'), safe='')
    path = in_folder(folder, _local_name(name, entry_id))
    check(0)
    with contextlib.closing(Body(get, url)) as body:
        if body.total is None or not os.path.isfile(path) or os.path.getsize(path) != body.total:
            body.save(path, check)
    return path


def _local_name(name, entry_id):
    # The id makes a name that no other photo has, and that is the same on each run, whatever was added meanwhile.
    stem, ending = os.path.splitext(safe_name(name))
    ending = u'-{}{}'.format(safe_name(entry_id), ending)
    room = max(LONGEST_NAME - len(ending.encode('utf-8')), 0)
    return stem.encode('utf-8')[:room].decode('utf-8', 'ignore') + ending


def _members(entry):
    try:
        return [six.text_type(entry[name]) for name in ('source_amigo_id', 'amigo_id', 'filename')]
    except (LookupError, TypeError) as error:
        six.raise_from(AmigoCloudError('This is no entry of a photo.'), error)


def _title(entry):
    try:
        return u'{filename} (entry {amigo_id})'.format(**entry)
    except (LookupError, TypeError):
        return u'{:.200}'.format(strike_out(repr(entry)))


def _checked_folder(destination):
    folder = destination.__fspath__() if hasattr(destination, '__fspath__') else destination
    if not folder or not isinstance(folder, (bytes, six.text_type)) or (
            os.path.exists(folder) and not os.path.isdir(folder)):
        raise AmigoCloudValueError('destination is a folder, not {!r}.'.format(destination))
    return folder
