"""The command `best`: an answer per budget, from a study with its refinement and from imports."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

import prunestats as ps
from prunestats.cli import app
from prunestats.db import (
    OriginalRow,
    Outcome,
    SubnetworkRow,
    import_results,
    open_database,
    read,
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
from prunestats.db.schema import tables as schema
from prunestats.errors import InputError
from prunestats.metric import Metric

SPACES = {
    "initial": ("independent", {"min_keep": 0.05}),
    "loose": ("jittered_uniform", {"jitter": 0.5}),
    "even": ("jittered_uniform", {"jitter": 0.0}),
}


def store(connection, name, original, protocol, machine, *, spaces, text="{}", best=0.05, speedup=None, keys=None):
    """Store a study of one regime: twelve subnetworks with two seeds in each space, with keys of its own."""
    study = store_study(connection, name=name, text=text, fingerprint=name, seed=1)
    store_plan(connection, study_id=study, protocol_id=protocol, seeds=[0, 1])
    regime = store_regime(connection, study_id=study, flops_fraction=0.5, tolerance=0.02)
    for position, space in enumerate(spaces):
        sampler, parameters = SPACES[space]
        row = store_space(connection, study_id=study, name=space, sampler=sampler, parameters=parameters, law="law")
        drawn = [
            SubnetworkRow(f"{keys or name}-{space}-{k:02d}", [4, 1 + k], 492 + k, 200 + 10 * position)
            for k in range(12)
        ]
        population = store_population(
            connection, study_id=study, original_id=original, regime_id=regime, space_id=row, attempts=90,
            accepted=12, duplicates=0, subnetworks=drawn,
        )  # fmt: skip
        ids = connection.execute(
            select(schema.draw.c.position, schema.draw.c.subnetwork_id).where(schema.draw.c.population_id == population)
        ).all()
        for k, subnetwork in ids:
            for seed in (0, 1):
                error = round(best + 0.01 * position + 0.004 * ((5 * k) % 12) + 0.002 * seed * (-1) ** k, 6)
                metrics = {"val_error": error, "test_error": error + 0.01, "val_loss": 3 * error, "speedup_1": speedup}
                outcome = Outcome("done", **metrics, epochs=2, wall_s=1.0)
                store_outcome(
                    connection, subnetwork_id=subnetwork, protocol_id=protocol, seed=seed, outcome=outcome,
                    environment_id=machine,
                )  # fmt: skip


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    path = tmp_path_factory.mktemp("best") / "results.db"
    engine = open_database(path)
    with write(engine) as c:
        protocol = store_protocol(c, key="7c" * 32, name="l1", parameters={"criterion": "l1"})
        machine = store_environment(c, host="h", platform="p", python="3", versions={})
        original = store_original(
            c,
            OriginalRow(
                key="a1b2", network="net", dataset="digits", seed=0, recipe={"epochs": 30},
                group_names=["stem", "conv"], group_sizes=[8, 16], flops=1000, params=500,
                val_error=0.03, test_error=0.02, weights_sha256="ab" * 32,
            ),
        )  # fmt: skip
        store(c, "main", original, protocol, machine, spaces=SPACES, speedup=1.5)
        store(c, "finer", original, protocol, machine, spaces=["initial"], text='{"refines": "main"}', best=0.045)
        other = store_protocol(c, key="7d" * 32, name="l1", parameters={"criterion": "l2"})
        store(
            c, "otherwise", original, other, machine, spaces=["initial"], text='{"refines": "main"}', best=0.01,
            keys="finer",
        )  # fmt: skip
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    path = tmp_path_factory.mktemp("import") / "results.db"
    table = pd.DataFrame({"subnetwork": ["a", "b", "c"], "flops": [900, 800, 500], "params": [9, 8, 7]})
    import_results(
        path, table.assign(error=[0.1, 0.2, 0.3]), original="net", study="outside", split="test",
        flops_convention="multiply-adds", original_flops=1000, original_params=10,
    )  # fmt: skip
    return path


def best(db, *arguments):
    done = CliRunner().invoke(app, ["best", "--db", str(db), *map(str, arguments)], catch_exceptions=False)
    return done.stdout


def test_the_answer_of_a_study_with_its_refinement(db):
    """Runs of a refinement under another protocol do not take part, and the export names the protocol."""
    (found,) = ps.best(db)
    assert found.seen == 0.046
    assert (found.subnetwork, found.spaces, found.widths) == ("finer-initial-00", ("initial",), {"stem": 4, "conv": 1})
    # 9 of 12 subnetworks of each of four populations are within the budget
    assert (found.n_candidates, found.flops, found.n_seeds, found.speedup_1) == (36, 492, 2, None)
    assert found.uniform == "even"
    assert found.dense_error == 0.02
    assert found.corrected
    command = f"prunestats export-subnetwork finer-initial-00 -o subnetwork-finer-in --db {db}"
    assert found.export == f"{command} --protocol {'7c' * 32}"
    assert ps.best(db, rng=np.random.default_rng(0)) == (found,)
    engine = open_database(db)
    assert ps.best(engine)[0].export.endswith(f"--db results.db --protocol {'7c' * 32}")
    engine.dispose()


def test_it_is_printed_in_80_columns_and_stored(db):
    lines = best(db).splitlines()
    (found,) = ps.best(db)
    assert lines[0].startswith("Study 'main'. Selected by validation error; errors are those of the test split")
    assert lines[2].startswith("At most 50 % of the FLOPs, net on digits: take finer-initial-00.")
    block = [line for line in lines[2:] if line.startswith("  ") and "export-subnetwork" not in line]
    assert max(map(len, [*block, *lines[2:5]])) <= 80
    labels = ("subnetwork", "widths", "FLOPs", "parameters", "dense error", "expected error", "drop", "versus uniform")
    assert [label for label in labels if not any(line.startswith(f"  {label} ") for line in block)] == []
    assert f"  {found.export}" in lines
    with read(open_database(db)) as connection:
        row = connection.execute(select(schema.analysis).where(schema.analysis.c.kind == "best")).mappings().first()
    assert row["result"]["found"] == [json.loads(json.dumps(found.to_dict()))]
    assert (row["parameters"]["study"], row["n_rows"]) == ("main", 96)


def test_json_and_csv_are_for_programs(db):
    (found,) = json.loads(best(db, "-f", "json"))
    assert found == json.loads(json.dumps(ps.best(db)[0].to_dict()))
    (row,) = csv.DictReader(io.StringIO(best(db, "-f", "csv", "--flops", 0.493)))
    assert (row["subnetwork"], row["flops"]) == ("finer-initial-00", "492")
    assert json.loads(row["widths"]) == {"stem": 4, "conv": 1}
    assert float(row["drop_low"]) < float(row["drop"]) < float(row["drop_high"])


def test_budgets(db):
    # 0.045 + 0.004 x 5 is the error at index 1
    assert "take main-initial-00" in best(db, "--speedup", 1.5)
    assert "none of 48 subnetworks" in best(db, "--flops", 0.1)
    assert "At most 200 parameters, net on digits: take finer" in " ".join(best(db, "--params", 200).split())
    (found,) = ps.best(db, max_drop=0.1)
    assert (found.flops, found.as_good) == (492, None)
    with pytest.raises(InputError, match="it has initial, loose, even"):
        ps.best(db, uniform="none")
    with pytest.raises(InputError, match=r"write 0\.5"):
        best(db, "--flops", 50)
    with pytest.raises(InputError, match="to analyse; found main, finer"):
        best(db, "--study", "absent")


def test_imported_results_have_no_weights(imported):
    (found,) = ps.best(imported)
    assert (found.subnetwork, found.split, found.drop, found.export) == ("a", "validation", None, None)
    shown = best(imported)
    assert "export-subnetwork" not in shown
    assert "cannot be exported: its results were imported" in shown
    assert shown.startswith("Study 'outside'. Selected and reported on one split")
    assert ps.best(imported, flops=0.85)[0].subnetwork == "b"
    with pytest.raises(InputError, match="prunestats latency STUDY"):
        ps.best(imported, speedup=2)
    with pytest.raises(InputError, match="validation error of the dense network"):
        ps.best(imported, max_drop=0.01)


@pytest.fixture(scope="module")
def of_metric(db, tmp_path_factory):
    """A function that turns the database into one whose studies have a metric of their own, a function of the error."""

    def turned(metric, value):
        path = tmp_path_factory.mktemp(metric.name) / "results.db"
        shutil.copy(db, path)
        engine = open_database(path)
        with write(engine) as c:
            c.execute(update(schema.study).values(metric=metric.to_dict()))
            for table in (schema.run, schema.original):
                for row in c.execute(select(table.c.id, table.c.val_error, table.c.test_error)).all():
                    found = {"validation": {metric.name: value(row[1])}, "test": {metric.name: value(row[2])}}
                    values = {"val_metric": value(row[1]), "test_metric": value(row[2]), "metrics": found}
                    values |= dict.fromkeys(("val_error", "test_error", "val_loss", "test_loss"))
                    c.execute(update(table).where(table.c.id == row[0]).values(**values))
        engine.dispose()
        return path

    return turned


def test_a_metric_of_the_study_s_own_selects_and_is_reported_in_its_direction(db, of_metric):
    path = of_metric(Metric("miou", "maximize", "fraction", 0.0, 1.0), lambda e: 1 - e)
    (found,), (other,) = ps.best(path), ps.best(db)
    assert (found.subnetwork, found.n_candidates, found.as_good) == (other.subnetwork, 36, other.as_good)
    assert (found.seen, found.dense_error) == pytest.approx((1 - other.seen, 0.98))
    assert found.expected.low == pytest.approx(1 - other.expected.high, abs=1e-9)
    assert found.drop.high == pytest.approx(other.drop.high, abs=1e-9)
    shown = " ".join(best(path).split())
    assert "Selected by validation mIoU; values are those of the test split" in shown
    assert "below the dense network (98.00 %)" in shown
    assert "error" not in shown.split("prunestats export-subnetwork")[0]
    (row,) = csv.DictReader(io.StringIO(best(path, "-f", "csv")))
    assert float(row["dense_miou"]) == pytest.approx(0.98)
    assert "dense_error" not in row


def test_a_drop_is_given_in_the_metric_s_unit(db, of_metric):
    path = of_metric(Metric("perplexity"), lambda e: float(100 * np.exp(e)))
    (found,) = ps.best(path, max_drop=5.0)
    assert found.drop.value == pytest.approx(5.0, abs=1.5)
    shown = " ".join(best(path, "--max-drop", 5).split())
    assert "Perplexity at most 5 above the dense network's, net on digits: take " in shown
    (answer,) = json.loads(best(path, "--max-drop", 5, "-f", "json"))
    assert answer["metric"] == {"name": "perplexity", "direction": "minimize", "unit": "", "low": None, "high": None}
    with pytest.raises(InputError, match="a fraction between -1 and 1; found 5"):
        best(db, "--max-drop", 5)
