"""Two populations in one regime, or pooled over several: every statistic of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prunestats.comparison.dominance import Dominance, dominance
from prunestats.comparison.equal_flops import binned_difference, flops_overlap
from prunestats.comparison.multiplicity import Contrast
from prunestats.comparison.permutation_tests import distribution_tests
from prunestats.comparison.populations import Cells, Place, flops_difference, notes, strata_with
from prunestats.comparison.stratified import (
    Stratum,
    area_difference,
    best_difference,
    mean_difference,
    mean_parts,
    probability_less,
    quantile_difference,
    strata_of,
)
from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result

_K = 10


@dataclass(frozen=True)
class PairComparison(Result):
    """Two populations, `a` against `b`, in one regime or pooled over regimes.

    Parameters
    ----------
    regime : float, "pooled" or None
        None where the frame names no regime.
    a, b : str
        Names of the populations.
    n_a, n_b : int
        Subnetworks compared.
    n_originals : int
        Originals that hold both populations; all statistics are averages over them.
    mean_difference, median_difference : Interval
        a less b, in the unit of the response: negative where a is better.
    quantile_differences : dict of float to Interval
        The same of other quantiles.
    area_difference : Interval
        Area under the distribution function up to `area_limit`, a less b: positive where a is better.
    area_limit : float or None
        None for the median of all populations of a regime and original, each its own.
    best_difference : Interval
        Expected best of `k`, a less b; nan ends where a population is smaller than 2 k.
    k : int
    mean_simultaneous : Interval
        `mean_difference` with ends that hold for all pairs of the regime together (max-T).
    p_less : Interval
        P(A < B) + P(A = B) / 2: the chance that a subnetwork of a has the smaller response.
    p_less_p, p_holm : float
        Brunner and Munzel's two-sided p-value against one half, alone and in its family (Holm).
    ks, ks_p : float
        Largest distance between the distribution functions, and its p-value.
    ad, ad_p : float
        Anderson and Darling's statistic, and its p-value.
    dominance : {"a", "b", "neither", "undecided"}
        Whose distribution function is the larger everywhere.
    binned_difference : Interval
        Of the mean, within bins of FLOPs.
    binned_p : float
        Of labels permuted within bins of FLOPs.
    n_binned : int
        Subnetworks in bins that hold both populations.
    level : float
    response : str
    flops_difference : float
        Mean FLOPs of a over those of b, less 1, averaged over originals.
    flops_overlap : float
        Share of one population within the range of the other's FLOPs, the smaller of both.
    n_shared : int
        Subnetworks that stand in both populations.
    notes : tuple of str
        What a reader must know before believing the numbers: FLOPs that differ, shared subnetworks, originals left out.
    """

    regime: float | Literal["pooled"] | None
    a: str
    b: str
    n_a: int
    n_b: int
    n_originals: int
    mean_difference: Interval
    median_difference: Interval
    quantile_differences: dict[float, Interval]
    area_difference: Interval
    area_limit: float | None
    best_difference: Interval
    k: int
    mean_simultaneous: Interval
    p_less: Interval
    p_less_p: float
    p_holm: float
    ks: float
    ks_p: float
    ad: float
    ad_p: float
    dominance: Dominance
    binned_difference: Interval
    binned_p: float
    n_binned: int
    level: float
    response: str
    flops_difference: float
    flops_overlap: float
    n_shared: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """What a comparison was asked for, the same for all its pairs."""

    response: str
    quantiles: tuple[float, ...]
    limit: float | None
    k: int | None
    level: float


def compare_pair(
    cells: Cells,
    a: str,
    b: str,
    *,
    regime: float | Literal["pooled"] | None,
    options: Options,
    rng: np.random.Generator,
) -> tuple[PairComparison, Contrast]:
    """Compare two populations over the regimes and originals of some cells.

    Returns
    -------
    pair : PairComparison
        Not yet adjusted for the other pairs: `p_holm` and `mean_simultaneous` are those of one pair alone.
    contrast : Contrast
        Its mean difference, for the simultaneous intervals.
    """
    places, left_out = strata_with(cells, a, b)
    both = [(cells[place][a], cells[place][b]) for place in places]
    strata = strata_of([(one.values, other.values) for one, other in both])
    level = options.level
    quantiles = {
        q: quantile_difference(strata, [(one.laws[q], other.laws[q]) for one, other in both], q, level=level)
        for q in (0.5, *options.quantiles)
    }
    k = _size(strata, options.k, a, b)
    mean = mean_difference(strata, level=level)
    p_less, p_less_p = probability_less(strata, level=level)
    tests = distribution_tests(strata, rng=rng)
    binned = binned_difference(both, level=level, rng=rng)
    flops, overlap = flops_difference(both), flops_overlap(both)
    shared = sum(len(one.keys & other.keys) for one, other in both)
    pair = PairComparison(
        regime=regime,
        a=a,
        b=b,
        n_a=sum(one.n for one, _ in both),
        n_b=sum(other.n for _, other in both),
        n_originals=len({original for _, original in places}),
        mean_difference=mean,
        median_difference=quantiles[0.5],
        quantile_differences={q: quantiles[q] for q in options.quantiles},
        area_difference=area_difference(strata, _limits(cells, places, options.limit), level=level),
        area_limit=options.limit,
        best_difference=best_difference(strata, k, level=level),
        k=k,
        mean_simultaneous=mean,
        p_less=p_less,
        p_less_p=p_less_p,
        p_holm=p_less_p,
        ks=tests.ks,
        ks_p=tests.ks_p,
        ad=tests.ad,
        ad_p=tests.ad_p,
        dominance=dominance(strata, tests, level=level),
        binned_difference=binned.difference,
        binned_p=binned.p,
        n_binned=binned.n,
        level=float(level),
        response=options.response,
        flops_difference=flops,
        flops_overlap=overlap,
        n_shared=shared,
        notes=notes(a, b, flops, overlap, shared, left_out),
    )
    return pair, _contrast(cells, places, a, b, strata, mean.value)


def _size(strata: tuple[Stratum, ...], k: int | None, a: str, b: str) -> int:
    """Return k; when none is given 10, or a fifth of the smallest population, which leaves some certainty."""
    smallest = min(x.size for s in strata for x in (s.a, s.b))
    if k is None:
        return int(np.clip(smallest // 5, 1, _K))
    if k > smallest:
        raise InputError(
            f"k must be at most the {smallest} subnetworks of the smallest population; found {k} for {a} and {b}: the "
            "best of more draws than were made cannot be estimated without a model, so train more or ask for less"
        )
    return k


def _limits(cells: Cells, places: Sequence[Place], limit: float | None) -> list[float]:
    if limit is not None:
        return [limit] * len(places)
    return [float(np.median(np.concatenate([cell.values for cell in cells[place].values()]))) for place in places]


def _contrast(
    cells: Cells, places: Sequence[Place], a: str, b: str, strata: tuple[Stratum, ...], value: float
) -> Contrast:
    number = {(place, name): i for i, (place, name) in enumerate((p, n) for p, held in cells.items() for n in held)}
    mine = tuple(number[place, name] for place in places for name in (a, b))
    weights = tuple(sign * s.weight for s in strata for sign in (1.0, -1.0))
    return Contrast(value, mine, weights, mean_parts(strata))
