"""FLOPs and parameters of subnetworks: quadratic forms against building each network and counting its operations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Comparison, seconds
from prunestats.runners import build_network, prune, trace


def comparisons() -> Iterator[Comparison]:
    example = torch.zeros(1, 3, 32, 32)
    network = build_network("resnet56", seed=0).eval()
    traced = trace(network, example)
    rng = np.random.default_rng(0)
    widths = rng.integers(1, traced.cost.sizes, size=(1_000_000, len(traced.groups)), endpoint=True)
    few = widths[:20]

    def count_each() -> list[tuple[int, int]]:
        found = []
        for row in few:
            small = prune(network, traced, row, criterion="first")
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                small(example)
            found.append((counter.get_total_flops() // 2, sum(p.numel() for p in small.parameters())))
        return found

    ours = list(zip(traced.cost.flops(few).tolist(), traced.cost.params(few).tolist(), strict=True))
    assert ours == count_each()
    other = seconds(count_each, len(few), repeats=1)
    unit = "ResNet-56 subnetwork"
    way = "build and count"
    cost = traced.cost
    yield Comparison(
        "FLOPs and parameters",
        unit,
        seconds(lambda: (cost.flops(widths), cost.params(widths)), len(widths)),
        way,
        other,
    )
    yield Comparison("buckets of 4,096", unit, seconds(lambda: cost.buckets(widths, 4096), len(widths)), way, other)
