"""Reports of studies with a metric of their own: that response alone, in its name, its unit and its direction."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from prunestats.metric import ERROR, Metric, with_metric
from prunestats.noise.best_sentences import answer_sentence
from prunestats.noise.subnetwork_to_take import best_subnetworks
from prunestats.numeric.intervals import Interval
from prunestats.reports.analysis.study import analyse_study
from prunestats.reports.text import setup_tables, study_tables
from prunestats.reports.text.blocks import Picture
from prunestats.reports.text.document import document
from prunestats.reports.text.findings import comparison_sentence, comparisons_sentence, key_findings

PERPLEXITY = Metric("perplexity")
MIOU = Metric("miou", "maximize", "fraction", 0.0, 1.0)
VALUES = {PERPLEXITY: lambda e: 10 * np.exp(2 * e), MIOU: lambda e: 1 - e, ERROR: lambda e: e}


def own(frame, metric):
    """The frame of a study with this metric, a function of the error."""
    if metric == ERROR:
        return frame
    bare = frame.drop(columns=["error", "log_cross_entropy", "val_error", "test_error", "val_ll", "test_ll"])
    return with_metric(bare.assign(**{metric.name: VALUES[metric](frame["error"])}), metric)


@pytest.fixture(scope="module")
def analysed(frames_of, facts_of):
    """A function of a metric that gives an analysed study with its subnetworks to take, and its record."""
    known = {}

    def analyse(metric):
        if metric not in known:
            frames = [own(frame, metric) for frame in frames_of(n=15, seeds=2, regimes=(0.5, 0.25))]
            study = analyse_study(*frames, rng=np.random.default_rng(0))
            facts = facts_of(study)
            value = VALUES[metric]
            originals = tuple(
                replace(one, val_metric=float(value(one.val_error)), test_metric=float(value(one.test_error)))
                for one in facts.originals
            )
            facts = replace(facts, metric=metric, originals=originals)
            best = best_subnetworks(*frames, originals, uniform="uniform", rng=np.random.default_rng(1))
            known[metric] = replace(study, best=best), facts
        return known[metric]

    return analyse


def strings(part):
    """Every string of a document."""
    if isinstance(part, str):
        return [part]
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [text for one in parts for text in strings(one)]


@pytest.fixture(scope="module")
def text_of(analysed, provenance):
    def text(metric):
        study, facts = analysed(metric)
        pictures = defaultdict(lambda: Picture("figure.svg", 6.5))
        every = strings(document(study, facts, provenance, pictures)["blocks"])
        return "\n".join(every).replace("\u00a0", " ").replace("\u200b", "")

    return text


def test_the_text_of_a_perplexity_has_no_error_and_no_percentage_of_it(text_of):
    text = text_of(PERPLEXITY)
    for word in ("accuracy", "percentage points", "(pp)", "error (%)", "perplexity (%)", "cross-entropy", "Cross-"):
        assert word not in text, word
    # standard errors are part of the methods
    assert not re.findall(r"(?<!tandard )error", text, re.IGNORECASE)
    for sentence in (
        "Selected by validation perplexity; values are those of the test split",
        "Intervals are over training seeds and subnetworks, on these data: how far perplexity would differ on other",
        "Perplexity on the test split against FLOPs",
        "Perplexity distributions",
        "the share with at most the stated perplexity, test split",
        "Perplexity against FLOPs per parameter at 50 % of the FLOPs",
        "The verdict of a regime is that of perplexity: the best ratio is where it is lowest.",
        "The lowest of many noisy validation perplexity values underestimates the perplexity of its subnetwork",
        "Negative: A has the lower perplexity.",
        "P(A < B): probability that a subnetwork of A has a lower test perplexity than one of B",
        "the test perplexity of the 8 winners, selected by validation perplexity, is on average",
        "Perplexity is the metric that this study names; lower is better.",
        "Perplexity is regressed on the log ratio",
        "Scatter plots of perplexity against the ratio",
    ):
        assert sentence in text, sentence


def test_percentages_beside_a_perplexity_are_of_something_else(analysed, text_of):
    """Headings have it for probabilities, proposals and FLOPs; sentences for FLOPs, levels and probabilities."""
    headings = re.findall(r"^.*\(%\)$", text_of(PERPLEXITY), re.MULTILINE)
    assert set(headings) == {"P(A < B) (%)", "acceptance (%)", "FLOPs difference (%)"}
    study, _ = analysed(PERPLEXITY)
    sentences = [sentence for sentence in key_findings(study) if "perplexity" in sentence]
    sentences += [answer_sentence(one) for one in study.best]
    assert len(sentences) > 5
    for sentence in sentences:
        assert "%" not in re.sub(r"[\d.]+ % (of the FLOPs|confidence)|of the two is \d+ %", "", sentence), sentence


def test_a_maximised_metric_is_higher_where_it_is_better(text_of):
    text = text_of(MIOU)
    assert not re.findall(r"(?<!tandard )error", text, re.IGNORECASE)
    for sentence in (
        "The verdict of a regime is that of mIoU: the best ratio is where it is highest.",
        "The highest of many noisy validation mIoU values overestimates the mIoU of its subnetwork",
        "Positive: A has the higher mIoU.",
        "The axis reaches the 10 % quantile of every regime.",
        "the subnetwork with the highest validation mIoU",
        "validation minus test mIoU of the winner",
        "in percentage points (pp)",
        "is no evidence of an inverted U shape.",
        "estimates the maximum by posterior draws",
        "mIoU, in %, is the metric that this study names; higher is better.",
    ):
        assert sentence in text, sentence


def test_winners_are_mirrored(analysed):
    (mine, _), (error, _) = analysed(MIOU), analysed(ERROR)
    for one, other in zip(winners(mine), winners(error), strict=True):
        same = ("space", "original", "test_rank", "n_subnetworks")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        assert one.optimism == pytest.approx(other.optimism, abs=1e-12)
        assert one.test_error == pytest.approx(1 - other.test_error)
    for one, other in zip(mine.populations, error.populations, strict=True):
        assert one[1].mean_error == pytest.approx(1 - other[1].mean_error)


def test_comparisons_are_mirrored(analysed):
    (mine, _), (error, _) = analysed(MIOU), analysed(ERROR)
    for one, other in zip(mine.regimes, error.regimes, strict=True):
        (pair,), (mirrored,) = one.comparison.pairs, other.comparison.pairs
        sentence = comparison_sentence(mirrored, 0.5).replace("lower", "higher").replace("errors", "mIoU values")
        sentence = sentence.replace("error", "mIoU")
        turned = comparison_sentence(pair, 0.5, MIOU)
        if "not significantly" not in turned:
            assert turned == sentence
    tables = [study_tables.superiority_table(study).columns for study in (mine, error)]
    assert [column.group for column in tables[0] if "P(A" in column.group] == ["P(A > B) (%)"] * 4
    # ties of mean errors are broken by rounding where these are subtracted from 1
    cells = [[float(cell) for column in columns[3:6] for cell in column.cells] for columns in tables]
    assert cells[0] == pytest.approx(cells[1], abs=1)


def test_sentences_of_any_metric_name_the_better_space(analysed):
    study, _ = analysed(ERROR)
    pair = study.regimes[0].comparison.pairs[0]
    clear = replace(pair, mean_difference=Interval(-0.02, -0.03, -0.01, 0.95), p_less=Interval(0.8, 0.7, 0.9, 0.95))
    a, b = f"“{pair.a}”", f"“{pair.b}”"
    assert f"{a} has a mean test error 2.00 percentage points lower than {b}" in comparison_sentence(clear, 0.5)
    assert f"{b} has a mean test mIoU 2.00 percentage points higher than {a}" in comparison_sentence(clear, 0.5, MIOU)
    assert comparison_sentence(clear, 0.5, MIOU).endswith("has the higher mIoU of the two is 80 %.")
    psnr = comparison_sentence(clear, None, Metric("psnr", "maximize", "dB"))
    assert f"At any number of FLOPs, {b} has a mean test psnr 0.0200 dB higher than {a}" in psnr
    assert "0.0200 lower than" in comparison_sentence(clear, 0.5, PERPLEXITY)
    counted = comparisons_sentence([clear, clear], pair.a, MIOU)
    assert "a significantly higher mean test mIoU in 2, a significantly lower one in 0" in counted


def winners(study):
    # a tie in error is broken by cross-entropy, which a study of another metric has not
    return [w for _, space in study.populations for w in space.winners if not w.notes or "share" not in w.notes[0]]


def test_only_the_study_s_metric_is_analysed(analysed):
    study, _ = analysed(PERPLEXITY)
    assert study.responses == ("perplexity",)
    assert {optimum.response for optimum in study.every_optimum} <= {"perplexity"}
    stored = study.to_dict()
    assert stored["metric"]["name"] == "perplexity"
    space = stored["regimes"][0]["spaces"][0]
    assert space["perplexity"]["quantiles"]["0.5"] == pytest.approx(float(study.populations[0][1].error.quantile(0.5)))
    assert {"mean_perplexity", "perplexity", "winners"} <= set(space)
    assert not {"error", "mean_error", "log_cross_entropy"} & set(space)
    assert {"val_perplexity", "test_perplexity"} <= set(space["winners"][0])
    assert "val_perplexity" in study.regimes[0].subnetworks.columns


def test_tables_have_the_unit_in_their_headings(analysed):
    for metric, heading in ((PERPLEXITY, "perplexity"), (MIOU, "mIoU (%)"), (ERROR, "error (%)")):
        study, facts = analysed(metric)
        groups = {column.group for column in study_tables.distributions_table(study).columns}
        assert f"test {heading}" in groups
        originals = setup_tables.originals_table(facts, study)
        assert [column.head for column in originals.columns if column.group == heading] == ["validation", "test"]
    study, facts = analysed(PERPLEXITY)
    printed = [column.cells for column in setup_tables.originals_table(facts, study).columns if column.group]
    assert printed[1] == tuple(f"{one.test_metric:.1f}" for one in facts.originals)
    groups = {column.group for column in study_tables.differences_table(study).columns}
    assert {"mean difference", "median difference"} <= groups


def test_key_findings_name_the_metric(analysed):
    study, _ = analysed(PERPLEXITY)
    text = " ".join(key_findings(study))
    assert "mean test perplexity" in text
    assert "error" not in text
