"""Independent random streams: each is derived from a seed and from what is computed, not from when or where."""

from __future__ import annotations

import hashlib

import numpy as np


def derived_rng(seed: int, *keys: str) -> np.random.Generator:
    """Random generator whose stream is determined by a seed and by keys that name its purpose."""
    digest = hashlib.sha256("/".join(keys).encode()).digest()
    # 128 bits, the entropy that a SeedSequence pools by default
    words = [int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4)]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))


def torch_seed(rng: np.random.Generator) -> int:
    """A random seed for torch's generator."""
    return int(rng.integers(2**63))
