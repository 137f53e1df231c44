"""Rebuild a report from its row in `analysis`: from the same rows with the same parameters and seed, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from prunestats.db import find_analysis, open_database, read, rows_hash
from prunestats.db.storing.analyses import AnalysisRow, analysis_result
from prunestats.errors import DatabaseError, InputError
from prunestats.reports.build import BuiltReport, build_report, report_frames
from prunestats.reports.provenance import code_versions

_SENTENCES = frozenset({"declared", "export", "notes", "reasons", "refusals", "words"})


@dataclass(frozen=True)
class RebuiltReport:
    """A report that was rebuilt.

    Parameters
    ----------
    report : BuiltReport
    warnings : tuple of str
        Sentences: which versions have changed since, and whether the results have.
    """

    report: BuiltReport
    warnings: tuple[str, ...]


def rebuild_report(
    source: Engine | str | Path,
    output: str | Path,
    analysis: int,
    *,
    timestamp: int | str | None = None,
    figures: str | Path | None = None,
) -> RebuiltReport:
    """Write the report of a stored analysis again, from the same rows with the same parameters and seed.

    Parameters
    ----------
    source : Engine, str or Path
        The results database.
    output : str or Path
        PDF file to write.
    analysis : int
        Its number, as `prunestats analyses` lists it.
    timestamp : int or str, optional
        As in `build_report`; by default the time at which the analysis was stored.
    figures : str or Path, optional
        As in `build_report`.

    Returns
    -------
    RebuiltReport

    Raises
    ------
    InputError
        If there is no such analysis, or it is not a report.
    DatabaseError
        If the rows that it was computed from have changed; nothing is written then.

    Notes
    -----
    The bytes are the same for the same timestamp under the same versions; `warnings` lists versions that differ.

    Examples
    --------
    >>> import tempfile
    >>> from prunestats.db import import_results
    >>> folder = Path(tempfile.mkdtemp())
    >>> runs = pd.DataFrame({"subnetwork": ["a", "b", "c"], "flops": 900, "params": [8, 9, 10], "val_error": 0.3})
    >>> _ = import_results(folder / "results.db", runs, original="net", flops_convention="multiply-adds")
    >>> report = build_report(folder / "results.db", folder / "report.pdf", timestamp=0)
    >>> again = rebuild_report(folder / "results.db", folder / "again.pdf", report.analysis_id, timestamp=0)
    >>> again.warnings, again.report.path.read_bytes() == report.path.read_bytes()
    ((), True)
    """
    engine = source if isinstance(source, Engine) else open_database(source, create=False)
    try:
        with read(engine) as connection:
            row = find_analysis(connection, analysis)
        if row.kind != "report" or row.study is None:
            raise InputError(
                f"expected the number of a report; found {analysis}, which is of kind {row.kind!r}: choose one that "
                "`prunestats analyses` lists as a report"
            )
        parameters = {name: int(row.parameters[name]) for name in ("bucket", "seed")}
        selected = {str(name): str(row.parameters[name]) for name in ("dataset", "protocol") if name in row.parameters}
        _refuse_changed_rows(engine, row, parameters["bucket"], selected)
        moment = int(row.created_at.replace(tzinfo=UTC).timestamp()) if timestamp is None else timestamp
        chosen: dict[str, Any] = {**parameters, **selected}
        report = build_report(engine, output, study=row.study, timestamp=moment, figures=figures, **chosen)
        with read(engine) as connection:
            before, after = (_results(analysis_result(connection, one)) for one in (row.id, report.analysis_id))
        return RebuiltReport(report, _warnings(row, _holds(after, before)))
    finally:
        if engine is not source:
            engine.dispose()


def _results(stored: Any) -> Any:
    """A stored analysis without its sentences, whose wording may change between versions."""
    if isinstance(stored, dict):
        return {name: _results(part) for name, part in stored.items() if name not in _SENTENCES}
    return [_results(part) for part in stored] if isinstance(stored, list) else stored


def _holds(after: Any, before: Any) -> bool:
    """Whether a new analysis has every result of a stored one; a later version may have added others, at any depth."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and _holds(after[name], part) for name, part in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_holds, after, before))
    return bool(after == before)


def _refuse_changed_rows(engine: Engine, row: AnalysisRow, bucket: int, selected: Mapping[str, str]) -> None:
    assert row.study is not None
    frames = report_frames(engine, row.study, bucket, **selected)
    found = rows_hash(pd.concat(frames))
    if found != row.rows_hash:
        raise DatabaseError(
            f"expected the {row.n_rows:,} runs that analysis {row.id} was computed from (hash {row.rows_hash[:8]}); "
            f"found {len(frames[0]):,} (hash {found[:8]}): they have changed since, so build a new report without "
            "--analysis"
        )


def _warnings(row: AnalysisRow, same: bool) -> tuple[str, ...]:
    changed = [
        f"{name} {row.versions.get(name, 'not recorded')} then, {version} now"
        for name, version in code_versions().items()
        if row.versions.get(name) != version
    ]
    if not changed:
        return ()
    outcome = "its results are the same" if same else "its results differ from the stored ones"
    return (f"analysis {row.id} was made with other versions ({'; '.join(changed)}): {outcome}",)
