"""Two populations side by side, stratified by original: the arithmetic below `compare`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from prunestats.intervals import Interval

Floats = NDArray[np.float64]
_DRAWS = 10_000
_PERMUTATIONS = 1_999
_CHUNK_BYTES = 50_000_000


@dataclass(frozen=True)
class Stratum:
    """The two populations in one original: values of subnetworks, at least two each, and the stratum's weight."""

    a: Floats
    b: Floats
    weight: float


def strata_of(pairs: list[tuple[Floats, Floats]]) -> tuple[Stratum, ...]:
    """Weight each original by its share of the subnetworks of both populations.

    Examples
    --------
    >>> [s.weight for s in strata_of([(np.zeros(2), np.ones(2)), (np.zeros(6), np.ones(6))])]
    [0.25, 0.75]
    """
    total = sum(a.size + b.size for a, b in pairs)
    return tuple(Stratum(np.sort(a), np.sort(b), (a.size + b.size) / total) for a, b in pairs)


def mean_difference(strata: tuple[Stratum, ...], *, level: float) -> Interval:
    """Difference of mean response, a less b, averaged over originals, by Welch's interval.

    Notes
    -----
    Variances are free in each population and original; the degrees of freedom are Satterthwaite's.

    References
    ----------
    B. L. Welch, Biometrika 34 (1947), 28-35; F. E. Satterthwaite, Biometrics Bull. 2 (1946), 110-114.

    Examples
    --------
    >>> a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
    >>> print(mean_difference(strata_of([(a, b)]), level=0.95))
    -2 [-6.155, 2.155]
    """
    value = sum(s.weight * (s.a.mean() - s.b.mean()) for s in strata)
    parts = [(s.weight**2 * sample.var(ddof=1) / sample.size, sample.size - 1) for s in strata for sample in (s.a, s.b)]
    return _t_interval(float(value), parts, level)


def _t_interval(value: float, parts: list[tuple[float, int]], level: float) -> Interval:
    """Build a t interval from independent parts of the variance, each with its degrees of freedom."""
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return Interval(value, value, value, level)
    half = float(stats.t.ppf((1 + level) / 2, satterthwaite(parts)) * np.sqrt(variance))
    return Interval(value, value - half, value + half, level)


def satterthwaite(parts: list[tuple[float, int]]) -> float:
    """Return the effective degrees of freedom of a sum of variance estimates.

    Examples
    --------
    >>> satterthwaite([(1.0, 5), (1.0, 5)])
    10.0
    """
    total = sum(part for part, _ in parts)
    return float(total**2 / sum(part**2 / df for part, df in parts if part > 0))


def median_difference(strata: tuple[Stratum, ...], *, level: float, rng: np.random.Generator) -> Interval:
    """Difference of median response, a less b, averaged over originals, by the stratified bootstrap.

    Notes
    -----
    The percentile interval: it is exact for the median in one population up to discreteness, never leaves the range of
    the data and keeps ties as they are, where BCa's acceleration is undefined for a median (its jackknife is
    inconsistent). The r-th smallest of n resampled values is the data's order statistic at the index ceil(n U),
    U ~ Beta(r, n + 1 - r), so resamples are never built: the cost does not grow with n.

    References
    ----------
    B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; A. C. Davison and D. V. Hinkley,
    Bootstrap Methods and Their Application (1997), section 2.6, for the order statistics' law.

    Examples
    --------
    >>> a, b = np.arange(1.0, 30.0), np.arange(11.0, 40.0)
    >>> median_difference(strata_of([(a, b)]), level=0.95, rng=np.random.default_rng(0)).value
    -10.0
    """
    value = sum(s.weight * (np.median(s.a) - np.median(s.b)) for s in strata)
    draws = np.zeros(_DRAWS)
    for s in strata:
        draws += s.weight * (_median_draws(s.a, rng) - _median_draws(s.b, rng))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], method="median_unbiased")
    return Interval(float(value), float(low), float(high), level)


def _median_draws(ordered: Floats, rng: np.random.Generator) -> Floats:
    """Draw medians of bootstrap resamples of sorted values, without resampling."""
    n = ordered.size
    lower = (n + 1) // 2
    u = rng.beta(lower, n + 1 - lower, size=_DRAWS)
    first = ordered[np.minimum((u * n).astype(np.int64), n - 1)]
    if n % 2:
        return np.asarray(first)
    # the next order statistic, given this one, is the least of the n - lower uniforms above it
    u += (1 - u) * rng.beta(1, n - lower, size=_DRAWS)
    return np.asarray((first + ordered[np.minimum((u * n).astype(np.int64), n - 1)]) / 2)


def probability_less(strata: tuple[Stratum, ...], *, level: float) -> tuple[Interval, float]:
    """P(A < B) + P(A = B) / 2 averaged over originals, with Brunner and Munzel's variance and p-value.

    Returns
    -------
    interval : Interval
    p : float
        Two-sided, of the null hypothesis that the probability is one half.

    Notes
    -----
    The interval is built on the logit scale, which keeps it inside [0, 1] and its coverage near `level`: on the
    plain scale it was measured at 85 % where the probability is 0.95 and n is 20. The p-value is on the plain
    scale, as published, so at the border of significance the two may disagree. Where the populations do not overlap
    at all, the variance estimate is zero and says nothing. Then m = the smaller population makes m independent
    pairs that all went one way, and Clopper and Pearson's bound for m of m is given: valid and wide.

    References
    ----------
    E. Brunner and U. Munzel, Biometrical J. 42 (2000), 17-25; E. Brunner, A. C. Bathke and
    F. Konietschke, Rank and Pseudo-Rank Procedures (2018), for the logit interval.

    Examples
    --------
    >>> interval, p = probability_less(strata_of([(np.arange(10.0), np.arange(10.0) + 3)]), level=0.95)
    >>> round(interval.value, 3), round(p, 4)
    (0.755, 0.0314)
    """
    value, parts = 0.0, []
    for s in strata:
        share, spread = _placements(s)
        value += s.weight * share
        parts += [(s.weight**2 * variance, df) for variance, df in spread]
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return _separated(strata, value, level)
    df, error = satterthwaite(parts), float(np.sqrt(variance))
    half = float(stats.t.ppf((1 + level) / 2, df)) * error / (value * (1 - value))
    low, high = (float(special.expit(special.logit(value) + side * half)) for side in (-1, 1))
    return Interval(value, low, high, level), float(2 * stats.t.sf(abs(value - 0.5) / error, df))


def _placements(s: Stratum) -> tuple[float, list[tuple[float, int]]]:
    """Return the probability and its two parts of variance, each with its degrees of freedom."""
    # placement of b: the fraction of a below it, ties half
    of_b = (np.searchsorted(s.a, s.b, side="left") + np.searchsorted(s.a, s.b, side="right")) / (2 * s.a.size)
    of_a = (np.searchsorted(s.b, s.a, side="left") + np.searchsorted(s.b, s.a, side="right")) / (2 * s.b.size)
    return float(of_b.mean()), [(float(x.var(ddof=1)) / x.size, x.size - 1) for x in (of_a, of_b)]


def _separated(strata: tuple[Stratum, ...], value: float, level: float) -> tuple[Interval, float]:
    if 0 < value < 1 and all(np.ptp(np.concatenate([s.a, s.b])) == 0 for s in strata):
        return Interval(value, value, value, level), 1.0
    pairs = sum(min(s.a.size, s.b.size) for s in strata)
    room = float(((1 - level) / 2) ** (1 / pairs))
    low, high = (room, 1.0) if value == 1 else (0.0, 1 - room) if value == 0 else (0.0, 1.0)
    return Interval(value, low, high, level), min(1.0, 2 * 0.5**pairs) if value in (0, 1) else 1.0


def kolmogorov_smirnov(strata: tuple[Stratum, ...], *, rng: np.random.Generator) -> tuple[float, float]:
    """Largest distance between the two distribution functions, averaged over originals, and its p-value.

    Notes
    -----
    With one original it is the two-sample test, exact where scipy has the exact law. With more, the distribution
    functions are averaged over originals with their weights, and labels are permuted within originals: 1999
    permutations, so the least p-value is 0.0005. The test looks at everything, not at means alone.

    References
    ----------
    J. L. Hodges, Arkiv Mat. 3 (1958), 469-486; A. C. Davison and D. V. Hinkley, Bootstrap Methods and Their Application
    (1997), eq. (4.11) for the permutation p-value.

    Examples
    --------
    >>> ks, p = kolmogorov_smirnov(strata_of([(np.arange(10.0), np.arange(10.0) + 5)]), rng=np.random.default_rng(0))
    >>> round(ks, 2), round(p, 3)
    (0.5, 0.168)
    """
    if len(strata) == 1:
        with warnings.catch_warnings():
            # scipy says so when it falls back to the asymptotic law; its answer is the one we want then
            warnings.simplefilter("ignore", RuntimeWarning)
            found = stats.ks_2samp(strata[0].a, strata[0].b)
        return float(found.statistic), float(found.pvalue)
    values = np.concatenate([np.concatenate([s.a, s.b]) for s in strata])
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order], append=np.inf) > 0)
    steps = [
        s.weight * np.concatenate([np.full(s.a.size, 1 / s.a.size), np.full(s.b.size, -1 / s.b.size)]) for s in strata
    ]
    seen = _largest(np.concatenate(steps)[None, order], ends)[0]
    # a generator an original: each then goes row by row, whatever the size of the chunks
    own = [np.random.default_rng(seed) for seed in rng.integers(2**63, size=len(steps))]
    as_large = 0
    for count in _chunks(_PERMUTATIONS, values.size):
        shuffled = np.concatenate([_shuffled(*pair, count) for pair in zip(steps, own, strict=True)], axis=1)
        as_large += int(np.count_nonzero(_largest(shuffled[:, order], ends) >= seen - 1e-12))
    return float(seen), (1 + as_large) / (1 + _PERMUTATIONS)


def _largest(steps: Floats, ends: NDArray[np.int64]) -> Floats:
    """Return the largest absolute difference of the distribution functions, one a row, looking after ties only."""
    return np.asarray(np.abs(np.cumsum(steps, axis=1)[:, ends]).max(axis=1))


def _shuffled(step: Floats, rng: np.random.Generator, count: int) -> Floats:
    return rng.permuted(np.broadcast_to(step, (count, step.size)), axis=1)


def _chunks(total: int, width: int) -> Iterator[int]:
    """Split `total` rows so that a chunk of `width` doubles a row stays small."""
    size = max(1, _CHUNK_BYTES // (8 * width))
    for start in range(0, total, size):
        yield min(size, total - start)
