"""Distribution of the best subnetwork's ratio: RegNet's bootstrap of the winner, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.numeric.arrays import Floats
from prunestats.numeric.plain_data import Result
from prunestats.optimum.regression import Points

SAMPLE_SHARE = 0.25
"""Size of a bootstrap sample relative to the population, the choice of Radosavovic et al."""
# the best of a sample of one is a random subnetwork
_MIN_SAMPLE = 2
# subnetworks whose total probability of being the best is below this are left out, to sort no more than can win
_NEGLIGIBLE = 1e-9
# residuals of two originals that agree to this many digits of the largest response are ties: rounding is near 1e-16 of
# it, and errors that differ by one image differ by more
_DIGITS = 12


@dataclass(frozen=True, repr=False)
class Winners(Result):
    """Distribution of the ratio of the best subnetwork in a bootstrap sample.

    Parameters
    ----------
    ratio : float
        Median.
    low, high : float
        Quantiles between which it lies with probability `level`; not a confidence interval of an optimum.
    ratios : ndarray, shape (m,)
        Ratios of the best subnetworks, best first, up to a remaining probability of 1e-9.
    chances : ndarray, shape (m,)
        Probability that each is the best of a sample; tied subnetworks share theirs equally.
    sample : int
        Size of a bootstrap sample, drawn with replacement.
    level : float
        Probability between `low` and `high`.
    """

    ratio: float
    low: float
    high: float
    ratios: Floats
    chances: Floats
    sample: int
    level: float

    def __repr__(self) -> str:
        return f"Winners(ratio={self.ratio:.4g}, range=[{self.low:.4g}, {self.high:.4g}], sample={self.sample})"


def bootstrap_winners(data: Points, *, level: float = 0.95, share: float = SAMPLE_SHARE) -> Winners | None:
    """Distribution of the ratio of the best subnetwork in a bootstrap sample, exactly.

    Parameters
    ----------
    data : Points
        Responses of several originals are compared as deviations from their original's mean.
    level : float
        Probability between `low` and `high`.
    share : float
        Size of a sample relative to the number of subnetworks.

    Returns
    -------
    Winners or None
        None where a sample would have fewer than two subnetworks.

    Notes
    -----
    In a sample of m out of n, the i-th best is the best with probability ((n - i + 1) / n)^m - ((n - i) / n)^m, so
    that no resampling is needed. The distribution depends on the ranks of the responses alone. It includes the noise of
    training seeds and the winner's curse, and no coverage of an optimal ratio is claimed.

    References
    ----------
    I. Radosavovic, R. P. Kosaraju, R. Girshick, K. He and P. Dollar, CVPR 2020, section 3.2 (the empirical bootstrap).

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> found = bootstrap_winners(points(np.log([2.0, 4.0, 8.0, 16.0]), [0.1, 0.3, 0.2, 0.4]), share=0.5)
    >>> found.ratios.round(6).tolist(), found.chances.tolist()
    ([2.0, 8.0, 4.0, 16.0], [0.4375, 0.3125, 0.1875, 0.0625])
    """
    n = data.x.size
    m = round(share * n)
    if m < _MIN_SAMPLE:
        return None
    response = data.y
    if data.effects.shape[1]:
        levels = data.columns()
        response = data.y - levels @ np.linalg.lstsq(levels, data.y, rcond=None)[0]
        # equal responses in two originals must stay ties
        response = np.round(response, _DIGITS - _magnitude(data.y))
    # only these can win with more than negligible probability; what is tied with the last of them is kept
    few = min(int(np.ceil(n * (1 - _NEGLIGIBLE ** (1 / m)))) + 1, n - 1)
    best = np.flatnonzero(response <= np.partition(response, few)[few])
    order = best[np.lexsort((data.x[best], response[best]))]
    unseen = (np.arange(n, n - best.size - 1, -1) / n) ** m
    first = np.flatnonzero(np.r_[True, np.diff(response[order]) != 0])
    ties = np.diff(np.r_[first, best.size])
    chances = np.repeat((unseen[first] - unseen[first + ties]) / ties, ties)
    kept = int(np.searchsorted(-np.minimum.accumulate(unseen), -_NEGLIGIBLE)) + 1
    ratios, chances = np.exp(data.x[order])[:kept], chances[:kept]
    tail = (1 - level) / 2
    low, median, high = _quantiles(ratios, chances, np.array([tail, 0.5, 1 - tail]))
    return Winners(float(median), float(low), float(high), ratios, chances, m, float(level))


def _magnitude(values: Floats) -> int:
    """Return the number of digits before the decimal point of the largest value: 0 for errors, which are fractions.

    Examples
    --------
    >>> _magnitude(np.array([0.03, 0.5])), _magnitude(np.array([-31.2, 28.0])), _magnitude(np.array([2e-6]))
    (0, 2, -5)
    """
    largest = float(np.max(np.abs(values)))
    return int(np.ceil(np.log10(largest))) if largest > 0 else 0


def _quantiles(values: Floats, chances: Floats, q: Floats) -> Floats:
    """Return weighted quantiles: the smallest values whose cumulative probability reaches q."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(chances[order]) / chances.sum()
    # cumulative sums miss a probability by rounding near 1e-16 a term: 1e-12 keeps a quantile that is just reached
    index = np.minimum(np.searchsorted(reached, q - 1e-12), values.size - 1)
    result: Floats = values[order][index]
    return result
