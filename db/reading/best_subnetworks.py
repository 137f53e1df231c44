"""The subnetworks to take, read off a database: runs, dense networks and uniform pruning of a study put together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from prunestats.db.connection.address import folder_beside
from prunestats.db.connection.engine import read
from prunestats.db.reading.declaration import refinements
from prunestats.db.reading.find_run import find_runs, kept_file
from prunestats.db.reading.latencies import LatencySetting, stored_latencies
from prunestats.db.reading.latency_columns import join_latencies, unmeasured_note
from prunestats.db.reading.results import Source, load_results
from prunestats.db.reading.study_record import find_study, load_facts
from prunestats.db.schema.opening import read_only_engine
from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, with_metric
from prunestats.noise.best_result import BestSubnetwork
from prunestats.noise.budget import Budget
from prunestats.noise.subnetwork_to_take import best_subnetworks
from prunestats.results.checks import RUN_KEY
from prunestats.study_record import SpaceLaw, StudyFacts

_COLUMNS = (
    *("study", "original", "network", "dataset", "space", "regime", "protocol", "seed", "subnetwork", "widths"),
    *("flops", "params", "error", "loss", "val_error", "test_error", "speedup_1", "speedup_64"),
    *("latency_ms_1", "latency_ms_64"),
)

_KEPT = "Its trained weights are kept: the export reads them and does not train it again."
_NO_WEIGHTS = "It cannot be exported: its results were imported, without the weights of the dense network."


@dataclass(frozen=True)
class StudyRuns:
    """The runs of a study that select, and what else a selection needs.

    Parameters
    ----------
    facts : StudyFacts
    frame : DataFrame
        Finished runs on the validation split, with those of the studies that refine it under the same protocol; marked
        with the study's metric where that is not the error.
    measured_in : str
        Setting of its columns latency_ms, dense_ms and speedup, which `with_latencies` adds.
    unmeasured : int
        Subnetworks without a latency in this setting.
    """

    facts: StudyFacts
    frame: pd.DataFrame
    measured_in: str = ""
    unmeasured: int = 0


def best(
    source: Source,
    *,
    study: str | None = None,
    flops: float | None = None,
    params: float | None = None,
    speedup: float | None = None,
    max_drop: float | None = None,
    latency_ms: float | None = None,
    runtime: str | None = None,
    batch: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    uniform: str | None = None,
    dataset: str | None = None,
    protocol: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> tuple[BestSubnetwork, ...]:
    """The subnetwork to take for each FLOPs budget of a study, or for a budget that is given.

    Parameters
    ----------
    source : Engine, str or Path
        The results database, which is only read.
    study : str, optional
        Name of the study; by default the only one that neither refines another nor is a round of a search.
    flops : float, optional
        Most FLOPs, as a fraction of the original's, which are never exceeded, nor is a regime's target.
    params : float, optional
        Most parameters: a fraction of the original's up to 1, a count above 1.
    speedup : float, optional
        Least measured speed-up: of the latencies that `prunestats latency` stored, else of those that runs measured on
        their workers for a batch of 1.
    max_drop : float, optional
        Most that the study's metric may be worse than the dense network's, in its unit; of the error 0.01 is one
        percentage point. Selects the subnetwork with the fewest FLOPs that keeps it by its estimated validation value.
    latency_ms : float, optional
        Most milliseconds of a batch.
    runtime, batch, device, precision, threads : optional
        The setting of `latency_ms` and `speedup`, needed where latencies of several are stored; a part of the device's
        name suffices.
    uniform : str, optional
        Space of uniform pruning to compare with; by default the unconstrained space of the sampler jittered_uniform
        with the least jitter, or in imported results a space that is named uniform.
    dataset, protocol : str, optional
        Only runs on this data set, and with this protocol, which is needed where the study has several.
    level : float
        Confidence level of the intervals, in (0, 1).
    rng : numpy.random.Generator, optional
        For the refits of the correction; a generator seeded with 0 by default.

    Returns
    -------
    tuple of BestSubnetwork
        One a network and regime, the largest regime first; with a budget one a network, from all regimes.

    Raises
    ------
    DatabaseError
        If the database cannot be read.
    InputError
        If the study does not exist, has no finished run, or is not named although there are several; for a budget
        outside its range, or one that needs what was not measured.

    Notes
    -----
    Selected by validation error, or the study's own metric, with the rule of `rank_subnetworks`, over all spaces;
    reported on the test split, with the correction of `winner_error`. Runs of studies that refine this one take part,
    where their protocol is the same. Rounds of searches do not, as they train under protocols of their own. See
    `best_subnetworks` for the method.

    Examples
    --------
    >>> for found in best("results.db", study="digits"):     # doctest: +SKIP
    ...     print(found.budget.words, found.subnetwork, found.widths, found.expected)
    """
    limits: dict[str, Any] = {"flops": flops, "params": params, "speedup": speedup, "max_drop": max_drop}
    limits["latency_ms"] = latency_ms
    setting = LatencySetting(runtime, batch, device, precision, threads)
    engine = source if isinstance(source, Engine) else read_only_engine(source)
    try:
        runs = runs_to_select(engine, study, dataset=dataset, protocol=protocol)
        metric = runs.facts.metric
        runs = with_latencies(engine, runs, setting, given_budget(**limits, metric=metric))
        budget = given_budget(**limits, metric=metric, measured_in=runs.measured_in)
        named = runs.facts.database if isinstance(source, Engine) else os.fspath(source)
        return best_of_study(engine, runs, named, budget=budget, uniform=uniform, level=level, rng=rng)
    finally:
        if engine is not source:
            engine.dispose()


def given_budget(
    *,
    flops: float | None,
    params: float | None,
    speedup: float | None,
    max_drop: float | None,
    latency_ms: float | None = None,
    measured_in: str = "",
    metric: Metric = ERROR,
) -> Budget | None:
    """The budget of the limits that are given, None without any."""
    budget = Budget(flops, params, speedup, max_drop, metric, latency_ms, measured_in)
    return None if budget == Budget(metric=metric, measured_in=measured_in) else budget


def with_latencies(engine: Engine, runs: StudyRuns, wanted: LatencySetting, budget: Budget | None) -> StudyRuns:
    """Add to runs the latencies of one setting (`join_latencies`)."""
    studies = list(dict.fromkeys([runs.facts.name, *runs.frame["study"]]))
    with read(engine) as connection:
        stored = stored_latencies(connection, studies)
    frame, measured_in, unmeasured = join_latencies(runs.frame, stored, wanted, budget or Budget())
    return StudyRuns(runs.facts, frame, measured_in, unmeasured)


def runs_to_select(
    engine: Engine, study: str | None, *, dataset: str | None = None, protocol: str | None = None
) -> StudyRuns:
    """Load the finished runs of a study and of the studies that refine it, on a data set and with a protocol.

    Raises
    ------
    InputError
        For a study that does not exist or has no finished run, or several to choose from.
    """
    with read(engine) as connection:
        facts = load_facts(connection, find_study(connection, study), engine, dataset=dataset, protocol=protocol)
        refining = [name for name, refined in refinements(connection).items() if refined == facts.name]
    # loaded together, so that two protocols of one name have different names
    names = [facts.name, *refining]
    frame = load_results(engine, study=names, dataset=dataset, protocol=protocol, state="done", columns=_COLUMNS)
    mine = frame[frame["study"] == facts.name]
    if mine.empty:
        raise InputError(f"expected finished runs of study {facts.name!r}; found none: run it first")
    same = frame["protocol"].isin(mine["protocol"]) & frame["regime"].isin(mine["regime"])
    every = pd.concat([mine, frame[same & (frame["study"] != facts.name)]], ignore_index=True)
    every = every.drop_duplicates(list(RUN_KEY), ignore_index=True)
    return StudyRuns(facts, every if facts.metric == ERROR else with_metric(every, facts.metric))


def best_of_study(
    engine: Engine,
    runs: StudyRuns,
    database: str,
    *,
    budget: Budget | None = None,
    uniform: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> tuple[BestSubnetwork, ...]:
    """Select the subnetworks to take from loaded runs, each with the command that exports it.

    Parameters
    ----------
    engine : Engine
    runs : StudyRuns
        From `runs_to_select`.
    database : str
        File as the command names it; of a URL, what is known of it without its password.
    budget, uniform, level, rng
        As in `best`.
    """
    facts = runs.facts
    names = [space.name for space in facts.spaces]
    if uniform is not None and uniform not in names:
        raise InputError(f"expected a space of study {facts.name!r}; found {uniform!r}: it has {', '.join(names)}")
    tested = runs.frame["test_error" if facts.metric == ERROR else "test_metric"]
    found = best_subnetworks(
        runs.frame,
        runs.frame.assign(**{facts.metric.name: tested}),
        facts.originals,
        budget=budget,
        uniform=uniform or uniform_space(facts.spaces),
        level=level,
        rng=rng,
    )
    named = facts.database if "://" in database else database
    return tuple(_with_export(engine, _with_setting(one, runs), facts, named) for one in found)


def _with_setting(found: BestSubnetwork, runs: StudyRuns) -> BestSubnetwork:
    """Name the setting of its latency, and note where only some subnetworks have one."""
    notes = (*found.notes, *unmeasured_note(runs.frame, runs.unmeasured, found.budget))
    return replace(found, notes=notes, latency_setting="" if found.latency_ms is None else runs.measured_in)


def uniform_space(spaces: Sequence[SpaceLaw]) -> str | None:
    """Name of the space of uniform pruning: of the least jitter among unconstrained ones, or an import of this name.

    Examples
    --------
    >>> uniform_space([SpaceLaw("even", "jittered_uniform", {"jitter": 0.1}, "")])
    'even'
    """
    sampled = [one for one in spaces if one.sampler == "jittered_uniform" and not one.parameters.get("constraints")]
    if sampled:
        return min(sampled, key=lambda one: float(one.parameters.get("jitter", 0.0))).name
    return next((one.name for one in spaces if one.sampler == "outside" and one.name == "uniform"), None)


def _with_export(engine: Engine, found: BestSubnetwork, facts: StudyFacts, database: str) -> BestSubnetwork:
    if found.subnetwork is None:
        return found
    notes, weights = found.notes, {one.key: one.has_weights for one in facts.originals}
    if not weights[str(found.original)] or found.widths is None:
        return replace(found, notes=(*found.notes, _NO_WEIGHTS))
    with read(engine) as connection:
        rows = find_runs(connection, found.subnetwork)
    protocols = {row.protocol_key for row in rows}
    taken = [row for row in rows if len(protocols) == 1 or row.protocol_key == facts.protocols[0].key]
    if any(kept_file(folder_beside(engine.url, "weights"), row) for row in taken):
        notes = (*notes, _KEPT)
    named = f" --protocol {facts.protocols[0].key}" if len(protocols) > 1 else ""
    folder = f"subnetwork-{found.subnetwork[:8]}"
    command = f"prunestats export-subnetwork {quote(found.subnetwork)} -o {quote(folder)} --db {quote(database)}{named}"
    return replace(found, export=command, notes=notes)
