import requests

from .client import JobDict

class AmigoCloudError(Exception):
    message: str
    response: requests.Response | None
    text: str | None
    status_code: int | None
    upload_id: str | None
    offset: int | None
    written: list[str] | None
    unknown: list[str] | None
    def __init__(self, message: object, response: requests.Response | None = None) -> None: ...

class AmigoCloudValueError(AmigoCloudError, ValueError): ...

class AmigoCloudJobError(AmigoCloudError):
    job: JobDict
    def __init__(self, message: object, job: JobDict) -> None: ...
