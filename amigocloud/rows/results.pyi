from collections.abc import Iterable

class WriteResult:
    amigo_ids: list[str]
    inserted: list[str]
    updated: list[str]
    deleted: list[str]
    unchanged: list[str]
    def __init__(
        self,
        amigo_ids: Iterable[str] = (),
        inserted: Iterable[str] = (),
        updated: Iterable[str] = (),
        deleted: Iterable[str] = (),
        unchanged: Iterable[str] = (),
    ) -> None: ...
