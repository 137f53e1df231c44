"""Verdicts on published populations of networks: ``python -m benchmarks.published FOLDER [PLOTS]``.

FOLDER contains nas_bench_macro.csv (xiusu/NAS-Bench-Macro) and accel_nasbench.csv (afzalxo/Accel-NASBench). Each is
split into narrow bands around quantiles of its FLOPs. The share of bands with a significantly convex quadratic is
printed beside the verdicts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from prunestats.cli.terminal import print_rows
from prunestats.optimum.optimum import Optimum, find_optimum
from prunestats.results.means import subnetwork_means
from prunestats.results.ratio import ratio

BANDS = (0.01, 0.02, 0.05)
"""Half-widths of the bands, relative to their centres: those of usual regimes and one wider."""

QUANTILES = np.linspace(0.05, 0.95, 37)
"""Quantiles of FLOPs at the centres of the bands, every 2.5 %."""

LEAST = 20
"""Subnetworks of a band: with fewer, a verdict says little."""

RESPONSES = ("error", "log_error")


def load(folder: Path) -> dict[str, pd.DataFrame]:
    """Return both tables as results frames, one row per run."""
    macro = pd.read_csv(folder / "nas_bench_macro.csv", dtype={"arch": str})
    accel = pd.read_csv(folder / "accel_nasbench.csv")
    return {"NAS-Bench-Macro": _macro(macro), "Accel-NASBench": _accel(accel)}


def bands(frame: pd.DataFrame) -> Iterator[tuple[float, float, pd.DataFrame]]:
    """Yield the half-width, the centre and the runs of every band."""
    costs = frame.drop_duplicates("subnetwork")["flops"]
    for width in BANDS:
        for center in costs.quantile(QUANTILES):
            inside = frame[(frame["flops"] / center - 1).abs() <= width]
            if inside["subnetwork"].nunique() >= LEAST:
                yield width, float(center), inside


def main(folder: Path, plots: Path | None = None) -> None:
    rows = []
    for name, frame in load(folder).items():
        for response in RESPONSES:
            found = [(width, center, find_optimum(band, response=response)) for width, center, band in bands(frame)]
            rows += _summary(name, response, [(width, optimum) for width, _, optimum in found])
            for width, center, optimum in found:
                if optimum.verdict == "interior":
                    print(f"{name}, {response}, ± {100 * width:g} % of {center:.4g}: {optimum}")
                    print("\n".join(f"  {reason}" for reason in optimum.reasons))
            if plots is not None:
                _plot(plots, name, response, frame)
    print_rows(("population", "response", "band", "analyses", "verdicts", "convex", "correlation"), rows)


def _macro(table: pd.DataFrame) -> pd.DataFrame:
    seeds = ["acc_0", "acc_1", "acc_2"]
    runs = table.melt(id_vars=["arch", "flops", "params"], value_vars=seeds, var_name="seed", value_name="accuracy")
    return _frame(runs["arch"], runs["flops"], runs["params"], 100 - runs["accuracy"]).assign(seed=runs["seed"])


def _accel(table: pd.DataFrame) -> pd.DataFrame:
    return _frame(table["id"], table["macs_m"] * 1e6, table["params_m"] * 1e6, table["error"])


def _frame(names: pd.Series, flops: pd.Series, params: pd.Series, percent: pd.Series) -> pd.DataFrame:
    error = percent.to_numpy() / 100
    costs = {"flops": flops.round().to_numpy(), "params": params.round().to_numpy()}
    return pd.DataFrame({"subnetwork": names.to_numpy(), **costs, "error": error, "log_error": np.log(error)})


def _summary(name: str, response: str, found: list[tuple[float, Optimum]]) -> list[tuple[str, ...]]:
    rows = []
    for width in BANDS:
        some = [optimum for band, optimum in found if band == width]
        fits = [optimum.quadratic for optimum in some if optimum.quadratic is not None]
        convex = sum(fit.curvature_p < 0.05 and fit.coefficients[2] > 0 for fit in fits)
        verdicts = ", ".join(f"{k} {v}" for k, v in Counter(optimum.verdict for optimum in some).most_common())
        linked = [optimum.beyond.correlation for optimum in some if optimum.beyond is not None]
        middle = f"{np.median(linked):.3f}" if linked else "-"
        share = f"{100 * convex / len(some):.0f} %"
        rows.append((name, response, f"± {100 * width:g} %", str(len(some)), verdicts, share, middle))
    return rows


def _plot(folder: Path, name: str, response: str, frame: pd.DataFrame) -> None:
    """Plot every sixth band of 2 %: subnetworks, quadratic, spline, and the reported confidence set."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    some = [band for width, _, band in bands(frame) if width == 0.02][::6]
    figure, grid = plt.subplots(2, 4, figsize=(20, 9))
    for axes, band in zip(grid.flat, some, strict=False):
        optimum = find_optimum(band, response=response)
        means = subnetwork_means(band, response)
        ratios = ratio(means, 1)
        axes.scatter(ratios, means[response], s=8, alpha=0.5)
        at = np.geomspace(ratios.min(), ratios.max(), 200)
        if optimum.quadratic is not None:
            axes.plot(at, optimum.quadratic.predict(at)[0], "--", color="black")
        if optimum.spline is not None:
            axes.plot(at, optimum.spline.predict(at)[0], color="tab:red")
        for low, high in optimum.pieces:
            axes.axvspan(low, high, color="gold", alpha=0.4)
        axes.axvline(optimum.ratio_q10, color="grey", lw=0.5)
        axes.axvline(optimum.ratio_q90, color="grey", lw=0.5)
        axes.set(xscale="log", title=f"{optimum.verdict}, n = {optimum.n_subnetworks}")
    figure.suptitle(f"{name}, {response}")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}-{response}.png", dpi=60)
    plt.close(figure)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
