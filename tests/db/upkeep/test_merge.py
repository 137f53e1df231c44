"""Merge: rows that the target lacks are added, its own rows are kept, and a failure changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from prunestats.db import (
    check_database,
    export_results,
    import_results,
    load_results,
    merge_database,
    missing_runs,
    open_database,
    read,
    rows_hash,
    store_analysis,
    write,
)
from prunestats.db.schema import tables as schema
from prunestats.errors import DatabaseError, InputError


def counts(engine):
    with read(engine) as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in schema.metadata.tables.items()
        }


@pytest.fixture
def other(tmp_path):
    engine = open_database(tmp_path / "other.db")
    yield engine
    engine.dispose()


def hashes(*sources):
    return {rows_hash(load_results(source, state=None)) for source in sources}


def test_two_halves_of_a_study_make_the_whole(engine, other, fill, tmp_path):
    whole = open_database(tmp_path / "whole.db")
    stored = fill(whole)
    for half, place in enumerate((engine, other)):
        fill(place)
        with write(place) as connection:
            connection.execute(schema.run.delete().where(schema.run.c.id % 2 == half))
    n = counts(other)["run"]
    done = merge_database(engine, other)
    assert done.conflicts == ()
    assert {name: new for name, new in done.added.items() if new}.keys() == {"run", "epoch_metric"}
    assert done.added["run"] == n
    assert hashes(engine) == hashes(whole)
    assert counts(engine) == counts(whole)
    with read(engine) as connection:
        assert not missing_runs(connection, study_id=stored.study_id, protocol_id=stored.protocol_id, seeds=(0, 1))
    whole.dispose()


def test_studies_of_two_machines_come_together(engine, other, fill):
    fill(engine)
    fill(other, study="other", original="net-1", protocol="other", regimes=(0.5, 0.1), spaces=("initial", "stages"))
    before = counts(engine)
    here, there = load_results(engine, state=None), load_results(other, state=None)
    done = merge_database(engine, other)
    assert done.conflicts == ()
    assert done.added["epoch_metric"] == counts(other)["epoch_metric"]
    for study, frame in (("digits", here), ("other", there)):
        assert load_results(engine, study=study, state=None, bucket=64)["error"].equals(frame["error"])
        assert rows_hash(load_results(engine, study=study, state=None)) == rows_hash(frame)
    assert counts(engine)["run"] == before["run"] + counts(other)["run"]
    with read(engine) as connection:
        logs = connection.execute(
            select(schema.run.c.id, func.count(schema.epoch_metric.c.epoch))
            .join(schema.epoch_metric, isouter=True)
            .where(schema.run.c.state == "done")
            .group_by(schema.run.c.id)
        ).all()
    assert {row[1] for row in logs} == {3}


def test_merging_again_and_back_changes_nothing(engine, other, fill):
    fill(engine, runs=9)
    fill(other, study="other", original="net-1")
    merge_database(engine, other)
    once = counts(engine)
    again = merge_database(engine, other)
    assert set(again.added.values()) == {0}
    assert again.conflicts == ()
    assert counts(engine) == once
    merge_database(other, engine)
    assert counts(other) == once
    assert hashes(engine) == hashes(other)


def test_an_empty_place_becomes_a_copy(empty_url, filled):
    merge_database(empty_url, filled)
    assert hashes(empty_url) == hashes(filled)


def test_postgresql_comes_into_a_file(sqlite_filled, postgresql_filled, tmp_path):
    done = merge_database(tmp_path / "copy.db", postgresql_filled)
    assert done.conflicts == ()
    assert hashes(tmp_path / "copy.db") == hashes(sqlite_filled)
    again = merge_database(tmp_path / "copy.db", sqlite_filled)
    assert again.conflicts == ()
    assert set(again.added.values()) == {0}


def test_other_results_of_one_run_are_told_and_not_taken(engine, other, fill):
    fill(engine)
    fill(other)
    run = schema.run
    with write(other) as connection:
        connection.execute(update(run).where(run.c.id == 3).values(val_error=0.321, wall_s=77.0))
        connection.execute(update(run).where(run.c.id == 4).values(wall_s=99.0))
        connection.execute(schema.protocol.update().values(parameters={"name": "changed"}))
    before = load_results(engine, state=None)
    done = merge_database(engine, other)
    assert len(done.conflicts) == 2
    assert "protocol 'key-finetune': parameters is" in done.conflicts[0]
    assert "val_error is" in done.conflicts[1]
    assert "and 0.321 there" in done.conflicts[1]
    assert set(done.added.values()) == {0}
    assert load_results(engine, state=None).equals(before)


def test_two_studies_of_one_name_are_refused_whole(engine, other, fill):
    fill(engine)
    fill(other, fingerprint="another", runs=0)
    fill(other, study="new", original="net-9")
    before = counts(engine)
    with pytest.raises(DatabaseError, match="'digits' to be one study in both") as caught:
        merge_database(engine, other)
    assert "\n" not in str(caught.value)
    assert counts(engine) == before


def test_a_merge_that_fails_in_the_middle_leaves_nothing(engine, other, fill, monkeypatch):
    fill(engine)
    fill(other, study="new", original="net-9")
    before = counts(engine)

    def broken(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("prunestats.db.upkeep.merge._merge_analyses", broken)
    with pytest.raises(ZeroDivisionError):
        merge_database(engine, other)
    assert counts(engine) == before


def test_a_database_is_not_merged_with_itself(url, engine):
    for target in (url, engine):
        with pytest.raises(InputError, match="twice: name another"):
            merge_database(target, url)


def test_what_is_read_is_not_changed(engine, sqlite_filled, fill):
    before = Path(sqlite_filled).read_bytes()
    fill(engine, study="mine", original="mine")
    merge_database(engine, sqlite_filled)
    assert Path(sqlite_filled).read_bytes() == before


def test_imports_of_one_name_grow_together(engine, other, fill, tmp_path):
    fill(other, study="source", regimes=(0.5,))
    export_results(other, tmp_path / "all.csv")
    lines = (tmp_path / "all.csv").read_text().splitlines(keepends=True)
    (tmp_path / "first.csv").write_text("".join(lines[:11]))
    (tmp_path / "last.csv").write_text("".join([lines[0], *lines[7:]]))
    import_results(engine, tmp_path / "first.csv")
    import_results(tmp_path / "last.db", tmp_path / "last.csv")
    done = merge_database(engine, tmp_path / "last.db")
    assert done.conflicts == ()
    assert hashes(engine) == hashes(other)
    assert check_for_orphans(engine) == []


def check_for_orphans(engine):
    # the widths of `fill` are anywhere, not in the bands of its regimes
    return [line for line in check_database(engine) if "outside its regime" not in line]


def test_analyses_come_along_once(engine, other, fill):
    said = {"kind": "report", "rows_hash": "h", "n_rows": 3, "result": {}, "versions": {}}
    for place in (engine, other):
        stored = fill(place)
        with write(place) as connection:
            store_analysis(connection, study_id=stored.study_id, parameters={"seed": 0}, **said)
    stored = fill(other, study="another", original="net-1")
    with write(other) as connection:
        store_analysis(connection, study_id=stored.study_id, parameters={"seed": 1}, **said)
    assert merge_database(engine, other).added["analysis"] == 1
    assert merge_database(engine, other).added["analysis"] == 0
    assert check_for_orphans(engine) == []


@pytest.mark.parametrize("name", ["it's\r\n\t", "'; DROP TABLE run; --", "部分网络 شبكة 🪓", "long " * 2000])
def test_hostile_names_are_merged_unchanged(engine, other, fill, name):
    fill(other, study=name, spaces=(name,), regimes=(0.5,), n=2)
    merge_database(engine, other)
    frame = load_results(engine, study=name, space=name, state=None)
    assert len(frame) == 4
    assert set(frame["study"]) == {name}
