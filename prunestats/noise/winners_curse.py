"""Winner's curse: the best of many estimated errors looks better than it is; an estimate without that bias."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from prunestats.errors import ResultsError
from prunestats.metric import ERROR, Metric, is_own
from prunestats.noise.choice import Choice, choose, runs_of_one_original
from prunestats.noise.deconvolution import Shrunk
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result


@dataclass(frozen=True, repr=False)
class WinnerError(Result):
    """Expected response of the selected subnetwork, corrected for the winner's curse.

    Parameters
    ----------
    subnetwork : str
        Key of the selected subnetwork.
    seen : float
        Its mean response over the runs that selected it, in the unit of the response.
    test : float or None
        Mean response of the same runs on the test split.
    estimate : Interval or None
        Its expected response over training seeds, on the test split if that was given; None where not identified.
    method : {"fresh seeds", "shrinkage"} or None
    flattery : float
        Selection bias: by how much the expected response is worse than the seen one on the selection split, from fresh
        seeds of that split or by shrinkage, in the unit of the response; nan where unknown.
    n_subnetworks, n_runs, n_fresh : int
        Candidates; runs of the winner that took part in the selection; runs of it that did not.
    notes : tuple of str
        Ties, and what cannot be estimated and why, in sentences.
    response : str
        Column that is analysed.
    level : float
        Confidence level of the interval.
    metric : Metric
        The response: its direction and unit.
    """

    subnetwork: str
    seen: float
    test: float | None
    estimate: Interval | None
    method: str | None
    flattery: float
    n_subnetworks: int
    n_runs: int
    n_fresh: int
    notes: tuple[str, ...]
    response: str
    level: float
    metric: Metric = field(default=ERROR, metadata={"plain": is_own})

    def __repr__(self) -> str:
        found = "unknown" if self.estimate is None else f"{self.estimate} by {self.method}"
        return f"WinnerError({self.subnetwork!r}, seen={self.seen:.4g}, estimate={found})"


def winner_error(
    frame: pd.DataFrame,
    *,
    test: pd.DataFrame | None = None,
    fresh: pd.DataFrame | None = None,
    subnetwork: str | None = None,
    response: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> WinnerError:
    """Expected response of the winner of a population, corrected for the winner's curse.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one original, regime and protocol on the selection split (validation), one row per run.
    test : pandas.DataFrame, optional
        The same runs on the test split.
    fresh : pandas.DataFrame, optional
        Runs of the winner with seeds that are not in `frame`, on the test split, or on the selection split where `test`
        is not given.
    subnetwork : str, optional
        Key of a subnetwork that another rule selected on the same split, such as the best within a budget; by default
        the winner of all.
    response : str, optional
        The numeric column to analyse; by default the frame's metric, error where it is marked with no other.
    level : float
        Confidence level of the interval, in (0, 1).
    rng : numpy.random.Generator, optional
        For the refits of the shrinkage estimate; a generator seeded with 0 by default.

    Returns
    -------
    WinnerError

    Raises
    ------
    ResultsError
        For what `check_results` refuses; a subnetwork without a run; several originals, regimes or protocols; a test
        frame of other runs; fresh runs with seeds that took part in the selection, or none of the winner.

    Notes
    -----
    Estimand: the expected response of the selected subnetwork over training seeds, on the split that is reported.
    Fresh seeds took no part in the selection, so their mean is unbiased; its interval assumes seeds of equal variance.
    Without them the winner's mean is shrunk (empirical Bayes): the distribution of all true means is estimated by
    deconvolution, and a posterior under it is unaffected by selection. Refits to simulated data add the uncertainty of
    that distribution to the interval (Laird and Louis's type III). On the test split, the error of the same runs is
    correlated with that on validation; the shrinkage is multiplied by the slope of test on validation within
    subnetworks. The sampling error of the validation images, common to all seeds, is removed by a test split only.
    Coverage: docs/methods/winners.md.

    References
    ----------
    B. Efron, J. Amer. Statist. Assoc. 106 (2011), 1602-1614, section 2 (selection and Bayes). B. Efron, Biometrika 103
    (2016), 1-20 (deconvolution). N. M. Laird and T. A. Louis, J. Amer. Statist. Assoc. 82 (1987), 739-750.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"subnetwork": np.repeat(np.arange(60), 2), "seed": np.tile([0, 1], 60)})
    >>> truth = 0.10 + 0.01 * rng.standard_normal(60)
    >>> frame = frame.assign(flops=9, params=3, error=np.repeat(truth, 2) + 0.01 * rng.standard_normal(120))
    >>> found = winner_error(frame, rng=rng)
    >>> bool(found.seen < found.estimate.value), truth[int(found.subnetwork)] in found.estimate
    (True, True)
    """
    check_level(level)
    chosen = choose(runs_of_one_original(frame, response), response)
    metric, response = chosen.metric, chosen.metric.name
    if subnetwork is not None:
        chosen = chosen.of(subnetwork)
    tested = None if test is None else _same_runs(chosen.runs, runs_of_one_original(test, response), response)
    fresh_on_selection_split = fresh is not None and test is None
    shrunk = None if fresh_on_selection_split else chosen.shrunk(level, rng or np.random.default_rng(0))
    flattery = float("nan") if shrunk is None else metric.sign * (shrunk.value - chosen.seen)
    estimate, method, n_fresh, notes = None, None, 0, chosen.notes
    if fresh is not None:
        values = _fresh_values(chosen, runs_of_one_original(fresh, response), response)
        within = chosen.within if tested is None else _within(chosen, tested)
        estimate, method, n_fresh = _of_fresh(values, within, chosen.df, level), "fresh seeds", values.size
        flattery = metric.sign * (estimate.value - chosen.seen) if fresh_on_selection_split else flattery
    elif shrunk is None:
        notes = (*notes, chosen.why_not)
    else:
        method = "shrinkage"
        estimate = Interval(shrunk.value, shrunk.low, shrunk.high, level)
        if tested is not None:
            estimate = _on_test(chosen, shrunk, tested, level)
    return WinnerError(
        subnetwork=str(chosen.winner),
        seen=chosen.seen,
        test=None if tested is None else float(tested[chosen.its].mean()),
        estimate=estimate,
        method=method,
        flattery=flattery,
        n_subnetworks=chosen.means.size,
        n_runs=int(chosen.its.sum()),
        n_fresh=n_fresh,
        notes=notes,
        response=response,
        level=float(level),
        metric=metric,
    )


def _keys(runs: pd.DataFrame) -> list[tuple[Any, ...]]:
    names = [name for name in ("subnetwork", "seed") if name in runs.columns]
    return list(runs[names].itertuples(index=False, name=None))


def _same_runs(runs: pd.DataFrame, test: pd.DataFrame, response: str) -> Floats:
    if _keys(runs) != _keys(test):
        raise ResultsError(
            f"test must hold the same runs as the selection frame; found {len(test)} runs for {len(runs)}, or other "
            "subnetworks and seeds: load both splits of one selection"
        )
    return np.asarray(test[response], dtype=float)


def _fresh_values(chosen: Choice, fresh: pd.DataFrame, response: str) -> Floats:
    mine = fresh[fresh["subnetwork"] == chosen.winner]
    if mine.empty:
        raise ResultsError(f"fresh must hold runs of the winner {chosen.winner}; found none: train it with new seeds")
    if "seed" not in fresh.columns or "seed" not in chosen.runs.columns:
        raise ResultsError("fresh runs are recognised by their seeds; found no column seed: add it to both frames")
    used = set(chosen.runs["seed"][chosen.its]) & set(mine["seed"])
    if used:
        raise ResultsError(
            f"fresh runs must have seeds that took no part in the selection; found seed {min(used)} in both: drop it"
        )
    return np.asarray(mine[response], dtype=float)


def _within(chosen: Choice, values: Floats) -> Floats:
    """Return values less the means of their subnetworks."""
    centers = pd.Series(values).groupby(chosen.runs["subnetwork"]).transform("mean")
    return np.asarray(values - centers.to_numpy(dtype=float))


def _of_fresh(values: Floats, within: Floats, df: int, level: float) -> Interval:
    """Return the t interval of the mean of fresh runs; the variance between seeds is pooled over all runs."""
    df += values.size - 1
    mean = float(values.mean())
    if df == 0:
        return Interval(mean, float("-inf"), float("inf"), level)
    variance = (float(within @ within) + float(((values - mean) ** 2).sum())) / df
    half = float(stats.t.isf((1 - level) / 2, df) * np.sqrt(variance / values.size))
    return Interval(mean, mean - half, mean + half, level)


def _on_test(chosen: Choice, shrunk: Shrunk, tested: Floats, level: float) -> Interval:
    """Correct the test mean for the selection bias that it shares, by the regression of test on validation."""
    within = _within(chosen, tested)
    slope = float(within @ chosen.within) / chosen.squares
    residual = max(float(within @ within) - slope**2 * chosen.squares, 0.0) / chosen.df / chosen.its.sum()
    value = float(tested[chosen.its].mean()) + slope * (shrunk.value - chosen.seen)
    half = float(stats.norm.isf((1 - level) / 2) * np.sqrt(slope**2 * shrunk.sd**2 + residual))
    return Interval(value, value - half, value + half, level)
