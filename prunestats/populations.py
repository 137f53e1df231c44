"""Populations out of a results frame: averaged over seeds, split by regime, matched by original."""

from __future__ import annotations

from typing import Any

import pandas as pd

from prunestats.errors import InputError, ResultsError
from prunestats.results import subnetwork_means
from prunestats.strata import Stratum, strata_of

_MATERIAL = 0.01


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


def regimes(means: pd.DataFrame) -> list[tuple[float | None, pd.DataFrame]]:
    """Split by regime, largest first; None where there is none."""
    if "regime" not in means.columns or bool(means["regime"].isna().all()):
        return [(None, means)]
    return [
        (float(value), means[means["regime"] == value])
        for value in sorted(means["regime"].dropna().unique(), reverse=True)
    ]


def common_originals(
    one: pd.DataFrame, other: pd.DataFrame, a: str, b: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Keep originals with at least two subnetworks of each population: below that there is no variance to see."""
    if "original" not in one.columns:
        one, other = one.assign(original="all"), other.assign(original="all")
    counts = pd.DataFrame({"a": one["original"].value_counts(), "b": other["original"].value_counts()}).fillna(0)
    kept = counts.index[(counts >= 2).all(axis=1)]
    if len(kept) == 0:
        raise ResultsError(
            f"a comparison needs two subnetworks of each population in one original; found {len(one)} of {a} and "
            f"{len(other)} of {b}, never two and two together: run more of the study"
        )
    left_out = sorted(str(name) for name in counts.index.difference(kept))
    return one[one["original"].isin(kept)], other[other["original"].isin(kept)], left_out


def strata_by_original(one: pd.DataFrame, other: pd.DataFrame, response: str) -> tuple[Stratum, ...]:
    """Put the responses of both populations side by side, one stratum an original."""
    second = dict(list(other.groupby("original")[response]))
    return strata_of(
        [(x.to_numpy(dtype=float), second[name].to_numpy(dtype=float)) for name, x in one.groupby("original")[response]]
    )


def flops_difference(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Return mean FLOPs of one over the other's, less 1, averaged over originals."""
    sizes = one.groupby("original").size() + other.groupby("original").size()
    ratios = one.groupby("original")["flops"].mean() / other.groupby("original")["flops"].mean()
    return float((ratios * sizes).sum() / sizes.sum() - 1)


def identities(means: pd.DataFrame) -> set[tuple[Any, ...]]:
    """Return who is in a population: original and subnetwork."""
    return set(zip(means["original"], means["subnetwork"], strict=True))


def notes(a: str, b: str, flops: float, shared: int, left_out: list[str]) -> tuple[str, ...]:
    """Say in sentences what a reader must know before believing a comparison."""
    found = []
    if abs(flops) > _MATERIAL:
        found.append(
            f"Subnetworks of {a} cost {100 * abs(flops):.1f} % {'more' if flops > 0 else 'fewer'} FLOPs than those of "
            f"{b} on average: part of the difference may be theirs."
        )
    if shared:
        found.append(f"{shared} subnetworks stand in both populations; they are compared as independent draws.")
    if left_out:
        found.append(f"Left out, with fewer than two subnetworks of each population: {', '.join(left_out)}.")
    return tuple(found)
