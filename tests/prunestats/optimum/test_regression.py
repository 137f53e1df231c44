"""Edge cases of least squares, Fieller's set and the spline."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prunestats.optimum.penalised_spline import fit_spline
from prunestats.optimum.quadratic import fieller_set, fit_quadratic
from prunestats.optimum.regression import full_rank, least_squares, points
from prunestats.optimum.two_lines import fit_two_lines


def test_an_original_with_one_subnetwork_has_no_influence():
    rng = np.random.default_rng(0)
    x = rng.random(40)
    y = x**2 + 0.1 * rng.standard_normal(40)
    alone = fit_quadratic(points(np.r_[x, 0.9], np.r_[y, 55.0], [*["m"] * 40, "lonely"]))
    without = fit_quadratic(points(x, y))
    assert alone.coefficients[2] == pytest.approx(without.coefficients[2])
    assert alone.covariance[2, 2] == pytest.approx(without.covariance[2, 2])


def test_a_perfect_fit_has_no_spread_and_no_warning():
    x = np.linspace(0, 1, 12)
    fit = least_squares(points(x, 2 * x).design(x), 2 * x)
    assert fit.coefficients[1] == pytest.approx(2)
    assert fit.p(1) < 1e-10


def test_dependent_columns_are_detected():
    x = np.linspace(1e6, 1e6 + 1, 20)
    assert full_rank(np.column_stack([np.ones(20), x - x.mean()]))
    assert not full_rank(np.column_stack([x, 2 * x]))
    assert not full_rank(np.column_stack([x, 0 * x]))


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.01, 1), st.floats(0.01, 1), st.floats(-0.9, 0.9))
@settings(max_examples=200)
def test_fieller_set_holds_exactly_what_the_test_does_not_reject(b1, b2, v1, v2, correlation):
    cross = correlation * np.sqrt(v1 * v2)
    b, v = np.array([0.0, b1, b2]), np.array([[1.0, 0, 0], [0, v1, cross], [0, cross, v2]])
    # at exactly critical curvature the set is a half-line, which is reported as unbounded
    assume(abs(b2**2 / v2 - 4.0) > 1e-9)
    found = fieller_set(b, v, 2.0)
    for at in np.linspace(-6, 6, 41):
        gradient = np.array([0.0, 1.0, 2 * at])
        t2 = (gradient @ b) ** 2 / (gradient @ v @ gradient)
        if abs(t2 - 4.0) > 1e-6:
            assert (np.exp(at) in found) == (t2 < 4.0)


def test_fieller_set_has_all_three_kinds():
    kinds = {
        fieller_set(np.array([0, b1, b2]), np.diag([1.0, 0.01, v]), 2.0).kind
        for b1, b2, v in ((0.1, 1.0, 0.01), (1.0, 0.1, 1.0), (0.0, 0.1, 1.0))
    }
    assert kinds == {"bounded", "exclusive", "unbounded"}


@pytest.mark.parametrize("method", ["gcv", "reml"])
def test_spline_follows_a_straight_line_exactly(method):
    rng = np.random.default_rng(1)
    x = rng.random(100)
    fit, _ = fit_spline(points(x, 3 * x + 1 + 1e-9 * rng.standard_normal(100)), method=method).curve([0.2, 0.8])
    assert fit == pytest.approx([1.6, 3.4], abs=1e-6)


def test_spline_with_robust_noise_agrees_where_the_noise_is_equal():
    rng = np.random.default_rng(2)
    x = rng.random(5000)
    data = points(x, np.sin(5 * x) + 0.3 * rng.standard_normal(5000))
    plain, robust = fit_spline(data), fit_spline(data, robust=True)
    assert robust.coefficients == pytest.approx(plain.coefficients)
    assert np.sqrt(np.diag(robust.covariance) / np.diag(plain.covariance)) == pytest.approx(np.ones(10), rel=0.2)


def test_spline_sees_originals_as_levels():
    rng = np.random.default_rng(3)
    x, names = rng.random(300), np.where(np.arange(300) % 3, "m", "n")
    y = np.cos(4 * x) + 0.1 * rng.standard_normal(300)
    one = fit_spline(points(x, y, names))
    other = fit_spline(points(x, y + 2.0 * (names == "m"), names))
    assert other.curve([0.1, 0.9])[0] - one.curve([0.1, 0.9])[0] == pytest.approx(2.0 * np.mean(names == "m"))
    assert other.edf == pytest.approx(one.edf)


def test_two_lines_need_room_on_both_sides():
    assert fit_two_lines(points([1.0] * 10 + [2.0] * 10, range(20))) is None
    clumped = np.r_[np.zeros(50), np.arange(1, 7)]
    found = fit_two_lines(points(clumped, np.cos(clumped)))
    assert found is None or np.isfinite(found.z_low)
