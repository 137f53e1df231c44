"""The figure of latencies: its panels, its fronts, and the correlation in its title."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from prunestats.errors import InputError
from prunestats.metric import Metric, with_metric
from prunestats.reports.figures.latency import plot_latency_front
from prunestats.reports.figures.style import report_style

SETTING = "onnx, float32, batch of 1, 1 thread, a processor with a name that is long enough for a second line"


@pytest.fixture
def runs():
    rng, n = np.random.default_rng(0), 30
    flops = rng.integers(10**5, 10**6, n)
    units = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(n)], "flops": flops, "params": 10})
    units = units.assign(network="net", original="o", space=np.where(np.arange(n) % 2, "initial", "uniform"))
    units = units.assign(latency_ms=flops / 1e6 + rng.normal(1, 0.2, n))
    return pd.concat([units.assign(seed=seed, error=rng.uniform(0.05, 0.2, n)) for seed in (0, 1)], ignore_index=True)


def drawn(runs, setting=SETTING):
    with report_style():
        figure = plot_latency_front(runs, setting)
        figure.draw_without_rendering()
    return figure


def fronts(figure):
    return [np.column_stack(line.get_data()) for axes in figure.axes for line in axes.lines]


def test_fronts_of_both_costs_and_the_correlation_of_the_two(runs):
    figure = drawn(runs)
    assert [axes.get_xlabel().splitlines()[0] for axes in figure.axes] == [
        "FLOPs (multiply-adds)", "latency (ms)", "FLOPs (multiply-adds)",
    ]  # fmt: skip
    assert " ".join(figure.axes[1].get_xlabel().splitlines()[1:]) == SETTING
    means = runs.groupby("subnetwork")[["flops", "latency_ms", "error"]].mean()
    for cost, front in zip(("flops", "latency_ms"), fronts(figure), strict=True):
        # by definition: no other subnetwork is as cheap and better
        best = [row for _, row in means.iterrows() if means["error"][means[cost] <= row[cost]].min() == row["error"]]
        expected = sorted((row[cost], 100 * row["error"]) for row in best)
        assert np.allclose(front, expected)
    rank = spearmanr(means["flops"], means["latency_ms"]).statistic
    assert figure.axes[2].get_title(loc="left") == f"Spearman's correlation {rank:.2f}"


def test_a_metric_that_is_maximised_has_the_mirrored_front(runs):
    miou = Metric("miou", "maximize", "fraction", 0, 1)
    mirrored = with_metric(runs.rename(columns={"error": "miou"}).assign(miou=1 - runs["error"]), miou)
    for front, other in zip(fronts(drawn(runs)), fronts(drawn(mirrored)), strict=True):
        assert np.allclose(front[:, 0], other[:, 0])
        assert np.allclose(front[:, 1], 100 - other[:, 1])


def test_panels_are_of_costs_that_are_known(runs):
    assert len(drawn(runs.drop(columns="latency_ms")).axes) == 1
    assert len(drawn(runs.assign(flops=np.nan)).axes) == 1
    assert len(drawn(pd.concat([runs, runs.assign(network="other")])).axes) == 6
    # one measured subnetwork has no correlation
    few = runs.assign(latency_ms=runs["latency_ms"].where(runs["subnetwork"] == "s0"))
    assert drawn(few).axes[2].get_title(loc="left") == "too few for a correlation"
    with pytest.raises(InputError, match="found neither"):
        plot_latency_front(runs.assign(flops=np.nan, latency_ms=np.nan))
