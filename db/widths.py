"""From widths as they are stored to widths, parameters a layer and buckets, each subnetwork worked out once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from prunestats.cost import CostModel
from prunestats.db import schema
from prunestats.errors import InputError


def cost_models(connection: Connection, frame: pd.DataFrame) -> dict[str, CostModel | None]:
    """Return the cost model of each original in the frame, by key; None where there is none."""
    table = schema.original
    keys = [str(key) for key in frame["original"].unique()]
    rows = connection.execute(select(table.c.key, table.c.cost).where(table.c.key.in_(keys)))
    return {key: None if cost is None else CostModel.from_dict(cost) for key, cost in rows}


def add_widths(frame: pd.DataFrame, costs: dict[str, CostModel | None], bucket: int, layers: bool) -> None:
    """Add widths and layer_params as tuples, buckets, and the ratio, in place.

    Parameters
    ----------
    frame : pandas.DataFrame
        With original, subnetwork_id, flops, params, and widths as JSON text.
    costs : dict
        From `cost_models`.
    bucket : int
        Parameters a bucket.
    layers : bool
        Whether to fill layer_params.

    Raises
    ------
    InputError
        For buckets of more than one parameter where the original has no cost model.
    """
    widths = np.empty(len(frame), dtype=object)
    layer_params = np.empty(len(frame), dtype=object)
    buckets = frame["params"].to_numpy(dtype=np.int64, copy=True)
    for original, rows in frame.groupby("original", sort=False).indices.items():
        codes, firsts = _distinct(frame["subnetwork_id"].to_numpy()[rows])
        texts = frame["widths"].to_numpy()[rows[firsts]]
        cost = costs[str(original)]
        known = _matrix(texts) if cost is not None and not pd.isna(texts).any() else None
        if known is not None:
            widths[rows] = _tuples(known)[codes]
        if known is not None and cost is not None:
            if layers:
                layer_params[rows] = _tuples(cost.layer_params(known))[codes]
            if bucket > 1:
                buckets[rows] = cost.buckets(known, bucket)[codes]
        elif bucket > 1:
            raise InputError(
                f"buckets of {bucket} are counted layer by layer; found original {original} stored without "
                "widths or cost model: use bucket=1"
            )
    frame["widths"] = widths
    frame["layer_params"] = layer_params
    frame["buckets"] = buckets
    frame["ratio"] = frame["flops"].to_numpy() / buckets


def _distinct(ids: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row the number of its distinct value, and for each distinct value its first row."""
    _, firsts, codes = np.unique(ids, return_index=True, return_inverse=True)
    return codes, firsts


def _matrix(texts: NDArray[Any]) -> NDArray[np.int64]:
    """Widths (subnetworks, groups) from JSON arrays, in one parse."""
    joined = ",".join(texts.tolist()).replace("[", "").replace("]", "")
    return np.array(joined.split(","), dtype=np.int64).reshape(len(texts), -1)


def _tuples(matrix: NDArray[np.int64]) -> NDArray[Any]:
    rows = np.empty(len(matrix), dtype=object)
    rows[:] = list(map(tuple, matrix.tolist()))
    return rows
