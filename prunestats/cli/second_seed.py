"""What one training seed per subnetwork leaves out, and the command that trains a second one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from shlex import quote

from prunestats.cli.analysis import LoadedRuns
from prunestats.metric import metric_of


def second_seed_notes(loaded: LoadedRuns, columns: Sequence[str]) -> list[str]:
    """Return a note that names the empty columns and how to fill them, where every subnetwork has one training seed."""
    unit = ["original", "space", "regime", "subnetwork"]
    if loaded.frame.groupby(unit, sort=False).size().max() > 1:
        return []
    empty = f"{', '.join(columns[:-1])} and {columns[-1]} are empty, as every subnetwork has one training seed"
    seeds = sorted({int(seed) for seed in loaded.frame["seed"]})
    if not _is_planned(loaded):
        metric = metric_of(loaded.frame)
        name = metric.name
        values = "errors" if name == "error" else metric.label
        columns_of_runs = f"{name}={name.upper()}_0,{name.upper()}_1"
        return [
            f"{empty}: import a table with a second column of {values}, as in "
            f"`prunestats import TABLE --column {columns_of_runs} --db {quote(loaded.db)}`, or with "
            "a column of seeds (--column seed=NAME)."
        ]
    name = json.dumps(f"{loaded.parameters['study']} {len(seeds) + 1} seeds", ensure_ascii=False)
    every = [*seeds, seeds[-1] + 1]
    return [
        f"{empty}: in a copy of the study file set name = {name} and, under [protocol], seeds = {every}; then "
        f"`prunestats run STUDY --db {quote(loaded.db)}` trains the missing runs alone."
    ]


def _is_planned(loaded: LoadedRuns) -> bool:
    """Return whether the study was run from a file; an import has no plan."""
    from sqlalchemy import func, select

    from prunestats.db import open_database, read
    from prunestats.db.schema import tables as schema

    engine = open_database(loaded.db, create=False)
    planned = schema.plan.join(schema.study, schema.plan.c.study_id == schema.study.c.id)
    query = select(func.count()).select_from(planned).where(schema.study.c.name == loaded.parameters["study"])
    with read(engine) as connection:
        found = bool(connection.scalar(query))
    engine.dispose()
    return found
