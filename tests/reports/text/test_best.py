"""The first page: a box of answers, the front, and neither without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader

from prunestats.noise.best_sentences import answer_sentence, splits_sentence
from prunestats.noise.subnetwork_to_take import best_subnetworks
from prunestats.reports.analysis.study import analyse_study
from prunestats.reports.figures.files import svg
from prunestats.reports.figures.front import plot_front
from prunestats.reports.figures.style import report_style
from prunestats.reports.pdf import draw_figures, render
from prunestats.reports.text.best import best_blocks
from prunestats.reports.text.blocks import Picture
from prunestats.reports.text.document import document


@pytest.fixture(scope="module")
def made(frames_of, facts_of):
    """A function that gives an analysed study with its subnetworks to take, and its record."""

    def make(originals=None, uniform="uniform", test=True, **options):
        frames = frames_of(**({"n": 12, "seeds": 2, "regimes": (0.5, 0.25)} | options))
        if not test:
            frames = frames[0], frames[1].assign(error=np.nan, test_error=np.nan)
        study = analyse_study(*frames, rng=np.random.default_rng(0))
        facts = facts_of(study)
        facts = replace(facts, originals=tuple(originals(facts.originals)) if originals else facts.originals)
        return replace(study, best=best_subnetworks(*frames, facts.originals, uniform=uniform)), facts

    return make


@pytest.fixture(scope="module")
def usual(made):
    return made()


def blocks(study):
    return list(best_blocks(study, {"front": Picture("front.svg", 6.5)}))


def test_each_answer_is_printed_on_the_first_page(usual, provenance, printed_in, tmp_path):
    study, facts = usual
    pdf = render(study, facts, provenance, draw_figures(study, facts))
    (tmp_path / "r.pdf").write_bytes(pdf)
    first = PdfReader(tmp_path / "r.pdf").pages[0].extract_text()
    assert first.index("Subnetworks to take") < first.index("Key findings")
    assert "Figure 1." in first
    printed = printed_in(pdf)
    assert printed(splits_sentence(study.best))
    assert [one.regime for one in study.best] == [0.5, 0.25]
    assert all(printed(answer_sentence(one)) for one in study.best)
    assert pdf == render(study, facts, provenance, draw_figures(study, facts))


def test_the_box_gives_widths_cost_and_command(usual):
    study, _ = usual
    one = replace(study.best[0], widths={"stem": 3, "conv": 5}, export="prunestats export-subnetwork k -o f --db d")
    (item,) = blocks(replace(study, best=(one,)))[2]["items"]
    assert [label for label, _ in item["lines"]] == ["widths", "cost", "as good"]
    assert item["lines"][0][1] == "stem 3, conv 5"
    assert item["command"] == one.export
    many = blocks(replace(study, best=(one,) * 5))[2]["items"]
    assert [item["lines"] for item in many] == [[]] * 5
    assert all(item["command"] for item in many)


def test_nothing_within_a_budget_is_one_line(usual):
    study, facts = usual
    none = replace(study.best[0], subnetwork=None, expected=None, notes=("None of 3 subnetworks is within it.",))
    (item,) = blocks(replace(study, best=(none,)))[2]["items"]
    assert (item["lines"], item["command"]) == ([], "")
    assert item["text"].startswith("none of 3 subnetworks")
    with report_style():
        assert svg(plot_front(replace(study, best=(none,)), facts.originals))


def test_without_answers_there_is_neither_box_nor_front(usual, provenance):
    study, facts = usual
    bare = replace(study, best=())
    assert "front" not in draw_figures(bare, facts)
    pictures = {name: Picture("a.svg", 6.5) for name in draw_figures(bare, facts)}
    assert not any(block["kind"] == "answers" for block in document(bare, facts, provenance, pictures)["blocks"])


def labels(study, facts):
    with report_style():
        figure = plot_front(study, facts.originals)
    return [text.get_text() for text in figure.legends[0].get_texts()], figure.axes


def test_the_front_shows_dense_uniform_and_found(usual):
    names, (axes,) = labels(*usual)
    assert names == ["initial", "uniform", "dense network", "uniform pruning, mean", "to take"]
    study, _ = usual
    drawn = [line for line in axes.lines if line.get_marker() == "D"]
    assert [100 * one.expected.value for one in reversed(study.best)] == pytest.approx(list(drawn[0].get_ydata()))
    bars = [line for line in axes.lines if line.get_marker() in ("", "None")]
    # one interval for each winner and each mean of uniform pruning
    assert len(bars) == 4
    low, high = axes.get_ylim()
    assert all(low < 100 * bound < high for one in study.best for bound in (one.expected.low, one.expected.high))
    assert axes.get_ylabel() == "test error (%)"


def test_imports_without_dense_error_uniform_or_test_split(made):
    study, facts = made(
        lambda originals: [replace(one, val_error=None, test_error=None) for one in originals],
        uniform=None, test=False, seeds=1, regimes=(0.5,),
    )  # fmt: skip
    names, (axes,) = labels(study, facts)
    assert names == ["initial", "uniform", "to take"]
    assert axes.get_ylabel() == "validation error (%)"
    assert "no test error is recorded apart" in blocks(study)[1]["text"]
    assert "Squares" not in blocks(study)[3]["caption"]


def test_each_network_has_its_panel(made):
    study, facts = made(lambda originals: [replace(originals[0], network="wide net"), *originals[1:]])
    assert len(study.best) == 4
    _, panels = labels(study, facts)
    assert sorted(axes.get_title(loc="left") for axes in panels) == ["resnet_digits", "wide net"]
