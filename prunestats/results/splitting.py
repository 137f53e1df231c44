"""Sample splitting: fit on one half of the subnetworks, evaluate on the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunestats.results.checks import check_results


def split_population(frame: pd.DataFrame, *, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a population into two random halves of its subnetworks: one to fit on, one to evaluate on.

    Parameters
    ----------
    frame : pandas.DataFrame
        A results frame, one row per run.
    rng : numpy.random.Generator

    Returns
    -------
    fit, judge : pandas.DataFrame
        The halves, rows in the order of `frame`. All runs of a subnetwork are in one half, also where it belongs to
        several populations.

    Raises
    ------
    ResultsError
        For what `check_results` refuses.

    Notes
    -----
    The random split is stratified by original and by the set of populations (space and regime) that a subnetwork
    belongs to; in each stratum the halves differ by at most one subnetwork, which is assigned at random. The halves do
    not depend on the order of the rows.

    References
    ----------
    D. R. Cox, Biometrika 62 (1975), 441-444: data splitting to evaluate hypotheses that the data suggested.

    Examples
    --------
    >>> frame = pd.DataFrame({"subnetwork": list("abcd"), "flops": 9, "params": 3, "error": 0.1})
    >>> fit, judge = split_population(frame, rng=np.random.default_rng(0))
    >>> sorted([*fit.subnetwork, *judge.subnetwork]), len(fit)
    (['a', 'b', 'c', 'd'], 2)
    """
    check_results(frame)
    identity = [name for name in ("original", "subnetwork") if name in frame.columns]
    population = [name for name in ("space", "regime") if name in frame.columns and frame[name].notna().any()]
    each = frame[[*identity, *population]].astype(str).drop_duplicates()
    membership = each[population].agg("|".join, axis=1) if population else pd.Series("", index=each.index)
    memberships = membership.groupby([each[name] for name in identity]).agg(lambda names: " ".join(sorted(names)))
    strata = (
        memberships.groupby([*identity[:-1], memberships], sort=True)
        if identity[:-1]
        else memberships.groupby(memberships)
    )
    first: set[object] = set()
    for _, members in strata:
        keys = members.index.to_numpy()
        size = len(keys) // 2 + (int(rng.integers(2)) if len(keys) % 2 else 0)
        first.update(rng.permutation(keys)[:size].tolist())
    rows = frame[identity].astype(str).apply(tuple, axis=1) if identity[:-1] else frame["subnetwork"].astype(str)
    in_first = rows.isin(first)
    return frame[in_first], frame[~in_first]
