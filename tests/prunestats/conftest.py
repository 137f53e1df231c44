"""Samples that golden/sample.R makes too, and the values that the R scripts printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.cost.model import CostModel, Layer
from prunestats.metric import Metric, with_metric
from prunestats.numeric.intervals import Interval
from prunestats.optimum.regression import Points, points

_GOLDEN = Path(__file__).parent / "golden"


def weyl(n: int, step: float) -> np.ndarray:
    return (np.arange(1, n + 1) * step) % 1


GOLDEN, SILVER, BRONZE = 0.6180339887498949, 0.41421356237309515, 0.7320508075688772


@pytest.fixture(scope="session")
def as_miou() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Turns a frame of errors into one of mIoUs, 1 minus the error: every statistic must be the mirror image."""

    def make(frame: pd.DataFrame) -> pd.DataFrame:
        renamed = frame.rename(columns={"error": "miou"})
        return with_metric(renamed.assign(miou=1 - renamed["miou"]), Metric("miou", "maximize", "fraction", 0.0, 1.0))

    return make


@pytest.fixture(scope="session")
def as_perplexity() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Turns a frame of errors into one of perplexities: no sentence on it may speak of errors or percentages."""

    def make(frame: pd.DataFrame) -> pd.DataFrame:
        renamed = frame.rename(columns={"error": "perplexity"})
        return with_metric(renamed.assign(perplexity=np.exp(3 * renamed["perplexity"])), Metric("perplexity"))

    return make


@pytest.fixture(scope="session")
def mirrors() -> Callable[..., None]:
    """Asserts that an interval of mIoU is the mirror image of one of the error: about 1, or about 0 for differences."""

    def check(miou: Interval, error: Interval, *, about: float = 0.0, within: float = 1e-9) -> None:
        expected = (about - error.value, about - error.high, about - error.low)
        assert (miou.value, miou.low, miou.high) == pytest.approx(expected, abs=within, nan_ok=True)

    return check


@pytest.fixture(scope="session")
def golden_points() -> Callable[..., Points]:
    """The sample of a shape, as `points` of golden/sample.R."""

    def make(shape: str, *, originals: bool = False, n: int = 120, noise: float = 0.5) -> Points:
        x = 4 + 2 * weyl(n, GOLDEN) ** 1.5
        e = stats.norm.ppf(weyl(n, SILVER)) * noise * (1.5 - 0.5 * (x - 4))
        u = x - 4.8
        curve = {
            "u": 4 * u**2,
            "falls": 3 * np.exp(-2 * (x - 4)),
            "hill": -3 * u**2,
            "skewed": np.where(u < 0, -4 * u, u),
            "flat": 0 * u,
        }[shape]
        names = np.where(weyl(n, BRONZE) < 0.4, "a", "b")
        shift = np.where(names == "a", 0.0, 0.7)
        return points(x, curve + e + shift * originals, names if originals else None)

    return make


def _resnet50() -> CostModel:
    """Bottleneck ResNet-50 at 224 x 224, stride in the 3 x 3 convolution: every layer written out."""
    names, sizes, layers = ["stem"], [64], []

    def layer(name: str, inputs: int | None, output: int | None, kernel: int, positions: int) -> None:
        into = () if inputs is None else ((inputs, 1),)
        out = () if output is None else ((output, 1),)
        weights = kernel**2
        conv = Layer(name, "Conv2d", into, 3 * (inputs is None), out, 1000 * (output is None), weights * positions, 0,
                     weights, 1 if output is None else 0)  # fmt: skip
        layers.append(conv)
        if output is not None:
            layers.append(Layer(f"{name}.norm", "BatchNorm2d", out, 0, out, 0, 0, 0, 0, 2))

    layer("stem", None, 0, 7, 112**2)
    stream = 0
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width, here = 64 * 2**stage, (56 // 2**stage) ** 2
        for block in range(blocks):
            before = stream
            first = len(names)
            names += [f"{stage}.{block}.conv1", f"{stage}.{block}.conv2"]
            sizes += [width, width]
            layer(f"{stage}.{block}.conv1", before, first, 1, here * (4 if block == 0 and stage else 1))
            layer(f"{stage}.{block}.conv2", first, first + 1, 3, here)
            if block == 0:
                stream = len(names)
                names.append(f"{stage}.stream")
                sizes.append(4 * width)
                layer(f"{stage}.shortcut", before, stream, 1, here)
            layer(f"{stage}.{block}.conv3", first + 1, stream, 1, here)
    layer("fc", stream, None, 1, 1)
    return CostModel(tuple(names), tuple(sizes), tuple(layers))


@pytest.fixture(scope="session")
def resnet50_cost() -> CostModel:
    """The cost model of ResNet-50, made without torch."""
    return _resnet50()


@pytest.fixture(scope="session")
def golden_pair() -> tuple[np.ndarray, np.ndarray]:
    """The two populations of golden/comparison.R."""
    a = np.round(0.10 + 0.02 * stats.norm.ppf(weyl(25, GOLDEN)), 3)
    b = np.round(0.11 + 0.03 * stats.norm.ppf(weyl(40, SILVER)), 3)
    return a, b


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, float]]:
    """The values that golden/NAME.R printed."""

    def read(name: str) -> dict[str, float]:
        lines = (_GOLDEN / f"{name}.txt").read_text().splitlines()
        return {key: float(value) for key, value in (line.split() for line in lines)}

    return read
