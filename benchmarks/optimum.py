"""The optimum's resampling, whole calls and their memory, and its regressions beside statsmodels'.

Each answer is checked against that of the other way.
"""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import statsmodels.api as sm

from benchmarks.measure import Comparison, seconds
from prunestats.bucket_size.comparison import compare_buckets
from prunestats.optimum.lack_of_fit import lack_of_fit
from prunestats.optimum.lower_envelope import quantile_regression
from prunestats.optimum.optimum import find_optimum
from prunestats.optimum.penalised_spline import second_derivatives
from prunestats.optimum.regression import Points, least_squares, points
from prunestats.optimum.seed_weights import precision_weights
from prunestats.optimum.spline_minimum import interval_curve, minima_grid, spline_optimum
from prunestats.optimum.winners_ratio import SAMPLE_SHARE, bootstrap_winners

N = DRAWS = 10_000
LARGE = 16_384
# chunks of resampling stay below 200 MB; the columns of the frame come on top
MOST_MIB = 300


def comparisons() -> Iterator[Comparison]:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, N)
    data = points(x, (x - 0.2) ** 2 + 0.3 * rng.standard_normal(N))
    refits = seconds(lambda: _refit(data, 20), 20, repeats=1) * DRAWS
    unit = f"{N:,} subnetworks, {DRAWS:,} samples"
    ours = seconds(lambda: spline_optimum(data, rng=rng))
    yield Comparison("spline's minimum, Gaussian draws", unit, ours, "refit each sample", refits)
    yield _winners(data)
    yield from _beside_statsmodels()
    for size, seeds in ((LARGE, 3), (100_000, 1)):
        frame = runs(size, seeds)
        _check_peak(lambda frame=frame: find_optimum(frame))
        ours = seconds(lambda frame=frame: find_optimum(frame))
        target, unit = size / LARGE, f"{size:,} subnetworks, {seeds} seeds"
        yield Comparison("find_optimum, whole", unit, ours, "the target: 1 s for 16,384", target)
    frame = runs(LARGE, 3)
    _check_peak(lambda: compare_buckets(frame))
    slow = seconds(lambda: _refit_folds(frame, 3), 3, repeats=1) * 100 * 9
    ours = seconds(lambda: compare_buckets(frame), repeats=1)
    yield Comparison("compare_buckets, 9 predictors", "16,384 subnetworks, 3 seeds", ours, "refit each fold", slow)


def runs(size: int, seeds: int) -> pd.DataFrame:
    """Subnetworks of 20 layers whose error is a U in log parameters."""
    rng = np.random.default_rng(0)
    widths = rng.integers(8, 64, (size, 20))
    layers = 9 * widths**2
    frame = pd.DataFrame({"subnetwork": [f"s{i:06d}" for i in range(size)], "params": layers.sum(axis=1)})
    frame["flops"] = rng.integers(98_000_000, 102_000_000, size)
    frame["widths"] = list(map(tuple, widths.tolist()))
    frame["layer_params"] = list(map(tuple, layers.tolist()))
    u = np.log(frame["params"] / frame["params"].median())
    mean = 0.2 + 0.5 * u**2 + 0.01 * rng.standard_normal(size)
    parts = [frame.assign(seed=s, error=mean + 0.005 * rng.standard_normal(size)) for s in range(seeds)]
    return pd.concat(parts, ignore_index=True)


def _winners(data: Points) -> Comparison:
    """RegNet's bootstrap: the range of the best ratio by closed form, and by a loop over samples."""
    ratios, size = np.exp(data.x), round(SAMPLE_SHARE * N)

    def loop() -> np.ndarray:
        rng, best = np.random.default_rng(0), np.empty(DRAWS)
        for sample in range(DRAWS):
            drawn = rng.choice(N, size, replace=True)
            best[sample] = ratios[drawn[np.argmin(data.y[drawn])]]
        return best

    found, best = bootstrap_winners(data), loop()
    assert found is not None
    # exact probabilities against a finite number of draws
    for end, share in ((found.low, 0.025), (found.ratio, 0.5), (found.high, 0.975)):
        below, at_most = np.mean(best < end), np.mean(best <= end)
        slack = 4 * np.sqrt(share * (1 - share) / DRAWS)
        assert below <= share + slack
        assert at_most >= share - slack
    ours, other = seconds(lambda: bootstrap_winners(data), repeats=5), seconds(loop, repeats=1)
    return Comparison(
        "range of the winners' ratio", f"{N:,} subnetworks", ours, f"a loop over {DRAWS:,} samples", other
    )


def _beside_statsmodels() -> Iterator[Comparison]:
    """Regressions that statsmodels has too; how far the answers differ stands in the unit."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, LARGE)
    data = points(x, (x - 0.2) ** 2 + 0.3 * rng.standard_normal(LARGE), rng.integers(0, 3, LARGE))
    design = data.columns(x, x**2)

    def row(what: str, unit: str, ours: Callable[[], object], other: str, its: Callable[[], object]) -> Comparison:
        return Comparison(what, f"{LARGE:,} subnetworks; {unit}", seconds(ours), other, seconds(its))

    fit, results = least_squares(design, data.y), _hc3(data.y, design)
    apart = _apart(fit.covariance, results.cov_params())
    assert apart < 1e-8
    yield row(
        "quadratic, HC3", f"covariance within {apart:.0e}",
        lambda: least_squares(design, data.y), "OLS", lambda: _hc3(data.y, design),
    )  # fmt: skip

    quartic = data.columns(x, x**2, x**3, x**4)
    terms = np.eye(quartic.shape[1])[3:5]
    found = lack_of_fit(data)
    assert found is not None
    apart = _apart(found.f, float(_hc3(data.y, quartic).f_test(terms).fvalue))
    assert apart < 1e-8
    yield row(
        "lack of fit, HC3", f"F within {apart:.0e}",
        lambda: lack_of_fit(data), "OLS.f_test", lambda: _hc3(data.y, quartic).f_test(terms),
    )  # fmt: skip

    for quantile in (0.05, 0.1):
        ours, its = quantile_regression(design, data.y, quantile), _quantreg(data.y, design, quantile)
        assert _check_loss(data.y - design @ ours, quantile) <= _check_loss(data.y - design @ its, quantile)
        yield row(
            f"quantile regression, {100 * quantile:g} %", f"coefficients within {np.abs(ours - its).max():.0e}",
            lambda q=quantile: quantile_regression(design, data.y, q),
            "QuantReg", lambda q=quantile: _quantreg(data.y, design, q),
        )  # fmt: skip
    yield _seed_weights(rng)


def _seed_weights(rng: np.random.Generator) -> Comparison:
    """REML of the variances of subnetworks and seeds, half of the subnetworks with five seeds."""
    n = 3000
    x, seeds = rng.uniform(-1, 1, n), np.where(np.arange(n) % 2, 1.0, 5.0)
    subnetwork = np.repeat(np.arange(n), seeds.astype(int))
    single = ((x - 0.2) ** 2 + 0.02 * rng.standard_normal(n))[subnetwork] + 0.03 * rng.standard_normal(subnetwork.size)
    data = points(x, np.bincount(subnetwork, single) / seeds)
    squares = float(((single - data.y[subnetwork]) ** 2).sum())
    u = (x - x.mean()) / np.ptp(x)
    design = data.columns(u, u**2, u**3, u**4)[subnetwork]

    def mixed() -> np.ndarray:
        with warnings.catch_warnings():
            # it suspects the edge of the parameter space where its steps get small
            warnings.simplefilter("ignore")
            results = sm.MixedLM(single, design, groups=subnetwork).fit(reml=True)
        precision = 1 / (float(np.asarray(results.cov_re)[0, 0]) / results.scale + 1 / seeds)
        return precision / precision.mean()

    apart = _apart(precision_weights(data, seeds, squares), mixed())
    assert apart < 1e-4
    ours = seconds(lambda: precision_weights(data, seeds, squares))
    unit = f"{n:,} subnetworks, {subnetwork.size:,} runs; weights within {apart:.0e}"
    return Comparison("REML of the seeds' weights", unit, ours, "MixedLM", seconds(mixed, repeats=1))


def _hc3(y: np.ndarray, design: np.ndarray) -> sm.regression.linear_model.RegressionResults:
    results = sm.OLS(y, design).fit(cov_type="HC3", use_t=True)
    results.cov_params()
    return results


def _quantreg(y: np.ndarray, design: np.ndarray, quantile: float) -> np.ndarray:
    with warnings.catch_warnings():
        # it warns where its iterations come back to a point, and stops there
        warnings.simplefilter("ignore")
        return sm.QuantReg(y, design).fit(q=quantile, kernel="gau").params


def _check_loss(residuals: np.ndarray, quantile: float) -> float:
    return float(np.sum(residuals * (quantile - (residuals < 0))))


def _apart(ours: np.ndarray | float, its: np.ndarray | float) -> float:
    return float(np.abs(np.asarray(ours) / np.asarray(its) - 1).max())


def _refit(data: Points, samples: int) -> None:
    """Draw subnetworks, solve for the spline with all of them, find its minimum."""
    rng, curve, grid = np.random.default_rng(0), interval_curve(data, 20), minima_grid(data)
    rows, at = curve.rows(data.x), curve.rows(grid)
    penalty = curve.smoothing * second_derivatives(curve.knots)[1]
    for _ in range(samples):
        drawn = rng.integers(0, data.x.size, data.x.size)
        chosen = rows[drawn]
        np.argmin(at @ np.linalg.solve(chosen.T @ chosen + penalty, chosen.T @ data.y[drawn]))


def _refit_folds(frame: pd.DataFrame, folds: int) -> None:
    """Fit the parameters' curve without a fold."""
    means = frame.groupby("subnetwork").agg(error=("error", "mean"), params=("params", "first"))
    design = np.vander(np.log(means["params"].to_numpy()), 4)
    y, rng = means["error"].to_numpy(), np.random.default_rng(0)
    for _ in range(folds):
        kept = rng.random(y.size) < 0.9
        np.mean((y[~kept] - design[~kept] @ np.linalg.lstsq(design[kept], y[kept], rcond=None)[0]) ** 2)


def _check_peak(act: Callable[[], object]) -> None:
    """Hold a call to its memory: what it allocates beyond its argument at any moment."""
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert peak < MOST_MIB, f"expected less than {MOST_MIB} MiB, found {peak:.0f}"
