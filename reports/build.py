"""The door: from a database to a PDF, and back with the record of what was concluded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.engine import make_url

from prunestats.db import (
    declaration,
    open_database,
    read,
    rows_hash,
    store_analysis,
    study_status,
    write,
)
from prunestats.db import schema as t
from prunestats.errors import InputError
from prunestats.reports.analyse import analyse_study
from prunestats.reports.analysis import StudyAnalysis
from prunestats.reports.blocks import settings
from prunestats.reports.facts import Original, Population, Protocol, Provenance, SpaceLaw, StudyFacts
from prunestats.reports.findings import regime_sentence
from prunestats.reports.provenance import code_versions, seconds
from prunestats.reports.refined import analyse_refined
from prunestats.reports.render import draw_figures, render, write_figures, write_in_one_step
from prunestats.reports.rows import find_study, report_frames, with_buckets

# Not by row number, which is the order of training: two runs of one study give one report.
_ORIGINALS = (t.original.c.network, t.original.c.dataset, t.original.c.seed, t.original.c.key)


@dataclass(frozen=True)
class BuiltReport:
    """A report that was written; it stands for its path wherever a path is taken.

    Parameters
    ----------
    path : Path
        The PDF.
    verdicts : tuple of str
        A sentence a regime.
    analysis : StudyAnalysis
        What the report states.
    analysis_id : int
        Its row in the database.
    """

    path: Path
    verdicts: tuple[str, ...]
    analysis: StudyAnalysis
    analysis_id: int

    def __fspath__(self) -> str:
        return str(self.path)


def build_report(
    source: Engine | str | Path,
    output: str | Path,
    *,
    study: str | None = None,
    bucket: int = 1,
    timestamp: int | str | None = None,
    seed: int = 0,
    figures: str | Path | None = None,
) -> BuiltReport:
    """Analyse one study of a database and write its report.

    Parameters
    ----------
    source : Engine, str or Path
        The results database.
    output : str or Path
        PDF file to write; it is replaced in one step.
    study : str, optional
        Name of the study; needed where the database holds several.
    bucket : int
        Parameters a bucket; 1 counts parameters.
    timestamp : int or str, optional
        Seconds since 1970, or an ISO time (UTC unless it says otherwise), printed in the report. By default
        ``SOURCE_DATE_EPOCH`` where that is set, else now. The same database and timestamp give the same bytes.
    seed : int
        Seed of the analysis.
    figures : str or Path, optional
        Folder that the figures are written to as well, as SVG and PNG.

    Returns
    -------
    BuiltReport

    Raises
    ------
    DatabaseError
        If there is no such database.
    InputError
        If the study is not there, has no run, or is not named among several; or the timestamp is not one.
    """
    made_at = seconds(timestamp)
    given = isinstance(source, Engine)
    engine = source if isinstance(source, Engine) else open_database(source, create=False)
    try:
        return _build(engine, Path(output), study, bucket, made_at, seed, None if figures is None else Path(figures))
    finally:
        if not given:
            engine.dispose()


def _build(
    engine: Engine, output: Path, name: str | None, bucket: int, made_at: int, seed: int, figures: Path | None
) -> BuiltReport:
    with read(engine) as connection:
        study = find_study(connection, name)
        facts = _load_facts(connection, study, engine)
    validation, test, *others = frames = report_frames(engine, facts.name, bucket)
    rng = np.random.default_rng(seed)
    spaces = [space.name for space in facts.spaces]
    chosen_on = validation
    with suppress(InputError):  # without the layers of an original, only what needs its buckets is left out
        chosen_on = with_buckets(engine, validation, bucket)
    analysis = analyse_study(chosen_on, test, bucket=bucket, rng=rng, spaces=spaces)
    with read(engine) as connection:
        declared = [declaration(connection, str(frame["study"].iloc[0])) for frame in others]
    refined = tuple(
        analyse_refined(said.study, said.words, frame, child)
        for said, frame, child in zip(declared, others, rng.spawn(len(others)), strict=True)
    )
    analysis = replace(analysis, refined=refined)
    provenance = Provenance(rows_hash(pd.concat(frames)), len(validation), seed, code_versions(), made_at)
    drawn = draw_figures(analysis, facts)
    write_in_one_step(output, render(analysis, facts, provenance, drawn))
    if figures is not None:
        write_figures(drawn, figures)
    with write(engine) as connection:
        analysis_id = store_analysis(
            connection,
            study_id=study["id"],
            kind="report",
            parameters={"bucket": bucket, "seed": seed},
            rows_hash=provenance.rows_hash,
            n_rows=provenance.n_rows,
            result=analysis.to_dict(),
            versions=provenance.versions,
        )
    return BuiltReport(output, tuple(map(regime_sentence, analysis.regimes)), analysis, analysis_id)


def _load_facts(connection: Connection, study: dict[str, Any], engine: Engine) -> StudyFacts:
    mine = {"study_id": study["id"]}
    regimes = _rows(connection, select(t.regime).filter_by(**mine).order_by(t.regime.c.flops_fraction.desc()))
    spaces = _rows(connection, select(t.space).filter_by(**mine).order_by(t.space.c.position))
    missing: dict[tuple[float, str], int] = {}
    for row in study_status(connection, study["name"]):
        missing[row.regime, row.space] = missing.get((row.regime, row.space), 0) + row.missing
    used = select(t.population.c.original_id).where(t.population.c.study_id == study["id"])
    originals = _rows(connection, select(t.original).where(t.original.c.id.in_(used)).order_by(*_ORIGINALS))
    return StudyFacts(
        name=study["name"],
        fingerprint=study["fingerprint"],
        seed=study["seed"],
        database=_database_name(engine),
        originals=tuple(_original(row) for row in originals),
        spaces=tuple(SpaceLaw(row["name"], row["sampler"], row["parameters"], row["law"]) for row in spaces),
        regimes=tuple((row["flops_fraction"], row["tolerance"]) for row in regimes),
        populations=tuple(Population(**row) for row in _populations(connection, study["id"])),
        protocols=_protocols(connection, study["id"]),
        machines=_machines(connection, study["id"]),
        missing={place: n for place, n in missing.items() if n},
    )


def _populations(connection: Connection, study_id: int) -> list[dict[str, Any]]:
    joined = (
        t.population.join(t.regime, t.population.c.regime_id == t.regime.c.id)
        .join(t.space, t.population.c.space_id == t.space.c.id)
        .join(t.original, t.population.c.original_id == t.original.c.id)
    )
    size = select(func.count()).where(t.draw.c.population_id == t.population.c.id).scalar_subquery()
    query = (
        select(
            t.regime.c.flops_fraction.label("regime"),
            t.space.c.name.label("space"),
            t.original.c.key.label("original"),
            size.label("drawn"),
            t.population.c.attempts,
            t.population.c.accepted,
        )
        .select_from(joined)
        .where(t.population.c.study_id == study_id)
        .order_by(t.regime.c.flops_fraction.desc(), t.space.c.position, *_ORIGINALS)
    )
    return _rows(connection, query)


def _of_runs(column: Any, study_id: int) -> Any:
    """Values of a column of `run` among the runs of a study's subnetworks."""
    joined = t.run.join(t.draw, t.draw.c.subnetwork_id == t.run.c.subnetwork_id).join(t.population)
    return select(column).select_from(joined).where(t.population.c.study_id == study_id)


def _protocols(connection: Connection, study_id: int) -> tuple[Protocol, ...]:
    planned = select(t.plan.c.protocol_id).where(t.plan.c.study_id == study_id)
    # Results from outside have no plan: theirs are the protocols of their runs.
    used = planned if connection.execute(planned.limit(1)).first() else _of_runs(t.run.c.protocol_id, study_id)
    rows = _rows(connection, select(t.protocol).where(t.protocol.c.id.in_(used)).order_by(t.protocol.c.key))
    return tuple(Protocol(row["key"], row["name"], row["parameters"]) for row in rows)


def _machines(connection: Connection, study_id: int) -> tuple[str, ...]:
    used = _of_runs(t.run.c.environment_id, study_id)
    rows = _rows(connection, select(t.environment).where(t.environment.c.id.in_(used)))
    software = [{"Python": row["python"], **row["versions"]} for row in rows]
    named = {f"{row['platform']}, {settings(on)}" for row, on in zip(rows, software, strict=True)}
    return tuple(sorted(named))


def _original(row: dict[str, Any]) -> Original:
    return Original(
        key=row["key"],
        network=row["network"],
        dataset=row["dataset"],
        seed=row["seed"],
        flops=row["flops"],
        params=row["params"],
        n_groups=len(row["group_sizes"] or ()),
        convention=row["flops_convention"],
        val_error=row["val_error"],
        test_error=row["test_error"],
        recipe=row["recipe"] or {},
    )


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _database_name(engine: Engine) -> str:
    """The file's name, as its folder says nothing to a reader elsewhere; or the URL without its password."""
    url = make_url(engine.url)
    if url.get_backend_name() == "sqlite":
        return Path(url.database or "").name or "in memory"
    return url.render_as_string(hide_password=True)
