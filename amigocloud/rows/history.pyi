from typing import NamedTuple

import pandas

class Difference(NamedTuple):
    inserted: pandas.DataFrame
    updated: pandas.DataFrame
    deleted: pandas.DataFrame
