"""Precision weights of subnetworks' means where their numbers of seeds differ, by REML."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import Points, full_rank

# the variance ratio is searched from exp(-12) to exp(12): beyond either the weights are constant or proportional to the
# number of seeds within 0.01 %, for up to 16 seeds
_LOG_RATIO_BOUND = 12.0


def precision_weights(data: Points, seeds: Floats, seed_squares: float) -> Floats:
    """Precision weights of means by REML: variance of subnetworks around a curve and of seeds within subnetworks.

    Parameters
    ----------
    data : Points
        y is the mean over the seeds of each subnetwork.
    seeds : ndarray, shape (n,)
        Numbers of seeds.
    seed_squares : float
        Sum of squared deviations of the seeds from their subnetwork's mean, above 0.

    Returns
    -------
    ndarray, shape (n,)
        1 / (t / s + 1 / seeds), divided by its mean.

    Notes
    -----
    Model: response of a run = original + quartic in log ratio + subnetwork (variance t) + seed (variance s). Both
    variances are estimated by restricted maximum likelihood over all runs, profiled to one parameter, t / s. The
    likelihood of all runs stays valid where seeds were added depending on the first results (to the winners, say);
    estimates from mean squares do not. `statsmodels.api.MixedLM` on the single runs gives the same, more slowly; see
    docs/decisions/0011-statsmodels-and-closed-forms.md.

    References
    ----------
    S. R. Searle, G. Casella and C. E. McCulloch, Variance Components (1992), section 6.6 (REML). D. B. Rubin,
    Biometrika 63 (1976), 581-592: when the process that causes missing data can be ignored.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 12)
    >>> weights = precision_weights(points(x, np.cos(60 * x)), np.r_[np.ones(6), np.full(6, 3.0)], 8.0)
    >>> bool(weights[0] < weights[-1]), round(float(weights.mean()), 6)
    (True, 1.0)
    """
    columns = _curve(data)
    runs = float(seeds.sum())

    def criterion(log_ratio: float) -> float:
        variance = np.exp(log_ratio) + 1 / seeds
        root = 1 / np.sqrt(variance)
        q, r = np.linalg.qr(columns * root[:, None])
        target = data.y * root
        squares = seed_squares + max(float(target @ target - (q.T @ target) @ (q.T @ target)), 0.0)
        determinants = np.log(variance).sum() + 2 * np.log(np.abs(np.diag(r))).sum()
        return float((runs - columns.shape[1]) * np.log(squares) + determinants)

    grid = np.linspace(-_LOG_RATIO_BOUND, _LOG_RATIO_BOUND, 13)
    best = grid[int(np.argmin([criterion(float(value)) for value in grid]))]
    # the grid's step is 2: the minimum lies within one step of the best point; 1e-6 in the log of the variance ratio is
    # 1e-6 or less in the weights
    found = optimize.minimize_scalar(criterion, bounds=(best - 2, best + 2), method="bounded", options={"xatol": 1e-6})
    precision = 1 / (np.exp(float(found.x)) + 1 / seeds)
    weights: Floats = precision / precision.mean()
    return weights


def _curve(data: Points) -> Floats:
    """Return the design of a quartic in x and the originals, of a lower degree where points are few."""
    spread = float(np.ptp(data.x))
    u = (data.x - data.x.mean()) / (spread if spread > 0 else 1.0)
    for degree in range(4, 0, -1):
        columns = data.columns(*(u**power for power in range(1, degree + 1)))
        # two points per coefficient leave as many degrees of freedom for the variance as the curve takes
        if full_rank(columns) and columns.shape[0] > 2 * columns.shape[1]:
            return columns
    return data.columns()
