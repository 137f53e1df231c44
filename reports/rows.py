"""All rows that a report looks at, whether it is built or built again."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, select

from prunestats.cost import CostModel
from prunestats.db import follow_ups, load_results, read, refinements, schema
from prunestats.errors import InputError
from prunestats.reports.tables import plain


def find_study(connection: Connection, name: str | None) -> dict[str, Any]:
    """The row of a study; without a name, of the only one that no other led to."""
    rows = [dict(row) for row in connection.execute(select(schema.study).order_by(schema.study.c.id)).mappings()]
    others = follow_ups(connection)
    wanted = [row for row in rows if (name is None and row["name"] not in others) or row["name"] == name]
    found = ", ".join(plain(row["name"]) for row in rows) or "none"
    if not wanted:
        raise InputError(f"a report needs a study{f' named {name!r}' if name else ''}; found {found}: run one first")
    if len(wanted) > 1:
        raise InputError(f"a report is of one study; found {found}: name one with study=")
    return wanted[0]


def report_frames(engine: Engine, study: str, bucket: int) -> list[pd.DataFrame]:
    """Load both splits of a study, and the test split of each study that refines it.

    Parameters
    ----------
    engine : Engine
    study : str
        Its name.
    bucket : int
        Parameters a bucket.

    Returns
    -------
    list of DataFrame
        Validation and test of all of its runs; then a frame for each refining study with a finished run.
    """
    validation = load_results(engine, study=study, state=None, split="validation", bucket=bucket)
    test = load_results(engine, study=study, state=None, split="test", bucket=bucket)
    with read(engine) as connection:
        refining = [name for name, refined in refinements(connection).items() if refined == study]
    others = [load_results(engine, study=name, state="done", split="test") for name in refining]
    return [validation, test, *(frame for frame in others if not frame.empty)]


def with_buckets(engine: Engine, frame: pd.DataFrame, bucket: int) -> pd.DataFrame:
    """Add the parameter buckets that each original fills, as original_buckets; nothing for a bucket of 1.

    Raises
    ------
    InputError
        If the layers of an original are not on record.
    """
    if bucket == 1:
        return frame
    table = schema.original.c
    with read(engine) as connection:
        stored = connection.execute(select(table.key, table.cost).where(table.key.in_(set(frame["original"])))).all()
    buckets = {}
    for key, content in stored:
        if content is None:
            raise InputError(
                f"buckets of {bucket} are counted layer by layer; found no layers of original {key}: use 1"
            )
        cost = CostModel.from_dict(content)
        buckets[key] = int(cost.buckets([cost.group_sizes], bucket)[0])
    return frame.assign(original_buckets=frame["original"].map(buckets))
