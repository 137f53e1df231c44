"""One optimum a regime, each estimated with random numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prunestats.errors import ResultsError
from prunestats.optimum.optimum import Optimum, find_optimum


def optima_of_regimes(
    frame: pd.DataFrame, *, bucket: int, response: str, level: float, rng: np.random.Generator
) -> dict[float | None, Optimum]:
    """Estimate the optimum of each regime separately, the largest FLOPs fraction first.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one protocol, one row a run.
    bucket, response, level
        As of `find_optimum`.
    rng : numpy.random.Generator
        Every regime gets a child of its own. Several calls with one generator give the same children as a single spawn
        of all of them, so that results do not depend on how regimes are grouped into calls.

    Returns
    -------
    dict of float or None to Optimum
        By FLOPs fraction; None for a frame that names no regime.

    Raises
    ------
    ResultsError
        Where some runs have a regime and others none, and for what `find_optimum` refuses.
    """
    regimes = _regimes(frame)
    children = rng.spawn(len(regimes))
    return {
        regime: find_optimum(
            frame if regime is None else frame[frame["regime"] == regime],
            bucket=bucket,
            response=response,
            level=level,
            rng=child,
        )
        for regime, child in zip(regimes, children, strict=True)
    }


def _regimes(frame: pd.DataFrame) -> Sequence[float | None]:
    if "regime" not in frame.columns or bool(frame["regime"].isna().all()):
        return [None]
    missing = int(frame["regime"].isna().sum())
    if missing:
        raise ResultsError(f"regime must be set in every run or in none; found {missing} runs without: drop them")
    return sorted({float(value) for value in frame["regime"]}, reverse=True)
