"""A killed study goes on inside the runs that it was killed in, and ends with the same rows and the same weights."""

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

STUDY = """
name = "long"
seed = 7
[[originals]]
network = "resnet_digits"
epochs = 3
learning_rate = 0.1
[regimes]
flops = [0.25]
tolerance = 0.05
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 6
[protocol]
epochs = 4
learning_rate = 0.02
steps = 2
step_epochs = 2
[storage]
keep_weights = 2
checkpoint_every_s = 0
"""
ROWS = "SELECT s.key, r.seed, state, r.val_error, r.test_error, r.val_loss, r.test_loss, r.train_loss, r.epochs"
RUNS = f"{ROWS} FROM run r JOIN subnetwork s ON s.id = r.subnetwork_id ORDER BY s.key, r.seed"
EPOCHS = (
    "SELECT s.key, e.epoch, e.train_loss, e.val_error, e.val_loss FROM epoch_metric e JOIN run r ON r.id = e.run_id "
    "JOIN subnetwork s ON s.id = r.subnetwork_id ORDER BY s.key, e.epoch"
)
KEPT = (
    "SELECT s.key, w.sha256, w.size FROM weights w JOIN run r ON r.id = w.run_id "
    "JOIN subnetwork s ON s.id = r.subnetwork_id ORDER BY s.key"
)
HANGS_S = 300


def rows(db, query):
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def content(db):
    """Rows of runs and epochs, rows of weights, and hashes of the files that are beside the database."""
    files = sorted(db.with_name("results.weights").iterdir())
    return (
        *(rows(db, query) for query in (RUNS, EPOCHS, KEPT)),
        [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files],
    )


@contextmanager
def started(folder, environment, workers):
    command = ["run", "study.toml", "--db", "results.db", "--workers", str(workers)]
    with subprocess.Popen(
        [sys.executable, "-m", "prunestats", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition, process):
    deadline = time.monotonic() + HANGS_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, prunestats):
    """The study as it ends without interruption and without checkpoints."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "study.toml").write_text(STUDY.replace("checkpoint_every_s = 0\n", ""))
    prunestats("run", "study.toml", "--db", "results.db", "--workers", 0, cwd=folder)
    assert not (folder / "results.runs").exists()
    return content(folder / "results.db")


def test_killed_at_random_steps_it_ends_as_if_undisturbed(tmp_path, environment, prunestats, undisturbed):
    (tmp_path / "study.toml").write_text(STUDY)
    db, chance, inside = tmp_path / "results.db", random.Random(3), 0
    for _ in range(3):
        with started(tmp_path, environment, 0) as process:
            # a checkpoint that this process has written: it was killed inside a training, at a random step of it
            known = {file: file.stat().st_mtime_ns for file in tmp_path.glob("results.runs/*/checkpoint.pt")}
            wait_for(
                lambda known=known: any(
                    known.get(file) != file.stat().st_mtime_ns
                    for file in tmp_path.glob("results.runs/*/checkpoint.pt")
                    if file.exists()
                ),
                process,
            )
            time.sleep(chance.uniform(0, 0.4))
            process.kill()
            process.wait()
        inside += any(tmp_path.glob("results.runs/*/checkpoint.pt"))
    assert inside > 0
    prunestats("run", "study.toml", "--db", "results.db", "--workers", 2, cwd=tmp_path)
    assert content(db) == undisturbed
    assert not (tmp_path / "results.runs").exists()
    assert "no orphans" in prunestats("db", "check", "--db", "results.db", cwd=tmp_path).stdout


@pytest.mark.parametrize("whom", ["parent", "group"])
def test_sigterm_stops_as_ctrl_c_does(tmp_path, environment, prunestats, undisturbed, whom):
    """Slurm sends it to a job at its time limit: to the command alone, or to its workers too."""
    (tmp_path / "study.toml").write_text(STUDY)
    db = tmp_path / "results.db"
    with started(tmp_path, environment, 2) as process:
        wait_for(lambda: any(tmp_path.glob("results.runs/*-0/checkpoint.pt")), process)
        if whom == "parent":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    lines = [line for line in errors.strip().splitlines() if line.startswith("stopped")]
    assert lines == ["stopped: every run that had ended is stored; the same command goes on from there"]
    assert "Traceback" not in errors
    assert all(state == "done" for _, _, state, *_ in rows(db, RUNS))
    prunestats("run", "study.toml", "--db", "results.db", "--workers", 2, cwd=tmp_path)
    assert content(db) == undisturbed


def test_a_run_that_goes_on_is_not_trained_from_its_first_epoch(tmp_path, environment, prunestats):
    """A run of 40 epochs that is killed after some of them has trained only the rest when it is stored."""
    text = STUDY.replace("subnetworks = 6", "subnetworks = 1").replace("epochs = 4", "epochs = 40", 1)
    (tmp_path / "study.toml").write_text(text.replace("steps = 2\nstep_epochs = 2\n", ""))
    with started(tmp_path, environment, 0) as process:
        wait_for(lambda: any(tmp_path.glob("results.runs/*-0/checkpoint.pt")), process)
        [file] = tmp_path.glob("results.runs/*-0/checkpoint.pt")
        first = file.stat().st_mtime_ns
        wait_for(lambda: file.exists() and file.stat().st_mtime_ns - first > 5e8, process)
        process.kill()
        process.wait()
    import torch

    before = torch.load(file, weights_only=True)
    assert 0 < before["epoch"] < 40
    prunestats("run", "study.toml", "--db", "results.db", "--workers", 0, cwd=tmp_path)
    [(wall_s,)] = rows(tmp_path / "results.db", "SELECT wall_s FROM run")
    assert wall_s > before["wall_s"]
    assert [epoch for _, epoch, *_ in rows(tmp_path / "results.db", EPOCHS)] == list(range(41))
    logged = {epoch: rest for _, epoch, *rest in rows(tmp_path / "results.db", EPOCHS)}
    for metric in before["log"]:
        assert logged[metric["epoch"]] == [metric["train_loss"], metric["val_error"], metric["val_loss"]]
