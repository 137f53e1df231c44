"""All statistics of one pair of populations, in one regime or pooled over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prunestats.comparison.dominance import dominance
from prunestats.comparison.equal_flops import binned_difference, flops_overlap
from prunestats.comparison.multiplicity import Contrast
from prunestats.comparison.pair_result import PairComparison
from prunestats.comparison.permutation_tests import distribution_tests
from prunestats.comparison.populations import Cells, StratumKey, flops_difference, notes, strata_with
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

_DEFAULT_K = 10
"""Of the best of k: a convention, small enough that n = 50 leaves n / k - 1 = 4 degrees of freedom."""


@dataclass(frozen=True)
class Options:
    """Arguments of `compare` that are the same for all pairs."""

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
        Not yet adjusted for multiplicity: `p_holm` and `mean_simultaneous` are those of the pair alone.
    contrast : Contrast
        Its mean difference, for the simultaneous intervals.
    """
    keys, left_out = strata_with(cells, a, b)
    both = [(cells[key][a], cells[key][b]) for key in keys]
    strata = strata_of([(one.values, other.values) for one, other in both])
    level = options.level
    quantiles = {
        q: quantile_difference(
            strata,
            [(one.quantile_distributions[q], other.quantile_distributions[q]) for one, other in both],
            q,
            level=level,
        )
        for q in (0.5, *options.quantiles)
    }
    k = _k_or_default(strata, options.k, a, b)
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
        n_originals=len({original for _, original in keys}),
        mean_difference=mean,
        median_difference=quantiles[0.5],
        quantile_differences={q: quantiles[q] for q in options.quantiles},
        area_difference=area_difference(strata, _limits(cells, keys, options.limit), level=level),
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
    return pair, _contrast(cells, keys, a, b, strata, mean.value)


def _k_or_default(strata: tuple[Stratum, ...], k: int | None, a: str, b: str) -> int:
    """Return k; by default 10, or n / 5 of the smallest sample, which leaves n / k - 1 = 4 degrees of freedom."""
    smallest = min(x.size for s in strata for x in (s.a, s.b))
    if k is None:
        return int(np.clip(smallest // 5, 1, _DEFAULT_K))
    if k > smallest:
        raise InputError(
            f"k must be at most the {smallest} subnetworks of the smallest population; found {k} for {a} and {b}: the "
            "best of more subnetworks than the sample has cannot be estimated without a model: train more or lower k"
        )
    return k


def _limits(cells: Cells, keys: Sequence[StratumKey], limit: float | None) -> list[float]:
    if limit is not None:
        return [limit] * len(keys)
    return [float(np.median(np.concatenate([cell.values for cell in cells[key].values()]))) for key in keys]


def _contrast(
    cells: Cells, keys: Sequence[StratumKey], a: str, b: str, strata: tuple[Stratum, ...], value: float
) -> Contrast:
    every = [(key, name) for key, held in cells.items() for name in held]
    index = {cell: i for i, cell in enumerate(every)}
    weights = tuple(sign * s.weight for s in strata for sign in (1.0, -1.0))
    return Contrast(value, tuple(index[key, name] for key in keys for name in (a, b)), weights, mean_parts(strata))
