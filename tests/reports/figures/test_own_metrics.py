"""Figures of studies with a metric of their own: its name and unit on the axes, its values in that unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prunestats.metric import Metric, with_metric
from prunestats.noise.subnetwork_to_take import best_subnetworks
from prunestats.reports.analysis.study import analyse_study
from prunestats.reports.figures.axes import needs_log_axis
from prunestats.reports.figures.front import plot_front
from prunestats.reports.figures.study import plot_edfs, plot_responses, plot_summary
from prunestats.reports.figures.style import report_style

PSNR = Metric("psnr", "maximize", "dB")
MIOU = Metric("miou", "maximize", "fraction", 0.0, 1.0)
VALUES = {PSNR: lambda e: 34 - 20 * e, MIOU: lambda e: 1 - e}


@pytest.fixture(scope="module")
def analysed(frames_of, facts_of):
    def analyse(metric):
        value, frames = VALUES[metric], []
        for frame in frames_of(n=8, seeds=2, regimes=(0.5,), originals=("a1b2",)):
            bare = frame.drop(columns=["error", "log_cross_entropy"])
            frames.append(with_metric(bare.assign(**{metric.name: value(frame["error"])}), metric))
        study = analyse_study(*frames, rng=np.random.default_rng(0))
        originals = [
            replace(one, val_metric=value(one.val_error), test_metric=value(one.test_error))
            for one in facts_of(study).originals
        ]
        return replace(study, best=best_subnetworks(*frames, originals, uniform="uniform")), originals

    return analyse


@pytest.mark.parametrize(("metric", "heading", "span"), [(PSNR, "psnr (dB)", (15, 35)), (MIOU, "mIoU (%)", (40, 101))])
def test_axes_have_the_name_the_unit_and_the_values_of_the_metric(analysed, metric, heading, span):
    study, originals = analysed(metric)
    with report_style():
        front, edfs, responses, summary = (
            plot_front(study, originals), plot_edfs(study), plot_responses(study), plot_summary(study)
        )  # fmt: skip
    assert [axes.get_ylabel() for axes in front.axes] == [f"test {heading}"]
    # one panel a regime: cross-entropy is not analysed beside a metric of the study's own
    assert [axes.get_xlabel() for axes in edfs.axes] == [f"test {heading}"]
    assert [axes.get_ylabel() for axes in responses.axes] == [f"validation {heading}"]
    assert summary.axes[0].get_xlabel() == f"test {heading}"
    assert summary.axes[1].get_ylabel() == f"validation {heading}"
    drawn = [front.axes[0].get_ylim(), edfs.axes[0].get_xlim(), responses.axes[0].get_ylim()]
    assert all(span[0] < low < high < span[1] + 2 for low, high in drawn)
    assert all(axes.get_yscale() == "linear" for axes in (*front.axes, *responses.axes))


def test_the_front_leaves_out_the_worst_subnetworks_on_the_side_where_they_are(analysed):
    study, originals = analysed(MIOU)
    (regime,) = study.regimes
    worst = regime.subnetworks.copy()
    worst.loc[worst.index[0], "test_miou"] = 0.01
    worse = replace(study, regimes=(replace(regime, subnetworks=worst),))
    with report_style():
        (axes,) = plot_front(worse, originals).axes
    assert axes.get_ylim()[0] > 30


def test_a_metric_of_which_higher_values_are_better_has_a_linear_axis():
    values = np.array([1.0, 100.0])
    assert needs_log_axis(values, "error")
    assert needs_log_axis(values, Metric("perplexity"))
    assert not needs_log_axis(values, MIOU)
