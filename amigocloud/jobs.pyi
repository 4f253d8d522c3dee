from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .progress import _Progress

PAUSE_SECONDS: tuple[float, float]
USER_JOBS: str
FAILED: tuple[str, ...]
UNFINISHED: tuple[str, ...]

_Job = int | str | Mapping[str, Any]

def wait_for_job(
    get: Callable[..., Any],
    jobs_url: str,
    job: _Job,
    timeout: float | None = None,
    progress: _Progress = None,
) -> dict[str, Any]: ...
def names_job(answer: Any) -> bool: ...
def pauses() -> Iterator[float]: ...
