from collections.abc import Callable, Iterator, Mapping
from typing import Any

from amigocloud.progress import Progress

PAUSE_SECONDS: tuple[float, float]
FAILED: tuple[str, ...]

_Job = int | str | Mapping[str, Any]

def wait_for_job(
    get: Callable[..., Any],
    jobs_url: str,
    job: _Job,
    timeout: float | None = None,
    progress: Progress = None,
) -> dict[str, Any]: ...
def pauses() -> Iterator[float]: ...
