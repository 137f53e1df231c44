"""Mapping of the columns of an external table to roles: the given ones, else those of the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from prunestats.db.exchange.column_roles import LOSSES, OF_EXPORTS, metric_roles, roles_of, seeded_roles
from prunestats.db.exchange.table_files import KEY_COLUMN
from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric
from prunestats.results.known_metrics import KNOWN


def find_columns(
    names: Sequence[str], given: Mapping[str, str | Sequence[str]], metric: Metric = ERROR
) -> dict[str, tuple[str, ...]]:
    """Return the columns of each role: the given ones, else the column of the same name.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    given : mapping
        By role, one column or several; in a string, commas separate several.
    metric : Metric
        The metric of the table.

    Raises
    ------
    InputError
        For an unknown role, a missing column, or roles that contradict one another.

    Examples
    --------
    >>> find_columns(["arch", "flops", "params", "acc_0", "acc_1"], {"subnetwork": "arch", "accuracy": "acc_0,acc_1"})
    {'subnetwork': ('arch',), 'accuracy': ('acc_0', 'acc_1'), 'flops': ('flops',), 'params': ('params',)}
    """
    found = {role: _columns_of(role, value, names, metric) for role, value in given.items()}
    used = {name for columns in found.values() for name in columns}
    skipped: set[str] = set() if set(OF_EXPORTS) <= set(names) else set(OF_EXPORTS)
    for roles in (metric_roles(metric), LOSSES):
        skipped |= set(roles) if any(role in found for role in roles) else set()
    for role in roles_of(metric):
        if role not in found and role not in skipped and role in names and role not in used:
            found[role] = (role,)
    if not {"subnetwork", "widths"} & set(found) and KEY_COLUMN in names:
        found["subnetwork"] = (KEY_COLUMN,)
    _check_roles(found, names, metric)
    return found


def _columns_of(role: str, value: str | Sequence[str], names: Sequence[str], metric: Metric) -> tuple[str, ...]:
    if role not in roles_of(metric):
        raise InputError(f"expected a role of a column; found {role!r}: {_role_hint(role, metric)}")
    listed: list[str] = []
    for part in [value] if isinstance(value, str) else value:
        listed += [part] if part in names else [piece.strip() for piece in part.split(",")]
    for name in listed:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            shown = f"do you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, names[:12]))}"
            raise InputError(f"expected a column for {role}; found none called {name!r}: {shown}")
    several = (*seeded_roles(metric), "widths")
    if len(listed) > 1 and role not in several:
        raise InputError(f"expected one column for {role}; found {len(listed)}: only {', '.join(several)} take several")
    return tuple(listed)


def _role_hint(role: str, metric: Metric) -> str:
    if metric == ERROR and role.lower() in KNOWN:
        return f"pass --metric {role}"
    if metric != ERROR and role in (*metric_roles(ERROR), *OF_EXPORTS):
        return f"the metric is {metric.name}, map {', '.join(metric_roles(metric))}"
    roles = roles_of(metric)
    near = get_close_matches(role, roles, n=1)
    return f"do you mean {near[0]}?" if near else f"use one of {', '.join(roles)}"


def _check_roles(found: dict[str, tuple[str, ...]], names: Sequence[str], metric: Metric) -> None:
    # a classifier has FLOPs, and a column that was not found would go unnoticed; language models are published without
    for role in ("flops", "params") if metric == ERROR else ("params",):
        if role not in found:
            raise InputError(
                f"expected a column for {role}; found none among {', '.join(map(repr, names[:12]))}: map it: "
                f"{role}=NAME"
            )
    if not {"subnetwork", "widths"} & set(found):
        raise InputError(
            "expected a column that identifies the subnetworks; found none: map a column to subnetwork or to widths"
        )
    if not any(role in found for role in metric_roles(metric)):
        raise InputError(_no_metric(metric))
    if "seed" in found and any(len(found.get(role, ())) > 1 for role in seeded_roles(metric)):
        raise InputError("expected one row per seed or one column per seed; found both: leave one of them out")


def _no_metric(metric: Metric) -> str:
    if metric == ERROR:
        return (
            "expected an error or an accuracy; found neither: map a column, for example accuracy=NAME, or name another "
            "metric with --metric"
        )
    return f"expected a column for {metric.name}; found none: map it: {metric.name}=NAME"
