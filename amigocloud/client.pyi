"""Types of the client, and of the answers of the service.

The classes whose names end in ``Dict`` exist for type checkers only:

    if TYPE_CHECKING:
        from amigocloud.client import JobDict
"""
import logging
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, Any, Literal, Protocol, TypedDict, overload, type_check_only

import requests
from _typeshed import SupportsWrite
from typing_extensions import Self

from .events.realtime import Realtime
from .project import Gallery, Project
from .rows.cursor import Cursor, _Progress

BASE_URL: str
EVENTS_TIMEOUT: tuple[float, float]
LOG: logging.Logger

_Timeout = float | tuple[float | None, float | None] | None
_Path = str | os.PathLike[str]
_BytesPath = bytes | os.PathLike[bytes]
_Output = SupportsWrite[bytes]

# A file that can be rewound, such as gzip.GzipFile, which is no IO[bytes].
@type_check_only
class _BinaryFile(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def tell(self) -> int: ...

_File = _Path | _BytesPath | _BinaryFile | IO[str]

# The job of an import or another slow task, from /me/jobs/JOB. The kind of the task decides what
# its extra holds.
@type_check_only
class JobDict(TypedDict):
    status: str
    extra: Any
    url: str

# The user, from /me.
@type_check_only
class UserDict(TypedDict):
    id: int
    first_name: str
    last_name: str
    email: str
    custom_id: str
    organization: Any
    projects: str
    visible_projects: str
    images: str

# A project of a list with ``?summary``.
@type_check_only
class ProjectSummaryDict(TypedDict):
    id: int
    name: str
    url: str
    hash: str
    preview_image: str
    preview_image_hash: str

# A project, from /projects/PROJECT.
@type_check_only
class ProjectDict(ProjectSummaryDict):
    description: str
    owner: str
    owner_id: int
    organization: Any
    created_on: str
    last_updated: str
    public_read: bool
    public_write: bool
    permission_level: Any
    my_permission_level: Any
    dataset_count: int
    history_dataset_id: int
    datasets: str
    upload_datasets: str
    chunked_upload_datasets: str
    upload: str
    chunked_upload: str
    chunked_upload_complete: str
    create_dataset: str
    sql: str
    submit_changeset: str
    support_files: str
    support_files_hash: str
    base_layers: str
    contributors: str
    invitations: str
    grant: str
    revoke: str
    leave: str
    queries: str
    notifications: str
    offline_areas: str
    temporary_datasets: str

# A dataset of a list with ``?summary``.
@type_check_only
class DatasetSummaryDict(TypedDict):
    id: int
    name: str
    url: str
    visible: bool
    type: str
    schema_hash: str
    preview_image: str
    preview_image_hash: str

# A dataset, from /projects/PROJECT/datasets/DATASET.
@type_check_only
class DatasetDict(DatasetSummaryDict):
    project: str
    table_name: str
    description: str
    created_on: str
    last_updated: str
    feature_count: int
    boundingbox: Any
    geometry_column: Any
    geo_type: Any
    wkt_geo_type: Any
    read_only: bool
    online_only: bool
    auto_sync: bool
    display_field: Any
    cache_busting: Any
    master_state: str
    related_tables_hash: str
    schema: str
    master: str
    states: str
    changeset: str
    submit_change: str
    export: str
    style: str
    forms: str
    forms_summary: str
    tiles: str
    preview: str
    preview_vector: str
    related_tables: str
    relationships: str
    notifications: str
    generalization: str

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
        max_events: int | None = None,
    ) -> None: ...
    @classmethod
    def from_env(cls, **kwargs: Any) -> Self: ...
    def authenticate(self, token: str, project_url: str | None = None) -> None: ...
    def logout(self) -> None: ...
    def build_url(self, url: str) -> str: ...
    def check_for_errors(self, response: requests.Response) -> None: ...
    @overload
    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        raw: bool = False,
        *,
        stream: Literal[True],
        **request_kwargs: Any,
    ) -> requests.Response: ...
    @overload
    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None,
        raw: bool,
        stream: Literal[True],
        **request_kwargs: Any,
    ) -> requests.Response: ...
    @overload
    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        *,
        raw: Literal[True],
        stream: Literal[False] = False,
        **request_kwargs: Any,
    ) -> bytes: ...
    @overload
    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None,
        raw: Literal[True],
        stream: Literal[False] = False,
        **request_kwargs: Any,
    ) -> bytes: ...
    @overload
    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        raw: bool = False,
        stream: bool = False,
        **request_kwargs: Any,
    ) -> Any: ...
    @overload
    def post(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        *,
        stream: Literal[True],
        **request_kwargs: Any,
    ) -> requests.Response: ...
    @overload
    def post(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        raw: Literal[True],
        send_as_json: bool = True,
        content_type: str | None = None,
        stream: Literal[False] = False,
        **request_kwargs: Any,
    ) -> bytes: ...
    @overload
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
    @overload
    def put(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        *,
        stream: Literal[True],
        **request_kwargs: Any,
    ) -> requests.Response: ...
    @overload
    def put(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        raw: Literal[True],
        send_as_json: bool = True,
        content_type: str | None = None,
        stream: Literal[False] = False,
        **request_kwargs: Any,
    ) -> bytes: ...
    @overload
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
    @overload
    def patch(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        *,
        stream: Literal[True],
        **request_kwargs: Any,
    ) -> requests.Response: ...
    @overload
    def patch(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        raw: Literal[True],
        send_as_json: bool = True,
        content_type: str | None = None,
        stream: Literal[False] = False,
        **request_kwargs: Any,
    ) -> bytes: ...
    @overload
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
    @overload
    def delete(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        send_as_json: bool = True,
        content_type: str | None = None,
        *,
        stream: Literal[True],
        **request_kwargs: Any,
    ) -> requests.Response: ...
    @overload
    def delete(
        self,
        url: str,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        raw: Literal[True],
        send_as_json: bool = True,
        content_type: str | None = None,
        stream: Literal[False] = False,
        **request_kwargs: Any,
    ) -> bytes: ...
    @overload
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
    def get_cursor(
        self, url: str, params: Mapping[str, Any] | None = None, **request_kwargs: Any
    ) -> Cursor: ...
    def project(self, project_id: int | str | None = None) -> Project: ...
    def projects(self, **params: Any) -> Cursor: ...
    def project_named(self, name: str) -> Project: ...
    def gallery(self, gallery_id: int | str) -> Gallery: ...
    def upload_file(
        self,
        simple_upload_url: str | None,
        chunked_upload_url: str | None,
        file_obj: _File,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        extra_data: Mapping[str, Any] | None = None,
        resume: BaseException | None = None,
        progress: _Progress = None,
    ) -> dict[str, Any]: ...
    def upload_datafile(
        self,
        project_owner: int | str,
        project_id: int | str,
        file_obj: _File,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        resume: BaseException | None = None,
        progress: _Progress = None,
        extra_data: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]: ...
    def upload_gallery_photo(
        self,
        gallery_id: int | str,
        source_amigo_id: str,
        file_obj: _File,
        chunk_size: int = 100000,
        force_chunked: bool = False,
        metadata: Mapping[str, Any] | None = None,
        filename: str | None = None,
        resume: BaseException | None = None,
        progress: _Progress = None,
    ) -> dict[str, Any]: ...
    def geocode_addresses(
        self,
        project_id: int | str | None,
        dataset_id: int | str,
        address_field: str,
        geometry_field: str,
        progress: _Progress = None,
        **extra_params: str,
    ) -> dict[str, Any]: ...
    def wait_for_job(
        self,
        job: int | str | Mapping[str, Any],
        timeout: float | None = None,
        progress: _Progress = None,
    ) -> JobDict: ...
    @overload
    def download(
        self, url: str, destination: _Path | None = None, progress: _Progress = None
    ) -> str: ...
    @overload
    def download(
        self, url: str, destination: _BytesPath, progress: _Progress = None
    ) -> bytes: ...
    @overload
    def download(self, url: str, destination: _Output, progress: _Progress = None) -> None: ...
    def listen_user_events(self) -> None: ...
    def listen_dataset_events(
        self, owner_id: int | str, project_id: int | str, dataset_id: int | str
    ) -> None: ...
    def add_callback(self, event_name: str, callback: Callable[[Any], object]) -> None: ...
    def start_listening(self, seconds: float | None = None) -> None: ...
    def stop_listening(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
