"""Figures, tables, sentences and PDF reports of pruning studies.

`build_report` is the door; `analyse`, `figures`, `study_tables` and `findings` work on frames and results alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunestats.reports.build import BuiltReport, build_report
    from prunestats.reports.rebuild import RebuiltReport, rebuild_report

__all__ = ["BuiltReport", "RebuiltReport", "build_report", "rebuild_report"]


def __getattr__(name: str) -> Any:
    """Import what draws and sets only when it is asked for: sentences alone should cost no ink."""
    if name not in __all__:
        raise AttributeError(f"module 'prunestats.reports' has no attribute {name!r}")
    from prunestats.reports import build, rebuild

    return getattr(build if hasattr(build, name) else rebuild, name)
