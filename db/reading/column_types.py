"""Types of the columns of a query, and conversion of their values; whole numbers of which one is missing are floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

Kind = Literal["integer", "float", "text"]


Types = Mapping[str, Kind]
"""Type of each column of a query, in their order."""

Fetch = Callable[[str, Types], pd.DataFrame]
"""Executes a query without parameters, given the types of its columns, and returns a frame."""

Begin = Callable[[str, Types], Callable[[], pd.DataFrame]]
"""Starts a query and returns a function that returns its frame; until that is called, no other query may start."""

TEXT = pd.Series(["text"]).dtype
"""Type of columns of text: `str` from pandas 3 on, `object` before."""


def typed(values: tuple[Any, ...], kind: Kind) -> pd.Series[Any]:
    """Return the values of a column as a series of its type."""
    if kind == "text":
        return pd.Series(values, dtype=TEXT)
    if kind == "float" or None in values:
        return pd.Series(np.array(values, dtype=np.float64))
    return pd.Series(np.array(values, dtype=np.int64))
