"""From a database to a file: provenance, the same bytes, one step, clear refusals."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader

from prunestats.db import (
    OriginalRow,
    Outcome,
    SubnetworkRow,
    open_database,
    store_environment,
    store_original,
    store_outcome,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    write,
)
from prunestats.errors import DatabaseError, InputError
from prunestats.reports import build_report

MOMENT = "2026-09-21T14:13:20"


def fill(path, name="digits", n=22, seed=3):
    """A small study with a U at half the FLOPs, one failed and one missing run."""
    rng = np.random.default_rng(seed)
    engine = open_database(path)
    with write(engine) as c:
        study = store_study(c, name=name, text="", fingerprint=f"print of {name}", seed=11)
        protocol = store_protocol(c, key="7c" * 32, name="l1", parameters={"criterion": "l1", "epochs": 2})
        machine = store_environment(c, host="h", platform="p", python="3", versions={})
        store_plan(c, study_id=study, protocol_id=protocol, seeds=[0])
        spaces = [
            store_space(c, study_id=study, name=s, sampler="independent", parameters={}, law=f"law of {s}")
            for s in ("zeta", "alpha")
        ]
        regime = store_regime(c, study_id=study, flops_fraction=0.5, tolerance=0.02)
        original = store_original(
            c,
            OriginalRow(
                key="a1b2",
                network="net",
                dataset="digits",
                seed=0,
                recipe={"epochs": 30},
                group_names=["g"],
                group_sizes=[9],
                flops=4_000_000,
                params=40_000,
                val_error=0.01,
                test_error=0.02,
            ),
        )
        for s, space in enumerate(spaces):
            u = rng.normal(0, 0.3, n)
            drawn = [SubnetworkRow(f"{s}-{k}", None, 2_000_000, int(20_000 * np.exp(-u[k]))) for k in range(n)]
            population = store_population(
                c, study_id=study, original_id=original, regime_id=regime, space_id=space, attempts=900,
                accepted=n + 2, duplicates=2, subnetworks=drawn,
            )  # fmt: skip
            ids = dict(
                c.exec_driver_sql(
                    "SELECT d.position, d.subnetwork_id FROM draw d WHERE d.population_id = ?", (population,)
                ).all()
            )
            for k in range(n - (s == 1)):
                error = float(np.round(0.05 * (1 + 2 * u[k] ** 2) * np.exp(rng.normal(0, 0.05)) * 400) / 400)
                metrics = {
                    "val_error": error, "test_error": error + 0.01, "val_loss": 3 * error, "test_loss": 4 * error,
                    "train_loss": 0.1,
                }  # fmt: skip
                lost = s == 0 and k == 0
                outcome = Outcome(
                    state="failed" if lost else "done", epochs=2, wall_s=float(rng.uniform(0, 9)),
                    failure="loss was not finite" if lost else None, epochs_log=(),
                    **(dict.fromkeys(metrics) if lost else metrics),
                )  # fmt: skip
                store_outcome(
                    c, subnetwork_id=ids[k], protocol_id=protocol, seed=0, environment_id=machine, outcome=outcome
                )
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("db") / "results.db")


@pytest.fixture(scope="module")
def built(database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return build_report(database, folder / "new" / "report.pdf", timestamp=MOMENT, figures=folder / "figures")


def text_of(path):
    return "".join("".join(page.extract_text() for page in PdfReader(path).pages).split()).replace("\u200b", "")


def test_the_report_tells_what_is_in_the_database(built):
    text = text_of(built.path)
    for told in ("“digits”", "lawofzeta", "criterionl1,epochs2", "900", "results.db", "seed11", "losswasnotfinite"):
        assert told in text
    assert "1plannedrunisstillmissing" in text
    assert all("".join(verdict.split()) in text for verdict in built.verdicts)
    assert (built.analysis.n_done, built.analysis.n_failed) == (42, 1)


def test_the_first_stored_space_is_the_initial_one(built):
    assert built.analysis.spaces == ("zeta", "alpha")
    assert built.analysis.regimes[0].optimum.n_subnetworks == 21


def test_the_analysis_is_stored_once(built, database):
    again = build_report(database, built.path.with_name("again.pdf"), timestamp=MOMENT)
    assert again.analysis_id == built.analysis_id
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT kind, n_rows, rows_hash, parameters FROM analysis").fetchall()
    connection.close()
    ((kind, n_rows, rows_hash, parameters),) = rows
    assert (kind, n_rows) == ("report", 43)
    assert rows_hash in text_of(built.path)
    assert '"bucket"' in parameters
    assert again.path.read_bytes() == built.path.read_bytes()


def test_the_moment_changes_the_bytes_and_may_come_from_the_environment(built, database, out, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    assert Path(build_report(database, out / "r.pdf")).read_bytes() == built.path.read_bytes()
    assert Path(build_report(database, out / "r.pdf", timestamp=0)).read_bytes() != built.path.read_bytes()


def test_figures_are_written_as_svg_and_png(built):
    folder = built.path.parent.parent / "figures"
    names = {"front", "populations", "summary", "edfs-1", "responses-1"}
    assert {path.name for path in folder.iterdir()} == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}


def test_an_open_engine_stays_open(database, out):
    engine = open_database(database)
    report = build_report(engine, out / "r.pdf", timestamp=0)
    assert os.fspath(report) == str(out / "r.pdf")
    with write(engine):
        pass
    engine.dispose()


def test_a_failure_leaves_the_old_report(built, database, monkeypatch):
    before = built.path.read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        build_report(database, built.path, timestamp=0)
    assert built.path.read_bytes() == before
    assert [path.name for path in built.path.parent.iterdir() if path.name.startswith(".")] == []


def test_refusals_are_one_line_with_a_remedy(database, out, tmp_path):
    with pytest.raises(InputError, match=r"study named 'nope' to analyse; found digits"):
        build_report(database, out / "r.pdf", study="nope")
    with pytest.raises(InputError, match=r"timestamp must be .* found 'noon'"):
        build_report(database, out / "r.pdf", timestamp="noon")
    with pytest.raises(DatabaseError):
        build_report(tmp_path / "none.db", out / "r.pdf")
    two = fill(fill(tmp_path / "two.db", "one", n=3), "two", n=3)
    with pytest.raises(InputError, match="found one, two: name one"):
        build_report(two, out / "r.pdf")
    assert build_report(two, out / "r.pdf", study="two").analysis.n_done == 4
    empty = tmp_path / "empty.db"
    open_database(empty).dispose()
    with pytest.raises(InputError, match="found none"):
        build_report(empty, out / "r.pdf")
