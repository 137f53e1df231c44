"""Results in a file that any tool reads, and that `import_results` reads back the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, text

from prunestats.db.exchange.column_roles import MEASURED
from prunestats.db.exchange.table_files import check_suffix, write_table
from prunestats.db.reading.selection import check_names
from prunestats.db.schema.opening import Source, reading
from prunestats.db.schema.types import Json, utc
from prunestats.errors import InputError

# What a file holds, each named as its role in an import, and of which kind it is.
COLUMNS = {
    "study": "text",
    "original": "text",
    "network": "text",
    "dataset": "text",
    "original_seed": "whole",
    "original_flops": "whole",
    "original_params": "whole",
    "flops_convention": "text",
    "space": "text",
    "regime": "real",
    "tolerance": "real",
    "draw": "whole",
    "subnetwork": "text",
    "widths": "widths",
    "flops": "whole",
    "params": "whole",
    "protocol": "text",
    "protocol_key": "text",
    "planned": "truth",
    "seed": "whole",
    "state": "text",
    "val_error": "real",
    "test_error": "real",
    "val_loss": "real",
    "test_loss": "real",
    "train_loss": "real",
    "epochs": "whole",
    "wall_s": "real",
    "failure": "text",
    "host": "text",
    "platform": "text",
    "python": "text",
    "versions": "json",
    "created_at": "text",
    **dict.fromkeys(MEASURED, "real"),
}
_HOME = {
    "flops_convention": "o.flops_convention",
    "tolerance": "g.tolerance",
    "planned": "EXISTS (SELECT 1 FROM plan w WHERE w.study_id = p.study_id)",
    "platform": "e.platform",
    "python": "e.python",
    "versions": "e.versions",
    **{name: f"u.{name}" for name in MEASURED},
}
_ORDER = ("p.study_id", "sp.position", "p.id", "r.draw", "r.protocol_key", "r.seed")
_JOINED = """
FROM results r
JOIN population p ON p.id = r.population_id
JOIN original o ON o.id = p.original_id
JOIN regime g ON g.id = p.regime_id
JOIN space sp ON sp.id = p.space_id
JOIN run u ON u.id = r.run_id
LEFT JOIN environment e ON e.id = u.environment_id
"""


def export_results(
    source: Source,
    file: str | os.PathLike[str],
    *,
    study: str | Sequence[str] | None = None,
    space: str | Sequence[str] | None = None,
    regime: float | Sequence[float] | None = None,
    state: Literal["done", "failed"] | None = None,
) -> int:
    """Write results to a file, one row a run in a population; return how many.

    Parameters
    ----------
    source : Engine, str or Path
        The database.
    file : str or Path
        ``.csv``, ``.json`` or ``.parquet``; it is replaced in one step.
    study, space : str or sequence of str, optional
        Names; all when not given.
    regime : float or sequence of float, optional
        FLOPs targets as fractions of the original's.
    state : {"done", "failed"}, optional
        Both when not given.

    Returns
    -------
    int

    Raises
    ------
    InputError
        For a name that is not in the database, a file of another suffix, or a place that cannot be written.
    DatabaseError
        If the database cannot be read.

    Notes
    -----
    `import_results` reads such a file without being told anything, and an export of what it stored has the same
    content: every number to the last bit, and every name. What a file does not hold are cost models and recipes of
    originals, laws of spaces, parameters of protocols and the course of runs over their epochs, so that a study cannot
    be gone on with from it: `backup` and `merge` keep everything.
    """
    check_suffix(file)
    if state not in ("done", "failed", None):
        raise InputError(f"state must be 'done', 'failed' or None for both; found {state!r}")
    filters: dict[str, Any] = {"study": study, "space": space, "regime": regime}
    given = {name: _listed(value) for name, value in filters.items() if value is not None}
    with reading(source) as connection:
        check_names(connection, given)
        rows = _select(connection, given, state)
    write_table(file, COLUMNS, rows)
    return len(rows)


def _select(connection: Connection, given: dict[str, list[Any]], state: str | None) -> list[list[Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, wanted in given.items():
        if name == "regime":
            conditions.append(f"({' OR '.join(f'abs(r.regime - :regime_{n}) <= 1e-9' for n in range(len(wanted)))})")
            values |= {f"regime_{n}": value for n, value in enumerate(wanted)}
        else:
            conditions.append(f"r.{name} IN :{name}")
            values[name] = wanted
    if state is not None:
        conditions.append("r.state = :state")
        values["state"] = state
    columns = [f"{_HOME.get(name, f'r.{name}')} AS {name}" for name in COLUMNS]
    columns += [f"{place} AS order_{number}" for number, place in enumerate(_ORDER)]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    query = text(f"SELECT {', '.join(columns)} {_JOINED} {where}")
    query = query.bindparams(*(bindparam(name, expanding=True) for name in given if name != "regime"))
    typed = query.columns(widths=Json(), versions=Json(), created_at=utc())
    # sorted here, as databases do not agree on the order of text
    found = sorted(connection.execute(typed, values), key=lambda row: tuple(row)[len(COLUMNS) :])
    planned, created = list(COLUMNS).index("planned"), list(COLUMNS).index("created_at")
    rows = [list(row)[: len(COLUMNS)] for row in found]
    for row in rows:
        row[planned] = bool(row[planned])
        row[created] = str(row[created])
    return rows


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | float | int) else list(value)
