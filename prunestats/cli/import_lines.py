"""What the command `import` prints: how a table was read, what is stored, and which rows are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prunestats.metric import ERROR

_SHOWN = 5
"""Refused rows that are printed one by one: enough to see a pattern; the reasons are counted over all rows."""


def import_lines(summary: Any, given: Mapping[str, Any]) -> list[str]:
    """Lines on how a table was read, what can be stored, and which rows cannot.

    Parameters
    ----------
    summary : ImportSummary
    given : mapping
        Options direction, split and original; None where a default was taken.
    """
    return [*_understood(summary, given), *_refused(summary)]


def _understood(summary: Any, given: Mapping[str, Any]) -> list[str]:
    from prunestats.db.exchange.column_roles import metric_roles

    meaning = summary.meaning
    units = {"flops": f", {meaning.flops_convention}", "params": ""}
    units = {name: f" ({getattr(meaning, f'{name}_unit')}{convention})" for name, convention in units.items()}
    own = meaning.metric != ERROR
    unit = meaning.error_unit if not own or meaning.metric.is_fraction else meaning.metric.unit or "no unit"
    units |= {role: f" ({unit}, stored as {meaning.of_split(role)})" for role in metric_roles(meaning.metric)}
    units["widths"] = "" if meaning.digits is None else f" (digits: {meaning.digits.words})"
    lines = [f"{summary.rows:,} rows in {summary.name}"]
    for role, columns in meaning.columns.items():
        lines.append(f"  {role}: {', '.join(map(repr, columns))}{units.get(role, '')}")
    if own:
        lines += _metric_lines(meaning, given)
    if meaning.selects_by_test:
        name = meaning.metric.label
        lines.append(f"  no validation {name}: the test {name} is used for selection, and the protocol records that")
    if not meaning.has_flops:
        lines.append("  no FLOPs: there are no regimes, and the budget of `prunestats best` is --params or --speedup")
    lines += _assumed(summary.assumed)
    first, last, n = summary.seeds
    lines.append(f"{summary.runs:,} runs of {summary.subnetworks:,} subnetworks, {n} seeds from {first} to {last}")
    for study, network, space, regime, tolerance, n in summary.populations:
        band = "" if regime is None else f", regime {regime:g} ± {tolerance:g}"
        lines.append(f"  study {study!r}, {network!r}, space {space!r}{band}: {n:,} subnetworks")
    lines += [f"  {name} from {low:.6g} to {high:.6g}" for name, (low, high) in summary.ranges.items()]
    return lines


def _metric_lines(meaning: Any, given: Mapping[str, Any]) -> list[str]:
    """What is taken for the metric: its direction, and defaults for its split and the original."""
    metric, name = meaning.metric, meaning.metric.name
    source = "" if given["direction"] else ", as is usual for its name (change: --direction)"
    lines = [f"  {metric.better} values of {name} are better{source}"]
    if given["split"] is None and name in meaning.columns:
        lines.append(f"  split of {name}: test, as none is given (change: --split)")
    if given["original"] is None and "original" not in meaning.columns:
        lines.append("  the original has the name of the file, as none is given (change: --original)")
    return lines


def _assumed(costs: Sequence[tuple[str, str, int]]) -> list[str]:
    words = {"flops": "FLOPs", "params": "parameters"}
    lines = [
        f"  {words[role]} of the original {network!r}: {value:,}, the largest in the table (change: --original-{role})"
        for network, role, value in costs[:_SHOWN]
    ]
    return [*lines, f"  and of {len(costs) - _SHOWN:,} more originals"] if len(costs) > _SHOWN else lines


def _refused(summary: Any) -> list[str]:
    from prunestats.db.exchange.refused_rows import counted_reasons

    if not summary.refused:
        return []
    lines = [f"{len(summary.refused):,} rows or runs cannot be stored: {counted_reasons(summary.refused)}"]
    lines += [f"  {refusal}" for refusal in summary.refused[:_SHOWN]]
    rest = len(summary.refused) - _SHOWN
    return [*lines, f"  and {rest:,} more"] if rest > 0 else lines
