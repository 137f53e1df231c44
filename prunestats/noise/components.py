"""Variance components of originals, subnetworks and seeds: estimates and confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize, stats

from prunestats.metric import ERROR, Metric, is_own, metric_of
from prunestats.noise.nested_anova import NestedAnova, nested_anova
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.results.means import distinct_runs

_FEW_ORIGINALS = 5
"""Originals below which a note is made: with 4 the chi-squared interval of a variance spans a factor of 43."""
_LARGEST_ICC = 1 - 1e-12
"""The ratio of variances, icc / (1 - icc), is infinite at 1; an interval that reaches this far is given as 1."""
_ICC_TOLERANCE = 1e-13
"""Of the root search: below any digit that is shown."""


@dataclass(frozen=True, repr=False)
class VarianceComponents(Result):
    """Variances of a response between originals, between subnetworks and between seeds.

    Parameters
    ----------
    original, subnetwork, seed : Interval or None
        Variances, in the squared unit of the response, 0 where the estimate is negative; None where the design does not
        identify them.
    icc : Interval or None
        Intraclass correlation: subnetwork / (subnetwork + seed).
    within : float
        Variance of a run within its original, subnetwork + seed; nan where no original has two subnetworks.
    mean : float
        Mean response of all runs.
    n_runs, n_subnetworks, n_originals : int
    notes : tuple of str
        What cannot be estimated and why, in sentences.
    response : str
        Column that is analysed.
    level : float
        Confidence level of the intervals.
    metric : Metric
        The response: its unit.
    """

    original: Interval | None
    subnetwork: Interval | None
    seed: Interval | None
    icc: Interval | None
    within: float
    mean: float
    n_runs: int
    n_subnetworks: int
    n_originals: int
    notes: tuple[str, ...]
    response: str
    level: float
    metric: Metric = field(default=ERROR, metadata={"plain": is_own})

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in ("original", "subnetwork", "seed", "icc")}
        words = ", ".join(f"{name}={'unknown' if part is None else part}" for name, part in parts.items())
        return f"VarianceComponents({words}, n_runs={self.n_runs}, response={self.response!r})"


def variance_components(frame: pd.DataFrame, response: str | None = None, *, level: float = 0.95) -> VarianceComponents:
    """Variance components of the runs of one regime: originals, subnetworks and seeds.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one regime, data set and protocol, one row per run. A run that is in several spaces counts once.
    response : str, optional
        The numeric column to analyse; by default the frame's metric, error where it is marked with no other.
    level : float
        Confidence level of the intervals, in (0, 1).

    Returns
    -------
    VarianceComponents

    Raises
    ------
    ResultsError
        For what `check_results` refuses, and for several regimes or protocols at once.
    InputError
        For a response that is missing or a level outside (0, 1).

    Notes
    -----
    Model: y = mean + original + subnetwork + seed, three independent random effects with expectation 0, seeds nested in
    subnetworks nested in originals, balanced or not. Estimates are those of the analysis of variance (observed mean
    squares set equal to expected ones), unbiased without normality. Intervals assume normality: chi-squared for seeds,
    Wald's for the intraclass correlation, both exact in unbalanced designs; modified large samples on unweighted means
    for subnetworks and originals, accurate in mildly unbalanced designs. On heavy tails they are too short: see
    docs/methods/components.md.

    References
    ----------
    S. R. Searle, G. Casella and C. E. McCulloch, Variance Components (1992), section 5.3 and appendix F.1.
    A. Wald, Ann. Math. Statist. 11 (1940), 96-100. R. K. Burdick and F. A. Graybill, Confidence Intervals on Variance
    Components (1992), section 3.3.2; J. D. Thomas and R. A. Hultquist, Ann. Statist. 6 (1978), 582-587.

    Examples
    --------
    >>> runs = pd.DataFrame({"subnetwork": list("aabb"), "seed": [0, 1, 0, 1], "flops": 9, "params": 3})
    >>> found = variance_components(runs.assign(error=[0.1, 0.2, 0.4, 0.5]))
    >>> round(found.subnetwork.value, 4), round(found.seed.value, 4), round(found.icc.value, 3), found.original
    (0.0425, 0.005, 0.895, None)
    """
    check_level(level)
    runs, metric = distinct_runs(frame, response), metric_of(frame, response)
    response = metric.name
    nested = nested_anova(runs["original"].astype(str), runs["subnetwork"].astype(str), runs[response].to_numpy(float))
    seed = subnetwork = original = icc = None
    if nested.df_seed:
        seed = _chi_squared(nested.ms_seed, nested.df_seed, level)
    if nested.df_seed and nested.df_subnetwork:
        subnetwork = _modified_large_sample(
            nested.subnetwork,
            (nested.variance_of_means, nested.df_subnetwork),
            (nested.ms_seed * nested.inverse_seeds, nested.df_seed),
            level,
        )
        icc = _icc(nested, level)
    if nested.df_original and nested.df_subnetwork:
        original = _modified_large_sample(
            nested.original if nested.df_seed else nested.original_without_seeds,
            (nested.variance_of_original_means, nested.df_original),
            (nested.variance_of_means * nested.inverse_subnetworks, nested.df_subnetwork),
            level,
        )
    return VarianceComponents(
        original=original,
        subnetwork=subnetwork,
        seed=seed,
        icc=icc,
        within=nested.within,
        mean=float(runs[response].mean()),
        n_runs=len(runs),
        n_subnetworks=nested.seeds.size,
        n_originals=nested.df_original + 1,
        notes=_notes(nested),
        response=response,
        level=float(level),
        metric=metric,
    )


def _notes(nested: NestedAnova) -> tuple[str, ...]:
    notes = []
    if not nested.df_seed:
        notes.append(
            f"One seed per subnetwork ({nested.seeds.size} of them): the variances of seeds and subnetworks are not "
            "identified separately; train some subnetworks again with another seed."
        )
    if not nested.df_subnetwork:
        notes.append(
            "One subnetwork per original: the variance of subnetworks is not identified; sample 2 of one original."
        )
    if not nested.df_original:
        notes.append("One original: the variance of originals is not identified; train at least 2.")
    elif nested.df_original + 1 < _FEW_ORIGINALS:
        notes.append(
            f"Only {nested.df_original + 1} originals: their variance is estimated to an order of magnitude at best."
        )
    negative = {"subnetworks": nested.subnetwork, "originals": nested.original}
    for name, value in negative.items():
        if value < 0:
            notes.append(
                f"The estimated variance of {name} is below zero ({value:.2g}) and given as 0: the data are consistent "
                "with none."
            )
    return tuple(notes)


def _chi_squared(mean_square: float, df: int, level: float) -> Interval:
    tail = (1 - level) / 2
    total = df * mean_square
    return Interval(
        mean_square, float(total / stats.chi2.isf(tail, df)), float(total / stats.chi2.ppf(tail, df)), float(level)
    )


def _modified_large_sample(value: float, plus: tuple[float, int], minus: tuple[float, int], level: float) -> Interval:
    """Modified large-sample interval of a difference of two independently estimated variances, each with its df.

    Examples
    --------
    >>> print(_modified_large_sample(3.0, (4.0, 9), (1.0, 40), 0.95))
    3 [0.786, 12.31]
    """
    (a, n), (b, m) = plus, minus
    tail = (1 - level) / 2
    f_high, f_low = stats.f.isf(tail, n, m), stats.f.ppf(tail, n, m)
    g1, g2 = (1 - df / stats.chi2.isf(tail, df) for df in (n, m))
    h1, h2 = (df / stats.chi2.ppf(tail, df) - 1 for df in (n, m))
    g12 = ((f_high - 1) ** 2 - g1**2 * f_high**2 - h2**2) / f_high
    h12 = ((1 - f_low) ** 2 - h1**2 * f_low**2 - g2**2) / f_low
    low = a - b - np.sqrt(max(g1**2 * a**2 + h2**2 * b**2 + g12 * a * b, 0.0))
    high = a - b + np.sqrt(max(h1**2 * a**2 + g2**2 * b**2 + h12 * a * b, 0.0))
    estimate = max(value, 0.0)
    return Interval(estimate, float(min(max(low, 0.0), estimate)), float(max(high, estimate)), float(level))


def _icc(nested: NestedAnova, level: float) -> Interval | None:
    """Wald's exact interval of the intraclass correlation, by inversion of his F statistic."""
    if nested.ms_seed <= 0:
        return None if nested.variance_of_means <= 0 else Interval(1.0, 1.0, 1.0, float(level))
    f = stats.f(nested.df_subnetwork, nested.df_seed)
    tail = (1 - level) / 2
    low, high = (_icc_at(nested, float(quantile)) for quantile in (f.isf(tail), f.ppf(tail)))
    ratio = max(nested.subnetwork, 0.0) / nested.ms_seed
    value = ratio / (1 + ratio)
    return Interval(value, min(low, value), max(high, value), float(level))


def _icc_at(nested: NestedAnova, quantile: float) -> float:
    """Return the intraclass correlation at which the F statistic, which decreases in it, equals a quantile."""

    def excess(icc: float) -> float:
        return nested.wald_f(icc / (1 - icc)) - quantile

    if excess(0.0) <= 0:
        return 0.0
    if excess(_LARGEST_ICC) > 0:
        return 1.0
    return float(optimize.brentq(excess, 0.0, _LARGEST_ICC, xtol=_ICC_TOLERANCE))
