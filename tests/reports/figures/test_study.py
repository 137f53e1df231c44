"""Figures neither raise nor warn, draw what they are given, and leave matplotlib as it was."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from prunestats.distribution.empirical import edf
from prunestats.reports.figures import axes as scales
from prunestats.reports.figures import panels
from prunestats.reports.figures import study as figures
from prunestats.reports.figures.files import png, svg
from prunestats.reports.figures.populations import plot_populations
from prunestats.reports.figures.style import label, report_style, space_look
from prunestats.reports.text.blocks import figure_parts

CASES = ["usual", "tiny", "one_space", "many", "constant", "failed", "all_failed"]


def drawn(study):
    with report_style():
        return [
            plot_populations(study, [("net", 4.2e6, 45_000.0)]),
            figures.plot_edfs(study, figure_parts(study.regimes)[0]),
            figures.plot_responses(study, study.regimes[:1]),
            figures.plot_summary(study),
        ]


@pytest.mark.parametrize("case", CASES)
def test_figures_survive(studies, case):
    for figure in drawn(studies[case]):
        assert svg(figure).startswith(b"<?xml")


@pytest.mark.parametrize("case", ["usual", "many", "tiny"])
def test_tick_labels_do_not_overlap(studies, case):
    for figure in drawn(studies[case]):
        figure.canvas.draw()
        for axes in figure.axes:
            for axis, low, high in ((axes.xaxis, "x0", "x1"), (axes.yaxis, "y0", "y1")):
                boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text() and t.get_visible()]
                inside = sorted((b for b in boxes if b.width), key=lambda b: getattr(b, low))
                assert all(getattr(one, high) <= getattr(other, low) for one, other in pairwise(inside))


def test_same_figure_same_bytes(study):
    one, other = (svg(drawn(study)[3]) for _ in range(2))
    assert one == other
    assert png(drawn(study)[3], 50).startswith(b"\x89PNG")


def test_letters_stay_text_or_become_outlines(study):
    figure = drawn(study)[3]
    assert b"validation cross-entropy (nats)</text>" in svg(figure)
    assert b"<text" not in svg(figure, outlines=True)


def panel(study, **changes):
    regime = study.regimes[0]
    optimum = replace(regime.optimum, **changes)
    with report_style():
        figure = figures.plot_responses(
            replace(study, regimes=(replace(regime, optima={"log_cross_entropy": optimum}),))
        )
    return figure.axes[0]


def test_a_reported_optimum_is_drawn_with_its_interval(study):
    axes = panel(study, verdict="interior", ratio=100.0, low=90.0, high=120.0, pieces=((90.0, 120.0),))
    (span,) = [patch for patch in axes.patches if patch.get_width() == pytest.approx(30)]
    assert span.get_x() == pytest.approx(90)
    assert any(list(line.get_xdata()) == [100, 100] for line in axes.lines)
    assert "interior: 100.0 [90.0, 120.0]" in [text.get_text() for text in axes.texts]


def test_where_there_is_none_the_picture_says_so(study):
    axes = panel(study, verdict="flat", ratio=float("nan"), low=float("nan"), high=float("nan"), pieces=())
    assert not axes.patches
    assert "flat: no interior optimum" in [text.get_text() for text in axes.texts]


def test_the_curve_is_the_edf(study):
    found = study.regimes[0].spaces[0].error
    axes = drawn(study)[1].axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xdata()[1:-1], 100 * found.x)
    np.testing.assert_allclose(axes.lines[0].get_ydata()[1:-1], found.y)
    assert f"n = {found.n}" in [text.get_text() for text in axes.texts]


def test_spaces_look_alike_in_all_figures_and_different_from_each_other(study):
    looks = [space_look("abcdefghijklmnopqr", space) for space in "abcdefghijklmnopqr"]
    assert len({str(look) for look in looks}) == 18
    color = space_look(study.spaces, "uniform")["color"]
    populations, edfs, _, summary = drawn(study)
    assert populations.legends[0].legend_handles[1].get_color() == color
    assert edfs.axes[0].lines[1].get_color() == summary.axes[0].lines[1].get_color() == color


def test_hostile_names_are_drawn_as_they_are(studies, hostile):
    figure = drawn(studies["tiny"])[1]
    assert figure.legends[0].get_texts()[0].get_text() == label(hostile)
    assert b"$x^2$" in svg(drawn_with_name(studies["tiny"], "a $x^2$ b"))


def drawn_with_name(study, name):
    regime = study.regimes[0]
    spaces = (replace(regime.spaces[0], space=name),)
    units = regime.subnetworks.assign(space=name)
    renamed = replace(study, spaces=(name,), regimes=(replace(regime, spaces=spaces, subnetworks=units),))
    with report_style():
        return figures.plot_edfs(renamed)


@pytest.mark.parametrize(("low", "high"), [(1, 1.01), (40, 900), (0.12, 0.41), (2e3, 3e9), (99.0, 103.0)])
def test_ticks_are_few_and_inside(low, high):
    ticks = scales.readable_ticks(low, high)
    assert 2 <= len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("errors", "scale"), [([0.02, 0.05, 0.6], "log"), ([0.02, 0.05, 0.09], "linear"), ([0.0, 0.05, 0.6], "linear")]
)
def test_errors_far_apart_are_drawn_on_a_logarithmic_axis(errors, scale):
    with report_style():
        axes = Figure().subplots()
        panels.draw_edfs(axes, {"s": edf(errors)}, ["s"], "error")
    assert axes.get_xscale() == scale


def test_style_leaves_no_trace(study):
    before = dict(mpl.rcParams)
    drawn(study)
    assert dict(mpl.rcParams) == before


def test_analysis_needs_no_ink_and_ink_no_pyplot():
    code = (
        "import sys, prunestats.reports.text.study_tables, prunestats.reports.analysis.study\n"
        "assert not {'matplotlib', 'sqlalchemy', 'typst', 'torch'} & set(sys.modules)\n"
        "import prunestats.reports.pdf\n"
        "assert not {'matplotlib.pyplot', 'sqlalchemy', 'torch'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
