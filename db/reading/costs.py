"""Widths, parameters per layer and buckets of subnetworks, from widths as they are stored; once per subnetwork."""

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
    """Return the cost model of each original by its row number; None for an original without one."""
    ids = ", ".join(map(str, np.unique(originals).tolist())) or "NULL"
    sql = f"SELECT id, CAST(cost AS TEXT) FROM original WHERE id IN ({ids})"
    rows = fetch(sql, {"id": "integer", "cost": "text"})
    return {
        row: None if pd.isna(cost) else CostModel.from_dict(json.loads(cost))
        for row, cost in zip(rows["id"], rows["cost"], strict=True)
    }


def add_widths(
    members: pd.DataFrame, originals: NDArray[np.int64], costs: dict[int, CostModel | None], bucket: int, layers: bool
) -> None:
    """Add the columns widths, layer_params (both tuples), buckets and ratio, in place.

    Parameters
    ----------
    members : pandas.DataFrame
        Subnetworks with flops, params, and widths as JSON text; missing where unknown or not needed.
    originals : array of int, shape (n_members,)
        Row number of the original of each member.
    costs : dict
        From `cost_models`.
    bucket : int
        Parameters per bucket.
    layers : bool
        Whether to fill layer_params.

    Raises
    ------
    InputError
        For a bucket of more than one parameter where the original has no cost model.
    """
    texts = members["widths"].to_numpy(dtype=object)
    widths = np.full(len(members), None, dtype=object)
    layer_params = widths.copy()
    buckets = members["params"].to_numpy(copy=True)
    for original, cost in costs.items():
        rows = np.flatnonzero(originals == original)
        known = rows[~pd.isna(texts[rows])]
        if cost is None:
            # parsed one by one: an import may contain networks of several depths
            widths[known] = _objects([tuple(json.loads(text)) for text in texts[known]])
        if cost is not None and len(known) == len(rows):
            matrix = _matrix(texts[rows])
            widths[rows] = _row_tuples(matrix)
            if layers:
                layer_params[rows] = _row_tuples(cost.layer_params(matrix))
            if bucket > 1:
                buckets[rows] = cost.buckets(matrix, bucket)
        elif bucket > 1 and len(rows):
            raise InputError(
                f"expected widths and a cost model, as buckets of {bucket} are counted per layer; found subnetworks "
                "without them: use bucket=1"
            )
    members["widths"] = widths
    members["layer_params"] = layer_params
    members["buckets"] = buckets
    members["ratio"] = members["flops"].to_numpy() / buckets


def _matrix(texts: NDArray[Any]) -> NDArray[np.int64]:
    """Return widths, shape (n_subnetworks, n_groups), from JSON arrays that are parsed together."""
    joined = ",".join(texts.tolist()).replace("[", "").replace("]", "")
    return np.fromstring(joined, dtype=np.int64, sep=",").reshape(len(texts), -1)


def _row_tuples(matrix: NDArray[np.int64]) -> NDArray[Any]:
    with _garbage_collection_paused():
        # column by column: zip then creates the tuples without a list per row
        return _objects(list(zip(*(column.tolist() for column in matrix.T), strict=True)))


def _objects(values: list[tuple[int, ...]]) -> NDArray[Any]:
    rows = np.empty(len(values), dtype=object)
    rows[:] = values
    return rows


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause garbage collection: a million new tuples would trigger it repeatedly, and contain no cycles."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
