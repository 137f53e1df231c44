"""Coverage of the reported interval on slightly asymmetric U shapes: a table of docs/methods/verdict-rules.md.

``python -m benchmarks.asymmetry`` prints it: error = 0.2 + exp(k u) - k u - 1, scaled to a height of 0.1, u the log
ratio over the optimum, parameters uniform over a factor of 4, noise 0.02. At k = 0 it is the parabola.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.measure import print_rows
from prunestats.optimum.fits import fit_all
from prunestats.optimum.regression import points
from prunestats.optimum.verdict import judge

HEIGHT, NOISE = 0.1, 0.02
REPEATS = {60: 200, 120: 200, 300: 200, 1000: 300}


def curve(k: float, u: np.ndarray) -> np.ndarray:
    """The U with its minimum at 0, scaled to HEIGHT over the range of u."""
    shape = (lambda at: at**2) if k == 0 else (lambda at: np.exp(k * at) - k * at - 1)
    return HEIGHT * shape(u) / np.ptp(shape(np.linspace(-np.log(2), np.log(2), 201)))


def cell(k: float, n: int, repeats: int) -> tuple[float, ...]:
    """Rates of interior and of a reported quadratic, coverages, and length of the set relative to Fieller's."""
    rng = np.random.default_rng([n, int(10 * k)])
    said = quadratic = fieller = covered = 0
    ratios, alone = [], []
    for _ in range(repeats):
        u = -np.log(rng.uniform(0.5, 2.0, n))
        data = points(u, 0.2 + curve(k, u) + NOISE * rng.standard_normal(n))
        fits = fit_all(data, rng=rng)
        found = judge(data, fits)
        if found.verdict != "interior":
            continue
        said += 1
        covered += found.estimate.low <= 1.0 <= found.estimate.high
        if found.estimate.method == "quadratic":
            quadratic += 1
            fieller += 1.0 in fits.quadratic.fieller
            ratios.append(np.log(found.estimate.high / found.estimate.low))
            alone.append(np.log(fits.quadratic.fieller.high / fits.quadratic.fieller.low))
    longer = np.mean(ratios) / np.mean(alone) if ratios else float("nan")
    return said / repeats, quadratic / said, fieller / max(quadratic, 1), covered / said, longer


if __name__ == "__main__":
    rows = [
        (k, n, *(round(share, 2) for share in cell(k, n, repeats)))
        for k in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
        for n, repeats in REPEATS.items()
    ]
    columns = (
        "k", "n", "interior", "quadratic reported", "Fieller's set covers", "reported set covers", "times as long",
    )  # fmt: skip
    print_rows(columns, rows, *sys.argv[1:])
