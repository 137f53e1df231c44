"""The provenance of a report: rows, seed, versions of the code, and time."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from prunestats.errors import InputError

_PACKAGES = ("prunestats", "matplotlib", "numpy", "pandas", "scipy", "seaborn", "typst")


def code_versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute the numbers and draw the pages."""
    return {"python": platform.python_version(), **{package: version(package) for package in _PACKAGES}}


def seconds(timestamp: int | str | None) -> int:
    """A point in time as seconds since 1970.

    Parameters
    ----------
    timestamp : int or str, optional
        Seconds, or an ISO time (UTC unless it has an offset); by default ``SOURCE_DATE_EPOCH`` or else now.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> seconds("1970-01-02T00:00:00"), seconds("1970-01-01T02:00:00+02:00"), seconds(7)
    (86400, 0, 7)
    """
    if timestamp is None:
        timestamp = os.environ.get("SOURCE_DATE_EPOCH") or int(time.time())
    try:
        return int(timestamp)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(str(timestamp))
    except ValueError:
        raise InputError(
            f"timestamp must be seconds since 1970 or an ISO time; found {timestamp!r}: write 2026-01-31T12:00:00"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@dataclass(frozen=True)
class Provenance:
    """What a report was made from, with which code, and when.

    Parameters
    ----------
    rows_hash : str
        SHA-256 of the analysed rows.
    n_rows : int
    seed : int
        Seed of all resampling in the analysis.
    versions : dict of str to str
    timestamp : int
        Seconds since 1970, UTC.
    """

    rows_hash: str
    n_rows: int
    seed: int
    versions: dict[str, str]
    timestamp: int
