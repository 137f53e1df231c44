"""Errors; each message says what was expected, what was found and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class PrunestatsError(Exception):
    """Base class of all errors of prunestats; the message is one line for the user."""


class InputError(PrunestatsError, ValueError):
    """An invalid argument, table or file."""


class StudyError(InputError):
    """A study file that cannot be run; the message names the key at fault."""


class ReproductionError(PrunestatsError):
    """A stored subnetwork that cannot be trained again, as its network or data are no longer what they were."""


class ResultsError(InputError):
    """A results frame that cannot be analysed."""


class UnitWarning(UserWarning):
    """Values that suggest another unit, but do not prove it."""


class TraceError(InputError):
    """A network whose filters cannot be grouped for pruning; the message names the layer."""


class TrialError(PrunestatsError):
    """A network that fails when it is tried as its study will train it; the message names the user's own line."""


class DatabaseError(PrunestatsError):
    """A results database that cannot be opened, read or written."""


class StudyChangedError(DatabaseError):
    """A study whose file, networks or data are not those that are stored under its name.

    Parameters
    ----------
    study : str
        Its name.
    differences : sequence of tuple of str
        What differs, what is stored, and what is there now.
    """

    def __init__(self, study: str, differences: Sequence[tuple[str, str, str]]) -> None:
        key, stored, now = differences[0]
        more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
        super().__init__(
            f"expected study {study!r} as it is stored, with {key} {stored}; found {now}{more}: name it otherwise, "
            "replace what is stored with --replace, or use a database of its own with --db"
        )
        self.study, self.differences = study, tuple(differences)


class QueryError(DatabaseError):
    """A query with an error at a position that the database reports.

    Parameters
    ----------
    message : str
    sql : str
        The query.
    offset : int
        Index of the character at the error, from 0.
    """

    def __init__(self, message: str, sql: str, offset: int) -> None:
        super().__init__(message)
        self.sql, self.offset = sql, offset
