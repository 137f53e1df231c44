"""Quadratic, spline, two lines, Lind-Mehlum and lack of fit against R."""

from __future__ import annotations

import numpy as np
import pytest

from prunestats.optimum.broken_stick import fit_broken_stick
from prunestats.optimum.cubic import cubic_optimum
from prunestats.optimum.explained_variance import adjusted_r2
from prunestats.optimum.flatness import noncentrality_bound
from prunestats.optimum.lack_of_fit import lack_of_fit
from prunestats.optimum.lind_mehlum import lind_mehlum
from prunestats.optimum.penalised_spline import fit_spline
from prunestats.optimum.quadratic import fit_quadratic
from prunestats.optimum.two_lines import fit_two_lines

SHAPES = ["u", "falls", "skewed", "flat", "two_originals"]


def sample(golden_points, shape):
    return golden_points("u", originals=True) if shape == "two_originals" else golden_points(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_quadratic_and_its_hc3_covariance_equal_r(golden, golden_points, shape):
    r = golden("quadratic")
    fit = fit_quadratic(sample(golden_points, shape))
    assert fit.coefficients[1:] == pytest.approx([r[f"{shape}.b1"], r[f"{shape}.b2"]], rel=1e-8)
    v = fit.covariance
    assert [v[1, 1], v[1, 2], v[2, 2]] == pytest.approx([r[f"{shape}.v{k}"] for k in ("11", "12", "22")], rel=1e-8)
    assert fit.curvature_p == pytest.approx(r[f"{shape}.curvature_p"], rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_set_of_a_cubics_minimum_equals_a_search_in_r(golden, golden_points, shape):
    r = golden("quadratic")
    data = sample(golden_points, shape)
    found = cubic_optimum(data)
    step = np.ptp(data.x) / 1e5
    ends = np.log([found.value, found.low, found.high])
    assert ends == pytest.approx([r[f"{shape}.cubic_{which}"] for which in ("best", "low", "high")], abs=2 * step)


@pytest.mark.parametrize("shape", SHAPES)
def test_fieller_set_equals_the_roots_of_the_test_found_by_r(golden, golden_points, shape):
    r = golden("quadratic")
    found = fit_quadratic(sample(golden_points, shape)).fieller
    assert (found.kind == "bounded") == bool(r[f"{shape}.bounded"])
    if found.kind == "bounded":
        ends = [r[f"{shape}.fieller_low"], r[f"{shape}.fieller_high"]]
        assert np.log([found.low, found.high]) == pytest.approx(ends, rel=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_lind_mehlum_equals_r(golden, golden_points, shape):
    r = golden("quadratic")
    data = sample(golden_points, shape)
    found = lind_mehlum(fit_quadratic(data), data.x.min(), data.x.max())
    assert [found.t_low, found.t_high] == pytest.approx([r[f"{shape}.lm_t_low"], r[f"{shape}.lm_t_high"]], rel=1e-8)
    ps = [r[f"{shape}.lm_p_low"], r[f"{shape}.lm_p_high"]]
    assert [found.p_low, found.p_high] == pytest.approx(ps, rel=1e-6)
    assert found.p == pytest.approx(max(ps), rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_lack_of_fit_equals_the_robust_wald_test_of_lmtest(golden, golden_points, shape):
    r = golden("quadratic")
    found = lack_of_fit(sample(golden_points, shape))
    assert found is not None
    assert (found.f, found.p) == pytest.approx((r[f"{shape}.lack_f"], r[f"{shape}.lack_p"]), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES[:-1])
def test_adjusted_r2_equals_r(golden, golden_points, shape):
    data = golden_points(shape)
    found = adjusted_r2(data, np.column_stack([data.x, data.x**2]))
    assert found == pytest.approx(golden("quadratic")[f"{shape}.r2"], abs=1e-9)


@pytest.mark.parametrize("f", ["0.3", "1", "4"])
def test_noncentrality_bound_equals_r(golden, f):
    assert noncentrality_bound(float(f), 2, 57, 0.95) == pytest.approx(
        golden("quadratic")[f"noncentrality.{f}"], rel=1e-5
    )


@pytest.mark.parametrize("shape", ["u", "skewed"])
def test_broken_stick_equals_a_search_in_r(golden, golden_points, shape):
    r = golden("corner")
    found = fit_broken_stick(golden_points(shape))
    assert found is not None
    # both search on a grid, and ours reports the interval to its next grid point outwards
    close = 0.003
    assert np.log(found.ratio) == pytest.approx(r[f"{shape}.corner"], abs=close)
    assert np.log([found.low, found.high]) == pytest.approx([r[f"{shape}.low"], r[f"{shape}.high"]], abs=4 * close)
    assert found.aic == pytest.approx(r[f"{shape}.aic"], abs=0.01)


@pytest.mark.parametrize("shape", ["u", "falls", "skewed"])
@pytest.mark.parametrize("method", ["gcv", "reml"])
def test_spline_equals_mgcv(golden, golden_points, shape, method):
    r = golden("spline")
    name = f"{shape}.{method}"
    spline = fit_spline(golden_points(shape), method=method)
    fit, error = spline.curve([4.05, 4.4, 4.8, 5.3, 5.9])
    # mgcv stops its search for the smoothing parameter at a relative tolerance of 1e-6 or so
    assert spline.edf == pytest.approx(r[f"{name}.edf"], rel=1e-4)
    assert spline.sigma2 == pytest.approx(r[f"{name}.sigma2"], rel=1e-4)
    assert fit == pytest.approx([r[f"{name}.fit{k}"] for k in range(1, 6)], rel=1e-4, abs=1e-5)
    assert error == pytest.approx([r[f"{name}.se{k}"] for k in range(1, 6)], rel=1e-4)


@pytest.mark.parametrize("shape", ["u", "falls", "skewed", "hill", "flat", "two_originals"])
def test_two_lines_equal_the_published_algorithm_in_r(golden, golden_points, shape):
    r = golden("two_lines")
    found = fit_two_lines(sample(golden_points, shape))
    assert found is not None
    names = ["slope_low", "slope_high", "z_low", "z_high"]
    assert [getattr(found, name) for name in names] == pytest.approx([r[f"{shape}.{name}"] for name in names], rel=1e-4)
    places = [found.flat_low, found.flat_high, found.breakpoint_ratio]
    assert np.log(places) == pytest.approx(
        [r[f"{shape}.{name}"] for name in ("flat_low", "flat_high", "parting")], rel=1e-4
    )
    ps = [r[f"{shape}.p_low"], r[f"{shape}.p_high"]]
    assert [found.p_low, found.p_high] == pytest.approx(ps, rel=1e-2, abs=1e-12)
