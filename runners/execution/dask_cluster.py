"""Dask clusters: worker processes on this machine, or a running cluster given by the address of its scheduler."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, files
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from prunestats import __version__
from prunestats.errors import InputError

WorkerCheck = Callable[[Mapping[str, int]], None]

# Seconds to wait for a clean end: unfinished runs are discarded anyway, and stopping a study should feel immediate.
_CLOSING_S = 2

# Seconds: a batch job starts scheduler, workers and study together, and importing torch over a network may take long.
_WAITING_S = 60

# One thread a process. With Dask's default, memory is returned to the system after every training step, which was
# measured to make runs of the demo 1.5 times as long.
_WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # 1 GiB: more than a training step frees, so that nothing is returned in between
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**30)),
}

# oneDNN caches the kernels that it compiled last. Each subnetwork has its own shapes, so kernels of earlier runs are
# never used again, but fragment the heap, which grows. A run needs about half of these; a test counts them.
_KERNEL_CACHE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
_KERNELS_A_LAYER = 20

# A training step of a small network allocates and frees some hundred tensors, and glibc is slow at aligned allocation.
# Where the package tbb is installed, its allocator is used: benchmarks.runners shows the time saved. The
# library comes first, as the proxy depends on it.
_ALLOCATOR = ("libtbbmalloc.so.2", "libtbbmalloc_proxy.so.2")

_SETTINGS = {
    # A task whose worker died is tried once more at once; the executor then retries it alone.
    "distributed.scheduler.allowed-failures": 1,
    # A worker that died is restarted. After this time without it Dask would remove it for good, although a busy machine
    # may need longer to start a process, and the next one may have died too. So the limit is longer than any study.
    "distributed.deploy.lost-worker-timeout": "365 days",
    # The memory of a worker is its data set, which can neither be spilled nor freed by waiting: the worker continues
    # until it is terminated for exceeding its limit, and its run is stored as failed.
    **dict.fromkeys((f"distributed.worker.memory.{what}" for what in ("target", "spill", "pause")), False),
    # For its dashboard, Dask profiles its workers, measures the machine twice a second for each, and checks its event
    # loops every 20 ms: there is no dashboard here, and all of it takes time from training.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}


@contextmanager
def local_client(workers: int | None, layers: int | None = None) -> Iterator[Any]:
    """A client of single-threaded worker processes on this machine, by default one a GPU, or else one a core.

    `layers` is the number of convolution and linear layers of the deepest network, by which cached kernels are limited.
    """
    import dask
    from distributed import Client

    _quiet_logs()
    theirs = _worker_environment(layers)
    with _restored_environment(theirs), dask.config.set({"distributed.nanny.pre-spawn-environ": theirs, **_SETTINGS}):
        cluster = _without_sigint(_start_cluster, workers or default_workers())
        try:
            with _closing(Client(cluster)) as client:
                yield client
        finally:
            # an unfinished run would be discarded anyway; a worker process ends with this one at the latest
            with suppress(TimeoutError):
                cluster.close(timeout=_CLOSING_S)


def default_workers() -> int:
    """Worker processes on this machine by default: one a GPU, or else one a core."""
    import torch
    from dask.system import CPU_COUNT

    return torch.cuda.device_count() or int(CPU_COUNT)


def _worker_environment(layers: int | None) -> dict[str, str]:
    """Environment variables of workers; in Dask, those already set in this process take precedence."""
    kernels = {} if layers is None else {_KERNEL_CACHE: str(_KERNELS_A_LAYER * layers)}
    libraries = allocator()
    return _WORKER_ENVIRONMENT | kernels | ({"LD_PRELOAD": ":".join(libraries)} if libraries else {})


def allocator() -> list[str]:
    """Paths of tbb's allocator, which workers on this machine preload; empty where it is missing or a GPU is used."""
    import torch

    if torch.cuda.is_available():
        return []
    try:
        there = {file.name: str(Path(file.locate()).resolve()) for file in files("tbb") or ()}
    except PackageNotFoundError:
        return []
    found = [there[name] for name in _ALLOCATOR if name in there and Path(there[name]).is_file()]
    # the dynamic loader splits LD_PRELOAD at colons and white space
    whole = len(found) == len(_ALLOCATOR) and not any(re.search(r"[:\s]", path) for path in found)
    return found if whole else []


@contextmanager
def _restored_environment(names: Iterable[str]) -> Iterator[None]:
    """Restore environment variables of this process, where Dask sets them too, so that no later study inherits them."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def remote_client(scheduler: str) -> Iterator[tuple[Any, WorkerCheck]]:
    """A client of a running cluster, given the address of its scheduler or its scheduler file (``.json``).

    Waits up to a minute for the file, and for a first worker. Also yields a check of workers that join later.

    Raises
    ------
    InputError
        If the scheduler does not answer, has no workers, or has workers of another version or with several threads.
    """
    from distributed import Client

    _quiet_logs()
    address = _address_in(scheduler) if scheduler.endswith(".json") else scheduler
    try:
        # a scheduler that runs answers within milliseconds; ten seconds allow for a slow network
        client = Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--scheduler: expected a Dask scheduler at {address!r}; none answered ({error})") from error
    with _closing(client):
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=_WAITING_S)
        check = worker_check(client, address)
        check(client.nthreads())
        yield client, check


def _address_in(file: str) -> str:
    until = time.monotonic() + _WAITING_S
    while True:
        # the scheduler may still be writing it
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return str(json.loads(Path(file).read_text())["address"])
        if time.monotonic() > until:
            raise InputError(
                f"--scheduler: expected the address of a scheduler in {file!r}; found none in {_WAITING_S} s: "
                f"start `dask scheduler --scheduler-file {file}`"
            )
        time.sleep(0.1)  # short beside the start of a scheduler, and long enough not to load a shared file system


def worker_check(client: Any, address: str) -> WorkerCheck:
    """A check of a cluster's workers, given their numbers of threads, that examines each worker once.

    It raises InputError for a worker of another version or with several threads, and for a cluster without workers.
    """
    seen: set[str] = set()

    def check(threads: Mapping[str, int]) -> None:
        new = {worker: n for worker, n in threads.items() if worker not in seen}
        if not seen and not new:
            raise InputError(f"--scheduler: the scheduler at {address!r} has no workers: start `dask worker {address}`")
        if new and max(new.values()) > 1:
            raise InputError(
                f"--scheduler: expected workers of one thread; found one with {max(new.values())} at {address!r}: "
                "start them with `--nthreads 1 --nworkers N`"
            )
        for worker, found in client.run(_version, workers=list(new), on_error="return").items() if new else ():
            # a worker that has left meanwhile, an OSError, will not run anything
            if found != __version__ and not isinstance(found, OSError):
                raise InputError(
                    f"--scheduler: expected prunestats {__version__} on every worker; found {found} on {worker}: "
                    "install it there, with the same torch and numpy"
                )
        seen.update(new)

    return check


def _version() -> str:
    return __version__


def _quiet_logs() -> None:
    for name in ("distributed", "distributed.client", "distributed.shuffle", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _start_cluster(workers: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        # no dashboard, and any free port, as another study may use the default one
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )


def _without_sigint(start: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a thread that blocks SIGINT, as do the threads and processes that it starts.

    A terminal sends Ctrl-C to the whole process group, and only the parent is to react.
    """
    # multiprocessing's resource tracker, if started later, would unblock the signal again
    resource_tracker.ensure_running()
    with ThreadPoolExecutor(1, initializer=signal.pthread_sigmask, initargs=(signal.SIG_BLOCK, {signal.SIGINT})) as one:
        return one.submit(start, *arguments).result()


@contextmanager
def _closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        with suppress(TimeoutError):
            client.close(timeout=_CLOSING_S)
