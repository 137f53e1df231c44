"""Which runs a filter names, read a table at a time and put together as whole columns.

A join in the database would bring the names, widths and costs with every run again: three times the work.
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
from prunestats.db.storing.insert_once import unknown

_OF_A_POPULATION: Types = {
    "population_id": "whole",
    "study_id": "whole",
    "original_id": "whole",
    "study": "text",
    "original": "text",
    "network": "text",
    "dataset": "text",
    "original_seed": "text",
    "original_flops": "whole",
    "original_params": "whole",
    "space": "text",
    "regime": "real",
}
_POPULATIONS = """
SELECT p.id, p.study_id, p.original_id, st.name, o.key, o.network, o.dataset, CAST(o.seed AS TEXT), o.flops, o.params,
    sp.name, g.flops_fraction
FROM population p
JOIN study st ON st.id = p.study_id
JOIN original o ON o.id = p.original_id
JOIN regime g ON g.id = p.regime_id
JOIN space sp ON sp.id = p.space_id
ORDER BY p.id
"""
_OF_A_MEMBER: Types = {
    "population_id": "whole",
    "subnetwork_id": "whole",
    "draw": "whole",
    "subnetwork": "text",
    "flops": "whole",
    "params": "whole",
    "widths": "text",
}
_MEMBERS = """
SELECT d.population_id, d.subnetwork_id, d.position, s.key, s.flops, s.params, CAST(s.widths AS TEXT)
FROM draw d
JOIN subnetwork s ON s.id = d.subnetwork_id
"""
OF_A_RUN: Types = {
    "subnetwork_id": "whole",
    "protocol_id": "whole",
    "environment_id": "whole",
    "seed": "whole",
    "state": "text",
    "val_error": "real",
    "test_error": "real",
    "val_loss": "real",
    "test_loss": "real",
    "train_loss": "real",
    "epochs": "real",
    "wall_s": "real",
    "failure": "text",
    **dict.fromkeys(schema.MEASURED, "real"),
}
_RUNS = f"SELECT {', '.join(OF_A_RUN).replace('environment_id', 'COALESCE(environment_id, 0)')} FROM run"
_OF_A_PROTOCOL: Types = {"protocol_id": "whole", "protocol": "text", "protocol_key": "text"}
_PROTOCOLS = "SELECT id, name, key FROM protocol ORDER BY id"
_OF_AN_ENVIRONMENT: Types = {"environment_id": "whole", "host": "text"}
# a run whose worker died has no environment
_ENVIRONMENTS = "SELECT 0 AS id, CAST(NULL AS TEXT) AS host UNION ALL SELECT id, host FROM environment ORDER BY id"
_OF_A_PLAN: Types = {"study_id": "whole", "protocol_id": "whole", "seed": "whole"}
_PLANS = "SELECT study_id, protocol_id, seed FROM plan"


@dataclass(frozen=True)
class Level:
    """What is the same for many runs, once, and for each run where it is.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row each.
    places : array of int, shape (n_runs,)
        The row of each run.
    """

    frame: pd.DataFrame
    places: NDArray[np.int64]

    def spread(self, name: str) -> Any:
        """Return a column with one value a run."""
        return self.frame[name].array.take(self.places)


@dataclass(frozen=True)
class Runs:
    """Runs in populations, in the order of studies, populations, drawing, protocols and seeds."""

    populations: Level
    members: Level
    runs: Level
    protocols: Level
    environments: Level


# What each filter looks at.
_LOOKS_AT = {
    "study": ("study",),
    "original": ("original", "network"),
    "space": ("space",),
    "regime": ("regime",),
    "protocol": ("protocol", "protocol_key", "labelled"),
}
_SAME = 1e-9


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
        return abs(wanted - there) <= _SAME
    return bool(wanted == there)


@dataclass(frozen=True)
class Members:
    """Subnetworks in populations that filters name, in the order of drawing, and what else is known before their runs.

    Parameters
    ----------
    populations, members, protocols, environments, plans : pandas.DataFrame
        One row each.
    of_population : array of int, shape (n_members,)
        The row of the population of each member.
    runs : str
        The query of their runs, for `OF_A_RUN`.
    """

    populations: pd.DataFrame
    members: pd.DataFrame
    protocols: pd.DataFrame
    environments: pd.DataFrame
    plans: pd.DataFrame
    of_population: NDArray[np.int64]
    runs: str


def select_members(fetch: Fetch, given: dict[str, list[Any]], state: str | None, *, widths: bool) -> Members:
    """Read what the filters name; `widths` says whether their texts are read, too."""
    populations = _chosen(fetch(_POPULATIONS, _OF_A_POPULATION), given, ("study", "original", "space", "regime"))
    populations["original_seed"] = _whole_where_known(populations["original_seed"])
    protocols = fetch(_PROTOCOLS, _OF_A_PROTOCOL)
    protocols["labelled"] = protocols["protocol"] + "-" + protocols["protocol_key"].str[:8]
    protocols = _chosen(protocols, given, ("protocol",))
    drawn = _ids("population_id", populations) if {"study", "original", "space", "regime"} & set(given) else ""
    of_members = _MEMBERS if widths else _MEMBERS.replace("s.widths", "NULL")
    members = fetch(of_members + (f"WHERE {drawn}" if drawn else ""), _OF_A_MEMBER)
    conditions = [f"subnetwork_id IN (SELECT subnetwork_id FROM draw WHERE {drawn})"] if drawn else []
    conditions += [_ids("protocol_id", protocols)] if "protocol" in given else []
    conditions += [f"state = '{state}'"] if state is not None else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    members = members.take(np.lexsort((members["draw"], members["population_id"])))
    return Members(
        populations,
        members,
        protocols,
        fetch(_ENVIRONMENTS, _OF_AN_ENVIRONMENT),
        fetch(_PLANS, _OF_A_PLAN),
        _places(populations["population_id"], members["population_id"]),
        _RUNS + where,
    )


def place_runs(found: Members, runs: pd.DataFrame) -> Runs:
    """Give each run its member, population, protocol and environment, as often as it is in a population."""
    keys = [runs[name].to_numpy() for name in ("seed", "protocol_id", "subnetwork_id")]
    # what is the same everywhere orders nothing, and sorting by it takes as long
    order = np.lexsort([key for key in keys[:-1] if len(key) and (key[0] != key).any()] + keys[-1:])
    of_member, of_run = _matches(found.members["subnetwork_id"].to_numpy(), runs["subnetwork_id"].to_numpy(), order)
    studies = found.populations["study_id"].to_numpy()[found.of_population][of_member]
    planned = _planned(found.plans, studies, runs, of_run)
    of_member, of_run = of_member[planned], of_run[planned]
    return Runs(
        Level(found.populations, found.of_population[of_member]),
        Level(found.members, of_member),
        Level(runs, of_run),
        Level(found.protocols, _places(found.protocols["protocol_id"], runs["protocol_id"])[of_run]),
        Level(found.environments, _places(found.environments["environment_id"], runs["environment_id"])[of_run]),
    )


def _chosen(rows: pd.DataFrame, given: dict[str, list[Any]], kinds: Iterable[str]) -> pd.DataFrame:
    """Rows that pass the filters: any name of a filter, and all filters."""
    for kind in kinds:
        if kind in given:
            passes = np.zeros(len(rows), dtype=bool)
            for column in _LOOKS_AT[kind]:
                if kind == "regime":
                    passes |= np.any([np.abs(rows[column] - name) <= _SAME for name in given[kind]], axis=0)
                else:
                    passes |= rows[column].isin(given[kind]).to_numpy()
            rows = rows[passes]
    return rows.reset_index(drop=True)


def _ids(name: str, rows: pd.DataFrame) -> str:
    return f"{name} IN ({', '.join(map(str, rows[name].tolist())) or 'NULL'})"


def _whole_where_known(texts: pd.Series[Any]) -> Any:
    if texts.isna().any():
        return texts.astype("float64")
    return np.array([int(text) for text in texts], dtype=np.int64)


def _places(ids: pd.Series[Any], wanted: pd.Series[Any]) -> NDArray[np.int64]:
    """Where in `ids`, which are in order, each of the others is."""
    return np.searchsorted(ids.to_numpy(), wanted.to_numpy())


def _matches(
    members: NDArray[np.int64], runs: NDArray[np.int64], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each run of each member, the row of the member and the row of the run; `order` sorts the runs."""
    sorted_runs = runs[order]
    starts = np.flatnonzero(np.diff(sorted_runs, prepend=-1))
    bounds = np.append(starts, len(runs))
    place = np.searchsorted(sorted_runs[starts], members)
    there = np.append(sorted_runs[starts], -1)[place] == members
    first, counts = bounds[place], np.where(there, np.diff(bounds, append=len(runs))[place], 0)
    of_member = np.repeat(np.arange(len(members)), counts)
    within = np.arange(len(of_member)) - np.repeat(np.cumsum(counts) - counts, counts)
    return of_member, order[first[of_member] + within]


def _planned(
    plans: pd.DataFrame, studies: NDArray[np.int64], runs: pd.DataFrame, of_run: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each run is one that its study planned; a study without a plan owns every run of its subnetworks."""
    pairs = list(zip(plans["protocol_id"], plans["seed"], strict=True))
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    known = np.unique(studies)
    allowed = np.zeros((len(known), len(numbers) + 1), dtype=bool)
    allowed[~np.isin(known, plans["study_id"])] = True
    for study, pair in zip(plans["study_id"], pairs, strict=True):
        allowed[known == study, numbers[pair]] = True
    of_pair = np.full(len(runs), len(numbers))
    for (protocol, seed), number in numbers.items():
        of_pair[(runs["protocol_id"] == protocol) & (runs["seed"] == seed)] = number
    planned: NDArray[np.bool_] = allowed[np.searchsorted(known, studies), of_pair[of_run]]
    return planned
