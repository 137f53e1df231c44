"""Statistical analysis of network pruning spaces over a results database.

The public names load when first used, so that ``import prunestats`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "BestOf": "best",
    "BucketComparison": "bucket_scores",
    "Comparison": "comparison",
    "Confirmation": "confirmation",
    "CostModel": "cost",
    "Edf": "distribution",
    "FlopsBand": "spaces",
    "HeadToHead": "contest",
    "MetaOptimum": "meta",
    "MinimalWidth": "spaces",
    "Optimum": "optimum",
    "ParameterBand": "spaces",
    "PredictedOptimum": "transfer_result",
    "RatioBand": "spaces",
    "Refinement": "refinement",
    "Regime": "spaces",
    "RegimeTrend": "regime_trend",
    "Sample": "sampling",
    "Space": "spaces",
    "Transfer": "transfer_result",
    "VarianceComponents": "components",
    "WidthDivisor": "spaces",
    "WinnerError": "winner_error",
    "WinnersNear": "equivalence",
    "best_of": "best",
    "build_report": "reports.build",
    "check_results": "results",
    "compare": "comparison",
    "compare_buckets": "bucket_comparison",
    "complexity_weights": "complexity",
    "confirm": "confirmation",
    "edf": "distribution",
    "export_subnetwork": "runners.recreate",
    "find_optimum": "optimum",
    "head_to_head": "contest",
    "load_results": "db.load",
    "load_subnetwork": "runners.export",
    "meta_optimum": "meta",
    "optimum_across_regimes": "regime_trend",
    "plan_precision": "planning",
    "predict_optimum": "transfer",
    "refine": "refinement",
    "results_frame": "results",
    "run_study": "runners.run",
    "sample": "sampling",
    "samples_to_reach": "reach",
    "search": "runners.search",
    "split_population": "halves",
    "transfer_optimum": "transfer",
    "variance_components": "components",
    "winner_error": "winner_error",
    "winners_near_optimum": "equivalence",
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
