"""A short study of a network, sized by timing it on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from prunestats.cost.model import CostModel
from prunestats.errors import InputError, StudyError
from prunestats.runners.data.no_data import load_any
from prunestats.runners.execution.dask_cluster import default_workers
from prunestats.runners.execution.study_plan import StudyPlan, plan_originals, plan_populations, plan_study
from prunestats.runners.execution.timing import time_trial
from prunestats.runners.execution.trial import Trial, try_originals
from prunestats.runners.study.duration import Timing
from prunestats.runners.study.file import SpaceConfig, Study, parse_study
from prunestats.runners.study.short_study import ShortStudy
from prunestats.runners.study.sizing import Sizing, fitted_size
from prunestats.runners.training.seeds import derived_rng
from prunestats.sampling.rejection import sample
from prunestats.spaces.space import Regime

# Relative tolerances of a regime, the default of study files first. A network of few filters has few subnetworks in a
# narrow band; beyond a tenth, error within a regime would depend on FLOPs, too.
_TOLERANCES = (None, 0.05, 0.1)
_DEFAULT_TOLERANCE = 0.02  # that of study files

# Subnetworks to look for in each regime and space: those of the demo, fewer in a small network, ten at least.
_SUBNETWORKS = (60, 30, 20, 10)

# Proposals: past the 262,144 after which sampling is tilted towards a rare band, and a second or two of time.
_ATTEMPTS = 600_000

# Widths are multiples of 8 where every group has 64 filters or more: kernels compute blocks of 8 channels or more at a
# time on many runtimes, and a group of 64 still has 8 widths. Fewer would leave too few subnetworks.
_DIVISOR, _LEAST_FILTERS = 8, 64


@dataclass(frozen=True)
class SizedStudy:
    """A short study, what it was sized by, and how long it takes.

    Parameters
    ----------
    draft : ShortStudy
    planned : StudyPlan
    trial : Trial
    timing : Timing
    sizing : Sizing
    workers : int
        Worker processes for which it was sized.
    """

    draft: ShortStudy
    planned: StudyPlan
    trial: Trial
    timing: Timing
    sizing: Sizing
    workers: int


def sized_study(draft: ShortStudy, *, minutes: float, workers: int | None = None) -> SizedStudy:
    """Size a short study by timing its network, so that it fits a number of minutes.

    Parameters
    ----------
    draft : ShortStudy
        Its size, tolerance, batch norm and number of images are found here.
    minutes : float
    workers : int, optional
        By default those of `prunestats run`.

    Raises
    ------
    StudyError
        If the network or the data cannot be used, or too few subnetworks lie in a regime.
    """
    workers = default_workers() if workers is None else workers
    draft = replace(draft, training_images=len(load_any(parse_study(draft.text).data_table).train))
    data, originals = plan_originals(parse_study(draft.text))
    draft, tolerance, most = _divided(draft, originals[0].cost)
    draft = replace(draft, tolerance=tolerance, size=replace(draft.size, subnetworks=_SUBNETWORKS[-1]))
    planned = plan_populations(parse_study(draft.text), data, originals)
    trial = try_originals(planned)[0]
    timing = time_trial(planned, trial)
    sizing = fitted_size(
        timing, draft.flops, minutes=minutes, workers=workers, trained=draft.checkpoint is None, most=most
    )
    batch_norm = any(layer.kind.startswith("BatchNorm") for layer in trial.trace.layers)
    draft = replace(draft, size=sizing.size, batch_norm=batch_norm)
    return SizedStudy(draft, plan_study(parse_study(draft.text)), trial, timing, sizing, workers)


def _divided(draft: ShortStudy, cost: CostModel) -> tuple[ShortStudy, float | None, int]:
    """The draft, its widths multiples of 8 where groups are large and regimes still hold enough, and its tolerance."""
    if min(cost.group_sizes) >= _LEAST_FILTERS:
        divided = replace(draft, divisor=_DIVISOR)
        with suppress(StudyError):
            return divided, *_tolerance(parse_study(divided.text), cost)
    return draft, *_tolerance(parse_study(draft.text), cost)


def _tolerance(study: Study, cost: CostModel) -> tuple[float | None, int]:
    """The narrowest tolerance at which most subnetworks lie in every regime and space, and their number, up to 60."""
    problem = InputError("no subnetworks were found")
    for subnetworks in _SUBNETWORKS:
        for tolerance in _TOLERANCES:
            try:
                _sample_all(study.spaces, study.regimes.flops, cost, subnetworks, tolerance or _DEFAULT_TOLERANCE)
            except InputError as error:
                problem = error
            else:
                return tolerance, subnetworks
    raise StudyError(
        f"--flops: expected {_SUBNETWORKS[-1]} subnetworks in every space within {_TOLERANCES[-1]:.0%} of each budget; "
        f"found fewer ({problem}): give larger budgets, or edit what `prunestats init --full` writes"
    ) from problem


def _sample_all(
    spaces: Sequence[SpaceConfig], flops: Sequence[float], cost: CostModel, subnetworks: int, tolerance: float
) -> None:
    for config in spaces:
        for fraction in flops:
            rng = derived_rng(0, "tolerance")
            sample(config.space(), cost, Regime(fraction, tolerance), subnetworks, rng=rng, max_attempts=_ATTEMPTS)
