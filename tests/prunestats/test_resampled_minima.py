"""The full bootstrap of the spline's minimum: against a loop of refits, in any block, with weights and originals."""

from __future__ import annotations

import numpy as np
import pytest

from prunestats import resampled_minima
from prunestats.argmin import interval_curve, minima_grid, spline_optimum
from prunestats.regression import Points, points
from prunestats.resampled_minima import bootstrap_minima
from prunestats.spline import second_derivatives


def sample(n=80, seed=0, originals=None, weights=None):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    data = points(x, 2 * (x - 0.2) ** 2 + 0.3 * rng.standard_normal(n), originals)
    return Points(data.x, data.y, data.effects, weights)


def loop(data, strata, resamples, rng):
    """Draw rows, stack them, solve: one sample at a time, in the order in which the fast way draws."""
    curve, grid = interval_curve(data, 20), minima_grid(data)
    order = np.lexsort((data.x, strata))
    design = np.column_stack([curve.rows(data.x), data.effects])[order]
    weights = (np.ones(data.x.size) if data.weights is None else data.weights)[order]
    k, found = curve.knots.size, []
    penalty = np.zeros((design.shape[1], design.shape[1]))
    penalty[:k, :k] = curve.smoothing * second_derivatives(curve.knots)[1]
    for _ in range(resamples):
        rows = []
        for first, n in zip(*np.unique(strata[order], return_index=True, return_counts=True)[1:], strict=True):
            rows.append(first + (rng.random(n) * n).astype(int))
        drawn = np.concatenate(rows)
        weighted = design[drawn] * weights[drawn][:, None]
        b = np.linalg.solve(weighted.T @ design[drawn] + penalty, weighted.T @ data.y[order][drawn])
        found.append(np.exp(grid[np.argmin(curve.rows(grid) @ b[:k])]))
    return np.array(found)


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 1.5, 80)])
@pytest.mark.parametrize("originals", [None, ["a"] * 30 + ["b"] * 50])
def test_it_equals_a_loop_of_refits(weights, originals):
    data = sample(originals=originals, weights=weights)
    strata = np.zeros(80, dtype=int) if originals is None else (np.array(originals) == "b").astype(int)
    fast = bootstrap_minima(data, resamples=40, rng=np.random.default_rng(5))
    assert fast == pytest.approx(loop(data, strata, 40, np.random.default_rng(5)), rel=1e-9)


def test_the_same_rng_gives_the_same_bits_whatever_the_block(monkeypatch):
    data = sample(400, originals=["a"] * 150 + ["b"] * 250)
    whole = bootstrap_minima(data, resamples=70, rng=np.random.default_rng(1))
    for block in (1, 3 * 400, 33 * 400):
        monkeypatch.setattr(resampled_minima, "_BLOCK", block)
        assert (bootstrap_minima(data, resamples=70, rng=np.random.default_rng(1)) == whole).all()


def test_cells_of_neighbours_change_next_to_nothing(monkeypatch):
    data = sample(2000)
    cells = bootstrap_minima(data, resamples=200, rng=np.random.default_rng(1))
    monkeypatch.setattr(resampled_minima, "_CELLS", 2000)
    exact = bootstrap_minima(data, resamples=200, rng=np.random.default_rng(1))
    moved = np.abs(np.log(cells / exact)) / (2 / 200)
    # a flat bottom can send the minimum of a sample to its other end
    assert np.quantile(moved, 0.98) <= 2
    assert np.median(moved) < 1e-6


def test_ties_share_a_cell():
    data = sample(600)
    tied = Points(np.round(data.x, 1), data.y, data.effects)
    found = bootstrap_minima(tied, resamples=5, rng=np.random.default_rng(0))
    assert found == pytest.approx(loop(tied, np.zeros(600, dtype=int), 5, np.random.default_rng(0)), rel=1e-9)


def test_it_agrees_with_the_posterior_where_there_is_little_bias():
    data = sample(3000)
    minima = np.log(bootstrap_minima(data, resamples=1000, rng=np.random.default_rng(2)))
    found = spline_optimum(data, rng=np.random.default_rng(2))
    width = np.log(found.high / found.low)
    assert np.quantile(minima, 0.025) == pytest.approx(np.log(found.low), abs=0.25 * width)
    assert np.quantile(minima, 0.975) == pytest.approx(np.log(found.high), abs=0.25 * width)
