"""Refinement rule: from the estimated optimum of a population to a band of ratios for the next one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats
from prunestats.numeric.plain_data import plain_data
from prunestats.optimum.optimum import Optimum
from prunestats.results.checks import check_results
from prunestats.results.ratio import log_ratio
from prunestats.spaces.cost_bands import RatioBand
from prunestats.spaces.space import Space

RULE = (
    "interior: ratios within the reported interval of the optimum, both bounds widened equally on the log scale until "
    "the band holds {share:g} of the population in which the optimum was estimated; edge: the same without the bound "
    "beyond the optimum, exploratory; monotone: the best tenth of the ratios, unbounded towards the better end, "
    "exploratory; flat or unidentified: no band"
)


@dataclass(frozen=True)
class Refinement:
    """A refined space with its constraint, or the reason why there is none.

    Parameters
    ----------
    kind : {"band", "one_sided", "refused"}
        "band": the optimum is interior, and the space is bounded around it. "one_sided": the best ratios are at or
        beyond an end of the sampled range; an exploratory band without a claim of an optimum. "refused": no evidence to
        refine on.
    space : Space or None
        The refined space; None where refused.
    band : RatioBand or None
        The constraint on the ratio that it adds.
    share : float
        Share of the population's subnetworks within the band; nan without a population.
    reasons : tuple of str
        Sentences: what was done, why, and what to do instead.
    rule : str
        The rule, fixed before the data are analysed.
    initial : str
        Name of the space that was refined.
    verdict, optimum : str
        Verdict of the optimum, and a hash of the whole result.
    """

    kind: Literal["band", "one_sided", "refused"]
    space: Space | None
    band: RatioBand | None
    share: float
    reasons: tuple[str, ...]
    rule: str
    initial: str
    verdict: str
    optimum: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain lists and numbers, the space as a study file writes it."""
        stored: dict[str, Any] = plain_data(replace(self, space=None))
        if self.space is not None:
            space = {"name": self.space.name, "sampler": self.space.sampler_name, **self.space.parameters}
            stored["space"] = plain_data(space)
        return stored


def refine(
    space: Space, optimum: Optimum, frame: pd.DataFrame | None = None, *, least_share: float = 0.1
) -> Refinement:
    """Bound a space to a band of ratios around the estimated optimum of one of its populations.

    Parameters
    ----------
    space : Space
        The space that the population was sampled from.
    optimum : Optimum
        Estimated in one half of the population; evaluate the result on the other half or on a new sample.
    frame : pandas.DataFrame, optional
        The results in which `optimum` was estimated. With them a band is widened until it holds `least_share`; without
        them it is not, and its share is unknown.
    least_share : float
        Least share of the population in a band, in (0, 1): rejection sampling then needs about 1 / `least_share` times
        as many proposals as before, at most.

    Returns
    -------
    Refinement

    Raises
    ------
    InputError
        For a share outside (0, 1), or a frame without results.

    Notes
    -----
    The rule depends on the verdict, the reported interval and the ratios, not on the errors; it is in
    docs/methods/refinement.md. Sample splitting: whether the refined space is better is evaluated on subnetworks that
    had no part in estimating the optimum, see `split_population` and `head_to_head`.

    Examples
    --------
    >>> from prunestats.optimum.optimum import find_optimum
    >>> from prunestats.spaces.space import Independent
    >>> rng = np.random.default_rng(0)
    >>> params = rng.integers(5_000, 20_000, 200)
    >>> frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(200)], "flops": 1_000_000, "params": params})
    >>> frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.005 * rng.standard_normal(200)
    >>> refined = refine(Space("initial", Independent()), find_optimum(frame, rng=rng), frame)
    >>> refined.kind, refined.space.name, bool(refined.band.low < 100 < refined.band.high)
    ('band', 'initial-refined', True)
    """
    if not 0 < least_share < 1:
        raise InputError(f"least_share must lie between 0 and 1; found {least_share:g}: for a tenth write 0.1")
    ratios = None if frame is None else _log_ratios(frame, optimum.bucket)
    kind, bounds, reasons = _log_bounds(optimum)
    made = Refinement(
        kind, None, None, float("nan"), reasons, RULE.format(share=least_share), space.name, optimum.verdict,
        _digest(optimum),
    )  # fmt: skip
    if bounds is None:
        return made
    (low, high), widened = _widen(bounds, ratios, least_share)
    band = RatioBand(_ratio(low), _ratio(high), optimum.bucket)
    share = float("nan") if ratios is None else float(np.mean((ratios >= low) & (ratios <= high)))
    return replace(
        made,
        space=Space(f"{space.name}-refined", space.sampler, (*space.constraints, band)),
        band=band,
        share=share,
        reasons=(*reasons, _band_sentence(band, share, widened)),
    )


def _log_bounds(
    optimum: Optimum,
) -> tuple[Literal["band", "one_sided", "refused"], tuple[float, float] | None, tuple[str, ...]]:
    """Kind and bounds of the band on the log scale before it is widened, and the reasons."""
    found = f"The verdict on the ratio is {optimum.verdict}"
    at = f"{optimum.ratio:.4g} [{optimum.low:.4g}, {optimum.high:.4g}]"
    basins = 1 if optimum.spline is None else len(optimum.spline.basins)
    if optimum.verdict == "interior":
        two = " Spline draws have minima in separate basins; the band covers them and the range between." * (basins > 1)
        return "band", (np.log(optimum.low), np.log(optimum.high)), (f"{found}, at {at}.{two}",)
    if optimum.verdict in ("edge", "monotone") and optimum.spline is not None and basins == 1:
        way = _better_end(optimum)
        if way is not None:
            beyond = (
                f"{found}: the best ratios are at or beyond the {way} end of the sampled range. The band is "
                "exploratory, not an optimum: a population of the refined space has to show one."
            )
            return "one_sided", _one_sided_bounds(optimum, way), (beyond,)
    return "refused", None, (f"{found}: {_remedy(optimum, basins)}", *optimum.reasons)


def _better_end(optimum: Optimum) -> Literal["low", "high"] | None:
    """The end of the sampled range with the better response, None where it is not determined."""
    spline = optimum.spline
    if optimum.verdict == "edge":
        return "low" if optimum.ratio < optimum.ratio_q10 else "high" if optimum.ratio > optimum.ratio_q90 else None
    # below level / 2 the shares of both ends together do not reach the level, so neither end is determined
    if spline is None or max(spline.at_low_end, spline.at_high_end) < optimum.level / 2:
        return None
    return "low" if spline.at_low_end > spline.at_high_end else "high"


def _one_sided_bounds(optimum: Optimum, way: str) -> tuple[float, float]:
    """Log bounds of a band that is unbounded on the better side."""
    edge = optimum.verdict == "edge"
    if way == "low":
        return -np.inf, float(np.log(optimum.high if edge else optimum.ratio_q10))
    return float(np.log(optimum.low if edge else optimum.ratio_q90)), np.inf


def _remedy(optimum: Optimum, basins: int) -> str:
    if optimum.verdict == "flat":
        return (
            "the ratio has hardly any effect here, so no band of ratios is better than another: keep the initial space."
        )
    if optimum.verdict == "unidentified":
        return (
            f"{optimum.n_subnetworks} subnetworks do not determine the best ratios: train more of the initial space, "
            "with more seeds where seed noise dominates, or sample from a space with a wider range of ratios."
        )
    if basins > 1:
        return (
            "spline draws have minima in separate basins, and one band would mostly hold the range between: train more "
            "subnetworks of the initial space first."
        )
    return "the better end of the ratios is not determined: train more subnetworks of the initial space first."


def _widen(bounds: tuple[float, float], ratios: Floats | None, least_share: float) -> tuple[tuple[float, float], bool]:
    """Widen both bounds equally until the band holds the least share of the population."""
    low, high = bounds
    if ratios is None:
        return bounds, False
    distances = np.sort(np.maximum.reduce([low - ratios, ratios - high, np.zeros(ratios.size)]))
    by = float(distances[int(np.ceil(least_share * ratios.size)) - 1])
    # 1e-12 exceeds the rounding error of a logarithm and its exponential, which could exclude the last subnetwork
    by = np.nextafter(by, np.inf) + 1e-12 if by > 0 else 0.0
    return (low - by, high + by), bool(by > 0)


def _band_sentence(band: RatioBand, share: float, widened: bool) -> str:
    wider = ", widened to hold that share" * widened
    holds = "an unknown share" if np.isnan(share) else f"{100 * share:.3g} %"
    return f"The refined space has the constraint {band.law}: {holds} of the population{wider}."


def _log_ratios(frame: pd.DataFrame, bucket: int) -> Floats:
    keys = [name for name in ("original", "subnetwork") if name in check_results(frame).columns]
    return log_ratio(frame.drop_duplicates(keys), bucket)


def _ratio(log_bound: float) -> float | None:
    return float(np.exp(log_bound)) if np.isfinite(log_bound) else None


def _digest(optimum: Optimum) -> str:
    # a metric that is not the study's own is not in it, so that the hash is that of earlier versions
    return hashlib.sha256(json.dumps(optimum.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
