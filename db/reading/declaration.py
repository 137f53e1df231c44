"""Preregistration: the hash of a study is stored before its first run, so that its comparisons are confirmatory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from prunestats.db.reading.progress import PLANNED
from prunestats.db.schema import tables as schema
from prunestats.errors import DatabaseError

_BEFORE = f"""
SELECT count(*) AS runs, sum(CASE WHEN r.created_at < s.created_at THEN 1 ELSE 0 END) AS before
{PLANNED.replace("FROM run r", "FROM run r CROSS JOIN study s")} AND s.id = :study
"""


@dataclass(frozen=True)
class Declaration:
    """When a study was stored, relative to its runs.

    Parameters
    ----------
    study, fingerprint : str
        Its name, and the hash of everything that determines its results.
    declared_at : datetime
        Time at which these were stored, UTC.
    runs, runs_before : int
        Number of its runs, and of those that other studies had stored before `declared_at`.
    """

    study: str
    fingerprint: str
    declared_at: datetime
    runs: int
    runs_before: int

    @property
    def words(self) -> str:
        """The finding as a sentence."""
        at = f"{self.declared_at:%Y-%m-%d %H:%M} UTC"
        stored = f"Study {self.study!r} was stored with hash {self.fingerprint} at {at}"
        if self.runs_before == 0:
            return f"{stored}, before any of its {self.runs:,} runs."
        return (
            f"{stored}; {self.runs_before:,} of its {self.runs:,} runs were stored before it, so their results may "
            "have been known when it was written."
        )


def refinements(connection: Connection) -> dict[str, str]:
    """Return the studies that refine a space of another study, in storing order, each with that other study.

    Parameters
    ----------
    connection : Connection
        From `read`.

    Returns
    -------
    dict of str to str
        The other study, by name of the study that follows from it.
    """
    return _following(connection, "refines")


def follow_ups(connection: Connection) -> dict[str, str]:
    """Return the studies that follow from another (refinements and rounds of searches), each with that other study.

    Parameters
    ----------
    connection : Connection
        From `read`.

    Returns
    -------
    dict of str to str
        The other study, by name of the study that follows from it.
    """
    return _following(connection, "refines", "searches")


def _following(connection: Connection, *keys: str) -> dict[str, str]:
    rows = connection.execute(select(schema.study.c.name, schema.study.c.text).order_by(schema.study.c.id)).all()
    content = {row.name: _content(row.text) for row in rows}
    return {name: str(file[key]) for name, file in content.items() for key in keys if file.get(key) is not None}


def stored_text(connection: Connection, study: str) -> str | None:
    """Return the text that a study was stored with; None if there is no such study."""
    found: str | None = connection.scalar(select(schema.study.c.text).where(schema.study.c.name == study))
    return found


def _content(text: str) -> dict[str, Any]:
    """Return the content of a study file; an empty dict for an imported study, which has none."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def declaration(connection: Connection, study: str) -> Declaration:
    """Return when a study was declared, and how many of its runs were stored before.

    Parameters
    ----------
    connection : Connection
        From `read`.
    study : str
        Its name.

    Returns
    -------
    Declaration

    Raises
    ------
    DatabaseError
        If there is no such study.
    """
    table = schema.study
    found = connection.execute(
        select(table.c.id, table.c.fingerprint, table.c.created_at).where(table.c.name == study)
    ).one_or_none()
    if found is None:
        raise DatabaseError(f"expected study {study!r}; found none of this name: `prunestats status` lists the studies")
    counts = connection.execute(text(_BEFORE), {"study": found.id}).one()
    return Declaration(study, found.fingerprint, found.created_at, int(counts.runs), int(counts.before or 0))
