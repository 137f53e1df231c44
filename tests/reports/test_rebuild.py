"""Provenance: a report is rebuilt from its row, or refused because its rows have changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader
from sqlalchemy import update

from prunestats.db import import_results, list_analyses, open_database, read, store_analysis, write
from prunestats.db.schema import tables as schema
from prunestats.db.storing.analyses import analysis_result
from prunestats.errors import DatabaseError, InputError
from prunestats.reports import build_report, rebuild_report

MOMENT = "2026-09-21T14:13:20"


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    ratio = rng.uniform(50, 150, 40)
    error = 0.1 + 0.05 * np.log(ratio / 90) ** 2 + rng.normal(0, 0.002, 40)
    return pd.DataFrame({"subnetwork": [f"a{k}" for k in range(40)], "flops": 1_000_000,
                         "params": (1e6 / ratio).astype(int), "val_error": error})  # fmt: skip


def store(path, table):
    return import_results(path, table, original="net", flops_convention="multiply-adds", study="outside")


@pytest.fixture(scope="module")
def database(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("rebuild") / "results.db"
    store(path, table)
    return path


@pytest.fixture(scope="module")
def built(database):
    return build_report(database, database.with_name("report.pdf"), bucket=1, timestamp=MOMENT, seed=3)


def test_external_results_have_a_report_with_a_verdict_on_error(built):
    assert built.verdicts[0].startswith("At 100 % of the FLOPs, ")
    assert "error" in built.verdicts[0]
    text = "".join(page.extract_text() for page in PdfReader(built.path).pages)
    assert "results from outside" in text
    assert "not recorded" in text


def test_the_same_row_gives_the_same_bytes(built, database, out):
    again = rebuild_report(database, out / "again.pdf", built.analysis_id, timestamp=MOMENT)
    assert again.warnings == ()
    assert again.report.analysis_id == built.analysis_id
    assert again.report.analysis.to_dict() == built.analysis.to_dict()
    assert (out / "again.pdf").read_bytes() == built.path.read_bytes()


def test_the_first_page_is_stored(built):
    (one,) = built.analysis.best
    assert (one.split, one.corrected, one.export) == ("validation", False, None)
    assert built.analysis.to_dict()["best"][0]["subnetwork"] == one.subnetwork
    first = " ".join(PdfReader(built.path).pages[0].extract_text().split())
    assert f"take {one.subnetwork}" in first
    assert "Selected and reported on one split" in first


def test_another_seed_is_another_row(built, database, out):
    other = build_report(database, out / "other.pdf", timestamp=MOMENT, seed=4)
    assert other.analysis_id != built.analysis_id
    engine = open_database(database)
    with read(engine) as connection:
        rows = {row.id: row for row in list_analyses(connection, study="outside")}
        with pytest.raises(InputError, match="'outside'"):
            list_analyses(connection, study="outsid")
    engine.dispose()
    assert rows[built.analysis_id].parameters == {"bucket": 1, "seed": 3}
    assert rows[other.analysis_id].parameters == {"bucket": 1, "seed": 4}
    assert {(row.kind, row.study, row.n_rows) for row in rows.values()} == {("report", "outside", 40)}


def test_changed_rows_are_refused_and_nothing_is_written(tmp_path, table):
    path = tmp_path / "results.db"
    store(path, table.iloc[:30])
    built = build_report(path, tmp_path / "r.pdf", timestamp=MOMENT)
    store(path, table)
    with pytest.raises(
        DatabaseError, match=r"expected the 30 runs that analysis 1 was computed from.*found 40"
    ) as caught:
        rebuild_report(path, tmp_path / "again.pdf", built.analysis_id)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "again.pdf").exists()


def test_another_version_is_a_warning(built, database, out, monkeypatch):
    monkeypatch.setattr("prunestats.reports.rebuild.code_versions", lambda: {"numpy": "99"})
    again = rebuild_report(database, out / "again.pdf", built.analysis_id)
    assert len(again.warnings) == 1
    assert "99 now): its results are the same" in again.warnings[0]


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("reasons", ["The same reason in other words."], "its results are the same"),
        ("ratio_min", 1.5, "its results differ from the stored ones"),
    ],
)
def test_numbers_are_compared_and_not_their_wording(tmp_path, table, monkeypatch, name, value, outcome):
    path = tmp_path / "results.db"
    store(path, table)
    built = build_report(path, tmp_path / "r.pdf", timestamp=MOMENT)
    stored = built.analysis.to_dict()
    stored["regimes"][0]["optima"]["error"][name] = value
    engine = open_database(path)
    with write(engine) as connection:
        connection.execute(update(schema.analysis).values(result=stored))
    engine.dispose()
    monkeypatch.setattr("prunestats.reports.rebuild.code_versions", lambda: {"numpy": "99"})
    monkeypatch.setattr("prunestats.reports.build.code_versions", lambda: {"numpy": "99"})
    (warning,) = rebuild_report(path, tmp_path / "again.pdf", built.analysis_id).warnings
    assert outcome in warning


@pytest.mark.parametrize("depth", [0, 2])
def test_results_that_a_later_version_added_are_not_compared(tmp_path, table, monkeypatch, depth):
    path = tmp_path / "results.db"
    store(path, table)
    built = build_report(path, tmp_path / "r.pdf", timestamp=MOMENT)
    stored = built.analysis.to_dict()
    if depth:
        del stored["metric"], stored["best"][0]["metric"]
    else:
        del stored["best"]
    engine = open_database(path)
    with write(engine) as connection:
        connection.execute(update(schema.analysis).values(result=stored))
    engine.dispose()
    for module in ("rebuild", "build"):
        monkeypatch.setattr(f"prunestats.reports.{module}.code_versions", lambda: {"numpy": "99"})
    (warning,) = rebuild_report(path, tmp_path / "again.pdf", built.analysis_id).warnings
    assert warning.endswith("its results are the same")


def test_numbers_that_are_none_of_a_report_are_refused(database, out):
    engine = open_database(database)
    with write(engine) as connection:
        edf = store_analysis(connection, study_id=1, kind="edf", parameters={}, rows_hash="h", n_rows=1, result={},
                             versions={})  # fmt: skip
    for number, complaint in ((999, "see `prunestats analyses`"), (edf, "which is of kind 'edf'")):
        with pytest.raises(InputError, match=complaint):
            rebuild_report(engine, out / "again.pdf", number)
    engine.dispose()


def test_results_stored_under_old_names_are_read_under_the_new_ones(built, database):
    engine = open_database(database)
    with write(engine) as connection:
        number = store_analysis(
            connection,
            study_id=None,
            kind="optimum",
            parameters={},
            rows_hash="h",
            n_rows=1,
            result={"found": [{"response": "log_loss", "x_low": 3.5, "x_q90": 7.0, "ratio": None}]},
            versions={},
        )
        found = analysis_result(connection, number)
    engine.dispose()
    assert found == {"found": [{"response": "log_cross_entropy", "ratio_min": 3.5, "ratio_q90": 7.0, "ratio": None}]}
