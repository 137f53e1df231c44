"""A dense network in a runtime, beside which its subnetworks are timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from prunestats.runners.deployment.runtimes import PRECISIONS, load_network, using_threads
from prunestats.runners.deployment.timing import TimedBatch, Timings
from prunestats.runners.pruning.filter_choice import prune
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.training.device import memory_layout, move_network


@dataclass(frozen=True)
class Bench:
    """A dense network, loaded into a runtime, and the batch on which it and its subnetworks are timed.

    Parameters
    ----------
    network : torch.nn.Module
        The dense network, in evaluation mode, placed as its subnetworks will be.
    trace : Trace
    images : Tensor, shape (batch, ...)
    runtime : str
    threads : int
    """

    network: nn.Module
    trace: Trace
    images: Tensor
    runtime: str
    threads: int
    _loaded: list[TimedBatch] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        network: nn.Module,
        trace: Trace,
        example_input: Tensor,
        *,
        runtime: str,
        batch: int,
        threads: int,
        precision: str,
        where: torch.device,
    ) -> Bench:
        """Place a dense network and a batch of its input on a device, in a precision and the memory format of runs."""
        is_torch = runtime in ("eager", "compile")
        layout = memory_layout(network, example_input) if is_torch else torch.contiguous_format
        # a function of the user's own is given float32, and brings it to the precision that it measures
        dtype = torch.float32 if ":" in runtime else PRECISIONS[precision]
        placed = move_network(network, where, layout).eval().to(dtype)
        images = example_input[:1].expand(batch, *example_input.shape[1:]).to(where, dtype)
        return cls(placed, trace, images.contiguous(memory_format=layout), runtime, threads)

    def time(self, widths: Sequence[int], timing: Callable[[TimedBatch, TimedBatch], Timings]) -> Timings:
        """Time the subnetwork of these widths in turn with the dense network.

        Latency depends on shapes and not on the values of weights, so the first filters of each group are kept.
        """
        if self.runtime == "compile":
            # torch.compile keeps a few versions of one forward method, and then falls back to eager without a word
            torch.compiler.reset()
            self._loaded.clear()
        pruned = prune(self.network, self.trace, widths, criterion="first").eval()
        with using_threads(self.threads):
            if not self._loaded:
                self._loaded.append(load_network(self.runtime, self.network, self.images, self.threads))
            return timing(self._loaded[0], load_network(self.runtime, pruned, self.images, self.threads))
