"""The PDF: selectable text with all numbers, the same bytes twice, hostile names unchanged."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from pypdf import PdfReader

from prunestats.reports.pdf import draw_figures, render
from prunestats.reports.text import document, setup_tables, study_tables
from prunestats.reports.text.blocks import Picture, signed
from prunestats.reports.text.findings import key_findings


def squeezed(text):
    """Text without what line breaks may add: spaces and zero-width spaces."""
    return re.sub(r"[\s\u200b\u00ad]+", "", text)


@pytest.fixture(scope="module")
def made(studies, facts_of, provenance, hostile):
    """A function that gives the PDF of a case, each made once."""
    kept = {}

    def make(case):
        if case not in kept:
            study = studies[case]
            facts = facts_of(study, hostile if case == "tiny" else "digits")
            kept[case] = render(study, facts, provenance, draw_figures(study, facts))
        return kept[case]

    return make


@pytest.fixture(scope="module")
def text(made):
    return squeezed(" ".join(page.extract_text() for page in PdfReader(BytesIO(made("usual"))).pages))


def test_every_finding_and_reason_is_in_the_text(study, made, printed_in):
    printed = printed_in(made("usual"))
    for finding in key_findings(study):
        assert printed(finding)
    for regime in study.regimes:
        for optimum in regime.optima.values():
            assert all(printed(signed(reason)) for reason in optimum.reasons)
    assert not printed("At 50 % of the FLOPs, nothing of this kind was computed.")


def test_every_row_of_every_table_is_in_the_text(study, facts_of, text):
    facts = facts_of(study)
    shown = [
        setup_tables.counts_table(study, facts),
        setup_tables.originals_table(facts, study),
        setup_tables.populations_table(facts, study),
        study_tables.distributions_table(study),
        study_tables.differences_table(study),
        study_tables.superiority_table(study),
        study_tables.optima_table(study),
        study_tables.winners_table(study),
        setup_tables.failures_table(study),
    ]
    for table in shown:
        assert table.rows
        for row in table.rows:
            assert squeezed("".join(row)) in text, table.name


def test_provenance_is_in_the_text(study, facts_of, provenance, text):
    facts = facts_of(study)
    for told in (
        facts.fingerprint,
        provenance.rows_hash,
        "numpy2.4.6",
        "study11,analysis0",
        "multiply-adds",
        "results.db",
    ):
        assert squeezed(told) in text
    assert "2026-09-2114:13:20UTC" in text


def test_what_was_not_computed_is_not_mentioned(made):
    text = squeezed(" ".join(page.extract_text() for page in PdfReader(BytesIO(made("one_space"))).pages))
    assert "Comparisonofspaces" not in text
    assert "Brunner" not in text
    assert "strata:" not in text


def objects(reader):
    for number in range(1, int(reader.trailer["/Size"])):
        yield reader.get_object(number)


def test_it_is_tagged_and_has_an_outline_and_a_title(made):
    reader = PdfReader(BytesIO(made("usual")))
    assert "/StructTreeRoot" in reader.trailer["/Root"]
    assert reader.metadata.title == "Pruning spaces of “digits”"
    headings = [entry["/Title"] for entry in reader.outline if not isinstance(entry, list)]
    assert headings[0].endswith("Key findings")
    assert headings[-1].endswith("Provenance")
    alternatives = [o["/Alt"] for o in objects(reader) if isinstance(o, dict) and "/Alt" in o]
    assert any("Scatter plot of FLOPs" in alternative for alternative in alternatives)


def test_same_arguments_same_bytes(made, study, facts_of, provenance):
    facts = facts_of(study)
    assert render(study, facts, provenance, draw_figures(study, facts)) == made("usual")


@pytest.mark.parametrize("case", ["tiny", "many", "failed", "all_failed"])
def test_every_case_is_set(made, studies, case, printed_in):
    printed = printed_in(made(case))
    for finding in key_findings(studies[case]):
        if case != "tiny":
            assert printed(finding)
    for regime in studies[case].regimes:
        assert all(printed(refusal) for refusal in regime.refusals)


def test_hostile_names_stay_text(made, hostile):
    text = squeezed(" ".join(page.extract_text() for page in PdfReader(BytesIO(made("tiny"))).pages))
    printed = squeezed(re.sub("[日本]", "", hostile))
    assert printed in re.sub("[日本]", "", text)
    assert "#eval(1)$x^2$*b*<i>&amp;\\u{41}@ref[link]//" in text


def test_a_figure_for_every_regime_and_every_few(studies, facts_of, provenance):
    study = studies["many"]
    names = ["populations", *(f"edfs-{i}" for i in range(1, 5)), *(f"responses-{i}" for i in range(1, 13))]
    pictures = {name: Picture(f"{name}.svg", 6.5) for name in names}
    blocks = document.document(study, facts_of(study), provenance, pictures)["blocks"]
    assert sorted(block["path"] for block in blocks if block["kind"] == "figure") == sorted(f"{n}.svg" for n in names)
