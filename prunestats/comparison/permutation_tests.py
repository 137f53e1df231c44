"""Tests of whole distributions, labels permuted within originals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from prunestats.comparison.stratified import Stratum
from prunestats.numeric.arrays import Floats
from prunestats.numeric.chunks import chunks

PERMUTATIONS = 999
_CHUNK_BYTES = 500_000
"""What the cache of a processor core holds: larger chunks were measured slower."""
_CLASSES = 1_000
_ROUNDING = 1e-11


@dataclass(frozen=True)
class DistributionTests:
    """What labels permuted within originals say of two distribution functions.

    Parameters
    ----------
    ks, ks_p : float
        Largest distance between the functions, averaged over originals, and its p-value.
    ad, ad_p : float
        Anderson and Darling's statistic, summed over originals, and its p-value.
    above_p, below_p : float
        One-sided: of no place at which a's function is above b's, and of none at which it is below.
    """

    ks: float
    ks_p: float
    ad: float
    ad_p: float
    above_p: float
    below_p: float


@dataclass(frozen=True)
class _Layout:
    """The values of one stratum in order: who is of a, the last of each tie, and Anderson and Darling's weights."""

    values: Floats
    of_a: NDArray[np.bool_]
    ends: NDArray[np.int64]
    weights: Floats
    share: float


def distribution_tests(strata: tuple[Stratum, ...], *, rng: np.random.Generator) -> DistributionTests:
    """Kolmogorov-Smirnov, both one-sided forms, and Anderson-Darling, of two populations, stratified by original.

    Notes
    -----
    The distribution functions are averaged over originals with their weights, and labels are permuted within
    originals: 999 permutations, so the least p-value is 0.001. With one original the two-sided Kolmogorov-Smirnov
    p-value is exact where scipy has the exact law. Anderson and Darling's statistic takes ties by midranks and sums
    over originals.

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
    layouts = [_layout(s) for s in strata]
    order, ends = _together(layouts)
    seen = _statistics([layout.of_a[None, :] for layout in layouts], layouts, order, ends)
    # a generator an original: each then goes row by row, whatever the size of the chunks
    own = [np.random.default_rng(seed) for seed in rng.integers(2**63, size=len(layouts))]
    as_large = np.zeros(4)
    for rows in chunks(PERMUTATIONS, order.size, _CHUNK_BYTES):
        labels = [
            generator.permuted(np.broadcast_to(layout.of_a, (rows, layout.of_a.size)), axis=1)
            for layout, generator in zip(layouts, own, strict=True)
        ]
        as_large += (_statistics(labels, layouts, order, ends) >= seen - _ROUNDING * np.abs(seen)).sum(axis=1)
    ks_p, above_p, below_p, ad_p = (float(p) for p in (1 + as_large) / (1 + PERMUTATIONS))
    ks, ad = float(seen[0, 0]), float(seen[3, 0])
    return DistributionTests(ks, _exact(strata[0]) if len(strata) == 1 else ks_p, ad, ad_p, above_p, below_p)


def _exact(s: Stratum) -> float:
    with warnings.catch_warnings():
        # scipy says so when it falls back to the asymptotic law; its answer is the one we want then
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.ks_2samp(s.a, s.b).pvalue)


def _layout(s: Stratum) -> _Layout:
    values = np.concatenate([s.a, s.b])
    order = np.argsort(values, kind="stable")
    ends, shares = tie_weights(values[order])
    weights = shares * s.a.size * s.b.size * (values.size - 1)
    return _Layout(values[order], order < s.a.size, ends, weights, s.weight)


def tie_weights(ordered: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return where each tie ends, and l / N over B (N - B) - N l / 4 for its length l and its middle rank B.

    Examples
    --------
    >>> ends, weights = tie_weights(np.array([1.0, 2.0, 2.0, 3.0]))
    >>> ends.tolist(), weights.round(4).tolist()
    ([0, 2, 3], [0.3333, 0.25, 0.3333])
    """
    n = ordered.size
    ends = np.flatnonzero(np.diff(ordered, append=np.inf) > 0)
    length = np.diff(ends, prepend=-1)
    middle = ends + 1 - length / 2
    below = middle * (n - middle) - n * length / 4
    # one tie of all values tells nothing
    return ends, np.where(below > 0, length / n / np.where(below > 0, below, 1.0), 0.0)


def _together(layouts: Sequence[_Layout]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of all values of all strata, and where each tie ends in it."""
    values = np.concatenate([layout.values for layout in layouts])
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.diff(values[order], append=np.inf) > 0)


def _statistics(
    labels: Sequence[NDArray[np.bool_]],
    layouts: Sequence[_Layout],
    order: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> Floats:
    """Return ks, its two one-sided forms, and ad: one column a row of the labels."""
    differences = [_difference(of_a, layout) for of_a, layout in zip(labels, layouts, strict=True)]
    ad = sum(_squared_middle(d, layout.ends) @ layout.weights for d, layout in zip(differences, layouts, strict=True))
    if len(layouts) == 1:
        whole = _at(differences[0], ends)
    else:
        steps = [np.diff(d, axis=1, prepend=0.0) * layout.share for d, layout in zip(differences, layouts, strict=True)]
        whole = _at(np.cumsum(np.concatenate(steps, axis=1)[:, order], axis=1), ends)
    above, below = whole.max(axis=1), -whole.min(axis=1)
    return np.stack([np.maximum(above, below), above, below, np.asarray(ad)])


def _difference(of_a: NDArray[np.bool_], layout: _Layout) -> Floats:
    """Return a's distribution function less b's after each value."""
    n, n_a = layout.of_a.size, int(layout.of_a.sum())
    found = np.cumsum(of_a, axis=1, dtype=np.int32) * (1 / n_a + 1 / (n - n_a))
    found -= np.arange(1, n + 1) / (n - n_a)
    return np.asarray(found)


def _at(whole: Floats, ends: NDArray[np.int64]) -> Floats:
    return whole if ends.size == whole.shape[1] else whole[:, ends]


def _squared_middle(difference: Floats, ends: NDArray[np.int64]) -> Floats:
    """Return the squared mean of the difference before and after each tie."""
    after = _at(difference, ends)
    middle = after.copy()
    middle[:, 1:] += after[:, :-1]
    middle *= middle
    middle /= 4
    return middle


def anderson_darling(strata: Sequence[Sequence[Floats]], *, rng: np.random.Generator) -> tuple[float, float]:
    """Anderson and Darling's test that any number of populations are the same, stratified by original.

    Parameters
    ----------
    strata : sequence of sequences of ndarray
        The populations in each original; an original may miss some.
    rng : numpy.random.Generator

    Returns
    -------
    statistic, p : float
        The sum over originals, and its share among 999 permutations within originals.

    Notes
    -----
    Ties are taken by midranks; of more than a thousand distinct values neighbours count as tied.

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
    seen, permuted = 0.0, np.zeros(PERMUTATIONS)
    for samples, seed in zip(strata, seeds, strict=True):
        values = np.concatenate(samples)
        order = np.argsort(values, kind="stable")
        labels = np.repeat(np.arange(len(samples), dtype=np.int16), [x.size for x in samples])[order]
        ends, weights = tie_weights(_classes(values[order]))
        seen += float(_many(labels[None, :], ends, weights)[0])
        own = np.random.default_rng(seed)
        found = [
            _many(own.permuted(np.broadcast_to(labels, (rows, labels.size)), axis=1), ends, weights)
            for rows in chunks(PERMUTATIONS, labels.size, _CHUNK_BYTES)
        ]
        permuted += np.concatenate(found)
    as_large = int(np.count_nonzero(permuted >= seen - _ROUNDING * abs(seen)))
    return seen, (1 + as_large) / (1 + PERMUTATIONS)


def _classes(ordered: Floats) -> Floats:
    """Number the ties; where there are very many, neighbours share a number."""
    tie = np.cumsum(np.diff(ordered, prepend=ordered[0]) > 0)
    last = np.searchsorted(tie, tie, side="right")
    return np.asarray(last if tie[-1] < _CLASSES else np.ceil(last * (_CLASSES / ordered.size)), dtype=float)


def _many(labels: NDArray[np.int16], ends: NDArray[np.int64], weights: Floats) -> Floats:
    n = labels.shape[1]
    starts = np.append(0, ends[:-1] + 1)
    total = np.zeros(labels.shape[0])
    for label in range(int(labels[0].max()) + 1):
        mine = labels == label
        count = int(mine[0].sum())
        held = np.cumsum(np.add.reduceat(mine, starts, axis=1, dtype=np.int32), axis=1)
        excess = held - (ends + 1) * (count / n)
        excess[:, 1:] = (excess[:, 1:] + excess[:, :-1]) / 2
        excess[:, 0] /= 2
        total += excess**2 @ weights / count
    return np.asarray(total * n * (n - 1))
