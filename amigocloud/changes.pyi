from collections.abc import Callable, Iterable, Mapping
from typing import Any

BATCH_SIZE: int

def new_amigo_id() -> str: ...
def insert_rows(
    post: Callable[..., Any],
    wait_for_job: Callable[..., Any],
    below: str,
    dataset_id: int | str,
    rows: Iterable[Mapping[str, Any]],
    report: Callable[[int], object] | None = None,
) -> list[str]: ...
def update_rows(
    post: Callable[..., Any],
    wait_for_job: Callable[..., Any],
    below: str,
    dataset_id: int | str,
    rows: Iterable[Mapping[str, Any]],
) -> list[str]: ...
def delete_rows(
    post: Callable[..., Any],
    wait_for_job: Callable[..., Any],
    below: str,
    dataset_id: int | str,
    amigo_ids: Iterable[str],
) -> list[str]: ...
def check_rows(rows: Iterable[Mapping[str, Any]]) -> None: ...
def checked_text(text: str) -> str: ...
