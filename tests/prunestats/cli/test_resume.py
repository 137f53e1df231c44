"""A study may be stopped at any moment: what was stored is kept, nothing is run twice, nothing is lost."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import psutil
import pytest

COLUMNS = "subnetwork_id, protocol_id, seed, state, val_error, test_error, val_loss, test_loss, train_loss"


def rows(db, columns=COLUMNS, order="subnetwork_id, seed"):
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        return connection.execute(f"SELECT {columns} FROM run ORDER BY {order}").fetchall()


def stored(db):
    try:
        return len(rows(db))
    except sqlite3.OperationalError:
        return 0


@contextmanager
def started(study, db, environment):
    """The command in a session of its own, so that a signal reaches what a terminal's Ctrl-C would."""
    with subprocess.Popen(
        [sys.executable, "-m", "prunestats", "run", str(study), "--db", str(db), "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes, seconds):
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, prunestats, study_text):
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "study.toml").write_text(study_text)
    prunestats("run", folder / "study.toml", "--db", folder / "results.db", "--workers", 0)
    return rows(folder / "results.db")


def test_kill_9_loses_nothing_and_repeats_nothing(study, tmp_path, environment, prunestats, uninterrupted):
    db = tmp_path / "results.db"
    before = []
    for target in (3, 15):
        with started(study, db, environment) as process:
            wait_for(lambda target=target: stored(db) >= target, process)
            workers = descendants(process)
            process.kill()
            process.wait()
        assert gone(workers, 20), "workers outlive their parent"
        kept = rows(db, f"id, created_at, {COLUMNS}", "id")
        assert kept[: len(before)] == before
        before = kept
    assert 15 <= len(before) < 40
    prunestats("run", study, "--db", db, "--workers", 2)
    after = rows(db, f"id, created_at, {COLUMNS}", "id")
    assert after[: len(before)] == before
    assert rows(db) == uninterrupted
    assert "were stored already" in prunestats("run", study, "--db", db).stdout
    assert rows(db, f"id, created_at, {COLUMNS}", "id") == after


def test_status_of_a_running_study_tells_rate_and_time_left(study, tmp_path, environment, prunestats):
    study.write_text(study.read_text().replace("subnetworks = 40", "subnetworks = 400"))
    db = tmp_path / "results.db"
    with started(study, db, environment) as process:
        begun = time.time()
        wait_for(lambda: stored(db) >= 8, process)
        answer = prunestats("status", "--db", db).stdout.splitlines()[-1]
        assert process.poll() is None
        so_far = stored(db)
    done, missing, rate = re.fullmatch(
        r"small: (\d+) of 400 runs are stored, (\d+) runs are missing; running; "
        r"([\d.]+) runs a minute recently, about [\d hmins]+ left\.",
        answer,
    ).groups()
    assert 8 <= int(done) == 400 - int(missing) <= so_far
    assert 60 * 8 / (time.time() - begun) / 4 < float(rate) < 60 * so_far


def test_ctrl_c_stops_in_seconds_and_says_how_to_go_on(study, tmp_path, environment, prunestats, uninterrupted):
    db = tmp_path / "results.db"
    with started(study, db, environment) as process:
        wait_for(lambda: stored(db) >= 3, process)
        workers = descendants(process)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    last = errors.strip().splitlines()[-1]
    assert last.startswith("stopped: every run that had ended is stored")
    assert "the same command goes on" in last
    assert "Traceback" not in errors
    assert gone(workers, 10)
    kept = rows(db)
    prunestats("run", study, "--db", db, "--workers", 2)
    assert set(kept) <= set(rows(db))
    assert rows(db) == uninterrupted
