"""Clusters: with any scheduler, and with workers that die at any moment, the rows are the same."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from distributed import Client

from prunestats.errors import InputError, PrunestatsError
from prunestats.runners.execution import dask_cluster as cluster
from prunestats.runners.execution.executors import executor
from prunestats.runners.run import run_study
from prunestats.runners.study.file import parse_study
from prunestats.runners.training import device as machine

STUDY = """
name = "cluster"
seed = 11
[[originals]]
network = "resnet_digits"
epochs = 2
learning_rate = 0.1
[regimes]
flops = [0.4]
tolerance = 0.1
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 14
[protocol]
criterion = "random"
init = "scratch"
epochs = 2
learning_rate = 0.05
"""


def rows(db):
    """Columns of the runs of a study that do not depend on the machine."""
    with sqlite3.connect(db) as connection:
        found = connection.execute(
            "SELECT s.key, r.seed, r.state, r.val_error, r.test_error, r.val_loss, r.test_loss, r.train_loss, r.epochs,"
            " json_group_array(m.val_loss) FROM run r JOIN subnetwork s ON s.id = r.subnetwork_id"
            " JOIN epoch_metric m ON m.run_id = r.id GROUP BY r.id ORDER BY s.key, r.seed"
        ).fetchall()
    connection.close()
    return found


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def dask(*arguments):
    """A process of the Dask command line, terminated with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def scheduler_and_workers(folder, workers, *options):
    """The address of a scheduler on 127.0.0.1, its process, and those of its workers."""
    file = folder / "scheduler.json"
    with ExitStack() as stack:
        scheduler = stack.enter_context(
            dask("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file)
        )
        wait_until(file.exists)
        address = json.loads(file.read_text())["address"]
        own = ("--no-nanny", "--no-dashboard", "--nthreads", 1, "--local-directory", folder, *options)
        started = [stack.enter_context(dask("worker", address, *own)) for _ in range(workers)]
        with Client(address) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address, scheduler, started


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The rows of the study run inline."""
    db = tmp_path_factory.mktemp("inline") / "results.db"
    run_study(parse_study(STUDY), db, workers=0)
    found = rows(db)
    assert len(found) == len(set(found)) == 14
    return found


def test_any_number_of_workers_gives_the_same_rows(tmp_path, expected):
    """Inline and two here, three and then two below."""
    run_study(parse_study(STUDY), tmp_path / "results.db", workers=2)
    assert rows(tmp_path / "results.db") == expected


def test_a_worker_that_is_killed_during_training_loses_no_run(tmp_path, expected):
    """Three workers of an external scheduler, one of which is killed with -9 during training."""
    killed = []
    with scheduler_and_workers(tmp_path, 3) as (address, _, workers), Client(address) as watcher:

        def kill_one(phase, done, total):
            if phase == "runs" and done == 5:
                by_pid = {watcher.run(os.getpid, workers=[name])[name]: name for name in watcher.nthreads()}
                victim = workers[1]
                assert watcher.processing([by_pid[victim.pid]])[by_pid[victim.pid]], "it holds no run"
                os.kill(victim.pid, signal.SIGKILL)
                assert victim.wait(timeout=10) == -signal.SIGKILL
                killed.append(victim)

        summary = run_study(parse_study(STUDY), tmp_path / "results.db", scheduler=address, progress=kill_one)
        assert len(killed) == 1
        assert len(watcher.nthreads()) == 2
    assert (summary.done_now, summary.failed_now, summary.missing) == (14, 0, 0)
    assert rows(tmp_path / "results.db") == expected


def test_a_scheduler_that_dies_ends_the_study_in_one_line_and_it_is_resumed(tmp_path, expected):
    with scheduler_and_workers(tmp_path, 1) as (address, scheduler, _):

        def kill(phase, done, total):
            if phase == "runs" and done == 3:
                scheduler.kill()

        with pytest.raises(PrunestatsError, match="run the same command again to continue") as caught:
            run_study(parse_study(STUDY), tmp_path / "results.db", scheduler=address, progress=kill)
        assert "\n" not in str(caught.value)
    before = rows(tmp_path / "results.db")
    assert 3 <= len(before) < 14
    run_study(parse_study(STUDY), tmp_path / "results.db", workers=0)
    assert rows(tmp_path / "results.db") == expected


def test_workers_of_another_version_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "99")
    with (
        scheduler_and_workers(tmp_path, 1) as (address, _, _),
        pytest.raises(InputError, match="expected prunestats 99 on every worker; found 0"),
        executor(scheduler=address),
    ):
        pass


def test_the_study_waits_for_a_scheduler_and_its_first_worker(tmp_path):
    """As in a batch job, which starts all three at once."""
    file = tmp_path / "scheduler.json"

    def workers():
        with executor(scheduler=str(file)) as joined:
            return len(joined.client.nthreads())

    with ThreadPoolExecutor(1) as apart:
        found = apart.submit(workers)
        time.sleep(0.3)
        assert not found.done(), found.exception()
        with scheduler_and_workers(tmp_path, 1):
            assert found.result(timeout=60) == 1


def test_waiting_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_WAITING_S", 0.2)
    file = tmp_path / "scheduler.json"
    with pytest.raises(InputError, match=r"the address of a scheduler in .*scheduler\.json'; found none"):
        cluster.remote_client(str(file)).__enter__()
    with dask("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file):
        wait_until(file.exists)
        with pytest.raises(InputError, match=r"the scheduler at 'tcp://127\.0\.0\.1:.* has no workers"):
            cluster.remote_client(str(file)).__enter__()


@pytest.mark.parametrize(
    ("threads", "complaint"),
    [({}, "has no workers"), ({"a": 1, "b": 4}, "workers of one thread; found one with 4 .*`--nthreads 1")],
)
def test_workers_that_cannot_run_a_study_are_refused(threads, complaint):
    with pytest.raises(InputError, match=complaint):
        cluster.worker_check(SimpleNamespace(), "tcp://host:1")(threads)


def test_the_version_of_each_worker_is_checked_once_and_lost_workers_are_ignored():
    asked = []

    def run(function, *, workers, on_error):
        asked.append(workers)
        return {worker: OSError("gone") if worker == "c" else function() for worker in workers}

    check = cluster.worker_check(SimpleNamespace(run=run), "tcp://host:1")
    for threads in ({"a": 1}, {"a": 1, "b": 1}, {"b": 1, "c": 1}, {}, {"a": 1}):
        check(threads)
    assert asked == [["a"], ["b"], ["c"]]
    with pytest.raises(InputError, match="found one with 2"):
        check({"a": 1, "d": 2})


def test_a_worker_that_joins_later_and_cannot_run_a_study_ends_it_in_one_line(tmp_path, expected):
    with ExitStack() as stack, scheduler_and_workers(tmp_path, 1) as (address, _, _):

        def join(phase, done, total):
            if phase == "runs" and done == 2:
                own = ("--no-nanny", "--no-dashboard", "--nthreads", 2, "--local-directory", tmp_path)
                stack.enter_context(dask("worker", address, *own))
                with Client(address) as watcher:
                    watcher.wait_for_workers(2, timeout=60)
                time.sleep(1.1)  # workers are counted every second

        with pytest.raises(InputError, match="expected workers of one thread; found one with 2"):
            run_study(parse_study(STUDY), tmp_path / "results.db", scheduler=address, progress=join)
    before = rows(tmp_path / "results.db")
    assert 2 <= len(before) < 14
    assert set(before) <= set(expected)


@pytest.mark.parametrize(("name", "gpu"), [(0, 0), (1, 1), (2, 0), (3, 1), ("tcp://node:1", 0)])
def test_workers_take_turns_at_the_gpus(monkeypatch, name, gpu):
    monkeypatch.setattr(machine.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(machine.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(machine, "get_worker", lambda: SimpleNamespace(name=name))
    assert machine.device().index == gpu
