"""Progress of studies: numbers of runs, their rate, and reasons of failures."""

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
from prunestats.db.storing.insert_once import unknown_name
from prunestats.db.storing.records import StatusRow

_STORING_S = 30.0
"""Seconds that storing may add between two runs: as long as a writer waits for another (`engine.TIMEOUT_S`)."""

_RECENT = 200
"""Runs over which the rate is averaged: if they ended at random times, its standard error would be about 7 %."""

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
    """Progress of a study.

    Parameters
    ----------
    study : str
        Its name.
    runs : int
        Planned runs; a subnetwork of two populations counts once.
    done, failed, missing : int
        Numbers of runs.
    per_minute : float or None
        Runs stored per minute since the last pause, over at most the last 200; None with fewer than two.
    running : bool
        Whether the last run was stored so recently that the study seems to be running.
    mean_wall_s : float or None
        Mean wall-clock seconds of a run.
    failures : tuple of (str, int)
        Reasons and their numbers, most frequent first; reasons that differ in numbers only are merged.
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
        """Estimated seconds until it is complete, at the recent rate."""
        return 60 * self.missing / self.per_minute if self.per_minute else None


def study_progress(connection: Connection, study: str | None = None) -> list[StudyProgress]:
    """Return the progress of each study with a plan, or of one study.

    Parameters
    ----------
    connection : Connection
        From `read`.
    study : str, optional
        Name of one study; all by default.

    Returns
    -------
    list of StudyProgress
        In storing order.
    """
    table = schema.study
    studies = connection.execute(select(table.c.id, table.c.name).order_by(table.c.id)).all()
    planned = set(connection.scalars(select(schema.plan.c.study_id)))
    return [_progress(connection, key, name) for key, name in studies if key in planned and study in (None, name)]


def recent_rate(runs: Sequence[tuple[datetime, float | None]]) -> float | None:
    """Return the rate in runs per minute, from the time of storing and the seconds of each run, latest first.

    Notes
    -----
    It counts the runs since the last pause: an interval without a run that is longer than `longest_gap`.

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
        if _seconds(earlier[0], recent[-1][0]) > longest_gap([*recent, earlier]):
            break
        recent.append(earlier)
    span = _seconds(recent[-1][0], recent[0][0]) if recent else 0.0
    return 60 * (len(recent) - 1) / span if span else None


def longest_gap(runs: Sequence[tuple[datetime, float | None]]) -> float:
    """Return the longest interval without a run, in seconds, in which a study still counts as running."""
    # while one worker is left, a run ends at least every longest run; twice that allows for slower runs to come
    return 2 * max((wall_s or 0.0 for _, wall_s in runs), default=0.0) + _STORING_S


def failure_counts(failures: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return the reasons of failures with their numbers, most frequent first; differing numbers become an ellipsis.

    Examples
    --------
    >>> failure_counts([("loss became nan in epoch 1", 2), ("loss became nan in epoch 2", 1), ("no memory", 1)])
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
        running=bool(runs) and asked > counts.stored and _seconds(runs[0][0], now()) <= longest_gap(runs),
        mean_wall_s=counts.wall_s,
        failures=failure_counts(failures),
    )


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


def study_status(connection: Connection, study: str | None = None) -> list[StatusRow]:
    """Return the numbers of stored and missing runs of each population, of one study or of all.

    Parameters
    ----------
    connection : Connection
        From `read`.
    study : str, optional
        Name of one study; all by default.

    Returns
    -------
    list of StatusRow
        Sorted by study, space, regime (largest first) and original.

    Raises
    ------
    InputError
        If there is no such study; the message lists the studies.

    Examples
    --------
    >>> from prunestats.db import open_database, read
    >>> with read(open_database("results.db", create=False)) as connection:     # doctest: +SKIP
    ...     missing = sum(row.missing for row in study_status(connection, "digits"))
    """
    names = list(connection.scalars(select(schema.study.c.name).order_by(schema.study.c.id)))
    if study is not None and study not in names:
        raise unknown_name("study", study, names)
    made = {row.population_id: row for row in connection.execute(text(_MADE))}
    rows = []
    for row in connection.execute(text(_DRAWN)):
        if study is not None and row.study != study:
            continue
        found = made.get(row.population_id)
        done, failed, run, wall_s = (found.done, found.failed, found.run, found.wall_s) if found else (0, 0, 0, None)
        missing = row.drawn * row.planned - done - failed if row.planned else row.drawn - run
        what = (row.study, row.space, row.regime, row.original, row.network, row.dataset)
        rows.append(StatusRow(*what, row.original_seed, row.drawn, done, failed, missing, wall_s))
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
    o.dataset AS dataset,
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
