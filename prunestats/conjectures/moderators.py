"""Estimates and moderators put together for a meta-regression, and what can be fitted of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.conjectures.log_optima import LogOptimum
from prunestats.conjectures.meta_regression import MetaRegression, degrees, meta_regression
from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import full_rank

LEAST = 3
"""With fewer originals than this nothing is fitted."""
_FEW = 5
_WORDS = {"original_ratio": "ratio of the original", "regimes": "FLOPs fraction"}


@dataclass(frozen=True)
class MetaDesign:
    """Estimates with their moderators.

    Parameters
    ----------
    y, se : ndarray, shape (k,)
        Log optima and their standard errors.
    columns : ndarray, shape (k, p)
        1, and the logs of the moderators less their means.
    groups : ndarray of int, shape (k,)
        Which original each is of.
    moderators : tuple of str
        Those of "original_ratio" and "regimes" that are in.
    centers : dict of str to float
        Means of the logs of the moderators that were given.
    """

    y: Floats
    se: Floats
    columns: Floats
    groups: NDArray[np.int64]
    moderators: tuple[str, ...]
    centers: dict[str, float]

    @property
    def n_groups(self) -> int:
        """Originals with an estimate."""
        return int(np.unique(self.groups).size)

    @property
    def repeated(self) -> bool:
        """Whether an original gives several estimates."""
        return self.n_groups < self.y.size


def build_design(
    every: list[LogOptimum], names: list[str], moderators: dict[str, tuple[float, ...]]
) -> tuple[MetaDesign, list[str]]:
    """Keep what has an estimate; a moderator that does not vary there is left out, and a sentence says so."""
    kept = np.array([not one.refusal for one in every])
    columns, used, notes, centers = [np.ones(int(kept.sum()))], [], [], {}
    for name, values in moderators.items():
        if not values or kept.sum() < LEAST:
            continue
        logs = np.log(np.array(values))[kept]
        centers[name] = float(logs.mean())
        if full_rank(np.column_stack([*columns, logs - logs.mean()])):
            columns.append(logs - logs.mean())
            used.append(name)
        else:
            notes.append(f"The {_WORDS[name]} does not vary on its own among the estimates: no slope in it is fitted.")
    y, se = (np.array([getattr(one, what) for one in every])[kept] for what in ("log_ratio", "se"))
    groups = np.unique(np.array(names)[kept], return_inverse=True)[1]
    return MetaDesign(y, se, np.column_stack(columns), groups, tuple(used), centers), notes


def fit_design(design: MetaDesign, level: float) -> tuple[MetaRegression | None, list[str]]:
    """Fit the line, or say why it cannot be fitted."""
    k, n = design.y.size, design.n_groups
    found = f"{k} estimate{'s' * (k != 1)} of {n} original{'s' * (n != 1)}"
    if n < LEAST:
        return None, [
            f"{found}: fewer than {LEAST} say nothing of how originals differ, so neither a slope nor a mean with its "
            "interval is fitted; study more originals."
        ]
    if degrees(design.columns, design.groups).min() < 1:
        return None, [
            f"{found} leave no degree of freedom beside {design.columns.shape[1]} terms: study more originals."
        ]
    few = [f"Only {n} originals: how much they differ is known to an order of magnitude at best."] if n < _FEW else []
    return meta_regression(design.y, design.se, design.columns, design.groups, level=level), few
