"""Statistical analysis of network pruning spaces over a results database.

The public names load when first used, so that ``import prunestats`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "BestOf": "best",
    "Comparison": "comparison",
    "CostModel": "cost",
    "Edf": "distribution",
    "Optimum": "optimum",
    "Regime": "spaces",
    "Sample": "sampling",
    "Space": "spaces",
    "VarianceComponents": "components",
    "best_of": "best",
    "build_report": "reports.build",
    "check_results": "results",
    "compare": "comparison",
    "edf": "distribution",
    "export_subnetwork": "runners.recreate",
    "find_optimum": "optimum",
    "load_results": "db.load",
    "load_subnetwork": "runners.export",
    "plan_precision": "planning",
    "results_frame": "results",
    "run_study": "runners.run",
    "sample": "sampling",
    "samples_to_reach": "reach",
    "variance_components": "components",
}

__all__ = [*sorted(_HOME)]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that holds it."""
    if name not in _HOME:
        raise AttributeError(f"module 'prunestats' has no attribute {name!r}")
    value = getattr(import_module(f"prunestats.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
