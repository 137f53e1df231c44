"""The section on refined spaces: results of other studies of the same database, and the same bytes when rebuilt."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader
from sqlalchemy import update

from prunestats.db import import_results, open_database, read, refinements, write
from prunestats.db.schema import tables as schema
from prunestats.errors import DatabaseError
from prunestats.reports import build_report, rebuild_report

MOMENT = "2026-09-21T14:13:20"


def fill(path, name, spaces, *, refines=None, n=60, seed=0):
    """A study at half the FLOPs whose spaces have the given mean errors, and which may refine another."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"space": np.repeat(list(spaces), n), "flops": 2_000_000})
    table["subnetwork"] = [f"{name}-{row}" for row in range(len(table))]
    table["params"] = rng.integers(15_000, 25_000, len(table))
    table["val_error"] = np.repeat(list(spaces.values()), n) + 0.01 * rng.standard_normal(len(table))
    table["test_error"] = table["val_error"]
    import_results(
        path, table, study=name, original="net", original_flops=4_000_000, original_params=40_000, regimes=[0.5],
        tolerance=0.02, flops_convention="multiply-adds",
    )  # fmt: skip
    if refines is not None:
        engine = open_database(path)
        with write(engine) as connection:
            text = json.dumps({"name": name, "refines": refines})
            connection.execute(update(schema.study).where(schema.study.c.name == name).values(text=text))
            connection.exec_driver_sql(
                "INSERT INTO plan (study_id, protocol_id, seed) SELECT DISTINCT p.study_id, r.protocol_id, r.seed "
                "FROM run r JOIN draw d ON d.subnetwork_id = r.subnetwork_id JOIN population p ON "
                "p.id = d.population_id WHERE p.study_id = (SELECT max(id) FROM study)"
            )
        engine.dispose()


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "results.db"
    fill(path, "first", {"initial": 0.10, "other": 0.10})
    return path


def text_of(path):
    return "".join("".join(page.extract_text() for page in PdfReader(path).pages).split()).replace("\u200b", "")


def test_a_study_that_nothing_refines_has_no_such_section(database, out):
    report = build_report(database, out, timestamp=MOMENT)
    assert report.analysis.refined == ()
    assert "Gainoftherefinedspace" not in text_of(out)


def test_what_was_gained_stands_in_the_report_of_the_study_that_was_refined(database, out):
    fill(database, "again", {"initial": 0.10, "near": 0.07, "far": 0.10}, refines="first", seed=1)
    fill(database, "apart", {"initial": 0.10}, seed=2)
    report = build_report(database, out, study="first", timestamp=MOMENT, figures=out.with_name("figures"))
    (refined,) = report.analysis.refined
    saves = {found.refined: found.saving.saves for found in refined.contests}
    assert saves == {"near": True, "far": False}
    text = text_of(out)
    for told in ("Gainoftherefinedspace", "“again”", "beforeanyofits180runs"):
        assert told in text
    factor = next(found.saving.factor.value for found in refined.contests if found.refined == "near")
    assert f"“near”{factor:.1f}timesfewerat50%oftheFLOPs" in text
    assert refined.sentence in report.analysis.findings
    assert (out.with_name("figures") / "refined-1.png").stat().st_size > 10_000


def test_without_a_name_the_report_is_of_the_study_that_refines_none(database, out):
    fill(database, "again", {"initial": 0.10, "near": 0.10}, refines="first", seed=1)
    assert len(build_report(database, out, timestamp=MOMENT).analysis.spaces) == 2
    (refined,) = build_report(database, out, timestamp=MOMENT).analysis.refined
    assert refined.sentence.endswith(
        "“near” does not need significantly fewer subnetworks than “initial” for the same expected lowest error."
    )
    with read(open_database(database, create=False)) as connection:
        assert refinements(connection) == {"again": "first"}


def test_too_few_subnetworks_are_a_refusal_in_print(database, out):
    fill(database, "again", {"initial": 0.10, "near": 0.10}, refines="first", n=3, seed=1)
    (refined,) = build_report(database, out, timestamp=MOMENT).analysis.refined
    assert refined.contests == ()
    assert "nothing could be compared" in refined.sentence
    assert "runmoreofthestudy" in text_of(out)


def test_a_report_is_made_again_from_the_rows_of_both_studies(database, out):
    fill(database, "again", {"initial": 0.10, "near": 0.07}, refines="first", seed=1)
    report = build_report(database, out, timestamp=MOMENT)
    again = rebuild_report(database, out.with_name("again.pdf"), report.analysis_id, timestamp=MOMENT)
    assert out.with_name("again.pdf").read_bytes() == out.read_bytes()
    assert again.warnings == ()
    fill(database, "third", {"initial": 0.10, "near": 0.07}, refines="first", seed=2)
    with pytest.raises(DatabaseError, match="they have changed since"):
        rebuild_report(database, out, report.analysis_id)
