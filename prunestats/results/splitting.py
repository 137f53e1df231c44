"""Splitting a population: what finds an optimum must not judge what came of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunestats.results.checks import check_results


def split_population(frame: pd.DataFrame, *, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a population into two random halves of its subnetworks, one to fit on and one to judge by.

    Parameters
    ----------
    frame : pandas.DataFrame
        Results, one row a run.
    rng : numpy.random.Generator

    Returns
    -------
    fit, judge : pandas.DataFrame
        Their rows in the order of `frame`. All runs of a subnetwork are in one half, also where it stands in several
        populations.

    Raises
    ------
    ResultsError
        For what `check_results` refuses.

    Notes
    -----
    Subnetworks are halved within each original and each set of populations (space and regime) that they stand in, so
    that the halves of every population differ by one subnetwork at most; an odd one falls to either half by chance.
    The halves do not depend on the order of the rows.

    References
    ----------
    D. R. Cox, Biometrika 62 (1975), 441-444: data splitting for the evaluation of what was chosen by looking.

    Examples
    --------
    >>> frame = pd.DataFrame({"subnetwork": list("abcd"), "flops": 9, "params": 3, "error": 0.1})
    >>> fit, judge = split_population(frame, rng=np.random.default_rng(0))
    >>> sorted([*fit.subnetwork, *judge.subnetwork]), len(fit)
    (['a', 'b', 'c', 'd'], 2)
    """
    check_results(frame)
    identity = [name for name in ("original", "subnetwork") if name in frame.columns]
    places = [name for name in ("space", "regime") if name in frame.columns]
    each = frame[[*identity, *places]].astype(str).drop_duplicates()
    where = each[places].agg("|".join, axis=1) if places else pd.Series("", index=each.index)
    stands_in = where.groupby([each[name] for name in identity]).agg(lambda names: " ".join(sorted(names)))
    strata = (
        stands_in.groupby([*identity[:-1], stands_in], sort=True) if identity[:-1] else stands_in.groupby(stands_in)
    )
    first: set[object] = set()
    for _, members in strata:
        keys = members.index.to_numpy()
        size = len(keys) // 2 + (int(rng.integers(2)) if len(keys) % 2 else 0)
        first.update(rng.permutation(keys)[:size].tolist())
    rows = frame[identity].astype(str).apply(tuple, axis=1) if identity[:-1] else frame["subnetwork"].astype(str)
    chosen = rows.isin(first)
    return frame[chosen], frame[~chosen]
