"""The result of the comparison of two populations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from prunestats.comparison.dominance import Dominance
from prunestats.metric import ERROR, Metric, is_own
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result

_SHARE_DIGITS = 12
"""Digits of a share that are kept: what lies beyond is rounding error of 1 - q."""


@dataclass(frozen=True)
class PairComparison(Result):
    """Two populations, `a` against `b`, in one regime or pooled over regimes.

    Parameters
    ----------
    regime : float, "pooled" or None
        None where the frame has no regime.
    a, b : str
        Names of the populations.
    n_a, n_b : int
        Subnetworks compared.
    n_originals : int
        Originals that have both populations; all statistics are averages over them.
    mean_difference, median_difference : Interval
        a - b, in the unit of the response: negative where a is better, positive where the response is maximised.
    quantile_differences : dict of float to Interval
        The same for other quantiles.
    area_difference : Interval
        Area under the distribution function up to `area_limit`, a - b, in the unit of the response: positive where a is
        better. Where the response is maximised, the area above the function from `area_limit` on.
    area_limit : float or None
        None for the median of all populations in each regime and original.
    best_difference : Interval
        Expected best of `k`, a - b, in the unit of the response; nan bounds where a population is smaller than 2 k.
    k : int
    mean_simultaneous : Interval
        `mean_difference` with a simultaneous confidence interval over all pairs of the regime (max-T).
    p_less : Interval
        P(A < B) + P(A = B) / 2: the probability that a subnetwork of a has the smaller response.
    p_less_p, p_holm : float
        Brunner-Munzel two-sided p-value of the null hypothesis that it is 1/2; the same Holm-adjusted in its family.
    ks, ks_p : float
        Kolmogorov-Smirnov statistic (largest difference of the distribution functions), and its p-value.
    ad, ad_p : float
        Anderson-Darling statistic, and its p-value.
    dominance : {"a", "b", "neither", "undecided"}
        First-order stochastic dominance: the population that is better at every value, that is, whose distribution
        function is everywhere the larger, or the smaller where the response is maximised.
    binned_difference : Interval
        Difference of means within bins of FLOPs, a - b.
    binned_p : float
        Its p-value, by permutation of labels within bins.
    n_binned : int
        Subnetworks in bins that hold both populations.
    level : float
        Confidence level of each interval.
    response : str
        Column that is compared.
    flops_difference : float
        Mean FLOPs of a over those of b, minus 1, averaged over originals.
    flops_overlap : float
        Share of one population within the range of the other's FLOPs, the smaller of both.
    n_shared : int
        Subnetworks that are in both populations.
    notes : tuple of str
        Limitations, in sentences: FLOPs that differ, shared subnetworks, originals left out.
    metric : Metric
        The response: its direction and unit.
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
    metric: Metric = field(default=ERROR, repr=False, metadata={"plain": is_own})

    @property
    def p_better(self) -> Interval:
        """Probability that a subnetwork of a has the better response, ties counted half."""
        return self.p_less if self.metric.sign > 0 else _complement(self.p_less)

    def natural(self, metric: Metric) -> PairComparison:
        """Turn a comparison of negated values back into one of the metric, where higher values of it are better."""
        if metric.sign > 0:
            return replace(self, metric=metric)
        signed = ("mean_difference", "median_difference", "best_difference", "mean_simultaneous", "binned_difference")
        return replace(
            self,
            **{name: getattr(self, name).times(-1) for name in signed},
            quantile_differences={
                mirrored_share(q): interval.times(-1) for q, interval in self.quantile_differences.items()
            },
            area_limit=None if self.area_limit is None else -self.area_limit,
            p_less=_complement(self.p_less),
            metric=metric,
        )


def mirrored_share(q: float) -> float:
    """1 - q, without the rounding error of the subtraction: the quantile of the negated values.

    Examples
    --------
    >>> mirrored_share(0.9), 1 - 0.9
    (0.1, 0.09999999999999998)
    """
    return round(1 - q, _SHARE_DIGITS)


def _complement(one: Interval) -> Interval:
    return Interval(1 - one.value, 1 - one.high, 1 - one.low, one.level)
