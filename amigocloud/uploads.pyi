import os
from collections.abc import Callable, Mapping
from typing import IO, Any

CHUNK_SIZE: int
MAX_SIZE_SIMPLE_UPLOAD: int

_FileLike = str | bytes | os.PathLike[str] | os.PathLike[bytes] | IO[bytes] | IO[str]

def upload(
    post: Callable[..., Any],
    simple_url: str | None,
    chunked_url: str | None,
    file_obj: _FileLike,
    chunk_size: int,
    force_chunked: bool,
    extra_data: Mapping[str, Any] | None,
    resume: BaseException | None = None,
    progress: bool | Callable[[int, int], object] | None = None,
) -> Any: ...
def base_name(file_obj: _FileLike) -> str | None: ...
def sendable(name: str | bytes) -> str: ...
