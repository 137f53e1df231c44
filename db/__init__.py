"""The results database: every run of every study, open to SQL."""

from typing import TYPE_CHECKING, Any

from prunestats.db.analyses import rows_hash, store_analysis
from prunestats.db.engine import open_database, read, write
from prunestats.db.find import find_runs
from prunestats.db.outcomes import missing_runs, store_outcome, store_outcomes, study_status
from prunestats.db.populations import store_population
from prunestats.db.progress import StudyProgress, study_progress
from prunestats.db.query import QueryResult, query
from prunestats.db.records import EpochMetric, MissingRun, Outcome, StatusRow, SubnetworkRow
from prunestats.db.store import (
    find_original,
    store_environment,
    store_original,
    store_plan,
    store_protocol,
    store_regime,
    store_space,
    store_study,
)

if TYPE_CHECKING:
    from prunestats.db.load import load_results

__all__ = [
    "EpochMetric",
    "MissingRun",
    "Outcome",
    "QueryResult",
    "StatusRow",
    "StudyProgress",
    "SubnetworkRow",
    "find_original",
    "find_runs",
    "load_results",
    "missing_runs",
    "open_database",
    "query",
    "read",
    "rows_hash",
    "store_analysis",
    "store_environment",
    "store_original",
    "store_outcome",
    "store_outcomes",
    "store_plan",
    "store_population",
    "store_protocol",
    "store_regime",
    "store_space",
    "store_study",
    "study_progress",
    "study_status",
    "write",
]


def __getattr__(name: str) -> Any:
    """Import `load_results` when it is first used: pandas takes longer to import than a query takes."""
    if name != "load_results":
        raise AttributeError(f"module 'prunestats.db' has no attribute {name!r}")
    from prunestats.db.load import load_results

    return load_results
