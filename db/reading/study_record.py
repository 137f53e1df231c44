"""The record of a study that a report needs, when it is built and when it is rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.engine import make_url

from prunestats.cost.model import CostModel
from prunestats.db.connection.engine import read
from prunestats.db.reading.declaration import follow_ups
from prunestats.db.reading.progress import study_status
from prunestats.db.schema import tables as t
from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, as_metric
from prunestats.study_record import Original, Population, Protocol, SpaceLaw, StudyFacts
from prunestats.wording import plain, settings


def find_study(connection: Connection, name: str | None) -> dict[str, Any]:
    """Return the row of a study; without a name, of the only study that does not follow from another."""
    rows = [dict(row) for row in connection.execute(select(t.study).order_by(t.study.c.id)).mappings()]
    others = follow_ups(connection)
    wanted = [row for row in rows if (name is None and row["name"] not in others) or row["name"] == name]
    found = ", ".join(plain(row["name"]) for row in rows) or "none"
    if not wanted:
        named = f" named {name!r}" if name else ""
        raise InputError(f"expected a study{named} to analyse; found {found}: run or import one first")
    if len(wanted) > 1:
        raise InputError(f"expected one study to analyse; found {found}: name one with --study (study= in Python)")
    return wanted[0]


def with_buckets(engine: Engine, frame: pd.DataFrame, bucket: int) -> pd.DataFrame:
    """Add the column original_buckets, the parameter buckets of each original; nothing for a bucket of 1.

    Raises
    ------
    InputError
        If an original is stored without a cost model.
    """
    if bucket == 1:
        return frame
    table = t.original.c
    with read(engine) as connection:
        stored = connection.execute(select(table.key, table.cost).where(table.key.in_(set(frame["original"])))).all()
    buckets = {}
    for key, content in stored:
        if content is None:
            raise InputError(f"buckets of {bucket} are counted per layer; found no layers of original {key}: use 1")
        cost = CostModel.from_dict(content)
        buckets[key] = int(cost.buckets([cost.group_sizes], bucket)[0])
    return frame.assign(original_buckets=frame["original"].map(buckets))


def load_facts(
    connection: Connection,
    study: dict[str, Any],
    engine: Engine,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
) -> StudyFacts:
    """Return the record of a study, or of its originals on one data set and one of its protocols."""
    mine = {"study_id": study["id"]}
    regimes = _rows(connection, select(t.regime).filter_by(**mine).order_by(t.regime.c.flops_fraction.desc()))
    spaces = _rows(connection, select(t.space).filter_by(**mine).order_by(t.space.c.position))
    missing: dict[tuple[float, str], int] = {}
    for row in study_status(connection, study["name"]):
        if dataset in (None, row.dataset):
            missing[row.regime, row.space] = missing.get((row.regime, row.space), 0) + row.missing
    used = select(t.population.c.original_id).where(t.population.c.study_id == study["id"])
    originals = _rows(connection, select(t.original).where(t.original.c.id.in_(used)).order_by(*_ORIGINALS))
    originals = [row for row in originals if dataset in (None, row["dataset"])]
    keys = {row["key"] for row in originals}
    metric = as_metric(study["metric"])
    return StudyFacts(
        name=study["name"],
        fingerprint=study["fingerprint"],
        seed=study["seed"],
        database=_database_name(engine),
        originals=tuple(_original(row, metric) for row in originals),
        spaces=tuple(SpaceLaw(row["name"], row["sampler"], row["parameters"], row["law"]) for row in spaces),
        regimes=tuple((row["flops_fraction"], row["tolerance"]) for row in regimes),
        populations=tuple(
            Population(**row) for row in _populations(connection, study["id"]) if row["original"] in keys
        ),
        protocols=tuple(one for one in _protocols(connection, study["id"]) if protocol in (None, *_names(one))),
        machines=_machines(connection, study["id"]),
        missing={place: n for place, n in missing.items() if n},
        metric=metric,
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
    """Return the query of a column of `run` over the runs of a study's subnetworks."""
    joined = t.run.join(t.draw, t.draw.c.subnetwork_id == t.run.c.subnetwork_id).join(t.population)
    return select(column).select_from(joined).where(t.population.c.study_id == study_id)


def _protocols(connection: Connection, study_id: int) -> tuple[Protocol, ...]:
    planned = select(t.plan.c.protocol_id).where(t.plan.c.study_id == study_id)
    # An imported study has no plan: its protocols are those of its runs.
    used = planned if connection.execute(planned.limit(1)).first() else _of_runs(t.run.c.protocol_id, study_id)
    rows = _rows(connection, select(t.protocol).where(t.protocol.c.id.in_(used)).order_by(t.protocol.c.key))
    return tuple(Protocol(row["key"], row["name"], row["parameters"]) for row in rows)


def _names(protocol: Protocol) -> tuple[str, str, str]:
    """Return the names that select a protocol in `load_results`."""
    return protocol.name, protocol.key, f"{protocol.name}-{protocol.key[:8]}"


def _machines(connection: Connection, study_id: int) -> tuple[str, ...]:
    used = _of_runs(t.run.c.environment_id, study_id)
    rows = _rows(connection, select(t.environment).where(t.environment.c.id.in_(used)))
    software = [{"Python": row["python"], **row["versions"]} for row in rows]
    named = {f"{row['platform']}, {settings(on)}" for row, on in zip(rows, software, strict=True)}
    return tuple(sorted(named))


def _original(row: dict[str, Any], metric: Metric) -> Original:
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
        group_names=tuple(row["group_names"] or ()),
        has_weights=row["weights_sha256"] is not None,
        val_metric=row["val_error"] if metric == ERROR else _own_metric(row, "validation", metric),
        test_metric=row["test_error"] if metric == ERROR else _own_metric(row, "test", metric),
    )


def _own_metric(row: dict[str, Any], split: str, metric: Metric) -> float | None:
    """The study's metric of an original, which another study, with another metric, may have trained."""
    named = ((row["metrics"] or {}).get(split) or {}).get(metric.name)
    value = row["val_metric" if split == "validation" else "test_metric"] if named is None else named
    return None if value is None else float(value)


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _database_name(engine: Engine) -> str:
    """Return the name of the file without its folder, or the URL without its password."""
    url = make_url(engine.url)
    if url.get_backend_name() == "sqlite":
        return Path(url.database or "").name or "in memory"
    return url.render_as_string(hide_password=True)


# Not by row number, which is the order of training: executing a study twice must give the same report.
_ORIGINALS = (t.original.c.network, t.original.c.dataset, t.original.c.seed, t.original.c.key)
