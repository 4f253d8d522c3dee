"""The photos of a gallery, downloaded several at a time."""
from __future__ import absolute_import

import contextlib
import os
import threading
from multiprocessing.pool import ThreadPool

import six
from six.moves.urllib.parse import quote

from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown
from ..progress import check_progress, reporting
from .downloads import Body, DownloadCancelled, in_folder
from .filenames import LONGEST_NAME, safe_name

#: Photos that are downloaded at the same time.
AT_ONCE = 8

#: The sizes of pictures that the service offers in addition to the original one.
SIZES = ('medium',)

#: Seconds to wait for one photo; Python 2 cannot interrupt a wait without a limit.
PHOTO_TIMEOUT = 86400

#: Seconds to wait for each unfinished photo when the call ends early, until it has cleaned up.
CANCEL_SECONDS = 2

#: Characters of one failure that an error shows: a long URL and some text of the server.
_FAILURE_LIMIT = 300

#: Failures that an error shows.
_FAILURES_LIMIT = 20


def download(gallery, destination, source_amigo_id=None, progress=None, size=None):
    """Download the photos of a gallery; see ``Gallery.download``."""
    check_progress(progress)
    folder = _checked_folder(destination)
    if size is not None and size not in SIZES:
        raise AmigoCloudValueError(
            u"size must be 'medium', or None for the original pictures, not {}.".format(
                shown(size)))
    entries = list(gallery.photos(source_amigo_id))
    if not os.path.isdir(folder):
        os.makedirs(folder)
    stopped = threading.Event()
    unfinished = set()

    def fetch(entry):
        ended = threading.Event()
        unfinished.add(ended)
        try:
            return _fetch(gallery, entry, folder, stopped, size), None
        except (AmigoCloudError, EnvironmentError) as error:
            # Show one line of each failure: an error page of the server may have thousands.
            text = six.ensure_text(str(error), errors='replace')
            return None, u' '.join(text.split())[:_FAILURE_LIMIT]
        finally:
            unfinished.discard(ended)
            ended.set()

    paths = []
    failures = []
    pool = ThreadPool(AT_ONCE)
    try:
        title = 'Gallery {}'.format(gallery.id)
        with reporting(progress, len(entries), 'photos', title) as report:
            results = pool.imap(fetch, entries)
            for done, entry in enumerate(entries, 1):
                path, failure = results.next(PHOTO_TIMEOUT)
                if failure is None:
                    paths.append(path)
                else:
                    failures.append(u'{}: {}'.format(_title(entry), failure))
                report(done)
    finally:
        # A thread cannot be ended from outside, so each ends itself at its next block.
        stopped.set()
        pool.terminate()
        for ended in list(unfinished):
            ended.wait(CANCEL_SECONDS)
    if failures:
        lines = failures[:_FAILURES_LIMIT]
        if len(failures) > len(lines):
            lines.append(u'... and {} more.'.format(len(failures) - len(lines)))
        raise AmigoCloudError(u'{} of {} photos of gallery {} could not be downloaded.\n{}'.format(
            len(failures), len(entries), gallery.id, u'\n'.join(lines)))
    return paths


def _fetch(gallery, entry, folder, stopped, size):
    """Download a photo, unless it exists with the right size, and return its path."""
    def check(done):
        if stopped.is_set():
            raise DownloadCancelled('The download was cancelled.')

    source, entry_id, name = _members(entry)
    url = gallery.url + '/files'
    for segment in (source, entry_id, name):
        url += '/' + quote(segment.encode('utf-8'), safe='')
    if size is not None:
        url += '?' + size
    path = in_folder(folder, _local_name(name, entry_id, size))
    check(0)
    with contextlib.closing(Body(gallery.client, url)) as body:
        exists = os.path.isfile(path) and os.path.getsize(path) == body.total
        if not exists:
            body.save(path, check)
    return path


def _local_name(name, entry_id, size):
    # With the id, no other photo has the name, and the name is the same in each call. With the
    # size, a smaller picture does not replace the original one.
    stem, extension = os.path.splitext(safe_name(name))
    size_suffix = u'-{}'.format(size) if size else u''
    suffix = u'-{}{}{}'.format(safe_name(entry_id), size_suffix, extension)
    room = max(LONGEST_NAME - len(suffix.encode('utf-8')), 0)
    return stem.encode('utf-8')[:room].decode('utf-8', 'ignore') + suffix


def _members(entry):
    """Return the source_amigo_id, the amigo_id and the file name of an entry as texts."""
    try:
        members = [entry[name] for name in ('source_amigo_id', 'amigo_id', 'filename')]
    except (LookupError, TypeError) as error:
        six.raise_from(AmigoCloudError(
            'The entry has no source_amigo_id, amigo_id or filename.'), error)
    for member in members:
        is_name = isinstance(member, six.string_types + six.integer_types)
        # A segment of dots would lead to another URL, such as that of the list.
        if not is_name or member in (u'', u'.', u'..'):
            raise AmigoCloudError(u'{} does not name a photo.'.format(shown(member)))
    # JSON may hold half of a surrogate pair, which a URL cannot.
    return [six.text_type(member).encode('utf-8', 'replace').decode('utf-8') for member in members]


def _title(entry):
    try:
        return shortened(u'{filename} (entry {amigo_id})'.format(**entry))
    except (LookupError, TypeError):
        return shown(entry)


def _checked_folder(destination):
    folder = destination.__fspath__() if hasattr(destination, '__fspath__') else destination
    is_path = isinstance(folder, (bytes, six.text_type)) and folder
    if not is_path or os.path.exists(folder) and not os.path.isdir(folder):
        raise AmigoCloudValueError(u'destination must be a folder, not {}.'.format(
            shown(destination)))
    return folder
