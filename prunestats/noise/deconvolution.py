"""Empirical Bayes deconvolution: the distribution of true values behind noisy means, and the posterior of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from prunestats.numeric.arrays import Floats

_GRID = 150
"""Points of the prior's grid: the density is a smooth polynomial, so more change no digit that matters."""
_BEYOND = 2.0
"""Standard errors that the grid reaches beyond the data: the true value of an extreme mean lies inside, not beyond."""
_DEGREE = 4
"""Of the log density: 2 is the normal distribution, 3 and 4 allow for skewness and for heavier or lighter tails."""
_RIDGE = 0.01
"""Penalty on the third and fourth coefficient: small beside the likelihood, and keeps them finite in small samples."""
_LEAST_SPREAD = 0.05
"""Least share of the variance of the means that the start gives to true values, as a variance of 0 has no density."""
_TINY = 1e-300
"""Keeps logarithms finite where a probability underflows."""
_REFITS = 50
"""Refits of the prior to simulated data: the Monte Carlo error is then about a tenth of the posterior's sd."""
_MANY = 2000
"""Means above which equal ones, after rounding, are counted: the likelihood matrix then stops growing with n."""
_STEPS_PER_ERROR = 10
"""Rounding steps in the least standard error: rounding moves the fitted probabilities by under 1e-4 (tested)."""
_FINE = 600
"""Points of the posterior's grid: the bounds of its interval are interpolated between them."""
_ITERATIONS = 500
"""Limit of the optimiser, a safeguard: its four coefficients were seen to take up to 40."""


@dataclass(frozen=True)
class Shrunk:
    """Posterior mean, standard deviation and equal-tailed interval of a true value."""

    value: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class Prior:
    """A discrete distribution on a grid of values.

    Parameters
    ----------
    grid : ndarray, shape (m,)
    mass : ndarray, shape (m,)
        Probabilities; sum to 1.
    """

    grid: Floats
    mass: Floats

    def posterior(self, y: float, variance: float, at: Floats) -> Floats:
        """Posterior probabilities of the true value at evenly spaced points, given a mean `y` of known variance."""
        prior = np.interp(at, self.grid, self.mass, left=0.0, right=0.0)
        log = np.log(prior + _TINY) - (y - at) ** 2 / (2 * variance)
        mass = np.exp(log - log.max())
        return np.asarray(mass / mass.sum())


def fit_prior(y: Floats, variance: Floats) -> Prior:
    """Maximum-likelihood estimate of the distribution of true values, from means with known error variances.

    Parameters
    ----------
    y, variance : ndarray, shape (n,)
        Means, and the variances of their errors, above 0.

    Returns
    -------
    Prior

    Notes
    -----
    The log density is a polynomial of degree 4, which includes the normal distribution (degree 2) and adapts to
    skewness and tails; its coefficients maximise the marginal likelihood of the means, with a ridge penalty on the
    third and fourth. The grid reaches two standard errors beyond the data. More than 2,000 means are rounded to a tenth
    of the least standard error and counted, so that time and memory are bounded.

    References
    ----------
    B. Efron, Biometrika 103 (2016), 1-20, eq. 10 to 14.

    Examples
    --------
    >>> y = np.r_[np.linspace(-1, 1, 41), np.linspace(-3, 3, 41)]
    >>> prior = fit_prior(y, np.full(82, 0.5))
    >>> spread = prior.mass @ (prior.grid - prior.mass @ prior.grid) ** 2
    >>> bool(0.8 * (y.var() - 0.5) < spread < 1.2 * (y.var() - 0.5))
    True
    """
    beyond = _BEYOND * float(np.sqrt(variance.max()))
    grid = np.linspace(y.min() - beyond, y.max() + beyond, _GRID)
    z = 2 * (grid - grid.mean()) / (grid[-1] - grid[0])
    terms = np.polynomial.legendre.legvander(z, _DEGREE)
    ridge = np.array([0.0, 0.0, *[_RIDGE] * (_DEGREE - 2)])
    # start at the normal distribution with the moments of the data
    center, spread = float(y.mean()), max(float(y.var() - variance.mean()), _LEAST_SPREAD * float(y.var()))
    counts = np.ones(y.size)
    if y.size > _MANY:
        y, variance, counts = _counted(y, variance)
    likelihood = np.exp(-((y[:, None] - grid) ** 2) / (2 * variance[:, None]))

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        mass = _mass(terms[:, 1:], coefficients)
        weighted = likelihood * mass
        total = weighted.sum(axis=1) + _TINY
        gradient = -(counts @ (weighted / total[:, None]) - counts.sum() * mass) @ terms[:, 1:]
        value = -(counts @ np.log(total)) + (ridge @ coefficients**2) / 2
        return float(value), np.asarray(gradient + ridge * coefficients)

    start = np.linalg.lstsq(terms, -((grid - center) ** 2) / (2 * spread), rcond=None)[0][1:]
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    return Prior(grid, _mass(terms[:, 1:], found.x))


def shrink(y: Floats, variance: Floats, index: int, *, df: int, level: float, rng: np.random.Generator) -> Shrunk:
    """Empirical Bayes estimate of the true value behind one of many noisy means, unaffected by its selection.

    Parameters
    ----------
    y, variance : ndarray, shape (n,)
        Means, and the estimated variances of their errors.
    index : int
        Position of the mean in `y`.
    df : int
        Degrees of freedom of the variances, which share one estimate.
    level : float
        Probability of the interval, in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    Shrunk

    Notes
    -----
    The posterior is averaged over parametric bootstrap refits of the prior, with the variance sampled from its own
    sampling distribution, so that neither counts as known.

    References
    ----------
    N. M. Laird and T. A. Louis, J. Amer. Statist. Assoc. 82 (1987), 739-750, section 3 (type III).

    Examples
    --------
    >>> y = np.linspace(-2, 2, 50)
    >>> found = shrink(y, np.full(50, 0.5), 0, df=50, level=0.95, rng=np.random.default_rng(0))
    >>> bool(-2 < found.value < -1)
    True
    """
    prior = fit_prior(y, variance)
    at = np.linspace(prior.grid[0], prior.grid[-1], _FINE)
    mass = np.zeros(_FINE)
    for _ in range(_REFITS):
        sampled = variance * rng.chisquare(df) / df
        simulated = rng.choice(prior.grid, y.size, p=prior.mass) + np.sqrt(sampled) * rng.standard_normal(y.size)
        mass += fit_prior(simulated, sampled).posterior(float(y[index]), float(sampled[index]), at) / _REFITS
    value = float(mass @ at)
    # a point's probability is spread around it: half of it lies below
    cumulative = np.cumsum(mass) - mass / 2
    low, high = np.interp([(1 - level) / 2, (1 + level) / 2], cumulative, at)
    return Shrunk(value, float(np.sqrt(mass @ (at - value) ** 2)), float(low), float(high))


def posterior_means(y: Floats, variance: Floats) -> Floats:
    """Empirical Bayes estimates of all true values behind noisy means, each unaffected by a selection among them.

    Parameters
    ----------
    y, variance : ndarray, shape (n,)
        Means, and the variances of their errors, above 0.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> y = np.linspace(-2, 2, 50)
    >>> found = posterior_means(y, np.full(50, 0.5))
    >>> bool(-2 < found[0] < -1 and 1 < found[-1] < 2)
    True
    """
    prior = fit_prior(y, variance)
    at = np.linspace(prior.grid[0], prior.grid[-1], _FINE)
    return np.array([prior.posterior(one, error, at) @ at for one, error in zip(y, variance, strict=True)])


def _mass(terms: Floats, coefficients: Floats) -> Floats:
    log = terms @ coefficients
    mass = np.exp(log - log.max())
    return np.asarray(mass / mass.sum())


def _counted(y: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the distinct means, rounded, with their variances and counts."""
    step = float(np.sqrt(variance.min())) / _STEPS_PER_ERROR
    pairs, counts = np.unique(np.column_stack([np.round(y / step), variance]), axis=0, return_counts=True)
    return pairs[:, 0] * step, pairs[:, 1], counts.astype(float)
