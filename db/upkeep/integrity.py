"""Integrity check of a database: damage, missing parents of rows, and inconsistent values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, func, inspect, or_, select

from prunestats.cost.model import CostModel
from prunestats.db.schema import tables as schema
from prunestats.db.schema.opening import Source, reading
from prunestats.db.schema.views import VIEWS
from prunestats.db.storing.insert_once import short
from prunestats.db.upkeep.weight_files import wrong_files
from prunestats.errors import InputError

_SHOWN = 10
"""Findings of one kind that are listed one by one: enough to see a pattern."""

_ROUNDING = 1e-9
"""Slack at the edge of a band: many times the rounding error of a fraction, far below one FLOP of an original."""


def check_database(source: Source) -> list[str]:
    """Check a database; return one line per finding.

    Parameters
    ----------
    source : Engine, str or Path

    Returns
    -------
    list of str
        Damage of the file, missing tables, references to missing rows, violated constraints, inconsistent values, and
        files of kept weights that are missing, changed or without a row; empty if there are none.

    Raises
    ------
    DatabaseError
        If it cannot be opened.

    Notes
    -----
    Constraints exclude most of this, but another program may write with constraints off, and a disk may fail.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from prunestats.db import open_database
    >>> with TemporaryDirectory() as folder:
    ...     open_database(f"{folder}/results.db").dispose()
    ...     check_database(f"{folder}/results.db")
    []
    """
    with reading(source) as connection:
        found = [f"damaged: {line}" for line in _damage(connection)]
        # a stage relies on what the stage before has checked
        for stage in _STAGES:
            if not found:
                found = [line for look in stage for line in look(connection)]
    return found


def _damage(connection: Connection) -> list[str]:
    """Return what SQLite finds wrong with its file; a PostgreSQL server checks its own files."""
    if connection.dialect.name != "sqlite":
        return []
    found = list(connection.exec_driver_sql(f"PRAGMA integrity_check({_SHOWN})").scalars())
    # `_broken_rules` reports violated constraints with their names
    return [line for line in found if line != "ok" and not line.startswith("CHECK constraint failed")]


def _missing(connection: Connection) -> Iterator[str]:
    inspected = inspect(connection)
    for kind, expected, names in (
        ("table", schema.metadata.tables, inspected.get_table_names()),
        ("view", VIEWS, inspected.get_view_names()),
    ):
        yield from (f"missing: {kind} {name}" for name in expected if name not in names)


def _orphans(connection: Connection) -> Iterator[str]:
    for table in schema.metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            parent = constraint.referred_table.alias()
            pairs = [(element.parent, parent.c[element.column.name]) for element in constraint.elements]
            joined = table.outerjoin(parent, and_(*(child == other for child, other in pairs)))
            absent = and_(pairs[0][1].is_(None), *(child.is_not(None) for child, _ in pairs))
            n = connection.scalar(select(func.count()).select_from(joined).where(absent)) or 0
            if n:
                names = ", ".join(child.name for child, _ in pairs)
                which = f"{table.name} whose {names} names no row of {constraint.referred_table.name}"
                yield f"orphans: {n:,} rows of {which}"


def _broken_rules(connection: Connection) -> Iterator[str]:
    """Yield the constraints that stored rows violate."""
    for table in schema.metadata.sorted_tables:
        for constraint in table.constraints:
            rule = getattr(constraint, "sqltext", None)
            if rule is None:
                continue
            n = connection.scalar(select(func.count()).select_from(table).where(~func.coalesce(rule, True))) or 0
            if n:
                yield f"impossible: {n:,} rows of {table.name} break the rule {rule}"


def _wrong_types(connection: Connection) -> Iterator[str]:
    """Yield columns with text in place of a number, which SQLite accepts, or with invalid JSON."""
    if connection.dialect.name != "sqlite":
        return
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            kind = type(column.type).__name__
            good = {"Whole": "'integer', 'null'", "Row": "'integer', 'null'", "Real": "'real', 'integer', 'null'"}
            if kind in good:
                wrong = f"typeof({column.name}) NOT IN ({good[kind]})"
            elif kind == "Json":
                wrong = f"{column.name} IS NOT NULL AND NOT json_valid({column.name})"
            else:
                continue
            n = connection.exec_driver_sql(f"SELECT count(*) FROM {table.name} WHERE {wrong}").scalar_one()
            if n:
                yield f"impossible: {n:,} rows of {table.name} hold no {kind.lower()} value in {column.name}"


def _foreign_subnetworks(connection: Connection) -> Iterator[str]:
    t = schema
    joined = t.draw.join(t.population).join(t.subnetwork, t.draw.c.subnetwork_id == t.subnetwork.c.id)
    other = t.population.c.original_id != t.subnetwork.c.original_id
    n = connection.scalar(select(func.count()).select_from(joined).where(other)) or 0
    if n:
        yield f"impossible: {n:,} subnetworks in a population of another original"


def _outside_band(connection: Connection) -> Iterator[str]:
    """Yield regimes with subnetworks outside their band of FLOPs."""
    t = schema
    joined = (
        t.draw.join(t.population)
        .join(t.subnetwork, t.draw.c.subnetwork_id == t.subnetwork.c.id)
        .join(t.original, t.population.c.original_id == t.original.c.id)
        .join(t.regime, t.population.c.regime_id == t.regime.c.id)
        .join(t.study, t.population.c.study_id == t.study.c.id)
    )
    fraction = t.subnetwork.c.flops * 1.0 / t.original.c.flops
    width = t.regime.c.flops_fraction * t.regime.c.tolerance + _ROUNDING
    far = or_(fraction > t.regime.c.flops_fraction + width, fraction < t.regime.c.flops_fraction - width)
    columns = (t.study.c.name, t.regime.c.flops_fraction, t.regime.c.tolerance)
    query = select(*columns, func.count()).select_from(joined).where(far).group_by(*columns).order_by(*columns)
    for study, target, tolerance, n in connection.execute(query):
        yield f"impossible: {n:,} subnetworks of study {short(study)} lie outside its regime {target:g} ± {tolerance:g}"


def _wrong_costs(connection: Connection) -> Iterator[str]:
    """Yield subnetworks whose stored cost differs from that of the cost model at their widths."""
    original, table = schema.original, schema.subnetwork
    known = select(original.c.id, original.c.cost).where(original.c.cost.is_not(None))
    for row, cost in connection.execute(known).all():
        columns = (table.c.key, table.c.widths, table.c.flops, table.c.params)
        mine = select(*columns).where(table.c.original_id == row, table.c.widths.is_not(None))
        found = _costs_of(CostModel.from_dict(cost), connection.execute(mine).all())
        yield from islice(found, _SHOWN)
        rest = sum(1 for _ in found)
        if rest:
            yield f"impossible: {rest:,} more subnetworks of the same original"


def _costs_of(cost: CostModel, rows: Sequence[Any]) -> Iterator[str]:
    try:
        widths = np.array([row.widths for row in rows], dtype=np.int64)
        costs = np.stack([cost.flops(widths), cost.params(widths)], axis=1)
    except (InputError, ValueError, TypeError):
        if len(rows) == 1:
            yield f"impossible: widths of subnetwork {short(rows[0].key)} do not fit its original"
        else:
            # one by one, to identify the invalid ones
            for row in rows:
                yield from _costs_of(cost, [row])
        return
    for row, (flops, params) in zip(rows, costs.tolist(), strict=True):
        if (row.flops, row.params) != (flops, params):
            yield (
                f"impossible: subnetwork {short(row.key)} is stored with {row.flops} FLOPs and {row.params} "
                f"parameters; its widths give {flops} and {params}"
            )


def _late_epochs(connection: Connection) -> Iterator[str]:
    run, epoch = schema.run, schema.epoch_metric
    late = epoch.c.epoch > run.c.epochs
    n = connection.scalar(select(func.count()).select_from(epoch.join(run)).where(late)) or 0
    if n:
        yield f"impossible: {n:,} epochs after the last of their run"


def _unordered_quartiles(connection: Connection) -> Iterator[str]:
    c = schema.latency.c
    n = connection.scalar(select(func.count()).where(or_(c.ms_low > c.ms, c.ms > c.ms_high))) or 0
    if n:
        yield f"impossible: {n:,} latencies whose median lies outside their quartiles"


_STAGES = (
    (_missing,),
    (_wrong_types,),
    (_orphans, _broken_rules, _foreign_subnetworks, _outside_band, _wrong_costs, _late_epochs, _unordered_quartiles),
    (wrong_files,),
)
