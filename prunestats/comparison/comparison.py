"""Comparing the populations of any number of spaces, within regimes and pooled over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from prunestats.comparison.multiplicity import Contrast, holm, simultaneous_intervals
from prunestats.comparison.pair import Options, PairComparison, compare_pair
from prunestats.comparison.permutation_tests import anderson_darling
from prunestats.comparison.populations import Cells, by_population, cells_of
from prunestats.comparison.tables import latex_table, markdown_table
from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result

__all__ = ["Comparison", "Omnibus", "PairComparison", "compare"]

Where = float | Literal["pooled"] | None


@dataclass(frozen=True)
class Omnibus:
    """Are the populations of a regime, however many, all the same? Anderson and Darling's test.

    Parameters
    ----------
    regime : float, "pooled" or None
    names : tuple of str
    statistic, p : float
    """

    regime: Where
    names: tuple[str, ...]
    statistic: float
    p: float


@dataclass(frozen=True)
class Comparison(Result):
    """All pairs of populations in all regimes.

    Parameters
    ----------
    pairs : tuple of PairComparison
        Regimes in falling order, pairs in the order of the populations' names.
    pooled : tuple of PairComparison
        The same pairs over all regimes that hold both, original and regime as strata; empty with one regime.
    omnibus : tuple of Omnibus
        One a regime, and the pooled one last.
    """

    pairs: tuple[PairComparison, ...]
    pooled: tuple[PairComparison, ...] = ()
    omnibus: tuple[Omnibus, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """One row a pair and regime, then the pooled ones; flat columns."""
        return pd.DataFrame([_row(pair) for pair in (*self.pairs, *self.pooled)])

    def to_markdown(self) -> str:
        """Return a table to paste into an issue or a README; the numbers are those of `frame`, in four digits."""
        return markdown_table((*self.pairs, *self.pooled))

    def to_latex(self) -> str:
        """Return the same table as a LaTeX tabular, for booktabs."""
        return latex_table((*self.pairs, *self.pooled))


_PLAIN = ("p_less_p", "p_holm", "ks", "ks_p", "ad", "ad_p", "dominance", "k")
_SHORT = {"mean_difference": "mean", "median_difference": "median", "p_less": "p_less", "area_difference": "area"}
_SHORT |= {"best_difference": "best", "binned_difference": "binned"}


def _row(pair: PairComparison) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(pair, name) for name in ("regime", "a", "b", "n_a", "n_b")}
    for name, short in _SHORT.items():
        row |= _columns(name, short, getattr(pair, name))
    for q, interval in pair.quantile_differences.items():
        row |= _columns(f"q{100 * q:g}_difference", f"q{100 * q:g}", interval)
    together = pair.mean_simultaneous
    row |= {"mean_simultaneous_low": together.low, "mean_simultaneous_high": together.high}
    row |= {name: getattr(pair, name) for name in _PLAIN}
    return row | {name: getattr(pair, name) for name in ("binned_p", "n_binned", "flops_difference", "flops_overlap")}


def _columns(name: str, short: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{short}_low": interval.low, f"{short}_high": interval.high}


def compare(
    frame: pd.DataFrame,
    *,
    by: str = "space",
    response: str = "error",
    quantiles: Sequence[float] = (0.1,),
    limit: float | None = None,
    k: int | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Comparison:
    """Compare every pair of populations in every regime, and pooled: means, quantiles, best of k, whole distributions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one protocol, one row a run.
    by : str
        The column that tells the populations apart.
    response : str
        The numeric column that should be small.
    quantiles : sequence of float
        Quantiles in (0, 1) to compare beside the median.
    limit : float, optional
        Where the areas under the distribution functions end; when left out, at the median of all populations of a
        regime and original.
    k : int, optional
        Of the expected best of k; when left out 10, or a fifth of the pair's smallest population where that is less.
    level : float
        Confidence level of each interval, one at a time; of `mean_simultaneous`, of all pairs of a regime together.
    rng : numpy.random.Generator, optional
        For the permutations and the simultaneous intervals; a generator seeded with 0 when left out.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        For a column `by` that is not there, or holds fewer than two populations in every regime; for quantiles outside
        (0, 1), or a k above the number of subnetworks.
    ResultsError
        For what `check_results` refuses, or populations that share no original with two subnetworks of each.

    Notes
    -----
    Estimands: differences between the populations of two spaces in the same original, averaged over these originals
    with weights in proportion to their subnetworks; pooled, in the same original and regime. Inference is conditional
    on the originals; the unit is the subnetwork, its seeds averaged. Draws of two spaces are independent; a subnetwork
    that was drawn by both makes its noise common to both, which makes intervals of differences a little too wide, never
    too narrow, and is noted.

    The confirmatory family is P(A < B) = 1/2 for all pairs in all regimes: `p_holm` keeps the chance of any false
    rejection in it at 1 - level. The pooled pairs say the same with the same data; they are a family of their own, to
    be used instead and not as well. Every other p-value is as it comes.

    References
    ----------
    See `prunestats.comparison.stratified`, `permutation_tests`, `dominance`, `equal_flops` and `multiplicity`, a
    reference a method.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(80)], "space": ["wide", "narrow"] * 40,
    ...                       "flops": 1000, "params": 100, "error": rng.uniform(0.1, 0.2, 80)})
    >>> compare(frame, rng=rng).frame[["a", "b", "n_a", "n_b"]].to_dict("records")
    [{'a': 'narrow', 'b': 'wide', 'n_a': 40, 'n_b': 40}]
    """
    options = _options(response, quantiles, limit, k, level)
    draws = rng or np.random.default_rng(0)
    means = by_population(frame, by, response)
    cells = cells_of(means, by, response, (0.5, *options.quantiles))
    pairs: list[PairComparison] = []
    omnibus: list[Omnibus] = []
    regimes = list(dict.fromkeys(regime for regime, _ in cells))
    for regime in regimes:
        inside = {place: held for place, held in cells.items() if place[0] == regime}
        names = sorted({name for held in inside.values() for name in held})
        found = [
            compare_pair(inside, a, b, regime=regime, options=options, rng=draws) for a, b in combinations(names, 2)
        ]
        pairs += _together(found, level, draws)
        omnibus += _omnibus(inside, regime, draws)
    if not pairs:
        shown = ", ".join(str(name) for name in sorted(means[by].unique(), key=str)) or "none"
        raise InputError(
            f"compare needs two populations in a regime; found {shown} in column {by}: load more, or choose by="
        )
    pooled: list[PairComparison] = []
    often = [
        (a, b) for a, b in dict.fromkeys((p.a, p.b) for p in pairs) if sum((p.a, p.b) == (a, b) for p in pairs) > 1
    ]
    if often:
        found = [compare_pair(cells, a, b, regime="pooled", options=options, rng=draws) for a, b in often]
        pooled = _together(found, level, draws)
        omnibus += _omnibus(cells, "pooled", draws)
    return Comparison(_adjusted(pairs), _adjusted(pooled), tuple(omnibus))


def _options(response: str, quantiles: Sequence[float], limit: float | None, k: int | None, level: float) -> Options:
    wanted = tuple(float(q) for q in quantiles)
    if not all(0 < q < 1 for q in wanted):
        raise InputError(f"quantiles must lie between 0 and 1; found {list(wanted)}: write the lowest tenth as 0.1")
    if limit is not None and not np.isfinite(limit):
        raise InputError(f"limit must be a finite number in the unit of {response}; found {limit}")
    if k is not None and (k != int(k) or k < 1):
        raise InputError(f"k must be a whole number of 1 or more; found {k}: count subnetworks")
    return Options(response, wanted, limit, k, check_level(level))


def _together(
    found: Sequence[tuple[PairComparison, Contrast]], level: float, rng: np.random.Generator
) -> list[PairComparison]:
    if not found:
        return []
    intervals = simultaneous_intervals([contrast for _, contrast in found], level=level, rng=rng)
    return [replace(pair, mean_simultaneous=one) for (pair, _), one in zip(found, intervals, strict=True)]


def _adjusted(pairs: Sequence[PairComparison]) -> tuple[PairComparison, ...]:
    adjusted = holm([pair.p_less_p for pair in pairs])
    return tuple(replace(pair, p_holm=float(p)) for pair, p in zip(pairs, adjusted, strict=True))


def _omnibus(cells: Cells, regime: Where, rng: np.random.Generator) -> list[Omnibus]:
    strata = [[cell.values for cell in held.values()] for held in cells.values() if len(held) > 1]
    names = tuple(sorted({name for held in cells.values() if len(held) > 1 for name in held}))
    return [Omnibus(regime, names, *anderson_darling(strata, rng=rng))] if strata else []
