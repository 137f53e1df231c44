"""Several networks in one study: one optimum per network, and their meta-regression."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from prunestats.conjectures.transfer import transfer_optimum
from prunestats.reports.analysis.study import analyse_study
from prunestats.reports.figures.study import plot_networks, plot_summary
from prunestats.reports.pdf import draw_figures, render
from prunestats.reports.text import study_tables
from prunestats.reports.text.blocks import signed
from prunestats.reports.text.findings import key_findings
from prunestats.reports.text.networks import networks_sentence

TWO = {"n": 30, "regimes": (0.5,), "spaces": ("initial",), "originals": ("a0", "a1", "b0")}
NAMES = ("narrow", "narrow", "wide")


@pytest.fixture(scope="module")
def several(studies):
    return studies["networks"]


def test_originals_of_one_network_share_an_optimum_and_others_have_their_own(several):
    for regime in several.regimes:
        assert regime.optima == {}
        assert regime.optimum is None
        ratios = [one.design.ratio for one in regime.designs]
        assert ratios == sorted(ratios)
        assert {one.design.name: one.design.originals for one in regime.designs}["narrow"] == ("a0", "a1")
        assert [one.optima["log_cross_entropy"].n_originals for one in regime.designs] == [2, 1, 1, 1]
        drawn = Counter(regime.subnetworks["original"])
        for one in regime.designs:
            assert one.optima["error"].n_subnetworks == sum(drawn[key] for key in one.design.originals)


def test_the_optimum_of_a_network_looks_at_its_own_subnetworks_alone(frames_of):
    validation, test = frames_of(**TWO, networks=NAMES)
    before = analyse_study(validation, test, rng=np.random.default_rng(0)).regimes[0].designs
    wide = validation["network"] == "wide"
    validation.loc[wide, "log_cross_entropy"] = np.random.default_rng(1).normal(size=int(wide.sum()))
    after = analyse_study(validation, test, rng=np.random.default_rng(0)).regimes[0].designs
    same = [
        a.optima["log_cross_entropy"].to_dict() == b.optima["log_cross_entropy"].to_dict()
        for a, b in zip(before, after, strict=True)
    ]
    assert [one.design.name for one in after] == ["narrow", "wide"]
    assert same == [True, False]


def test_what_is_put_together_is_what_transfer_optimum_says(frames_of, several):
    validation, test = frames_of(**TWO, networks=NAMES)
    found = analyse_study(validation, test, rng=np.random.default_rng(0)).transfer
    expected = transfer_optimum(validation, response="log_cross_entropy")
    assert found.verdict == expected.verdict
    assert [(one.design, one.regime, one.optimum.verdict) for one in found.optima] == [
        (one.design, one.regime, one.optimum.verdict) for one in expected.optima
    ]
    assert several.trend is None
    assert signed(several.transfer.reasons[0]) in key_findings(several)
    assert {one.regime for one in several.transfer.optima} == {0.5, 0.25}


def test_networks_whose_costs_are_not_on_record_are_taken_together(frames_of):
    validation, test = frames_of(**TWO, networks=NAMES)
    validation["original_params"] = np.nan
    found = analyse_study(validation, test, rng=np.random.default_rng(0))
    assert found.regimes[0].designs == ()
    assert found.regimes[0].optimum.n_originals == 3
    assert found.transfer is None


def test_larger_buckets_need_the_buckets_of_the_originals(frames_of):
    validation, test = frames_of(**TWO, networks=NAMES)
    without = analyse_study(validation, test, bucket=10, rng=np.random.default_rng(0))
    assert len(without.regimes[0].designs) == 2
    assert without.transfer is None
    counted = analyse_study(
        validation.assign(original_buckets=4_300), test, bucket=10, rng=np.random.default_rng(0)
    ).regimes[0]
    assert [one.design.ratio for one in counted.designs] == [4_200_000 / 4_300, 3 * 4_200_000 / 4_300]


def with_verdicts(regime, optimum, *verdicts):
    designs = tuple(
        replace(one, optima={} if verdict is None else {"log_cross_entropy": replace(optimum, verdict=verdict)})
        for one, verdict in zip(regime.designs, verdicts, strict=True)
    )
    return networks_sentence(replace(regime, designs=designs))


def test_a_sentence_counts_the_verdicts_of_a_regime(several):
    regime = several.regimes[0]
    [optimum] = [one.optimum for one in regime.designs if one.design.name == "narrow"]
    optimum = replace(optimum, ratio=101.25, low=98.7, high=104.0, bucket=1)
    first = regime.designs[0].design.name
    sentence = with_verdicts(regime, optimum, "interior", "flat", "edge", "flat")
    assert sentence.startswith("At 50 % of the FLOPs, 1 of 4 networks has an interior optimum of log cross-entropy (")
    assert f"{first} 101.2 [98.7, 104.0] FLOPs per parameter)" in sentence
    assert sentence.endswith("; the others: 1 edge, 2 flat.")
    none = with_verdicts(regime, optimum, "flat", "flat", None, "monotone")
    assert "none of 4 networks has an interior optimum of log cross-entropy: " in none
    assert none.endswith("2 flat, 1 monotone, 1 not computed.")
    every = with_verdicts(regime, optimum, *["interior"] * 4)
    assert "4 of 4 networks have" in every
    assert every.count("101.2 [98.7, 104.0]") == 4
    assert every.count("FLOPs per parameter") == 1
    assert "the others" not in every


def test_the_table_has_a_row_for_each_network(several):
    table = study_tables.optima_table(several)
    rows = [(row[1], row[2]) for row in table.rows]
    assert table.columns[1].head == "network"
    assert len(rows) == len(set(rows)) * 2 == 2 * 4 * 2


def test_everything_that_is_concluded_is_in_the_text(several, facts_of, provenance, printed_in):
    printed = printed_in(render(several, facts_of(several), provenance, draw_figures(several, facts_of(several))))
    reasons = [reason for optimum in several.every_optimum for reason in optimum.reasons]
    assert all(printed(signed(sentence)) for sentence in (*reasons, *several.transfer.reasons))
    assert all(map(printed, key_findings(several)))


def test_a_figure_shows_the_subnetworks_of_its_networks_alone(several):
    regime = several.regimes[0]
    figure = plot_networks(several, regime, regime.designs[:2])
    dots = [
        [len(marks.get_offsets()) for marks in axes.collections if isinstance(marks, PathCollection)]
        for axes in figure.axes
    ]
    first, second = (len(regime.subnetworks[regime.subnetworks["original"].isin(one.design.originals)])
                     for one in regime.designs[:2])  # fmt: skip
    assert [sum(panel) for panel in dots] == [first, first, second, second]
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["original 1", "original 2"]
    # no one fit is of several networks
    assert {"quadratic", "spline"} <= {text.get_text() for text in figure.legends[0].get_texts()}
    assert not {"quadratic", "spline"} & {text.get_text() for text in plot_summary(several).legends[0].get_texts()}
    second_lines = [note.get_text() for axes in plot_summary(several).axes for note in axes.texts]
    inside = sum(one.optimum.verdict == "interior" for one in regime.designs)
    assert f"interior: {inside} of 4 networks" in second_lines


def test_the_record_holds_every_network(several):
    stored = json.loads(json.dumps(several.to_dict(), allow_nan=False))
    assert [one["name"] for one in stored["regimes"][0]["designs"]] == [
        one.design.name for one in several.regimes[0].designs
    ]
    assert stored["regimes"][0]["designs"][0]["optima"]["log_cross_entropy"]["n_originals"] == 2
    assert stored["transfer"]["verdict"] == several.transfer.verdict
    assert "optima" not in stored["transfer"]
