"""The folders of sandboxes that forget what is in them, and those that killed ones left."""
import contextlib
import glob
import os
import shutil
import tempfile

try:
    import fcntl
except ImportError:
    fcntl = None  # On Windows folders of killed sandboxes stay.

_PREFIX = 'amigocloud-sandbox-'
#: Lies in a folder that has been locked since; without a lock, its sandbox is dead.
_MARK = 'locked'


@contextlib.contextmanager
def folder():
    """Make a folder that is removed at the end, and by another sandbox if this one is killed."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as path, contextlib.ExitStack() as stack:
        if fcntl:
            stack.enter_context(_locked(path, fcntl.LOCK_SH))
            with open(os.path.join(path, _MARK), 'w'):
                pass
        yield path


def drop_leftovers():
    """Remove the folders of dead sandboxes of this user."""
    for path in glob.glob(os.path.join(tempfile.gettempdir(), _PREFIX + '*')) if fcntl else ():
        # Those in use, and those of other users, cannot be locked.
        with contextlib.suppress(OSError), _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if os.path.exists(os.path.join(path, _MARK)):
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(path, operation):
    """Lock a folder; the operating system unlocks it when the process ends, even if it is killed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)
