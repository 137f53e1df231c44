"""Variance components in closed form against statsmodels: REML by MixedLM, mean squares by its analysis of variance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from benchmarks.measure import Comparison, seconds
from prunestats.noise.components import variance_components

SUBNETWORKS, SEEDS = 200, 3


def runs(subnetworks: int = SUBNETWORKS, seeds: int = SEEDS) -> pd.DataFrame:
    """A balanced design of one original: there, the analysis of variance and REML are the same estimate."""
    rng = np.random.default_rng(0)
    subnetwork = np.repeat(np.arange(subnetworks), seeds)
    effects = rng.standard_normal(subnetworks)
    frame = pd.DataFrame({"subnetwork": subnetwork.astype(str), "seed": np.tile(np.arange(seeds), subnetworks)})
    y = effects[subnetwork] + 0.5 * rng.standard_normal(subnetwork.size)
    return frame.assign(flops=9, params=3, error=0.1, y=y)


def comparisons() -> Iterator[Comparison]:
    frame = runs()
    found = variance_components(frame, "y")
    assert found.subnetwork is not None
    assert found.seed is not None

    def reml():
        return smf.mixedlm("y ~ 1", frame, groups="subnetwork").fit(reml=True)

    def anova():
        return anova_lm(smf.ols("y ~ C(subnetwork)", frame).fit())

    fitted, table = reml(), anova()
    assert abs(float(fitted.cov_re.iloc[0, 0]) / found.subnetwork.value - 1) < 1e-3
    assert abs(float(fitted.scale) / found.seed.value - 1) < 1e-3
    assert abs(float(table.loc["Residual", "mean_sq"]) / found.seed.value - 1) < 1e-9
    what, unit = "variance components and intervals", f"{SUBNETWORKS} subnetworks x {SEEDS} seeds"
    ours = seconds(lambda: variance_components(frame, "y"), repeats=5)
    yield Comparison(what, unit, ours, "statsmodels MixedLM, estimates alone", seconds(reml))
    yield Comparison(what, unit, ours, "statsmodels anova_lm, mean squares alone", seconds(anova))
