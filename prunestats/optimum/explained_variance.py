"""Adjusted R squared within originals of the ratio and of all widths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import Points


@dataclass(frozen=True)
class Explained:
    """Adjusted R squared within originals.

    Parameters
    ----------
    ratio : float
        Of the quadratic in log ratio.
    widths : float or None
        Of all log widths; None without widths, with varying numbers of them, or with too many for the points.
    """

    ratio: float
    widths: float | None


def explained_variance(data: Points, means: pd.DataFrame) -> Explained:
    """Adjusted R squared within originals of the ratio, and of all log widths as a linear upper bound.

    Notes
    -----
    Adjusted R squared within originals: 1 - (RSS / df) / (RSS of the originals' means / its df). It is comparable
    between models of different size, and may be slightly negative where nothing is explained.
    """
    u = data.x - data.x.mean()
    ratio = adjusted_r2(data, np.column_stack([u, u**2]))
    return Explained(float("nan") if ratio is None else ratio, _by_widths(data, means))


def adjusted_r2(data: Points, terms: Floats) -> float | None:
    """Adjusted R squared of `terms` within originals, None with fewer than 3 residual degrees of freedom.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> x = np.linspace(-1, 1, 9)
    >>> adjusted_r2(points(x, 2 * x), x[:, None])
    1.0
    """
    design = data.design(*terms.T)
    base, base_rank = _rss(data.design(), data.target)
    rss, rank = _rss(design, data.target)
    n = data.y.size
    # with one or two residual degrees of freedom the estimate would be all noise
    if n - rank < 3 or base <= 0:
        return None
    # rounded, so that an exact fit is 1 and not 1 less a rounding error
    return float(np.round(1 - (rss / (n - rank)) / (base / (n - base_rank)), 12))


def log_widths(means: pd.DataFrame) -> Floats | None:
    """Log widths, shape (n, groups), None without widths or with varying numbers of them.

    Examples
    --------
    >>> log_widths(pd.DataFrame({"widths": [(1, 2), (1,)]})) is None
    True
    """
    if "widths" not in means.columns:
        return None
    rows = means["widths"].tolist()
    if any(not isinstance(row, (tuple, list, np.ndarray)) for row in rows) or len({len(row) for row in rows}) != 1:
        return None
    widths = np.asarray(rows, dtype=float)
    if widths.size == 0 or not (widths > 0).all():
        return None
    logs: Floats = np.log(widths)
    return logs


def _by_widths(data: Points, means: pd.DataFrame) -> float | None:
    widths = log_widths(means)
    return None if widths is None else adjusted_r2(data, widths)


def _rss(design: Floats, y: Floats) -> tuple[float, int]:
    # widths may be collinear, in a band nearly so: directions below 1e-10 of the largest are rounding
    coefficients, _, rank, _ = np.linalg.lstsq(design, y, rcond=1e-10)
    residuals = y - design @ coefficients
    return float(residuals @ residuals), int(rank)
