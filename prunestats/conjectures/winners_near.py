"""Are winners near the optimum? An equivalence test (TOST) with sample splitting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from prunestats.conjectures.log_optima import log_optimum
from prunestats.errors import InputError, ResultsError
from prunestats.metric import lower_is_better, metric_of
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval, check_level
from prunestats.numeric.plain_data import Result
from prunestats.numeric.welch import satterthwaite
from prunestats.optimum.optimum import Optimum, find_optimum
from prunestats.results.means import distinct_runs, subnetwork_means
from prunestats.results.ratio import log_ratio

# the fewest winners of an original whose log ratios have a sample variance
_LEAST_WINNERS = 2


@dataclass(frozen=True, repr=False)
class WinnersNear(Result):
    """Equivalence test (TOST) of the winners' mean ratio in one half of a population and the optimum of the other half.

    Parameters
    ----------
    equivalent : bool or None
        Whether the two are significantly within the factor `margin` of each other; None where the first half has no
        optimum. False is no evidence of a difference.
    quotient : Interval or None
        Geometric mean ratio of the winners over the optimum, with the confidence interval that corresponds to the two
        one-sided tests: its level is 2 x level - 1.
    p : float
        The larger p-value of the two one-sided tests; nan without an optimum.
    margin : float
    share : float
        Share of the second half's subnetworks that are winners.
    near, near_all : float
        Share of winners, and of all subnetworks of their half, whose ratio is within the margin of the optimum; nan
        without an optimum.
    winners_ratio : float
        Geometric mean ratio of the winners.
    n_winners : int
    optimum : Optimum
        Estimated in the first half.
    notes : tuple of str
    response : str
    level : float
    """

    equivalent: bool | None
    quotient: Interval | None
    p: float
    margin: float
    share: float
    near: float
    near_all: float
    winners_ratio: float
    n_winners: int
    optimum: Optimum
    notes: tuple[str, ...]
    response: str
    level: float

    def __repr__(self) -> str:
        found = "no optimum" if self.quotient is None else f"quotient={self.quotient}, p={self.p:.3g}"
        return f"WinnersNear(equivalent={self.equivalent}, margin={self.margin:g}, {found}, n_winners={self.n_winners})"


def winners_near_optimum(
    frame: pd.DataFrame,
    *,
    margin: float = 1.25,
    share: float = 0.1,
    bucket: int = 1,
    response: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> WinnersNear:
    """Equivalence test (TOST) that winners have the optimal ratio, up to a margin, with sample splitting.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one regime and protocol, one row a run.
    margin : float
        Equivalence margin, a factor above 1. Set it to a factor whose cost in error, or in the study's metric, is
        negligible for you; 1.25 is the convention of bioequivalence.
    share : float
        The share of an original's subnetworks, in (0, 1), that are its winners: those with the best response.
    bucket, response
        As of `find_optimum`.
    level : float
        Each one-sided test has significance level 1 - level.
    rng : numpy.random.Generator
        Splits the population.

    Returns
    -------
    WinnersNear

    Raises
    ------
    ResultsError
        For what `find_optimum` refuses, and for originals with fewer than two winners in a half.
    InputError
        For a margin that is not above 1, a share outside (0, 1) or a level outside (0.5, 1).

    Notes
    -----
    Estimand: E(log ratio | response in the best `share` of its original) less the log optimum. Winners and optimum of
    the same subnetworks agree by construction, as the same noise selects both; therefore sample splitting: subnetworks
    are split at random within originals, one half gives the optimum and the other the winners. Equivalence is claimed
    where both one-sided tests reject a difference of the margin. The variance of the optimum is that of the side of its
    interval towards the margin, the variance of the winners that of the influence function of a mean below a quantile.
    Winners spread over the whole range may have their mean at the optimum, too: compare `near` with `near_all`.

    References
    ----------
    D. J. Schuirmann, J. Pharmacokin. Biopharm. 15 (1987), 657-680. G. Y. Zou and A. Donner, Statist. Med. 27 (2008),
    1693-1702 (asymmetric intervals). The margin: U.S. Food and Drug Administration, Statistical Approaches to
    Establishing Bioequivalence (2001).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> params = rng.integers(5_000, 20_000, 400)
    >>> frame = pd.DataFrame({"subnetwork": np.arange(400).astype(str), "flops": 1_000_000, "params": params})
    >>> frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.005 * rng.standard_normal(400)
    >>> found = winners_near_optimum(frame, rng=rng)
    >>> found.equivalent, found.near > 2 * found.near_all
    (True, True)
    """
    if not check_level(level) > 0.5:
        raise InputError(
            f"level must be above 0.5 for one-sided tests at 1 - level; found {level:g}: the usual one is 0.95"
        )
    if not (margin > 1 and np.isfinite(margin)):
        raise InputError(f"margin must be a factor above 1; found {margin:g}: for a quarter more or less write 1.25")
    if not 0 < share < 1:
        raise InputError(f"share must lie between 0 and 1; found {share:g}: for the best tenth write share=0.1")
    metric = metric_of(frame, response)
    runs = distinct_runs(frame, metric.name)
    to_optimum, to_winners = rng.spawn(2)
    units = _split_halves(runs, rng)
    own = ["original", "subnetwork"]
    halves = [runs.merge(units.loc[chosen, own], on=own) for chosen in (units["first"], ~units["first"])]
    for half in halves:
        # pandas before version 3 drops them in a merge
        half.attrs = dict(frame.attrs)
    optimum = find_optimum(halves[0], bucket=bucket, response=metric.name, level=level, rng=to_optimum)
    means = subnetwork_means(halves[1].drop(columns="space", errors="ignore"), metric.name)
    second = lower_is_better(means, metric).sample(frac=1, random_state=to_winners)
    second["x"] = log_ratio(second, bucket)
    parts = [_winners(group["x"], group[metric.name], share) for _, group in second.groupby("original")]
    return _compare_with_optimum(optimum, parts, second["x"].to_numpy(), margin=margin, share=share, level=level)


def _split_halves(runs: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Assign every second subnetwork of each original, in random order, to the first half."""
    units = runs[["original", "subnetwork"]].drop_duplicates().sort_values(["original", "subnetwork"])
    units = units.iloc[rng.permutation(len(units))]
    return units.assign(first=units.groupby("original").cumcount() % 2 == 0)


def _winners(x: pd.Series[float], y: pd.Series[float], share: float) -> tuple[Floats, float, int]:
    """Log ratios of the winners, the variance of their mean, and the number of subnetworks selected from."""
    n = x.size
    m = round(share * n)
    if m < _LEAST_WINNERS:
        raise ResultsError(
            f"each half of an original needs {_LEAST_WINNERS} winners; found {n} subnetworks in one, of which the best "
            f"{100 * share:g} % are {m}: run more of the study, or take a larger share"
        )
    ordered = np.asarray(x, dtype=float)[np.argsort(y.to_numpy(dtype=float), kind="stable")]
    winners = ordered[:m]
    # the second term of the influence function: the quantile that separates winners is estimated, too, and shifts the
    # mean towards the mean ratio at the quantile, here that of the m subnetworks around it
    at_quantile = float(ordered[m // 2 : m + (m + 1) // 2].mean())
    variance = (winners.var(ddof=1) + (1 - share) * (winners.mean() - at_quantile) ** 2) / m
    return winners, float(variance), n


def _compare_with_optimum(
    optimum: Optimum, parts: list[tuple[Floats, float, int]], x: Floats, *, margin: float, share: float, level: float
) -> WinnersNear:
    weights = np.array([n for _, _, n in parts], dtype=float) / x.size
    center = float(weights @ [part.mean() for part, _, _ in parts])
    pieces = [(float(w**2 * v), part.size - 1) for w, (part, v, _) in zip(weights, parts, strict=True)]
    winners = np.concatenate([part for part, _, _ in parts])
    quotient, p, notes = None, float("nan"), []
    near = near_all = float("nan")
    estimate = log_optimum(optimum, "the first half")
    if estimate.refusal:
        notes.append(f"The first half has no optimum to compare with ({estimate.refusal}).")
    else:
        limit = float(np.log(margin))
        quotient, p = _two_one_sided_tests(center - estimate.log_ratio, pieces, optimum, limit, level)
        near, near_all = (float(np.mean(abs(part - estimate.log_ratio) <= limit)) for part in (winners, x))
    return WinnersNear(
        equivalent=None if quotient is None else p < 1 - level,
        quotient=quotient,
        p=p,
        margin=float(margin),
        share=float(share),
        near=near,
        near_all=near_all,
        winners_ratio=float(np.exp(center)),
        n_winners=winners.size,
        optimum=optimum,
        notes=tuple(notes),
        response=optimum.response,
        level=float(level),
    )


def _two_one_sided_tests(
    d: float, pieces: list[tuple[float, int]], optimum: Optimum, limit: float, level: float
) -> tuple[Interval, float]:
    """TOST of |d| < limit; each test uses the standard error of one side of the optimum's interval."""
    z = float(stats.norm.isf((1 - level) / 2))
    below, above = np.log(optimum.ratio / optimum.low) / z, np.log(optimum.high / optimum.ratio) / z
    bounds, ps = [], []
    of_winners = sum(v for v, _ in pieces)
    for sign, side in ((-1, above), (1, below)):
        variance = of_winners + float(side) ** 2
        df = satterthwaite(pieces) * (variance / of_winners) ** 2 if of_winners else float("inf")
        bounds.append(d + sign * float(stats.t.isf(1 - level, df)) * variance**0.5)
        ps.append(float(stats.t.sf((limit - sign * d) / variance**0.5, df)))
    value, low, high = (float(np.exp(bound)) for bound in (d, *bounds))
    return Interval(value, low, high, 2 * level - 1), max(ps)
