"""Dask clusters: worker processes on this machine, or a running cluster that is joined by its scheduler's address."""

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

_CLOSING_S = 2

# A batch job starts scheduler, workers and study at once, and importing torch over a network takes its time.
_WAITING_S = 60

# One thread a process. Dask's own setting would return memory to the system after every step of training, which was
# measured to make runs of the demo half as long again.
_WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**30)),
}

# oneDNN keeps the kernels that it compiled last. Every subnetwork has shapes of its own, so those of runs long past are
# never asked for again, but lie about the heap, which grows around them. A run needs about half as many; a test counts.
_KERNEL_CACHE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
_KERNELS_A_LAYER = 20

# A step of training a small network allocates and frees some hundred tensors, and glibc is slow to align memory. Where
# the package tbb is installed, its allocator is used instead: benchmarks.runners shows what it saves. The order counts.
_ALLOCATOR = ("libtbbmalloc.so.2", "libtbbmalloc_proxy.so.2")

_SETTINGS = {
    "distributed.scheduler.allowed-failures": 1,
    # A worker that died is started anew. Dask would give its place up for good if, this long after a death, none was
    # there: as when a machine is so busy that starting takes longer, or when the next one has died meanwhile.
    "distributed.deploy.lost-worker-timeout": "365 days",
    # What a worker holds is its data, which it can neither spill nor wait to be rid of: it goes on until it is stopped
    # for taking more than its share, and its run is a failed row.
    **dict.fromkeys((f"distributed.worker.memory.{what}" for what in ("target", "spill", "pause")), False),
    # Dask samples what its workers do for a dashboard, measures the machine twice a second for each of them, and looks
    # every 20 ms whether its loops are late: there is no dashboard, and all of it costs the training time.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}


@contextmanager
def local_client(workers: int | None, layers: int | None = None) -> Iterator[Any]:
    """A client of one-thread worker processes on this machine: by default one a GPU, or else one a core.

    `layers` are the convolution and linear ones of the deepest network: a worker keeps no more kernels than it needs.
    """
    import dask
    import torch
    from dask.system import CPU_COUNT
    from distributed import Client

    _quiet_logs()
    theirs = _worker_environment(layers)
    with _restored_environment(theirs), dask.config.set({"distributed.nanny.pre-spawn-environ": theirs, **_SETTINGS}):
        cluster = _without_sigint(_start_cluster, workers or torch.cuda.device_count() or CPU_COUNT)
        try:
            with _closing(Client(cluster)) as client:
                yield client
        finally:
            # What a worker is in the middle of would be thrown away anyway; its process ends with this one at latest.
            with suppress(TimeoutError):
                cluster.close(timeout=_CLOSING_S)


def _worker_environment(layers: int | None) -> dict[str, str]:
    """Variables of workers; Dask lets those win that are set here already."""
    kernels = {} if layers is None else {_KERNEL_CACHE: str(_KERNELS_A_LAYER * layers)}
    libraries = allocator()
    return _WORKER_ENVIRONMENT | kernels | ({"LD_PRELOAD": ":".join(libraries)} if libraries else {})


def allocator() -> list[str]:
    """Libraries that workers on this machine load before all others, so as to allocate memory faster; perhaps none."""
    import torch

    if torch.cuda.is_available():
        return []
    try:
        there = {file.name: str(Path(file.locate()).resolve()) for file in files("tbb") or ()}
    except PackageNotFoundError:
        return []
    found = [there[name] for name in _ALLOCATOR if name in there and Path(there[name]).is_file()]
    # the loader splits its list at colons and white space
    whole = len(found) == len(_ALLOCATOR) and not any(re.search(r"[:\s]", path) for path in found)
    return found if whole else []


@contextmanager
def _restored_environment(names: Iterable[str]) -> Iterator[None]:
    """Keep variables of this process as they are: Dask sets them here, too, and the next study would inherit them."""
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
    """A client of the cluster whose scheduler has this address, or wrote this file, whose name ends in ``.json``.

    The file and a first worker are waited for, a minute each. Beside it comes a check of workers that join later.

    Raises
    ------
    InputError
        If it does not answer, has no workers, or has workers that cannot run a study as this process would.
    """
    from distributed import Client

    _quiet_logs()
    address = _address_in(scheduler) if scheduler.endswith(".json") else scheduler
    try:
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
        # it may be in the middle of being written
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return str(json.loads(Path(file).read_text())["address"])
        if time.monotonic() > until:
            raise InputError(
                f"--scheduler: expected the address of a scheduler in {file!r}; found none in {_WAITING_S} s: "
                f"start `dask scheduler --scheduler-file {file}`"
            )
        time.sleep(0.1)


def worker_check(client: Any, address: str) -> WorkerCheck:
    """A check of the workers that there are and their threads, which looks at each worker once.

    It raises InputError for a worker that cannot run a study as this process would, and where there are none at first.
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
            # one that is gone again will not run anything
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
        # no dashboard, and its port is any: the default one may be another study's
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )


def _without_sigint(start: Callable[..., Any], *arguments: Any) -> Any:
    """Call something in a thread that SIGINT does not reach, and so no thread or process that it starts.

    A terminal sends Ctrl-C to the whole process group: workers leave it to their parent.
    """
    # Started later, multiprocessing's tracker would let the signal through again.
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
