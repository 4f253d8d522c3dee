import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Literal, overload

import folium
import pandas
from shapely.geometry.base import BaseGeometry

from .client import AmigoCloud, JobDict, _BytesPath, _File, _Output, _Path
from .rows.cursor import Cursor, _Progress
from .rows.history import Difference
from .rows.results import WriteResult

class Project:
    client: AmigoCloud
    id: str | None
    url: str
    def __init__(self, client: AmigoCloud, project_id: int | str | None = None) -> None: ...
    def dataset(self, dataset_id: int | str) -> Dataset: ...
    def datasets(self, **params: Any) -> Cursor: ...
    def dataset_named(self, name: str) -> Dataset: ...
    def saved_query(self, query_id: int | str) -> str: ...
    def record_history(self, since: datetime.datetime | None = None) -> Cursor: ...
    def sql(
        self,
        query: str,
        params: Mapping[str, Any] | None = None,
        limit: int = 5000,
        prefetch: int = 0,
        state: str | None = None,
        dataset_id: int | str | None = None,
    ) -> Cursor: ...
    def execute(self, query: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]: ...
    # A geopandas.GeoDataFrame is a pandas.DataFrame.
    def create_dataset(
        self,
        name: str,
        content: pandas.DataFrame | list[dict[str, Any]],
        progress: _Progress = None,
        if_exists: Literal['fail', 'replace', 'append'] = 'fail',
        add_columns: bool = False,
    ) -> Dataset: ...
    def base_layers(self) -> Cursor: ...
    def upload(
        self,
        file_obj: _File,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        resume: BaseException | None = None,
        progress: _Progress = None,
        extra_data: Mapping[str, Any] | None = None,
        overwrite: Dataset | None = None,
        delimiter: str | None = None,
    ) -> dict[str, Any]: ...

class Dataset:
    client: AmigoCloud
    project: Project
    id: int
    url: str
    table_name: str
    written: WriteResult | None
    def __init__(self, project: Project, dataset_id: int | str) -> None: ...
    def read(
        self,
        columns: Iterable[str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        bbox: Iterable[float] | None = None,
        intersects: BaseGeometry | None = None,
        order_by: Iterable[str] | None = None,
        limit: int = 5000,
        prefetch: int = 0,
        offset: int = 0,
        rows: int | None = None,
        state: str | None = None,
        labels: bool | Literal['category'] = False,
    ) -> Cursor: ...
    def count(
        self,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        bbox: Iterable[float] | None = None,
        intersects: BaseGeometry | None = None,
    ) -> int: ...
    def insert(self, rows: pandas.DataFrame | Iterable[Mapping[str, Any]]) -> WriteResult: ...
    def update(self, rows: pandas.DataFrame | Iterable[Mapping[str, Any]]) -> WriteResult: ...
    def upsert(
        self, rows: pandas.DataFrame | Iterable[Mapping[str, Any]], key: str
    ) -> WriteResult: ...
    def delete(self, amigo_ids: Iterable[str]) -> WriteResult: ...
    def truncate(self) -> None: ...
    def schema(self) -> list[dict[str, Any]]: ...
    def add_column(
        self,
        name: str,
        type: str,
        default: Any = None,
        nullable: bool = True,
        choices: Mapping[Any, Any] | None = None,
    ) -> None: ...
    def alter_column(self, name: str, **members: Any) -> None: ...
    def set_choices(self, name: str, choices: Mapping[Any, Any]) -> None: ...
    def drop_column(self, name: str) -> None: ...
    def related_tables(self) -> Cursor: ...
    def create_gallery(self, name: str) -> Gallery: ...
    def children(self, amigo_id: str, table: int | str) -> Cursor: ...
    def relationships(self) -> Cursor: ...
    def states(self, since: str | None = None, until: str | None = None) -> list[str]: ...
    def changeset(self, state: str) -> Any: ...
    def revert(self, state: str) -> JobDict: ...
    def restore(self, amigo_ids: Iterable[str]) -> WriteResult: ...
    def diff(self, old: str, new: str | None = None) -> Difference: ...
    @overload
    def export(
        self, format: str, destination: _Path | None = None, progress: _Progress = None
    ) -> str: ...
    @overload
    def export(
        self, format: str, destination: _BytesPath, progress: _Progress = None
    ) -> bytes: ...
    @overload
    def export(self, format: str, destination: _Output, progress: _Progress = None) -> None: ...
    def geocode(
        self,
        address_field: str,
        geometry_field: str,
        progress: _Progress = None,
        **components: str,
    ) -> dict[str, Any]: ...
    def listen(self) -> None: ...
    def tile_url(self, format: Literal['png', 'json'] = 'png') -> str: ...
    def tile_layer(self) -> folium.TileLayer: ...
    def report_position(
        self,
        object_id: int | str,
        latitude: float,
        longitude: float,
        time: datetime.datetime | None = None,
        altitude: float | None = None,
        speed: float | None = None,
        track: float | None = None,
    ) -> None: ...

class Gallery:
    client: AmigoCloud
    id: int
    url: str
    def __init__(self, client: AmigoCloud, gallery_id: int | str) -> None: ...
    def upload(
        self,
        source_amigo_id: str,
        file_obj: _File,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        metadata: Mapping[str, Any] | None = None,
        filename: str | None = None,
        resume: BaseException | None = None,
        progress: _Progress = None,
    ) -> dict[str, Any]: ...
    def photos(self, source_amigo_id: str | None = None) -> Cursor: ...
    @overload
    def download(
        self,
        destination: _Path,
        source_amigo_id: str | None = None,
        progress: _Progress = None,
        size: Literal['medium'] | None = None,
    ) -> list[str]: ...
    @overload
    def download(
        self,
        destination: _BytesPath,
        source_amigo_id: str | None = None,
        progress: _Progress = None,
        size: Literal['medium'] | None = None,
    ) -> list[bytes]: ...
