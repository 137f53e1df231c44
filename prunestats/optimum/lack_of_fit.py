"""Lack-of-fit test of the quadratic against a quartic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.optimum.regression import Points, full_rank, least_squares, wald


@dataclass(frozen=True)
class LackOfFit:
    """Wald test that the cubic and quartic coefficients are zero.

    Parameters
    ----------
    f : float
        Wald statistic divided by its 2 degrees of freedom, with the HC3 covariance.
    p : float
        By F with 2 and `df` degrees of freedom.
    df : int
        Residual degrees of freedom of the quartic.
    """

    f: float
    p: float
    df: int


def lack_of_fit(data: Points) -> LackOfFit | None:
    """Test that the mean response is a quadratic in log ratio.

    Parameters
    ----------
    data : Points

    Returns
    -------
    LackOfFit or None
        None with too few distinct x for a quartic.

    Notes
    -----
    Null hypothesis: E(response | x) is a quadratic. The alternative adds x cubed, for an asymmetric U, and x to the
    fourth, for a kink or a flat bottom. No rejection is no evidence for the quadratic where few points give the test
    little power.

    References
    ----------
    J. B. Ramsey, J. Roy. Statist. Soc. B 31 (1969), 350-371, powers as alternative; A. C. Cameron and
    P. K. Trivedi, Microeconometrics (2005), chapter 5: the robust Wald form.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 60)
    >>> lack_of_fit(points(x, np.exp(3 * x) - 4 * x + 0.1 * np.cos(70 * x))).p < 0.001
    True
    """
    spread = float(np.ptp(data.x))
    if spread == 0:
        return None
    u = 2 * (data.x - data.x.min()) / spread - 1
    # Legendre polynomials span the powers of x up to the fourth and are better conditioned
    design = data.design(u, (3 * u**2 - 1) / 2, (5 * u**3 - 3 * u) / 2, (35 * u**4 - 30 * u**2 + 3) / 8)
    # with a single residual degree of freedom HC3 and the F test are meaningless
    if not full_rank(design) or design.shape[0] <= design.shape[1] + 1:
        return None
    fit = least_squares(design, data.target)
    f, p = wald(fit, [3, 4])
    return LackOfFit(f, p, fit.df)
