"""Designs: originals with the same architecture, data set and cost, trained with different seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from prunestats.errors import InputError, ResultsError
from prunestats.results.checks import require_flops

_COSTS = ("original_flops", "original_params")
_BUCKETS = "original_buckets"
_NAMES = ("flops", "params")
_IDENTITY = ("network", "dataset", *_COSTS)


class Costed(Protocol):
    """Anything with FLOPs and parameters, such as a trace of a network."""

    @property
    def flops(self) -> int:
        """Multiply-adds."""

    @property
    def params(self) -> int:
        """Parameters."""


@dataclass(frozen=True)
class OriginalDesign:
    """Originals of one architecture, data set and cost, which differ in their training alone.

    Parameters
    ----------
    name : str
        The network, with its data set where there are several, and as many costs as distinguish it from other designs.
    flops, params : int
        Multiply-adds and parameters of the original.
    ratio : float
        Ratio of FLOPs to parameter buckets of the original.
    originals : tuple of str
        Their keys, one per training seed or recipe.
    """

    name: str
    flops: int
    params: int
    ratio: float
    originals: tuple[str, ...]


def group_designs(frame: pd.DataFrame, bucket: int = 1) -> list[OriginalDesign]:
    """Group the originals of a results frame into designs, in increasing order of their ratio.

    Parameters
    ----------
    frame : pandas.DataFrame
        With the columns original, original_flops and original_params, as `load_results` gives them, and optionally
        network and dataset; without network, every original is a design of its own.
    bucket : int
        Parameters per bucket; other than 1 needs the column original_buckets.

    Returns
    -------
    list of OriginalDesign

    Raises
    ------
    ResultsError
        Where the originals or their costs are missing, or an original has two costs.

    Examples
    --------
    >>> rows = [("a0", "small", 90, 10), ("a1", "small", 90, 10), ("b", "large", 200, 10)]
    >>> frame = pd.DataFrame(rows, columns=["original", "network", "original_flops", "original_params"])
    >>> [(one.name, one.ratio, one.originals) for one in group_designs(frame)]
    [('small', 9.0, ('a0', 'a1')), ('large', 20.0, ('b',))]
    """
    _check(frame, bucket)
    identity = [name for name in _IDENTITY if name in frame.columns and frame[name].notna().all()]
    if "network" not in identity:
        identity = ["original", *identity]
    columns = [*dict.fromkeys(["original", *identity, *((_BUCKETS,) if bucket != 1 else ())])]
    rows = frame[columns].drop_duplicates()
    if rows["original"].duplicated().any():
        twice = rows["original"][rows["original"].duplicated()].iloc[0]
        raise ResultsError(
            f"an original has one network and one cost; found several of original {twice}: give each its own key"
        )
    groups = [group for _, group in rows.groupby(identity, sort=True)]
    names = _names(pd.DataFrame([group.iloc[0] for group in groups]), identity)
    found = []
    for name, group in zip(names, groups, strict=True):
        flops, params = (int(group[cost].iloc[0]) for cost in _COSTS)
        buckets = params if bucket == 1 else float(group[_BUCKETS].iloc[0])
        found.append(OriginalDesign(name, flops, params, flops / buckets, tuple(sorted(map(str, group["original"])))))
    return sorted(found, key=lambda design: (design.ratio, design.name))


def pooled_caution(frame: pd.DataFrame) -> tuple[str, ...]:
    """Warning that originals of several costs are pooled; empty where there is one cost, or none is in the frame.

    Examples
    --------
    >>> pooled_caution(pd.DataFrame({"original_flops": [9, 9, 7], "original_params": [3, 3, 3]}))[0][:44]
    'Originals with 2 different costs are pooled,'
    """
    if not set(_COSTS) <= set(frame.columns):
        return ()
    costs = len(frame[[*_COSTS]].drop_duplicates())
    if costs == 1:
        return ()
    return (
        f"Originals with {costs} different costs are pooled, as if they had one optimum: transfer_optimum treats them "
        "separately.",
    )


def ratio_of(original: float | tuple[float, float] | Costed, bucket: int = 1) -> float:
    """Ratio of FLOPs to parameter buckets of an original: given itself, as (FLOPs, parameters), or by a `Costed`.

    Raises
    ------
    InputError
        For what is none of these, a ratio that is not above 0, or a bucket other than 1 where no ratio is given.

    Examples
    --------
    >>> ratio_of(12.5), ratio_of((763520, 77754))
    (12.5, 9.819687733106978)
    """
    if isinstance(original, int | float | np.number) and not isinstance(original, bool):
        ratio = float(original)
    elif bucket != 1:
        raise InputError(
            f"with a bucket of {bucket} an original is given as its ratio; found {original!r}: divide its FLOPs by its "
            "buckets"
        )
    else:
        flops, params = _cost(original)
        ratio = flops / params if params > 0 else float("nan")
    if not (ratio > 0 and np.isfinite(ratio)):
        raise InputError(
            f"the ratio of an original must be above 0; found {ratio:g}: divide its FLOPs by its parameter buckets"
        )
    return ratio


def _cost(original: object) -> tuple[float, float]:
    """FLOPs and parameters of a pair, or of an object with both."""
    pair: Any = original if isinstance(original, tuple | list) else [getattr(original, n, None) for n in _NAMES]
    if len(pair) != 2 or not all(isinstance(part, int | float | np.number) for part in pair):
        raise InputError(
            f"an original is its ratio, (FLOPs, parameters), or a trace with both; found {type(original).__name__}: "
            "trace a network first, as in prunestats.runners.trace(network, example_input)"
        )
    return float(pair[0]), float(pair[1])


def _check(frame: pd.DataFrame, bucket: int) -> None:
    needed = ["original", *_COSTS, *((_BUCKETS,) if bucket != 1 else ())]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ResultsError(
            f"optima of several originals need the columns {', '.join(needed)}; not found: {', '.join(missing)}: "
            "load_results gives all but original_buckets, or add them"
        )
    if bool(frame["original_flops"].isna().all()):
        require_flops(frame.drop(columns="flops", errors="ignore"), "the ratio of an original")
    for name in needed[1:]:
        values = pd.to_numeric(frame[name], errors="coerce")
        if not (values > 0).all():
            raise ResultsError(
                f"{name} must be there and above 0 in every run; found {frame[name][~(values > 0)].iloc[0]}: correct it"
            )


def _names(rows: pd.DataFrame, identity: Sequence[str]) -> list[str]:
    """The network, or the key, with its data set where there are several, and as many costs as make names distinct."""
    shown = [identity[0]]
    if "dataset" in identity and len(set(rows["dataset"])) > 1:
        shown.append("dataset")
    for name in identity[1:]:
        if name not in shown and len(rows[shown].drop_duplicates()) < len(rows) and len(set(rows[name])) > 1:
            shown.append(name)
    return [", ".join(map(str, row)) for row in rows[shown].itertuples(index=False)]
