"""Draws of the spline's minimum against the full bootstrap, which refits the curve to every sample."""

from __future__ import annotations

import numpy as np
import pytest

from prunestats.numeric.arrays import Floats
from prunestats.optimum.penalised_spline import second_derivatives
from prunestats.optimum.regression import Points, points
from prunestats.optimum.spline_minimum import interval_curve, minima_grid, spline_optimum

RESAMPLES = 1000


def bootstrap_minima(data: Points, rng: np.random.Generator) -> Floats:
    """Resample subnetworks and refit, smoothing kept: Davison and Hinkley (1997), algorithm 6.2."""
    curve, grid = interval_curve(data, 20), minima_grid(data)
    rows, at = curve.rows(data.x), curve.rows(grid)
    penalty = curve.smoothing * second_derivatives(curve.knots)[1]
    minima = np.empty(RESAMPLES)
    for sample in range(RESAMPLES):
        drawn = rng.integers(0, data.x.size, data.x.size)
        chosen = rows[drawn]
        minima[sample] = grid[np.argmin(at @ np.linalg.solve(chosen.T @ chosen + penalty, chosen.T @ data.y[drawn]))]
    return minima


def test_draws_agree_with_the_full_bootstrap_where_there_is_little_bias():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 3000)
    data = points(x, 2 * (x - 0.2) ** 2 + 0.3 * rng.standard_normal(3000))
    minima = bootstrap_minima(data, np.random.default_rng(2))
    found = spline_optimum(data, rng=np.random.default_rng(2))
    width = np.log(found.high / found.low)
    assert np.quantile(minima, 0.025) == pytest.approx(np.log(found.low), abs=0.25 * width)
    assert np.quantile(minima, 0.975) == pytest.approx(np.log(found.high), abs=0.25 * width)
