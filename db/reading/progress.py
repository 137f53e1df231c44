"""How far each study is, how fast it goes, and what failed in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from prunestats.db.connection.plain_values import now
from prunestats.db.schema import tables as schema
from prunestats.db.schema.types import utc
from prunestats.db.storing.insert_once import unknown
from prunestats.db.storing.records import StatusRow

# While a study runs, something ends at least as often as the longest run takes; this is what storing may add to it.
_SLACK_S = 30.0
_RECENT = 200

PLANNED = """
FROM run r
JOIN plan w ON w.protocol_id = r.protocol_id AND w.seed = r.seed
WHERE w.study_id = :study AND r.subnetwork_id IN (
    SELECT d.subnetwork_id FROM draw d JOIN population p ON p.id = d.population_id WHERE p.study_id = :study
)
"""
_COUNTS = f"SELECT count(*) AS stored, count(r.failure) AS failed, avg(r.wall_s) AS wall_s {PLANNED}"
_LATEST = f"SELECT r.created_at AS created_at, r.wall_s AS wall_s {PLANNED} ORDER BY r.id DESC LIMIT {_RECENT}"
_FAILED = f"SELECT r.failure, count(*) {PLANNED} AND r.failure IS NOT NULL GROUP BY r.failure ORDER BY r.failure"
_ASKED = """
SELECT
    (SELECT count(DISTINCT d.subnetwork_id) FROM draw d JOIN population p ON p.id = d.population_id
     WHERE p.study_id = :study)
    * (SELECT count(*) FROM plan w WHERE w.study_id = :study)
"""


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Parameters
    ----------
    study : str
    runs : int
        Runs that it asks for; a subnetwork of two populations is run once.
    done, failed, missing : int
    per_minute : float or None
        Runs stored a minute since the last pause, over at most the last 200; None before there are two to compare.
    running : bool
        Whether a run was stored so recently that the study seems to go on.
    mean_wall_s : float or None
        Mean seconds of a run.
    failures : tuple of (str, int)
        Reasons, the most frequent first; those that differ in numbers alone are one.
    """

    study: str
    runs: int
    done: int
    failed: int
    missing: int
    per_minute: float | None
    running: bool
    mean_wall_s: float | None
    failures: tuple[tuple[str, int], ...]

    @property
    def left_s(self) -> float | None:
        """Seconds until it is complete, if it goes on as it did."""
        return 60 * self.missing / self.per_minute if self.per_minute else None


def study_progress(connection: Connection, study: str | None = None) -> list[StudyProgress]:
    """Return how far each study with a plan is, or the one that is named.

    Parameters
    ----------
    connection : Connection
        From `read`.
    study : str, optional
        Name of one study.

    Returns
    -------
    list of StudyProgress
        In the order in which they were begun.
    """
    table = schema.study
    studies = connection.execute(select(table.c.id, table.c.name).order_by(table.c.id)).all()
    planned = set(connection.scalars(select(schema.plan.c.study_id)))
    return [_progress(connection, key, name) for key, name in studies if key in planned and study in (None, name)]


def recent_rate(runs: Sequence[tuple[datetime, float | None]]) -> float | None:
    """Return runs a minute from when each was stored and its seconds, the last one first.

    Notes
    -----
    It looks back to the last pause: a time in which no run ended, of more than twice the longest run.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> start = datetime(2026, 1, 1)
    >>> at = [start, *(start + timedelta(hours=9, seconds=20 * n) for n in range(7))]
    >>> recent_rate([(moment, 15.0) for moment in reversed(at)])
    3.0
    """
    recent = list(runs[:1])
    for earlier in runs[1:]:
        if _seconds(earlier[0], recent[-1][0]) > longest_silence([*recent, earlier]):
            break
        recent.append(earlier)
    span = _seconds(recent[-1][0], recent[0][0]) if recent else 0.0
    return 60 * (len(recent) - 1) / span if span else None


def longest_silence(runs: Sequence[tuple[datetime, float | None]]) -> float:
    """Return the most seconds that may pass between two runs of a study that goes on."""
    return 2 * max((wall_s or 0.0 for _, wall_s in runs), default=0.0) + _SLACK_S


def reasons(failures: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return reasons and how often each came, the most frequent first, with numbers that differ left out.

    Examples
    --------
    >>> reasons([("loss became nan in epoch 1", 2), ("loss became nan in epoch 2", 1), ("no memory", 1)])
    (('loss became nan in epoch …', 3), ('no memory', 1))
    """
    texts: dict[str, Counter[str]] = {}
    for failure, count in failures:
        texts.setdefault(re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "…", failure), Counter())[failure] += count
    found = [(next(iter(same)) if len(same) == 1 else common, same.total()) for common, same in texts.items()]
    return tuple(sorted(found, key=lambda reason: (-reason[1], reason[0])))


def _progress(connection: Connection, study_id: int, name: str) -> StudyProgress:
    of_study = {"study": study_id}
    asked = int(connection.execute(text(_ASKED), of_study).scalar_one())
    counts: Any = connection.execute(text(_COUNTS), of_study).one()
    latest = connection.execute(text(_LATEST).columns(created_at=utc()), of_study)
    runs = [(row.created_at, row.wall_s) for row in latest]
    failures = [(row[0], row[1]) for row in connection.execute(text(_FAILED), of_study)]
    return StudyProgress(
        study=name,
        runs=asked,
        done=counts.stored - counts.failed,
        failed=counts.failed,
        missing=asked - counts.stored,
        per_minute=recent_rate(runs),
        running=bool(runs) and asked > counts.stored and _seconds(runs[0][0], now()) <= longest_silence(runs),
        mean_wall_s=counts.wall_s,
        failures=reasons(failures),
    )


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


def study_status(connection: Connection, study: str | None = None) -> list[StatusRow]:
    """Return how far each population of a study, or of all, is.

    Parameters
    ----------
    connection : Connection
        From `read`.
    study : str, optional
        Name of one study.

    Returns
    -------
    list of StatusRow
        By study, space, regime (largest first) and original.

    Raises
    ------
    InputError
        If there is no such study; the message names those that there are.
    """
    names = list(connection.scalars(select(schema.study.c.name).order_by(schema.study.c.id)))
    if study is not None and study not in names:
        raise unknown("study", study, names)
    made = {row.population_id: row for row in connection.execute(text(_MADE))}
    rows = []
    for row in connection.execute(text(_DRAWN)):
        if study is not None and row.study != study:
            continue
        found = made.get(row.population_id)
        done, failed, run, wall_s = (found.done, found.failed, found.run, found.wall_s) if found else (0, 0, 0, None)
        missing = row.drawn * row.planned - done - failed if row.planned else row.drawn - run
        what = (row.study, row.space, row.regime, row.original, row.network, row.original_seed, row.drawn)
        rows.append(StatusRow(*what, done, failed, missing, wall_s))
    return rows


_MADE = """
SELECT
    population_id,
    count(CASE WHEN state = 'done' THEN 1 END) AS done,
    count(CASE WHEN state = 'failed' THEN 1 END) AS failed,
    count(DISTINCT subnetwork_id) AS run,
    avg(wall_s) AS wall_s
FROM results
GROUP BY population_id
"""


_DRAWN = """
SELECT
    p.id AS population_id,
    st.name AS study,
    sp.name AS space,
    g.flops_fraction AS regime,
    o.key AS original,
    o.network AS network,
    o.seed AS original_seed,
    (SELECT count(*) FROM draw d WHERE d.population_id = p.id) AS drawn,
    (SELECT count(*) FROM plan w WHERE w.study_id = p.study_id) AS planned
FROM population p
JOIN study st ON st.id = p.study_id
JOIN space sp ON sp.id = p.space_id
JOIN regime g ON g.id = p.regime_id
JOIN original o ON o.id = p.original_id
ORDER BY st.id, sp.position, g.flops_fraction DESC, o.id
"""
