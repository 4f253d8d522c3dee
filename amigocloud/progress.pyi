from collections.abc import Callable
from contextlib import AbstractContextManager

Progress = bool | Callable[[int, int | None], object] | None

def check_progress(progress: Progress) -> None: ...
def reporting(
    progress: Progress, total: int | None = None, unit: str = '', description: str | None = None
) -> AbstractContextManager[Callable[[int], object]]: ...
