"""Latencies of one setting beside the runs of a study: those that are stored, or those that runs recorded."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from prunestats.db.reading.latencies import SETTING, LatencySetting, one_setting
from prunestats.errors import InputError
from prunestats.noise.budget import Budget

_SUBNETWORK = ["original", "subnetwork"]


def join_latencies(
    runs: pd.DataFrame, stored: pd.DataFrame, wanted: LatencySetting, budget: Budget
) -> tuple[pd.DataFrame, str, int]:
    """Runs with latency_ms, dense_ms and speedup in one setting; its words, and how many subnetworks have none.

    Parameters
    ----------
    runs : DataFrame
        Runs of a study, with latency_ms_1, latency_ms_64, speedup_1 and speedup_64 as recorded with them.
    stored : DataFrame
        From `stored_latencies`.
    wanted : LatencySetting
    budget : Budget
        What is asked for: without a limit on latency or speed, several stored settings leave the runs as they are.

    Raises
    ------
    InputError
        Where a setting is named or latencies are needed: if none or several of what is stored are of this setting.
    """
    needed = wanted.is_given or has_latency_limit(budget)
    if stored.empty:
        # a budget of speed-up alone speaks of speedup_1, as before latencies were stored
        return _recorded(runs, wanted) if wanted.is_given or budget.latency_ms is not None else (runs, "", 0)
    if not needed and len(stored[list(SETTING)].drop_duplicates()) > 1:
        return runs, "", 0
    setting, latencies = one_setting(stored, wanted)
    columns = latencies[[*_SUBNETWORK, "ms", "dense_ms", "speedup"]].rename(columns={"ms": "latency_ms"})
    frame = runs.merge(columns, on=_SUBNETWORK, how="left")
    frame.attrs = dict(runs.attrs)
    return frame, setting.words, len(frame[frame["latency_ms"].isna()][_SUBNETWORK].drop_duplicates())


def has_latency_limit(budget: Budget) -> bool:
    """Whether a budget limits latency or speed-up."""
    return budget.latency_ms is not None or budget.speedup is not None


def unmeasured_note(runs: pd.DataFrame, unmeasured: int, budget: Budget) -> tuple[str, ...]:
    """Note that only measured subnetworks are candidates of a budget of latency; none where all are measured."""
    if not unmeasured or not has_latency_limit(budget):
        return ()
    every = len(runs[_SUBNETWORK].drop_duplicates())
    return (
        f"Selected among the {every - unmeasured:,} of {every:,} subnetworks whose latency is stored in this setting; "
        "`prunestats latency --all` measures the others.",
    )


def _recorded(runs: pd.DataFrame, wanted: LatencySetting) -> tuple[pd.DataFrame, str, int]:
    """Latencies that runs measured on their workers, or that were imported: of batches of 1 or 64, in no setting."""
    batch = wanted.batch or 1
    ms, speedup = f"latency_ms_{batch}", f"speedup_{batch}"
    if replace(wanted, batch=None).is_given or ms not in runs or not bool(runs[[ms, speedup]].notna().any(axis=None)):
        what = f" of {wanted.words}" if wanted.is_given else ""
        raise InputError(
            f"expected latencies{what}; found none stored: measure them with `prunestats latency STUDY --runtime eager "
            "--batch 1`"
        )
    frame = runs.assign(latency_ms=runs[ms], speedup=runs[speedup])
    return frame, f"batch of {batch}, as recorded with the runs", 0
