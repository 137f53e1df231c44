"""Design matrix of a meta-regression of optima, and whether it can be fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunestats.conjectures.log_optima import LogOptimum
from prunestats.conjectures.meta_regression import MetaRegression, degrees, meta_regression
from prunestats.numeric.arrays import Floats
from prunestats.optimum.regression import full_rank

LEAST_ORIGINALS = 3
"""Fewest originals for a fit: two leave one degree of freedom for the mean, with t quantiles above 12, and none for a
slope."""

_FEW_ORIGINALS = 5
"""With fewer originals a note warns of tau2: the 95 % interval of a variance with two or three degrees of freedom spans
a factor of 146 or 43. No number depends on it."""

_LABELS = {"original_ratio": "ratio of the original", "regimes": "FLOPs fraction"}


@dataclass(frozen=True)
class MetaDesign:
    """Estimates, their standard errors and their design matrix.

    Parameters
    ----------
    y, se : ndarray, shape (k,)
        Log optima and their standard errors.
    columns : ndarray, shape (k, p)
        1, and the centred logs of the moderators.
    groups : ndarray of int, shape (k,)
        Index of the original of each.
    moderators : tuple of str
        Those of "original_ratio" and "regimes" that are columns.
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
    estimates: list[LogOptimum], names: list[str], moderators: dict[str, tuple[float, ...]]
) -> tuple[MetaDesign, list[str]]:
    """Design matrix of the optima with an estimate; collinear moderators are dropped, each with a note."""
    kept = np.array([not one.refusal for one in estimates])
    columns, used, notes, centers = [np.ones(int(kept.sum()))], [], [], {}
    for name, values in moderators.items():
        if not values or kept.sum() < LEAST_ORIGINALS:
            continue
        logs = np.log(np.array(values))[kept]
        centers[name] = float(logs.mean())
        if full_rank(np.column_stack([*columns, logs - logs.mean()])):
            columns.append(logs - logs.mean())
            used.append(name)
        else:
            notes.append(f"The {_LABELS[name]} is constant or collinear among the estimates: no slope on it is fitted.")
    y, se = (np.array([getattr(one, what) for one in estimates])[kept] for what in ("log_ratio", "se"))
    groups = np.unique(np.array(names)[kept], return_inverse=True)[1]
    return MetaDesign(y, se, np.column_stack(columns), groups, tuple(used), centers), notes


def fit_design(design: MetaDesign, level: float) -> tuple[MetaRegression | None, list[str]]:
    """Fit the meta-regression, or give the reason why it cannot be fitted."""
    k, n = design.y.size, design.n_groups
    found = f"{k} estimate{'s' * (k != 1)} of {n} original{'s' * (n != 1)}"
    if n < LEAST_ORIGINALS:
        return None, [
            f"{found}: fewer than {LEAST_ORIGINALS} do not estimate the variance between originals, so neither a slope "
            "nor a mean is fitted; explore more originals."
        ]
    if degrees(design.columns, design.groups).min() < 1:
        return None, [
            f"{found} leave no residual degree of freedom with {design.columns.shape[1]} terms: explore more originals."
        ]
    few = (
        [f"Only {n} originals: the variance between them is known to an order of magnitude at best."]
        if n < _FEW_ORIGINALS
        else []
    )
    return meta_regression(design.y, design.se, design.columns, design.groups, level=level), few
