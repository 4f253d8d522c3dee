import os
from collections.abc import Callable
from typing import Any

from .cursor import Cursor
from .progress import _Progress

AT_ONCE: int
PAGE_SIZE: int
PHOTO_TIMEOUT: int
GIVE_UP_SECONDS: int

def download_photos(
    get: Callable[..., Any],
    get_cursor: Callable[..., Cursor],
    gallery_id: int | str,
    destination: str | bytes | os.PathLike[str],
    source_amigo_id: str | None = None,
    progress: _Progress = None,
) -> list[Any]: ...
