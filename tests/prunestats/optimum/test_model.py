"""`Optimum.model()`: statsmodels' results equal the quadratic's coefficients, covariance and intervals."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from prunestats.errors import InputError
from prunestats.optimum.lack_of_fit import lack_of_fit
from prunestats.optimum.lower_envelope import quantile_regression
from prunestats.optimum.optimum import Optimum, find_optimum
from prunestats.optimum.points import ratio_points
from prunestats.optimum.regression import points
from prunestats.results.means import unit_means

CLOSE = {"rel": 1e-8, "abs": 1e-14}


def population(originals=1, seeds=1, n=150, noise=0.01):
    """Subnetworks of 1 M FLOPs on a U; with `seeds` above 1, half of them have that many seeds and the rest one."""
    rng = np.random.default_rng(7)
    params = rng.integers(5_000, 20_000, n)
    frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(n)], "flops": 1_000_000, "params": params, "seed": 0})
    frame["original"] = [f"net{i % originals}" for i in range(n)]
    frame["error"] = 0.2 + 0.1 * np.log(params / 10_000) ** 2 + 0.02 * (np.arange(n) % originals)
    frame["error"] += noise * rng.standard_normal(n)
    frame = pd.concat([frame, *(frame[: n // 2].assign(seed=seed) for seed in range(1, seeds))])
    return frame.assign(error=frame["error"] + noise * rng.standard_normal(len(frame)))


@pytest.mark.parametrize(("originals", "seeds"), [(1, 1), (3, 1), (1, 4), (3, 4)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_model_has_the_coefficients_the_covariance_and_the_intervals_of_the_quadratic(originals, seeds, level):
    found = find_optimum(population(originals, seeds), level=level)
    quadratic, results = found.quadratic, found.model()
    assert isinstance(results.model, sm.WLS if seeds > 1 else sm.OLS)
    assert results.params.to_numpy()[:3] == pytest.approx(quadratic.coefficients, **CLOSE)
    assert results.cov_params().to_numpy()[:3, :3] == pytest.approx(quadratic.covariance, **CLOSE)
    assert results.df_resid == quadratic.df
    assert results.pvalues["centered_log_ratio_squared"] == pytest.approx(quadratic.curvature_p, **CLOSE)
    u = np.linspace(-0.5, 0.5, 5)
    rows = np.column_stack([np.ones(5), u, u**2, np.zeros((5, originals - 1))])
    predicted = results.get_prediction(rows)
    fit, low, high = quadratic.predict(np.exp(quadratic.x_center + u))
    assert predicted.predicted_mean == pytest.approx(fit, **CLOSE)
    assert predicted.conf_int(alpha=1 - level) == pytest.approx(np.column_stack([low, high]), **CLOSE)


@pytest.mark.parametrize(("originals", "seeds"), [(1, 1), (3, 1), (1, 4), (3, 4)])
def test_its_covariance_is_the_hc3_that_statsmodels_computes_itself(originals, seeds):
    results = find_optimum(population(originals, seeds)).model()
    own = results.model.fit(cov_type="HC3", use_t=True)
    assert results.cov_params().to_numpy() == pytest.approx(own.cov_params().to_numpy(), **CLOSE)
    assert results.conf_int().to_numpy() == pytest.approx(own.conf_int().to_numpy(), **CLOSE)


def test_variables_are_named_and_a_summary_is_printed():
    frame = population(3)
    results = find_optimum(frame.assign(log_cross_entropy=np.log(frame["error"])), response="log_cross_entropy").model()
    names = ["const", "centered_log_ratio", "centered_log_ratio_squared", "original[net1]", "original[net2]"]
    assert results.model.exog_names == names
    assert results.params["original[net1]"] == pytest.approx(0.1, abs=0.05)
    summary = str(results.summary())
    assert "heteroscedasticity robust (HC3)" in summary
    assert all(name in summary for name in ("log_cross_entropy", *names))
    assert results.t_test("centered_log_ratio_squared = 0").pvalue < 1e-6


def test_an_original_with_one_subnetwork_has_leverage_one_and_is_left_out_of_the_covariance():
    frame = population()
    frame.loc[0, "original"] = "lonely"
    found = find_optimum(frame)
    results = found.model()
    assert results.cov_params().to_numpy()[:3, :3] == pytest.approx(found.quadratic.covariance, **CLOSE)
    assert np.isfinite(results.bse).all()


@pytest.mark.parametrize("frame", [population(noise=0).assign(error=0.25), population(n=5)])
def test_without_a_quadratic_there_is_no_model(frame):
    with pytest.raises(InputError, match="expects an optimum with a quadratic; found none") as refused:
        find_optimum(frame).model()
    assert "\n" not in str(refused.value)


def test_the_points_are_kept_but_neither_shown_nor_stored():
    found = find_optimum(population())
    assert found.points.x.size == found.n_subnetworks
    assert "points" not in found.to_dict()
    assert "points" not in json.dumps(found.to_dict())
    assert "points" not in repr(found)
    assert [field.name for field in dataclasses.fields(Optimum) if not field.metadata.get("plain", True)] == ["points"]


def test_lack_of_fit_equals_the_robust_f_test_of_statsmodels():
    data = ratio_points(unit_means(population(3, 4), "error"), 1, "error")
    u = (data.x - data.x.mean()) / np.ptp(data.x)
    results = sm.WLS(data.y, data.columns(u, u**2, u**3, u**4), weights=data.weights).fit(cov_type="HC3", use_t=True)
    test = results.f_test(np.eye(len(results.params))[3:5])
    found = lack_of_fit(data)
    assert (found.f, found.p) == pytest.approx((float(test.fvalue), float(test.pvalue)), rel=1e-6)


def test_quantile_regression_minimises_the_check_loss_at_least_as_well_as_statsmodels():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 4000)
    data = points(x, x**2 + 0.3 * rng.standard_normal(4000))
    design = data.columns(x, x**2)

    def loss(coefficients):
        residuals = data.y - design @ coefficients
        return float(np.sum(residuals * (0.1 - (residuals < 0))))

    ours, other = quantile_regression(design, data.y, 0.1), sm.QuantReg(data.y, design).fit(q=0.1).params
    assert ours == pytest.approx(other, abs=1e-4)
    assert loss(ours) <= loss(other)
