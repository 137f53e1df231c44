"""Which runs a filter names, read in as few columns a run as can be."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Connection, bindparam, func, select, text

from prunestats.db import schema
from prunestats.db.outcomes import unknown

# What is read with every run; the order of columns in the query.
_OF_A_RUN = (
    "population_id",
    "protocol_id",
    "subnetwork_id",
    "draw",
    "subnetwork",
    "flops",
    "params",
    "seed",
    "state",
    "val_error",
    "test_error",
    "val_loss",
    "test_loss",
    "train_loss",
    "epochs",
    "wall_s",
    "failure",
    "host",
    "latency_ms_1",
    "latency_ms_64",
    "speedup_1",
    "speedup_64",
)
_OF_A_POPULATION = """
SELECT p.id AS population_id, st.name AS study, o.key AS original, o.network AS network, o.dataset AS dataset,
    o.seed AS original_seed, o.flops AS original_flops, o.params AS original_params, sp.name AS space,
    g.flops_fraction AS regime
FROM population p
JOIN study st ON st.id = p.study_id
JOIN original o ON o.id = p.original_id
JOIN regime g ON g.id = p.regime_id
JOIN space sp ON sp.id = p.space_id
"""
_OF_A_PROTOCOL = "SELECT id AS protocol_id, name AS protocol, key AS protocol_key FROM protocol"


# What each filter looks at: columns of the view, and the names that there are.
_MATCH = {
    "study": ("study",),
    "original": ("original", "network"),
    "space": ("space",),
    "protocol": ("protocol", "protocol_key", "protocol || '-' || substr(protocol_key, 1, 8)"),
}


def check_names(connection: Connection, given: dict[str, list[Any]]) -> None:
    """Refuse names that are not in the database, looking inside the studies that were asked for."""
    tables = {"study": schema.study, "original": schema.original, "space": schema.space, "regime": schema.regime}
    protocol = schema.protocol
    columns: dict[str, list[Any]] = {
        "study": [schema.study.c.name],
        "original": [schema.original.c.key, schema.original.c.network],
        "space": [schema.space.c.name],
        "regime": [schema.regime.c.flops_fraction],
        "protocol": [protocol.c.name, protocol.c.name + "-" + func.substr(protocol.c.key, 1, 8), protocol.c.key],
    }
    for kind, wanted in given.items():
        names: list[Any] = []
        for column in columns[kind]:
            query = select(column).distinct().order_by(column)
            if kind in {"space", "regime"} and "study" in given:
                query = query.where(
                    tables[kind].c.study_id.in_(
                        select(schema.study.c.id).where(schema.study.c.name.in_(given["study"]))
                    )
                )
            names += [name for name in connection.scalars(query) if name not in names]
        for name in wanted:
            if not any(_same(name, there) for there in names):
                raise unknown(kind, name, names)


def _same(wanted: Any, there: Any) -> bool:
    if isinstance(wanted, float) and isinstance(there, float):
        return abs(wanted - there) <= 1e-9
    return bool(wanted == there)


def select_runs(connection: Connection, given: dict[str, list[Any]], state: str | None) -> pd.DataFrame:
    """Read the view, in the order of studies, populations, drawing and seeds."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for kind, names in given.items():
        if kind == "regime":
            tests = [f"abs(regime - :regime_{place}) <= 1e-9" for place in range(len(names))]
            conditions.append(f"({' OR '.join(tests) or '1 = 0'})")
            values |= {f"regime_{place}": name for place, name in enumerate(names)}
        else:
            conditions.append(f"({' OR '.join(f'{column} IN :{kind}' for column in _MATCH[kind])})")
            values[kind] = names
    if state is not None:
        conditions.append("state = :state")
        values["state"] = state
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    runs = text(f"SELECT {', '.join(_OF_A_RUN)}, CAST(widths AS TEXT) AS widths FROM results {where}")
    runs = runs.bindparams(*(bindparam(kind, expanding=True) for kind in given if kind != "regime"))
    found = connection.execute(runs, values).fetchall()
    columns = list(zip(*found, strict=True)) or [()] * (len(_OF_A_RUN) + 1)
    frame = pd.DataFrame(dict(zip((*_OF_A_RUN, "widths"), columns, strict=True)))
    return frame.sort_values(["population_id", "draw", "protocol_id", "seed"], ignore_index=True)


def add_names(connection: Connection, frame: pd.DataFrame) -> pd.DataFrame:
    """Add what is the same for a whole population, or for a whole protocol, instead of reading it with every run."""
    for key, query in (("population_id", _OF_A_POPULATION), ("protocol_id", _OF_A_PROTOCOL)):
        result = connection.execute(text(query))
        rows = result.fetchall()
        names = pd.DataFrame.from_records(list(map(tuple, rows)), columns=list(result.keys())).set_index(key)
        places = names.index.get_indexer(pd.Index(frame[key]))
        frame = frame.assign(**{column: names[column].take(places).array for column in names.columns})
    frame["original_ratio"] = frame["original_flops"] / frame["original_params"]
    frame["flops_fraction"] = frame["flops"] / frame["original_flops"]
    return frame
