"""One optimum a regime, each as if its regime were analysed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prunestats.errors import ResultsError
from prunestats.numeric.generators import own_generator
from prunestats.optimum.optimum import Optimum, find_optimum
from prunestats.results.pooling import refuse_mixed_runs


def optima_of_regimes(
    frame: pd.DataFrame, *, bucket: int, response: str | None, level: float, rng: np.random.Generator | None
) -> dict[float | None, Optimum]:
    """Estimate the optimum of each regime separately, the largest FLOPs fraction first.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results of one data set and protocol, one row a run.
    bucket, response, level
        As of `find_optimum`.
    rng : numpy.random.Generator or None
        Every regime starts from a copy of it (`own_generator`), so that its optimum is that of `find_optimum` with the
        same generator.

    Returns
    -------
    dict of float or None to Optimum
        By FLOPs fraction; None for a frame that names no regime.

    Raises
    ------
    ResultsError
        Where some runs have a regime and others none, and for what `find_optimum` refuses.
    """
    refuse_mixed_runs(frame)
    return {
        regime: find_optimum(
            frame if regime is None else frame[frame["regime"] == regime],
            bucket=bucket,
            response=response,
            level=level,
            rng=own_generator(rng),
        )
        for regime in _regimes(frame)
    }


def _regimes(frame: pd.DataFrame) -> Sequence[float | None]:
    if "regime" not in frame.columns or bool(frame["regime"].isna().all()):
        return [None]
    missing = int(frame["regime"].isna().sum())
    if missing:
        raise ResultsError(f"regime must be set in every run or in none; found {missing} runs without: drop them")
    return sorted({float(value) for value in frame["regime"]}, reverse=True)
