import os
from collections.abc import Callable
from typing import IO, Any

from .exceptions import AmigoCloudError
from .progress import _Progress

BLOCK_SIZE: int
CHUNKED_BLOCK_SIZE: int
FAILURES: int

_Destination = str | bytes | os.PathLike[str] | IO[bytes] | None

class GivenUp(AmigoCloudError): ...

def download(
    get: Callable[..., Any], url: str, destination: _Destination = None, progress: _Progress = None
) -> Any: ...
def export_dataset(
    get: Callable[..., Any],
    post: Callable[..., Any],
    wait_for_job: Callable[[Any], Any],
    below: str,
    dataset_id: int | str,
    format: str,
    destination: _Destination = None,
    progress: _Progress = None,
) -> Any: ...
def is_folder(destination: str | bytes) -> bool: ...
def in_folder(folder: str | bytes, name: str) -> Any: ...

class Body:
    name: str
    total: int | None
    def __init__(self, get: Callable[..., Any], url: str) -> None: ...
    def save(self, path: str | bytes, report: Callable[[int], object]) -> None: ...
    def copy_to(self, output: IO[bytes], report: Callable[[int], object]) -> None: ...
    def close(self) -> None: ...
