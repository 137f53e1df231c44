"""The optimum across regimes in a report: sentence and figure, and neither with fewer than two optima."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from prunestats.conjectures.across_regimes import regime_trend
from prunestats.reports.figures.files import svg
from prunestats.reports.figures.regimes import plot_optimum_by_regime
from prunestats.reports.figures.style import report_style
from prunestats.reports.pdf import draw_figures, render
from prunestats.reports.text.blocks import Picture
from prunestats.reports.text.document import document
from prunestats.reports.text.findings import key_findings, trend_sentence

Z = stats.norm.isf(0.025)


@pytest.fixture(scope="module")
def trend_of(study):
    one = study.regimes[0].optimum

    def make(ratios, se=0.05):
        optima = {}
        for regime, ratio in ratios.items():
            if ratio is None:
                optima[regime] = replace(one, verdict="edge")
                continue
            low, high = ratio * np.exp([-Z * se, Z * se])
            optima[regime] = replace(one, verdict="interior", ratio=ratio, low=low, high=high)
        return regime_trend(optima)

    return make


@pytest.fixture(scope="module")
def told(study, trend_of):
    return replace(study, trend=trend_of({0.5: 100.0, 0.25: 80.0, 0.1: None}))


def test_a_significant_difference_is_printed_with_its_factor_and_its_regimes(trend_of):
    assert trend_sentence(trend_of({0.5: 100.0, 0.25: 80.0, 0.1: None})) == (
        "The optimum of log cross-entropy differs significantly between regimes: half the FLOPs multiply it by 0.80 "
        "(95 % confidence interval 0.70 to 0.92); test of equality: p = 0.002 (2 of 3 regimes have an optimum)."
    )


def test_no_difference_and_lack_of_fit_are_printed(trend_of):
    assert "does not differ significantly between regimes: half the FLOPs multiply it by 1.00" in trend_sentence(
        trend_of({0.5: 90.0, 0.25: 90.0})
    )
    bent = trend_sentence(trend_of({0.8: 100.0, 0.4: 60.0, 0.2: 100.0}))
    assert bent.endswith("It is not linear in log FLOPs: the lack of fit is significant.")
    assert "0 regimes with an optimum" in trend_sentence(trend_of({0.5: None}))


def test_a_study_with_one_optimum_has_no_trend(study, facts_of):
    assert sum(regime.optimum.verdict == "interior" for regime in study.regimes) < 2
    assert study.trend is None
    assert study.to_dict()["trend"] is None
    assert "optima" not in draw_figures(study, facts_of(study))


def test_the_report_has_the_figure_and_the_sentence(told, facts_of, provenance):
    figures = draw_figures(told, facts_of(told))
    pictures = {name: Picture(f"{name}.svg", 6.5) for name in figures}
    blocks = document(told, facts_of(told), provenance, pictures)["blocks"]
    texts = [block.get("text", "") for block in blocks]
    assert any("Across regimes" in text for text in texts)
    assert trend_sentence(told.trend) in key_findings(told)
    assert told.to_dict()["trend"]["n_estimates"] == 2
    assert "optima" not in told.to_dict()["trend"]
    assert render(told, facts_of(told), provenance, figures).startswith(b"%PDF")


@pytest.mark.parametrize(
    "ratios",
    [
        {0.5: 100.0, 0.25: 80.0, 0.1: None},
        {0.5: None, 0.25: None},
        {0.5: 100.0},
        dict(zip(np.linspace(0.9, 0.05, 12).round(3).tolist(), [100.0, None] * 6, strict=True)),
    ],
)
def test_the_figure_is_drawn_with_room_for_its_labels(trend_of, ratios):
    def draw():
        with report_style():
            return plot_optimum_by_regime(trend_of(ratios))

    figure = draw()
    assert svg(figure) == svg(draw())
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    boxes.sort(key=lambda box: box.x0)
    assert all(one.x1 <= other.x0 for one, other in pairwise(boxes))
    said = [text.get_text() for text in axes.texts]
    assert said.count("edge") == sum(ratio is None for ratio in ratios.values())
