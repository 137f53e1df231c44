"""Measured latency: how long a network takes for a batch, beside the original that it was cut from."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

BATCHES = (1, 64)
_WARM_UP = 3
_REPEATS = 31
_FEWEST_REPEATS = 3
_ENOUGH_S = 1.0


@dataclass(frozen=True)
class Latency:
    """How long a network takes for one batch.

    Parameters
    ----------
    batch : int
        Inputs a batch.
    median_ms : float
        Median over the repeats, milliseconds.
    repeats : int
        Timed passes, after those that warmed up.
    threads : int
        Threads that torch may use inside one operation.
    device : str
        Where it ran: ``"cpu"``, or the name of the GPU.
    """

    batch: int
    median_ms: float
    repeats: int
    threads: int
    device: str


def measure_latency(networks: Sequence[nn.Module], example_input: Tensor, batch: int) -> list[Latency]:
    """Median latency of each network for batches of one size, measured in turn.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        On the device of the input; each is measured in evaluation mode and left in the mode that it was in.
    example_input : Tensor, shape (1, channels, height, width)
    batch : int

    Returns
    -------
    list of Latency
        One a network.

    Notes
    -----
    After three passes to warm up, every round times one pass of each network, so that whatever else the machine does
    strikes all of them alike: ratios of two latencies of one call are steadier than the latencies. There are 31
    rounds, or as many as fit into a second for each network, but at least three. Latency belongs to a machine and a
    moment: unlike errors, it is not the same when it is measured again.

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
                    _pass(network, inputs)
            started = time.perf_counter()
            while len(rounds) < _FEWEST_REPEATS or (
                len(rounds) < _REPEATS and time.perf_counter() - started < _ENOUGH_S * len(networks)
            ):
                rounds.append([_pass(network, inputs) for network in networks])
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)
    device = torch.cuda.get_device_name(inputs.device) if inputs.is_cuda else inputs.device.type
    return [
        Latency(batch, 1000 * statistics.median(times), len(rounds), torch.get_num_threads(), device)
        for times in zip(*rounds, strict=True)
    ]


def latency_columns(network: nn.Module, original: nn.Module, example_input: Tensor) -> dict[str, float]:
    """Latency of a subnetwork and its speed-up over the original, as a run's columns, for each of `BATCHES`."""
    found = {}
    for batch in BATCHES:
        ours, whole = measure_latency([network, original], example_input, batch)
        found[f"latency_ms_{batch}"] = ours.median_ms
        found[f"speedup_{batch}"] = whole.median_ms / ours.median_ms
    return found


def _pass(network: nn.Module, inputs: Tensor) -> float:
    started = time.perf_counter()
    network(inputs)
    if inputs.is_cuda:
        torch.cuda.synchronize(inputs.device)
    return time.perf_counter() - started
