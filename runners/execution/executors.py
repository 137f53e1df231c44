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
from pathlib import Path
from typing import Any, Protocol, TypeVar

from prunestats.errors import PrunestatsError
from prunestats.runners.execution.dask_cluster import WorkerCheck, local_client, remote_client
from prunestats.runners.execution.run_folders import marked, sees

Task = TypeVar("Task")

# Tasks submitted for each worker: enough that none waits for the parent, few enough that stopping is quick.
_IN_FLIGHT_A_WORKER = 4

# Seconds between counts of workers: short beside the start of a worker, long beside a request to the scheduler.
_RECOUNT_S = 1.0


class SchedulerLostError(PrunestatsError):
    """The connection to the Dask scheduler was lost during a study."""


class Executor(Protocol):
    """Computes tasks, here or on workers."""

    def share(self, value: Any) -> Any:
        """Send a large argument once; pass the returned handle to `map`."""
        ...

    def shares(self, folder: Path) -> bool:
        """Whether workers see the files that this process writes to a folder."""
        ...

    def map(
        self, function: Callable[..., Any], tasks: Iterable[Task], arguments: Callable[[Task], tuple[Any, ...]]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with ``function(task, *arguments(task))``, or with its exception, in order of completion."""
        ...


class InlineExecutor:
    """Computes each task in this process, in order, for debugging."""

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value

    def shares(self, folder: Path) -> bool:
        """True."""
        return True

    def map(
        self, function: Callable[..., Any], tasks: Iterable[Task], arguments: Callable[[Task], tuple[Any, ...]]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result; an exception is raised."""
        for task in tasks:
            yield task, function(task, *arguments(task))


class DaskExecutor:
    """Computes tasks on the workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    check : callable, optional
        Receives the workers and their numbers of threads whenever they are counted; raises for one that cannot run a
        study.
    is_local : bool
        Whether its workers are on this machine.
    """

    def __init__(self, client: Any, check: WorkerCheck = lambda threads: None, *, is_local: bool = False) -> None:
        self.client = client
        self.check = check
        self.is_local = is_local

    def share(self, value: Any) -> Any:
        """A future of the value, which the scheduler recomputes if the workers that hold it die."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self.client.submit(_identity, value, pure=False)

    def shares(self, folder: Path) -> bool:
        """Whether every worker reads a file that this process writes there."""
        if self.is_local:
            return True
        with marked(folder) as mark:
            return all(found is True for found in self.client.run(sees, *mark, on_error="return").values())

    def map(
        self, function: Callable[..., Any], tasks: Iterable[Task], arguments: Callable[[Task], tuple[Any, ...]]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result, or with its exception, in order of completion.

        A worker that dies loses the other tasks assigned to it, too. So tasks whose worker died are tried again at the
        end, one at a time, and only a task that kills its worker alone has failed.
        """
        from distributed import KilledWorker, as_completed

        waiting = iter(tasks)
        owners: dict[str, Task] = {}
        suspects: list[Task] = []
        # the default client may be another one, of the caller, with another event loop
        running = as_completed(loop=self.client.loop)
        capacity = _Capacity(self.client, self.check)

        def submit(task: Task) -> Any:
            future = self.client.submit(function, task, *arguments(task), pure=False)
            owners[future.key] = task
            return future

        def fill() -> None:
            for task in islice(waiting, max(0, capacity() - len(owners))):
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
    """Number of tasks that may be submitted at once, by the number of workers, which are counted every second."""

    def __init__(self, client: Any, check: WorkerCheck) -> None:
        self.client = client
        self.check = check
        self.counted = -math.inf
        self.capacity = 0

    def __call__(self) -> int:
        if time.monotonic() - self.counted > _RECOUNT_S:
            # a lost scheduler is reported by the tasks
            with suppress(OSError):
                threads = self.client.nthreads()
                self.check(threads)
                self.capacity = _IN_FLIGHT_A_WORKER * max(1, len(threads))
            self.counted = time.monotonic()
        return self.capacity


@contextmanager
def executor(
    workers: int | None = None, scheduler: str | None = None, *, layers: int | None = None
) -> Iterator[Executor]:
    """An executor and its worker processes, for the duration of a ``with`` block.

    Parameters
    ----------
    workers : int, optional
        Single-threaded worker processes on this machine, by default one a GPU, or else one a core. A multiple of the
        number of GPUs runs several on each. 0 computes inline.
    scheduler : str, optional
        Address of a running Dask scheduler to use instead, such as ``"tcp://host:8786"``, or the file that it wrote
        with ``--scheduler-file``.
    layers : int, optional
        Convolution and linear layers of the deepest network, by which workers on this machine limit their cache of
        compiled kernels.

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
            yield DaskExecutor(client, is_local=True)
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
            "the Dask scheduler is lost; all completed runs are stored: run the same command again to continue"
        ) from lost
    except Exception as error:
        return error


def _identity(value: Any) -> Any:
    return value
