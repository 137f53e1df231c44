"""What runs of one analysis must have in common: the data set and the protocol."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from prunestats.errors import ResultsError

SAME_IN_ALL_RUNS = {"dataset": "data set", "protocol": "protocol"}
"""Columns of a results frame that must not vary within an analysis, with their names in words."""

_SHOWN = 5
"""Names that a message lists: enough to see what is mixed, and still one line."""


def refuse_mixed_runs(frame: pd.DataFrame, columns: Sequence[str] = tuple(SAME_IN_ALL_RUNS)) -> None:
    """Refuse runs of several data sets or protocols; columns that the frame does not have are not checked.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per run.
    columns : sequence of str
        Of `SAME_IN_ALL_RUNS`.

    Raises
    ------
    ResultsError

    Notes
    -----
    An error on other images, or after another training, is another quantity: differences between data sets or protocols
    would enter as differences between spaces, or as the effect of a ratio. Originals on one data set need no such rule,
    as analyses treat them as strata, fixed effects or a random factor. See
    docs/decisions/0012-one-data-set-and-protocol.md.

    Examples
    --------
    >>> refuse_mixed_runs(pd.DataFrame({"protocol": ["long", "short", "long"]}))
    Traceback (most recent call last):
    prunestats.errors.ResultsError: expected one protocol; found long and short: select one, as in \
frame[frame['protocol'] == 'long']
    """
    for column in columns:
        found = distinct_names(frame, column)
        if len(found) > 1:
            raise ResultsError(
                f"expected one {SAME_IN_ALL_RUNS[column]}; found {listed(found)}: select one, as in "
                f"frame[frame[{column!r}] == {found[0]!r}]"
            )


def distinct_names(frame: pd.DataFrame, column: str) -> list[str]:
    """Return the sorted values of a column as text; a missing value is "not recorded", a missing column has none."""
    if column not in frame.columns:
        return []
    return sorted("not recorded" if pd.isna(value) else str(value) for value in frame[column].drop_duplicates())


def listed(names: Sequence[str]) -> str:
    """Join names for a sentence; beyond five, the others are counted.

    Examples
    --------
    >>> listed(["a", "b"]), listed(["a", "b", "c"]), listed(list("abcdefg"))
    ('a and b', 'a, b and c', 'a, b, c, d, e and 2 more')
    """
    shown = [*names[:_SHOWN], *([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
