"""Unbiased mean of a selected subnetwork from independent training seeds, compared with a baseline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from prunestats.errors import ResultsError
from prunestats.metric import ERROR, Metric, is_own, metric_of
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.results.checks import check_finite, check_results, require_columns
from prunestats.results.pooling import refuse_mixed_runs


@dataclass(frozen=True)
class Confirmation(Result):
    """Means over independent seeds, and their difference.

    Parameters
    ----------
    winner : Interval
        Mean response of the selected subnetwork over seeds, in the unit of the response.
    other : Interval or None
        The same of the subnetwork that it is compared with.
    difference : Interval or None
        Winner - other: below 0 the winner is better, above 0 where the response is maximised.
    sd : float
        Pooled standard deviation between seeds of a subnetwork, in the unit of the response.
    df : int
        Its degrees of freedom.
    n_seeds : int
        Independent seeds of the winner.
    response : str
        Column that is analysed.
    metric : Metric
        The response: its direction and unit.
    """

    winner: Interval
    other: Interval | None
    difference: Interval | None
    sd: float
    df: int
    n_seeds: int
    response: str
    metric: Metric = field(default=ERROR, metadata={"plain": is_own})

    @property
    def verdict(self) -> Literal["better", "worse"] | None:
        """Whether the winner is significantly better or worse than the other; None for neither, or without another."""
        if self.difference is None or 0 in self.difference:
            return None
        return "better" if self.metric.sign * self.difference.value < 0 else "worse"


def confirm(
    fresh: pd.DataFrame,
    winner: str,
    other: str | None = None,
    *,
    noise: pd.DataFrame | None = None,
    response: str | None = None,
    level: float = 0.95,
) -> Confirmation:
    """Unbiased mean response of a selected subnetwork, from training seeds that took no part in its selection.

    Parameters
    ----------
    fresh : pandas.DataFrame
        Runs with independent seeds on the split to report, of `winner` and of `other` if given, one row per run.
    winner, other : str
        Keys of subnetworks.
    noise : pandas.DataFrame, optional
        Runs of other subnetworks, several seeds each, same protocol and split: they add degrees of freedom to the
        variance between seeds.
    response : str, optional
        The numeric column to analyse; by default the frame's metric, error where it is marked with no other.
    level : float
        Confidence level of the intervals, in (0, 1).

    Returns
    -------
    Confirmation

    Raises
    ------
    ResultsError
        For what `check_results` refuses, no run of `winner` or `other`, or no subnetwork with two seeds.

    Notes
    -----
    Means are of independent seeds only, so they have no selection bias. The variance between seeds is pooled over all
    subnetworks with several seeds, as in a one-way analysis of variance with equal variances [1]_, and intervals are
    Student's. The estimand is the expectation over training seeds on the images of this split, not on other images.

    References
    ----------
    .. [1] D. C. Montgomery (2017). Design and Analysis of Experiments, 9th ed., equations 3.6 and 3.13.

    Examples
    --------
    >>> fresh = pd.DataFrame({"subnetwork": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1], "flops": 9, "params": 3})
    >>> found = confirm(fresh.assign(error=[0.10, 0.12, 0.20, 0.22]), "a", "b")
    >>> print(found.difference)
    -0.1 [-0.1608, -0.03915]
    """
    check_level(level)
    metric = metric_of(fresh, response)
    response = metric.name
    fresh = _checked(fresh, response)
    values = {key: _values(fresh, key, response) for key in (winner, other) if key is not None}
    groups = [part[response].to_numpy(dtype=float) for _, part in fresh.groupby("subnetwork")]
    if noise is not None:
        checked = _checked(noise, response)
        checked = checked[~checked["subnetwork"].isin(fresh["subnetwork"])]
        groups += [part[response].to_numpy(dtype=float) for _, part in checked.groupby("subnetwork")]
    df = sum(len(group) - 1 for group in groups)
    if df == 0:
        raise ResultsError(
            "expected a subnetwork with two seeds or more, for the variance between seeds; found one each: train "
            "one with another seed"
        )
    sd = float(np.sqrt(sum(float(np.sum((group - group.mean()) ** 2)) for group in groups) / df))
    half_width = float(stats.t.ppf((1 + level) / 2, df)) * sd

    def interval(value: float, variance: float) -> Interval:
        return Interval(value, value - half_width * variance**0.5, value + half_width * variance**0.5, level)

    means = {key: interval(float(found.mean()), 1 / found.size) for key, found in values.items()}
    difference = None
    if other is not None:
        value = means[winner].value - means[other].value
        difference = interval(value, 1 / values[winner].size + 1 / values[other].size)
    compared = None if other is None else means[other]
    return Confirmation(means[winner], compared, difference, sd, df, values[winner].size, response, metric)


def _checked(frame: pd.DataFrame, response: str) -> pd.DataFrame:
    require_columns(check_results(frame), [response])
    check_finite(frame, response)
    refuse_mixed_runs(frame)
    return frame


def _values(frame: pd.DataFrame, key: str, response: str) -> Floats:
    values: Floats = frame.loc[frame["subnetwork"] == key, response].to_numpy(dtype=float)
    if values.size == 0:
        raise ResultsError(
            f"expected fresh runs of subnetwork {key!r}; found none that is done: train it with new seeds"
        )
    return values
