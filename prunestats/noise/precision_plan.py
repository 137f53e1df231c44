"""Sample size planning: the numbers of subnetworks and seeds for a given precision of a mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prunestats.errors import InputError
from prunestats.noise.components import VarianceComponents

_MAX_SEEDS = 1000
"""Bounds the search where subnetworks do not vary and are costly, so that the optimal number of seeds is infinite."""
_AROUND = 2
"""Numbers of seeds tried on either side of the optimum, as rounding to whole subnetworks moves it a little."""


@dataclass(frozen=True)
class Plan:
    """Sample sizes for the mean of a population in one original.

    Parameters
    ----------
    subnetworks, seeds : int
        Subnetworks to sample, and runs of each.
    runs : int
        Their product.
    cost : float
        In runs: subnetworks x (seeds + cost_ratio).
    half_width : float
        Expected half-width of the mean's interval, in the unit of the response.
    level : float
        Confidence level of that interval.
    """

    subnetworks: int
    seeds: int
    runs: int
    cost: float
    half_width: float
    level: float


def plan_precision(
    components: VarianceComponents,
    *,
    half_width: float,
    cost_ratio: float = 0.0,
    seeds: int | None = None,
    cautious: bool = False,
) -> Plan:
    """Cheapest numbers of subnetworks and seeds for a given half-width of the mean's interval.

    Parameters
    ----------
    components : VarianceComponents
        From a pilot study with repeated seeds.
    half_width : float
        Target half-width, in the unit of the response.
    cost_ratio : float
        Cost of a further subnetwork besides its runs (pruning, importance, storage), in units of one run.
    seeds : int, optional
        Runs per subnetwork; by default the cheapest number.
    cautious : bool
        Plan from the upper bounds of the components' intervals, as a small pilot may underestimate them.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        For a half-width that is not positive, a cost below 0, or components that were not estimated.

    Notes
    -----
    The mean of m subnetworks with r seeds has the variance (t2 + s2 / r) / m and costs m (r + cost_ratio). The optimal
    r is near sqrt(cost_ratio s2 / t2); it is 1 where a subnetwork costs nothing besides its runs, for any s2. m solves
    half_width = t(m - 1) sqrt(variance). The components count as known.

    References
    ----------
    W. G. Cochran, Sampling Techniques, 3rd ed. (1977), eq. 10.10.

    Examples
    --------
    >>> import pandas as pd
    >>> from prunestats.noise.components import variance_components
    >>> runs = pd.DataFrame({"subnetwork": list("aabb"), "seed": [0, 1, 0, 1], "flops": 9, "params": 3})
    >>> found = variance_components(runs.assign(error=[0.10, 0.12, 0.11, 0.13]))
    >>> plan = plan_precision(found, half_width=0.005, cost_ratio=4.0, seeds=2)
    >>> plan.subnetworks, plan.runs
    (18, 36)
    """
    if components.subnetwork is None or components.seed is None:
        raise InputError(
            "planning needs the variances of subnetworks and seeds; found none of "
            f"{'seeds' if components.seed is None else 'subnetworks'}: run a pilot with two seeds a subnetwork"
        )
    if not (half_width > 0 and np.isfinite(half_width)):
        example = "for ± 1 % write 0.01" if components.metric.is_fraction else f"as those of {components.metric.label}"
        raise InputError(f"half_width must be above 0, in the unit of the response; found {half_width:g}: {example}")
    if cost_ratio < 0:
        raise InputError(f"cost_ratio must be 0 or more, in runs; found {cost_ratio:g}: write 0 if only runs cost")
    if seeds is not None and (seeds < 1 or seeds != int(seeds)):
        raise InputError(f"seeds must be a whole number of 1 or more; found {seeds:g}: leave it out for the cheapest")
    used = "high" if cautious else "value"
    between, noise = getattr(components.subnetwork, used), getattr(components.seed, used)
    plans = [
        _plan(r, between, noise, half_width, cost_ratio, components.level)
        for r in _candidates(seeds, between, noise, cost_ratio)
    ]
    return min(plans, key=lambda plan: (plan.cost, plan.runs))


def _candidates(seeds: int | None, between: float, noise: float, cost_ratio: float) -> list[int]:
    if seeds is not None:
        return [int(seeds)]
    best = np.sqrt(cost_ratio * noise / between) if between > 0 else (np.inf if cost_ratio * noise > 0 else 1.0)
    last = int(min(np.ceil(best) + _AROUND, _MAX_SEEDS))
    return list(range(max(1, int(min(np.floor(best), _MAX_SEEDS)) - _AROUND), last + 1))


def _plan(r: int, between: float, noise: float, half_width: float, cost_ratio: float, level: float) -> Plan:
    deviation = np.sqrt(between + noise / r)

    def half(m: int) -> float:
        return float(stats.t.isf((1 - level) / 2, m - 1) * deviation / np.sqrt(m))

    low, high = 2, 2
    while half(high) > half_width:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if half(middle) > half_width else (low, middle)
    m = low if half(low) <= half_width else high
    return Plan(m, r, m * r, float(m * (r + cost_ratio)), half(m), level)
