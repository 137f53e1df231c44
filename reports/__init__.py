"""Figures, tables, sentences and PDF reports of pruning studies.

`build_report` and `rebuild_report` read the database; `analysis` turns results frames into frozen results, `text` and
`figures` turn these into sentences, tables and figures, and `pdf` sets them. None of the latter knows the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunestats.reports.build import BuiltReport, build_report
    from prunestats.reports.rebuild import RebuiltReport, rebuild_report

__all__ = ["BuiltReport", "RebuiltReport", "build_report", "rebuild_report"]


def __getattr__(name: str) -> Any:
    """Import on first use: sentences alone should not load matplotlib and typst."""
    if name not in __all__:
        raise AttributeError(f"module 'prunestats.reports' has no attribute {name!r}")
    from prunestats.reports import build, rebuild

    return getattr(build if hasattr(build, name) else rebuild, name)
