"""Runs that pass the filters: each table is read once, and joined in memory by row numbers.

A join in the database would transfer names, widths and costs again with every run, which takes three times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from prunestats.db.reading.column_types import Fetch, Types
from prunestats.db.schema import tables as schema
from prunestats.db.storing.insert_once import unknown_name

_POPULATION_TYPES: Types = {
    "population_id": "integer",
    "study_id": "integer",
    "original_id": "integer",
    "study": "text",
    "original": "text",
    "network": "text",
    "dataset": "text",
    "original_seed": "text",
    "original_flops": "integer",
    "original_params": "integer",
    "space": "text",
    "regime": "float",
    "metric": "text",
}
_POPULATIONS = """
SELECT p.id, p.study_id, p.original_id, st.name, o.key, o.network, o.dataset, CAST(o.seed AS TEXT), o.flops, o.params,
    sp.name, g.flops_fraction, CAST(st.metric AS TEXT)
FROM population p
JOIN study st ON st.id = p.study_id
JOIN original o ON o.id = p.original_id
JOIN regime g ON g.id = p.regime_id
JOIN space sp ON sp.id = p.space_id
ORDER BY p.id
"""
_MEMBER_TYPES: Types = {
    "population_id": "integer",
    "subnetwork_id": "integer",
    "draw": "integer",
    "subnetwork": "text",
    "flops": "integer",
    "params": "integer",
    "widths": "text",
}
_MEMBERS = """
SELECT d.population_id, d.subnetwork_id, d.position, s.key, s.flops, s.params, CAST(s.widths AS TEXT)
FROM draw d
JOIN subnetwork s ON s.id = d.subnetwork_id
"""
RUN_TYPES: Types = {
    "subnetwork_id": "integer",
    "protocol_id": "integer",
    "environment_id": "integer",
    "seed": "integer",
    "state": "text",
    "val_error": "float",
    "test_error": "float",
    "val_loss": "float",
    "test_loss": "float",
    "train_loss": "float",
    "epochs": "float",
    "wall_s": "float",
    "failure": "text",
    **dict.fromkeys(schema.OPTIONAL_METRICS, "float"),
}
_OWN_METRICS: Types = {"val_metric": "float", "test_metric": "float", "metrics": "text"}
"""Columns of runs that are read only where a study has a metric of its own."""
_PROTOCOL_TYPES: Types = {"protocol_id": "integer", "protocol": "text", "protocol_key": "text"}
_PROTOCOLS = "SELECT id, name, key FROM protocol ORDER BY id"
_ENVIRONMENT_TYPES: Types = {"environment_id": "integer", "host": "text"}
# row 0: a run whose worker died has no environment
_ENVIRONMENTS = "SELECT 0 AS id, CAST(NULL AS TEXT) AS host UNION ALL SELECT id, host FROM environment ORDER BY id"
_PLAN_TYPES: Types = {"study_id": "integer", "protocol_id": "integer", "seed": "integer"}
_PLANS = "SELECT study_id, protocol_id, seed FROM plan"


_FILTER_COLUMNS = {
    # by filter: the columns that a given value may match
    "study": ("study",),
    "original": ("original", "network"),
    "dataset": ("dataset",),
    "space": ("space",),
    "regime": ("regime",),
    "protocol": ("protocol", "protocol_key", "labelled"),
}
_OF_POPULATIONS = ("study", "original", "dataset", "space", "regime")
SAME_TARGET = 1e-9
"""Largest difference between two values of one FLOPs target: allows for rounding, far below any step of targets."""


def check_names(connection: Connection, given: dict[str, list[Any]]) -> None:
    """Refuse names that are not in the database; spaces and regimes must belong to the given studies."""
    tables = {"space": schema.space, "regime": schema.regime}
    protocol = schema.protocol
    columns: dict[str, list[Any]] = {
        "study": [schema.study.c.name],
        "original": [schema.original.c.key, schema.original.c.network],
        "dataset": [schema.original.c.dataset],
        "space": [schema.space.c.name],
        "regime": [schema.regime.c.flops_fraction],
        "protocol": [protocol.c.name, protocol.c.name + "-" + func.substr(protocol.c.key, 1, 8), protocol.c.key],
    }
    for kind, wanted in given.items():
        names: list[Any] = []
        for column in columns[kind]:
            query = select(column).distinct().order_by(column)
            if kind in tables and "study" in given:
                query = query.where(
                    tables[kind].c.study_id.in_(
                        select(schema.study.c.id).where(schema.study.c.name.in_(given["study"]))
                    )
                )
            names += [name for name in connection.scalars(query) if name is not None and name not in names]
        for name in wanted:
            if not any(_is_same(name, known) for known in names):
                raise unknown_name("data set" if kind == "dataset" else kind, name, names)


def _is_same(wanted: Any, known: Any) -> bool:
    if isinstance(wanted, float) and isinstance(known, float):
        return abs(wanted - known) <= SAME_TARGET
    return bool(wanted == known)


@dataclass(frozen=True)
class Members:
    """Subnetworks of the selected populations, in sampling order, and the tables that their runs refer to.

    Parameters
    ----------
    populations, members, protocols, environments, plans : pandas.DataFrame
        One row per population, subnetwork in a population, protocol, environment, planned seed.
    of_population : array of int, shape (n_members,)
        Index of the population of each member.
    runs : str
        Query of their runs.
    run_types : Types
        Its columns.
    """

    populations: pd.DataFrame
    members: pd.DataFrame
    protocols: pd.DataFrame
    environments: pd.DataFrame
    plans: pd.DataFrame
    of_population: NDArray[np.int64]
    runs: str
    run_types: Types


def select_members(fetch: Fetch, given: dict[str, list[Any]], state: str | None, *, widths: bool) -> Members:
    """Read all selected rows except the runs; `widths` says whether to read the widths of subnetworks."""
    populations = _filtered(fetch(_POPULATIONS, _POPULATION_TYPES), given, _OF_POPULATIONS)
    populations["original_seed"] = _integers_where_known(populations["original_seed"])
    protocols = fetch(_PROTOCOLS, _PROTOCOL_TYPES)
    protocols["labelled"] = protocols["protocol"] + "-" + protocols["protocol_key"].str[:8]
    protocols = _filtered(protocols, given, ("protocol",))
    drawn = _ids("population_id", populations) if set(_OF_POPULATIONS) & set(given) else ""
    of_members = _MEMBERS if widths else _MEMBERS.replace("s.widths", "NULL")
    members = fetch(of_members + (f"WHERE {drawn}" if drawn else ""), _MEMBER_TYPES)
    conditions = [f"subnetwork_id IN (SELECT subnetwork_id FROM draw WHERE {drawn})"] if drawn else []
    conditions += [_ids("protocol_id", protocols)] if "protocol" in given else []
    conditions += [f"state = '{state}'"] if state is not None else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    types = {**RUN_TYPES, **(_OWN_METRICS if populations["metric"].notna().any() else {})}
    members = members.take(np.lexsort((members["draw"], members["population_id"])))
    return Members(
        populations,
        members,
        protocols,
        fetch(_ENVIRONMENTS, _ENVIRONMENT_TYPES),
        fetch(_PLANS, _PLAN_TYPES),
        positions(populations["population_id"], members["population_id"]),
        _query_of_runs(types) + where,
        types,
    )


def _query_of_runs(types: Types) -> str:
    special = {"environment_id": "COALESCE(environment_id, 0)", "metrics": "CAST(metrics AS TEXT)"}
    return f"SELECT {', '.join(special.get(name, name) for name in types)} FROM run"


def _filtered(rows: pd.DataFrame, given: dict[str, list[Any]], kinds: Iterable[str]) -> pd.DataFrame:
    """Return the rows that match all filters, each by any of its values."""
    for kind in kinds:
        if kind in given:
            passes = np.zeros(len(rows), dtype=bool)
            for column in _FILTER_COLUMNS[kind]:
                if kind == "regime":
                    passes |= np.any([np.abs(rows[column] - name) <= SAME_TARGET for name in given[kind]], axis=0)
                else:
                    passes |= rows[column].isin(given[kind]).to_numpy()
            rows = rows[passes]
    return rows.reset_index(drop=True)


def _ids(name: str, rows: pd.DataFrame) -> str:
    return f"{name} IN ({', '.join(map(str, rows[name].tolist())) or 'NULL'})"


def _integers_where_known(texts: pd.Series[Any]) -> Any:
    if texts.isna().any():
        return texts.astype("float64")
    return np.array([int(text) for text in texts], dtype=np.int64)


def positions(ids: pd.Series[Any], wanted: pd.Series[Any]) -> NDArray[np.int64]:
    """Return the index in `ids`, which are sorted, of each wanted id."""
    return np.searchsorted(ids.to_numpy(), wanted.to_numpy())
