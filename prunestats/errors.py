"""Errors whose message says what was expected, what was found and what to do."""


class PrunestatsError(Exception):
    """Anything that prunestats refuses or cannot do; the message is one line for the user."""


class InputError(PrunestatsError, ValueError):
    """An argument, a table or a file that is not what it should be."""


class StudyError(InputError):
    """A study file that cannot be run as written; the message names the key."""


class ResultsError(InputError):
    """A results frame that cannot be analysed as it is."""


class UnitWarning(UserWarning):
    """Numbers that look as if they were in another unit, where that cannot be told for sure."""


class TraceError(InputError):
    """A network whose filters cannot be grouped; the message names the layer."""


class DatabaseError(PrunestatsError):
    """A results database that cannot be opened, read or written."""


class QueryError(DatabaseError):
    """A query that is wrong at a place that the database names.

    Parameters
    ----------
    message : str
    sql : str
        The query as it was asked.
    offset : int
        The character of it, from 0.
    """

    def __init__(self, message: str, sql: str, offset: int) -> None:
        super().__init__(message)
        self.sql, self.offset = sql, offset
