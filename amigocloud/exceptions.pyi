from typing import Any

import requests

TEXT_LIMIT: int

class AmigoCloudError(Exception):
    message: str
    response: requests.Response | None
    text: str | None
    status_code: int | None
    upload_id: str | None
    offset: int | None
    written: list[str] | None
    def __init__(self, message: str, response: requests.Response | None = None) -> None: ...

class AmigoCloudValueError(AmigoCloudError, ValueError): ...

class AmigoCloudJobError(AmigoCloudError):
    job: dict[str, Any]
    def __init__(self, message: str, job: dict[str, Any]) -> None: ...

def failure_error(
    failure: BaseException, message: str, response: requests.Response | None = None
) -> AmigoCloudError: ...
def combined(
    base: type[BaseException], message: str, response: requests.Response | None = None
) -> AmigoCloudError: ...
def shown(value: object) -> str: ...
def printable(text: str) -> str: ...
def token_sent(response: requests.Response) -> str | None: ...
def settle_charset(response: requests.Response) -> None: ...
