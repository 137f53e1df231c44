"""What a chosen subnetwork is worth, by seeds that had no part in choosing it, beside another that was not chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from prunestats.errors import ResultsError
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.results.checks import check_finite, check_results


@dataclass(frozen=True)
class Confirmation(Result):
    """Means over fresh seeds, and their difference.

    Parameters
    ----------
    winner : Interval
        Mean response of the chosen subnetwork over seeds.
    other : Interval or None
        The same of what it is compared with.
    difference : Interval or None
        Winner less other: below 0 the winner is better.
    sd : float
        Standard deviation between seeds of one subnetwork, pooled.
    df : int
        Its degrees of freedom.
    n_seeds : int
        Fresh seeds of the winner.
    response : str
    """

    winner: Interval
    other: Interval | None
    difference: Interval | None
    sd: float
    df: int
    n_seeds: int
    response: str


def confirm(
    fresh: pd.DataFrame,
    winner: str,
    other: str | None = None,
    *,
    noise: pd.DataFrame | None = None,
    response: str = "error",
    level: float = 0.95,
) -> Confirmation:
    """Estimate a chosen subnetwork's response from seeds that did not choose it.

    Parameters
    ----------
    fresh : pandas.DataFrame
        Runs with fresh seeds on the split that is reported, of `winner` and, where it is given, `other`.
    winner, other : str
        Keys of subnetworks.
    noise : pandas.DataFrame, optional
        Runs of other subnetworks, several seeds each, same protocol and split: they say how much seeds differ.
    response : str
        The numeric column that should be small.
    level : float

    Returns
    -------
    Confirmation

    Raises
    ------
    ResultsError
        For what `check_results` refuses, no run of `winner` or `other`, or no subnetwork with two seeds.

    Notes
    -----
    Means are of fresh seeds alone, so that choosing has not touched them. Their variance is pooled over all subnetworks
    with several seeds, as in a one-way analysis of variance with equal variances [1]_, and intervals are Student's. The
    estimand is the mean over training seeds on this split's images; other images are another question.

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
            "expected a subnetwork with two seeds or more; found one each: how much seeds differ is unknown"
        )
    sd = float(np.sqrt(sum(float(np.sum((group - group.mean()) ** 2)) for group in groups) / df))
    reach = float(stats.t.ppf((1 + level) / 2, df)) * sd

    def around(value: float, variance: float) -> Interval:
        return Interval(value, value - reach * variance**0.5, value + reach * variance**0.5, level)

    means = {key: around(float(found.mean()), 1 / found.size) for key, found in values.items()}
    difference = None
    if other is not None:
        apart = means[winner].value - means[other].value
        difference = around(apart, 1 / values[winner].size + 1 / values[other].size)
    beside = None if other is None else means[other]
    return Confirmation(means[winner], beside, difference, sd, df, values[winner].size, response)


def _checked(frame: pd.DataFrame, response: str) -> pd.DataFrame:
    check_finite(check_results(frame), response)
    return frame


def _values(frame: pd.DataFrame, key: str, response: str) -> Floats:
    values: Floats = frame.loc[frame["subnetwork"] == key, response].to_numpy(dtype=float)
    if values.size == 0:
        raise ResultsError(f"expected fresh runs of subnetwork {key!r}; found none that is done")
    return values
