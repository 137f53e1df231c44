"""Executing tasks: inline, on worker processes of this machine, or on any Dask cluster."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any, Protocol, TypeVar

from prunestats.errors import InputError

Task = TypeVar("Task")

# Enough tasks in flight that no worker waits for the parent, few enough that stopping is quick.
_IN_FLIGHT_A_WORKER = 4
_CLOSING_S = 2

# One thread a process. Dask's own setting would return memory to the system after every step of training, which was
# measured to make runs of the demo half as long again.
_WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**30)),
}


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
    """

    def __init__(self, client: Any) -> None:
        self.client = client

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

        def submit(task: Task) -> Any:
            future = self.client.submit(function, task, *arguments(task), pure=False)
            owners[future.key] = task
            return future

        in_flight = _IN_FLIGHT_A_WORKER * max(1, len(self.client.scheduler_info()["workers"]))
        running = as_completed([submit(task) for task in islice(waiting, in_flight)])
        for future in running:
            task, result = owners.pop(future.key), _result(future)
            for following in islice(waiting, 1):
                running.add(submit(following))
            if isinstance(result, KilledWorker):
                suspects.append(task)
            else:
                yield task, result
        for task in suspects:
            yield task, _result(submit(task))


@contextmanager
def executor(workers: int | None = None, scheduler: str | None = None) -> Iterator[Executor]:
    """An executor, with the processes behind it, for the time of a ``with`` block.

    Parameters
    ----------
    workers : int, optional
        One-thread worker processes on this machine, by default one a core; 0 computes inline.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``"tcp://host:8786"``, to be used instead.

    Yields
    ------
    Executor

    Raises
    ------
    InputError
        If the scheduler does not answer, or has no workers.
    """
    if scheduler is None and workers == 0:
        yield InlineExecutor()
        return
    from dask.system import CPU_COUNT
    from distributed import Client

    for name in ("distributed", "distributed.shuffle", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        with _client(scheduler) as client:
            yield DaskExecutor(client)
        return
    count = workers if workers is not None else CPU_COUNT
    cluster = _apart(_start_cluster, count)
    try:
        with _closing(Client(cluster)) as client:
            yield DaskExecutor(client)
    finally:
        # What a worker is in the middle of would be thrown away anyway; its process ends with this one at the latest.
        with suppress(TimeoutError):
            cluster.close(timeout=_CLOSING_S)


def _start_cluster(workers: int) -> Any:
    import dask
    from distributed import LocalCluster

    settings = {
        "distributed.nanny.pre-spawn-environ": _WORKER_ENVIRONMENT,
        "distributed.scheduler.allowed-failures": 1,
    }
    with dask.config.set(settings):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )


def _apart(start: Callable[..., Any], *arguments: Any) -> Any:
    """Call something in a thread that SIGINT does not reach, and so no thread or process that it starts.

    A terminal sends Ctrl-C to the whole process group: workers leave it to their parent.
    """
    # Started later, multiprocessing's tracker would let the signal through again.
    resource_tracker.ensure_running()
    with ThreadPoolExecutor(1, initializer=signal.pthread_sigmask, initargs=(signal.SIG_BLOCK, {signal.SIGINT})) as one:
        return one.submit(start, *arguments).result()


@contextmanager
def _client(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--scheduler: expected a Dask scheduler at {address!r}; none answered ({error})") from error
    with _closing(client):
        if not client.scheduler_info()["workers"]:
            raise InputError(f"--scheduler: the scheduler at {address!r} has no workers: start `dask worker {address}`")
        yield client


@contextmanager
def _closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        with suppress(TimeoutError):
            client.close(timeout=_CLOSING_S)


def _result(future: Any) -> Any:
    error = future.exception()
    return future.result() if error is None else error


def _identity(value: Any) -> Any:
    return value
