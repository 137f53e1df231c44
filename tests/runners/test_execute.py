"""Executors: every task comes back once, with its result or with what ended it."""

import os

import dask
import pytest
from distributed import KilledWorker

from prunestats.runners.execute import executor


@pytest.fixture(scope="module")
def pool():
    with executor(2) as processes:
        yield processes


# Functions are made inside the tests: workers, which cannot import this file, then receive them whole.
def test_inline_and_processes_give_the_same(pool):
    def double(task, shared):
        return 2 * task + shared

    with executor(0) as inline:
        here = dict(inline.map(double, range(30), lambda task: (inline.share(7),)))
    shared = pool.share(7)
    assert dict(pool.map(double, range(30), lambda task: (shared,))) == here == {n: 2 * n + 7 for n in range(30)}


def test_an_exception_belongs_to_its_task(pool):
    def refuse(task):
        if task == 3:
            raise ValueError("three")
        return task

    found = dict(pool.map(refuse, range(6), lambda task: ()))
    assert isinstance(found[3], ValueError)
    assert [found[n] for n in (0, 1, 2, 4, 5)] == [0, 1, 2, 4, 5]


def test_only_what_kills_its_worker_by_itself_is_given_up(pool):
    """Even where its worker held innocent tasks, and with an argument that the dead worker held."""

    def maybe_die(task, shared):
        if task == 2:
            os._exit(9)
        return task + shared

    shared = pool.share(100)
    found = list(pool.map(maybe_die, range(12), lambda task: (shared,)))
    assert sorted(task for task, _ in found) == list(range(12))
    results = dict(found)
    assert isinstance(results.pop(2), KilledWorker)
    assert results == {n: n + 100 for n in range(12) if n != 2}


def test_a_worker_is_started_anew_however_long_that_takes():
    """Dask alone gives up the place of a worker that is not back in time; a study without workers waits forever."""
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}), executor(1) as alone:
        death = alone.client.submit(os._exit, 9, retries=0, pure=False)
        assert isinstance(death.exception(timeout=60), KilledWorker)
        assert alone.client.submit(os.getpid, pure=False).result(timeout=60) != os.getpid()


@pytest.mark.parametrize("chosen", [None, "77"])
def test_workers_keep_the_kernels_of_two_runs_unless_told_otherwise(monkeypatch, chosen):
    """All that oneDNN would keep, kernels of shapes that never come back, makes a worker grow from run to run."""
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    if chosen is not None:
        monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", chosen)
    with executor(1, layers=10) as alone:
        found = alone.client.submit(os.getenv, "ONEDNN_PRIMITIVE_CACHE_CAPACITY", pure=False).result()
    assert found == (chosen or "200")


def test_tasks_are_drawn_as_they_are_needed(pool):
    drawn = []

    def endless():
        for task in range(10_000):
            drawn.append(task)
            yield task

    def identity(task):
        return task

    answers = pool.map(identity, endless(), lambda task: ())
    for _ in range(20):
        next(answers)
    assert len(drawn) < 60
    answers.close()
