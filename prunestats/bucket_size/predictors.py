"""Competing predictors of the response: parameters, FLOPs, the ratio with buckets of a size, all widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunestats.numeric.arrays import Floats
from prunestats.optimum.explained_variance import log_widths
from prunestats.optimum.penalised_spline import cubic_basis, knots_of, second_derivatives
from prunestats.results.ratio import log_ratio

ALL_WIDTHS_AND_COSTS = "all log widths + FLOPs + parameters"

_KNOTS = 4
"""Knots of each cubic curve: enough for one minimum and an asymmetry around it, at three coefficients and no smoothing
parameter to choose, so that every predictor has the same flexibility."""


@dataclass(frozen=True)
class Predictor:
    """A named set of regression columns; `bucket` is None for predictors other than a ratio."""

    name: str
    bucket: int | None
    columns: Floats


def predictors(means: pd.DataFrame, sizes: Sequence[int]) -> list[Predictor]:
    """Competing predictors: the average first, parameters alone second.

    Notes
    -----
    Log ratio, log parameters and log FLOPs each enter as a cubic curve with four knots at quantiles, so that variables
    are compared at equal flexibility. All log widths enter linearly; together with the curves of FLOPs and parameters,
    which widths determine, they approximate the explainable variance.

    Examples
    --------
    >>> means = pd.DataFrame({"flops": [30, 40, 50, 60], "params": [3, 5, 4, 7]})
    >>> [found.name for found in predictors(means, [1])]
    ['the average', 'parameters', 'FLOPs + parameters', 'ratio with buckets of 1']
    """
    flops, params = (np.log(means[name].to_numpy(dtype=float)) for name in ("flops", "params"))
    costs = np.column_stack([curve_columns(flops), curve_columns(params)])
    found = [
        Predictor("the average", None, np.empty((len(means), 0))),
        Predictor("parameters", None, curve_columns(params)),
        Predictor("FLOPs + parameters", None, costs),
    ]
    found += [
        Predictor(f"ratio with buckets of {size:,}", int(size), curve_columns(log_ratio(means, size))) for size in sizes
    ]
    widths = log_widths(means)
    if widths is not None:
        widths = widths - widths.mean(axis=0)
        found.append(Predictor("all log widths", None, widths))
        found.append(Predictor(ALL_WIDTHS_AND_COSTS, None, np.column_stack([widths, costs])))
    return found


def curve_columns(x: Floats) -> Floats:
    """Regression columns that span, with a constant, the natural cubic splines with four knots at quantiles of x.

    Examples
    --------
    >>> [curve_columns(np.array(x)).shape for x in ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 2.0], [1.0, 1.0])]
    [(5, 4), (3, 1), (2, 0)]
    """
    distinct = np.unique(x).size
    # a natural cubic spline needs three knots; two values support a line, one nothing
    if distinct < 3:
        return (x - x.mean())[:, None] if distinct > 1 else np.empty((x.size, 0))
    knots = knots_of(x, _KNOTS)
    return cubic_basis(x, knots, second_derivatives(knots)[0])
