"""Confidence and prediction intervals of a meta-regression of optima, at a given ratio of the original."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunestats.conjectures.meta_regression import MetaRegression
from prunestats.conjectures.moderators import MetaDesign
from prunestats.conjectures.prediction_interval import predict_new
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval


@dataclass(frozen=True)
class Prediction:
    """Mean optimum and new optimum at one ratio of the original, on the ratio scale.

    Parameters
    ----------
    mean : Interval
        Confidence interval of the geometric mean optimum of such originals.
    new : Interval
        Prediction interval of the optimum of one new original.
    """

    mean: Interval
    new: Interval


def predict_at(
    fit: MetaRegression, design: MetaDesign, log_ratio: float, log_regime: float | None, level: float
) -> Prediction:
    """Confidence interval of the mean and prediction interval of a new optimum; the mean FLOPs fraction for None.

    Notes
    -----
    Nagashima's interval needs one estimate an original. Several are reduced to one: shifted along the fitted line to
    the requested FLOPs fraction, then averaged with inverse-variance weights, the variance within originals taken as
    estimated. The remaining variance is between originals, and its uncertainty is allowed for. The variance within
    originals and the error of the shift are added to that of the new optimum, both taken as known.
    """
    row = np.zeros(design.columns.shape[1])
    row[0] = 1.0
    for name, value in (("original_ratio", log_ratio), ("regimes", log_regime)):
        if name in design.moderators and value is not None:
            row[1 + design.moderators.index(name)] = value - design.centers[name]
    mean = fit.mean(row, level)
    y, v, columns, row, extra = _reduced(fit, design, row) if design.repeated else _as_given(design, row)
    new = predict_new(y, v, columns, row, level=level, extra_variance=extra)
    return Prediction(_exp(mean), _exp(Interval(mean.value, new.low, new.high, level)))


def _as_given(design: MetaDesign, row: Floats) -> tuple[Floats, Floats, Floats, Floats, float]:
    return design.y, design.se**2, design.columns, row, 0.0


def _reduced(fit: MetaRegression, design: MetaDesign, row: Floats) -> tuple[Floats, Floats, Floats, Floats, float]:
    """One estimate an original with its variance, design and row, and the extra variance of a new optimum."""
    first = np.unique(design.groups, return_index=True)[1]
    within = ~(design.columns == design.columns[first[design.groups]]).all(axis=0)
    shifted = design.y - (design.columns[:, within] - row[within]) @ fit.coefficients[within]
    weights = 1 / (design.se**2 + fit.tau2_within)
    total = np.bincount(design.groups, weights)
    y = np.bincount(design.groups, weights * shifted) / total
    error = float(row[within] @ fit.covariance[np.ix_(within, within)] @ row[within])
    return y, 1 / total, design.columns[first][:, ~within], row[~within], fit.tau2_within + error


def _exp(interval: Interval) -> Interval:
    # few originals give bounds whose exponential overflows: infinity is then the right bound
    with np.errstate(over="ignore"):
        value, low, high = (float(bound) for bound in np.exp([interval.value, interval.low, interval.high]))
    return Interval(value, low, high, interval.level)
