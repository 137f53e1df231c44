"""Comparison of all pairs of populations, within regimes and pooled over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from prunestats.comparison.multiplicity import Contrast, holm, simultaneous_intervals
from prunestats.comparison.pair import Options, compare_pair
from prunestats.comparison.pair_result import PairComparison, mirrored_share
from prunestats.comparison.permutation_tests import anderson_darling
from prunestats.comparison.populations import Cells, cells_of, population_means
from prunestats.comparison.tables import latex_table, markdown_table
from prunestats.errors import InputError
from prunestats.metric import Metric, lower_is_better, metric_of
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result

__all__ = ["Comparison", "Omnibus", "PairComparison", "compare"]

Regime = float | Literal["pooled"] | None


@dataclass(frozen=True)
class Omnibus:
    """Anderson-Darling k-sample test that all populations of a regime have the same distribution.

    Parameters
    ----------
    regime : float, "pooled" or None
    names : tuple of str
        The populations.
    statistic, p : float
    """

    regime: Regime
    names: tuple[str, ...]
    statistic: float
    p: float


@dataclass(frozen=True)
class Comparison(Result):
    """All pairs of populations in all regimes.

    Parameters
    ----------
    pairs : tuple of PairComparison
        Regimes in descending order, pairs in the order of the populations' names.
    pooled : tuple of PairComparison
        The same pairs over all regimes that have both, original and regime as strata; empty with one regime.
    omnibus : tuple of Omnibus
        One per regime, and the pooled one last.
    """

    pairs: tuple[PairComparison, ...]
    pooled: tuple[PairComparison, ...] = ()
    omnibus: tuple[Omnibus, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """One row per pair and regime, then the pooled ones; flat columns."""
        return pd.DataFrame([_row(pair) for pair in (*self.pairs, *self.pooled)])

    def to_markdown(self) -> str:
        """Return a Markdown table of the main columns of `frame`, to four significant digits."""
        return markdown_table((*self.pairs, *self.pooled))

    def to_latex(self) -> str:
        """Return the same table as a LaTeX tabular (booktabs)."""
        return latex_table((*self.pairs, *self.pooled))


_NUMBERS = ("p_less_p", "p_holm", "ks", "ks_p", "ad", "ad_p", "dominance", "k")
_PREFIXES = {"mean_difference": "mean", "median_difference": "median", "p_less": "p_less", "area_difference": "area"}
_PREFIXES |= {"best_difference": "best", "binned_difference": "binned"}


def _row(pair: PairComparison) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(pair, name) for name in ("regime", "a", "b", "n_a", "n_b")}
    for name, prefix in _PREFIXES.items():
        row |= _columns(name, prefix, getattr(pair, name))
    for q, interval in pair.quantile_differences.items():
        row |= _columns(f"q{100 * q:g}_difference", f"q{100 * q:g}", interval)
    simultaneous = pair.mean_simultaneous
    row |= {"mean_simultaneous_low": simultaneous.low, "mean_simultaneous_high": simultaneous.high}
    row |= {name: getattr(pair, name) for name in _NUMBERS}
    return row | {name: getattr(pair, name) for name in ("binned_p", "n_binned", "flops_difference", "flops_overlap")}


def _columns(name: str, prefix: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{prefix}_low": interval.low, f"{prefix}_high": interval.high}


def compare(
    frame: pd.DataFrame,
    *,
    by: str = "space",
    response: str | None = None,
    quantiles: Sequence[float] | None = None,
    limit: float | None = None,
    k: int | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Comparison:
    """Compare every pair of populations in every regime, and pooled: means, quantiles, best of k, whole distributions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one data set and protocol, one row per run; of several protocols with by="protocol".
    by : str
        The column that names the population.
    response : str, optional
        The numeric column to compare; by default the frame's metric, error where it is marked with no other.
    quantiles : sequence of float, optional
        Quantiles in (0, 1) to compare besides the median; by default that of the best tenth: 0.1, or 0.9 where higher
        values are better.
    limit : float, optional
        Upper limit of the areas under the distribution functions, in the unit of the response; by default the median of
        all populations of a regime and original.
    k : int, optional
        Of the expected best of k; by default 10, or a fifth of the pair's smallest population where that is less.
    level : float
        Confidence level of each interval, in (0, 1); of `mean_simultaneous`, of all pairs of a regime simultaneously.
    rng : numpy.random.Generator, optional
        For the permutations and the simultaneous intervals; a generator seeded with 0 by default.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        For a column `by` that is missing, or has fewer than two populations in every regime; for quantiles outside
        (0, 1), or a k above the number of subnetworks.
    ResultsError
        For what `check_results` refuses, or a pair of populations without an original that has two subnetworks of each.

    Notes
    -----
    Estimands: differences between two populations within an original, averaged over originals with weights in
    proportion to their subnetworks; in pooled pairs, within original and regime. Inference is conditional on the
    originals; the unit is the subnetwork, its seeds averaged. Samples of two spaces are assumed independent; the noise
    of a subnetwork that both contain is common to both, which makes intervals of differences slightly too wide, never
    too narrow, and is noted.

    The confirmatory family is P(A < B) = 1/2 for all pairs in all regimes: rejecting where `p_holm` <= 1 - level
    controls the family-wise error rate at 1 - level. The pooled pairs test the same hypothesis on the same data; they
    are a second family, to be used instead of the first. All other p-values are unadjusted.

    References
    ----------
    One per method, in `prunestats.comparison.stratified`, `permutation_tests`, `dominance`, `equal_flops` and
    `multiplicity`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(80)], "space": ["wide", "narrow"] * 40,
    ...                       "flops": 1000, "params": 100, "error": rng.uniform(0.1, 0.2, 80)})
    >>> compare(frame, rng=rng).frame[["a", "b", "n_a", "n_b"]].to_dict("records")
    [{'a': 'narrow', 'b': 'wide', 'n_a': 40, 'n_b': 40}]
    """
    metric = metric_of(frame, response)
    options = _options(metric, quantiles, limit, k, level)
    generator = rng or np.random.default_rng(0)
    means = lower_is_better(population_means(frame, by, metric.name), metric)
    cells = cells_of(means, by, metric.name, (0.5, *options.quantiles))
    pairs: list[PairComparison] = []
    omnibus: list[Omnibus] = []
    regimes = list(dict.fromkeys(regime for regime, _ in cells))
    for regime in regimes:
        inside = {key: held for key, held in cells.items() if key[0] == regime}
        names = sorted({name for held in inside.values() for name in held})
        found = [
            compare_pair(inside, a, b, regime=regime, options=options, rng=generator) for a, b in combinations(names, 2)
        ]
        pairs += _with_simultaneous_intervals(found, level, generator)
        omnibus += _omnibus(inside, regime, generator)
    if not pairs:
        shown = ", ".join(str(name) for name in sorted(means[by].unique(), key=str)) or "none"
        raise InputError(
            f"compare needs two populations in a regime; found {shown} in column {by}: load more, or choose another by="
        )
    pooled: list[PairComparison] = []
    regimes_of = Counter((pair.a, pair.b) for pair in pairs)
    repeated = [names for names, count in regimes_of.items() if count > 1]
    if repeated:
        found = [compare_pair(cells, a, b, regime="pooled", options=options, rng=generator) for a, b in repeated]
        pooled = _with_simultaneous_intervals(found, level, generator)
        omnibus += _omnibus(cells, "pooled", generator)
    found_pairs = (tuple(pair.natural(metric) for pair in _holm_adjusted(each)) for each in (pairs, pooled))
    return Comparison(*found_pairs, tuple(omnibus))


def _options(
    metric: Metric, quantiles: Sequence[float] | None, limit: float | None, k: int | None, level: float
) -> Options:
    """Arguments of the comparison of values of which lower is better."""
    best_tenth = 0.1 if metric.sign > 0 else 0.9
    wanted = tuple(float(q) for q in ((best_tenth,) if quantiles is None else quantiles))
    if not all(0 < q < 1 for q in wanted):
        raise InputError(f"quantiles must lie between 0 and 1; found {list(wanted)}: write the 10 % quantile as 0.1")
    if limit is not None and not np.isfinite(limit):
        raise InputError(
            f"limit must be a finite number in the unit of {metric.name}; found {limit}: leave it out for the median"
        )
    if k is not None and (k != int(k) or k < 1):
        raise InputError(f"k must be a whole number of 1 or more; found {k}: count subnetworks")
    if metric.sign < 0:
        wanted, limit = tuple(mirrored_share(q) for q in wanted), None if limit is None else -limit
    return Options(metric.name, wanted, limit, k, check_level(level))


def _with_simultaneous_intervals(
    found: Sequence[tuple[PairComparison, Contrast]], level: float, rng: np.random.Generator
) -> list[PairComparison]:
    if not found:
        return []
    intervals = simultaneous_intervals([contrast for _, contrast in found], level=level, rng=rng)
    return [replace(pair, mean_simultaneous=one) for (pair, _), one in zip(found, intervals, strict=True)]


def _holm_adjusted(pairs: Sequence[PairComparison]) -> tuple[PairComparison, ...]:
    if not pairs:
        return ()
    adjusted = holm([pair.p_less_p for pair in pairs])
    return tuple(replace(pair, p_holm=float(p)) for pair, p in zip(pairs, adjusted, strict=True))


def _omnibus(cells: Cells, regime: Regime, rng: np.random.Generator) -> list[Omnibus]:
    strata = [[cell.values for cell in held.values()] for held in cells.values() if len(held) > 1]
    names = tuple(sorted({name for held in cells.values() if len(held) > 1 for name in held}))
    return [Omnibus(regime, names, *anderson_darling(strata, rng=rng))] if strata else []
