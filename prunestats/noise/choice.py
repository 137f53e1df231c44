"""Selection of a winner by one rule, and the variance of training seeds among the subnetworks it is selected from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.errors import ResultsError
from prunestats.metric import ERROR, Metric, metric_of
from prunestats.noise.deconvolution import Shrunk, posterior_means, shrink
from prunestats.numeric.arrays import Floats
from prunestats.results.means import distinct_runs, one_value
from prunestats.wording import counted

LEAST = 10
"""Fewer subnetworks than this are too small a sample for deconvolution to estimate how true means spread."""


@dataclass(frozen=True)
class Choice:
    """The selected subnetwork of a population, and the variance of training seeds.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, sorted.
    winner : object
        Key of the first subnetwork by `rank_subnetworks`.
    values, within : ndarray, shape (runs,)
        Response of each run, and its residual from the mean of its subnetwork.
    means : pandas.Series
        Mean response of each subnetwork over its seeds.
    seeds : ndarray, shape (subnetworks,)
        Number of runs of each subnetwork.
    notes : tuple of str
    metric : Metric
        The response.
    """

    runs: pd.DataFrame
    winner: Any
    values: Floats
    within: Floats
    means: pd.Series[float]
    seeds: Floats
    notes: tuple[str, ...]
    metric: Metric = ERROR

    @property
    def its(self) -> NDArray[np.bool_]:
        """Mask of the winner's runs."""
        return np.asarray(self.runs["subnetwork"] == self.winner, dtype=bool)

    @property
    def seen(self) -> float:
        """Mean response of the winner over its seeds."""
        return float(self.means[self.winner])

    @property
    def df(self) -> int:
        """Residual degrees of freedom: runs less subnetworks."""
        return self.values.size - self.means.size

    @property
    def squares(self) -> float:
        """Residual sum of squares within subnetworks."""
        return float(self.within @ self.within)

    @property
    def _minimised(self) -> Floats:
        """Means in the direction in which lower is better: a metric and its negative give mirrored estimates."""
        return self.metric.sign * np.asarray(self.means, dtype=float)

    @property
    def why_not(self) -> str:
        """The reason why the winner's mean cannot be corrected by shrinkage, in a sentence."""
        if self.means.size < LEAST:
            return (
                f"{self.means.size} subnetworks: fewer than {LEAST} do not tell how true means spread, so the winner's "
                "mean cannot be corrected for its selection; train it again with independent seeds."
            )
        return (
            "No subnetwork was trained with two seeds that gave different results: the variance of seeds is unknown, "
            "so the winner's mean cannot be corrected for its selection; train it again with independent seeds."
        )

    def of(self, subnetwork: str) -> Choice:
        """The same runs with another subnetwork in place of the winner; notes on the winner do not hold for it."""
        if subnetwork not in self.means.index:
            raise ResultsError(f"expected runs of subnetwork {subnetwork}; found none: check its key")
        return replace(self, winner=subnetwork, notes=())

    def expected_means(self) -> pd.Series[float]:
        """Empirical Bayes estimate of every true mean; the means as seen where the data cannot give one."""
        if self.means.size < LEAST or self.squares <= 0:
            return self.means
        estimates = self.metric.sign * posterior_means(self._minimised, self.squares / self.df / self.seeds)
        return pd.Series(estimates, index=self.means.index)

    def shrunk(self, level: float, rng: np.random.Generator) -> Shrunk | None:
        """Empirical Bayes estimate of the winner's true mean, None where the data cannot give one."""
        if self.means.size < LEAST or self.squares <= 0:
            return None
        index = int(np.flatnonzero(self.means.index == self.winner)[0])
        variance = self.squares / self.df / self.seeds
        found = shrink(self._minimised, variance, index, df=self.df, level=level, rng=rng)
        return found if self.metric.sign > 0 else Shrunk(-found.value, found.sd, -found.high, -found.low)


def runs_of_one_original(frame: pd.DataFrame, response: str | None = None) -> pd.DataFrame:
    """Runs of one original, regime and protocol, sorted so that the order of the rows does not matter."""
    runs = distinct_runs(frame, response)
    one_value(runs, "original")
    return runs.sort_values([name for name in ("subnetwork", "seed") if name in runs.columns]).reset_index(drop=True)


def choose(runs: pd.DataFrame, response: str | None = None) -> Choice:
    """Select the winner among runs in a fixed order, as `rank_subnetworks` ranks it."""
    metric = metric_of(runs, response)
    groups = runs.groupby("subnetwork")[metric.name]
    means = groups.mean()
    values = runs[metric.name].to_numpy(dtype=float)
    within = values - groups.transform("mean").to_numpy(dtype=float)
    seeds = np.asarray(groups.size(), dtype=float)
    ranked = rank_subnetworks(runs, response)
    notes = selection_notes(runs, ranked, response)
    return Choice(runs, ranked.index[0], values, within, means, seeds, notes, metric)


def rank_subnetworks(runs: pd.DataFrame, response: str | None = None) -> pd.DataFrame:
    """Rank the subnetworks of one population by the rule that selects a winner wherever one is selected.

    Parameters
    ----------
    runs : pandas.DataFrame
        Finished runs on the split that selects (validation), one a row, with subnetwork, flops, params and `response`;
        and loss (mean cross-entropy) or its logarithm, log_cross_entropy, where that is recorded.
    response : str, optional
        The numeric column to select by, in the direction of `prunestats.metric.metric_of`; by default the frame's
        metric, error where it is marked with no other.

    Returns
    -------
    pandas.DataFrame
        One row a subnetwork, the best first, indexed by its key, with the criteria in their order: mean `response` over
        seeds; mean cross-entropy where `response` is the error and cross-entropy is recorded; flops; params. The key
        orders subnetworks that are equal in all of them.

    Notes
    -----
    Errors of a small split tie often. Cross-entropy is a continuous loss on the same images and separates them; between
    equal metrics the cheaper subnetwork is the better one.

    Examples
    --------
    >>> runs = pd.DataFrame({"subnetwork": ["a", "b", "c"], "flops": [9, 8, 8], "params": [3, 3, 2]})
    >>> list(rank_subnetworks(runs.assign(error=[0.1, 0.1, 0.2])).index)
    ['b', 'a', 'c']
    >>> list(rank_subnetworks(runs.assign(error=[0.1, 0.1, 0.2], loss=[0.3, 0.4, 0.2])).index)
    ['a', 'b', 'c']
    """
    metric = metric_of(runs, response)
    values = pd.DataFrame({"subnetwork": runs["subnetwork"], metric.name: metric.sign * runs[metric.name]})
    loss = _cross_entropy(runs) if metric.name == "error" else None
    if loss is not None:
        values = values.assign(cross_entropy=loss)
    # summed in one fixed order, so that the order of the runs does not matter
    groups = values.sort_values(list(values.columns), kind="stable").groupby("subnetwork", sort=True)
    # means of equal sums can differ in their last digits; real differences of error are multiples of 1 / (images seeds)
    criteria = groups.mean().round({"cross_entropy": _DECIMALS, metric.name: _decimals(values, metric)})
    criteria[["flops", "params"]] = runs.groupby("subnetwork", sort=True)[["flops", "params"]].first()
    ranked = criteria.sort_values(list(criteria.columns), kind="stable")
    return ranked.assign(**{metric.name: metric.sign * ranked[metric.name]})


def selection_notes(runs: pd.DataFrame, ranked: pd.DataFrame, response: str | None = None) -> tuple[str, ...]:
    """Say what broke a tie for the first rank, and whether the split that selects is the split that is reported."""
    metric, notes = metric_of(runs, response), []
    tied = int((ranked[metric.name] == ranked[metric.name].iloc[0]).sum())
    if tied > 1:
        first, second = ranked.iloc[0], ranked.iloc[1]
        differ = [name for name in ranked.columns if first[name] != second[name]]
        decided = _TIE_BREAKS[differ[0]] if differ else _BY_KEY
        missing = metric.name == "error" and "cross_entropy" not in ranked.columns
        unknown = "; cross-entropy is not recorded" if missing else ""
        notes.append(f"{tied} subnetworks share the {metric.extreme} mean {metric.label}{unknown}: {decided}.")
    study = metric_of(runs)
    splits = ["val_error", "test_error"] if study.name == "error" else ["val_metric", "test_metric"]
    if set(splits) <= set(runs.columns) and bool((runs[splits[0]] == runs[splits[1]]).all()):
        notes.append(
            f"Validation and test {study.label} are equal in every run, as where one split alone was imported: the "
            "winner is selected on the split that is reported."
        )
    return tuple(notes)


def counted_notes(notes: Sequence[Sequence[str]], of: str = "population") -> tuple[str, ...]:
    """Each note once, the most frequent first, with the number of populations (or whatever `of` names) it holds for.

    Examples
    --------
    >>> counted_notes([["A tie."], [], ["A tie."]])
    ('In 2 of 3 populations: A tie.',)
    """
    if len(notes) == 1:
        return tuple(notes[0])
    every = counted(len(notes), of)
    counts = Counter(note for of_one in notes for note in of_one)
    return tuple(f"In {n} of {every}: {note}" for note, n in counts.most_common())


_DECIMALS = 12
"""Fewer than double precision keeps of numbers near 1, and more than a mean error over a billion images needs."""

_TIE_BREAKS = {
    "cross_entropy": "the one with the least mean cross-entropy is selected",
    "flops": "the one with the fewest FLOPs is selected",
    "params": "the one with the fewest parameters is selected",
}
_BY_KEY = "their costs are equal too, and the first by key is selected"


def _decimals(values: pd.DataFrame, metric: Metric) -> int:
    """Decimals to which means are rounded: `_DECIMALS` of numbers below 1, and as many digits in any other unit."""
    largest = float(values[metric.name].abs().max())
    if metric.name in ("error", "log_cross_entropy") or not largest > 0:
        return _DECIMALS
    return _DECIMALS - 1 - math.floor(math.log10(largest))


def _cross_entropy(runs: pd.DataFrame) -> Floats | None:
    """Cross-entropy of every run, None unless it is recorded for all: half a column would rank by what is missing."""
    if "loss" in runs.columns and bool(runs["loss"].notna().all()):
        return runs["loss"].to_numpy(dtype=float)
    if "log_cross_entropy" in runs.columns and bool(runs["log_cross_entropy"].notna().all()):
        return np.asarray(np.exp(runs["log_cross_entropy"].to_numpy(dtype=float)))
    return None
