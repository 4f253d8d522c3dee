from collections.abc import Callable
from contextlib import AbstractContextManager

_Progress = bool | Callable[[int, int | None], object] | None

def check_progress(progress: _Progress) -> None: ...
def reporting(
    progress: _Progress, total: int | None = None, unit: str = '', description: str | None = None
) -> AbstractContextManager[Callable[[int], object]]: ...
