"""Comparing the populations of two spaces within a regime."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.intervals import Interval, check_level, plain
from prunestats.populations import (
    by_population,
    common_originals,
    flops_difference,
    identities,
    notes,
    regimes,
    strata_by_original,
)
from prunestats.strata import kolmogorov_smirnov, mean_difference, median_difference, probability_less


@dataclass(frozen=True)
class PairComparison:
    """Two populations, `a` against `b`, in one regime.

    Parameters
    ----------
    regime : float or None
        None where the frame names no regime.
    a, b : str
        Names of the populations.
    n_a, n_b : int
        Subnetworks compared.
    n_originals : int
        Originals that hold both populations; all statistics are averages over them.
    mean_difference, median_difference : Interval
        a less b, in the unit of the response: negative where a is better.
    p_less : Interval
        P(A < B) + P(A = B) / 2: the chance that a subnetwork of a has the smaller response.
    p_less_p : float
        Brunner and Munzel's two-sided p-value against one half.
    ks, ks_p : float
        Largest distance between the distribution functions, and its p-value.
    level : float
    response : str
    flops_difference : float
        Mean FLOPs of a over those of b, less 1, averaged over originals.
    n_shared : int
        Subnetworks that stand in both populations.
    notes : tuple of str
        What a reader must know before believing the numbers: FLOPs that differ, shared subnetworks, originals left out.
    """

    regime: float | None
    a: str
    b: str
    n_a: int
    n_b: int
    n_originals: int
    mean_difference: Interval
    median_difference: Interval
    p_less: Interval
    p_less_p: float
    ks: float
    ks_p: float
    level: float
    response: str
    flops_difference: float
    n_shared: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain lists and numbers."""
        result: dict[str, Any] = plain(self)
        return result


@dataclass(frozen=True)
class Comparison:
    """All pairs of populations in all regimes.

    Parameters
    ----------
    pairs : tuple of PairComparison
        Regimes in falling order, pairs in the order of the populations' names.
    """

    pairs: tuple[PairComparison, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row a pair and regime, flat columns."""
        return pd.DataFrame([_row(pair) for pair in self.pairs], columns=_COLUMNS)

    def to_dict(self) -> dict[str, Any]:
        """Return the pairs as plain lists and numbers."""
        result: dict[str, Any] = plain(self)
        return result


_COLUMNS = [
    *("regime", "a", "b", "n_a", "n_b", "mean_difference", "mean_low", "mean_high", "median_difference", "median_low"),
    *("median_high", "p_less", "p_less_low", "p_less_high", "p_less_p", "ks", "ks_p", "flops_difference"),
]


def _row(pair: PairComparison) -> dict[str, Any]:
    row = {name: getattr(pair, name) for name in _COLUMNS if hasattr(pair, name)}
    for name, short in (("mean_difference", "mean"), ("median_difference", "median"), ("p_less", "p_less")):
        interval: Interval = getattr(pair, name)
        row |= {name: interval.value, f"{short}_low": interval.low, f"{short}_high": interval.high}
    return row


def compare(
    frame: pd.DataFrame,
    *,
    by: str = "space",
    response: str = "error",
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Comparison:
    """Compare every pair of populations in every regime: means, medians, P(A < B) and whole distributions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one protocol, one row a run.
    by : str
        The column that tells the populations apart.
    response : str
        The numeric column that should be small.
    level : float
        Confidence level of each interval, one at a time: nothing is adjusted for the number of pairs.
    rng : numpy.random.Generator, optional
        For the bootstrap and the permutations; a generator seeded with 0 when left out.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        For a column `by` that is not there, or holds fewer than two populations in every regime.
    ResultsError
        For what `check_results` refuses, or populations that share no original with two subnetworks of each.

    Notes
    -----
    Estimands: differences between the populations of two spaces in the same original, averaged over these originals
    with weights in proportion to their subnetworks. Inference is conditional on the originals; the unit is the
    subnetwork, its seeds averaged. Draws of two spaces are independent; a subnetwork that was drawn by both makes
    its noise common to both, which makes intervals of differences a little too wide, never too narrow, and is
    noted.

    References
    ----------
    See `prunestats.strata`, a reference a method.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(80)], "space": ["wide", "narrow"] * 40,
    ...                       "flops": 1000, "params": 100, "error": rng.uniform(0.1, 0.2, 80)})
    >>> compare(frame, rng=rng).frame[["a", "b", "n_a", "n_b"]].to_dict("records")
    [{'a': 'narrow', 'b': 'wide', 'n_a': 40, 'n_b': 40}]
    """
    check_level(level)
    draws = rng or np.random.default_rng(0)
    means = by_population(frame, by, response)
    pairs: list[PairComparison] = []
    for regime, inside in regimes(means):
        names = sorted(inside[by].unique(), key=str)
        for a, b in combinations(names, 2):
            one, other = inside[inside[by] == a], inside[inside[by] == b]
            pairs.append(_compare_pair(one, other, regime, str(a), str(b), response, level, draws))
    if not pairs:
        found = ", ".join(str(name) for name in sorted(means[by].unique(), key=str)) or "none"
        raise InputError(
            f"compare needs two populations in a regime; found {found} in column {by}: load more, or choose by="
        )
    return Comparison(tuple(pairs))


def _compare_pair(
    one: pd.DataFrame,
    other: pd.DataFrame,
    regime: float | None,
    a: str,
    b: str,
    response: str,
    level: float,
    rng: np.random.Generator,
) -> PairComparison:
    one, other, left_out = common_originals(one, other, a, b)
    strata = strata_by_original(one, other, response)
    p_less, p_less_p = probability_less(strata, level=level)
    ks, ks_p = kolmogorov_smirnov(strata, rng=rng)
    flops = flops_difference(one, other)
    shared = len(identities(one) & identities(other))
    return PairComparison(
        regime=regime,
        a=a,
        b=b,
        n_a=len(one),
        n_b=len(other),
        n_originals=len(strata),
        mean_difference=mean_difference(strata, level=level),
        median_difference=median_difference(strata, level=level, rng=rng),
        p_less=p_less,
        p_less_p=p_less_p,
        ks=ks,
        ks_p=ks_p,
        level=float(level),
        response=response,
        flops_difference=flops,
        n_shared=shared,
        notes=notes(a, b, flops, shared, left_out),
    )
