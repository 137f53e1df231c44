"""What a meta-regression of optima says of originals with a given ratio, and of one new such original."""

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
    """What is expected at one ratio of the original, on the ratio scale.

    Parameters
    ----------
    mean : Interval
        The geometric mean of the optima of such originals.
    new : Interval
        Where the optimum of one new original is expected.
    """

    mean: Interval
    new: Interval


def predict_at(
    fit: MetaRegression, design: MetaDesign, log_ratio: float, log_regime: float | None, level: float
) -> Prediction:
    """Return the optima to expect at a log ratio of the original and a log FLOPs fraction, None for their middle.

    Notes
    -----
    Where originals give several optima each, these are put together to one an original: moved along the fitted line to
    the row that is asked for, and averaged by their precision with the variance within originals as estimated. What is
    left differs between originals alone, so that tau2 need not be taken as known. The new optimum has the variance
    within originals, and the error of the move, besides.
    """
    row = np.zeros(design.columns.shape[1])
    row[0] = 1.0
    for name, value in (("original_ratio", log_ratio), ("regimes", log_regime)):
        if name in design.moderators and value is not None:
            row[1 + design.moderators.index(name)] = value - design.centers[name]
    mean = fit.mean(row, level)
    y, v, columns, row, more = _one_each(fit, design, row) if design.repeated else _as_given(design, row)
    new = predict_new(y, v, columns, row, level=level, more=more)
    return Prediction(_exp(mean), _exp(Interval(mean.value, new.low, new.high, level)))


def _as_given(design: MetaDesign, row: Floats) -> tuple[Floats, Floats, Floats, Floats, float]:
    return design.y, design.se**2, design.columns, row, 0.0


def _one_each(fit: MetaRegression, design: MetaDesign, row: Floats) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Return one estimate an original with its variance, design and row, and the variance that a new one adds."""
    first = np.unique(design.groups, return_index=True)[1]
    inside = ~(design.columns == design.columns[first[design.groups]]).all(axis=0)
    moved = design.y - (design.columns[:, inside] - row[inside]) @ fit.coefficients[inside]
    weights = 1 / (design.se**2 + fit.tau2_within)
    total = np.bincount(design.groups, weights)
    y = np.bincount(design.groups, weights * moved) / total
    error = float(row[inside] @ fit.covariance[np.ix_(inside, inside)] @ row[inside])
    return y, 1 / total, design.columns[first][:, ~inside], row[~inside], fit.tau2_within + error


def _exp(interval: Interval) -> Interval:
    with np.errstate(over="ignore"):
        value, low, high = (float(end) for end in np.exp([interval.value, interval.low, interval.high]))
    return Interval(value, low, high, interval.level)
