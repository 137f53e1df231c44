"""Fits of a negated response turned back to values of the response, where higher values are better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prunestats.metric import Metric
from prunestats.numeric.arrays import Floats
from prunestats.optimum.fits import Fits
from prunestats.optimum.lower_envelope import Envelope
from prunestats.optimum.regression import Points

_HOLD_VALUES = {
    "quadratic": ("coefficients",),
    "spline": ("curve",),
    "two_lines": ("slope_low", "slope_high", "z_low", "z_high"),
    "lind_mehlum": ("slope_low", "slope_high", "t_low", "t_high"),
}
"""Fields of fits that change sign with the response; all others are ratios, probabilities, variances and criteria."""


def lower_is_better_points(data: Points, metric: Metric) -> Points:
    """The points, with the negated response where higher values are better; applied twice it changes nothing.

    Examples
    --------
    >>> from prunestats.optimum.regression import points
    >>> lower_is_better_points(points([1.0, 2.0], [0.5, 0.6]), Metric("miou", "maximize")).y.tolist()
    [-0.5, -0.6]
    """
    return data if metric.sign > 0 else replace(data, y=_negated(data.y))


def natural_fit(fits: Fits | None, name: str, metric: Metric) -> Any:
    """One of the fits in values of the response; None where there are no fits.

    Parameters
    ----------
    fits : Fits or None
        Of `lower_is_better_points`.
    name : str
        A field of `Fits`.
    metric : Metric
    """
    fit = None if fits is None else getattr(fits, name)
    if fit is None or metric.sign > 0:
        return fit
    return replace(fit, **{field: _negated(getattr(fit, field)) for field in _HOLD_VALUES.get(name, ())})


def natural_envelope(envelope: Envelope, metric: Metric) -> Envelope:
    """The envelope in values of the response: where higher values are better, a quantile of its upper tail.

    Notes
    -----
    A quantile q of the negated response is the negated quantile 1 - q of the response.
    """
    if metric.sign > 0:
        return envelope
    return replace(envelope, quantile=1 - envelope.quantile, coefficients=_negated(envelope.coefficients))


def _negated(value: Any) -> Any:
    """Return a number, an array or a spline with its sign changed."""
    if hasattr(value, "coefficients"):
        return replace(value, coefficients=_negated(value.coefficients))
    # subtracted from 0, so that 0 does not become negative
    negated: float | Floats = 0.0 - value
    return negated
