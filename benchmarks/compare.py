"""Comparison of ten spaces, all pairs and statistics, against scipy's resampling of two statistics per pair."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.measure import Comparison, seconds
from prunestats.comparison.comparison import compare

SPACES, N = 10, 1_000
_LIMIT_MB = 300


def populations(spaces: int = SPACES, n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "subnetwork": [f"{space}-{i}" for i in range(n)],
                "space": f"s{space}",
                "regime": 0.5,
                "flops": rng.integers(980, 1020, n, endpoint=True),
                "params": 100,
                "error": np.clip(rng.normal(0.2 + 0.001 * space, 0.02, n), 0, 1),
            }
        )
        for space in range(spaces)
    ]
    return pd.concat(parts)


def comparisons() -> Iterator[Comparison]:
    frame = populations()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = compare(frame, rng=np.random.default_rng(0))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(found.pairs) == SPACES * (SPACES - 1) // 2
    assert grown < _LIMIT_MB, f"peak memory of compare grew by {grown:.0f} MB"
    errors = {name: part["error"].to_numpy() for name, part in frame.groupby("space")}

    def permuted(a: str, b: str, draws: int):
        return stats.permutation_test(
            (errors[a], errors[b]),
            lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
            vectorized=True,
            n_resamples=draws,
            batch=100,
            rng=np.random.default_rng(1),
        ).pvalue

    def bootstrapped(a: str, b: str, draws: int):
        return stats.bootstrap(
            (errors[a], errors[b]),
            lambda x, y, axis: np.median(x, axis=axis) - np.median(y, axis=axis),
            n_resamples=draws,
            method="percentile",
            batch=100,
            rng=np.random.default_rng(1),
        )

    pairs = list(combinations(sorted(errors), 2))
    other = seconds(lambda: [(permuted(a, b, 999), bootstrapped(a, b, 9_999)) for a, b in pairs[:3]], repeats=1)
    yield Comparison(
        f"{SPACES} spaces, {len(pairs)} pairs, n = {N:,}, {grown:.0f} MB",
        "all statistics of all pairs",
        seconds(lambda: compare(frame, rng=np.random.default_rng(0)), repeats=2),
        "scipy: one permutation test and one bootstrap per pair",
        other * len(pairs) / 3,
    )
    more = [
        seconds(lambda n=n: compare(populations(2, n), rng=np.random.default_rng(0)), repeats=2)
        for n in (2_000, 20_000)
    ]
    yield Comparison("one pair at n = 2,000, ten times", "linear is 1x", 10 * more[0], "at n = 20,000", more[1])
