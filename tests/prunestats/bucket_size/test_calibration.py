"""Type I errors of the comparison of predictors. Slow; numbers in docs/methods/buckets.md."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.bucket_size.cross_validation import assign_folds, corrected_interval, fold_losses
from prunestats.bucket_size.predictors import curve_columns
from prunestats.optimum.beyond_costs import beyond_costs
from prunestats.optimum.points import ratio_points
from prunestats.optimum.regression import orthonormal

pytestmark = pytest.mark.slow


def noise(rng, n, distribution):
    return rng.standard_normal(n) if distribution == "normal" else rng.standard_t(3, n) / np.sqrt(3)


@pytest.mark.parametrize("distribution", ["normal", "heavy"])
@pytest.mark.parametrize("n", [20, 60, 200, 1000])
def test_the_type_i_error_for_two_equally_good_predictors(n, distribution):
    repeats = 240 if n < 1000 else 100
    rng = np.random.default_rng(n)
    rejected = 0
    for _ in range(repeats):
        a, b = rng.uniform(-1, 1, (2, n))
        y = a**2 + b**2 + 0.3 * noise(rng, n, distribution)
        bases = [orthonormal(np.column_stack([np.ones(n), curve_columns(x)])) for x in (a, b)]
        differences = []
        for _ in range(5):
            fold = assign_folds(np.zeros(n, dtype=np.int64), 10, rng)
            differences.append(fold_losses(bases[0], y, fold) - fold_losses(bases[1], y, fold))
        rejected += corrected_interval(np.concatenate(differences), 10, 0.95)[1] < 0.05
    assert rejected <= stats.binom.ppf(0.999, repeats, 0.05)


@pytest.mark.parametrize("distribution", ["normal", "heavy"])
@pytest.mark.parametrize("n", [60, 200, 1000])
def test_the_type_i_error_of_the_nested_test(n, distribution):
    repeats = 240
    rng = np.random.default_rng(n)
    false = 0
    for _ in range(repeats):
        means = pd.DataFrame({"flops": 1e6 * rng.uniform(0.9, 1.1, n), "params": 1e4 * rng.uniform(0.5, 2, n)})
        means["error"] = np.log(means["params"] / 1e4) ** 2 + np.log(means["flops"] / 1e6)
        # noisier where there are few parameters
        means["error"] += 0.3 * noise(rng, n, distribution) * (2e4 / means["params"])
        false += beyond_costs(ratio_points(means, 1, "error"), means).p < 0.05
    assert false <= stats.binom.ppf(0.999, repeats, 0.06)
