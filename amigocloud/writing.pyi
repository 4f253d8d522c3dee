from collections.abc import Callable
from typing import Any

import geopandas
import pandas

from .progress import _Progress

def write_geodataframe(
    get: Callable[..., Any],
    post: Callable[..., Any],
    wait_for_job: Callable[..., Any],
    below: str,
    frame: geopandas.GeoDataFrame | pandas.DataFrame,
    name: str,
    progress: _Progress = None,
) -> dict[str, Any]: ...
