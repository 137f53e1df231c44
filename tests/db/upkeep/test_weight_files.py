"""Kept weights: which runs are kept, and that files and rows stay in step through removal, merge and checks."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sqlalchemy import select, update

from prunestats.db import merge_database, open_database, read, remove_study, write
from prunestats.db.schema import tables as schema
from prunestats.db.storing.kept_weights import (
    best_values,
    kept_runs,
    lock_weights,
    run_to_keep,
    store_weights,
    weights_name,
)
from prunestats.db.upkeep.weight_files import remove_orphans, weights_beside, wrong_files


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Files of a server's database are in the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def other(tmp_path):
    engine = open_database(tmp_path / "other.db")
    yield engine
    engine.dispose()


def keep(engine, run_id, content):
    """Keep the weights of a run, whatever its rank."""
    run, subnetwork, protocol = schema.run, schema.subnetwork, schema.protocol
    joined = run.join(subnetwork, subnetwork.c.id == run.c.subnetwork_id).join(protocol)
    keys = select(subnetwork.c.key, protocol.c.key, run.c.seed).select_from(joined).where(run.c.id == run_id)
    digest = hashlib.sha256(content).hexdigest()
    with write(engine) as connection:
        lock_weights(connection)
        name = weights_name(*connection.execute(keys).one(), digest)
        folder = weights_beside(engine)
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        store_weights(connection, run_id=run_id, sha256=digest, size=len(content), replaced=[])
    return folder / name


def wrong(engine):
    with read(engine) as connection:
        return list(wrong_files(connection))


def done_runs(engine):
    with read(engine) as connection:
        return connection.execute(
            select(schema.run).where(schema.run.c.state == "done").order_by(schema.run.c.id)
        ).all()


def test_a_run_is_kept_where_it_is_among_the_best_of_one_of_its_populations(engine, fill):
    fill(engine)
    population, draw, run = schema.population, schema.draw, schema.run
    for k in (1, 2, 3):
        with read(engine) as connection:
            wanted = set()
            for (one,) in connection.execute(select(population.c.id)).all():
                ranked = connection.execute(
                    select(
                        run.c.id,
                        run.c.protocol_id,
                        run.c.val_error,
                        run.c.val_loss,
                        schema.subnetwork.c.key,
                        run.c.seed,
                    )
                    .join(draw, draw.c.subnetwork_id == run.c.subnetwork_id)
                    .join(schema.subnetwork, schema.subnetwork.c.id == run.c.subnetwork_id)
                    .where(draw.c.population_id == one, run.c.state == "done")
                ).all()
                ranked.sort(key=lambda row: (row.val_error, row.val_loss, row.key, row.seed))
                assert len({row.protocol_id for row in ranked}) <= 1
                wanted |= {row.id for row in ranked[:k]}
            for row in connection.execute(select(run).where(run.c.state == "done")).all():
                key = {"subnetwork_id": row.subnetwork_id, "protocol_id": row.protocol_id, "seed": row.seed}
                found, replaced = run_to_keep(connection, **key, keep=k)
                assert (found == row.id) == (row.id in wanted)
                assert replaced == []


def test_what_a_better_run_replaces_is_no_longer_among_the_best(engine, fill):
    fill(engine)
    runs = done_runs(engine)
    for row in runs:
        keep(engine, row.id, f"weights {row.id}".encode())
    best = min(runs, key=lambda row: row.val_error)
    with write(engine) as connection:
        connection.execute(update(schema.run).where(schema.run.c.id == best.id).values(val_error=0.0, val_loss=0.0))
        key = {"subnetwork_id": best.subnetwork_id, "protocol_id": best.protocol_id, "seed": best.seed}
        found, replaced = run_to_keep(connection, **key, keep=1)
        assert found == best.id
        assert replaced
        assert best.id not in {one.run_id for one in replaced}
        store_weights(connection, run_id=best.id, sha256="a" * 64, size=1, replaced=replaced)
        left = {one.run_id for one in kept_runs(connection)}
        assert left == {row.id for row in runs} - {one.run_id for one in replaced}


def test_best_values_are_those_of_each_population(engine, fill):
    fill(engine)
    with read(engine) as connection:
        for study, protocol in connection.execute(select(schema.plan.c.study_id, schema.plan.c.protocol_id).distinct()):
            values = best_values(connection, study_id=study, protocol_id=protocol, keep=2)
            assert values
            assert all(found == sorted(found) and len(found) <= 2 for found in values.values())


def test_a_metric_that_is_maximised_keeps_the_highest(engine, fill):
    fill(engine)
    runs = done_runs(engine)
    with write(engine) as connection:
        miou = {"name": "miou", "direction": "maximize", "unit": "fraction", "low": 0, "high": 1}
        connection.execute(update(schema.study).values(metric=miou))
        for number, row in enumerate(runs):
            connection.execute(update(schema.run).where(schema.run.c.id == row.id).values(val_metric=number / 1000))
        last = runs[-1]
        key = {"subnetwork_id": last.subnetwork_id, "protocol_id": last.protocol_id, "seed": last.seed}
        assert run_to_keep(connection, **key, keep=1)[0] == last.id
        study = connection.scalar(select(schema.study.c.id))
        values = best_values(connection, study_id=study, protocol_id=last.protocol_id, keep=1)
        assert min(value for found in values.values() for value in found) == -(len(runs) - 1) / 1000


def test_orphans_go_and_other_files_stay(engine, fill):
    fill(engine)
    folder = weights_beside(engine)
    assert remove_orphans(engine) == 0
    row = done_runs(engine)[0]
    file = keep(engine, row.id, b"weights")
    orphan = folder / f"{'a' * 16}-{'b' * 16}-0-{'c' * 16}.safetensors"
    unfinished = folder / f".{'a' * 16}-{'b' * 16}-0-{'c' * 5}-x1y2"
    foreign = folder / "notes.txt"
    for one in (orphan, unfinished, foreign):
        one.write_bytes(b"")
    assert remove_orphans(engine) == 2
    assert sorted(folder.iterdir()) == sorted([file, foreign])


def test_the_check_names_missing_changed_and_orphaned_files(engine, fill, tmp_path):
    fill(engine)
    first, second = (keep(engine, row.id, f"{row.id}".encode()) for row in done_runs(engine)[:2])
    assert wrong(engine) == []
    first.unlink()
    second.write_bytes(b"other")
    folder = weights_beside(engine)
    orphan = folder / f"{'a' * 16}-{'b' * 16}-0-{'c' * 16}.safetensors"
    orphan.write_bytes(b"")
    ends = "without a row; the next `prunestats run` deletes them"
    assert wrong(engine) == [
        f"missing: 1 file of kept weights in {str(folder)!r}, such as {first.name}",
        f"damaged: 1 file of kept weights in {str(folder)!r} with another hash than stored, such as {second.name}",
        f"orphans: 1 file in {str(folder)!r} {ends}, such as {orphan.name}",
    ]


def test_a_merge_takes_the_files_of_the_rows_that_it_takes(engine, other, fill):
    for place in (engine, other):
        fill(place)
    runs = done_runs(other)
    mine, theirs, lost, same = runs[:4]
    keep(engine, mine.id, b"mine")
    keep(other, mine.id, b"theirs of the same run")
    taken = keep(other, theirs.id, b"theirs")
    keep(other, lost.id, b"lost").unlink()
    also = keep(other, same.id, b"same")
    with write(engine) as connection:
        connection.execute(schema.run.delete().where(schema.run.c.id == theirs.id))
    done = merge_database(engine, other)
    assert (done.added["run"], done.added["weights"], done.lost_weights) == (1, 2, 1)
    with read(engine) as connection:
        kept = {one.file for one in kept_runs(connection)}
    folder = weights_beside(engine)
    assert {file.name for file in folder.iterdir()} == kept
    assert {taken.name, also.name} < kept
    assert len(kept) == 3
    assert merge_database(engine, other).added["weights"] == 0
    assert wrong(engine) == []


def test_weights_go_with_their_runs(engine, fill):
    fill(engine)
    rows = done_runs(engine)
    files = [keep(engine, row.id, f"{row.id}".encode()) for row in rows]
    with read(engine) as connection:
        names = list(connection.scalars(select(schema.study.c.name)))
    rng = np.random.default_rng(0)
    for name in rng.permutation(names).tolist():
        with write(engine) as connection:
            removed = remove_study(connection, name)
        before = sum(file.exists() for file in files)
        assert remove_orphans(engine) == removed.rows["weights"] == before - sum(file.exists() for file in files)
        with read(engine) as connection:
            assert {one.file for one in kept_runs(connection)} == {file.name for file in files if file.exists()}
    assert not any(file.exists() for file in files)
