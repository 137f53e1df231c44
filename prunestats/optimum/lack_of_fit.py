"""Does the quadratic miss a shape that the data show?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.optimum.regression import Points, full_rank, least_squares, wald


@dataclass(frozen=True)
class LackOfFit:
    """Test that cubic and quartic terms add nothing to the quadratic.

    Parameters
    ----------
    f : float
        Wald statistic over 2, with HC3.
    p : float
        By F with 2 and `df` degrees of freedom.
    df : int
    """

    f: float
    p: float
    df: int


def lack_of_fit(data: Points) -> LackOfFit | None:
    """Test whether the mean response is a quadratic in log ratio.

    Parameters
    ----------
    data : Points

    Returns
    -------
    LackOfFit or None
        None where there are too few distinct x for a quartic.

    Notes
    -----
    Null hypothesis: E(response | x) is a quadratic. The alternative adds x cubed (an asymmetric U) and x to the
    fourth (a kink, a flat bottom). A quadratic that is not rejected is not thereby right: with few points the test
    sees little.

    References
    ----------
    J. B. Ramsey, J. Roy. Statist. Soc. B 31 (1969), 350-371, the idea; A. C. Cameron and P. K. Trivedi,
    Microeconometrics (2005), chapter 5: the robust Wald form.

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
    # Legendre polynomials span the same as powers and stay well conditioned
    design = data.design(u, (3 * u**2 - 1) / 2, (5 * u**3 - 3 * u) / 2, (35 * u**4 - 30 * u**2 + 3) / 8)
    if not full_rank(design) or design.shape[0] <= design.shape[1] + 1:
        return None
    fit = least_squares(design, data.target)
    f, p = wald(fit, [3, 4])
    return LackOfFit(f, p, fit.df)
