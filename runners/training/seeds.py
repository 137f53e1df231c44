"""Generators for one purpose each: what is computed decides their stream, not when or where it is computed."""

from __future__ import annotations

import hashlib

import numpy as np


def derived_rng(seed: int, *keys: str) -> np.random.Generator:
    """A generator for one purpose: `seed`, and what is computed, decide its stream."""
    digest = hashlib.sha256("/".join(keys).encode()).digest()
    words = [int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4)]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))


def torch_seed(rng: np.random.Generator) -> int:
    """A seed for torch's generator."""
    return int(rng.integers(2**63))
