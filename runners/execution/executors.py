"""Executors of tasks: inline, worker processes on this machine, or any Dask cluster."""

from __future__ import annotations

import asyncio
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from itertools import islice
from typing import Any, Protocol, TypeVar

from prunestats.errors import PrunestatsError
from prunestats.runners.execution.dask_cluster import WorkerCheck, local_client, remote_client

Task = TypeVar("Task")

# Enough tasks in flight that no worker waits for the parent, few enough that stopping is quick.
_IN_FLIGHT_A_WORKER = 4
_RECOUNT_S = 1.0


class SchedulerLostError(PrunestatsError):
    """The Dask cluster went away in the middle of a study."""


class Executor(Protocol):
    """Where tasks are computed."""

    def share(self, value: Any) -> Any:
        """Make a large argument known once; pass what this returns to `map`."""
        ...

    def map(
        self, function: Callable[..., Any], tasks: Iterable[Task], arguments: Callable[[Task], tuple[Any, ...]]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with ``function(task, *arguments(task))`` as it completes, or with its exception."""
        ...


class InlineExecutor:
    """Computes each task in this process, in order: for debugging."""

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value

    def map(
        self, function: Callable[..., Any], tasks: Iterable[Task], arguments: Callable[[Task], tuple[Any, ...]]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result; an exception stops everything."""
        for task in tasks:
            yield task, function(task, *arguments(task))


class DaskExecutor:
    """Computes tasks on the workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    check : callable, optional
        Receives the workers that there are, and their threads, whenever they are counted; it raises for one that
        cannot run a study.
    """

    def __init__(self, client: Any, check: WorkerCheck = lambda threads: None) -> None:
        self.client = client
        self.check = check

    def share(self, value: Any) -> Any:
        """A future of the value, which the scheduler makes anew when the workers that held it die."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self.client.submit(_identity, value, pure=False)

    def map(
        self, function: Callable[..., Any], tasks: Iterable[Task], arguments: Callable[[Task], tuple[Any, ...]]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result as it completes, or with the exception that ended it.

        A worker that dies takes down what else it held. So tasks whose worker died are tried again at the end, one at
        a time, and only what dies alone is given up.
        """
        from distributed import KilledWorker, as_completed

        waiting = iter(tasks)
        owners: dict[str, Task] = {}
        suspects: list[Task] = []
        # another client of the caller's may be the default one, whose loop is not ours
        running = as_completed(loop=self.client.loop)
        room = _Capacity(self.client, self.check)

        def submit(task: Task) -> Any:
            future = self.client.submit(function, task, *arguments(task), pure=False)
            owners[future.key] = task
            return future

        def fill() -> None:
            for task in islice(waiting, max(0, room() - len(owners))):
                running.add(submit(task))

        fill()
        for future in running:
            task, result = owners.pop(future.key), _result(future)
            fill()
            if isinstance(result, KilledWorker):
                suspects.append(task)
            else:
                yield task, result
        for task in suspects:
            yield task, _result(submit(task))


class _Capacity:
    """How many tasks may be in flight: workers come and go, and are counted every second."""

    def __init__(self, client: Any, check: WorkerCheck) -> None:
        self.client = client
        self.check = check
        self.counted = -math.inf
        self.room = 0

    def __call__(self) -> int:
        if time.monotonic() - self.counted > _RECOUNT_S:
            # a scheduler that is gone shows itself in the tasks
            with suppress(OSError):
                threads = self.client.nthreads()
                self.check(threads)
                self.room = _IN_FLIGHT_A_WORKER * max(1, len(threads))
            self.counted = time.monotonic()
        return self.room


@contextmanager
def executor(
    workers: int | None = None, scheduler: str | None = None, *, layers: int | None = None
) -> Iterator[Executor]:
    """An executor, with the processes behind it, for the time of a ``with`` block.

    Parameters
    ----------
    workers : int, optional
        One-thread worker processes on this machine, by default one a GPU, or one a core where there is none. Several
        on each GPU are what a multiple of their number gives. 0 computes inline.
    scheduler : str, optional
        Address of a running Dask scheduler to be used instead, such as ``"tcp://host:8786"``, or the file that it
        wrote with ``--scheduler-file``.
    layers : int, optional
        Convolution and linear layers of the deepest network that is to be trained. Knowing them, workers on this
        machine keep no more compiled kernels than it needs.

    Yields
    ------
    Executor

    Raises
    ------
    InputError
        If the scheduler does not answer, or its workers cannot run a study.
    """
    if scheduler is None and workers == 0:
        yield InlineExecutor()
        return
    if scheduler is None:
        with local_client(workers, layers) as client:
            yield DaskExecutor(client)
        return
    with remote_client(scheduler) as (client, check):
        yield DaskExecutor(client, check)


@contextmanager
def lazy_executor(
    workers: int | None = None, scheduler: str | None = None, *, layers: int | None = None
) -> Iterator[Callable[[], Executor]]:
    """A function that opens an executor when it is first called, and returns the same one from then on.

    Where nothing is left to compute, no process is started. Arguments are those of `executor`; the executor is closed
    with the ``with`` block.
    """
    with ExitStack() as stack:

        @cache
        def opened() -> Executor:
            return stack.enter_context(executor(workers, scheduler, layers=layers))

        yield opened


def _result(future: Any) -> Any:
    try:
        return future.result()
    except (CancelledError, asyncio.CancelledError) as lost:
        raise SchedulerLostError(
            "the Dask scheduler is gone; every run that had ended is stored: the same command goes on from there"
        ) from lost
    except Exception as error:
        return error


def _identity(value: Any) -> Any:
    return value
