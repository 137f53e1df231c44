"""Populations out of a results frame: averaged over seeds, split by regime, matched by original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prunestats.comparison.quantile_bootstrap import Law, resampled_quantile
from prunestats.errors import InputError, ResultsError
from prunestats.results.means import subnetwork_means

_MATERIAL = 0.01
_SUPPORT = 0.8


@dataclass(frozen=True)
class Cell:
    """One population in one regime and original, in the order of its responses.

    Parameters
    ----------
    values, flops : ndarray, shape (n,)
    keys : frozenset of str
        Its subnetworks.
    laws : mapping of float to Law
        Of the resampled quantiles, shared by all comparisons that the cell enters.
    """

    values: NDArray[np.float64]
    flops: NDArray[np.float64]
    keys: frozenset[str]
    laws: Mapping[float, Law]

    @property
    def n(self) -> int:
        """Number of subnetworks."""
        return self.values.size

    @classmethod
    def of(cls, part: pd.DataFrame, response: str, quantiles: Sequence[float]) -> Cell:
        """Take the columns that a comparison needs."""
        values = part[response].to_numpy(dtype=float)
        order = np.argsort(values, kind="stable")
        flops = part["flops"].to_numpy(dtype=float)[order]
        laws = {q: resampled_quantile(values[order], q) for q in quantiles}
        return cls(values[order], flops, frozenset(part["subnetwork"].astype(str)), laws)


Place = tuple[float | None, str]
"""Regime and original."""
Cells = dict[Place, dict[str, Cell]]


def by_population(frame: pd.DataFrame, by: str, response: str) -> pd.DataFrame:
    """Average seeds within population, original and regime."""
    if by not in frame.columns:
        raise InputError(f"compare needs a column {by!r} to tell populations apart; found none: choose by=")
    if bool(frame[by].isna().any()):
        raise ResultsError(
            f"{by} must name a population in every run; found {int(frame[by].isna().sum())} without: fill or drop them"
        )
    if by == "space":
        return subnetwork_means(frame, response)
    if by in ("original", "regime", "subnetwork", "seed"):
        raise InputError(f"populations are compared within original and regime; found by={by!r}: choose another column")
    parts = [
        subnetwork_means(part.drop(columns="space", errors="ignore").drop_duplicates(_key(part)), response).assign(
            **{by: name}
        )
        for name, part in frame.groupby(by)
    ]
    return pd.concat(parts, ignore_index=True)


def _key(part: pd.DataFrame) -> list[str]:
    return [name for name in ("original", "regime", "protocol", "subnetwork", "seed") if name in part.columns]


def cells_of(means: pd.DataFrame, by: str, response: str, quantiles: Sequence[float]) -> Cells:
    """Cut the means of subnetworks into one cell a population, regime and original.

    Regimes fall, originals and populations rise in the order of their names.
    """
    if "original" not in means.columns:
        means = means.assign(original="all")
    named = "regime" in means.columns and not bool(means["regime"].isna().all())
    means = means.assign(regime=means["regime"].astype(float) if named else np.nan)
    if named:
        means = means[means["regime"].notna()]
    cells: Cells = {}
    for (name, _, original), part in means.groupby([by, "regime", "original"], dropna=False, sort=True):
        place = (float(part["regime"].iloc[0]) if named else None, str(original))
        cells.setdefault(place, {})[str(name)] = Cell.of(part, response, quantiles)
    return dict(sorted(cells.items(), key=lambda item: (-(item[0][0] or 0.0), item[0][1])))


def strata_with(cells: Cells, a: str, b: str) -> tuple[list[Place], list[str]]:
    """Return where both populations have two subnetworks, below which there is no variance, and what is left out."""
    there = [place for place, held in cells.items() if a in held or b in held]
    kept = [place for place in there if all(name in cells[place] and cells[place][name].n >= 2 for name in (a, b))]
    if not kept:
        n_a, n_b = (sum(cells[place][name].n for place in there if name in cells[place]) for name in (a, b))
        raise ResultsError(
            f"a comparison needs two subnetworks of each population in one original; found {n_a} of {a} and "
            f"{n_b} of {b}, never two and two together: run more of the study"
        )
    several = len({regime for regime, _ in cells}) > 1
    left_out = [place for place in there if place not in kept]
    return kept, [f"{original} at {regime:g}" if several else original for regime, original in left_out]


def flops_difference(pairs: Sequence[tuple[Cell, Cell]]) -> float:
    """Return mean FLOPs of one over the other's, less 1, averaged over originals."""
    sizes = [one.n + other.n for one, other in pairs]
    ratios = [one.flops.mean() / other.flops.mean() for one, other in pairs]
    return float(np.dot(ratios, sizes) / sum(sizes) - 1)


def notes(a: str, b: str, flops: float, overlap: float, shared: int, left_out: Sequence[str]) -> tuple[str, ...]:
    """Say in sentences what a reader must know before believing a comparison."""
    found = []
    if abs(flops) > _MATERIAL:
        found.append(
            f"Subnetworks of {a} cost {100 * abs(flops):.1f} % {'more' if flops > 0 else 'fewer'} FLOPs than those of "
            f"{b} on average: part of the difference may be theirs."
        )
    if overlap < _SUPPORT:
        found.append(
            f"Only {100 * overlap:.0f} % of one population lie within the range of the other's FLOPs: the rest has "
            "nothing to be compared with at equal cost."
        )
    if shared:
        found.append(f"{shared} subnetworks stand in both populations; they are compared as independent draws.")
    if left_out:
        found.append(f"Left out, with fewer than two subnetworks of each population: {', '.join(left_out)}.")
    return tuple(found)
