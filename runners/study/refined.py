"""The study that tests an optimal ratio: refined space against initial space and control, on independent samples."""

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

# Candidate positions of the control band, one for each 0.1 % of the population that lies below it.
_CONTROL_POSITIONS = 1001


@dataclass(frozen=True)
class RefinedStudy:
    """A refinement of a space, and the study that compares it with the initial space.

    Parameters
    ----------
    refinement : Refinement
    text : str or None
        The study file; None where the refinement is refused.
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
        Subnetworks for every original and space of the new study, by default those of the study.
    seed : int
        Seed of the spline draws and of the control's position.

    Returns
    -------
    RefinedStudy

    Raises
    ------
    InputError
        For a regime that is not the study's, and as `find_optimum`.

    Notes
    -----
    Sample splitting: the new study samples with a new seed and trains with unused seeds, so that its data are
    independent of those that estimated the optimum. The control is the initial space restricted to another band of
    ratios with the same share of the population, at random: the effect of any restriction of this size. Running the
    study stores its hash before its first run, which preregisters it.
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
    """A random band of ratios, disjoint from `band`, with the same share of the population; None if none fits."""
    each = frame.drop_duplicates(["original", "subnetwork"])
    ratios = np.sort(ratio(each, band.bucket))
    starts = np.linspace(0, 1 - share, _CONTROL_POSITIONS)
    low, high = np.quantile(ratios, starts), np.quantile(ratios, np.minimum(starts + share, 1.0))
    disjoint = np.zeros(_CONTROL_POSITIONS, dtype=bool)
    if band.low is not None:
        disjoint |= high < band.low
    if band.high is not None:
        disjoint |= low > band.high
    if not disjoint.any():
        return None
    position = rng.choice(np.flatnonzero(disjoint))
    return RatioBand(float(low[position]), float(high[position]), band.bucket)


def _content(study: Study, regime: float, spaces: list[Space], subnetworks: int) -> dict[str, Any]:
    content = study.model_dump(mode="json", exclude_none=True)
    used = study.protocol.seeds
    fresh = [max(used) + 1 + offset for offset in range(len(used))]
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
        f"A head-to-head study, written from study {study.name!r}, {study.fingerprint}. Edit it before it runs.",
        *refinement.reasons,
        "Samples and training seeds are new, and so independent of the data that estimated the optimum.",
        "The control is a random band of other ratios with the same share of the population."
        if has_control
        else "There is no control: no other band of ratios holds as large a share of the population.",
        "After running: prunestats head-to-head",
    ]
    return "".join(f"# {' '.join(line.split())}\n" for line in lines) + "\n"
