"""Populations of a results frame: averaged over seeds, split by regime, matched by original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.comparison.quantile_bootstrap import DiscreteDistribution, bootstrap_distribution
from prunestats.errors import InputError, ResultsError
from prunestats.results.means import drop_repeats, subnetwork_means
from prunestats.results.pooling import SAME_IN_ALL_RUNS, refuse_mixed_runs

_NOTED_FLOPS_DIFFERENCE = 0.01
"""Relative difference of mean FLOPs above which a note is made: a round number; it changes no statistic."""
_NOTED_OVERLAP = 0.8
"""Common support in FLOPs below which a note is made: a round number; it changes no statistic."""


@dataclass(frozen=True)
class Cell:
    """The sample of one population in one regime and original, sorted by response.

    Parameters
    ----------
    values, flops : ndarray, shape (n,)
        Mean response and FLOPs of each subnetwork; FLOPs are nan where the results have none.
    keys : frozenset of str
        Keys of the subnetworks.
    quantile_distributions : mapping of float to DiscreteDistribution
        Bootstrap distribution of each quantile, computed once for all comparisons of the cell.
    """

    values: NDArray[np.float64]
    flops: NDArray[np.float64]
    keys: frozenset[str]
    quantile_distributions: Mapping[float, DiscreteDistribution]

    @property
    def n(self) -> int:
        """Number of subnetworks."""
        return self.values.size

    @classmethod
    def of(cls, part: pd.DataFrame, response: str, quantiles: Sequence[float]) -> Cell:
        """Build the cell from the means of its subnetworks."""
        values = part[response].to_numpy(dtype=float)
        order = np.argsort(values, kind="stable")
        flops = part["flops"].to_numpy(dtype=float)[order] if "flops" in part.columns else np.full(len(part), np.nan)
        distributions = {q: bootstrap_distribution(values[order], q) for q in quantiles}
        return cls(values[order], flops, frozenset(part["subnetwork"].astype(str)), distributions)


StratumKey = tuple[float | None, str]
"""Regime and original."""
Cells = dict[StratumKey, dict[str, Cell]]
"""The cells of each stratum, by the name of the population."""


def population_means(frame: pd.DataFrame, by: str, response: str) -> pd.DataFrame:
    """Average the seeds of each subnetwork within population, original and regime."""
    if by not in frame.columns:
        raise InputError(
            f"compare needs a column {by!r} that names the population; found none: choose another with by="
        )
    if bool(frame[by].isna().any()):
        raise ResultsError(
            f"{by} must name a population in every run; found {int(frame[by].isna().sum())} without: fill or drop them"
        )
    if by == "space":
        return subnetwork_means(frame, response)
    if by in ("original", "dataset", "regime", "subnetwork", "seed"):
        raise InputError(f"populations are compared within original and regime; found by={by!r}: choose another column")
    refuse_mixed_runs(frame, [column for column in SAME_IN_ALL_RUNS if column != by])
    parts = [
        subnetwork_means(drop_repeats(part).drop(columns="space", errors="ignore"), response).assign(**{by: name})
        for name, part in frame.groupby(by)
    ]
    return pd.concat(parts, ignore_index=True)


def cells_of(means: pd.DataFrame, by: str, response: str, quantiles: Sequence[float]) -> Cells:
    """Split the means of subnetworks into one cell per population, regime and original.

    Regimes are in descending order, originals and populations in the order of their names.
    """
    if "original" not in means.columns:
        means = means.assign(original="all")
    named = "regime" in means.columns and not bool(means["regime"].isna().all())
    means = means.assign(regime=means["regime"].astype(float) if named else np.nan)
    if named:
        means = means[means["regime"].notna()]
    cells: Cells = {}
    for (name, _, original), part in means.groupby([by, "regime", "original"], dropna=False, sort=True):
        key = (float(part["regime"].iloc[0]) if named else None, str(original))
        cells.setdefault(key, {})[str(name)] = Cell.of(part, response, quantiles)
    return dict(sorted(cells.items(), key=lambda item: (-(item[0][0] or 0.0), item[0][1])))


def strata_with(cells: Cells, a: str, b: str) -> tuple[list[StratumKey], list[str]]:
    """Return the strata with two subnetworks of both populations, as a variance needs two, and names of the others."""
    candidates = [key for key, held in cells.items() if a in held or b in held]
    kept = [key for key in candidates if all(name in cells[key] and cells[key][name].n >= 2 for name in (a, b))]
    if not kept:
        n_a, n_b = (sum(cells[key][name].n for key in candidates if name in cells[key]) for name in (a, b))
        raise ResultsError(
            f"a comparison needs two subnetworks of each population in one original; found {n_a} of {a} and "
            f"{n_b} of {b}, but no original with two of each: run more of the study"
        )
    several = len({regime for regime, _ in cells}) > 1
    left_out = [key for key in candidates if key not in kept]
    return kept, [f"{original} at {regime:g}" if several else original for regime, original in left_out]


def flops_difference(pairs: Sequence[tuple[Cell, Cell]]) -> float:
    """Relative difference of mean FLOPs, a / b - 1, averaged over strata by their subnetworks; nan without FLOPs."""
    sizes = [one.n + other.n for one, other in pairs]
    ratios = [one.flops.mean() / other.flops.mean() for one, other in pairs]
    return float(np.dot(ratios, sizes) / sum(sizes) - 1)


def notes(a: str, b: str, flops: float, overlap: float, shared: int, left_out: Sequence[str]) -> tuple[str, ...]:
    """Limitations of a comparison, in sentences: FLOPs that differ, shared subnetworks, strata left out."""
    found = []
    if abs(flops) > _NOTED_FLOPS_DIFFERENCE:
        found.append(
            f"Subnetworks of {a} cost {100 * abs(flops):.1f} % {'more' if flops > 0 else 'fewer'} FLOPs than those of "
            f"{b} on average: part of the difference may be due to FLOPs."
        )
    if np.isnan(flops):
        found.append(
            "The results have no FLOPs, so there is no difference at equal FLOPs: part of the difference may be due to "
            "the sizes of the subnetworks."
        )
    if overlap < _NOTED_OVERLAP:
        found.append(
            f"Only {100 * overlap:.0f} % of one population lie within the range of the other's FLOPs: the rest has no "
            "counterpart at equal FLOPs."
        )
    if shared:
        found.append(f"{shared} subnetworks are in both populations; they are treated as independent draws.")
    if left_out:
        found.append(f"Left out, for lack of two subnetworks of each population: {', '.join(left_out)}.")
    return tuple(found)
