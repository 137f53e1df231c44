"""The results database: every run of every study, open to SQL."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from prunestats.db.analyses import AnalysisRow, find_analysis, list_analyses, rows_hash, store_analysis
from prunestats.db.declared import Declaration, declaration, follow_ups, refinements, stored_text
from prunestats.db.engine import open_database, read, write
from prunestats.db.find import find_runs
from prunestats.db.maintenance import backup_database, upgrade_database, vacuum_database
from prunestats.db.merge import MergeSummary, merge_database
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
    from prunestats.db.check import check_database
    from prunestats.db.exporting import export_results
    from prunestats.db.import_summary import ImportSummary
    from prunestats.db.importing import import_results
    from prunestats.db.load import load_results

# Where they are: pandas takes longer to import than a query takes.
_LATER = {
    "ImportSummary": "import_summary",
    "check_database": "check",
    "export_results": "exporting",
    "import_results": "importing",
    "load_results": "load",
}

__all__ = [
    "AnalysisRow",
    "Declaration",
    "EpochMetric",
    "ImportSummary",
    "MergeSummary",
    "MissingRun",
    "Outcome",
    "QueryResult",
    "StatusRow",
    "StudyProgress",
    "SubnetworkRow",
    "backup_database",
    "check_database",
    "declaration",
    "export_results",
    "find_analysis",
    "find_original",
    "find_runs",
    "follow_ups",
    "import_results",
    "list_analyses",
    "load_results",
    "merge_database",
    "missing_runs",
    "open_database",
    "query",
    "read",
    "refinements",
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
    "stored_text",
    "study_progress",
    "study_status",
    "upgrade_database",
    "vacuum_database",
    "write",
]


def __getattr__(name: str) -> Any:
    """Import what needs pandas when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'prunestats.db' has no attribute {name!r}")
    return getattr(import_module(f"prunestats.db.{_LATER[name]}"), name)
