"""Subnetworks whose latency matters: those that a budget may select, and those that they are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from prunestats.metric import Metric, metric_of
from prunestats.noise.choice import rank_subnetworks
from prunestats.numeric.pareto import pareto_front

BEST = 3
"""Subnetworks of each regime and space, beside the front: the winner, and two that noise may have kept from winning. A
round number, which trades minutes of measuring for candidates of a latency budget."""


def worth_measuring(runs: pd.DataFrame, uniform: str | None = None, best: int = BEST) -> pd.DataFrame:
    """The front of the metric against FLOPs, the best subnetworks of each regime, and those of uniform pruning.

    Parameters
    ----------
    runs : pandas.DataFrame
        Finished runs on the split that selects (validation): original, subnetwork, space, regime, protocol, flops,
        params and the metric.
    uniform : str, optional
        Name of the space of uniform pruning.
    best : int
        Subnetworks of each original, protocol and regime by `rank_subnetworks`, from all spaces, and again from that of
        uniform pruning.

    Returns
    -------
    pandas.DataFrame
        original and subnetwork, each once, sorted.

    Examples
    --------
    >>> runs = pd.DataFrame({"subnetwork": ["a", "b", "c", "d"], "flops": [9, 8, 8, 5], "params": 3})
    >>> runs = runs.assign(error=[0.1, 0.2, 0.3, 0.3], original="net", space="wide", regime=0.5, protocol="short")
    >>> worth_measuring(runs, best=1)["subnetwork"].tolist()
    ['a', 'b', 'd']
    """
    metric = metric_of(runs)
    chosen = [
        {"original": original, "subnetwork": subnetwork}
        for (original, _), mine in runs.groupby(["original", "protocol"], sort=True)
        for subnetwork in _chosen(mine, metric, uniform, best)
    ]
    found = pd.DataFrame(chosen, columns=["original", "subnetwork"]).drop_duplicates()
    return found.sort_values(["original", "subnetwork"], ignore_index=True)


def _chosen(runs: pd.DataFrame, metric: Metric, uniform: str | None, best: int) -> Iterator[str]:
    ranked = rank_subnetworks(runs, metric.name)
    yield from ranked.index[pareto_front(ranked["flops"], metric.sign * ranked[metric.name])]
    for _, regime in runs.groupby("regime", sort=True):
        for mine in (regime, regime[regime["space"] == uniform]):
            if len(mine):
                yield from rank_subnetworks(mine, metric.name).index[:best]
