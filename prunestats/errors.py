"""Errors; each message says what was expected, what was found and what to do."""


class PrunestatsError(Exception):
    """Base class of all errors of prunestats; the message is one line for the user."""


class InputError(PrunestatsError, ValueError):
    """An invalid argument, table or file."""


class StudyError(InputError):
    """A study file that cannot be run; the message names the key at fault."""


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
