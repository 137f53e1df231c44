"""From a database to a PDF; what the report concludes is stored in the database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from prunestats.db import (
    declaration,
    load_results,
    open_database,
    read,
    refinements,
    rows_hash,
    store_analysis,
    write,
)
from prunestats.db.reading.best_subnetworks import best_of_study, runs_to_select
from prunestats.db.reading.study_record import find_study, load_facts, with_buckets
from prunestats.errors import InputError
from prunestats.files import write_atomically
from prunestats.noise.best_result import BestSubnetwork
from prunestats.numeric.generators import own_generator
from prunestats.reports.analysis.refined import analyse_refined
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.analysis.study import analyse_study
from prunestats.reports.pdf import draw_figures, render, write_figures
from prunestats.reports.provenance import Provenance, code_versions, seconds
from prunestats.reports.text.findings import key_findings, regime_sentence
from prunestats.study_record import StudyFacts

_SPLITS: tuple[Literal["validation", "test"], ...] = ("validation", "test")


@dataclass(frozen=True)
class BuiltReport:
    """A report that was written; accepted wherever a path is.

    Parameters
    ----------
    path : Path
        The PDF.
    verdicts : tuple of str
        One sentence per regime.
    analysis : StudyAnalysis
        The results that the report prints.
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
    dataset: str | None = None,
    protocol: str | None = None,
    bucket: int = 1,
    timestamp: int | str | None = None,
    seed: int = 0,
    figures: str | Path | None = None,
) -> BuiltReport:
    """Analyse one study of a database and write its report.

    Parameters
    ----------
    source : Engine, str or Path
        The results database, or its engine, which stays open.
    output : str or Path
        PDF file to write or replace, in one step.
    study : str, optional
        Name of the study; needed where the database holds several.
    dataset, protocol : str, optional
        Name of the data set and of the protocol to report; needed where the study has runs of several.
    bucket : int
        Size of a parameter bucket, in parameters; with 1 the ratio is FLOPs over parameters.
    timestamp : int or str, optional
        Seconds since 1970, or an ISO time (UTC unless it has an offset), printed in the report. By default
        ``SOURCE_DATE_EPOCH`` where that is set, else now. The same database and timestamp give the same bytes.
    seed : int
        Seed of all resampling in the analysis.
    figures : str or Path, optional
        Folder to write the figures to as well, as SVG and PNG.

    Returns
    -------
    BuiltReport

    Raises
    ------
    DatabaseError
        If there is no such database.
    InputError
        If the study does not exist, has no run, or is not named although there are several; for runs of several data
        sets or protocols, or an invalid timestamp.

    Notes
    -----
    Selection (of an optimum, of a winner) uses the validation split; distributions and comparisons use the test split.
    Inference is conditional on the originals of the study. Each method is described in the report, with its references.

    Examples
    --------
    >>> import tempfile
    >>> from prunestats.db import import_results
    >>> folder = Path(tempfile.mkdtemp())
    >>> runs = pd.DataFrame({"subnetwork": ["a", "b", "c"], "flops": 900, "params": [8, 9, 10], "val_error": 0.3})
    >>> _ = import_results(folder / "results.db", runs, original="net", flops_convention="multiply-adds")
    >>> report = build_report(folder / "results.db", folder / "report.pdf", timestamp=0)
    >>> report.path.name, report.analysis.n_done
    ('report.pdf', 3)
    """
    made_at = seconds(timestamp)
    given = isinstance(source, Engine)
    selected = {name: value for name, value in (("dataset", dataset), ("protocol", protocol)) if value is not None}
    folder = None if figures is None else Path(figures)
    engine = source if isinstance(source, Engine) else open_database(source, create=False)
    try:
        return _build(engine, Path(output), study, selected, bucket, made_at, seed, folder)
    finally:
        if not given:
            engine.dispose()


def _build(
    engine: Engine,
    output: Path,
    name: str | None,
    selected: Mapping[str, str],
    bucket: int,
    made_at: int,
    seed: int,
    figures: Path | None,
) -> BuiltReport:
    with read(engine) as connection:
        study = find_study(connection, name)
        facts = load_facts(connection, study, engine, **selected)
    validation, test, *others = frames = report_frames(engine, facts.name, bucket, **selected)
    rng = np.random.default_rng(seed)
    spaces = [space.name for space in facts.spaces]
    selected_on = validation
    # If the layers of an original were not recorded, only the results that need its buckets are left out.
    with suppress(InputError):
        selected_on = with_buckets(engine, validation, bucket)
    analysis = analyse_study(selected_on, test, bucket=bucket, rng=rng, spaces=spaces)
    with read(engine) as connection:
        declarations = [declaration(connection, str(frame["study"].iloc[0])) for frame in others]
    refined = tuple(
        analyse_refined(one.study, one.words, frame, own_generator(rng))
        for one, frame in zip(declarations, others, strict=True)
    )
    analysis = replace(analysis, refined=refined, best=_best(engine, facts, selected, rng) if analysis.n_done else ())
    analysis = replace(analysis, findings=key_findings(analysis))
    provenance = Provenance(rows_hash(pd.concat(frames)), len(validation), seed, code_versions(), made_at)
    drawn = draw_figures(analysis, facts)
    write_atomically(output, render(analysis, facts, provenance, drawn))
    if figures is not None:
        write_figures(drawn, figures)
    with write(engine) as connection:
        analysis_id = store_analysis(
            connection,
            study_id=study["id"],
            kind="report",
            parameters={"bucket": bucket, "seed": seed, **selected},
            rows_hash=provenance.rows_hash,
            n_rows=provenance.n_rows,
            result=analysis.to_dict(),
            versions=provenance.versions,
        )
    return BuiltReport(output, tuple(map(regime_sentence, analysis.regimes)), analysis, analysis_id)


def _best(
    engine: Engine, facts: StudyFacts, selected: Mapping[str, str], rng: np.random.Generator
) -> tuple[BestSubnetwork, ...]:
    """The subnetworks to take, as `prunestats best` finds them with the same seed."""
    runs = runs_to_select(engine, facts.name, **selected)
    return best_of_study(engine, runs, facts.database, rng=own_generator(rng))


def report_frames(
    engine: Engine, study: str, bucket: int, *, dataset: str | None = None, protocol: str | None = None
) -> list[pd.DataFrame]:
    """Load both splits of a study, and the test split of each study that refines it.

    Parameters
    ----------
    engine : Engine
    study : str
        Its name.
    bucket : int
        Size of a parameter bucket, in parameters.
    dataset, protocol : str, optional
        The data set, and for the study itself the protocol; all by default.

    Returns
    -------
    list of DataFrame
        Validation and test split of all runs of the study; then the test split of each refining study that has a
        finished run.
    """
    validation, test = (
        load_results(engine, study=study, dataset=dataset, protocol=protocol, state=None, split=split, bucket=bucket)
        for split in _SPLITS
    )
    with read(engine) as connection:
        refining = [name for name, refined in refinements(connection).items() if refined == study]
    others = [load_results(engine, study=name, dataset=dataset, state="done", split="test") for name in refining]
    return [validation, test, *(frame for frame in others if not frame.empty)]
