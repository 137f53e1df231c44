"""Maintenance: backups, checks, vacuum, upgrades."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from prunestats.cost.model import CostModel
from prunestats.db import (
    SubnetworkRow,
    backup_database,
    check_database,
    find_original,
    load_results,
    open_database,
    read,
    rows_hash,
    store_population,
    store_regime,
    store_space,
    store_study,
    upgrade_database,
    vacuum_database,
    write,
)
from prunestats.db.schema import tables as schema
from prunestats.errors import DatabaseError, InputError

SAVED = Path(__file__).parents[1] / "saved"


@pytest.fixture
def sound(url, engine, fill):
    """A database in order: `fill` draws widths wherever, so its own populations are taken out of their bands."""
    fill(engine, regimes=(0.5,), n=20)
    with write(engine) as connection:
        connection.execute(schema.regime.update().values(flops_fraction=1.0, tolerance=1.0))
    return url


def test_a_database_in_order_has_no_findings(sound):
    assert check_database(sound) == []


def test_saved_databases_of_every_version_are_in_order_after_their_upgrade(tmp_path):
    for saved in sorted(SAVED.glob("*.db.gz")):
        path = tmp_path / saved.stem
        path.write_bytes(gzip.decompress(saved.read_bytes()))
        upgrade_database(path)
        # the saved rows come without the files of weights
        assert [line for line in check_database(path) if not line.startswith("missing: 1 file of kept weights")] == []


WRONG = {
    "DELETE FROM subnetwork WHERE id = 2": "orphans: 1 rows of draw whose subnetwork_id names no row of subnetwork",
    "UPDATE run SET environment_id = 99 WHERE id = 1": "orphans: 1 rows of run whose environment_id names no row",
    "UPDATE run SET val_error = 93.1 WHERE id = 1": "1 rows of run break the rule val_error BETWEEN 0 AND 1",
    "UPDATE run SET state = 'running' WHERE id = 1": "1 rows of run break the rule state IN",
    "UPDATE subnetwork SET flops = flops + 1 WHERE id = 1": "its widths give",
    "UPDATE subnetwork SET widths = '[17, 1]' WHERE id = 3": "do not fit its original",
    "UPDATE subnetwork SET widths = '[1]' WHERE id = 3": "do not fit its original",
    "UPDATE regime SET flops_fraction = 0.5, tolerance = 0.0": "lie outside its regime 0.5 ± 0",
    "UPDATE epoch_metric SET epoch = 99 WHERE epoch = 2 AND run_id = 1": "1 epochs after the last of their run",
}
ON_SQLITE = {
    "UPDATE subnetwork SET flops = 'many' WHERE id = 1": "1 rows of subnetwork hold no whole value in flops",
    "UPDATE subnetwork SET widths = '[1,' WHERE id = 1": "1 rows of subnetwork hold no json value in widths",
    "UPDATE run SET val_error = x'00' WHERE id = 1": "1 rows of run hold no real value in val_error",
    "DROP VIEW edf": "missing: view edf",
}


@pytest.mark.parametrize("statement", list(WRONG))
def test_what_constraints_would_have_refused_is_found(sound, engine, statement):
    """Other programs write without foreign keys and checks, and superusers without triggers."""
    pooled = engine.raw_connection()
    driver = pooled.driver_connection
    if engine.dialect.name == "sqlite":
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute("PRAGMA ignore_check_constraints = ON")
    else:
        driver.execute("SET session_replication_role = replica")
        driver.execute("ALTER TABLE run DROP CONSTRAINT ck_run_val_error_fraction, DROP CONSTRAINT ck_run_state")
        driver.execute(
            "ALTER TABLE run DROP CONSTRAINT ck_run_done_has_error, DROP CONSTRAINT ck_run_failed_has_reason"
        )
    driver.execute(statement)
    driver.commit()
    pooled.invalidate()
    found = check_database(sound)
    assert any(WRONG[statement] in line for line in found), found
    assert all("\n" not in line for line in found)


@pytest.mark.parametrize("statement", list(ON_SQLITE))
def test_what_sqlite_lets_through_is_found(tmp_path, sqlite_template, fill, statement):
    engine = open_database(tmp_path / "results.db")
    fill(engine)
    engine.dispose()
    with sqlite3.connect(tmp_path / "results.db") as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement)
    connection.close()
    assert [line for line in check_database(tmp_path / "results.db") if ON_SQLITE[statement] in line]


def test_a_damaged_index_is_found(tmp_path, fill):
    path = tmp_path / "results.db"
    engine = open_database(path)
    fill(engine, n=100)
    engine.dispose()
    with sqlite3.connect(path) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_draw_subnetwork_id'").fetchone()[
            0
        ]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    damaged = bytearray(path.read_bytes())
    damaged[(page - 1) * size + size // 2 : page * size] = b"\0" * (size - size // 2)
    path.write_bytes(damaged)
    found = check_database(path)
    assert found
    assert all(line.startswith("damaged: ") for line in found)
    with pytest.raises(DatabaseError, match="damaged"):
        backup_database(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_backup_is_one_whole_file_while_others_write(tmp_path, fill):
    path = tmp_path / "results.db"
    engine = open_database(path)
    fill(engine)
    with write(engine) as connection:
        store_study(connection, name="not committed", text="", fingerprint="", seed=0)
        size = backup_database(path, tmp_path / "copy.db")
    assert size == (tmp_path / "copy.db").stat().st_size
    assert sorted(file.name for file in tmp_path.glob("copy*")) == ["copy.db"]
    assert not list(tmp_path.glob(".*"))
    engine.dispose()
    assert rows_hash(load_results(tmp_path / "copy.db")) == rows_hash(load_results(path))
    copy = open_database(tmp_path / "copy.db", create=False)
    with read(copy) as connection:
        assert connection.scalars(select(schema.study.c.name)).all() == ["digits"]
    copy.dispose()


def test_a_backup_replaces_nothing(tmp_path, sqlite_filled):
    (tmp_path / "there").write_text("precious")
    for place, complaint in (("there", "exists already"), ("no/copy.db", "make it")):
        with pytest.raises(InputError, match=complaint):
            backup_database(sqlite_filled, tmp_path / place)
    with pytest.raises(DatabaseError, match="no such file"):
        backup_database(tmp_path / "none.db", tmp_path / "copy.db")
    assert (tmp_path / "there").read_text() == "precious"
    assert [file.name for file in tmp_path.iterdir()] == ["there"]


def test_other_files_are_not_backed_up(tmp_path, sqlite_template):
    (tmp_path / "text.db").write_text("not a database, but long enough to be mistaken for one\n" * 9)
    whole = sqlite_template.read_bytes()
    (tmp_path / "cut.db").write_bytes(whole[: len(whole) // 2])
    with sqlite3.connect(tmp_path / "notes.db") as connection:
        connection.execute("CREATE TABLE notes (a)")
    connection.close()
    for name, complaint in (("text", "another kind of file"), ("cut", "truncated"), ("notes", "another application")):
        for act in (lambda path: backup_database(path, tmp_path / "copy.db"), vacuum_database, check_database):
            with pytest.raises(DatabaseError, match=complaint) as caught:
                act(tmp_path / f"{name}.db")
            assert "\n" not in str(caught.value)
    assert not (tmp_path / "copy.db").exists()


def test_an_older_database_is_backed_up_as_it_is(tmp_path, sqlite_filled, monkeypatch):
    """To a later prunestats this database is an older one."""
    monkeypatch.setattr("prunestats.db.schema.upgrade.SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    with pytest.raises(DatabaseError, match="upgrade it with `prunestats db upgrade`"):
        check_database(sqlite_filled)
    backup_database(sqlite_filled, tmp_path / "copy.db")
    monkeypatch.undo()
    assert rows_hash(load_results(tmp_path / "copy.db")) == rows_hash(load_results(sqlite_filled))


def test_postgresql_has_its_own_backup(postgresql_filled, tmp_path):
    with pytest.raises(InputError, match="use pg_dump postgresql://") as caught:
        backup_database(postgresql_filled, tmp_path / "copy")
    assert "\n" not in str(caught.value)


def test_vacuum_gives_back_space_and_changes_nothing(url, engine, fill):
    fill(engine, n=150)
    with write(engine) as connection:
        connection.execute(schema.epoch_metric.delete())
    hashed = rows_hash(load_results(engine))
    engine.dispose()
    before, after = vacuum_database(url)
    if engine.dialect.name == "sqlite":
        assert after < before
    assert rows_hash(load_results(url)) == hashed


def test_an_upgrade_of_what_is_up_to_date_says_so(url):
    assert upgrade_database(url) == (schema.SCHEMA_VERSION, schema.SCHEMA_VERSION)


def test_an_upgrade_creates_nothing(empty_url):
    with pytest.raises(DatabaseError, match=r"no such file|empty"):
        upgrade_database(empty_url)


def test_a_population_in_its_band_is_in_order_and_one_outside_is_not(sound, engine):
    with write(engine) as connection:
        original = find_original(connection, "net-0")
        cost = CostModel.from_dict(original["cost"])
        study = store_study(connection, name="bands", text="", fingerprint="b", seed=0)
        space = store_space(connection, study_id=study, name="s", sampler="s", parameters={}, law="")
        flops, params = (int(count([[8, 16]])[0]) for count in (cost.flops, cost.params))
        regime = store_regime(connection, study_id=study, flops_fraction=flops / original["flops"], tolerance=0.0)
        ids = {"study_id": study, "original_id": original["id"], "regime_id": regime, "space_id": space}
        rows = [SubnetworkRow("in the band", (8, 16), flops, params)]
        store_population(connection, **ids, attempts=1, accepted=1, duplicates=0, subnetworks=rows)
    assert check_database(sound) == []
    with write(engine) as connection:
        connection.execute(schema.regime.update().where(schema.regime.c.id == regime).values(flops_fraction=0.9))
    assert check_database(sound) == ["impossible: 1 subnetworks of study 'bands' lie outside its regime 0.9 ± 0"]
