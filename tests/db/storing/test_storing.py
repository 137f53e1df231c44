"""Storing: inserts are idempotent, stored values are read back unchanged, and invalid rows are refused."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from prunestats.db import (
    EpochMetric,
    OriginalRow,
    Outcome,
    SubnetworkRow,
    find_original,
    load_results,
    missing_runs,
    query,
    read,
    rows_hash,
    store_analysis,
    store_environment,
    store_original,
    store_outcome,
    store_outcomes,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    study_status,
    write,
)
from prunestats.db.schema import tables as schema
from prunestats.errors import DatabaseError, InputError

DONE = Outcome("done", 0.1, 0.2, 0.3, 0.4, 0.25, 2, 1.5, None, (EpochMetric(0, None, 0.9, 3.0),))
HOSTILE = [
    "it's",
    'a "quoted" name',
    "line\nbreak\r\n\ttab",
    "'; DROP TABLE run; --",
    "%s %(name)s :name ? {x} %%",
    "<b>*markup*</b> #set page()",
    "подсеть 部分网络 شبكة 🪓",
    "é vs é",
    "long " * 2000,
    "".join(map(chr, range(0x4E00, 0x4E00 + 10_000))),
    " ",
    "null",
    "\\",
]


def counts(engine):
    with read(engine) as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in schema.metadata.tables.items()
        }


def add_run(connection, stored, outcome, *, seed=99, subnetwork=1):
    return store_outcome(
        connection,
        subnetwork_id=subnetwork,
        protocol_id=stored.protocol_id,
        seed=seed,
        environment_id=None,
        outcome=outcome,
    )


def test_storing_twice_equals_storing_once(engine, fill):
    first = fill(engine)
    once = counts(engine)
    assert fill(engine) == first
    assert counts(engine) == once
    assert once["run"] > 0
    assert once["population"] == 4


def test_an_outcome_is_new_once(engine, fill):
    stored = fill(engine, runs=0)
    with write(engine) as connection:
        assert add_run(connection, stored, DONE)
        assert not add_run(connection, stored, replace(DONE, val_error=0.9))
    with read(engine) as connection:
        run = connection.execute(select(schema.run)).one()
        log = connection.execute(select(schema.epoch_metric)).one()
    assert (run.val_error, run.test_error, run.val_loss, run.test_loss) == (0.1, 0.2, 0.3, 0.4)
    assert (run.train_loss, run.epochs, run.wall_s, run.failure, run.state) == (0.25, 2, 1.5, None, "done")
    assert tuple(log) == (run.id, 0, None, 0.9, 3.0, None)


def test_proxies_are_stored_averaged_over_seeds_and_fractions(url, engine, fill):
    stored = fill(engine, runs=0, seeds=(98, 99))
    with write(engine) as connection:
        for seed in (98, 99):
            measured = replace(DONE, pruned_val_error=seed / 100, recalibrated_val_error=0.5)
            add_run(connection, stored, measured, seed=seed)
    frame = load_results(url, space="initial", regime=0.5).query("subnetwork == subnetwork.iloc[0]")
    assert frame["pruned_val_error"].tolist() == [0.98, 0.99]
    means = query(url, "SELECT pruned_val_error, recalibrated_val_error FROM populations").rows[0]
    assert means == pytest.approx((0.985, 0.5))


def test_latency_is_stored_and_averaged_over_seeds(url, engine, fill):
    stored = fill(engine, runs=0, seeds=(98, 99))
    with write(engine) as connection:
        for seed in (98, 99):
            measured = replace(DONE, latency_ms_1=seed / 10, latency_ms_64=7.0, speedup_1=1.5, speedup_64=2.0)
            add_run(connection, stored, measured, seed=seed)
    frame = load_results(url, space="initial", regime=0.5).query("subnetwork == subnetwork.iloc[0]")
    assert frame["latency_ms_1"].tolist() == [9.8, 9.9]
    assert frame["speedup_64"].tolist() == [2.0, 2.0]
    means = query(url, "SELECT latency_ms_1, latency_ms_64, speedup_1 FROM populations").rows[0]
    assert means == pytest.approx((9.85, 7.0, 1.5))


def test_outcomes_in_bulk_count_what_is_new(engine, fill):
    stored = fill(engine, runs=0)
    key = {"protocol_id": stored.protocol_id, "environment_id": stored.environment_id}
    runs = [({**key, "subnetwork_id": 1 + place % 6, "seed": place // 6}, DONE) for place in range(600)]
    with write(engine) as connection:
        assert store_outcomes(connection, runs[:100]) == 100
        assert store_outcomes(connection, runs) == 500
        assert store_outcomes(connection, []) == 0
    found = counts(engine)
    assert found["run"] == found["epoch_metric"] == 600


def test_a_run_that_diverged_is_a_row_without_its_numbers(engine, fill):
    stored = fill(engine, runs=0)
    log = (EpochMetric(0, None, 0.9, 3.0), EpochMetric(1, math.inf, 0.9, math.nan))
    diverged = Outcome("failed", 0.9, 0.9, math.nan, math.inf, -math.inf, 1, 0.2, "loss is nan in epoch 1", log)
    with write(engine) as connection:
        assert add_run(connection, stored, diverged)
    with read(engine) as connection:
        run = connection.execute(select(schema.run)).one()
        epochs = connection.execute(select(schema.epoch_metric).order_by(schema.epoch_metric.c.epoch)).all()
    assert (run.val_error, run.val_loss, run.test_loss, run.train_loss) == (0.9, None, None, None)
    assert run.failure == "loss is nan in epoch 1"
    assert [tuple(epoch)[2:] for epoch in epochs] == [(None, 0.9, 3.0, None), (None, 0.9, None, None)]


@pytest.mark.parametrize(
    "outcome",
    [
        replace(DONE, val_error=None),
        replace(DONE, val_error=math.nan),
        replace(DONE, val_loss=math.inf),
        replace(DONE, val_error=93.1),
        replace(DONE, test_error=-0.01),
        replace(DONE, val_loss=-1.0),
        replace(DONE, epochs=-1),
        replace(DONE, epochs=1.5),
        replace(DONE, wall_s=-1.0),
        replace(DONE, latency_ms_1=-1.0),
        replace(DONE, pruned_val_error=1.5),
        replace(DONE, failure="but it is done"),
        replace(DONE, state="running"),
        Outcome("failed"),
        Outcome("failed", failure=""),
        replace(DONE, epochs_log=(EpochMetric(-1, None, 0.1, 0.1),)),
        replace(DONE, epochs_log=(EpochMetric(0, None, 1.1, 0.1),)),
    ],
)
def test_wrong_outcomes_are_refused_whole(engine, fill, outcome):
    stored = fill(engine, runs=0)
    with pytest.raises(DatabaseError) as caught, write(engine) as connection:
        add_run(connection, stored, outcome)
    assert "\n" not in str(caught.value)
    assert counts(engine)["run"] == 0


def wrong_rows(stored):
    subnetwork = {"original_id": stored.original_id, "key": "k", "widths": [1, 1], "flops": 9, "params": 9}
    run = {"subnetwork_id": 1, "protocol_id": stored.protocol_id, "seed": 5, "state": "done", "val_error": 0.1}
    space = {"study_id": stored.study_id, "position": 9, "sampler": "s", "parameters": {}, "law": "l"}
    population = {"study_id": stored.study_id, "original_id": stored.original_id, "regime_id": 1, "space_id": 1}
    return {
        "no original": (schema.subnetwork, {**subnetwork, "original_id": 999}),
        "no FLOPs": (schema.subnetwork, {**subnetwork, "flops": 0}),
        "no parameters": (schema.subnetwork, {**subnetwork, "params": None}),
        "no key": (schema.subnetwork, {**subnetwork, "key": ""}),
        "no subnetwork": (schema.run, {**run, "subnetwork_id": 999}),
        "no protocol": (schema.run, {**run, "protocol_id": 999}),
        "percent": (schema.run, {**run, "val_error": 93.1}),
        "text for a number": (schema.run, {**run, "epochs": "two"}),
        "no reason": (schema.run, {**run, "state": "failed", "val_error": None}),
        "no error": (schema.run, {**run, "val_error": None}),
        "no name": (schema.space, {**space, "name": ""}),
        "same name": (schema.space, {**space, "name": "initial"}),
        "no target": (schema.regime, {"study_id": stored.study_id, "flops_fraction": 0.0, "tolerance": 0.1}),
        "above one": (schema.regime, {"study_id": stored.study_id, "flops_fraction": 1.5, "tolerance": 0.1}),
        "counts": (schema.population, {**population, "attempts": 1, "accepted": 2, "duplicates": 0}),
        "drawn twice": (schema.draw, {"population_id": 1, "subnetwork_id": 1, "position": 77}),
        "one place twice": (schema.draw, {"population_id": 1, "subnetwork_id": 7, "position": 0}),
        "one study twice": (schema.study, {"name": "digits", "text": "", "fingerprint": "x", "seed": 0}),
    }


def test_constraints_refuse_rows_that_come_past_the_functions(engine, fill):
    stored = fill(engine, runs=0)
    before = counts(engine)
    for name, (table, row) in wrong_rows(stored).items():
        try:
            with write(engine) as connection:
                connection.execute(insert(table), [row])
        except DatabaseError:
            continue
        pytest.fail(f"{name}: the row was taken")
    assert counts(engine) == before


def test_a_population_takes_regime_and_space_of_its_own_study(engine, fill):
    one, two = fill(engine, study="one", runs=0), fill(engine, study="two", runs=0, original="net-1")
    row = {"study_id": one.study_id, "original_id": two.original_id, "space_id": one.spaces["initial"]}
    row |= {"regime_id": two.regimes[0.5], "attempts": 1, "accepted": 1, "duplicates": 0}
    with pytest.raises(DatabaseError), write(engine) as connection:
        connection.execute(insert(schema.population), [row])


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_come_back_unchanged(engine, fill, name):
    fill(engine, study=name, spaces=(name, "x" + name), regimes=(0.5,), n=1, protocol="p", seeds=(0,))
    with write(engine) as connection:
        store_study(connection, name=name, text=name, fingerprint="f", seed=7)
        store_environment(connection, host=name, platform=name, python=name, versions={name: name})
    frame = load_results(engine, study=name, space=name)
    assert frame["study"].unique().tolist() == [name]
    assert frame["space"].unique().tolist() == [name]
    with read(engine) as connection:
        assert study_status(connection, name)[0].study == name
        last = connection.execute(select(schema.environment).order_by(schema.environment.c.id.desc())).first()
    assert last is not None
    assert (last.host, last.versions) == (name, {name: name})


@pytest.mark.parametrize("name", ["a\0b", "\ud800", 7, b"bytes"])
def test_names_that_cannot_be_stored_are_refused(engine, name):
    with pytest.raises(DatabaseError, match=r"^expected text"), write(engine) as connection:
        store_study(connection, name=name, text="", fingerprint="f", seed=0)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    numbers=st.tuples(*[st.floats(0, 1)] * 2, *[st.floats(0, 1e300)] * 3),
    seed=st.integers(-(2**63) + 1, 2**63 - 1),
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
)
def test_what_is_stored_comes_back(engine, fill, numbers, seed, text):
    # examples share one database: only the first finds it empty
    stored = fill(engine, runs=0) if not counts(engine)["subnetwork"] else SimpleNamespace(protocol_id=1)
    with write(engine) as connection:
        connection.execute(schema.run.delete())
        add_run(connection, stored, Outcome("failed", *numbers, failure=text), seed=seed)
        stored_versions = {"host": text, "platform": "p", "python": "3", "versions": {text: [seed, numbers[0], None]}}
        row = store_environment(connection, **stored_versions)
        found = connection.execute(select(schema.run)).one()
        versions = connection.scalar(select(schema.environment.c.versions).where(schema.environment.c.id == row))
    assert (found.val_error, found.test_error, found.val_loss, found.test_loss, found.train_loss) == numbers
    assert (found.seed, found.failure) == (seed, text)
    assert versions == {text: [seed, numbers[0], None]}


def test_numpy_scalars_are_stored_as_numbers(engine, fill):
    stored = fill(engine, runs=0)
    outcome = Outcome("done", np.float32(0.5), np.float64(0.25), np.float16(2), epochs=np.int64(3))
    with write(engine) as connection:
        add_run(connection, stored, outcome, seed=np.uint8(4), subnetwork=np.int32(1))
        store_protocol(connection, key="k", name="n", parameters={"a": np.int64(1), "b": np.arange(2.0)})
        run = connection.execute(select(schema.run)).one()
        parameters = connection.scalar(select(schema.protocol.c.parameters).where(schema.protocol.c.key == "k"))
    assert (run.val_error, run.test_error, run.val_loss, run.epochs, run.seed) == (0.5, 0.25, 2.0, 3, 4)
    assert parameters == {"a": 1, "b": [0.0, 1.0]}


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, "\0"])
def test_json_refuses_what_it_cannot_hold(engine, value):
    with pytest.raises(DatabaseError), write(engine) as connection:
        store_protocol(connection, key="k", name="n", parameters={"a": [value]})


def test_another_study_of_the_same_name_is_refused(engine, fill):
    fill(engine)
    with pytest.raises(DatabaseError, match=r"rename the study") as caught, write(engine) as connection:
        store_study(connection, name="digits", text="", fingerprint="other", seed=7)
    assert "\n" not in str(caught.value)


def test_a_renamed_study_uses_the_runs_again(engine, fill):
    fill(engine)
    renamed = fill(engine, study="renamed", fingerprint="g", runs=0)
    with read(engine) as connection:
        assert not missing_runs(connection, study_id=renamed.study_id, protocol_id=renamed.protocol_id, seeds=(0, 1))
    assert len(load_results(engine, study="renamed")) == len(load_results(engine, study="digits"))


def test_what_is_stored_is_not_replaced(engine, fill):
    stored = fill(engine, n=2, runs=0)
    ids = {"study_id": stored.study_id}
    population = {**ids, "original_id": stored.original_id, "regime_id": 1, "space_id": 1}
    population |= {"attempts": 20, "accepted": 3, "duplicates": 1}
    other = [SubnetworkRow("new", (1, 1), 10, 10), SubnetworkRow("newer", (1, 2), 20, 20)]
    attempts = {
        "tolerance": lambda c: store_regime(c, **ids, flops_fraction=0.5, tolerance=0.5),
        "sampler": lambda c: store_space(c, **ids, name="initial", sampler="other", parameters={}, law="u"),
        "parameters": lambda c: store_protocol(c, key="key-finetune", name="finetune", parameters={"epochs": 9}),
        "other subnetworks": lambda c: store_population(c, **population, subnetworks=other),
        "attempts": lambda c: store_population(c, **{**population, "attempts": 99}, subnetworks=other),
        "twice": lambda c: store_population(c, **population, subnetworks=[other[0], other[0]]),
    }
    for finding, attempt in attempts.items():
        with pytest.raises(DatabaseError, match=finding) as caught, write(engine) as connection:
            attempt(connection)
        assert "\n" not in str(caught.value)


def test_a_subnetwork_has_one_cost(engine, fill):
    stored = fill(engine, n=2, runs=0, spaces=("initial",), regimes=(0.5,))
    with read(engine) as connection:
        known = connection.execute(select(schema.subnetwork)).first()
    assert known is not None
    with write(engine) as connection:
        regime = store_regime(connection, study_id=stored.study_id, flops_fraction=0.1, tolerance=0.1)
    with pytest.raises(DatabaseError, match="give different subnetworks different keys"), write(engine) as connection:
        store_population(
            connection,
            study_id=stored.study_id,
            original_id=stored.original_id,
            regime_id=regime,
            space_id=stored.spaces["initial"],
            attempts=1,
            accepted=1,
            duplicates=0,
            subnetworks=[SubnetworkRow(known.key, (1, 1), known.flops + 1, known.params)],
        )


def test_find_original_returns_what_was_stored(engine, fill):
    fill(engine)
    with read(engine) as connection:
        assert find_original(connection, "nothing") is None
        found = find_original(connection, "net-0")
    assert found is not None
    assert found["recipe"] == {"epochs": 20}
    assert found["group_sizes"] == [16, 32]
    assert found["flops_convention"] == found["cost"]["convention"] == "multiply-adds"
    assert found["weights_sha256"] == "a" * 64


def test_originals_without_a_cost_model_are_taken(engine):
    with write(engine) as connection:
        row = OriginalRow(key="import", network="n", dataset="d", seed=None, flops=10, params=5)
        first = store_original(connection, row)
        assert store_original(connection, row) == first
        with pytest.raises(DatabaseError, match="flops"):
            store_original(connection, replace(row, flops=11))


def test_missing_runs_leave_every_population_about_equally_complete(engine, fill):
    stored = fill(engine, n=10, runs=0, seeds=(3, 1))
    with read(engine) as connection:
        missing = missing_runs(connection, study_id=stored.study_id, protocol_id=stored.protocol_id, seeds=(3, 1))
        drawn = connection.execute(select(schema.draw.c.population_id, schema.draw.c.subnetwork_id)).all()
    keys = [(run.subnetwork_id, run.seed) for run in missing]
    assert len(keys) == len(set(keys)) == 2 * len({subnetwork for _, subnetwork in drawn})
    assert [seed for _, seed in keys] == sorted((seed for _, seed in keys), reverse=True)
    for cut in range(0, len(keys) // 2, 4):
        begun = {subnetwork for subnetwork, _ in keys[:cut]}
        members = {p: {s for q, s in drawn if q == p} for p, _ in drawn}
        complete = [len(begun & subnetworks) for subnetworks in members.values()]
        # a subnetwork of two populations counts for both
        assert max(complete) - min(complete) <= 1 + sum(
            len(a & b) for a in members.values() for b in members.values() if a is not b
        )
    assert all(run.original_key == "net-0" and len(run.widths) == 2 for run in missing)


def test_status_counts_what_is_there_and_what_is_missing(engine, fill):
    fill(engine, n=6, runs=10)
    with read(engine) as connection:
        rows = study_status(connection, "digits")
        frame = load_results(engine, state=None)
    assert [(row.space, row.regime) for row in rows] == [
        ("initial", 0.5),
        ("initial", 0.25),
        ("uniform", 0.5),
        ("uniform", 0.25),
    ]
    for row in rows:
        mine = frame[(frame["space"] == row.space) & (frame["regime"] == row.regime)]
        assert row.drawn == 6
        assert row.done + row.failed + row.missing == 12
        assert (row.done, row.failed) == ((mine["state"] == "done").sum(), (mine["state"] == "failed").sum())
        assert row.mean_wall_s == pytest.approx(mine["wall_s"].mean())


def test_status_without_a_plan_counts_subnetworks_without_a_run(engine, fill):
    fill(engine, plan=False, runs=10, seeds=(0,), n=6)
    with read(engine) as connection:
        for row in study_status(connection):
            assert row.missing == 6 - row.done - row.failed


def test_an_unknown_study_is_answered_with_those_there_are(engine, fill):
    fill(engine)
    with pytest.raises(InputError, match="found 'digit': it has 'digits'"), read(engine) as connection:
        study_status(connection, "digit")


def test_a_plan_is_stored_once(engine, fill):
    stored = fill(engine, seeds=(0, 1))
    with write(engine) as connection:
        store_plan(connection, study_id=stored.study_id, protocol_id=stored.protocol_id, seeds=(1, 2))
    assert counts(engine)["plan"] == 3


def test_an_analysis_is_stored_once_for_the_same_rows_and_code(engine, fill):
    stored = fill(engine)
    frame = load_results(engine)
    analysis = {"study_id": stored.study_id, "kind": "optimum", "parameters": {"bucket": 1}, "n_rows": len(frame)}
    analysis |= {"result": {"verdict": "flat"}, "versions": {"prunestats": "0.1.0"}}
    with write(engine) as connection:
        first = store_analysis(connection, **analysis, rows_hash=rows_hash(frame))
        assert store_analysis(connection, **analysis, rows_hash=rows_hash(frame[::-1])) == first
        assert store_analysis(connection, **analysis, rows_hash=rows_hash(frame[1:])) != first


def test_an_error_undoes_the_whole_transaction(engine, fill):
    before = counts(engine)

    def half_done():
        with write(engine) as connection:
            study_id = store_study(connection, name="a", text="", fingerprint="f", seed=0)
            store_plan(connection, study_id=study_id, protocol_id=999, seeds=[0])

    with pytest.raises(DatabaseError):
        half_done()
    assert counts(engine) == before


def test_a_reader_cannot_write_on_postgresql_and_sees_one_moment(engine, fill):
    fill(engine, runs=0)
    with read(engine) as connection:
        before = connection.scalar(select(func.count()).select_from(schema.study))
        with write(engine) as writer:
            store_study(writer, name="later", text="", fingerprint="f", seed=0)
        assert connection.scalar(select(func.count()).select_from(schema.study)) == before
