"""The full bootstrap of the spline's minimum: subnetworks are drawn again, the curve is fitted again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.argmin import interval_curve, minima_grid
from prunestats.regression import Floats, Points
from prunestats.spline import second_derivatives

_CELLS = 256
_MOST_KNOTS = 20
_BLOCK = 1_000_000


@dataclass(frozen=True)
class _Cells:
    """Subnetworks sorted by original and x, and the cells of neighbours that share a row of the design."""

    order: NDArray[np.int64]
    strata: tuple[int, ...]
    starts: NDArray[np.int64]
    design: Floats


def bootstrap_minima(data: Points, *, resamples: int = 10_000, rng: np.random.Generator) -> Floats:
    """Return the ratios of least mean response in bootstrap samples of a population's subnetworks.

    Parameters
    ----------
    data : Points
        Subnetworks, with at least four distinct x.
    resamples : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (resamples,)
        On the ratio scale, on the grid of `spline_optimum`.

    Notes
    -----
    Every sample draws as many subnetworks as there are, with replacement, within originals, and fits the spline whose
    posterior gives `spline_optimum` its interval, with at most 20 knots and at the smoothing that all subnetworks
    chose. A sample enters the normal equations through counts and sums in cells of neighbouring ratios, at most 256 an
    original, each at its mean row of the design: with as many distinct ratios or fewer that is exact. These draws hold
    the noise and not the smooth's bias, for which the posterior makes room: they check its draws, and no verdict rests
    on them.

    References
    ----------
    A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application (1997), algorithm 6.2: resampling cases.

    Examples
    --------
    >>> from prunestats.regression import points
    >>> x = np.linspace(-1, 1, 80)
    >>> data = points(x, (x - 0.3) ** 2 + 0.02 * np.cos(90 * x))
    >>> minima = bootstrap_minima(data, resamples=200, rng=np.random.default_rng(0))
    >>> bool(np.quantile(minima, 0.025) < np.exp(0.3) < np.quantile(minima, 0.975))
    True
    """
    curve = interval_curve(data, _MOST_KNOTS)
    grid = minima_grid(data)
    cells = _cells_of(data, curve.rows(data.x))
    k, p = curve.knots.size, cells.design.shape[1]
    upper = np.triu_indices(p)
    products = cells.design[:, upper[0]] * cells.design[:, upper[1]]
    penalty = np.zeros((p, p))
    penalty[:k, :k] = curve.smoothing * second_derivatives(curve.knots)[1]
    rows, y = curve.rows(grid), data.y[cells.order]
    block = max(1, _BLOCK // data.y.size)
    minima = np.empty(resamples)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        counts = _counts(cells.strata, size, rng)
        if data.weights is not None:
            counts *= data.weights[cells.order]
        numbers = np.add.reduceat(counts, cells.starts, axis=1)
        sums = np.add.reduceat(counts * y, cells.starts, axis=1)
        normal = np.empty((size, p, p))
        normal[:, upper[0], upper[1]] = normal[:, upper[1], upper[0]] = numbers @ products
        coefficients = np.linalg.solve(normal + penalty, (sums @ cells.design)[:, :, None])[:, :k, 0]
        minima[start : start + size] = grid[np.argmin(coefficients @ rows.T, axis=1)]
    ratios: Floats = np.exp(minima)
    return ratios


def _counts(strata: tuple[int, ...], size: int, rng: np.random.Generator) -> Floats:
    """Draw how often each subnetwork is in each sample: a row a sample, drawn row by row."""
    counts = np.empty((size, sum(strata)))
    for row in counts:
        first = 0
        for n in strata:
            # uniform to 2^-53, and faster than bounded integers
            drawn = (rng.random(n) * n).astype(np.intp)
            row[first : first + n] = np.bincount(drawn, minlength=n)
            first += n
    return counts


def _cells_of(data: Points, basis: Floats) -> _Cells:
    """Cut every original's subnetworks, in the order of x, into at most 256 cells of neighbours; ties stay together."""
    codes = (
        np.unique(data.effects, axis=0, return_inverse=True)[1].ravel() if data.effects.size else np.zeros_like(data.x)
    )
    order = np.lexsort((data.x, codes))
    x, codes = data.x[order], codes[order].astype(int)
    strata = np.bincount(codes)
    new_stratum = np.r_[True, np.diff(codes) != 0]
    new_x = new_stratum | np.r_[True, np.diff(x) != 0]
    place = np.arange(x.size) - np.repeat(np.r_[0, np.cumsum(strata)[:-1]], strata)
    part = place * _CELLS // np.repeat(np.maximum(strata, _CELLS), strata)
    # a cell begins at the first of tied x, so the part of a tie is that of its first point
    part = part[np.maximum.accumulate(np.where(new_x, np.arange(x.size), 0))]
    starts = np.flatnonzero(new_stratum | np.r_[True, np.diff(part) != 0])
    design = np.column_stack([basis, data.effects])[order]
    weights = np.ones(x.size) if data.weights is None else data.weights[order]
    mean_rows = np.add.reduceat(design * weights[:, None], starts, axis=0) / np.add.reduceat(weights, starts)[:, None]
    return _Cells(order, tuple(strata.tolist()), starts, mean_rows)
