"""Latency: measured time of a forward pass, and the speed-up over the original."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

BATCHES = (1, 64)
"""Batch sizes: one image, where overhead dominates, and a usual batch; columns of the database are named by them."""

# The first passes allocate memory and compile kernels; three is a round number that leaves some margin after the first.
_WARM_UP = 3

# An odd number, so that the median is a measured pass; more would make the median steadier and a study slower.
_REPEATS = 31

# The fewest of which a median ignores one outlier.
_FEWEST_REPEATS = 3

# Seconds for each network: large networks stop before `_REPEATS`, so that measuring stays short beside training.
_ENOUGH_S = 1.0


@dataclass(frozen=True)
class Latency:
    """Latency of a network for one batch size.

    Parameters
    ----------
    batch : int
        Images a batch.
    median_ms : float
        Median over the timed passes, in milliseconds.
    repeats : int
        Timed passes, after the warm-up.
    threads : int
        Threads that torch may use inside one operation.
    device : str
        ``"cpu"``, or the name of the GPU.
    """

    batch: int
    median_ms: float
    repeats: int
    threads: int
    device: str


def measure_latency(networks: Sequence[nn.Module], example_input: Tensor, batch: int) -> list[Latency]:
    """Median latency of each network for one batch size, measured alternately.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        On the device of the input. Each is measured in evaluation mode, and its mode is restored.
    example_input : Tensor, shape (1, channels, height, width)
    batch : int

    Returns
    -------
    list of Latency
        One for each network, in their order.

    Notes
    -----
    After three warm-up passes, every round times one pass of each network, so that other load on the machine affects
    all of them alike: the ratio of two latencies of one call is more stable than either. There are 31 rounds, or as
    many as fit into one second for each network, but at least three. Unlike errors, latencies are not reproducible:
    they depend on the machine and its load.

    Examples
    --------
    >>> import torch
    >>> from prunestats.runners import build_network
    >>> [found] = measure_latency([build_network("resnet_digits")], torch.zeros(1, 1, 8, 8), 1)
    >>> found.batch, found.median_ms > 0
    (1, True)
    """
    inputs = example_input[:1].expand(batch, *example_input.shape[1:]).contiguous()
    modes = [network.training for network in networks]
    rounds: list[list[float]] = []
    try:
        for network in networks:
            network.eval()
        with torch.no_grad():
            for network in networks:
                for _ in range(_WARM_UP):
                    _timed_pass(network, inputs)
            started = time.perf_counter()
            while len(rounds) < _FEWEST_REPEATS or (
                len(rounds) < _REPEATS and time.perf_counter() - started < _ENOUGH_S * len(networks)
            ):
                rounds.append([_timed_pass(network, inputs) for network in networks])
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)
    device = torch.cuda.get_device_name(inputs.device) if inputs.is_cuda else inputs.device.type
    return [
        Latency(batch, 1000 * statistics.median(times), len(rounds), torch.get_num_threads(), device)
        for times in zip(*rounds, strict=True)
    ]


def latency_columns(network: nn.Module, original: nn.Module, example_input: Tensor) -> dict[str, float]:
    """Columns of a run: latency of a subnetwork and its speed-up over the original, for each of `BATCHES`."""
    found = {}
    for batch in BATCHES:
        pruned, dense = measure_latency([network, original], example_input, batch)
        found[f"latency_ms_{batch}"] = pruned.median_ms
        found[f"speedup_{batch}"] = dense.median_ms / pruned.median_ms
    return found


def _timed_pass(network: nn.Module, inputs: Tensor) -> float:
    started = time.perf_counter()
    network(inputs)
    if inputs.is_cuda:
        torch.cuda.synchronize(inputs.device)
    return time.perf_counter() - started
