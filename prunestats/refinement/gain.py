"""Comparison of an initial space with its refinement: distributions, best of k, and the sample saving."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from prunestats.comparison.comparison import PairComparison, compare
from prunestats.distribution.best_of_k import BestOf, best_of
from prunestats.distribution.empirical import Edf, edf
from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, is_own, metric_of
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result
from prunestats.refinement.draws_saved import LEAST_SETS, Saving, compute_saved
from prunestats.results.means import one_value, subnetwork_means


@dataclass(frozen=True)
class Curves:
    """Empirical distribution functions and expected best of k of both populations of one original.

    Parameters
    ----------
    original : str or None
        None where the results name none.
    edf_initial, edf_refined : Edf
    best_initial, best_refined : BestOf
    """

    original: str | None
    edf_initial: Edf
    edf_refined: Edf
    best_initial: BestOf
    best_refined: BestOf


@dataclass(frozen=True, repr=False)
class HeadToHead(Result):
    """Comparison of a refined space with its initial space.

    Parameters
    ----------
    initial, refined : str
        Names of the spaces.
    regime : float or None
    comparison : PairComparison
        Differences of means and medians, distance of distributions, notes; the two spaces in alphabetical order.
    p_better : Interval
        Probability that a refined subnetwork has a better response than an initial one, ties counted half.
    saving : Saving
    curves : tuple of Curves
        One an original.
    response : str
    level : float
    notes : tuple of str
        Limitations of the numbers.
    metric : Metric
        The response: its direction and unit.
    """

    initial: str
    refined: str
    regime: float | None
    comparison: PairComparison
    p_better: Interval
    saving: Saving
    curves: tuple[Curves, ...]
    response: str
    level: float
    notes: tuple[str, ...]
    metric: Metric = field(default=ERROR, metadata={"plain": is_own})

    def __repr__(self) -> str:
        return f"HeadToHead({self.initial!r}, {self.refined!r}, p_better={self.p_better}, {self.saving.words!r})"


def head_to_head(
    initial: pd.DataFrame,
    refined: pd.DataFrame,
    *,
    response: str | None = None,
    k: int = 100,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> HeadToHead:
    """Compare a refined space with its initial space in one regime, on subnetworks with no part in the refinement.

    Parameters
    ----------
    initial, refined : pandas.DataFrame
        Results of one space, regime and protocol each, one row a run: a new sample, or the evaluation half of
        `split_population`.
    response : str, optional
        The numeric column to compare; by default the frame's metric, error where it is marked with no other.
    k : int
        Sample size of the initial space whose expected best is the target; lowered to a quarter of its subnetworks.
    level : float
    rng : numpy.random.Generator, optional
        For `compare`'s resampling and the bands; seeded with 0 when left out.

    Returns
    -------
    HeadToHead

    Raises
    ------
    ResultsError
        For what `check_results` refuses, several regimes, protocols or spaces in one frame, or no original in common.
    InputError
        For two regimes, a level outside (0, 1), or too few subnetworks.

    Notes
    -----
    Estimands are averages over the originals that have both populations; the unit is the subnetwork, its seeds
    averaged. Assumption, which cannot be checked here: no subnetwork had a part in finding the refinement; on those
    that had, every number is optimistic.

    References
    ----------
    See `compare`, `best_of` and `compute_saved`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def population(name, centre):
    ...     return pd.DataFrame({"subnetwork": [f"{name}{i}" for i in range(200)], "space": name, "flops": 1000,
    ...                          "params": 100, "error": centre + 0.01 * rng.standard_normal(200)})
    >>> found = head_to_head(population("initial", 0.11), population("refined", 0.10), rng=rng)
    >>> found.saving.k, found.saving.saves, bool(found.p_better.low > 0.5)
    (50, True, True)
    """
    draws = rng or np.random.default_rng(0)
    metric = metric_of(initial, response)
    response = metric.name
    regime = _one_regime(initial, refined)
    names = _names(initial, refined)
    one, other = (
        subnetwork_means(frame.drop(columns="space", errors="ignore"), response) for frame in (initial, refined)
    )
    both = pd.concat([initial.assign(space=names[0]), refined.assign(space=names[1])], ignore_index=True)
    # frames that are marked differently lose their marks
    both.attrs = dict(initial.attrs)
    pair = compare(both, by="space", response=response, level=level, rng=draws).pairs[0]
    pairs = _pairs(one, other, response)
    saving = compute_saved(
        [values for _, values in pairs],
        k=k,
        level=level,
        name="the refined space" if names[1] == "refined" else f"space {names[1]!r}",
        direction=metric.direction,
    )
    curves = tuple(
        Curves(
            original,
            edf(sides[0], level=level),
            edf(sides[1], level=level),
            best_of(sides[0], level=level, rng=draws, direction=metric.direction),
            best_of(sides[1], level=level, rng=draws, direction=metric.direction),
        )
        for original, sides in pairs
    )
    return HeadToHead(
        *names,
        regime,
        pair,
        _better(pair, names[1]),
        saving,
        curves,
        response,
        float(level),
        (*pair.notes, *_notes(saving, k, metric)),
        metric,
    )


def _one_regime(initial: pd.DataFrame, refined: pd.DataFrame) -> float | None:
    one, other = one_value(initial, "regime"), one_value(refined, "regime")
    if one != other:
        raise InputError(f"both populations must be of one regime; found {one} and {other}: select the same one")
    return None if one is None else float(one)


def _names(initial: pd.DataFrame, refined: pd.DataFrame) -> tuple[str, str]:
    """Names of the two spaces; "initial" and "refined" where these are equal or missing."""
    one, other = one_value(initial, "space"), one_value(refined, "space")
    return ("initial", "refined") if one == other or one is None or other is None else (str(one), str(other))


def _better(pair: PairComparison, refined: str) -> Interval:
    """Probability that the refined subnetwork is better, whichever comes first in the pair."""
    first = pair.p_better
    return first if pair.a == refined else Interval(1 - first.value, 1 - first.high, 1 - first.low, first.level)


def _pairs(one: pd.DataFrame, other: pd.DataFrame, response: str) -> list[tuple[str | None, tuple[Floats, Floats]]]:
    """Responses of both spaces, by original where both name it; originals with too few subnetworks are excluded."""
    if "original" not in one.columns or "original" not in other.columns:
        return [(None, (one[response].to_numpy(dtype=float), other[response].to_numpy(dtype=float)))]
    second = dict(list(other.groupby("original")[response]))
    return [
        (str(name), (values.to_numpy(dtype=float), second[name].to_numpy(dtype=float)))
        for name, values in one.groupby("original")[response]
        if name in second and values.size >= LEAST_SETS and second[name].size >= 2
    ]


def _notes(saving: Saving, k: int, metric: Metric) -> tuple[str, ...]:
    values = "errors" if metric == ERROR else "values"
    notes = [
        f"Winner's curse: the best of k is selected and reported by the same {values}, so with new seeds or on the "
        "test split the winners of both spaces are worse.",
    ]
    if saving.k < k:
        sets = f"the population must hold {LEAST_SETS} disjoint sets of k"
        notes.insert(0, f"The target is the best of {saving.k}, not of {k}: {sets}.")
    return tuple(notes)
