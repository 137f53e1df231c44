"""What is read off the results frames of a study besides its statistics: checks, names, regimes, means over seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, metric_of
from prunestats.results.pooling import SAME_IN_ALL_RUNS, distinct_names, listed
from prunestats.results.ratio import ratio
from prunestats.wording import plain

# A subnetwork may stand in several spaces, and be trained with several seeds.
_UNIT = ["regime", "space", "original", "subnetwork"]


def has_failed(runs: pd.DataFrame) -> pd.Series[bool]:
    """Which runs have failed: by their state, or in external results without one by a missing metric."""
    return runs["state"] == "failed" if "state" in runs else runs[metric_of(runs).name].isna()


def original_names(frame: pd.DataFrame) -> dict[str, str]:
    """The originals by key, in order, with the attributes in which they differ as names, or their keys if none do."""
    order = [name for name in ("network", "dataset", "original_seed", "original") if name in frame]
    rows = frame.drop_duplicates("original").sort_values(order)
    keys = [str(key) for key in rows["original"]]
    differing = [name for name in order if name != "original" and len(set(rows[name])) > 1]
    if len(keys) == 1 and "network" in rows:
        differing = ["network"]
    parts = [["seed " * (name == "original_seed") + plain(value) for value in rows[name]] for name in differing]
    names = [", ".join(part) for part in zip(*parts, strict=True)]
    return dict(zip(keys, names if len(set(names)) == len(keys) else keys, strict=True))


def failure_counts(failed: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    """Reasons of failed runs and their numbers, most frequent first."""
    if "failure" not in failed or failed.empty:
        return ()
    reasons = failed["failure"].fillna("no reason given").map(plain).value_counts()
    return tuple(sorted(((str(reason), int(n)) for reason, n in reasons.items()), key=lambda pair: (-pair[1], pair[0])))


def check_frames(validation: pd.DataFrame, test: pd.DataFrame) -> None:
    """Refuse frames that are empty, or that do not hold the same runs of one study, data set and protocol."""
    if validation.empty:
        raise InputError("a report needs at least one run; found none: run the study first")
    if len(validation) != len(test):
        raise InputError(
            f"both splits must hold the same runs; found {len(validation)} of validation and {len(test)} of test: load "
            "both from one study"
        )
    for column, words in {"study": "study", **SAME_IN_ALL_RUNS}.items():
        found = distinct_names(validation, column)
        if len(found) > 1:
            names = listed([plain(name) for name in found])
            raise InputError(f"a report is of one {words}; found {names}: choose one with {column}= (--{column})")


def regimes_of(frame: pd.DataFrame) -> list[float | None]:
    """Targets of FLOPs, the largest first; None for results without FLOPs, which have no regime."""
    found: list[float | None] = sorted(set(frame["regime"].dropna()), reverse=True)
    return [*found, None] if bool(frame["regime"].isna().any()) else found


def runs_of_regime(frame: pd.DataFrame, regime: float | None) -> pd.DataFrame:
    """Runs of one regime; None stands for results without FLOPs."""
    return frame[frame["regime"].isna() if regime is None else frame["regime"] == regime]


def subnetworks_of(validation: pd.DataFrame, test: pd.DataFrame, bucket: int, metric: Metric) -> pd.DataFrame:
    """One row a subnetwork and space with a finished run: means over seeds of both splits."""
    names = ("error", "log_cross_entropy") if metric == ERROR else (metric.name,)
    on_validation, on_test = ({name: f"{split}_{name}" for name in names} for split in ("val", "test"))
    runs = validation[[*_UNIT, "seed", "flops", "params", *names]].rename(columns=on_validation)
    runs["ratio"] = ratio(validation, bucket) if bool(validation["flops"].notna().any()) else np.nan
    tested = test[[*_UNIT, "seed", *names]].rename(columns=on_test)
    both = runs.merge(tested, on=[*_UNIT, "seed"], validate="one_to_one").dropna(subset=[on_validation[metric.name]])
    metrics = [*on_validation.values(), *on_test.values()]
    groups = both.groupby(_UNIT, sort=False, dropna=False)
    return groups.agg(
        {"flops": "first", "params": "first", "ratio": "first", **dict.fromkeys(metrics, "mean")}
    ).reset_index()
