"""Distribution functions, best of k, differences of medians: closed forms against resampling and statsmodels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from benchmarks.measure import Comparison, seconds
from prunestats.comparison.quantile_bootstrap import bootstrap_distribution
from prunestats.comparison.stratified import best_difference, quantile_difference, strata_of
from prunestats.distribution.bands import _angle_spline, band_half_width, clopper_pearson
from prunestats.distribution.empirical import edf
from prunestats.numeric.order_statistics import least_of

N = B = 10_000
K = 100
# resamples that are timed: time is linear in their number
_SHARE = 200


def comparisons() -> Iterator[Comparison]:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.20, 0.02, N), rng.normal(0.21, 0.03, N)
    yield _pointwise()
    yield _band_and_curve(a)
    yield _medians(a, b)
    yield _best(a, b)


def _pointwise() -> Comparison:
    """Clopper-Pearson at every value of a sample, the interpolation not cached."""
    k = np.arange(1, N + 1)

    def ours():
        _angle_spline.cache_clear()
        return clopper_pearson(k, N)

    def theirs():
        return np.array(proportion_confint(k, N, method="beta"))

    assert np.abs(np.array(ours()) - theirs()).max() < 1e-9
    return Comparison(
        "Clopper-Pearson at every value",
        f"n = {N:,}",
        seconds(ours, repeats=5),
        "statsmodels proportion_confint",
        seconds(theirs),
    )


def _band_and_curve(a: np.ndarray) -> Comparison:
    """The band and the curve at 30 values of k, against the supremum and the least of k in B resamples."""
    k = np.unique(np.geomspace(1, N // 2, 33).astype(int))
    ordered = np.sort(a)

    def resampled(draws: int) -> tuple[float, np.ndarray]:
        rng, suprema, least = np.random.default_rng(1), [], np.zeros(k.size)
        for _ in range(draws):
            drawn = ordered[rng.integers(N, size=N)]
            least += np.minimum.accumulate(drawn)[k - 1]
            reached = np.searchsorted(np.sort(drawn), ordered, side="right") / N
            suprema.append(np.abs(reached - np.arange(1, N + 1) / N).max())
        return float(np.quantile(suprema, 0.95)), least / draws

    half, curve = resampled(_SHARE)
    assert abs(half / band_half_width(N, 0.95) - 1) < 0.15
    # six standard errors of a mean over the resamples
    assert np.abs(curve - least_of(ordered, k)[0]).max() < 6 * a.std() / np.sqrt(_SHARE)
    return Comparison(
        "EDF with band, best of k at 30 k",
        f"n = B = {N:,}",
        seconds(lambda: (edf(a), least_of(np.sort(a), k)), repeats=5),
        "resampling",
        seconds(lambda: resampled(_SHARE), repeats=1) * B / _SHARE,
    )


def _medians(a: np.ndarray, b: np.ndarray) -> Comparison:
    def ours():
        strata = strata_of([(a, b)])
        distributions = [(bootstrap_distribution(strata[0].a, 0.5), bootstrap_distribution(strata[0].b, 0.5))]
        return quantile_difference(strata, distributions, 0.5, level=0.95)

    def theirs():
        return stats.bootstrap(
            (a, b),
            lambda x, y, axis: np.median(x, axis=axis) - np.median(y, axis=axis),
            n_resamples=B,
            method="percentile",
            batch=100,
            rng=np.random.default_rng(2),
        )

    found = ours()
    results: list = []
    other_s = seconds(lambda: results.append(theirs()), repeats=1)
    other = results[0].confidence_interval
    # B draws know a bound of a normal distribution to 0.03 of its standard deviation
    spread = results[0].standard_error
    assert max(abs(found.low - other.low), abs(found.high - other.high)) < 0.15 * spread, (found, other)
    return Comparison(
        "difference of medians", f"n = B = {N:,}", seconds(ours, repeats=5), "scipy.stats.bootstrap", other_s
    )


def _best(a: np.ndarray, b: np.ndarray) -> Comparison:
    """Scipy resamples; the best of k of each resample is the same sum of order statistics."""
    missed = np.cumprod(np.clip(1 - K / (N - np.arange(N)), 0.0, None))
    weights = -np.diff(missed, prepend=1.0)

    def least(x: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(np.sort(x, axis=axis) @ weights)

    def ours():
        return best_difference(strata_of([(a, b)]), K, level=0.95)

    def theirs(draws: int):
        return stats.bootstrap(
            (a, b),
            lambda x, y, axis: least(x, axis) - least(y, axis),
            n_resamples=draws,
            method="percentile",
            batch=50,
            rng=np.random.default_rng(2),
        )

    found, other = ours(), theirs(2000)
    assert abs(found.value - (least(a, -1) - least(b, -1))) < 1e-12
    assert abs((found.high - found.low) / (2 * 1.96 * other.standard_error) - 1) < 0.1
    return Comparison(
        f"difference of best of {K}",
        f"n = B = {N:,}",
        seconds(ours, repeats=5),
        "scipy.stats.bootstrap",
        seconds(lambda: theirs(B // 10), repeats=1) * 10,
    )
