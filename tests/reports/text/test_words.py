"""Numbers in sentences and tables are those of the results: changed results change them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prunestats.numeric.intervals import Interval
from prunestats.reports.text import setup_tables, study_tables
from prunestats.reports.text.blocks import breakable, signed
from prunestats.reports.text.findings import (
    comparison_sentence,
    comparisons_sentence,
    counts_sentence,
    key_findings,
    verdict_sentence,
    winner_sentence,
)
from prunestats.reports.text.table import numbers, sizes
from prunestats.wording import fixed, plain, settings, shortened


@pytest.fixture(scope="module")
def optimum(study):
    return replace(
        study.regimes[0].optimum,
        verdict="interior", ratio=101.23, low=98.7, high=104.04, believed="spline", level=0.9, bucket=1,
        n_subnetworks=77, n_originals=3, ratio_min=12.3, ratio_max=456.7,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pair(study):
    return replace(
        study.regimes[0].comparison.pairs[0],
        a="wide", b="narrow", n_a=71, n_b=82,
        mean_difference=Interval(-0.0123, -0.0201, -0.0045, 0.95), p_less=Interval(0.71, 0.6, 0.8, 0.95),
    )  # fmt: skip


def test_interior_verdict(optimum):
    assert verdict_sentence(optimum, 0.25) == (
        "At 25 % of the FLOPs, log cross-entropy has an interior optimum: 101.2 FLOPs per parameter, 90 % "
        "confidence interval 98.7 to 104.0, estimated by spline (77 subnetworks of 3 originals, ratios 12.3 to 456.7)."
    )


def test_verdict_names_the_bucket_and_the_response(optimum):
    sentence = verdict_sentence(replace(optimum, bucket=1024, response="error"), 0.125)
    assert sentence.startswith("At 12.5 % of the FLOPs, error has")
    assert "FLOPs per bucket of 1,024 parameters" in sentence


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("edge", "lowest at the edge of the sampled ratios"),
        ("flat", "its dependence on the ratio is negligible"),
        ("unidentified", "the data do not decide whether"),
    ],
)
def test_verdicts_without_an_estimate_print_none(optimum, verdict, words):
    nothing = {"ratio": float("nan"), "low": float("nan"), "high": float("nan"), "believed": None}
    sentence = verdict_sentence(replace(optimum, verdict=verdict, **nothing), 0.5)
    assert words in sentence
    assert "nan" not in sentence
    assert "interval" not in sentence


def test_an_estimate_at_the_edge_is_told(optimum):
    assert "101.2 FLOPs per parameter" in verdict_sentence(replace(optimum, verdict="edge"), 0.5)


@pytest.mark.parametrize(("slope", "words"), [(1.0, "rises with the ratio"), (-1.0, "falls with the ratio")])
def test_monotone_verdict_says_which_way(optimum, slope, words):
    line = replace(optimum.quadratic, coefficients=optimum.quadratic.coefficients * 0 + [0, slope, 0])
    assert words in verdict_sentence(replace(optimum, verdict="monotone", quadratic=line), 0.5)


def test_no_optimum_is_said():
    assert verdict_sentence(None, 0.1) == "At 10 % of the FLOPs, no optimum was computed."


def test_comparison_names_the_better_space(pair):
    assert comparison_sentence(pair, 0.5) == (
        "At 50 % of the FLOPs, “wide” has a mean test error 1.23 percentage points lower than “narrow” (95 % "
        "confidence interval 0.45 to 2.01; n = 71 and 82); the probability that one of its subnetworks has the lower "
        "error of the two is 71 %."
    )


def test_comparison_turned_round(pair):
    turned = replace(
        pair, mean_difference=Interval(0.0123, 0.0045, 0.0201, 0.95), p_less=Interval(0.29, 0.2, 0.4, 0.95)
    )
    assert (
        "“narrow” has a mean test error 1.23 percentage points lower than “wide” (95 % confidence interval 0.45 to 2.01"
    ) in comparison_sentence(turned, 0.5)
    assert comparison_sentence(turned, 0.5).endswith("is 71 %.")


def test_comparison_that_is_undecided_says_so(pair):
    sentence = comparison_sentence(replace(pair, mean_difference=Interval(-0.001, -0.003, 0.001, 0.95)), 0.5)
    assert (
        "are not significantly different: their difference is −0.10 percentage points "
        "(95 % confidence interval −0.30 to 0.10"
    ) in sentence


def test_winners_are_averaged(study):
    (winner,) = study.regimes[0].spaces[0].winners[:1]
    pair = replace(winner, optimism=0.02, test_rank=1), replace(winner, optimism=0.01, test_rank=5)
    assert (
        "the test error of the 2 winners, selected by validation error, is on average 1.50 percentage points higher "
        "than their validation error"
    ) in winner_sentence(pair)
    assert "1 of them is also first by test error" in winner_sentence(pair)


def test_one_winner_is_ranked_and_optimism_can_be_negative(study):
    (winner,) = study.regimes[0].spaces[0].winners[:1]
    sentence = winner_sentence([replace(winner, optimism=-0.0012, test_rank=3, n_subnetworks=9)])
    assert "the winner, selected by validation error, is 0.12 percentage points lower than its validation" in sentence
    assert sentence.endswith("by test error it ranks 3 of 9.")


def test_many_comparisons_are_counted_in_one_sentence(study, pair):
    intervals = [Interval(v, v - 0.01, v + 0.01, 0.95) for v in (-0.03, -0.02, 0.02, 0.005, 0.0, -0.004, 0.001, 0.04)]
    pairs = [replace(pair, a="initial", b="other", mean_difference=interval) for interval in intervals]
    turned = replace(pairs[0], a="other", b="initial")
    sentence = comparisons_sentence([*pairs, turned], "initial")
    assert sentence.startswith(
        "Of 9 comparisons with “initial”, at 95 % confidence each and not adjusted for their number"
    )
    assert sentence.endswith(
        "error in 3, a significantly higher one in 2, and in 4 the two are not significantly different."
    )
    regime = replace(study.regimes[0], comparison=replace(study.regimes[0].comparison, pairs=(*pairs, turned)))
    assert sentence in key_findings(replace(study, regimes=(regime,)))


def test_key_findings_are_the_sentences_of_their_results(study):
    findings = key_findings(study)
    for regime in study.regimes:
        assert verdict_sentence(regime.optimum, regime.regime) in findings
        assert comparison_sentence(regime.comparison.pairs[0], regime.regime) in findings
    assert findings[-1] == counts_sentence(study) == "478 runs finished, 2 failed (0.42 %)."


def test_tables_print_the_results(study):
    printed = {column.head: column.cells for column in study_tables.optima_table(study).columns}
    shown = [optimum for regime in study.regimes for optimum in regime.optima.values()]
    assert printed["n"] == tuple(str(optimum.n_subnetworks) for optimum in shown)
    assert printed["verdict"] == tuple(optimum.verdict for optimum in shown)
    differences = study_tables.differences_table(study)
    pairs = [pair for regime in study.regimes for pair in regime.comparison.pairs]
    expected = tuple(fixed(100 * pair.mean_difference.value, 2) for pair in pairs)
    assert next(c.cells for c in differences.columns if c.group.startswith("mean")) == expected


def test_changed_results_change_the_tables(study, optimum):
    changed = replace(study, regimes=(replace(study.regimes[0], optima={"log_cross_entropy": optimum}),))
    (row,) = study_tables.optima_table(changed).rows
    assert {"77", "12.3", "456.7", "interior", "spline", "101.2", "98.7", "104.0"} <= set(row)
    assert study_tables.optima_table(changed).rows != study_tables.optima_table(study).rows


def test_counts_tell_finished_failed_and_missing(study, facts_of):
    rows = setup_tables.counts_table(study, facts_of(study)).rows
    assert rows[0] == ("50 %", "initial", "80", "80", "0", "3")
    assert rows[4] == ("10 %", "initial", "80", "78", "2", "0")


@pytest.mark.parametrize(
    ("value", "digits", "printed"),
    [
        (-0.0049, 2, "0.00"),
        (-0.005001, 2, "−0.01"),
        (1234.5, 1, "1,234.5"),
        (float("inf"), 2, "∞"),
        (float("nan"), 2, "–"),
    ],
)
def test_rounding(value, digits, printed):
    assert fixed(value, digits) == printed


def test_columns_share_their_decimals_and_unit():
    column = sizes("FLOPs", [950_000, 2_100_000])
    assert (column.head, column.cells) == ("FLOPs (M)", ("0.95", "2.10"))
    assert numbers("ratio", [1.0, None, 12.345], 1).cells == ("1.0", "–", "12.3")


def test_names_stay_on_one_line_and_can_be_broken():
    assert breakable("95 % of n = 8, p < 0.001") == "95\u00a0% of n\u00a0=\u00a08, p\u00a0<\u00a00.001"
    assert signed("(-1.2) two-lines [-3, 4-5]") == "(−1.2) two-lines [−3, 4-5]"
    assert plain("a\x00b\u202ec\nd") == "a\ufffdb\ufffdc d"
    assert breakable("w" * 30).replace("\u200b", "") == "w" * 30
    assert max(map(len, breakable("w" * 300).split("\u200b"))) <= 12
    assert len(shortened("n" * 300)) <= 36
    assert settings({"lr": 0.1, "optimizer": {"name": "sgd"}}) == "lr 0.1, optimizer.name sgd"
