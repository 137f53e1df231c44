"""Subnetworks as candidates: their costs, their estimated drops, and those that are as good as the best."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.noise.budget import Budget
from prunestats.noise.choice import choose, runs_of_one_original
from prunestats.noise.subset_selection import best_subset
from prunestats.study_record import Original
from prunestats.wording import count, counted, percent

LATENCIES = ("latency_ms", "dense_ms", "speedup")
"""Columns of runs whose subnetworks have a latency in the setting that a budget or a figure speaks of."""


def cost_table(scope: pd.DataFrame, dense: Mapping[str, Original]) -> pd.DataFrame:
    """One row a subnetwork: key, costs, measured speed, and the costs of its original."""
    speeds = [name for name in ("speedup_1", "speedup_64", *LATENCIES) if name in scope.columns]
    groups = distinct(scope).groupby("unit", sort=True)
    units = groups[["original", "subnetwork", "flops", "params"]].first().join(groups[speeds].mean())
    of = units["original"].map(dense)
    return units.assign(original_flops=[one.flops for one in of], original_params=[one.params for one in of])


def distinct(runs: pd.DataFrame) -> pd.DataFrame:
    """Every run once, whatever the spaces and regimes that its subnetwork was sampled in."""
    return runs.drop_duplicates([name for name in ("unit", "seed") if name in runs.columns])


def estimated_drops(scope: pd.DataFrame, dense: Mapping[str, Original]) -> pd.Series[float]:
    """Estimated expected validation error of every unit minus that of its dense network."""
    estimates = []
    for (original, _), population in scope.groupby(["original", "regime"], sort=False):
        error = dense[str(original)].val_error
        if error is None:
            raise InputError(
                f"a budget of max_drop needs the validation error of the dense network; found none recorded for "
                f"{original}: give another budget, such as flops"
            )
        chosen = choose(runs_of_one_original(population.assign(subnetwork=population["unit"]), "error"), "error")
        estimates.append(chosen.expected_means() - error)
    # sampled in two regimes, it has two estimates
    every = pd.concat(estimates)
    return every.groupby(every.index, sort=True).mean()


def n_as_good(candidates: pd.DataFrame, level: float) -> int | None:
    """Number of other candidates that are not significantly worse than any; None without repeated seeds."""
    groups = candidates.groupby("subnetwork", sort=True)["error"]
    means, seeds = groups.mean(), groups.size()
    df = len(candidates) - len(means)
    squares = float(((candidates["error"] - groups.transform("mean")) ** 2).sum())
    if squares <= 0:
        return None
    kept = best_subset(np.asarray(means, dtype=float), np.asarray(seeds, dtype=float), squares / df, df, level)
    return max(int(kept.sum()) - 1, 0)


def nothing_within(units: pd.DataFrame, budget: Budget) -> str:
    """Say that no subnetwork is within the budget, and how near they come."""
    least = [
        f"the fewest FLOPs are {percent((units['flops'] / units['original_flops']).min())} of the original's",
        f"the fewest parameters {count(units['params'].min())}",
    ]
    if budget.speedup is not None:
        fastest = units["speedup" if budget.measured_in else "speedup_1"].max()
        least.append(f"the largest speed-up {fastest:.3g}")
    if budget.latency_ms is not None:
        least.append(f"the least latency {units['latency_ms'].min():.3g} ms")
    if "drop" in units:
        least.append(f"the least estimated drop {percent(units['drop'].min())}")
    return f"None of {counted(len(units), 'subnetwork')} has {budget.words}: {', '.join(least)}."
