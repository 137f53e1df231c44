"""The record of the subnetwork to take for a budget."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.metric import ERROR, Metric
from prunestats.noise.budget import Budget
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result


@dataclass(frozen=True)
class BestSubnetwork(Result):
    """The subnetwork to take for a budget: what it is, what it costs, what error it is expected to have.

    Errors are fractions. For a study with a metric of its own, every error below is a value of that metric, in its unit
    and direction. An interval that the runs cannot give has infinite bounds (null in JSON), and a note says why.

    Parameters
    ----------
    network, dataset : str
    original, original_seed : str or None, int or None
        Key and training seed of the dense network that it is pruned from.
    regime : float or None
        FLOPs target of the population that it was sampled in.
    budget : Budget
        The limits that it keeps; in a regime, FLOPs of at most its target.
    subnetwork : str or None
        Its key; None where no subnetwork is within the budget, with all that follows unknown.
    spaces : tuple of str
        Spaces that it was sampled from.
    widths : dict of str to int, or None
        Filters that it keeps in each group, by the group's name; None where not recorded.
    flops, params : int or None
        FLOPs (multiply-adds) and parameters.
    flops_fraction, params_fraction : float or None
        The same as fractions of the original's.
    speedup_1, speedup_64 : float or None
        Measured speed-up over the original for batches of 1 and of 64, mean over runs; None where not measured.
    latency_ms, dense_ms, speedup : float or None
        Median milliseconds of a batch, those of the dense network, and their ratio; None where not measured.
    latency_setting : str
        Runtime, precision, batch, threads and device of these three.
    n_candidates : int
        Subnetworks within the budget, from which it was selected.
    n_seeds : int
        Its runs.
    split : {"test", "validation"}
        Split of the errors below: test, or validation where no test error is recorded apart from validation error.
    dense_error : float or None
        Error of the dense network.
    seen : float or None
        Its validation error, by which it was selected.
    expected : Interval or None
        Its expected error over training seeds, corrected for the winner's curse; where `corrected` is False, its mean
        error over its runs, without bounds.
    corrected : bool
        Whether `expected` is corrected for the winner's curse.
    drop : Interval or None
        How much worse than `dense_error` the expected error is: their difference, positive where it is worse, also for
        a metric of which higher values are better. Its interval includes the noise of training seeds and the
        uncertainty of the correction. It is conditional on this dense network and on the images of the split: their
        sampling error, most of which cancels in the difference, is not included.
    uniform : str or None
        Space of uniform pruning that it is compared with, None where the study has none.
    uniform_error : Interval or None
        Mean error of uniform pruning of the same original in the same regime, over subnetworks.
    versus_uniform : Interval or None
        Expected error minus `uniform_error`: below 0 it is better, above 0 where higher values are better.
    as_good : int or None
        Other candidates that training seeds cannot exclude from being the best (`best_subset`); None without repeated
        seeds, or where the budget is `max_drop`, which selects by cost.
    export : str or None
        Command that exports it; None where there are no weights.
    notes : tuple of str
        Ties, and what is unknown and why.
    level : float
        Confidence level of all intervals.
    metric : Metric
        What `dense_error`, `seen`, `expected`, `drop`, `uniform_error` and `versus_uniform` are values of.
    """

    network: str
    dataset: str
    original: str | None
    original_seed: int | None
    regime: float | None
    budget: Budget
    subnetwork: str | None
    n_candidates: int
    notes: tuple[str, ...]
    level: float
    spaces: tuple[str, ...] = ()
    widths: dict[str, int] | None = None
    flops: int | None = None
    params: int | None = None
    flops_fraction: float | None = None
    params_fraction: float | None = None
    speedup_1: float | None = None
    speedup_64: float | None = None
    n_seeds: int = 0
    split: str = "test"
    dense_error: float | None = None
    seen: float | None = None
    expected: Interval | None = None
    corrected: bool = False
    drop: Interval | None = None
    uniform: str | None = None
    uniform_error: Interval | None = None
    versus_uniform: Interval | None = None
    as_good: int | None = None
    export: str | None = None
    latency_ms: float | None = None
    dense_ms: float | None = None
    speedup: float | None = None
    latency_setting: str = ""
    metric: Metric = ERROR
