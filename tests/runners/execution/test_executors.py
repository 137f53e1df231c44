"""Executors: every task is returned once, with its result or its exception."""

import importlib.metadata
import os
import subprocess
import sys
import types
from pathlib import Path

import dask
import pytest
import torch
from distributed import KilledWorker

from prunestats.runners.execution import dask_cluster as cluster
from prunestats.runners.execution.executors import DaskExecutor, InlineExecutor, executor


@pytest.fixture(scope="module")
def pool():
    with executor(2) as processes:
        yield processes


# Functions are defined inside the tests, so that they are pickled by value: workers cannot import this file.
def test_inline_and_processes_give_the_same(pool):
    def double(task, shared):
        return 2 * task + shared

    with executor(0) as inline:
        here = dict(inline.map(double, range(30), lambda task: (inline.share(7),)))
    shared = pool.share(7)
    assert dict(pool.map(double, range(30), lambda task: (shared,))) == here == {n: 2 * n + 7 for n in range(30)}


def test_an_exception_is_returned_with_its_task(pool):
    def refuse(task):
        if task == 3:
            raise ValueError("three")
        return task

    found = dict(pool.map(refuse, range(6), lambda task: ()))
    assert isinstance(found[3], ValueError)
    assert [found[n] for n in (0, 1, 2, 4, 5)] == [0, 1, 2, 4, 5]


def test_only_a_task_that_kills_its_worker_alone_fails(pool):
    """Even where other tasks were assigned to its worker, which also held a shared argument."""

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


def test_a_worker_is_restarted_however_long_that_takes():
    """By default Dask removes a worker that is not restarted in time, and a study without workers waits forever."""
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}), executor(1) as alone:
        death = alone.client.submit(os._exit, 9, retries=0, pure=False)
        assert isinstance(death.exception(timeout=60), KilledWorker)
        assert alone.client.submit(os.getpid, pure=False).result(timeout=60) != os.getpid()


@pytest.mark.parametrize("chosen", [None, "77"])
def test_workers_cache_the_kernels_of_two_runs_unless_set_otherwise(monkeypatch, chosen):
    """By default oneDNN caches kernels of shapes that never recur, and the memory of a worker grows."""
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    if chosen is not None:
        monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", chosen)
    for layers in (5, 10):
        before = {name: os.environ.get(name) for name in cluster._worker_environment(layers)}
        with executor(1, layers=layers) as alone:
            found = alone.client.submit(os.getenv, "ONEDNN_PRIMITIVE_CACHE_CAPACITY", pure=False).result()
        assert found == (chosen or str(20 * layers))
        assert {name: os.environ.get(name) for name in before} == before


def test_workers_use_the_allocator_of_tbb_where_it_is_installed_and_no_other_is_set(monkeypatch, capfd):
    """This process does not, so that benchmarks in it measure the environment of a user."""
    library, proxy = cluster.allocator()
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    with executor(1) as alone:
        assert {library, proxy} <= files_mapped_by(alone)
    assert "LD_PRELOAD" not in os.environ
    assert library not in Path("/proc/self/maps").read_text()
    monkeypatch.setenv("LD_PRELOAD", library)
    with executor(1) as alone:
        mapped = files_mapped_by(alone)
        assert library in mapped
        assert proxy not in mapped
    assert os.environ["LD_PRELOAD"] == library
    assert "preload" not in capfd.readouterr().err.lower()


@pytest.mark.parametrize("reason", ["no such package", "no such file", "a space in the path", "a GPU"])
def test_workers_use_the_default_allocator(monkeypatch, tmp_path, reason):
    if reason == "no such package":
        monkeypatch.setattr(cluster, "files", lambda name: importlib.metadata.files(f"no-{name}"))
    elif reason == "a GPU":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    else:
        folder = tmp_path / "with space"
        folder.mkdir()
        for name in cluster._ALLOCATOR if reason == "a space in the path" else cluster._ALLOCATOR[:1]:
            (folder / name).touch()
        there = [types.SimpleNamespace(name=name, locate=lambda n=name: folder / n) for name in cluster._ALLOCATOR]
        monkeypatch.setattr(cluster, "files", lambda name: there)
    assert cluster.allocator() == []
    assert "LD_PRELOAD" not in cluster._worker_environment(None)


def files_mapped_by(pool):
    def mapped():
        lines = Path("/proc/self/maps").read_text().splitlines()
        return {line.split(maxsplit=5)[-1] for line in lines}

    return pool.client.submit(mapped, pure=False).result(timeout=60)


KERNELS = """
import numpy as np, torch
from prunestats.runners import build_network, prune, trace
from prunestats.runners.data.datasets import ImageSplit
from prunestats.runners.training.device import place_network
from prunestats.runners.training.loop import train
from prunestats.runners.training.recipe import Recipe

torch.set_num_threads(1)
shape = (1, 8, 8) if NAME == "resnet_digits" else (3, 32, 32)
network = build_network(NAME)
found = trace(network, torch.zeros(1, *shape))
odd = [max(1, group.size - 3 - place % 5) for place, group in enumerate(found.groups)]
rows = ImageSplit(torch.randn(20, *shape).contiguous(memory_format=torch.channels_last), torch.arange(20) % 10)
print(sum(layer.flops_per_pair + layer.flops_per_out > 0 for layer in found.cost.layers), "layers", flush=True)
pruned, recipe = place_network(prune(network, found, odd)), Recipe(2, 0.01, 8, 0.9, 0.0)
said = lambda metric: print("epoch", metric.epoch, flush=True)
train(pruned, rows, rows, recipe, rng=np.random.default_rng(0), on_epoch=said)
"""


@pytest.mark.parametrize("name", ["resnet_digits", "resnet56", "mobilenet_v2_cifar"])
def test_a_run_finds_its_kernels_again(name):
    """With the cache of a worker no kernel is compiled twice, and those of another run fit, too."""
    code = KERNELS.replace("NAME", repr(name))
    layers = {"resnet_digits": 10, "resnet56": 58, "mobilenet_v2_cifar": 53}[name]
    limits = {**cluster._worker_environment(layers), "ONEDNN_VERBOSE": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **limits}, capture_output=True, text=True, check=True
    )
    head, training = done.stdout.split(" layers", 1)
    assert head.endswith(str(layers))
    first, second = training.split("epoch 1", 1)
    assert 0 < first.count("create:cache_miss") <= 12 * layers < cluster._KERNELS_A_LAYER * layers
    assert "create:cache_hit" in second
    assert "create:cache_miss" not in second


def test_tasks_are_generated_as_needed(pool):
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


def test_a_folder_is_shared_where_every_worker_reads_a_file_in_it(tmp_path):
    class Client:
        def __init__(self, *answers):
            self.answers = answers

        def run(self, function, *arguments, on_error):
            assert on_error == "return"
            assert function(*arguments)
            return dict(enumerate(self.answers))

    folder = tmp_path / "results.runs"
    for answers, shared in (((True, True), True), ((True, False), False), ((True, OSError()), False)):
        assert DaskExecutor(Client(*answers)).shares(folder) is shared
    assert not folder.exists()
    assert DaskExecutor(None, is_local=True).shares(folder)
    assert InlineExecutor().shares(folder)
