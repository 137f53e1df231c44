"""Types of the columns of a query, and the values of a column as an array of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

Kind = Literal["whole", "real", "text"]


Types = Mapping[str, Kind]


# From the text of a query without parameters, and the types of its columns, to a frame.
Fetch = Callable[[str, Types], pd.DataFrame]


# The same for what is called to have the frame: until then nothing else may be fetched.
Begin = Callable[[str, Types], Callable[[], pd.DataFrame]]


# str from pandas 3 on, object before
TEXT = pd.Series(["text"]).dtype


def typed(values: tuple[Any, ...], kind: Kind) -> pd.Series[Any]:
    """The values of a column, of the type of its kind."""
    if kind == "text":
        return pd.Series(values, dtype=TEXT)
    return pd.Series(np.array(values, dtype=np.int64 if kind == "whole" else np.float64))
