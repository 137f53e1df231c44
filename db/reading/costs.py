"""From widths as they are stored to widths, parameters a layer and buckets, each subnetwork worked out once."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.cost.model import CostModel
from prunestats.db.reading.column_types import Fetch
from prunestats.errors import InputError


def cost_models(fetch: Fetch, originals: NDArray[np.int64]) -> dict[int, CostModel | None]:
    """Return the cost model of each original by its row; None where there is none."""
    ids = ", ".join(map(str, np.unique(originals).tolist())) or "NULL"
    sql = f"SELECT id, CAST(cost AS TEXT) FROM original WHERE id IN ({ids})"
    rows = fetch(sql, {"id": "whole", "cost": "text"})
    return {
        row: None if pd.isna(cost) else CostModel.from_dict(json.loads(cost))
        for row, cost in zip(rows["id"], rows["cost"], strict=True)
    }


def add_widths(
    members: pd.DataFrame, originals: NDArray[np.int64], costs: dict[int, CostModel | None], bucket: int, layers: bool
) -> None:
    """Add widths and layer_params as tuples, buckets, and the ratio, in place.

    Parameters
    ----------
    members : pandas.DataFrame
        Subnetworks with flops, params, and widths as JSON text, missing where they are not known or not needed.
    originals : array of int, shape (n_members,)
        Row of the original of each.
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
    texts = members["widths"].to_numpy(dtype=object)
    widths = np.full(len(members), None, dtype=object)
    layer_params = widths.copy()
    buckets = members["params"].to_numpy(copy=True)
    for original, cost in costs.items():
        rows = np.flatnonzero(originals == original)
        there = rows[~pd.isna(texts[rows])]
        if cost is None:
            # an import may hold networks of several depths
            widths[there] = _objects([tuple(json.loads(text)) for text in texts[there]])
        if cost is not None and len(there) == len(rows):
            known = _matrix(texts[rows])
            widths[rows] = _tuples(known)
            if layers:
                layer_params[rows] = _tuples(cost.layer_params(known))
            if bucket > 1:
                buckets[rows] = cost.buckets(known, bucket)
        elif bucket > 1 and len(rows):
            raise InputError(
                f"buckets of {bucket} are counted layer by layer; found subnetworks stored without widths or cost "
                "model: use bucket=1"
            )
    members["widths"] = widths
    members["layer_params"] = layer_params
    members["buckets"] = buckets
    members["ratio"] = members["flops"].to_numpy() / buckets


def _matrix(texts: NDArray[Any]) -> NDArray[np.int64]:
    """Widths (subnetworks, groups) from JSON arrays, in one parse."""
    joined = ",".join(texts.tolist()).replace("[", "").replace("]", "")
    return np.fromstring(joined, dtype=np.int64, sep=",").reshape(len(texts), -1)


def _tuples(matrix: NDArray[np.int64]) -> NDArray[Any]:
    with _uncollected():
        # by columns: no list is made for a row
        return _objects(list(zip(*(column.tolist() for column in matrix.T), strict=True)))


def _objects(values: list[tuple[int, ...]]) -> NDArray[Any]:
    rows = np.empty(len(values), dtype=object)
    rows[:] = values
    return rows


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: a million new tuples would set the collector off over and over, and hold none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
