"""Many processes at once, and processes that are killed."""

import ctypes
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from prunestats.db import (
    import_results,
    load_results,
    merge_database,
    open_database,
    read,
    rows_hash,
    vacuum_database,
    write,
)
from prunestats.db.connection.address import parse_address
from prunestats.db.connection.engine import make_engine
from prunestats.db.schema import tables as schema
from prunestats.db.schema.upgrade import _MIGRATIONS, schema_version
from prunestats.db.upkeep.integrity import check_database
from prunestats.errors import DatabaseError

HERE = Path(__file__).parent
HANGS_S = 240
"""Seconds after which a test gives up: none waits so long unless something hangs, whatever else the machine does."""


def start(script, *arguments, output=None):
    return subprocess.Popen(
        [sys.executable, str(HERE / script), *map(str, arguments)], stdout=output, stderr=subprocess.PIPE, text=True
    )


def finish(processes):
    errors = [process.communicate(timeout=HANGS_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), errors


def test_eight_writers_at_once_lose_nothing(url, engine, fill):
    fill(engine, runs=0, regimes=(0.5,), spaces=("initial",))
    with read(engine) as connection:
        before = connection.scalar(select(schema.population.c.attempts))
    finish([start("writer.py", url, 1000 * place, 12) for place in range(8)])
    with read(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(schema.run)) == 8 * 12
        assert connection.scalar(select(func.count()).select_from(schema.epoch_metric)) == 8 * 12 * 3
        assert connection.scalar(select(schema.population.c.attempts)) == before + 8 * 12


def test_eight_processes_create_one_database(empty_url):
    finish([start("opener.py", empty_url) for _ in range(8)])
    engine = open_database(empty_url, create=False)
    with read(engine) as connection:
        assert schema_version(connection) == schema.SCHEMA_VERSION
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_writer_leaves_whole_runs_and_all_that_it_acknowledged(url, engine, fill, tmp_path, rounds):
    fill(engine, runs=0, regimes=(0.5,), spaces=("initial",))
    acknowledged = tmp_path / "acknowledged"
    for place in range(rounds):
        seen = len(acknowledged.read_text().split()) if acknowledged.exists() else 0
        process = start("writer.py", url, 100_000 * place, 100_000, acknowledged)
        while not acknowledged.exists() or len(acknowledged.read_text().split()) < seen + 5 + place % 10:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with read(engine) as connection:
            runs = {row.seed: row.id for row in connection.execute(select(schema.run.c.seed, schema.run.c.id))}
            logs = connection.execute(select(schema.epoch_metric.c.run_id, func.count()).group_by("run_id")).all()
        assert {int(seed) for seed in acknowledged.read_text().split()} <= set(runs)
        assert dict(map(tuple, logs)) == dict.fromkeys(runs.values(), 3)
    if engine.dialect.name == "sqlite":
        with sqlite3.connect(url) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("step", ["drop_views", "_migrate", "create_views", "_upgrade"])
def test_a_process_killed_while_it_creates_leaves_a_place_to_create_in(empty_url, step):
    process = start("opener.py", empty_url, step)
    _, errors = process.communicate(timeout=HANGS_S)
    assert process.returncode == -signal.SIGKILL, errors
    engine = open_database(empty_url)
    with write(engine) as connection:
        assert schema_version(connection) == schema.SCHEMA_VERSION
    engine.dispose()


def test_a_full_disk_is_one_line_and_the_database_stays_whole(tmp_path, sqlite_template, fill):
    path = tmp_path / "results.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = open_database(path)
    with engine.connect() as connection:
        # a limit on pages is to SQLite what a full disk is
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.rollback()
    engine.dispose()
    engine = open_database(path)
    event.listen(engine, "connect", lambda c, record: c.execute(f"PRAGMA max_page_count = {pages + 2}"))
    engine.dispose()
    with pytest.raises(DatabaseError, match="the disk is full and nothing was stored"):
        fill(engine, n=200)
    engine.dispose()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM study").fetchall() == [(0,)]


def test_a_writer_waits_for_a_reader_and_a_reader_for_none(url, engine, fill):
    fill(engine, runs=3)
    with read(engine) as reader:
        assert reader.scalar(select(func.count()).select_from(schema.run)) == 3
        finish([start("writer.py", url, 500, 3)])
        assert reader.scalar(select(func.count()).select_from(schema.run)) == 3


def test_eight_processes_upgrade_once(url, tmp_path):
    """Version 2 is made up: a copy of the migrations with one more, which leaves a mark each time that it runs."""
    migrations = tmp_path / "migrations"
    shutil.copytree(_MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    (migrations / "versions" / "9999_mark.py").write_text(MARKING)
    processes = [start("upgrader.py", url, migrations, output=subprocess.PIPE) for _ in range(8)]
    said = [process.communicate(timeout=HANGS_S) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, said
    assert sorted(before for before, _ in said) == [f"{schema.SCHEMA_VERSION}\n"] + ["9999\n"] * 7
    engine = make_engine(parse_address(url))
    with read(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM mark").scalar() == 1
    engine.dispose()


MARKING = f"""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{schema.SCHEMA_VERSION:04}"


def upgrade():
    if not sa.inspect(op.get_bind()).has_table("mark"):
        op.create_table("mark", sa.Column("at", sa.Integer()))
    op.execute("INSERT INTO mark VALUES (1)")
"""


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_import_is_none_and_done_again_it_is_whole(url, engine, tmp_path, rounds):
    table = tmp_path / "table.csv"
    rows = [f"a{k},{1000 + k},{100 + k % 50},{k % 97 / 97!r}" for k in range(4000)]
    table.write_text("\n".join(["subnetwork,flops,params,val_error", *rows]))
    dry_run = start("importer.py", url, table, "dry run", 0, output=subprocess.PIPE)
    calls = int(dry_run.communicate(timeout=HANGS_S)[0])
    for place in range(rounds):
        call = calls * (place + 1) // (rounds + 1)
        process = start("importer.py", url, table, f"study {place}", call, output=subprocess.PIPE)
        _, errors = process.communicate(timeout=HANGS_S)
        assert process.returncode == -signal.SIGKILL, errors
        with read(engine) as connection:
            found = dict(map(tuple, connection.execute(STUDIES)))
        # each study has all of its rows, or is not there
        assert set(found.values()) <= {4000}
    done = import_results(engine, table, original="net", flops_convention="multiply-adds", study=f"study {rounds - 1}")
    assert done.runs == 4000
    with read(engine) as connection:
        assert dict(map(tuple, connection.execute(STUDIES)))[f"study {rounds - 1}"] == 4000
    assert check_database(engine) == []


STUDIES = (
    select(schema.study.c.name, func.count(schema.draw.c.subnetwork_id))
    .select_from(schema.study.join(schema.population, isouter=True).join(schema.draw, isouter=True))
    .group_by(schema.study.c.name)
)


@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_removal_is_none_or_whole_and_leaves_a_backup(url, engine, fill, tmp_path, rounds):
    fill(engine, n=30)
    fill(engine, study="other", original="other")
    kept = select(schema.study.c.name, func.count(schema.population.c.id)).join(schema.population).group_by("name")
    before, after = {"digits": 4, "other": 4}, {"other": 4}
    dry_run = start("remover.py", url, "digits", 0, output=subprocess.PIPE)
    calls = int(dry_run.communicate(timeout=HANGS_S)[0].split()[-1])
    for place in range(rounds):
        # a removal takes the calls of a dry run, those of the backup, and those of the second pass over its rows
        process = start("remover.py", url, "digits", 2 * calls * (place + 1) // (rounds + 1), output=subprocess.PIPE)
        _, errors = process.communicate(timeout=HANGS_S)
        assert process.returncode in (0, -signal.SIGKILL), errors
        with read(engine) as connection:
            found = dict(map(tuple, connection.execute(kept)))
            runs = connection.scalar(select(func.count()).select_from(schema.run))
        assert (found, runs > 100) in ((before, True), (after, False))
        if found == after and engine.dialect.name == "sqlite":
            backups = list(tmp_path.glob("results.backup-*.db"))
            assert [rows_hash(load_results(backup, study="digits", state=None)) for backup in backups]
        if found == after:
            fill(engine, n=30)
    finish([start("remover.py", url, "digits", output=subprocess.PIPE)])
    with read(engine) as connection:
        assert dict(map(tuple, connection.execute(kept))) == after


def test_imports_at_once_store_everything_once(url, engine, tmp_path):
    table = tmp_path / "table.csv"
    rows = [f"a{k},{1000 + k},{100 + k % 50},0.5" for k in range(500)]
    table.write_text("\n".join(["subnetwork,flops,params,val_error", *rows]))
    finish([start("importer.py", url, table, f"study {place % 2}") for place in range(4)])
    with read(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(schema.run)) == 500
        assert dict(map(tuple, connection.execute(STUDIES))) == {f"study {place}": 500 for place in range(2)}


def full(size):
    """Let no file of this process grow beyond so many bytes: what a full disk is to SQLite's log and its file."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("command", ["import", "merge", "backup", "vacuum", "remove"])
def test_a_full_disk_is_one_line_and_leaves_the_database_as_it_was(tmp_path, fill, command):
    path, other, table = tmp_path / "results.db", tmp_path / "other.db", tmp_path / "table.csv"
    for place, study in ((path, "digits"), (other, "other")):
        engine = open_database(place)
        fill(engine, study=study, original=study, n=60)
        engine.dispose()
    with sqlite3.connect(path) as connection:
        before = connection.execute("SELECT count(*), sum(val_error) FROM run").fetchall()
    connection.close()
    rows = [f"a{k},{1000 + k},{100 + k % 50},0.5" for k in range(4000)]
    table.write_text("\n".join(["subnetwork,flops,params,val_error", *rows]))
    said = {
        "import": ["import", table, "--original", "net", "--flops-convention", "multiply-adds", "--db", path],
        "merge": ["db", "merge", other, "--db", path],
        "backup": ["db", "backup", tmp_path / "copy.db", "--db", path],
        "vacuum": ["db", "vacuum", "--db", path],
        "remove": ["remove", "--study", "digits", "--yes", "--backup", tmp_path / "copy.db", "--db", path],
    }
    done = subprocess.run(
        [sys.executable, "-m", "prunestats", *map(str, said[command])],
        capture_output=True,
        text=True,
        preexec_fn=full(100_000),
    )
    assert done.returncode == 1, done
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "copy.db").exists()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*), sum(val_error) FROM run").fetchall() == before
    connection.close()
    # and it goes on once there is space
    merge_database(path, other)
    vacuum_database(path)


def obey_permissions():
    """Give up what lets root write where permissions say no; other users never had it."""
    drop, override = 24, 1
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(drop, override, 0, 0, 0):
        raise PermissionError


@pytest.fixture
def read_only(tmp_path, fill):
    """A database in a folder where nothing may be written, and what runs a command there."""
    folder = tmp_path / "folder"
    folder.mkdir()
    engine = open_database(folder / "prunestats.db")
    fill(engine)
    engine.dispose()
    (folder / "table.csv").write_text("subnetwork,flops,params,val_error\na,90,9,0.5\n")
    (folder / "prunestats.db").chmod(0o444)
    folder.chmod(0o555)

    def run(*arguments):
        try:
            return subprocess.run(
                [sys.executable, "-m", "prunestats", *arguments],
                cwd=folder,
                capture_output=True,
                text=True,
                preexec_fn=obey_permissions,
            )
        except subprocess.SubprocessError:
            pytest.skip("root may not give up its rights here")

    yield run
    folder.chmod(0o755)


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "table.csv", "--original", "net", "--flops-convention", "multiply-adds"],
        ["db", "merge", "prunestats.db", "--db", "other.db"],
        ["db", "vacuum"],
        ["db", "backup", "copy.db"],
        ["remove", "--study", "digits", "--yes"],
        ["export", "out.csv"],
    ],
    ids=" ".join,
)
def test_writing_into_a_read_only_folder_is_one_line(read_only, arguments):
    done = read_only(*arguments)
    assert done.returncode in (1, 2), done
    assert done.stderr.startswith("error: "), done
    assert len(done.stderr.splitlines()) == 1, done
    assert re.search(r"read-only|permission", done.stderr, re.IGNORECASE), done


@pytest.mark.parametrize("arguments", [["db", "check"], ["analyses"], ["sql", "SELECT 1 FROM run"]], ids=" ".join)
def test_reading_in_a_read_only_folder_works(read_only, arguments):
    assert not read_only(*arguments).stderr
