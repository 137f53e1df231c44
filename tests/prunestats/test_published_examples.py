"""Two lines and Lind-Mehlum against the numbers that their authors' own code prints."""

from __future__ import annotations

import numpy as np
import pytest

from prunestats.optimum.lind_mehlum import lind_mehlum
from prunestats.optimum.penalised_spline import fit_spline
from prunestats.optimum.quadratic import fit_quadratic
from prunestats.optimum.regression import points
from prunestats.optimum.two_lines import fit_two_lines

EXAMPLES = ["statuser", "utest", "mtcars_hp", "mtcars_disp"]


@pytest.fixture(scope="module")
def published(golden):
    return golden("published")


def example(published, name):
    size = sum(key.startswith(f"{name}.x") and key != f"{name}.xc" for key in published)
    return points(*([published[f"{name}.{axis}{i}"] for i in range(1, size + 1)] for axis in "xy"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_two_lines_equal_those_of_statuser(published, name):
    found = fit_two_lines(example(published, name))
    ours = [found.slope_low, found.slope_high, found.z_low, found.z_high, np.log(found.breakpoint_ratio)]
    # mgcv stops its search for the smoothing parameter early, and points at the border of the flat region may differ
    assert ours == pytest.approx([published[f"{name}.{key}"] for key in ("b1", "b2", "z1", "z2", "xc")], rel=2e-3)
    theirs = [published[f"{name}.p1"], published[f"{name}.p2"]]
    assert [found.p_low, found.p_high] == pytest.approx(theirs, rel=2e-2, abs=1e-9)
    assert (found.u_shaped or found.inverted) == bool(published[f"{name}.u"])


def test_where_gcv_has_two_minima_ours_is_the_lower_one(published):
    # mgcv, and so statuser, stops at smoothing 17.1 with 6.6 degrees of freedom and a GCV of 8.238
    data = example(published, "mtcars_wt")
    spline = fit_spline(data, method="gcv")
    n = data.x.size
    assert spline.sigma2 * n / (n - spline.edf) < 8.238
    assert spline.edf == pytest.approx(3.1, abs=0.1)


@pytest.mark.parametrize("name", [*EXAMPLES, "mtcars_wt"])
def test_lind_mehlum_equals_utest(published, name):
    data = example(published, name)
    quadratic = fit_quadratic(data)
    found = lind_mehlum(quadratic, data.x.min(), data.x.max())
    assert [found.slope_low, found.slope_high] == pytest.approx(
        [published[f"{name}.slope{k}"] for k in (1, 2)], rel=1e-8
    )
    assert [found.t_low, found.t_high] == pytest.approx([published[f"{name}.t{k}"] for k in (1, 2)], rel=1e-8)
    theirs = published[f"{name}.utest_p"]
    if np.isnan(theirs):
        assert found.p > 0.5
    else:
        # utest turns to the inverted U where the curve bends down, ours tests for a U always
        down = quadratic.coefficients[2] < 0
        assert (1 - min(found.p_low, found.p_high) if down else found.p) == pytest.approx(theirs, rel=1e-6, abs=1e-12)
