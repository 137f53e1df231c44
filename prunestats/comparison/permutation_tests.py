"""Permutation tests of equal distributions, stratified by original: Kolmogorov-Smirnov and Anderson-Darling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from prunestats.comparison.stratified import Stratum
from prunestats.numeric.arrays import Floats
from prunestats.numeric.chunks import chunk_sizes

PERMUTATIONS = 999
"""The least p-value is 0.001, and a test at 5 % has exactly that size, as 0.05 x 1,000 is whole."""
_CHUNK_BYTES = 500_000
"""What the cache of a processor core holds: larger chunks were measured slower."""
_MAX_TIES = 1_000
"""Distinct values above which the omnibus test groups neighbours: saves time, and moves the statistic by under 1 %."""
_ROUNDING = 1e-11
"""Relative rounding error of a statistic: a permutation that equals the observed labels must count as large."""


@dataclass(frozen=True)
class DistributionTests:
    """Statistics and permutation p-values of two distribution functions.

    Parameters
    ----------
    ks, ks_p : float
        Largest absolute difference of the functions, averaged over strata, and its p-value.
    ad, ad_p : float
        Anderson-Darling statistic, summed over strata, and its p-value.
    above_p, below_p : float
        One-sided Kolmogorov-Smirnov: small where a's function is above b's somewhere; where it is below somewhere.
    """

    ks: float
    ks_p: float
    ad: float
    ad_p: float
    above_p: float
    below_p: float


@dataclass(frozen=True)
class _Pooled:
    """Both samples of a stratum, sorted together: which values are of a, the last index of each tie, the AD weights."""

    values: Floats
    of_a: NDArray[np.bool_]
    tie_ends: NDArray[np.int64]
    ad_weights: Floats
    weight: float


def distribution_tests(strata: tuple[Stratum, ...], *, rng: np.random.Generator) -> DistributionTests:
    """Stratified Kolmogorov-Smirnov tests, two-sided and both one-sided, and Anderson-Darling test of two samples.

    Parameters
    ----------
    strata : tuple of Stratum
    rng : numpy.random.Generator

    Notes
    -----
    Null hypothesis: within each stratum both samples have the same distribution. The distribution functions are
    averaged over strata by their weights, and labels are permuted within strata: 999 permutations, so the least p-value
    is 0.001. With one stratum the two-sided Kolmogorov-Smirnov p-value is exact where scipy computes the exact
    distribution. The Anderson-Darling statistic uses midranks for ties and is summed over strata.

    References
    ----------
    J. L. Hodges, Arkiv Mat. 3 (1958), 469-486. F. W. Scholz and M. A. Stephens, J. Amer. Statist. Assoc. 82 (1987),
    918-924, eq. (7). A. C. Davison and D. V. Hinkley, Bootstrap Methods and Their Application (1997), eq. (4.11) for
    the permutation p-value.

    Examples
    --------
    >>> from prunestats.comparison.stratified import strata_of
    >>> pair = strata_of([(np.arange(10.0), np.arange(10.0) + 5)])
    >>> found = distribution_tests(pair, rng=np.random.default_rng(0))
    >>> round(found.ks, 2), round(found.ks_p, 3), round(found.ad, 2)
    (0.5, 0.168, 4.55)
    """
    pooled = [_pooled(s) for s in strata]
    order, tie_ends = _merged(pooled)
    observed = _statistics([one.of_a[None, :] for one in pooled], pooled, order, tie_ends)
    # one generator per stratum, so that the permutations do not depend on the size of the chunks
    generators = [np.random.default_rng(seed) for seed in rng.integers(2**63, size=len(pooled))]
    as_large = np.zeros(4)
    for rows in chunk_sizes(PERMUTATIONS, order.size, _CHUNK_BYTES):
        labels = [permuted_rows(one.of_a, rows, own) for one, own in zip(pooled, generators, strict=True)]
        permuted = _statistics(labels, pooled, order, tie_ends)
        as_large += (permuted >= observed - _ROUNDING * np.abs(observed)).sum(axis=1)
    ks_p, above_p, below_p, ad_p = (float(p) for p in (1 + as_large) / (1 + PERMUTATIONS))
    ks, ad = float(observed[0, 0]), float(observed[3, 0])
    return DistributionTests(ks, _exact_p(strata[0]) if len(strata) == 1 else ks_p, ad, ad_p, above_p, below_p)


def permuted_rows(values: NDArray[Any], rows: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return random permutations of the values, one per row."""
    return rng.permuted(np.broadcast_to(values, (rows, values.size)), axis=1)


def _exact_p(s: Stratum) -> float:
    with warnings.catch_warnings():
        # scipy warns when it falls back to the asymptotic distribution, whose p-value is then the one to use
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.ks_2samp(s.a, s.b).pvalue)


def _pooled(s: Stratum) -> _Pooled:
    values = np.concatenate([s.a, s.b])
    order = np.argsort(values, kind="stable")
    tie_ends, weights = _tie_weights(values[order])
    ad_weights = weights * s.a.size * s.b.size * (values.size - 1)
    return _Pooled(values[order], order < s.a.size, tie_ends, ad_weights, s.weight)


def _tie_weights(ordered: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return the last index of each tie, and its weight (l / N) / (B (N - B) - N l / 4) for length l and midrank B."""
    n = ordered.size
    tie_ends = np.flatnonzero(np.diff(ordered, append=np.inf) > 0)
    length = np.diff(tie_ends, prepend=-1)
    midrank = tie_ends + 1 - length / 2
    scale = midrank * (n - midrank) - n * length / 4
    # where all values are tied the scale is zero, and so is every difference
    return tie_ends, np.where(scale > 0, length / n / np.where(scale > 0, scale, 1.0), 0.0)


def _merged(pooled: Sequence[_Pooled]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of the values of all strata, and the last index of each tie in it."""
    values = np.concatenate([one.values for one in pooled])
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.diff(values[order], append=np.inf) > 0)


def _statistics(
    labels: Sequence[NDArray[np.bool_]],
    pooled: Sequence[_Pooled],
    order: NDArray[np.int64],
    tie_ends: NDArray[np.int64],
) -> Floats:
    """Return KS two-sided, KS above, KS below and AD as rows; one column per row of the labels."""
    differences = [_difference(of_a, one) for of_a, one in zip(labels, pooled, strict=True)]
    ad = sum(_squared_midpoint(d, one.tie_ends) @ one.ad_weights for d, one in zip(differences, pooled, strict=True))
    if len(pooled) == 1:
        averaged = _at(differences[0], tie_ends)
    else:
        steps = [np.diff(d, axis=1, prepend=0.0) * one.weight for d, one in zip(differences, pooled, strict=True)]
        averaged = _at(np.cumsum(np.concatenate(steps, axis=1)[:, order], axis=1), tie_ends)
    above, below = averaged.max(axis=1), -averaged.min(axis=1)
    return np.stack([np.maximum(above, below), above, below, np.asarray(ad)])


def _difference(of_a: NDArray[np.bool_], pooled: _Pooled) -> Floats:
    """Return F_a - F_b after each value."""
    n, n_a = pooled.of_a.size, int(pooled.of_a.sum())
    found = np.cumsum(of_a, axis=1, dtype=np.int32) * (1 / n_a + 1 / (n - n_a))
    found -= np.arange(1, n + 1) / (n - n_a)
    return np.asarray(found)


def _at(columns: Floats, tie_ends: NDArray[np.int64]) -> Floats:
    return columns if tie_ends.size == columns.shape[1] else columns[:, tie_ends]


def _squared_midpoint(difference: Floats, tie_ends: NDArray[np.int64]) -> Floats:
    """Return the squared mean of the differences before and after each tie."""
    after = _at(difference, tie_ends)
    midpoint = after.copy()
    midpoint[:, 1:] += after[:, :-1]
    midpoint *= midpoint
    midpoint /= 4
    return midpoint


def anderson_darling(strata: Sequence[Sequence[Floats]], *, rng: np.random.Generator) -> tuple[float, float]:
    """Stratified k-sample Anderson-Darling test: all samples of a stratum have the same distribution.

    Parameters
    ----------
    strata : sequence of sequences of ndarray
        The samples of each stratum; a stratum may miss some populations.
    rng : numpy.random.Generator

    Returns
    -------
    statistic, p : float
        The sum over strata, and its p-value by 999 permutations within strata.

    Notes
    -----
    Ties are ranked by midranks; above a thousand distinct values, neighbours count as tied.

    References
    ----------
    F. W. Scholz and M. A. Stephens, J. Amer. Statist. Assoc. 82 (1987), 918-924, eq. (7).

    Examples
    --------
    >>> samples = [np.arange(10.0), np.arange(10.0) + 5, np.arange(10.0) + 10]
    >>> statistic, p = anderson_darling([samples], rng=np.random.default_rng(0))
    >>> round(statistic, 2), p
    (11.84, 0.001)
    """
    seeds = rng.integers(2**63, size=len(strata))
    observed, permuted = 0.0, np.zeros(PERMUTATIONS)
    for samples, seed in zip(strata, seeds, strict=True):
        values = np.concatenate(samples)
        order = np.argsort(values, kind="stable")
        labels = np.repeat(np.arange(len(samples), dtype=np.int16), [x.size for x in samples])[order]
        tie_ends, weights = _tie_weights(_tie_numbers(values[order]))
        observed += float(_k_sample_statistic(labels[None, :], tie_ends, weights)[0])
        generator = np.random.default_rng(seed)
        found = [
            _k_sample_statistic(permuted_rows(labels, rows, generator), tie_ends, weights)
            for rows in chunk_sizes(PERMUTATIONS, labels.size, _CHUNK_BYTES)
        ]
        permuted += np.concatenate(found)
    as_large = int(np.count_nonzero(permuted >= observed - _ROUNDING * abs(observed)))
    return observed, (1 + as_large) / (1 + PERMUTATIONS)


def _tie_numbers(ordered: Floats) -> Floats:
    """Number the ties; above `_MAX_TIES` of them, neighbours share a number."""
    tie = np.cumsum(np.diff(ordered, prepend=ordered[0]) > 0)
    last = np.searchsorted(tie, tie, side="right")
    return np.asarray(last if tie[-1] < _MAX_TIES else np.ceil(last * (_MAX_TIES / ordered.size)), dtype=float)


def _k_sample_statistic(labels: NDArray[np.int16], tie_ends: NDArray[np.int64], weights: Floats) -> Floats:
    n = labels.shape[1]
    starts = np.append(0, tie_ends[:-1] + 1)
    total = np.zeros(labels.shape[0])
    for label in range(int(labels[0].max()) + 1):
        in_sample = labels == label
        count = int(in_sample[0].sum())
        cumulative = np.cumsum(np.add.reduceat(in_sample, starts, axis=1, dtype=np.int32), axis=1)
        excess = cumulative - (tie_ends + 1) * (count / n)
        excess[:, 1:] = (excess[:, 1:] + excess[:, :-1]) / 2
        excess[:, 0] /= 2
        total += excess**2 @ weights / count
    return np.asarray(total * n * (n - 1))
