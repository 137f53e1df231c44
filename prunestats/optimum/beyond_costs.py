"""Wald test that the ratio adds to a regression on log FLOPs and log parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import Points, correlation, least_squares, orthonormal, wald


@dataclass(frozen=True)
class Beyond:
    """What log ratio and its square add to quadratics in log FLOPs and log parameters.

    Parameters
    ----------
    f, p : float
        Wald test with HC3 that the coefficients of the ratio's terms are zero.
    terms : int
        Number of tested terms: of log ratio and its square, those not spanned by FLOPs and parameters.
    r2_costs : float
        Adjusted R squared within originals of FLOPs and parameters.
    r2 : float
        The same with the ratio's terms.
    correlation : float
        Pearson correlation of log ratio and log parameters.
    """

    f: float
    p: float
    terms: int
    r2_costs: float
    r2: float
    correlation: float


def beyond_costs(data: Points, means: pd.DataFrame) -> Beyond | None:
    """Test that the ratio adds nothing to quadratics in log FLOPs and log parameters.

    Parameters
    ----------
    data : Points
        x is log ratio, with buckets of any size.
    means : pandas.DataFrame
        The same subnetworks, with flops and params.

    Returns
    -------
    Beyond or None
        None with too few points, or where FLOPs and parameters span the ratio's terms, as at constant FLOPs, where the
        ratio is a function of parameters.

    Notes
    -----
    Null hypothesis: E(response) = level of the original + quadratic in log FLOPs + quadratic in log parameters. With
    buckets of one parameter log ratio is log FLOPs less log parameters, so that only its square is tested, which is an
    interaction of the two.

    References
    ----------
    J. G. MacKinnon and H. White, J. Econometrics 29 (1985), 305-325.

    Examples
    --------
    >>> from prunestats.optimum.points import ratio_points
    >>> rng = np.random.default_rng(0)
    >>> means = pd.DataFrame({"flops": rng.integers(80, 120, 90), "params": rng.integers(20, 60, 90)})
    >>> means["error"] = np.log(means["flops"] / means["params"] / 2.5) ** 2 + 0.01 * rng.standard_normal(90)
    >>> found = beyond_costs(ratio_points(means, 1, "error"), means)
    >>> found.terms, found.p < 0.001
    (1, True)
    """
    flops, params = (np.log(means[name].to_numpy(dtype=float)) for name in ("flops", "params"))
    base = orthonormal(data.design(*_square(flops), *_square(params)))
    added = data.weigh(np.column_stack(_square(data.x)))
    whole = orthonormal(np.column_stack([base, added]))
    terms, n = whole.shape[1] - base.shape[1], data.y.size
    # HC3 and the F test need some residual degrees of freedom; 8 is a round number, the same as for the verdict's fits
    if terms <= 0 or n < whole.shape[1] + 8 or np.ptp(data.y) == 0:
        return None
    added = orthonormal(added)
    rest = np.linalg.svd(added - base @ (base.T @ added), full_matrices=False)[0][:, :terms]
    levels, costs = least_squares(data.design(), data.target), least_squares(base, data.target)
    fit = least_squares(np.column_stack([base, rest]), data.target)
    f, p = wald(fit, range(base.shape[1], base.shape[1] + terms))
    r2_costs, r2 = (1 - (part.rss / part.df) / (levels.rss / levels.df) for part in (costs, fit))
    return Beyond(f, p, terms, r2_costs, r2, correlation(data.x, params))


def _square(x: Floats) -> tuple[Floats, Floats]:
    u = x - x.mean()
    return u, u**2
