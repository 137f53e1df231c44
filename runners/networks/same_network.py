"""Whether two fingerprints are of one network, and what explains where they are not."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prunestats.runners.networks.fingerprint import Fingerprint

# Largest difference, relative to the largest number of a quantity, between two computations of one network. In float64
# other instruction sets differ by 1e-13, and the smallest change of a hyperparameter that was tried by 2e-7.
_TOLERANCE = {"float64": 1e-8, "float32": 1e-4}

# Initial weights are float32 numbers of one generator: their moments agree to rounding within a version of torch.
_SAME_GENERATOR = 1e-4

# Between versions, whose generators may differ, moments agree to this many standard errors: one false alarm in 1e8
# tensors.
_STANDARD_ERRORS = 6.0

# Explanations that are shown: a network of other blocks differs in hundreds of layers.
_SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """One thing that differs between what is stored and what is there now, as a row of a table."""

    key: str
    stored: str
    now: str


def same_network(stored: Fingerprint, now: Fingerprint, *, initial: bool) -> bool:
    """Whether two fingerprints are of one network.

    Parameters
    ----------
    stored, now : Fingerprint
    initial : bool
        Whether initial weights count: they do not where weights are loaded from a checkpoint.
    """
    return next(differing(stored, now, initial=initial), None) is None


def differing(stored: Fingerprint, now: Fingerprint, *, initial: bool) -> Iterator[Difference]:
    """What two networks compute differently: each quantity, and by how much."""
    if stored.precision != now.precision:
        yield Difference("precision that it computes in", stored.precision, now.precision)
        return
    for name in {**stored.behaviour, **now.behaviour}:
        distance = _distance(stored.behaviour.get(name, []), now.behaviour.get(name, []))
        if distance > _TOLERANCE[now.precision]:
            size = f"differ by {distance:.1g} of their size" if math.isfinite(distance) else "others"
            yield Difference(name, "as stored", size)
    if initial and not _same_initial(stored, now):
        yield Difference("scale of the initial weights", "as stored", "another")


def explained(stored: Fingerprint, now: Fingerprint) -> list[Difference]:
    """Layers and definitions in the user's modules that differ: the likely reasons of a difference, at most a few."""
    found = [*_layers(stored.layers, now.layers), *_definitions(stored.definitions, now.definitions)]
    more = len(found) - _SHOWN
    return found if more <= 0 else [*found[:_SHOWN], Difference(f"and {more} more", "", "")]


def _distance(stored: Sequence[float], now: Sequence[float]) -> float:
    if len(stored) != len(now):
        return math.inf
    scale = max(map(abs, [*stored, *now]), default=0.0) or 1.0
    return max((abs(a / scale - b / scale) for a, b in zip(stored, now, strict=True)), default=0.0)


def _same_initial(stored: Fingerprint, now: Fingerprint) -> bool:
    if len(stored.initial) != len(now.initial):
        return False
    one_version = stored.torch == now.torch
    return all(_same_moments(*pair, one_version) for pair in zip(stored.initial, now.initial, strict=True))


def _same_moments(stored: Sequence[float], now: Sequence[float], one_version: bool) -> bool:
    """Whether number, mean and root mean square of a tensor agree, to rounding or to their standard errors."""
    (n, mean, size), (other_n, other_mean, other_size) = stored, now
    if n != other_n:
        return False
    spread = math.sqrt(max(size**2 - mean**2, 0.0))
    # without spread the tensor is a constant, which no generator draws
    drawn = not one_version and spread > _SAME_GENERATOR * size
    allowed = _STANDARD_ERRORS * spread * math.sqrt(2 / n) if drawn else _SAME_GENERATOR * max(size, other_size)
    return abs(mean - other_mean) <= allowed and abs(size - other_size) <= allowed


def _layers(stored: Sequence[str], now: Sequence[str]) -> Iterator[Difference]:
    # names may have changed alone; the hyperparameters after them decide what is the same layer
    before, after = ([layer.partition(": ")[2] for layer in some] for some in (stored, now))
    for change, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if change == "equal":
            continue
        for i in range(max(b - a, d - c)):
            old = stored[a + i] if a + i < b else ": none"
            new = now[c + i] if c + i < d else ": none"
            name = (new if a + i >= b else old).partition(": ")[0]
            yield Difference(f"layer {name}", old.partition(": ")[2], new.partition(": ")[2])


def _definitions(stored: dict[str, str], now: dict[str, str]) -> Iterator[Difference]:
    # a module that was renamed or moved has other names for the same content
    known, found = set(stored.values()), set(now.values())
    for name, content in now.items():
        if content not in known:
            yield Difference(f"source of {name}", "as stored" if name in stored else "none", "changed")
    for name, content in stored.items():
        if name not in now and content not in found:
            yield Difference(f"source of {name}", "as stored", "none")
