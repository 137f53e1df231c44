"""Statistical analysis of network pruning spaces over a results database.

The public names load when first used, so that ``import prunestats`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "BestOf": "distribution",
    "BestSubnetwork": "noise",
    "BucketComparison": "bucket_size",
    "Comparison": "comparison",
    "Confirmation": "noise",
    "CostModel": "cost",
    "Edf": "distribution",
    "FlopsBand": "spaces",
    "HeadToHead": "refinement",
    "MetaOptimum": "conjectures",
    "MinimalWidth": "spaces",
    "Optimum": "optimum",
    "ParameterBand": "spaces",
    "PredictedOptimum": "conjectures",
    "RatioBand": "spaces",
    "Refinement": "refinement",
    "Regime": "spaces",
    "RegimeTrend": "conjectures",
    "Sample": "sampling",
    "Space": "spaces",
    "Transfer": "conjectures",
    "VarianceComponents": "noise",
    "WidthDivisor": "spaces",
    "WinnerError": "noise",
    "WinnersNear": "conjectures",
    "ask": "runners.handing_out",
    "best": "db.reading.best_subnetworks",
    "best_of": "distribution",
    "build_report": "reports.build",
    "check_results": "results",
    "compare": "comparison",
    "compare_buckets": "bucket_size",
    "complexity_weights": "distribution",
    "confirm": "noise",
    "edf": "distribution",
    "export_subnetwork": "runners.retrain",
    "find_optimum": "optimum",
    "head_to_head": "refinement",
    "load_latencies": "db.reading.latencies",
    "load_results": "db.reading.results",
    "load_subnetwork": "runners.export_files",
    "measure_latency": "runners.latency",
    "meta_optimum": "conjectures",
    "optimum_across_regimes": "conjectures",
    "plan_precision": "noise",
    "predict_optimum": "conjectures",
    "refine": "refinement",
    "results_frame": "results",
    "run_study": "runners.run",
    "sample": "sampling",
    "samples_to_reach": "distribution",
    "search": "runners.search",
    "split_population": "results",
    "tell": "runners.told",
    "transfer_optimum": "conjectures",
    "variance_components": "noise",
    "winner_error": "noise",
    "winners_near_optimum": "conjectures",
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
