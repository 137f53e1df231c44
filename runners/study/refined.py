"""From what a population says about the optimal ratio to a study that puts it to the test on fresh draws and seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.optimum.optimum import find_optimum
from prunestats.refinement.rule import Refinement, refine
from prunestats.results.ratio import ratio
from prunestats.runners.study.file import Study, parse_study, study_text
from prunestats.spaces.cost_bands import RatioBand
from prunestats.spaces.space import Space

_STEPS = 1001


@dataclass(frozen=True)
class RefinedStudy:
    """A refinement, and the study that compares it with where it came from.

    Parameters
    ----------
    refinement : Refinement
    text : str or None
        The study file; None where there is nothing to refine on.
    """

    refinement: Refinement
    text: str | None


def refined_study(
    study: Study,
    frame: pd.DataFrame,
    *,
    regime: float,
    response: str = "log_cross_entropy",
    bucket: int = 1,
    subnetworks: int | None = None,
    seed: int = 0,
) -> RefinedStudy:
    """Write the head-to-head study of one regime: the initial space, the refined one, and a control.

    Parameters
    ----------
    study : Study
        The study whose first space is refined.
    frame : pandas.DataFrame
        Its results in the first space and this regime, on the validation split.
    regime : float
        FLOPs fraction.
    response : str
    bucket : int
    subnetworks : int, optional
        For every original and space of the new study; by default as many as before.
    seed : int
        Of the spline's draws and the control's place.

    Returns
    -------
    RefinedStudy

    Raises
    ------
    InputError
        For a regime that is not the study's, and what `find_optimum` refuses.

    Notes
    -----
    The new study draws with a new seed and trains with seeds that have not been used, so that nothing that found the
    optimum judges it. The control is the initial space in a band of ratios elsewhere that holds as large a share of
    the population: what any band would have done. Whoever runs the study stores its hash before its first run.
    """
    if regime not in study.regimes.flops:
        known = ", ".join(f"{value:g}" for value in study.regimes.flops)
        raise InputError(f"the regime must be one of the study's, {known}; found {regime:g}")
    rng = np.random.default_rng(seed)
    optimum = find_optimum(frame, bucket=bucket, response=response, rng=rng)
    space = study.spaces[0].space()
    refinement = refine(space, optimum, frame)
    if refinement.space is None or refinement.band is None:
        return RefinedStudy(refinement, None)
    spaces = [space, refinement.space]
    control = _control(frame, refinement.band, refinement.share, rng)
    if control is not None:
        spaces.append(Space(f"{space.name}-control", space.sampler, (*space.constraints, control)))
    content = _content(study, regime, spaces, subnetworks or study.population.subnetworks)
    text = _comments(study, refinement, has_control=control is not None) + study_text(content)
    parse_study(text)
    return RefinedStudy(refinement, text)


def _control(frame: pd.DataFrame, band: RatioBand, share: float, rng: np.random.Generator) -> RatioBand | None:
    """A band of ratios apart from another that holds the same share of the population, None where there is no room."""
    each = frame.drop_duplicates(["original", "subnetwork"])
    ratios = np.sort(ratio(each, band.bucket))
    starts = np.linspace(0, 1 - share, _STEPS)
    low, high = np.quantile(ratios, starts), np.quantile(ratios, np.minimum(starts + share, 1.0))
    apart = np.zeros(_STEPS, dtype=bool)
    if band.low is not None:
        apart |= high < band.low
    if band.high is not None:
        apart |= low > band.high
    if not apart.any():
        return None
    place = rng.choice(np.flatnonzero(apart))
    return RatioBand(float(low[place]), float(high[place]), band.bucket)


def _content(study: Study, regime: float, spaces: list[Space], subnetworks: int) -> dict[str, Any]:
    content = study.model_dump(mode="json", exclude_none=True)
    used = study.protocol.seeds
    fresh = [max(used) + 1 + place for place in range(len(used))]
    tables = [{"name": space.name, "sampler": space.sampler_name, **space.parameters} for space in spaces]
    return content | {
        "name": f"{study.name} refined {regime:g}",
        "seed": study.seed + 1,
        "refines": study.name,
        "regimes": {"flops": [regime], "tolerance": study.regimes.tolerance},
        "spaces": tables,
        "population": {"subnetworks": subnetworks},
        "protocol": content["protocol"] | {"seeds": fresh},
    }


def _comments(study: Study, refinement: Refinement, *, has_control: bool) -> str:
    lines = [
        f"A head-to-head study, made from study {study.name!r}, {study.fingerprint}. Edit it before it runs.",
        *refinement.reasons,
        "Draws and training seeds are fresh: nothing that found the optimum judges it.",
        "The control holds as large a share of the population in another band of ratios, placed at random."
        if has_control
        else "There is no room for a control band beside this one.",
        "After running: prunestats head-to-head",
    ]
    return "".join(f"# {' '.join(line.split())}\n" for line in lines) + "\n"
