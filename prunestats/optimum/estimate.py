"""Which estimate of the optimum to believe, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from prunestats.optimum.fits import Evidence
from prunestats.wording import p_words

TRUSTED = 60
"""With fewer subnetworks than this the quadratic is not believed: its lack of fit would go unseen."""
MISFIT = 0.1
"""A p-value of the lack of fit below this speaks against the quadratic."""
RIVAL = 4.0
"""Two lines whose AIC is less than this above the believed curve's may be the truth, and their corner the optimum."""
ONE_PLACE = 0.9
"""Share of the curves that fit whose minimum must be in one place for a single ratio to stand for the optimum."""


@dataclass(frozen=True)
class Belief:
    """An estimate of the optimal ratio, whose it is, and the sentence that says why.

    Parameters
    ----------
    ratio : float
        nan where the minimum may be in either of two places.
    pieces : tuple of (float, float)
        The confidence set: one interval, or a piece for each place where the minimum may be.
    believed : {"quadratic", "spline"}
    reason : str
    """

    ratio: float
    pieces: tuple[tuple[float, float], ...]
    believed: Literal["quadratic", "spline"]
    reason: str

    @property
    def low(self) -> float:
        """Low end of the first piece."""
        return self.pieces[0][0]

    @property
    def high(self) -> float:
        """High end of the last piece."""
        return self.pieces[-1][1]


def believe(evidence: Evidence) -> Belief:
    """Choose the estimate of the optimum: the quadratic's only where nothing speaks against it.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    Belief

    Notes
    -----
    Where the quadratic is right, its Fieller set is much shorter than the spline's interval; where it is wrong, the set
    misses the optimum however many points there are. So it takes in the ratios at which the slope of a cubic is not
    told from zero, a little more where the truth is a parabola. Otherwise the spline is believed, with a piece for
    each place where the curves that fit have their minimum. Where two lines with a corner describe the points about as
    well as the curve that is believed, the set takes in the corner's interval. The coverage of what is believed is
    simulated in docs/methods/verdict-rules.md.
    """
    quadratic, spline = evidence.quadratic, evidence.spline
    against = _against(evidence)
    if against is not None:
        reason = f"{against}: the spline is believed, not the quadratic ({_vertex(evidence)}).{basins_words(evidence)}"
        return _with_corner(of_spline(evidence, reason), evidence, evidence.aic_spline)
    fieller = quadratic.fieller
    reason = (
        f"The quadratic fits (lack of fit p {p_words(evidence.misfit_p)}), at its price better than a smooth curve "
        f"or a corner, and agrees with the spline's {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}]."
    )
    belief = Belief(quadratic.optimum_ratio, ((fieller.low, fieller.high),), "quadratic", reason)
    belief = _with_cubic(belief, evidence)
    return _with_corner(belief, evidence, evidence.aic_quadratic)


def of_spline(evidence: Evidence, reason: str = "") -> Belief:
    """Return the spline's estimate: no single ratio where the curves that fit have their minimum in two places."""
    spline = evidence.spline
    if len(spline.basins) == 1:
        return Belief(spline.ratio, ((spline.low, spline.high),), "spline", reason)
    ratio = float("nan") if two_places(evidence) else spline.ratio
    return Belief(ratio, tuple((low, high) for low, high, _ in spline.basins), "spline", reason)


def two_places(evidence: Evidence) -> bool:
    """Whether the minimum may as well be in either of two places."""
    return max(share for _, _, share in evidence.spline.basins) < ONE_PLACE


def _with_cubic(belief: Belief, evidence: Evidence) -> Belief:
    """Take in what an asymmetry that goes unseen would make of the vertex."""
    cubic = evidence.cubic
    if cubic is None or (belief.low <= cubic.low and cubic.high <= belief.high):
        return belief
    reason = (
        f"{belief.reason} A lack of fit that goes unseen may hide an asymmetric U: the interval takes in where the "
        f"slope of a cubic is not told from zero, [{cubic.low:.4g}, {cubic.high:.4g}]."
    )
    return replace(belief, pieces=_merged((*belief.pieces, (cubic.low, cubic.high))), reason=reason)


def _with_corner(belief: Belief, evidence: Evidence, aic: float) -> Belief:
    """Take in the corner's interval, where two lines with a corner may be the truth."""
    corner = evidence.corner
    if corner is None or corner.aic >= aic + RIVAL:
        return belief
    reason = (
        f"{belief.reason} Two lines with a corner at {corner.ratio:.4g} [{corner.low:.4g}, {corner.high:.4g}] describe "
        "the points about as well or better, so the interval covers both."
    )
    return replace(belief, pieces=_merged((*belief.pieces, (corner.low, corner.high))), reason=reason)


def _merged(pieces: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Join the intervals that overlap; an estimate's lone interval is stretched rather than broken.

    Examples
    --------
    >>> _merged(((1.0, 2.0), (5.0, 6.0), (1.5, 3.0))), _merged(((1.0, 2.0), (3.0, 4.0)))
    (((1.0, 3.0), (5.0, 6.0)), ((1.0, 4.0),))
    """
    if len(pieces) == 2:
        return ((min(low for low, _ in pieces), max(high for _, high in pieces)),)
    merged: list[tuple[float, float]] = []
    for low, high in sorted(pieces):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _against(evidence: Evidence) -> str | None:
    """Say what speaks against the quadratic's estimate, None where nothing does."""
    quadratic, spline, corner = evidence.quadratic, evidence.spline, evidence.corner
    if evidence.n < TRUSTED:
        return f"With fewer than {TRUSTED} subnetworks a lack of fit of the quadratic goes unseen"
    if evidence.misfit_p < MISFIT:
        return f"The quadratic does not fit (lack of fit p {p_words(evidence.misfit_p)})"
    if len(spline.basins) > 1:
        return "The curves that fit have their minimum in two places, which a quadratic cannot show"
    if quadratic.fieller.kind != "bounded" or not spline.low <= quadratic.optimum_ratio <= spline.high:
        return f"The quadratic disagrees with the spline's {spline.ratio:.4g} [{spline.low:.4g}, {spline.high:.4g}]"
    gain = evidence.aic_quadratic - min(evidence.aic_spline, np.inf if corner is None else corner.aic)
    if gain > 0:
        return f"A curve of another shape describes the points better than the quadratic (AIC lower by {gain:.2g})"
    return None


def _vertex(evidence: Evidence) -> str:
    """Say where the quadratic has its vertex, and how well it knows."""
    vertex, fieller = evidence.quadratic.optimum_ratio, evidence.quadratic.fieller
    place = "no minimum" if np.isnan(vertex) else f"minimum at {vertex:.4g}"
    if fieller.kind == "bounded":
        return f"{place}, Fieller's set [{fieller.low:.4g}, {fieller.high:.4g}]"
    gap = "" if fieller.kind == "unbounded" else f" but {fieller.low:.4g} to {fieller.high:.4g}"
    return f"{place}, Fieller's set everything{gap}"


def basins_words(evidence: Evidence) -> str:
    """Say that the minimum may be in either of two places; empty where it is in one."""
    if len(evidence.spline.basins) == 1:
        return ""
    places = " or ".join(
        f"between {low:.4g} and {high:.4g} ({100 * share:.0f} %)" for low, high, share in evidence.spline.basins
    )
    if two_places(evidence):
        return f" The curves that fit have their minimum {places}: two places, and no single ratio stands for both."
    return f" The curves that fit have their minimum {places}: the set covers both places."
