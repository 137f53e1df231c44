"""Is there an optimal ratio of FLOPs to parameter buckets, where is it, and how well is it known?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.optimum.beyond_costs import Beyond, beyond_costs
from prunestats.optimum.broken_line import Corner
from prunestats.optimum.explained_variance import explained_variance
from prunestats.optimum.fits import gather
from prunestats.optimum.flatness import Flatness
from prunestats.optimum.lack_of_fit import LackOfFit
from prunestats.optimum.lind_mehlum import LindMehlum
from prunestats.optimum.lower_envelope import QUANTILES, Envelope, fit_envelope
from prunestats.optimum.points import ratio_points
from prunestats.optimum.quadratic import Quadratic
from prunestats.optimum.regression import Points, correlation
from prunestats.optimum.spline_minimum import SplineOptimum
from prunestats.optimum.two_lines import TwoLines
from prunestats.optimum.verdict import judge
from prunestats.optimum.winners_ratio import Winners, bootstrap_winners
from prunestats.results.designs import pooled_caution
from prunestats.results.means import unit_means
from prunestats.wording import p_words

_NAMES = {"error": "the error", "loss": "the loss", "log_cross_entropy": "the log cross-entropy"}
_NARROW = 0.15
_SAME = 0.95


@dataclass(frozen=True, repr=False)
class Optimum(Result):
    """What a population says about an optimal ratio in its regime.

    Parameters
    ----------
    verdict : {"interior", "edge", "monotone", "flat", "unidentified"}
        "interior": there is an optimum among the ratios seen. "edge": the best ratio lies at their edge or beyond.
        "monotone": the response goes one way throughout. "flat": the ratio hardly matters. "unidentified": the data
        decide nothing.
    reasons : tuple of str
        Sentences with the numbers that the verdict rests on.
    ratio, low, high : float
        The believed estimate and its interval, on the ratio scale; nan where there is none to believe. The ratio alone
        is nan where the minimum may be in either of two places.
    pieces : tuple of (float, float)
        The believed confidence set, whose ends are `low` and `high`: one interval, or one for each of two places.
    believed : {"quadratic", "spline"} or None
        Whose estimate that is.
    quadratic : Quadratic or None
    spline : SplineOptimum or None
    cubic : Interval or None
        The minimum of a cubic, which the quadratic's interval takes in when that is believed.
    corner : Corner or None
    envelope : tuple of Envelope
        The 5 % and 10 % quantiles of the response; those with fewer than ten subnetworks below them are left out.
        They inform, and change no verdict; and so do the winners.
    winners : Winners or None
        Which ratios the best of bootstrap samples have; None with fewer than six subnetworks.
    two_lines : TwoLines or None
    lind_mehlum : LindMehlum or None
    lack_of_fit : LackOfFit or None
    flatness : Flatness or None
        None, these parts, where there are too few points for them.
    beyond : Beyond or None
        Test that the ratio says more than FLOPs and parameters apart; None where nothing is left of it beside them.
    r2 : float
        Share of the variance within originals that the quadratic explains, adjusted for its two terms; nan without it.
    r2_widths : float or None
        The same for all log widths at once: what there is to explain by them; None without widths.
    n_subnetworks, n_runs, n_originals : int
    bucket : int
        Parameters a bucket.
    response : str
    level : float
    ratio_min, ratio_max : float
        Ends of the ratios that were seen.
    ratio_q10, ratio_q90 : float
        Ends of their middle 80 %.
    """

    verdict: str
    reasons: tuple[str, ...]
    ratio: float
    low: float
    high: float
    pieces: tuple[tuple[float, float], ...]
    believed: str | None
    quadratic: Quadratic | None
    spline: SplineOptimum | None
    cubic: Interval | None
    corner: Corner | None
    envelope: tuple[Envelope, ...]
    winners: Winners | None
    two_lines: TwoLines | None
    lind_mehlum: LindMehlum | None
    lack_of_fit: LackOfFit | None
    flatness: Flatness | None
    beyond: Beyond | None
    r2: float
    r2_widths: float | None
    n_subnetworks: int
    n_runs: int
    n_originals: int
    bucket: int
    response: str
    level: float
    ratio_min: float
    ratio_max: float
    ratio_q10: float
    ratio_q90: float

    def __repr__(self) -> str:
        ends = " or ".join(f"[{low:.4g}, {high:.4g}]" for low, high in self.pieces)
        where = f", ratio={self.ratio:.4g} {ends}" if ends else ""
        return f"Optimum({self.verdict!r}{where}, n_subnetworks={self.n_subnetworks}, response={self.response!r})"


def find_optimum(
    frame: pd.DataFrame,
    *,
    bucket: int = 1,
    response: str = "error",
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Optimum:
    """Look for the ratio of FLOPs to parameter buckets with the least mean response of a population in one regime.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one regime and one protocol, one row a run. Where several spaces are in it, a subnetwork that
        stands in two of them counts once.
    bucket : int
        Parameters a bucket; other than 1 needs the column layer_params.
    response : str
        The numeric column that should be small: "error", "log_cross_entropy", ...
    level : float
        Confidence level of all intervals; tests are at 1 - level.
    rng : numpy.random.Generator, optional
        For the spline's posterior draws; a generator seeded with 0 when left out.

    Returns
    -------
    Optimum

    Raises
    ------
    ResultsError
        For what `check_results` refuses, and for several regimes or protocols at once.
    InputError
        For a bucket that cannot be counted or a level outside (0, 1).

    Notes
    -----
    Estimand: the ratio r, among those seen, with the least E(response | ratio = r), averaged over the originals,
    which enter as fixed effects: inference is conditional on them. The unit is the subnetwork; its seeds are
    averaged, their means weigh by their precision where numbers of seeds differ, and HC3 on the means is robust to
    clusters of seeds (docs/decisions/0005-means-weigh-by-their-precision.md). Inside a narrow band of FLOPs the ratio
    is little else than the inverse of the parameters. The rules that turn the evidence into a verdict, and the
    simulations behind them, are in docs/methods/verdict-rules.md.

    References
    ----------
    U. Simonsohn, AMPPS 1 (2018), 538-555; J. T. Lind and H. Mehlum, Oxford Bull. Econ. Statist. 72 (2010), 109-118;
    E. C. Fieller, J. Roy. Statist. Soc. B 16 (1954), 175-185; S. N. Wood, Generalized Additive Models (2017).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> params = rng.integers(5_000, 20_000, 200)
    >>> frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(200)], "flops": 1_000_000, "params": params})
    >>> frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.005 * rng.standard_normal(200)
    >>> found = find_optimum(frame, rng=rng)
    >>> found.verdict, bool(found.low < 100 < found.high)
    ('interior', True)
    """
    check_level(level)
    means = unit_means(frame, response)
    data = ratio_points(means, bucket, response)
    beyond = beyond_costs(data, means)
    evidence = gather(data, level=level, rng=rng or np.random.default_rng(0))
    judged = judge(data, evidence, name=_NAMES.get(response, response))
    belief = judged.belief
    explained = explained_variance(data, means)
    envelopes = [fit_envelope(data, quantile, level=level) for quantile in QUANTILES]
    low, q10, q90, high = (float(np.exp(end)) for end in np.quantile(data.x, [0.0, 0.1, 0.9, 1.0]))
    return Optimum(
        verdict=judged.verdict,
        reasons=(*judged.reasons, *_cautions(means, data, beyond, level), *pooled_caution(frame)),
        ratio=float("nan") if belief is None else belief.ratio,
        low=float("nan") if belief is None else belief.low,
        high=float("nan") if belief is None else belief.high,
        pieces=() if belief is None else belief.pieces,
        believed=None if belief is None else belief.believed,
        quadratic=None if evidence is None else evidence.quadratic,
        spline=None if evidence is None else evidence.spline,
        cubic=None if evidence is None else evidence.cubic,
        corner=None if evidence is None else evidence.corner,
        envelope=tuple(part for part in envelopes if part is not None),
        winners=bootstrap_winners(data, level=level),
        two_lines=None if evidence is None else evidence.two_lines,
        lind_mehlum=None if evidence is None else evidence.lind_mehlum,
        lack_of_fit=None if evidence is None else evidence.lack_of_fit,
        flatness=None if evidence is None else evidence.flatness,
        beyond=beyond,
        r2=explained.ratio,
        r2_widths=explained.widths,
        n_subnetworks=len(means),
        n_runs=int(means["n_runs"].sum()),
        n_originals=data.effects.shape[1] + 1,
        bucket=int(bucket),
        response=response,
        level=float(level),
        ratio_min=low,
        ratio_max=high,
        ratio_q10=q10,
        ratio_q90=q90,
    )


def _cautions(means: pd.DataFrame, data: Points, beyond: Beyond | None, level: float) -> tuple[str, ...]:
    """Say what the ratio may stand for besides itself."""
    cautions = []
    spread = float(means["flops"].max() / means["flops"].min() - 1)
    if spread > _NARROW:
        cautions.append(f"FLOPs differ by up to {100 * spread:.0f} % here: what the ratio seems to do may be theirs.")
    linked = correlation(data.x, np.log(means["params"].to_numpy(dtype=float)))
    if linked < -_SAME:
        cautions.append(
            f"Log ratio and log parameters correlate at {linked:.3f} here: this is as much about parameters."
        )
    if beyond is not None:
        says = "says more than" if beyond.p < 1 - level else "is not seen to say more than"
        cautions.append(
            f"The ratio {says} FLOPs and parameters apart (p {p_words(beyond.p)}): they explain "
            f"{100 * beyond.r2_costs:.0f} % of the variance, {100 * beyond.r2:.0f} % with it."
        )
    return tuple(cautions)


def has_estimate(optimum: Optimum) -> bool:
    """Whether there is an optimum with a finite interval to believe."""
    return all(v is not None and math.isfinite(v) for v in (optimum.ratio, optimum.low, optimum.high))
