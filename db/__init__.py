"""The results database (SQLite or PostgreSQL): one row per run of every study, readable by SQL."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from prunestats.db.connection.engine import read, write
from prunestats.db.reading.declaration import Declaration, declaration, follow_ups, refinements, stored_text
from prunestats.db.reading.find_run import find_runs
from prunestats.db.reading.progress import StudyProgress, study_progress, study_status
from prunestats.db.schema.opening import open_database
from prunestats.db.sql.answer import QueryResult
from prunestats.db.sql.read_only import query
from prunestats.db.storing.analyses import AnalysisRow, find_analysis, list_analyses, rows_hash, store_analysis
from prunestats.db.storing.leases import Holder, release_lease, take_lease
from prunestats.db.storing.originals import find_original, rename_network, store_original, stored_originals
from prunestats.db.storing.outcomes import has_run, missing_runs, store_outcome, store_outcomes
from prunestats.db.storing.populations import store_population
from prunestats.db.storing.records import EpochMetric, MissingRun, OriginalRow, Outcome, StatusRow, SubnetworkRow
from prunestats.db.storing.study import (
    planned_protocols,
    store_environment,
    store_plan,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    study_id,
)
from prunestats.db.upkeep.deletion import Removed, forget_declaration, remove_unused
from prunestats.db.upkeep.maintenance import backup_beside, backup_database, upgrade_database, vacuum_database
from prunestats.db.upkeep.merge import MergeSummary, merge_database
from prunestats.db.upkeep.removal import remove_original, remove_population, remove_study

if TYPE_CHECKING:
    from prunestats.db.exchange.exporting import export_results
    from prunestats.db.exchange.import_summary import ImportSummary
    from prunestats.db.exchange.importing import import_results
    from prunestats.db.reading.results import load_results
    from prunestats.db.upkeep.integrity import check_database

# Imported on first use: importing pandas takes longer than most queries.
_LATER = {
    "ImportSummary": "exchange.import_summary",
    "check_database": "upkeep.integrity",
    "export_results": "exchange.exporting",
    "import_results": "exchange.importing",
    "load_results": "reading.results",
}

__all__ = [
    "AnalysisRow",
    "Declaration",
    "EpochMetric",
    "Holder",
    "ImportSummary",
    "MergeSummary",
    "MissingRun",
    "OriginalRow",
    "Outcome",
    "QueryResult",
    "Removed",
    "StatusRow",
    "StudyProgress",
    "SubnetworkRow",
    "backup_beside",
    "backup_database",
    "check_database",
    "declaration",
    "export_results",
    "find_analysis",
    "find_original",
    "find_runs",
    "follow_ups",
    "forget_declaration",
    "has_run",
    "import_results",
    "list_analyses",
    "load_results",
    "merge_database",
    "missing_runs",
    "open_database",
    "planned_protocols",
    "query",
    "read",
    "refinements",
    "release_lease",
    "remove_original",
    "remove_population",
    "remove_study",
    "remove_unused",
    "rename_network",
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
    "stored_originals",
    "stored_text",
    "study_id",
    "study_progress",
    "study_status",
    "take_lease",
    "upgrade_database",
    "vacuum_database",
    "write",
]


def __getattr__(name: str) -> Any:
    """Import a name that needs pandas on first use."""
    if name not in _LATER:
        raise AttributeError(f"module 'prunestats.db' has no attribute {name!r}")
    return getattr(import_module(f"prunestats.db.{_LATER[name]}"), name)
