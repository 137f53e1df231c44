"""Refining a space: from what a population says about the optimal ratio to a constraint on the next one."""

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
    "interior: ratios from low to high of the believed interval, both ends stretched alike on the log scale until "
    "the band holds {share:g} of the population that the optimum was found in; edge: the same with the end beyond the "
    "optimum left open, as an offer; monotone: the best tenth of the ratios, open towards the better end, as an offer; "
    "flat or unidentified: nothing"
)


@dataclass(frozen=True)
class Refinement:
    """What a population's optimum says about where to draw next.

    Parameters
    ----------
    kind : {"band", "one_sided", "refused"}
        "band": there is an optimum inside, and the space is bounded around it. "one_sided": the best ratios are at the
        edge of what was sampled or beyond; an offer, and no claim of an optimum. "refused": nothing to refine on.
    space : Space or None
        The refined space; None where refused.
    band : RatioBand or None
        The constraint that it adds.
    share : float
        Share of the population's subnetworks inside the band; nan without a population.
    reasons : tuple of str
        Sentences: what was done, why, and what could be done instead.
    rule : str
        The rule that was declared before looking.
    initial : str
        Name of the space that was refined.
    verdict, optimum : str
        Verdict of the optimum, and a hash of everything that it says.
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
    """Bound a space around the optimal ratio that one of its populations has shown, or say why not.

    Parameters
    ----------
    space : Space
        The space that the population was drawn from.
    optimum : Optimum
        What was found in one half of the population; the other half, or fresh draws, are for judging the result.
    frame : pandas.DataFrame, optional
        The results that `optimum` was found in. With them a band too narrow to draw from is stretched; without them it
        is not, and its share is unknown.
    least_share : float
        Share of the population that a band holds at least, in (0, 1): drawing costs at most 1 / `least_share` times
        as many attempts as before.

    Returns
    -------
    Refinement

    Raises
    ------
    InputError
        For a share outside (0, 1), or results that are none.

    Notes
    -----
    The rule looks at the verdict, the believed interval and the ratios, never at the errors again; it is in
    docs/methods/refinement.md. Whether the refined space is better is a question for subnetworks that had no part in
    finding the optimum: see `split_population` and `head_to_head`.

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
    kind, ends, reasons = _ends(optimum)
    made = Refinement(
        kind, None, None, float("nan"), reasons, RULE.format(share=least_share), space.name, optimum.verdict,
        _digest(optimum),
    )  # fmt: skip
    if ends is None:
        return made
    (low, high), stretched = _stretch(ends, ratios, least_share)
    band = RatioBand(_ratio(low), _ratio(high), optimum.bucket)
    share = float("nan") if ratios is None else float(np.mean((ratios >= low) & (ratios <= high)))
    return replace(
        made,
        space=Space(f"{space.name}-refined", space.sampler, (*space.constraints, band)),
        band=band,
        share=share,
        reasons=(*reasons, _band_words(band, share, stretched)),
    )


def _ends(
    optimum: Optimum,
) -> tuple[Literal["band", "one_sided", "refused"], tuple[float, float] | None, tuple[str, ...]]:
    """Ends of the band on the log scale before it is stretched, and why."""
    found = f"The verdict on the ratio is {optimum.verdict}"
    at = f"{optimum.ratio:.4g} [{optimum.low:.4g}, {optimum.high:.4g}]"
    basins = 1 if optimum.spline is None else len(optimum.spline.basins)
    if optimum.verdict == "interior":
        twice = " The minimum may lie in either of two places; the band covers both, and what is between." * (
            basins > 1
        )
        return "band", (np.log(optimum.low), np.log(optimum.high)), (f"{found}, at {at}.{twice}",)
    if optimum.verdict in ("edge", "monotone") and optimum.spline is not None and basins == 1:
        way = _better_end(optimum)
        if way is not None:
            beyond = (
                f"{found}: the best ratios are at the {way} end of what was sampled or beyond. This is an offer to "
                "look further that way, not an optimum: a population of the offered space has to show one."
            )
            return "one_sided", _offer(optimum, way), (beyond,)
    return "refused", None, (f"{found}: {_remedy(optimum, basins)}", *optimum.reasons)


def _better_end(optimum: Optimum) -> Literal["low", "high"] | None:
    """Which end of the ratios is the better one, None where that is not clear."""
    spline = optimum.spline
    if optimum.verdict == "edge":
        return "low" if optimum.ratio < optimum.ratio_q10 else "high" if optimum.ratio > optimum.ratio_q90 else None
    if spline is None or max(spline.at_low_end, spline.at_high_end) < optimum.level / 2:
        return None
    return "low" if spline.at_low_end > spline.at_high_end else "high"


def _offer(optimum: Optimum, way: str) -> tuple[float, float]:
    """Ends of a band that is open on the better side."""
    edge = optimum.verdict == "edge"
    if way == "low":
        return -np.inf, float(np.log(optimum.high if edge else optimum.ratio_q10))
    return float(np.log(optimum.low if edge else optimum.ratio_q90)), np.inf


def _remedy(optimum: Optimum, basins: int) -> str:
    if optimum.verdict == "flat":
        return "the ratio hardly matters here, so no band of ratios is worth more than another: keep the initial space."
    if optimum.verdict == "unidentified":
        return (
            f"{optimum.n_subnetworks} subnetworks do not say where the best ratios are: train more of the initial "
            "space, with more seeds where the noise is theirs, or draw from a space whose ratios spread wider."
        )
    if basins > 1:
        return (
            "the best ratios may lie in two places, and one band would mostly hold what is between: train more first."
        )
    return "which end of the ratios is the better one is not settled: train more of the initial space first."


def _stretch(ends: tuple[float, float], ratios: Floats | None, least_share: float) -> tuple[tuple[float, float], bool]:
    """Move both ends outwards alike until enough of the population is inside."""
    low, high = ends
    if ratios is None:
        return ends, False
    outside = np.sort(np.maximum.reduce([low - ratios, ratios - high, np.zeros(ratios.size)]))
    by = float(outside[int(np.ceil(least_share * ratios.size)) - 1])
    # a rounding error must not leave the last one outside
    by = np.nextafter(by, np.inf) + 1e-12 if by > 0 else 0.0
    return (low - by, high + by), bool(by > 0)


def _band_words(band: RatioBand, share: float, stretched: bool) -> str:
    wider = ", stretched to hold that many" * stretched
    holds = "an unknown share" if np.isnan(share) else f"{100 * share:.3g} %"
    return f"The refined space asks for {band.law}: {holds} of the population{wider}."


def _log_ratios(frame: pd.DataFrame, bucket: int) -> Floats:
    keys = [name for name in ("original", "subnetwork") if name in check_results(frame).columns]
    return log_ratio(frame.drop_duplicates(keys), bucket)


def _ratio(end: float) -> float | None:
    return float(np.exp(end)) if np.isfinite(end) else None


def _digest(optimum: Optimum) -> str:
    return hashlib.sha256(json.dumps(optimum.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
