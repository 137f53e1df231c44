"""Sampling a population: vectorised against one proposal at a time, tilted proposals against the space's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.measure import Comparison, seconds
from prunestats.cost.model import CostModel
from prunestats.runners import build_network, trace
from prunestats.sampling.rejection import sample
from prunestats.spaces.space import Independent, Regime, Space

SHAPES = {"resnet_digits": (1, 1, 8, 8), "resnet56": (1, 3, 32, 32), "resnet50": (1, 3, 224, 224)}
# the digits network has few subnetworks
SIZES = {"resnet_digits": 1_000, "resnet56": 10_000, "resnet50": 10_000}
SPACE = Space("initial", Independent())


class Untilted(Independent):
    """The same distribution in a class for which no tilt is built, so that all proposals are the space's."""


def comparisons() -> Iterator[Comparison]:
    for name in SHAPES:
        cost = trace(build_network(name, seed=0), torch.zeros(SHAPES[name])).cost
        for regime, n in ((Regime(0.25, 0.02), 1_000), (Regime(0.5, 0.01), SIZES[name])):
            yield Comparison(
                f"{name}, {n:,} at {regime.flops:g} ± {100 * regime.tolerance:g} %",
                "subnetwork sampled",
                seconds(lambda: sample(SPACE, cost, regime, n, rng=np.random.default_rng(0)), n, repeats=2),  # noqa: B023
                "one proposal at a time",
                seconds(lambda: one_at_a_time(cost, regime, 5), 5, repeats=1),  # noqa: B023
            )
    regime, n, few = Regime(0.5, 0.01), 10_000, 500
    yield Comparison(
        f"resnet50, {n:,} at 0.5 ± 1 %",
        f"population of {n:,}",
        seconds(lambda: sample(SPACE, cost, regime, n, rng=np.random.default_rng(0))),
        f"rejection, from {few}",
        seconds(lambda: sample(Space("s", Untilted()), cost, regime, few, rng=np.random.default_rng(0)), repeats=1)
        * (n / few),
    )


def one_at_a_time(cost: CostModel, regime: Regime, n: int) -> int:
    low, high = regime.bounds(int(cost.flops(cost.sizes)[0]))
    rng, found, least = np.random.default_rng(0), 0, SPACE.support(cost).least(0.05)
    while found < n:
        found += bool(low <= cost.flops(rng.integers(least, cost.sizes, endpoint=True))[0] <= high)
    return found
