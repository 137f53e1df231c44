"""Locks of this process on a SQLite file, which nothing that it does beside may drop."""

import subprocess
import sys

import pytest

from prunestats.db import load_results, open_database, query, read
from prunestats.db.connection.open_files import identity, unless_open

# SQLite's shared bytes (os_unix.c: PENDING_BYTE + 2, 510 of them): whoever locks them all is alone with the file
_ALONE = """
import fcntl, sys
with open(sys.argv[1], "rb+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000000 + 2)
"""


def is_locked(path):
    done = subprocess.run([sys.executable, "-c", _ALONE, path], capture_output=True, text=True)
    assert done.returncode == 0 or "Error" in done.stderr
    return done.returncode != 0


@pytest.fixture
def path(tmp_path, fill):
    engine = open_database(tmp_path / "results.db")
    fill(engine)
    engine.dispose()
    return tmp_path / "results.db"


@pytest.mark.parametrize(
    "act",
    [
        lambda path: open_database(path).dispose(),
        lambda path: load_results(path),
        lambda path: query(path, "SELECT count(*) FROM run"),
    ],
    ids=["opened again", "loaded", "queried"],
)
def test_a_file_that_is_open_stays_locked(path, act):
    engine = open_database(path)
    with read(engine) as connection:
        connection.exec_driver_sql("SELECT count(*) FROM run")
    assert is_locked(path)
    act(path)
    act(path)
    assert is_locked(path)
    engine.dispose()
    act(path)  # closes what was kept open
    assert not is_locked(path)


def test_results_that_are_loaded_while_another_connection_writes_are_those_that_are_stored(path):
    engine = open_database(path)
    before = len(load_results(engine))
    with read(engine):
        pass
    query_before = query(path, "SELECT count(*) FROM run").rows
    engine2 = open_database(path)
    from prunestats.db import write

    with write(engine2) as connection:
        connection.exec_driver_sql("UPDATE run SET wall_s = 7.5")
    assert (load_results(engine)["wall_s"] == 7.5).all()
    assert len(load_results(engine)) == before
    assert query(path, "SELECT count(*) FROM run").rows == query_before
    for one in (engine, engine2):
        one.dispose()


def test_connections_are_counted_by_file(path):
    assert identity(path) is not None
    with unless_open(path) as free:
        assert free
    engine = open_database(path)
    with unless_open(path) as free:
        assert not free
    engine.dispose()
    with unless_open(path) as free:
        assert free
