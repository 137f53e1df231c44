"""Optima of a metric of a study's own: mirrored where higher values are better, and said in its words and unit."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from prunestats.metric import ERROR, Metric, with_metric
from prunestats.optimum.optimum import find_optimum

MIOU = Metric("miou", "maximize", "fraction", 0, 1)
CURVES = {
    "interior": lambda u: 0.1 * u**2,
    "asymmetric": lambda u: 0.03 * (np.exp(-3 * u) + 3 * u),
    "edge": lambda u: 0.1 * (u - 0.6) ** 2,
    "inverted": lambda u: -0.1 * u**2,
    "monotone": lambda u: -0.05 * u,
    "flat": lambda u: 0.0 * u,
    "basins": lambda u: 0.05 * np.cos(9 * u) + 0.02 * u**2,
}
TURNED = {
    "minimum": "maximum", "maximum": "minimum", "minima": "maxima", "falls": "rises", "rises": "falls",
    "significantly higher": "significantly lower", "basins": "peaks", "error": "mIoU",
}  # fmt: skip
RATIOS = ("ratio", "low", "high", "r2", "ratio_min", "ratio_q10")


def population(shape: str, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    params = np.round(10_000 * np.exp(rng.uniform(-0.7, 0.7, n))).astype(int)
    error = 0.3 + CURVES[shape](-np.log(params / 10_000)) + 0.01 * rng.standard_normal(n)
    frame = pd.DataFrame({"subnetwork": [f"s{i:03d}" for i in range(n)], "flops": 10**6, "params": params})
    return frame.assign(error=error, original=np.where(np.arange(n) % 3, "a", "b"))


def mirrored(frame: pd.DataFrame) -> pd.DataFrame:
    return with_metric(frame.drop(columns="error").assign(miou=1 - frame["error"]), MIOU)


def turned(sentence: str) -> str:
    """The sentence on an error as it reads for an mIoU, without its numbers."""
    words = re.sub(r"\b(an inverted|a|an asymmetric|no) U\b", lambda m: _TURNED_U[m[1]], sentence)
    words = re.sub(r"\b(" + "|".join(TURNED) + r")\b", lambda m: TURNED[m[1]], words)
    return numberless(words)


_TURNED_U = {
    "an inverted": "a U",
    "a": "an inverted U",
    "an asymmetric": "an asymmetric inverted U",
    "no": "no inverted U",
}


def numberless(sentence: str) -> str:
    return re.sub(r"-?\d[\d.e+-]*\d|-?\d", "#", sentence)


@pytest.mark.parametrize("shape", CURVES)
def test_the_optimum_of_a_maximised_metric_is_that_of_its_mirror_image(shape):
    frame = population(shape)
    one = find_optimum(frame, rng=np.random.default_rng(0))
    other = find_optimum(mirrored(frame), rng=np.random.default_rng(0))
    assert (other.verdict, other.believed, other.response, other.metric) == (one.verdict, one.believed, "miou", MIOU)
    # minima of spline draws are mirrored exactly only where the generator's normal deviates are negated
    for name in RATIOS:
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, nan_ok=True)
    at = [one.ratio_q10, one.ratio_q90]
    for fit in ("quadratic", "spline"):
        value, low, high = getattr(one, fit).predict(at)
        assert getattr(other, fit).predict(at)[0] == pytest.approx(1 - value)
        assert getattr(other, fit).predict(at)[1] == pytest.approx(1 - high)
        assert getattr(other, fit).predict(at)[2] == pytest.approx(1 - low)
    assert other.quadratic.coefficients[1:] == pytest.approx(-one.quadratic.coefficients[1:])
    assert other.quadratic.optimum_ratio == pytest.approx(one.quadratic.optimum_ratio, nan_ok=True)
    lines = (one.two_lines, other.two_lines)
    assert lines[1].slope_low == pytest.approx(-lines[0].slope_low)
    assert (lines[1].inverted, lines[1].u_shaped) == (lines[0].u_shaped, lines[0].inverted)
    assert other.lind_mehlum.slope_high == pytest.approx(-one.lind_mehlum.slope_high)
    assert other.lind_mehlum.p == pytest.approx(one.lind_mehlum.p)
    assert [turned(sentence) for sentence in one.reasons] == [numberless(sentence) for sentence in other.reasons]


def test_the_envelope_of_a_maximised_metric_is_its_upper_tail_and_winners_are_its_highest():
    frame = population("interior", n=400)
    one = find_optimum(frame, rng=np.random.default_rng(0))
    other = find_optimum(mirrored(frame), rng=np.random.default_rng(0))
    assert [part.quantile for part in other.envelope] == [0.95, 0.9]
    for lower, upper in zip(one.envelope, other.envelope, strict=True):
        assert upper.coefficients[1:] == pytest.approx(-lower.coefficients[1:], abs=1e-6)
        assert upper.coefficients[0] == pytest.approx(1 - lower.coefficients[0], abs=1e-6)
        assert upper.optimum_ratio == pytest.approx(lower.optimum_ratio, rel=1e-4)
    assert other.winners.ratios[:5] == pytest.approx(one.winners.ratios[:5])
    assert other.winners.chances[:5] == pytest.approx(one.winners.chances[:5])


def test_model_fits_the_metric_itself():
    results = find_optimum(mirrored(population("interior"))).model()
    assert results.model.endog_names == "miou"
    assert 0.5 < results.params["const"] < 0.8
    assert results.params["centered_log_ratio_squared"] < 0


@pytest.mark.parametrize("shape", CURVES)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_reasons_on_another_unit_speak_of_no_error_and_print_no_percent_behind_a_value(shape, direction):
    metric = Metric("perplexity", direction, low=0)
    frame = population(shape)
    frame = with_metric(frame.drop(columns="error").assign(perplexity=np.exp(10 * frame["error"])), metric)
    found = find_optimum(frame, rng=np.random.default_rng(0))
    for sentence in found.reasons:
        assert "error" not in sentence
        # shares of variance, of spline draws and of ratios, and confidence levels, remain percentages
        after = r"% (of the (variance|spline draws|ratios)|confidence|may for|with it|among|that count)"
        before = r"(?:middle|at most|in one is|ratio needs) \d+ %"
        assert "%" not in re.sub(rf"{after}|{before}|\(\d+ %\)", "", sentence), sentence
    assert found.to_dict()["metric"]["name"] == "perplexity"


def test_plain_data_of_an_error_are_as_they_were_before_there_were_metrics():
    for response in ("error", "log_cross_entropy"):
        frame = population("interior")
        found = find_optimum(frame.assign(log_cross_entropy=np.log(frame["error"])), response=response)
        assert "metric" not in found.to_dict()
    assert find_optimum(frame).metric == ERROR


def test_a_constant_metric_is_printed_as_it_is():
    frame = mirrored(population("flat")).assign(miou=0.75)
    assert find_optimum(frame).reasons[0] == "All 200 subnetworks have the same value of the mIoU, 0.75."


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_winners_do_not_depend_on_the_unit(scale):
    frame = population("interior")
    metric = Metric("mse", low=0)
    found = [
        find_optimum(with_metric(frame.assign(mse=factor * frame["error"]), metric)).winners for factor in (1, scale)
    ]
    assert found[1].ratios.tolist() == found[0].ratios.tolist()
