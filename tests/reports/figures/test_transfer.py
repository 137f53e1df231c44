"""The figure of several networks: which results are drawn, and that all are inside its limits."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Patch

from prunestats.conjectures.transfer import combine_optima
from prunestats.conjectures.transfer_result import DesignOptimum
from prunestats.optimum.optimum import find_optimum
from prunestats.reports.figures.style import report_style
from prunestats.reports.figures.transfer import plot_transfer
from prunestats.results.designs import OriginalDesign


@pytest.fixture(scope="module")
def one_optimum():
    rng = np.random.default_rng(0)
    u = rng.uniform(-0.8, 0.8, 80)
    frame = pd.DataFrame({"subnetwork": np.arange(80).astype(str), "flops": 10**6, "error": 0.2 + 0.1 * u**2})
    return find_optimum(frame.assign(params=np.rint(10**4 * np.exp(u)).astype(int)), rng=rng)


def study(one_optimum, verdicts, regimes=(0.5, 0.25)):
    """Designs with ratios of 10, 20, ..., an optimum at twice the ratio where the verdict is interior."""
    found = []
    for number, verdict in enumerate(verdicts):
        ratio = 10.0 * 2**number
        design = OriginalDesign(f"net{number}", int(1e6 * ratio), 10**6, ratio, (str(number),))
        for regime in regimes:
            one = dataclasses.replace(one_optimum, verdict=verdict, ratio=2 * ratio, low=1.8 * ratio, high=2.3 * ratio)
            found.append(DesignOptimum(design, regime, dataclasses.replace(one, ratio_q10=ratio, ratio_q90=4 * ratio)))
    return combine_optima(found)


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_panel_a_regime_with_band_line_and_predictions(one_optimum):
    found = study(one_optimum, ["interior"] * 4 + ["monotone"])
    with report_style():
        figure = plot_transfer(found, [found.predict(50, regime=0.25)])
        figure.draw_without_rendering()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["50 % of the FLOPs", "25 % of the FLOPs"]
    diamonds = [sum(line.get_marker() == "D" for line in axes.lines) for axes in figure.axes]
    assert diamonds == [0, 1]
    assert [sum(line.get_marker() == "o" for line in axes.lines) for axes in figure.axes] == [4, 4]
    assert "no optimum: monotone" in legend(figure)
    assert f"regression: slope {found.slope}, p < 0.001" in legend(figure)
    assert legend(figure)[-1] == "predicted"


def test_where_nothing_is_fitted_there_is_no_line(one_optimum):
    found = study(one_optimum, ["interior", "edge", "flat", "unidentified"], regimes=(None,))
    with report_style():
        figure = plot_transfer(found)
    assert figure.axes[0].collections[:] == []
    assert [name for name in legend(figure) if "regression" in name or "prediction" in name] == []
    assert [name for name in legend(figure) if "no optimum" in name] == [
        "no optimum: edge",
        "no optimum: flat",
        "no optimum: unidentified",
    ]


def test_the_limits_hold_what_was_drawn_however_wide_the_band(one_optimum):
    found = study(one_optimum, ["interior"] * 3)
    with report_style():
        figure = plot_transfer(found, [found.predict(1000, regime=0.5)])
        figure.draw_without_rendering()
    bottom, top = figure.axes[0].get_ylim()
    assert bottom < 10 < 160 < top < 1000
    assert figure.axes[0].get_xlim()[1] > 1000
    assert any(isinstance(handle, Patch) for handle in figure.legends[0].legend_handles)
