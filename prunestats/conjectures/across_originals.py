"""Random-effects meta-regression of the optima of several originals on the ratio of the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np

from prunestats.conjectures.log_optima import LogOptimum, asymmetry_note, log_optima, selection_note
from prunestats.conjectures.meta_regression import MetaRegression
from prunestats.conjectures.moderators import LEAST_ORIGINALS, MetaDesign, build_design, fit_design
from prunestats.conjectures.prediction import Prediction, predict_at
from prunestats.errors import InputError
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.optimum.optimum import Optimum


@dataclass(frozen=True, repr=False)
class MetaOptimum(Result):
    """Random-effects meta-regression of the optima of several originals.

    Parameters
    ----------
    estimates : tuple of LogOptimum
        Log ratio and standard error of every given optimum, excluded ones too.
    original_ratio : tuple of float
        Ratio of the original of each; empty where it was not given.
    regimes : tuple of float
        FLOPs fraction of each; empty where it was not given.
    slope : Interval or None
        Elasticity: change of log optimum per unit of log ratio of the original; 1 is proportionality. None where it
        cannot be fitted; so are the following.
    slope_p : float
        P-value of slope 0; nan without a slope.
    regime_slope : Interval or None
        Change of log optimum per unit of log FLOPs fraction.
    mean : Interval or None
        Confidence interval of the geometric mean optimum, at the mean log ratio of the originals and the mean log FLOPs
        fraction.
    new : Interval or None
        Prediction interval of the optimum of one new original, at the same values.
    fit : MetaRegression or None
        On the log scale: heterogeneity tau2, I2, Q.
    notes : tuple of str
        What was excluded, what cannot be fitted, and why.
    n_estimates, n_originals : int
        Optima with an estimate, and the number of their originals.
    bucket : int
    response : str
    level : float
    design : MetaDesign
        Estimates and moderators that were fitted.
    """

    estimates: tuple[LogOptimum, ...]
    original_ratio: tuple[float, ...]
    regimes: tuple[float, ...]
    slope: Interval | None
    slope_p: float
    regime_slope: Interval | None
    mean: Interval | None
    new: Interval | None
    fit: MetaRegression | None
    notes: tuple[str, ...]
    n_estimates: int
    n_originals: int
    bucket: int
    response: str
    level: float
    design: MetaDesign = field(compare=False)

    def __repr__(self) -> str:
        words = [f"n_estimates={self.n_estimates} of {len(self.estimates)}"]
        words += [f"{name}={found}" for name in ("slope", "mean") if (found := getattr(self, name)) is not None]
        return f"MetaOptimum({', '.join(words)}, response={self.response!r})"

    def predict(self, ratio: float, regime: float | None = None) -> Prediction:
        """Confidence interval of the mean, and prediction interval of a new optimum, at one ratio of the original.

        Parameters
        ----------
        ratio : float
            FLOPs over parameter buckets of the original.
        regime : float, optional
            FLOPs fraction; the geometric mean of those of the estimates when left out.

        Returns
        -------
        Prediction
            The same for every ratio where no slope is fitted.

        Raises
        ------
        InputError
            Where no line was fitted, or the ratio or the fraction is not positive.
        """
        if self.fit is None:
            raise InputError(
                f"a prediction needs optima of {LEAST_ORIGINALS} originals; found {self.n_originals}: {self.notes[-1]}"
            )
        if not (ratio > 0 and np.isfinite(ratio)):
            raise InputError(f"the ratio of an original must be above 0; found {ratio:g}: FLOPs over parameter buckets")
        if regime is not None and not (regime > 0 and np.isfinite(regime)):
            raise InputError(f"a regime must be a FLOPs fraction above 0; found {regime:g}: half the FLOPs are 0.5")
        log_regime = None if regime is None else float(np.log(regime))
        return predict_at(self.fit, self.design, float(np.log(ratio)), log_regime, self.level)

    def careful_slope(self) -> tuple[Interval | None, float]:
        """Slope and its p-value with the modified Knapp-Hartung adjustment: a variance factor of at least 1.

        Notes
        -----
        Where few estimates lie close to a line by chance, Knapp and Hartung's factor is near 0, and their interval is
        shorter than the standard errors allow.

        References
        ----------
        C. Roever, G. Knapp and T. Friede, BMC Med. Res. Methodol. 15 (2015), 99.
        """
        return _slope(self.fit, self.design, "original_ratio", self.level, modified=True)


def meta_optimum(
    optima: Sequence[Optimum],
    *,
    original_ratio: Sequence[float] | None = None,
    originals: Sequence[str] | None = None,
    regimes: Sequence[float] | None = None,
    level: float = 0.95,
) -> MetaOptimum:
    """Random-effects meta-regression of log optimum on the log ratio of the original.

    Parameters
    ----------
    optima : sequence of Optimum
        Of one response and bucket; one for each original, or for each original and regime.
    original_ratio : sequence of float, optional
        FLOPs over parameter buckets of the original, one an optimum: the moderator.
    originals : sequence of str, optional
        Name of the original, one an optimum; optima with one name share a random effect. Numbered when left out.
    regimes : sequence of float, optional
        FLOPs fraction, one an optimum: a second moderator.
    level : float

    Returns
    -------
    MetaOptimum

    Raises
    ------
    InputError
        For sequences of other lengths, ratios or fractions that are not positive, different responses or buckets, no
        optimum at all, or a level outside (0, 1).

    Notes
    -----
    Estimand: the line log optimum = a + b log(ratio of the original) over the population of originals that these are
    sampled from, and the standard deviation tau of originals around it. Methods: REML, Knapp and Hartung's intervals,
    the Q-profile interval of tau2, and Nagashima's prediction interval for a new original, which allows for the
    uncertainty of tau2. Assumptions: normal random effects, and known standard errors, derived from the intervals of
    the optima (see `prunestats.conjectures.log_optima.log_optimum`). Optima with a verdict other than "interior" are
    named and excluded.

    References
    ----------
    See `prunestats.conjectures.meta_regression.meta_regression` and
    `prunestats.conjectures.prediction_interval.predict_new`.

    Examples
    --------
    >>> from prunestats.optimum.optimum import find_optimum
    >>> import pandas as pd
    >>> def population(best, rng):
    ...     params = rng.integers(5_000, 20_000, 200)
    ...     frame = pd.DataFrame({"subnetwork": np.arange(200).astype(str), "flops": 10**6, "params": params})
    ...     return frame.assign(error=0.1 + 0.1 * np.log(params * best / 10**6) ** 2 + 0.01 * rng.random(200))
    >>> rng = np.random.default_rng(0)
    >>> found = meta_optimum(
    ...     [find_optimum(population(best, rng), rng=rng) for best in (85, 100, 100, 115)],
    ...     original_ratio=[120, 150, 160, 180],
    ... )
    >>> found.n_estimates, found.slope.low < 0.7 < found.slope.high
    (4, True)
    """
    check_level(level)
    if not optima:
        raise InputError("meta_optimum needs optima; found none: give those of find_optimum, one for each original")
    n = len(optima)
    names = [str(i) for i in range(1, n + 1)] if originals is None else [str(name) for name in originals]
    _check_length(names, n, "originals")
    ratios, fractions = _positive(original_ratio, n, "original_ratio"), _positive(regimes, n, "regimes")
    estimates = log_optima(optima, _with_regimes(names, fractions))
    design, notes = build_design(estimates, names, {"original_ratio": ratios, "regimes": fractions})
    fit, more = fit_design(design, level)
    center = design.centers.get("original_ratio", 0.0)
    prediction = None if fit is None else predict_at(fit, design, center, None, level)
    slope, p = _slope(fit, design, "original_ratio", level)
    return MetaOptimum(
        estimates=tuple(estimates),
        original_ratio=ratios,
        regimes=fractions,
        slope=slope,
        slope_p=p,
        regime_slope=_slope(fit, design, "regimes", level)[0],
        mean=None if prediction is None else prediction.mean,
        new=None if prediction is None else prediction.new,
        fit=fit,
        notes=(*selection_note(estimates), *asymmetry_note(estimates), *notes, *more),
        n_estimates=design.y.size,
        n_originals=design.n_groups,
        bucket=optima[0].bucket,
        response=optima[0].response,
        level=float(level),
        design=design,
    )


def _check_length(values: Sequence[Any], n: int, what: str) -> None:
    if len(values) != n:
        raise InputError(f"{what} must have one entry an optimum; found {len(values)} for {n} optima: give one each")


def _positive(values: Sequence[Any] | None, n: int, what: str) -> tuple[float, ...]:
    if values is None:
        return ()
    _check_length(values, n, what)
    for value in values:
        if not (isinstance(value, Real) and np.isfinite(float(value)) and float(value) > 0):
            raise InputError(f"{what} must be numbers above 0, as logarithms are taken; found {value}: drop it")
    return tuple(float(value) for value in values)


def _with_regimes(names: list[str], fractions: tuple[float, ...]) -> list[str]:
    return [f"{name} at {fraction:g}" for name, fraction in zip(names, fractions, strict=True)] if fractions else names


def _slope(
    fit: MetaRegression | None, design: MetaDesign, name: str, level: float, *, modified: bool = False
) -> tuple[Interval | None, float]:
    if fit is None or name not in design.moderators:
        return None, float("nan")
    return fit.coefficient(1 + design.moderators.index(name), level, modified=modified)
