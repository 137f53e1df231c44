"""The quadratic of an optimum as a statsmodels regression, for summaries, diagnostics and tests of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prunestats.optimum.regression import Points, least_squares

if TYPE_CHECKING:
    from statsmodels.regression.linear_model import RegressionResultsWrapper

_NAMES = ("const", "centered_log_ratio", "centered_log_ratio_squared")


def statsmodels_quadratic(data: Points, response: str) -> RegressionResultsWrapper:
    """Return statsmodels' results of the least-squares quadratic in log ratio, with the HC3 covariance.

    Parameters
    ----------
    data : Points
        Points that `fit_quadratic` accepts.
    response : str
        Name of the endogenous variable.

    Returns
    -------
    statsmodels.regression.linear_model.RegressionResultsWrapper
        Of `WLS` where the subnetworks' means are weighted, else of `OLS`.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 30)
    >>> statsmodels_quadratic(points(x, x**2 + 0.1 * np.cos(40 * x)), "error").model.exog_names
    ['const', 'centered_log_ratio', 'centered_log_ratio_squared']
    """
    # statsmodels takes 0.1 s to import, which an optimum without a call of model() need not pay
    from statsmodels.regression.linear_model import OLS, WLS

    u = data.x - data.x.mean()
    names = [*_NAMES, *(f"original[{name}]" for name in data.originals)]
    exog = pd.DataFrame(data.columns(u, u**2), columns=names)
    endog = pd.Series(data.y, name=response)
    model = OLS(endog, exog) if data.weights is None else WLS(endog, exog, weights=data.weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        results = model.fit(cov_type="HC3", use_t=True)
    # at a point of leverage 1 statsmodels divides rounding errors by each other; `least_squares` leaves it out
    results._results.cov_params_default = least_squares(data.design(u, u**2), data.target).covariance
    return results
