"""Drawing a population: vectorised rejection against a loop that draws and costs one proposal at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.measure import Comparison, seconds
from prunestats.runners import build_network, trace
from prunestats.sampling import sample
from prunestats.spaces import Independent, Regime, Space


def comparisons() -> Iterator[Comparison]:
    for name, shape in (("resnet_digits", (1, 1, 8, 8)), ("resnet56", (1, 3, 32, 32))):
        cost = trace(build_network(name, seed=0), torch.zeros(shape)).cost
        regime = Regime(0.25, 0.02)
        low, high = regime.bounds(int(cost.flops(cost.sizes)[0]))
        space = Space("initial", Independent())

        def loop(n: int, cost=cost, low=low, high=high) -> int:
            rng, found = np.random.default_rng(0), 0
            while found < n:
                widths = rng.integers(1, cost.sizes, endpoint=True)
                found += bool(low <= cost.flops(widths)[0] <= high)
            return found

        def vectorised(n: int, cost=cost, regime=regime, space=space):
            return sample(space, cost, regime, n, rng=np.random.default_rng(0))

        yield Comparison(
            f"{name} at 0.25 ± 2 %",
            "subnetwork drawn",
            seconds(lambda: vectorised(1000), 1000),
            "one proposal at a time",
            seconds(lambda: loop(20), 20, repeats=1),
        )
