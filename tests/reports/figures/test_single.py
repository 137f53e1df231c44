"""Figures of single analyses on a metric of a study's own: its name, unit and scale on the axes."""

import numpy as np
import pandas as pd
import pytest

from prunestats.distribution.best_of_k import best_of
from prunestats.distribution.empirical import edf
from prunestats.metric import Metric, with_metric
from prunestats.optimum.optimum import find_optimum
from prunestats.reports.figures.axes import needs_log_axis
from prunestats.reports.figures.single import plot_best_of, plot_edf, plot_optimum
from prunestats.reports.figures.style import report_style

MIOU = Metric("miou", "maximize", "fraction", 0, 1)
GAIN = Metric("gain", "maximize", "dB")


def draw(plot, *arguments):
    with report_style():
        return plot(*arguments).axes[0]


def test_a_distribution_function_has_the_heading_and_the_scale_of_its_metric():
    values = np.linspace(0.4, 0.7, 20)
    axes = draw(plot_edf, {(0.5, "s"): edf(values)}, MIOU)
    assert axes.get_xlabel() == "mIoU (%)"
    assert 30 < axes.get_xlim()[0] < 40 < 70 < axes.get_xlim()[1] < 80


def test_an_axis_of_decibels_may_be_below_zero_and_is_linear():
    values = np.linspace(-8.0, -1.0, 20)
    axes = draw(plot_best_of, {(0.5, "s"): best_of(values, rng=np.random.default_rng(0))}, GAIN)
    assert axes.get_ylabel() == "expected gain (dB)"
    assert axes.get_ylim()[0] < values.mean()
    assert not needs_log_axis(np.array([1.0, 30.0]), GAIN)
    assert needs_log_axis(np.array([0.01, 0.3]), "error")
    assert not needs_log_axis(np.array([0.01, 0.3]), MIOU)


@pytest.mark.parametrize("metric", [MIOU, Metric("perplexity")])
def test_points_and_curves_of_an_optimum_are_in_the_unit_of_its_metric(metric):
    rng = np.random.default_rng(0)
    params = rng.integers(5_000, 20_000, 60)
    value = 0.6 - metric.sign * (0.1 - 0.1 * np.log(params / 10_000) ** 2) + 0.01 * rng.standard_normal(60)
    frame = pd.DataFrame({"subnetwork": np.arange(60).astype(str), "flops": 10**6, "params": params, "original": "o"})
    frame = with_metric(frame.assign(**{metric.name: value, "regime": 0.5, "space": "s"}), metric)
    axes = draw(plot_optimum, {0.5: find_optimum(frame)}, frame)
    assert axes.get_ylabel() == ("mIoU (%)" if metric == MIOU else "perplexity")
    points = next(part.get_offsets()[:, 1] for part in axes.collections if len(part.get_offsets()) == 60)
    low, high = axes.get_ylim()
    assert points.min() == pytest.approx(metric.scale * value.min())
    assert all(low <= y <= high for line in axes.lines if len(line.get_ydata()) > 2 for y in line.get_ydata())
