"""The optimal ratio of FLOPs to parameter buckets of a population: verdict, estimate and confidence interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunestats.metric import metric_of
from prunestats.numeric.intervals import check_level
from prunestats.optimum.beyond_costs import beyond_costs
from prunestats.optimum.cautions import confounding_cautions
from prunestats.optimum.explained_variance import explained_variance
from prunestats.optimum.fits import fit_all
from prunestats.optimum.lower_envelope import QUANTILES, fit_envelope
from prunestats.optimum.natural_values import lower_is_better_points, natural_envelope, natural_fit
from prunestats.optimum.optimum_result import Optimum, has_estimate
from prunestats.optimum.points import ratio_points
from prunestats.optimum.verdict import judge
from prunestats.optimum.winners_ratio import bootstrap_winners
from prunestats.results.designs import pooled_caution
from prunestats.results.means import unit_means

__all__ = ["Optimum", "find_optimum", "has_estimate"]

_FITS = ("quadratic", "spline", "cubic", "corner", "two_lines", "lind_mehlum", "lack_of_fit", "flatness")


def find_optimum(
    frame: pd.DataFrame,
    *,
    bucket: int = 1,
    response: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Optimum:
    """Estimate the ratio of FLOPs to parameter buckets with the best mean response of a population in one regime.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one regime, data set and protocol, one row per run. A subnetwork that belongs to several spaces of
        the frame counts once.
    bucket : int
        Parameters per bucket; other than 1 needs the column layer_params.
    response : str, optional
        The numeric column to minimise, or to maximise where it is a metric of which higher values are better: "error",
        "log_cross_entropy", ... By default the metric that the frame is marked with, else error.
    level : float
        Confidence level of all intervals; 1 - level is the significance level of the tests.
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
        For a bucket size that is not a positive integer or a level outside (0, 1).

    Notes
    -----
    Estimand: the ratio r in the sampled range that minimises E(response | ratio = r), averaged over the originals,
    which enter as fixed effects: inference is conditional on them. A metric of which higher values are better is
    negated, minimised, and turned back: all results are in its own values. The unit is the subnetwork: its response is
    the mean over its seeds, means are weighted by their precision where numbers of seeds differ, and HC3 on the means
    is robust to correlation within subnetworks (docs/decisions/0005-means-weigh-by-their-precision.md). Within a narrow
    band of FLOPs the ratio is almost a function of the number of parameters, so that their effects are confounded. The
    rules of the verdict, and the simulations behind them, are in docs/methods/verdict-rules.md.

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
    metric = metric_of(frame, response)
    means = unit_means(frame, metric.name)
    data = lower_is_better_points(ratio_points(means, bucket, metric.name), metric)
    beyond = beyond_costs(data, means)
    fits = fit_all(data, level=level, rng=rng or np.random.default_rng(0))
    judged = judge(data, fits, metric=metric)
    estimate = judged.estimate
    explained = explained_variance(data, means)
    envelopes = [fit_envelope(data, quantile, level=level) for quantile in QUANTILES]
    cautions = confounding_cautions(means, data, beyond, level)
    return Optimum(
        verdict=judged.verdict,
        reasons=(*judged.reasons, *cautions, *pooled_caution(frame)),
        ratio=float("nan") if estimate is None else estimate.ratio,
        low=float("nan") if estimate is None else estimate.low,
        high=float("nan") if estimate is None else estimate.high,
        pieces=() if estimate is None else estimate.pieces,
        believed=None if estimate is None else estimate.method,
        **{name: natural_fit(fits, name, metric) for name in _FITS},
        envelope=tuple(natural_envelope(part, metric) for part in envelopes if part is not None),
        winners=bootstrap_winners(data, level=level),
        beyond=beyond,
        r2=explained.ratio,
        r2_widths=explained.widths,
        n_subnetworks=len(means),
        n_runs=int(means["n_runs"].sum()),
        n_originals=data.effects.shape[1] + 1,
        bucket=int(bucket),
        response=metric.name,
        level=float(level),
        ratio_min=float(np.exp(data.x.min())),
        ratio_max=float(np.exp(data.x.max())),
        ratio_q10=float(np.exp(data.x_middle[0])),
        ratio_q90=float(np.exp(data.x_middle[1])),
        points=lower_is_better_points(data, metric),
        metric=metric,
    )
