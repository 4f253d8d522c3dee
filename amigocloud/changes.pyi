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
def insert_columns(
    post: Callable[..., Any],
    wait_for_job: Callable[..., Any],
    below: str,
    dataset_id: int | str,
    columns: list[Any],
    amigo_ids: list[str],
    report: Callable[[int], object] | None,
) -> list[str]: ...
def check_columns(columns: list[Any], amigo_ids: list[str]) -> None: ...
def checked_ids(amigo_ids: list[Any], make_ids: Callable[[int], list[str]] | None) -> list[str]: ...
def new_amigo_ids(count: int) -> list[str]: ...
