"""Coverage of the intervals of variance components; slow. Numbers are in docs/methods/components.md."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.noise.components import variance_components

pytestmark = pytest.mark.slow

R = 400
NOISES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "uniform": lambda rng, n: np.sqrt(12) * (rng.random(n) - 0.5),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("subnetworks", "seeds"), [(20, (3,)), (60, (2,)), (30, (1, 2, 5))])
def test_intervals_cover_and_estimates_are_unbiased(noise, share, subnetworks, seeds):
    rng = np.random.default_rng(subnetworks)
    owner = np.repeat(np.arange(subnetworks), np.resize(seeds, subnetworks))
    frame = pd.DataFrame({"subnetwork": owner.astype(str), "seed": pd.Series(owner).groupby(owner).cumcount()})
    frame = frame.assign(flops=9, params=3, error=0.1)
    covered, estimates = np.zeros(3), []
    for _ in range(R):
        effects = np.sqrt(share) * NOISES[noise](rng, subnetworks)
        frame["y"] = effects[owner] + np.sqrt(1 - share) * NOISES[noise](rng, owner.size)
        found = variance_components(frame, "y")
        covered += [share in found.subnetwork, 1 - share in found.seed, share in found.icc]
        estimates.append(found.subnetwork.value)
    assert (covered >= stats.binom.ppf(1e-4, R, 0.94)).all()
    if share > 0.4:
        assert abs(np.mean(estimates) - share) < 4 * np.std(estimates) / np.sqrt(R)


@pytest.mark.parametrize("originals", [4, 12])
def test_the_interval_of_originals_covers(originals):
    rng = np.random.default_rng(originals)
    names = ["original", "subnetwork", "seed"]
    frame = pd.DataFrame(index=pd.MultiIndex.from_product([range(originals), range(8), range(2)], names=names))
    frame = frame.reset_index().assign(flops=9, params=3, error=0.1)
    covered = 0
    for _ in range(R):
        tops = np.repeat(rng.standard_normal(originals), 16)
        frame["y"] = tops + np.repeat(rng.standard_normal(originals * 8), 2) + 0.5 * rng.standard_normal(len(frame))
        covered += 1.0 in variance_components(frame, "y").original
    assert covered >= stats.binom.ppf(1e-4, R, 0.94)
