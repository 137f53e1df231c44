"""Many processes at once, and processes that are killed."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from prunestats.db import open_database, read, schema, write
from prunestats.db.upgrade import schema_version
from prunestats.errors import DatabaseError

HERE = Path(__file__).parent


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, str(HERE / script), *map(str, arguments)], stderr=subprocess.PIPE, text=True
    )


def finish(processes):
    errors = [process.communicate(timeout=120)[1] for process in processes]
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


def test_a_process_killed_while_it_creates_leaves_a_place_to_create_in(empty_url):
    for wait in (0.3, 0.6, 0.9):
        process = start("opener.py", empty_url)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
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
