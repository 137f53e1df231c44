"""A confidence set of two basins: both are shaded, and no single line is drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from prunestats.optimum.optimum import find_optimum
from prunestats.reports.figures.panels import draw_response, verdict_label
from prunestats.reports.figures.style import report_style


@pytest.fixture(scope="module")
def wells():
    """Subnetworks with two equally good ratios, 70 and 140."""
    rng = np.random.default_rng(3)
    ratio = np.exp(rng.uniform(np.log(50), np.log(200), 240))
    x = np.log(ratio / 99)
    log_cross_entropy = -1.0 + 8 * (x**2 - 0.12) ** 2 + 0.02 * rng.standard_normal(240)
    runs = pd.DataFrame({"subnetwork": [f"s{i:03}" for i in range(240)], "flops": 1_000_000, "error": 0.1})
    return runs.assign(
        params=np.rint(1_000_000 / ratio).astype(int), log_cross_entropy=log_cross_entropy, original="o", ratio=ratio
    )


def drawn(wells, optimum):
    with report_style():
        axes = Figure().subplots()
        draw_response(
            axes,
            wells.rename(columns={"log_cross_entropy": "val_log_cross_entropy"}),
            optimum,
            "log_cross_entropy",
            ["o"],
            "C0",
        )
    return axes


def test_both_basins_are_shaded_and_no_line_is_drawn(wells):
    optimum = find_optimum(wells.drop(columns="ratio"), response="log_cross_entropy", rng=np.random.default_rng(0))
    assert len(optimum.pieces) == 2
    assert np.isnan(optimum.ratio)
    axes = drawn(wells, optimum)
    shaded = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches if isinstance(p, Rectangle)]
    assert shaded == [pytest.approx(piece) for piece in optimum.pieces]
    # the quadratic and the spline, and no line at an optimum
    assert len(axes.lines) == 2
    assert verdict_label(optimum).count(" to ") == 2
    assert " or " in verdict_label(optimum)
