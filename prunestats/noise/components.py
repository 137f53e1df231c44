"""How much of the variance is the original's, the subnetwork's and the seed's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from prunestats.noise.nested_anova import Nested, nested_of
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.results.means import distinct_runs


@dataclass(frozen=True, repr=False)
class VarianceComponents(Result):
    """Variances of a response between originals, between subnetworks and between seeds.

    Parameters
    ----------
    original, subnetwork, seed : Interval or None
        In the squared unit of the response, 0 where the estimate is negative; None where it cannot be estimated.
    icc : Interval or None
        Intraclass correlation: the subnetworks' share of the variance between runs within an original.
    within : float
        Variance of a run within its original, subnetwork and seed together; nan where nothing is repeated.
    mean : float
        Of all runs.
    n_runs, n_subnetworks, n_originals : int
    notes : tuple of str
        Sentences that say what cannot be estimated and why.
    response : str
    level : float
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

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in ("original", "subnetwork", "seed", "icc")}
        words = ", ".join(f"{name}={'unknown' if part is None else part}" for name, part in parts.items())
        return f"VarianceComponents({words}, n_runs={self.n_runs}, response={self.response!r})"


def variance_components(frame: pd.DataFrame, response: str = "error", *, level: float = 0.95) -> VarianceComponents:
    """Split the variance of the runs of one regime among originals, subnetworks and seeds.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one regime and one protocol, one row a run. A run that stands in several spaces counts once.
    response : str
        A numeric column.
    level : float

    Returns
    -------
    VarianceComponents

    Raises
    ------
    ResultsError
        For what `check_results` refuses, and for several regimes or protocols at once.
    InputError
        For a response that is not there or a level outside (0, 1).

    Notes
    -----
    Model: y = mean + original + subnetwork + seed, three independent terms with expectation 0, seeds nested in
    subnetworks nested in originals, in any numbers. Estimates are the analysis of variance's, unbiased without
    normality: observed mean squares set equal to expected ones. Intervals assume normality: chi-squared for seeds,
    Wald's for the intraclass correlation, both exact in unbalanced designs; modified large samples on unweighted means
    for subnetworks and originals, close in mildly unbalanced ones. On heavy tails they are too short: see
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
    runs = distinct_runs(frame, response)
    nested = nested_of(runs["original"].astype(str), runs["subnetwork"].astype(str), runs[response].to_numpy(float))
    seed = subnetwork = original = icc = None
    if nested.df_seed:
        seed = _chi_squared(nested.ms_seed, nested.df_seed, level)
    if nested.df_seed and nested.df_subnetwork:
        subnetwork = _interval(
            nested.subnetwork, nested.spread_of_means, nested.ms_seed * nested.inverse_seeds, nested, level
        )
        icc = _icc(nested, level)
    if nested.df_original and nested.df_subnetwork:
        original = _difference(
            nested.original if nested.df_seed else nested.original_without_seeds,
            (nested.spread_of_originals, nested.df_original),
            (nested.spread_of_means * nested.inverse_subnetworks, nested.df_subnetwork),
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
    )


def _notes(nested: Nested) -> tuple[str, ...]:
    notes = []
    if not nested.df_seed:
        notes.append(
            f"One seed a subnetwork ({nested.seeds.size} of them): seeds and subnetworks vary together and cannot be "
            "told apart; train some subnetworks again with another seed."
        )
    if not nested.df_subnetwork:
        notes.append(
            "One subnetwork an original: what varies between subnetworks cannot be seen; draw 2 of one original."
        )
    if not nested.df_original:
        notes.append("One original: what varies between originals cannot be seen; train at least 2.")
    elif nested.df_original < 4:
        notes.append(
            f"Only {nested.df_original + 1} originals: their variance is known to an order of magnitude at best."
        )
    negative = {"subnetworks": nested.subnetwork, "originals": nested.original}
    for name, value in negative.items():
        if value < 0:
            notes.append(
                f"The estimate for {name} is below zero ({value:.2g}) and given as 0: chance alone explains them."
            )
    return tuple(notes)


def _chi_squared(mean_square: float, df: int, level: float) -> Interval:
    tail = (1 - level) / 2
    total = df * mean_square
    return Interval(
        mean_square, float(total / stats.chi2.isf(tail, df)), float(total / stats.chi2.ppf(tail, df)), float(level)
    )


def _interval(value: float, plus: float, minus: float, nested: Nested, level: float) -> Interval:
    return _difference(value, (plus, nested.df_subnetwork), (minus, nested.df_seed), level)


def _difference(value: float, plus: tuple[float, int], minus: tuple[float, int], level: float) -> Interval:
    """Bound the difference of two variances that are estimated independently by a modified large sample.

    Examples
    --------
    >>> print(_difference(3.0, (4.0, 9), (1.0, 40), 0.95))
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
    known = max(value, 0.0)
    return Interval(known, float(min(max(low, 0.0), known)), float(max(high, known)), float(level))


def _icc(nested: Nested, level: float) -> Interval | None:
    """Invert Wald's exact F statistic of the ratio of the variances."""
    if nested.ms_seed <= 0:
        return None if nested.spread_of_means <= 0 else Interval(1.0, 1.0, 1.0, float(level))
    tail = (1 - level) / 2
    ends = []
    for quantile in (
        stats.f.isf(tail, nested.df_subnetwork, nested.df_seed),
        stats.f.ppf(tail, nested.df_subnetwork, nested.df_seed),
    ):
        ends.append(_share_where(nested, float(quantile)))
    ratio = max(nested.subnetwork, 0.0) / nested.ms_seed
    value = ratio / (1 + ratio)
    return Interval(value, min(ends[0], value), max(ends[1], value), float(level))


def _share_where(nested: Nested, target: float) -> float:
    """Return the intraclass correlation at which the statistic, which falls in it, has a value."""

    def excess(share: float) -> float:
        return nested.wald(share / (1 - share)) - target

    if excess(0.0) <= 0:
        return 0.0
    top = 1 - 1e-12
    return 1.0 if excess(top) > 0 else float(optimize.brentq(excess, 0.0, top, xtol=1e-13))
