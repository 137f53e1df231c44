"""The subnetwork to take for a budget: selected on the validation split among those within the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from prunestats.errors import InputError, ResultsError
from prunestats.metric import Metric, metric_of, with_metric
from prunestats.noise.best_errors import with_errors
from prunestats.noise.best_result import BestSubnetwork
from prunestats.noise.budget import Budget
from prunestats.noise.candidates import LATENCIES, cost_table, distinct, estimated_drops, n_as_good, nothing_within
from prunestats.noise.choice import LEAST, rank_subnetworks, selection_notes
from prunestats.numeric.intervals import check_level
from prunestats.results.checks import RUN_KEY, check_results, require_columns
from prunestats.results.means import one_value
from prunestats.study_record import Original

_SIMILAR = 0.1
"""Relative difference of FLOPs up to which errors count as comparable: wider than the bands of pruning regimes, of a
few percent, so that it only limits imported results of all FLOPs. Of parameters where no FLOPs are known."""


_SPLITS = ("val_error", "test_error", "val_metric", "test_metric")
"""Columns that would make `selection_notes` say that both splits are equal, which the notes on errors say already."""


@dataclass(frozen=True)
class _Selection:
    """What every selection of one call shares."""

    metric: Metric
    dense: Mapping[str, Original]
    uniform: str | None
    level: float
    rng: np.random.Generator | None


def best_subnetworks(
    validation: pd.DataFrame,
    test: pd.DataFrame,
    originals: Sequence[Original],
    *,
    budget: Budget | None = None,
    uniform: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> tuple[BestSubnetwork, ...]:
    """Select the subnetwork to take for each budget, with its expected error, and compare it with what else there is.

    Parameters
    ----------
    validation, test : pandas.DataFrame
        Results frames of the same runs of one study and protocol on both splits, with original, space and regime, and
        the metric of `validation` (`prunestats.metric.metric_of`): the error where it is marked with no other. Failed
        runs are left out; test errors may be missing.
    originals : sequence of Original
        The dense networks, by the keys of the column original.
    budget : Budget, optional
        Limits; candidates are then the subnetworks of all regimes. By default every regime is a budget of its own, of
        FLOPs up to its target, and candidates are the subnetworks that were sampled in it; results without FLOPs have
        no regimes, and all subnetworks are candidates.
    uniform : str, optional
        Name of the space of uniform pruning.
    level : float
        Confidence level of the intervals, in (0, 1).
    rng : numpy.random.Generator, optional
        For the refits of the correction; a generator seeded with 0 by default.

    Returns
    -------
    tuple of BestSubnetwork
        One a network (with its data set) and regime, the largest regime first; with a budget one a network.

    Raises
    ------
    InputError, ResultsError
        For what `check_results` refuses, several protocols, an original without a record, or a budget of speed-up or
        drop where what it needs was not measured.

    Notes
    -----
    "Error" stands for the metric, whatever its name, unit and direction. Results have its values as they are.

    Selection: `rank_subnetworks` on the validation split, over all spaces and all originals of a network, among the
    subnetworks within the budget. Under `max_drop`, the subnetwork with the fewest FLOPs whose estimated expected
    validation error is worse than the dense network's by at most that; the estimates are posterior means where seeds
    are repeated.

    Report, on the test split: `winner_error` of the selected one, among the subnetworks of its original and regime with
    similar FLOPs. The difference to uniform pruning combines its interval with Student's interval of the mean over the
    uniform ones among these [1]_, as if the two were independent.

    References
    ----------
    .. [1] G. Y. Zou and A. Donner, Statist. Med. 27 (2008), 1693-1702 (asymmetric intervals).

    Examples
    --------
    >>> dense = Original("o", "net", "data", 0, 100, 50, 2, "multiply-adds", 0.05, 0.06, {})
    >>> runs = pd.DataFrame({"original": "o", "space": "initial", "regime": 0.5, "subnetwork": ["a", "b", "c"]})
    >>> runs = runs.assign(seed=0, flops=[51, 50, 49], params=30, error=[0.10, 0.11, 0.12])
    >>> best_subnetworks(runs, runs.assign(error=0.13), [dense])[0].subnetwork  # a is over the budget
    'b'
    """
    check_level(level)
    metric = metric_of(validation)
    runs = _paired(validation, test, metric)
    chosen = _Selection(metric, {one.key: one for one in originals}, uniform, level, rng)
    unknown = set(runs["original"]) - set(chosen.dense)
    if unknown:
        raise InputError(f"expected a record of every original; found none of {min(unknown)}: add it to originals")
    networks = runs["original"].map(lambda key: (chosen.dense[key].network, chosen.dense[key].dataset))
    found = []
    for _, mine in runs.groupby(networks, sort=True):
        if budget is not None or bool(mine["flops"].isna().all()):
            found.append(_best(mine, replace(budget or Budget(), metric=metric), None, chosen))
            continue
        for regime in sorted(mine["regime"].unique(), reverse=True):
            within = Budget(flops=float(regime), metric=metric)
            found.append(_best(mine[mine["regime"] == regime], within, float(regime), chosen))
    return tuple(found)


def _paired(validation: pd.DataFrame, test: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The finished runs with the metric of both splits, that of test as reported, and the unit that is selected."""
    require_columns(validation, ["original", "space", "regime", metric.name])
    finished = check_results(validation[validation[metric.name].notna()])
    one_value(finished, "protocol")
    keys = [name for name in RUN_KEY if name in finished.columns]
    reported = test[[*keys, metric.name]].rename(columns={metric.name: "reported"})
    runs = finished.merge(reported, on=keys, how="left", validate="one_to_one", indicator="on_test")
    if bool((runs["on_test"] != "both").any()):
        raise ResultsError(
            f"test must hold the same runs as validation; found {int((runs['on_test'] != 'both').sum())} of "
            f"{len(runs)} missing: load both splits of one study"
        )
    runs = runs.assign(unit=runs["original"] + " " + runs["subnetwork"].astype(str)).drop(columns="on_test")
    # a merge keeps the attributes of neither frame
    return with_metric(runs, metric)


def _best(scope: pd.DataFrame, budget: Budget, regime: float | None, chosen: _Selection) -> BestSubnetwork:
    """Select within one budget among the runs of one network."""
    units = cost_table(scope, chosen.dense)
    allowed = budget.allows_cost(units)
    if budget.max_drop is not None:
        units["drop"] = estimated_drops(scope, chosen.dense)
        allowed &= np.asarray(units["drop"] <= budget.max_drop)
    candidates = distinct(scope[scope["unit"].isin(units.index[allowed])])
    if candidates.empty:
        first = chosen.dense[str(scope["original"].iloc[0])]
        why, data = (nothing_within(units, budget),), (first.network, first.dataset)
        return BestSubnetwork(*data, None, None, regime, budget, None, 0, why, chosen.level, metric=chosen.metric)
    key, notes, as_good = _select(candidates.assign(subnetwork=candidates["unit"]), budget, chosen.level)
    rows = scope[scope["unit"] == key]
    dense = chosen.dense[str(rows["original"].iloc[0])]
    found = BestSubnetwork(
        network=dense.network,
        dataset=dense.dataset,
        original=dense.key,
        original_seed=dense.seed,
        regime=None if rows["regime"].isna().all() else float(rows["regime"].max()),
        budget=budget,
        subnetwork=str(rows["subnetwork"].iloc[0]),
        n_candidates=int(allowed.sum()),
        notes=notes,
        level=chosen.level,
        spaces=tuple(dict.fromkeys(rows["space"])),
        widths=_named_widths(rows, dense),
        n_seeds=len(distinct(rows)),
        as_good=as_good,
        metric=chosen.metric,
        **_costs(units.loc[[key]].iloc[0]),
    )
    near, comparable = _comparable(scope, units, found)
    return with_errors(found, near, comparable, dense, chosen.uniform, chosen.rng)


def _select(candidates: pd.DataFrame, budget: Budget, level: float) -> tuple[str, tuple[str, ...], int | None]:
    """The unit that is selected, notes on ties, and how many others are as good."""
    metric = budget.metric
    ranked = rank_subnetworks(candidates, metric.name)
    if budget.max_drop is not None:
        return str(ranked.sort_values(["flops", "params"], kind="stable").index[0]), (), None
    apart = candidates.drop(columns=list(_SPLITS), errors="ignore")
    return str(ranked.index[0]), selection_notes(apart, ranked, metric.name), n_as_good(candidates, level)


def _comparable(scope: pd.DataFrame, units: pd.DataFrame, found: BestSubnetwork) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs of similar FLOPs in the winner's regime and original, and those of them that keep the budget's other limits.

    The second corrects for the winner's curse: its true means should have one distribution, which those of other costs
    have not. With fewer than 10 subnetworks it is the whole regime.
    """
    same = scope["regime"].isna() if found.regime is None else scope["regime"] == found.regime
    regime = scope[(scope["original"] == found.original) & same]
    cost = "params" if found.flops is None else "flops"
    its = float(units[cost][f"{found.original} {found.subnetwork}"])
    apart = np.abs(regime[cost].to_numpy(dtype=float) / its - 1)
    near = regime[apart <= _SIMILAR]
    limits = replace(found.budget, flops=None, max_drop=None)
    comparable = near[near["unit"].isin(units.index[limits.allows_cost(units)])]
    return near, comparable if comparable["unit"].nunique() >= LEAST else regime


def _costs(unit: pd.Series[Any]) -> dict[str, Any]:
    speeds = {name: unit.get(name) for name in ("speedup_1", "speedup_64", *LATENCIES)}
    found: dict[str, Any] = {}
    for name in ("flops", "params"):
        cost, of = unit[name], unit[f"original_{name}"]
        found[name] = None if pd.isna(cost) else int(cost)
        found[f"{name}_fraction"] = None if pd.isna(cost) or pd.isna(of) else float(cost / of)
    return found | {name: None if speed is None or pd.isna(speed) else float(speed) for name, speed in speeds.items()}


def _named_widths(rows: pd.DataFrame, dense: Original) -> dict[str, int] | None:
    widths = rows["widths"].iloc[0] if "widths" in rows.columns else None
    if widths is None:
        return None
    names = dense.group_names if len(dense.group_names) == len(widths) else map(str, range(1, len(widths) + 1))
    return dict(zip(names, map(int, widths), strict=True))
