"""Where the best subnetworks are: RegNet's bootstrap of the winner, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.numeric.arrays import Floats
from prunestats.numeric.plain_data import Result
from prunestats.optimum.regression import Points

SHARE = 0.25
"""The share of the subnetworks that a bootstrap sample draws, as Radosavovic et al. chose it."""
_LEAST_SAMPLE = 2
_UNSEEN = 1e-9


@dataclass(frozen=True, repr=False)
class Winners(Result):
    """The ratio of the best of a bootstrap sample.

    Parameters
    ----------
    ratio : float
        Its median.
    low, high : float
        The range that holds it with probability `level`; not a confidence interval.
    ratios : ndarray, shape (m,)
        Of the best subnetworks, best first, down to the last with a chance to be seen.
    chances : ndarray, shape (m,)
        Probability that each is the best of a sample; equal responses share theirs.
    sample : int
        Subnetworks in a bootstrap sample, drawn with replacement.
    level : float
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


def bootstrap_winners(data: Points, *, level: float = 0.95, share: float = SHARE) -> Winners | None:
    """Return the law of the ratio of the best subnetwork in a bootstrap sample.

    Parameters
    ----------
    data : Points
        The responses of several originals are compared after their means are taken off.
    level : float
        Probability of the range.
    share : float
        Size of a sample over the number of subnetworks.

    Returns
    -------
    Winners or None
        None where a sample would be of fewer than two.

    Notes
    -----
    With m draws out of n, the i-th best is the best of the sample with probability ((n - i + 1) / n)^m -
    ((n - i) / n)^m: no draws are needed. It depends on the order of the responses alone. The range says which ratios
    have winners; it narrows around the very best subnetworks, noise and all, and its coverage of an optimal ratio is
    nobody's promise.

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
    if m < _LEAST_SAMPLE:
        return None
    response = data.y
    if data.effects.shape[1]:
        levels = data.columns()
        response = data.y - levels @ np.linalg.lstsq(levels, data.y, rcond=None)[0]
        # the same response in two originals must stay a tie
        response = np.round(response, 12)
    # so few can win that the others need no sorting; all that are tied with the last of them are kept
    few = min(int(np.ceil(n * (1 - _UNSEEN ** (1 / m)))) + 1, n - 1)
    best = np.flatnonzero(response <= np.partition(response, few)[few])
    order = best[np.lexsort((data.x[best], response[best]))]
    unseen = (np.arange(n, n - best.size - 1, -1) / n) ** m
    first = np.flatnonzero(np.r_[True, np.diff(response[order]) != 0])
    ties = np.diff(np.r_[first, best.size])
    chances = np.repeat((unseen[first] - unseen[first + ties]) / ties, ties)
    kept = int(np.searchsorted(-np.minimum.accumulate(unseen), -_UNSEEN)) + 1
    ratios, chances = np.exp(data.x[order])[:kept], chances[:kept]
    tail = (1 - level) / 2
    low, median, high = _quantiles(ratios, chances, np.array([tail, 0.5, 1 - tail]))
    return Winners(float(median), float(low), float(high), ratios, chances, m, float(level))


def _quantiles(values: Floats, chances: Floats, q: Floats) -> Floats:
    """Return the smallest values whose cumulated chances reach q."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(chances[order]) / chances.sum()
    place = np.minimum(np.searchsorted(reached, q - 1e-12), values.size - 1)
    result: Floats = values[order][place]
    return result
