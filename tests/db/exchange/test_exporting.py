"""Export: what is exported is imported unchanged, bit for bit and character for character."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunestats.db import (
    OriginalRow,
    Outcome,
    SubnetworkRow,
    export_results,
    import_results,
    load_results,
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
from prunestats.db.exchange.table_files import read_table
from prunestats.errors import InputError

SUFFIXES = ["csv", "json", "parquet"]
HOSTILE = [
    "it's",
    'a "quoted", name',
    "line\nbreak\r\n\ttab\rreturn",
    "'; DROP TABLE run; --",
    "%s %(name)s :name ? {x} %%",
    "<b>*markup*</b> #set page()",
    "подсеть 部分网络 شبكة 🪓",
    "=1+1",
    "[1, 2]",
    '{"a": 1}',
    "1.0",
    "007",
    "nan",
    "NULL",
    "true",
    " ",
    "\\",
    "\ufeffmark",
    "long " * 2000,
]


def store_named(engine, name, numbers=(0.1, 0.2, 0.3), key=None, seed=7, failed=True):
    """A study in which everything that has a name has this name."""
    error, loss, wall_s = numbers
    key = name[:400] if key is None else key
    with write(engine) as c:
        study = store_study(c, name=name, text=name, fingerprint=name, seed=1)
        machine = store_environment(c, host=name, platform=name, python=name, versions={name: name})
        original = store_original(
            c,
            OriginalRow(
                key=key,
                network=name,
                dataset=name,
                seed=None,
                flops=2**62,
                params=2**61,
            ),
        )
        regime = store_regime(c, study_id=study, flops_fraction=1 / 3, tolerance=0.1)
        space = store_space(c, study_id=study, name=name, sampler="s", parameters={}, law=name)
        ids = {"study_id": study, "original_id": original, "regime_id": regime, "space_id": space}
        rows = [SubnetworkRow(key, (3, 2**40), 2**60 + 1, 2**53 + 1), SubnetworkRow(key[:399] + "x", None, 9, 3)]
        store_population(c, **ids, attempts=9, accepted=3, duplicates=1, subnetworks=rows)
        protocol = store_protocol(c, key=key, name=name, parameters={"name": name})
        if failed:
            store_plan(c, study_id=study, protocol_id=protocol, seeds=[seed, seed - 1])
        drawn = c.exec_driver_sql(f"SELECT subnetwork_id FROM draw d JOIN population p ON p.id = d.population_id "
                                  f"WHERE p.study_id = {study} ORDER BY position").scalars().all()  # fmt: skip
        outcomes = [
            (drawn[0], seed, machine, Outcome("done", error, None, loss, None, None, None, wall_s)),
            (drawn[1], seed, None, Outcome("failed", failure=name)),
            (drawn[1], seed - 1, machine, Outcome("done", error, error, loss, loss, loss, 3, wall_s)),
        ]
        for subnetwork, its_seed, where, outcome in outcomes:
            store_outcome(c, subnetwork_id=subnetwork, protocol_id=protocol, seed=its_seed, environment_id=where,
                          outcome=outcome)  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_export_comes_back_byte_by_byte(engine, fill, tmp_path, suffix):
    fill(engine, n=12)
    fill(engine, study="shared, without a plan", regimes=(0.5,), seeds=(0, 1, 2), plan=False)
    fill(engine, study="other", original="net-1", regimes=(0.5, 0.1), spaces=("initial", "stages"), protocol="other")
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    n = export_results(engine, first)
    assert n == len(load_results(engine, state=None))
    done = import_results(tmp_path / "copy.db", first)
    assert (done.rows, done.refused) == (n, ())
    assert import_results(tmp_path / "copy.db", first).new_runs == 0
    assert export_results(tmp_path / "copy.db", second) == n
    assert second.read_bytes() == first.read_bytes()
    order = ["study", "space", "regime", "draw", "protocol", "seed"]
    here, there = (
        load_results(source, state=None).drop(columns=["widths", "layer_params"]).sort_values(order, ignore_index=True)
        for source in (engine, tmp_path / "copy.db")
    )
    assert here.equals(there)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_import_into_the_database_it_came_from_changes_nothing(url, engine, fill, tmp_path, suffix):
    fill(engine)
    export_results(url, tmp_path / f"results.{suffix}")
    done = import_results(url, tmp_path / f"results.{suffix}")
    assert (done.new_runs, done.new_subnetworks, done.refused) == (0, 0, ())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hostile_names_go_out_and_come_back_unchanged(engine, tmp_path, suffix):
    for name in HOSTILE:
        store_named(engine, name)
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    assert export_results(engine, first) == 3 * len(HOSTILE)
    copy = open_database(tmp_path / "copy.db")
    assert import_results(copy, first).refused == ()
    assert sorted(load_results(copy)["study"].unique()) == sorted(HOSTILE)
    export_results(copy, second)
    assert second.read_bytes() == first.read_bytes()
    copy.dispose()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    numbers=st.tuples(st.floats(0, 1), st.floats(0, 1e300), st.floats(0, 1e300)),
    seed=st.integers(-(2**63) + 2, 2**63 - 1),
    suffix=st.sampled_from(SUFFIXES),
)
def test_anything_that_can_be_stored_goes_out_and_comes_back(
    sqlite_template, tmp_path_factory, name, numbers, seed, suffix
):
    folder = tmp_path_factory.mktemp("round")
    for copy in ("here.db", "there.db"):
        (folder / copy).write_bytes(sqlite_template.read_bytes())
    engine = open_database(folder / "here.db")
    store_named(engine, name, numbers, "k", seed)
    export_results(engine, folder / f"first.{suffix}")
    engine.dispose()
    import_results(folder / "there.db", folder / f"first.{suffix}")
    export_results(folder / "there.db", folder / f"second.{suffix}")
    assert (folder / f"second.{suffix}").read_bytes() == (folder / f"first.{suffix}").read_bytes()


def test_filters_choose(filled, tmp_path):
    file = tmp_path / "some.json"
    n = export_results(filled, file, study="digits", space=["initial"], regime=0.25, state="done")
    rows = json.loads(file.read_text())
    frame = load_results(filled, study="digits", space="initial", regime=0.25)
    assert n == len(rows) == len(frame) > 0
    assert {(row["study"], row["space"], row["regime"], row["state"]) for row in rows} == {
        ("digits", "initial", 0.25, "done")
    }
    assert [row["val_error"] for row in rows] == frame["val_error"].tolist()
    assert export_results(filled, file, regime=[0.5, 0.1]) == len(load_results(filled, regime=[0.5, 0.1], state=None))


def test_both_databases_write_the_same_file(sqlite_filled, postgresql_filled, tmp_path):
    files = {}
    for kind, url in (("sqlite", sqlite_filled), ("postgresql", postgresql_filled)):
        export_results(url, tmp_path / f"{kind}.csv")
        files[kind] = read_table(tmp_path / f"{kind}.csv").drop(columns="created_at")
    assert files["sqlite"].equals(files["postgresql"])


def test_other_tools_read_an_export(filled, tmp_path):
    import pandas as pd

    frame = load_results(filled, state=None)
    for suffix, read in (("csv", pd.read_csv), ("json", pd.read_json), ("parquet", pd.read_parquet)):
        export_results(filled, tmp_path / f"x.{suffix}")
        found = read(tmp_path / f"x.{suffix}")
        assert len(found) == len(frame)
        errors = np.sort(found["val_error"].astype(float))
        np.testing.assert_allclose(errors, np.sort(frame["val_error"]), rtol=1e-9)


def test_what_cannot_be_exported_is_one_line(filled, tmp_path):
    for file, options, complaint in (
        ("x.xlsx", {}, "ends in .csv, .json, .parquet"),
        ("no/folder/x.csv", {}, "No such file or directory"),
        ("x.csv", {"study": "digit"}, "it has 'digits', 'other'"),
        ("x.csv", {"state": "lost"}, "state must be"),
    ):
        with pytest.raises(InputError, match=complaint) as caught:
            export_results(filled, tmp_path / file, **options)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.csv"))


def test_an_export_of_nothing_is_a_table_without_rows(url, tmp_path):
    for suffix in SUFFIXES:
        assert export_results(url, tmp_path / f"x.{suffix}") == 0
    assert (tmp_path / "x.csv").read_text().count("\n") == 1
    assert json.loads((tmp_path / "x.json").read_text()) == []
