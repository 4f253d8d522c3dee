import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

import geopandas
import pandas
import requests

from .cursor import Cursor
from .downloads import _Destination
from .exceptions import AmigoCloudError
from .jobs import _Job
from .progress import _Progress
from .realtime import Realtime
from .uploads import _FileLike

BASE_URL: str

_Timeout = float | tuple[float | None, float | None] | None

class AmigoCloud:
    base_url: str
    api_url: str
    socketio: Realtime | None
    amigosocket: Realtime | None
    def __init__(
        self,
        token: str | None = None,
        project_url: str | None = None,
        base_url: str = 'https://app.amigocloud.com',
        use_websockets: bool = True,
        websocket_port: int | None = None,
        session: requests.Session | None = None,
        timeout: _Timeout = (10, 300),
        retries: int = 3,
        verify: bool | str | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None: ...
    @classmethod
    def from_env(cls, **kwargs: Any) -> AmigoCloud: ...
    def authenticate(self, token: str, project_url: str | None = None) -> None: ...
    def logout(self) -> None: ...
    def build_url(self, url: str) -> str: ...
    def check_for_errors(self, response: requests.Response) -> None: ...
    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        raw: bool = False,
        stream: bool = False,
        **request_kwargs: Any,
    ) -> Any: ...
    def post(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        **request_kwargs: Any,
    ) -> Any: ...
    def put(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        **request_kwargs: Any,
    ) -> Any: ...
    def patch(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        **request_kwargs: Any,
    ) -> Any: ...
    def delete(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        **request_kwargs: Any,
    ) -> Any: ...
    def get_cursor(self, url: str, params: Mapping[str, Any] | None = None, **request_kwargs: Any) -> Cursor: ...
    def sql(
        self,
        query: str,
        project_id: int | str | None = None,
        limit: int = 5000,
        prefetch: int = 0,
        **params: Any,
    ) -> Cursor: ...
    def execute(self, query: str, project_id: int | str | None = None) -> Any: ...
    def read_dataset(
        self,
        project_id: int | str | None,
        dataset_id: int | str,
        limit: int = 5000,
        prefetch: int = 0,
        offset: int = 0,
        rows: int | None = None,
        state: str | None = None,
    ) -> Cursor: ...
    def insert_rows(
        self, project_id: int | str | None, dataset_id: int | str, rows: Iterable[Mapping[str, Any]]
    ) -> list[str]: ...
    def update_rows(
        self, project_id: int | str | None, dataset_id: int | str, rows: Iterable[Mapping[str, Any]]
    ) -> list[str]: ...
    def delete_rows(
        self, project_id: int | str | None, dataset_id: int | str, amigo_ids: Iterable[str]
    ) -> list[str]: ...
    def write_geodataframe(
        self,
        project_id: int | str | None,
        gdf: geopandas.GeoDataFrame | pandas.DataFrame,
        name: str,
        progress: _Progress = None,
    ) -> dict[str, Any]: ...
    def upload_file(
        self,
        simple_upload_url: str | None,
        chunked_upload_url: str | None,
        file_obj: _FileLike,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        extra_data: Mapping[str, Any] | None = None,
        resume: BaseException | None = None,
        progress: _Progress = None,
    ) -> Any: ...
    def upload_datafile(
        self,
        project_owner: int | str,
        project_id: int | str,
        file_obj: _FileLike,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        resume: BaseException | None = None,
        progress: _Progress = None,
        extra_data: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def upload_gallery_photo(
        self,
        gallery_id: int | str,
        source_amigo_id: str,
        file_obj: _FileLike,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        metadata: Mapping[str, Any] | None = None,
        filename: str | None = None,
        resume: BaseException | None = None,
        progress: _Progress = None,
    ) -> Any: ...
    def geocode_addresses(
        self,
        project_id: int | str,
        dataset_id: int | str,
        address_field: str,
        geometry_field: str,
        progress: _Progress = None,
        **extra_params: str,
    ) -> dict[str, Any]: ...
    def wait_for_job(self, job: _Job, timeout: float | None = None, progress: _Progress = None) -> dict[str, Any]: ...
    def download(self, url: str, destination: _Destination = None, progress: _Progress = None) -> Any: ...
    def export_dataset(
        self,
        project_id: int | str,
        dataset_id: int | str,
        format: str,
        destination: _Destination = None,
        progress: _Progress = None,
    ) -> Any: ...
    def download_photos(
        self,
        gallery_id: int | str,
        destination: str | bytes | os.PathLike[str],
        source_amigo_id: str | None = None,
        progress: _Progress = None,
    ) -> list[Any]: ...
    def listen_user_events(self) -> None: ...
    def listen_dataset_events(self, owner_id: int | str, project_id: int | str, dataset_id: int | str) -> None: ...
    def add_callback(self, event_name: str, callback: Callable[[Any], object]) -> None: ...
    def start_listening(self, seconds: float | None = None) -> None: ...
    def stop_listening(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> AmigoCloud: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def __del__(self) -> None: ...
    def __getstate__(self) -> dict[str, Any]: ...
    def __setstate__(self, state: dict[str, Any]) -> None: ...
