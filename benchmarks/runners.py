"""Time of a run in a study, against a user's own loop and against training steps alone; memory over many runs."""

from __future__ import annotations

import copy
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import nn
from torch.nn import functional

from benchmarks.measure import Comparison, seconds
from benchmarks.plain import run_plainly
from prunestats.db import open_database, read
from prunestats.db.schema.tables import subnetwork
from prunestats.runners import prune
from prunestats.runners.data.datasets import Data
from prunestats.runners.execution.executors import executor
from prunestats.runners.execution.study_plan import network_depth, plan_originals
from prunestats.runners.execution.worker import OriginalTask, PreparedOriginal, prepare_original
from prunestats.runners.run import run_study
from prunestats.runners.study.file import Study, demo_study_file, read_study
from prunestats.runners.training.device import place_network
from prunestats.runners.training.loop import evaluate

# Runs of a study, of which the first are not timed, as workers start, load data and fill their caches; more timed runs
# would take longer. The median over three rounds ignores one slow moment of the machine.
_RUNS = 61
_WARM = 12
_ROUNDS = 3

# Runs over which memory is watched: enough that growth from run to run would show beside the first tenth.
_MANY_RUNS = 2_000


def comparisons() -> Iterator[Comparison]:
    """Seconds a run in several ways, measured alternately, so that a machine that slows down affects all of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = _study("bench", _RUNS)
        run_study(study, folder / "0.db", weights=folder / "originals", workers=0, max_runs=1)
        prepared, depth = _prepared(folder / "originals", study), network_depth(plan_originals(study)[1])
        widths = _widths(folder / "0.db")
        recipe = (study.protocol.epochs, study.protocol.learning_rate, study.protocol.batch_size)
        own_loop = partial(_users_loop, prepared, widths, recipe, folder / "plain.csv")
        steps_alone = partial(_steps_alone, prepared, widths, recipe)
        found: dict[str, list[float]] = defaultdict(list)
        for turn in range(_ROUNDS):
            for workers in (1, 2):
                found[f"{workers} workers"].append(_seconds_a_run(study, folder, workers, turn))
            found["own loop"].append(own_loop())
            for way, act in (("own loop, as a worker", own_loop), ("steps alone", steps_alone)):
                with executor(1, layers=depth) as worker:
                    found[way] += [taken for _, taken in worker.map(_call, [act], lambda act: ())]
        one, two, by_hand, as_workers, steps = (
            statistics.median(found[way])
            for way in ("1 workers", "2 workers", "own loop", "own loop, as a worker", "steps alone")
        )
        loop = f"Torch-Pruning and DataLoader, {_cores()} threads"
        yield Comparison("digits study, 2 workers", "run", two, loop, by_hand)
        yield Comparison("digits study, 1 worker", "run", one, loop, by_hand)
        yield Comparison("digits study, 2 workers", "run", two, "the same in a worker's environment", as_workers)
        yield Comparison("all but the training steps", "run, 1 worker", one, "the steps and evaluations alone", steps)
        yield Comparison("2 workers (2x is perfect)", "run", two, "1 worker", one)


def memory() -> str:
    """Memory of the parent and of its worker over many short runs, as a sentence."""
    study = _study("many", _MANY_RUNS, epochs=1, batch_size=512)
    found: dict[int, tuple[float, float]] = {}
    parent = psutil.Process()

    def watch(phase: str, done: int, total: int) -> None:
        if phase == "runs" and done in (_MANY_RUNS // 10, _MANY_RUNS // 2, _MANY_RUNS):
            children = [child for child in parent.children(recursive=True) if child.is_running()]
            workers = max(child.memory_info().rss for child in children)
            found[done] = parent.memory_info().rss / 2**20, workers / 2**20

    with tempfile.TemporaryDirectory() as name:
        run_study(study, Path(name) / "many.db", workers=1, progress=watch)
    (first, early), (_, half), (last, late) = found.values()
    return (
        f"Memory over {_MANY_RUNS:,} runs, from run {_MANY_RUNS // 10:,} on: parent {first:.0f} MiB to {last:.0f} MiB, "
        f"worker {early:.0f} MiB, half-way {half:.0f} MiB, to {late:.0f} MiB"
    )


def _study(name: str, subnetworks: int, **protocol: int) -> Study:
    """The demo's study, reduced to one original, one regime and one space."""
    demo = read_study(demo_study_file())
    content = demo.model_dump()
    content |= {"name": name, "population": {"subnetworks": subnetworks}, "spaces": content["spaces"][:1]}
    content["originals"] = [{**content["originals"][0], "seeds": [0]}]
    content["regimes"]["flops"] = [0.25]
    content["protocol"] |= protocol
    return Study.model_validate(content)


def _seconds_a_run(study: Study, folder: Path, workers: int, turn: int) -> float:
    """Seconds a run, after every worker has started and loaded its data."""
    at: dict[int, float] = {}

    def watch(phase: str, done: int, total: int) -> None:
        if phase == "runs":
            at[done] = time.perf_counter()

    db = folder / f"{workers}-{turn}.db"
    run_study(study, db, weights=folder / "originals", workers=workers, progress=watch)
    return (at[_RUNS] - at[_WARM]) / (_RUNS - _WARM)


def _prepared(folder: Path, study: Study) -> PreparedOriginal:
    [weights] = folder.glob("*.safetensors")
    config = study.originals[0]
    task = OriginalTask(weights.stem, config.network, study.data.model_dump(), config.recipe, 0)
    return prepare_original(task, weights.read_bytes())


def _widths(db: Path) -> list[list[int]]:
    engine = open_database(db)
    with read(engine) as connection:
        return [row for (row,) in connection.execute(subnetwork.select().with_only_columns(subnetwork.c.widths))][
            _WARM:
        ]


def _call(act: Callable[[], float]) -> float:
    return act()


def _cores() -> int:
    return psutil.cpu_count(logical=False) or 1


def _users_loop(
    prepared: PreparedOriginal, widths: Sequence[Sequence[int]], recipe: tuple[int, float, int], table: Path
) -> float:
    """Seconds a run of a loop as a user would write it, with one thread a core."""
    as_built = copy.deepcopy(prepared.network).to(memory_format=torch.contiguous_format)

    def loop() -> None:
        for row in widths:
            run_plainly(as_built, prepared.trace, row, prepared.data, recipe, table)

    with _threads(_cores()):
        return seconds(loop, len(widths), repeats=1)


def _steps_alone(prepared: PreparedOriginal, widths: Sequence[Sequence[int]], recipe: tuple[int, float, int]) -> float:
    """Seconds a run of the training steps and evaluations alone, on one thread."""
    networks = [place_network(prune(prepared.network, prepared.trace, row)) for row in widths]
    with _threads(1):
        return seconds(
            lambda: [_train_and_evaluate(net, prepared.data, *recipe) for net in networks], len(networks), repeats=1
        )


@contextmanager
def _threads(wanted: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train_and_evaluate(network: nn.Module, data: Data, epochs: int, learning_rate: float, batch_size: int) -> None:
    """The least that a training must do: steps over batches, and evaluations."""
    optimiser = torch.optim.SGD(
        network.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
    )
    evaluate(network, data.validation)
    for _ in range(epochs):
        network.train()
        for batch in torch.randperm(len(data.train)).split(batch_size):
            loss = functional.cross_entropy(network(data.train.images[batch]), data.train.labels[batch])
            assert math.isfinite(loss.item())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        evaluate(network, data.validation)
    evaluate(network, data.test)
