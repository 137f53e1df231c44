"""The section on refining: what other studies of the same database show, and that it is made again as it was."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pypdf import PdfReader

from prunestats.db import (
    Outcome,
    SubnetworkRow,
    find_original,
    open_database,
    read,
    refinements,
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
from prunestats.errors import DatabaseError
from prunestats.reports import build_report, rebuild_report

MOMENT = "2026-09-21T14:13:20"


def fill(path, name, spaces, *, refines=None, n=60, seed=0):
    """A study at half the FLOPs whose spaces have the given mean errors."""
    rng = np.random.default_rng(seed)
    engine = open_database(path)
    with write(engine) as c:
        text = json.dumps({"name": name, "refines": refines} if refines else {"name": name})
        study = store_study(c, name=name, text=text, fingerprint=f"print of {name}", seed=11)
        protocol = store_protocol(c, key="7c" * 32, name="l1", parameters={"epochs": 2})
        store_plan(c, study_id=study, protocol_id=protocol, seeds=[0])
        regime = store_regime(c, study_id=study, flops_fraction=0.5, tolerance=0.02)
        found = find_original(c, "a1b2")
        original = found["id"] if found else store_original(
            c, key="a1b2", network="net", dataset="digits", seed=0, recipe={}, group_names=["g"], group_sizes=[9],
            cost=None, flops=4_000_000, params=40_000, val_error=0.01, test_error=0.02,
        )  # fmt: skip
        for space, mean in spaces.items():
            space_id = store_space(
                c, study_id=study, name=space, sampler="independent", parameters={}, law=f"law of {space}"
            )
            params = rng.integers(15_000, 25_000, n).tolist()
            drawn = [SubnetworkRow(f"{name}-{space}-{k}", None, 2_000_000, params[k]) for k in range(n)]
            population = store_population(
                c, study_id=study, original_id=original, regime_id=regime, space_id=space_id, attempts=900,
                accepted=n, duplicates=0, subnetworks=drawn,
            )  # fmt: skip
            ids = dict(c.exec_driver_sql(
                "SELECT d.position, d.subnetwork_id FROM draw d WHERE d.population_id = ?", (population,)
            ).all())  # fmt: skip
            for k in range(n):
                error = float(mean + 0.01 * rng.standard_normal())
                metrics = dict.fromkeys(("val_error", "test_error", "val_loss", "test_loss", "train_loss"), error)
                outcome = Outcome(state="done", epochs=2, wall_s=1.0, failure=None, epochs_log=(), **metrics)
                store_outcome(
                    c, subnetwork_id=ids[k], protocol_id=protocol, seed=0, environment_id=None, outcome=outcome
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
    assert "refiningthespace" not in text_of(out)


def test_what_was_gained_stands_in_the_report_of_the_study_that_was_refined(database, out):
    fill(database, "again", {"initial": 0.10, "near": 0.07, "far": 0.10}, refines="first", seed=1)
    fill(database, "apart", {"initial": 0.10}, seed=2)
    report = build_report(database, out, study="first", timestamp=MOMENT, figures=out.with_name("figures"))
    (refined,) = report.analysis.refined
    saves = {found.refined: found.saving.saves for found in refined.contests}
    assert saves == {"near": True, "far": False}
    text = text_of(out)
    for told in ("Whatrefiningthespacegained", "“again”", "printofagain", "beforeanyofits180runs"):
        assert told in text
    factor = next(found.saving.factor.value for found in refined.contests if found.refined == "near")
    assert f"“near”{factor:.1f}timesfewerat50%oftheFLOPs" in text
    assert refined.sentence in report.analysis.findings
    assert (out.with_name("figures") / "refined-1.png").stat().st_size > 10_000


def test_without_a_name_the_report_is_of_the_study_that_refines_none(database, out):
    fill(database, "again", {"initial": 0.10, "near": 0.10}, refines="first", seed=1)
    assert len(build_report(database, out, timestamp=MOMENT).analysis.spaces) == 2
    (refined,) = build_report(database, out, timestamp=MOMENT).analysis.refined
    assert refined.sentence.endswith("“near” is not shown to need fewer draws than “initial” for as good a best.")
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
