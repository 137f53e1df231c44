"""Subnetworks as candidates: their costs, their estimated drops, and those that are as good as the best."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.metric import metric_of
from prunestats.noise.best_errors import dense_value
from prunestats.noise.budget import Budget
from prunestats.noise.choice import choose, runs_of_one_original
from prunestats.noise.subset_selection import best_subset
from prunestats.study_record import Original
from prunestats.wording import count, counted, percent

_COSTS = ("flops", "params")
LATENCIES = ("latency_ms", "dense_ms", "speedup")
"""Columns of runs whose subnetworks have a latency in the setting that a budget or a figure speaks of."""


def cost_table(scope: pd.DataFrame, dense: Mapping[str, Original]) -> pd.DataFrame:
    """One row a subnetwork: key, costs, measured speed, and the costs of its original."""
    speeds = [name for name in ("speedup_1", "speedup_64", *LATENCIES) if name in scope.columns]
    groups = distinct(scope).groupby("unit", sort=True)
    units = groups[["original", "subnetwork", *_COSTS]].first().join(groups[speeds].mean())
    of = units["original"].map(dense)
    # None where an import did not state them
    costs = {f"original_{cost}": np.array([getattr(one, cost) for one in of], dtype=float) for cost in _COSTS}
    return units.assign(**costs)


def distinct(runs: pd.DataFrame) -> pd.DataFrame:
    """Every run once, whatever the spaces and regimes that its subnetwork was sampled in."""
    return runs.drop_duplicates([name for name in ("unit", "seed") if name in runs.columns])


def estimated_drops(scope: pd.DataFrame, dense: Mapping[str, Original]) -> pd.Series[float]:
    """How much worse than its dense network every unit is estimated to be on the validation split."""
    metric, estimates = metric_of(scope), []
    for (original, _), population in scope.groupby(["original", "regime"], sort=False, dropna=False):
        whole = dense_value(dense[str(original)], "validation", metric)
        if whole is None:
            raise InputError(
                f"a budget of max_drop needs the validation {metric.label} of the dense network; found none recorded "
                f"for {original}: give another budget, such as flops"
            )
        runs = runs_of_one_original(population.assign(subnetwork=population["unit"]), metric.name)
        estimates.append(metric.sign * (choose(runs, metric.name).expected_means() - whole))
    # sampled in two regimes, it has two estimates
    every = pd.concat(estimates)
    return every.groupby(every.index, sort=True).mean()


def n_as_good(candidates: pd.DataFrame, level: float) -> int | None:
    """Number of other candidates that are not significantly worse than any; None without repeated seeds."""
    metric = metric_of(candidates)
    groups = candidates.groupby("subnetwork", sort=True)[metric.name]
    means, seeds = metric.sign * groups.mean(), groups.size()
    df = len(candidates) - len(means)
    squares = float(((candidates[metric.name] - groups.transform("mean")) ** 2).sum())
    if squares <= 0:
        return None
    kept = best_subset(np.asarray(means, dtype=float), np.asarray(seeds, dtype=float), squares / df, df, level)
    return max(int(kept.sum()) - 1, 0)


def nothing_within(units: pd.DataFrame, budget: Budget) -> str:
    """Say that no subnetwork is within the budget, and how near they come."""
    fewest = (units["flops"] / units["original_flops"]).min()
    least = [f"the fewest FLOPs are {percent(fewest)} of the original's"] if np.isfinite(fewest) else []
    least.append(f"the fewest parameters {'' if least else 'are '}{count(units['params'].min())}")
    if budget.speedup is not None:
        fastest = units["speedup" if budget.measured_in else "speedup_1"].max()
        least.append(f"the largest speed-up {fastest:.3g}")
    if budget.latency_ms is not None:
        least.append(f"the least latency {units['latency_ms'].min():.3g} ms")
    if "drop" in units:
        least.append(f"the least estimated drop {budget.metric.value(units['drop'].min())}")
    return f"None of {counted(len(units), 'subnetwork')} has {budget.words}: {', '.join(least)}."
