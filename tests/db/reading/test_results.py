"""The results frame: filters, types, splits, buckets."""

import math

import numpy as np
import pandas as pd
import pytest

import prunestats
from prunestats.cost.model import CostModel
from prunestats.db import (
    OriginalRow,
    SubnetworkRow,
    find_original,
    load_results,
    open_database,
    query,
    read,
    store_original,
    store_outcome,
    store_outcomes,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    study_status,
    write,
)
from prunestats.db.reading import fetch as reader
from prunestats.db.reading.results import COLUMNS
from prunestats.db.schema.opening import read_only_engine
from prunestats.db.storing.records import Outcome
from prunestats.errors import DatabaseError, InputError
from prunestats.results.frame import check_results


def test_it_is_a_results_frame(filled):
    frame = load_results(filled)
    assert tuple(frame.columns) == COLUMNS
    assert len(check_results(frame)) == query(filled, "SELECT count(*) FROM results WHERE state = 'done'").rows[0][0]
    engine = open_database(filled)
    pd.testing.assert_frame_equal(load_results(engine), frame)
    engine.dispose()
    assert prunestats.load_results is load_results


def test_every_number_is_that_of_the_view(filled):
    names = [
        name
        for name in COLUMNS
        if name not in {"widths", "layer_params", "buckets", "error", "loss", "log_cross_entropy"}
    ]
    answer = query(filled, f"SELECT {', '.join(names)} FROM results ORDER BY population_id, draw, seed", limit=None)
    found = load_results(filled, state=None, columns=names)
    for name, column in zip(names, zip(*answer.rows, strict=True), strict=True):
        if found[name].dtype == "float64":
            expected = [math.nan if value is None else value for value in column]
            assert found[name].tolist() == pytest.approx(expected, rel=1e-15, nan_ok=True), name
        else:
            assert [None if pd.isna(value) else value for value in found[name]] == list(column), name


def test_types_do_not_depend_on_the_rows(filled):
    whole, none = load_results(filled), load_results(filled, study="other", space="stages", regime=0.5, state="failed")
    numbers = whole.select_dtypes("number").dtypes.astype(str).to_dict()
    assert none[list(numbers)].dtypes.astype(str).to_dict() == numbers
    assert numbers["flops"] == numbers["params"] == numbers["seed"] == "int64"
    assert numbers["error"] == numbers["epochs"] == "float64"
    empty = load_results(filled, study="digits", regime=0.25, state="failed").iloc[:0]
    assert tuple(empty.columns) == COLUMNS


def test_a_database_without_runs_is_an_empty_frame(url, engine):
    frame = load_results(url)
    assert frame.empty
    assert tuple(frame.columns) == COLUMNS


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({"study": "digits"}, "study = 'digits'"),
        ({"study": ["digits", "other"], "regime": 0.5}, "regime = 0.5"),
        ({"original": "net-1"}, "original = 'net-1'"),
        ({"original": "net"}, "1 = 1"),
        ({"space": "stages"}, "space = 'stages'"),
        ({"space": ["stages", "uniform"], "regime": [0.1, 0.25]}, "space <> 'initial' AND regime < 0.5"),
        ({"regime": np.float64(0.1)}, "regime = 0.1"),
        ({"regime": 0.1 + 1e-12}, "regime = 0.1"),
        ({"protocol": "finetune"}, "1 = 1"),
        ({"protocol": "key-finetune"}, "1 = 1"),
        ({"protocol": "finetune-key-fine"}, "1 = 1"),
        (
            {"study": "digits", "original": "net-0", "space": "initial", "regime": 0.5, "protocol": "finetune"},
            "study = 'digits' AND space = 'initial' AND regime = 0.5",
        ),
    ],
)
@pytest.mark.parametrize("state", ["done", "failed", None])
def test_filters(filled, filters, condition, state):
    frame = load_results(filled, **filters, state=state, columns=["study", "space", "regime", "subnetwork", "seed"])
    where = condition + ("" if state is None else f" AND state = '{state}'")
    text = (
        f"SELECT study, space, regime, subnetwork, seed FROM results WHERE {where} ORDER BY population_id, draw, seed"
    )
    assert list(frame.itertuples(index=False, name=None)) == query(filled, text).rows


@pytest.mark.parametrize(
    ("filters", "finding"),
    [
        ({"study": "digit"}, "study .*found 'digit': it has 'digits', 'other'"),
        ({"space": "uniform", "study": "other"}, "space .*found 'uniform': it has 'initial', 'stages'"),
        ({"regime": 0.3}, "regime .*found 0.3: it has 0.1, 0.25, 0.5"),
        ({"regime": 0.25, "study": "other"}, "regime .*found 0.25: it has 0.1, 0.5"),
        ({"original": "vgg"}, "original .*found 'vgg': it has 'net-0', 'net-1', 'net'"),
        ({"protocol": "'; DROP TABLE run; --"}, "protocol"),
        ({"state": "running"}, "state must be"),
        ({"split": "train"}, "split must be"),
        ({"bucket": 0}, "bucket must be"),
        ({"columns": ["erorr"]}, "found 'erorr'"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(filled, filters, finding):
    with pytest.raises(InputError, match=finding) as caught:
        load_results(filled, **filters)
    assert "\n" not in str(caught.value)


def test_one_of_two_data_sets_is_loaded(url, engine, fill):
    for original in ("net-0", "net-1"):
        fill(engine, original=original, n=3)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE original SET dataset = 'images' WHERE key = 'net-1'")
        rows = study_status(connection)
    assert {(row.original, row.dataset) for row in rows} == {("net-0", "digits"), ("net-1", "images")}
    for dataset, original in (("digits", "net-0"), ("images", "net-1")):
        frame = load_results(url, dataset=dataset)
        assert set(frame["original"]) == {original}
        pd.testing.assert_frame_equal(frame, load_results(url, original=original))
    assert len(load_results(url, dataset=["digits", "images"])) == len(load_results(url))
    with pytest.raises(InputError, match="expected a data set in the database; found 'letters': it has 'digits', 'ima"):
        load_results(url, dataset="letters")


def test_splits(filled):
    validation, test = load_results(filled), load_results(filled, split="test")
    assert validation["error"].equals(validation["val_error"])
    assert test["error"].tolist() == validation["test_error"].tolist()
    assert test["loss"].tolist() == validation["test_loss"].tolist()
    np.testing.assert_allclose(np.exp(test["log_cross_entropy"]), test["test_loss"])


def test_failed_runs_have_no_numbers_and_come_when_asked_for(filled):
    assert set(load_results(filled)["state"]) == {"done"}
    failed = load_results(filled, state="failed")
    assert failed[["error", "loss", "log_cross_entropy", "test_error"]].isna().all(axis=None)
    assert set(failed["failure"]) == {"loss is not finite"}
    assert len(load_results(filled, state=None)) == len(load_results(filled)) + len(failed)


@pytest.mark.parametrize("bucket", [1, 7, 100, 10**9])
def test_buckets_and_widths_are_those_of_the_cost_model(filled, bucket):
    frame = load_results(filled, bucket=bucket)
    engine = open_database(filled)
    with read(engine) as connection:
        cost = CostModel.from_dict(find_original(connection, "net-0")["cost"])
    engine.dispose()
    widths = np.array(frame["widths"].tolist())
    assert frame["flops"].tolist() == cost.flops(widths).tolist()
    assert frame["params"].tolist() == cost.params(widths).tolist()
    assert frame["layer_params"].tolist() == list(map(tuple, cost.layer_params(widths).tolist()))
    assert frame["buckets"].tolist() == cost.buckets(widths, bucket).tolist()
    assert frame["ratio"].tolist() == (cost.flops(widths) / cost.buckets(widths, bucket)).tolist()


def test_imports_without_widths_have_buckets_of_one_parameter(url, engine):
    with write(engine) as connection:
        study = store_study(connection, name="nas", text="", fingerprint="f", seed=0)
        original = store_original(
            connection,
            OriginalRow(
                key="nas",
                network="cell",
                dataset="c10",
                seed=None,
                flops=100,
                params=50,
            ),
        )
        regime = store_regime(connection, study_id=study, flops_fraction=1.0, tolerance=1.0)
        space = store_space(connection, study_id=study, name="all", sampler="import", parameters={}, law="unknown")
        rows = [SubnetworkRow("|conv~0|", None, 90, 30), SubnetworkRow("|skip~0|", None, 10, 5)]
        store_population(
            connection,
            study_id=study,
            original_id=original,
            regime_id=regime,
            space_id=space,
            attempts=2,
            accepted=2,
            duplicates=0,
            subnetworks=rows,
        )
        protocol = store_protocol(connection, key="p", name="import", parameters={})
        key = {"protocol_id": protocol, "seed": 777, "environment_id": None}
        store_outcomes(connection, [({**key, "subnetwork_id": n}, Outcome("done", 0.1 * n)) for n in (1, 2)])
    frame = load_results(url)
    assert frame["widths"].tolist() == frame["layer_params"].tolist() == [None, None]
    assert frame["ratio"].tolist() == [3.0, 2.0]
    assert frame["original_seed"].isna().all()
    check_results(frame)
    with pytest.raises(InputError, match="use bucket=1"):
        load_results(url, bucket=100)


def test_two_protocols_of_one_name_are_told_apart(url, engine, fill):
    stored = fill(engine, plan=False, seeds=(0,))
    with write(engine) as connection:
        other = store_protocol(connection, key="another-key", name="finetune", parameters={"epochs": 9})
        store_outcome(
            connection, subnetwork_id=1, protocol_id=other, seed=0, environment_id=None, outcome=Outcome("done", 0.5)
        )
    assert stored.protocol_id != other
    names = set(load_results(url)["protocol"])
    assert names == {"finetune-key-fine", "finetune-another-"}
    assert len(load_results(url, protocol="finetune-another-")) == 1
    assert set(load_results(url, protocol="another-key")["protocol"]) == {"finetune"}


@pytest.fixture(params=["ADBC", "driver"])
def way(request, monkeypatch):
    """Either way to whole columns."""
    if request.param == "driver":
        monkeypatch.setattr(reader, "fast", lambda dialect: False)
    return request.param


@pytest.mark.parametrize(
    "filters", [{}, {"state": None}, {"state": "failed", "bucket": 7}, {"columns": ["error", "host"]}]
)
def test_the_frame_is_the_same_either_way(filled, monkeypatch, filters):
    assert reader.fast("sqlite")
    assert reader.fast("postgresql")
    found = load_results(filled, **filters)
    monkeypatch.setattr(reader, "fast", lambda dialect: False)
    pd.testing.assert_frame_equal(load_results(filled, **filters), found, check_exact=True)


def test_an_empty_database_gives_the_same_frame_either_way(url, engine, monkeypatch):
    found = load_results(url)
    monkeypatch.setattr(reader, "fast", lambda dialect: False)
    pd.testing.assert_frame_equal(load_results(url), found, check_exact=True)
    assert found.dtypes.to_dict() == load_results(url, state=None).dtypes.to_dict()


def test_names_of_any_kind_come_back_either_way(url, engine, fill, way):
    study = "'quoted' \"twice\" %s {x} 🪓\nline"
    fill(engine, study=study, original="оригинал", spaces=("пространство", "'; DROP TABLE run; --"))
    frame = load_results(url, study=study, space="'; DROP TABLE run; --")
    assert set(frame["study"]) == {study}
    assert set(frame["original"]) == {"оригинал"}
    assert set(frame["space"]) == {"'; DROP TABLE run; --"}


def test_all_that_is_read_is_of_one_moment(url, engine, fill, way):
    stored = fill(engine, runs=0)
    count = {"n": "integer"}
    with reader.reading(engine) as (_, fetch, _begin):
        before = fetch("SELECT count(*) FROM run", count)["n"].tolist()
        with write(engine) as connection:
            key = {"subnetwork_id": 1, "protocol_id": stored.protocol_id, "seed": 0, "environment_id": None}
            store_outcome(connection, **key, outcome=Outcome("done", 0.5))
        assert fetch("SELECT count(*) FROM run", count)["n"].tolist() == before == [0]
    with reader.reading(engine) as (_, fetch, _begin):
        assert fetch("SELECT count(*) FROM run", count)["n"].tolist() == [1]


def test_a_reader_cannot_write(url, engine, fill, way):
    fill(engine, n=2)
    reading = read_only_engine(url)
    with pytest.raises(DatabaseError), reader.reading(reading) as (_, fetch, _begin):
        fetch("DELETE FROM plan", {})
    reading.dispose()
    assert query(url, "SELECT count(*) FROM plan").rows == [(2,)]


def test_numbers_that_begin_with_missing_ones_stay_numbers(url, engine, fill, way):
    stored = fill(engine, runs=0)
    keys = [row[0] for row in query(url, "SELECT key FROM subnetwork WHERE id <= 3 ORDER BY id").rows]
    with write(engine) as connection:
        outcomes = [Outcome("failed", failure="it"), Outcome("done", 1.0), Outcome("done", 0.5, 0.0)]
        for place, outcome in enumerate(outcomes):
            key = {"subnetwork_id": 1 + place, "protocol_id": stored.protocol_id, "environment_id": None}
            store_outcome(connection, **key, seed=0, outcome=outcome)
    frame = load_results(url, state=None)
    frame = frame.set_index("subnetwork").loc[keys]
    assert frame["val_error"].tolist() == pytest.approx([math.nan, 1.0, 0.5], nan_ok=True)
    assert frame["test_error"].tolist() == pytest.approx([math.nan, math.nan, 0.0], nan_ok=True)
    assert frame["failure"].isna().tolist() == [False, True, True]
    assert frame["host"].isna().all()
