"""Is there an optimal ratio of FLOPs to parameter buckets, where is it, and how well is it known?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunestats.argmin import SplineOptimum, spline_optimum
from prunestats.buckets import bucket_counts
from prunestats.errors import InputError
from prunestats.explained import Explained, explained_variance
from prunestats.intervals import check_level, plain
from prunestats.lack_of_fit import LackOfFit, lack_of_fit
from prunestats.lind_mehlum import LindMehlum, lind_mehlum
from prunestats.quadratic import Quadratic, fit_quadratic
from prunestats.regression import Floats, Points, full_rank, points
from prunestats.results import one_value, subnetwork_means
from prunestats.two_lines import TwoLines, fit_two_lines
from prunestats.verdict import Evidence, judge


@dataclass(frozen=True, repr=False)
class Optimum:
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
        The believed estimate and its interval, on the ratio scale; nan where there is none to believe.
    quadratic : Quadratic or None
    spline : SplineOptimum or None
    envelope, winners : None
        Not computed by this version.
    two_lines : TwoLines or None
    lind_mehlum : LindMehlum or None
    lack_of_fit : LackOfFit or None
        None, these four, where there are too few points for them.
    r2 : float
        Share of the variance within originals that the quadratic explains, adjusted for its two terms; nan without it.
    r2_widths : float or None
        The same for all log widths at once: what there is to explain by them; None without widths.
    n_subnetworks, n_runs, n_originals : int
    bucket : int
        Parameters a bucket.
    response : str
    level : float
    x_low, x_high : float
        Ends of the ratios that were seen.
    x_q10, x_q90 : float
        Ends of their middle 80 %.
    believed : {"quadratic", "spline"} or None
        Whose estimate `ratio` is.
    """

    verdict: str
    reasons: tuple[str, ...]
    ratio: float
    low: float
    high: float
    quadratic: Quadratic | None
    spline: SplineOptimum | None
    envelope: None
    winners: None
    two_lines: TwoLines | None
    lind_mehlum: LindMehlum | None
    lack_of_fit: LackOfFit | None
    r2: float
    r2_widths: float | None
    n_subnetworks: int
    n_runs: int
    n_originals: int
    bucket: int
    response: str
    level: float
    x_low: float
    x_high: float
    x_q10: float
    x_q90: float
    believed: str | None

    def __repr__(self) -> str:
        where = "" if np.isnan(self.ratio) else f", ratio={self.ratio:.4g} [{self.low:.4g}, {self.high:.4g}]"
        return f"Optimum({self.verdict!r}{where}, n_subnetworks={self.n_subnetworks}, response={self.response!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain lists and numbers."""
        result: dict[str, Any] = plain(self)
        return result


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
        Results of one regime and one protocol, one row a run. Where several spaces are in it, a subnetwork that stands in
        two of them counts once.
    bucket : int
        Parameters a bucket; other than 1 needs the column layer_params.
    response : str
        The numeric column that should be small: "error", "log_loss", ...
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
    Estimand: the ratio r, among those seen, with the least E(response | ratio = r), averaged over the originals, which enter
    as fixed effects: inference is conditional on them. The unit is the subnetwork; its seeds are averaged.
    Inside a narrow band of FLOPs the ratio is little else than the inverse of the parameters. The rules that turn the
    evidence into a verdict, and the simulations behind them, are in docs/methods/verdict-rules.md.

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
    means, data, n_originals = _points(frame, bucket, response)
    quadratic = fit_quadratic(data, level=level) if _enough(data) else None
    smooth = spline_optimum(data, level=level, rng=rng or np.random.default_rng(0)) if _enough(data) else None
    ends = [float(value) for value in np.quantile(data.x, [0.0, 0.1, 0.9, 1.0])]
    evidence = Evidence(
        response=response,
        level=level,
        data=data,
        n_originals=n_originals,
        ends=(ends[0], ends[1], ends[2], ends[3]),
        quadratic=quadratic,
        spline=smooth,
        two_lines=fit_two_lines(data, level=level) if quadratic else None,
        lind_mehlum=lind_mehlum(quadratic, ends[0], ends[3]) if quadratic else None,
        lack_of_fit=lack_of_fit(data) if quadratic else None,
        flops_spread=float(means["flops"].max() / means["flops"].min() - 1),
    )
    judged = judge(evidence)
    explained = explained_variance(data, means) if quadratic else Explained(float("nan"), None)
    low, q10, q90, high = (float(np.exp(end)) for end in ends)
    return Optimum(
        verdict=judged.verdict,
        reasons=judged.reasons,
        ratio=judged.ratio,
        low=judged.low,
        high=judged.high,
        quadratic=quadratic,
        spline=smooth,
        envelope=None,
        winners=None,
        two_lines=evidence.two_lines,
        lind_mehlum=evidence.lind_mehlum,
        lack_of_fit=evidence.lack_of_fit,
        r2=explained.ratio,
        r2_widths=explained.widths,
        n_subnetworks=len(means),
        n_runs=int(means["n_runs"].sum()),
        n_originals=n_originals,
        bucket=int(bucket),
        response=response,
        level=float(level),
        x_low=low,
        x_high=high,
        x_q10=q10,
        x_q90=q90,
        believed=judged.believed,
    )


def _points(frame: pd.DataFrame, bucket: int, response: str) -> tuple[pd.DataFrame, Points, int]:
    """Average seeds, merge spaces and put the subnetworks on the log ratio axis."""
    if response in ("flops", "params"):
        raise InputError(f"the response must be an outcome, such as error or log_loss; found {response}")
    one_value(frame, "regime")
    merged = frame.drop(columns="space", errors="ignore")
    if "space" in frame.columns:
        keys = [name for name in ("original", "protocol", "subnetwork", "seed") if name in frame.columns]
        merged = merged[~(frame.duplicated(keys) & ~frame.duplicated([*keys, "space"]))]
    means = subnetwork_means(merged, response)
    x: Floats = np.log(means["flops"].to_numpy(dtype=float) / bucket_counts(means, bucket))
    originals = means["original"].to_numpy() if "original" in means.columns else None
    n_originals = 1 if originals is None else int(means["original"].nunique(dropna=False))
    return means, points(x, means[response].to_numpy(dtype=float), originals), n_originals


def _enough(data: Points) -> bool:
    """Whether every part of the analysis can be fitted at all."""
    u = data.x - data.x.mean()
    design = data.design(u, u**2)
    return (
        np.unique(data.x).size >= 6
        and data.x.size >= design.shape[1] + 8
        and float(np.ptp(data.y)) > 0
        and full_rank(design)
    )
