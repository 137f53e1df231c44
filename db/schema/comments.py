"""What every table, view and column means: for the documentation, and in the database where it has a place for it."""

from __future__ import annotations

from sqlalchemy import Connection

from prunestats.db.schema.tables import metadata

VIEWS = {
    "results": "One row a run in a population. A subnetwork of two populations is there for each of them.",
    "populations": "One row a subnetwork in a population and protocol; metrics are means over its runs that are done.",
    "edf": "The empirical distribution function of the mean validation error in each population and protocol.",
    "leaderboard": "Subnetworks by mean validation error within an original, regime and protocol, all spaces together.",
    "pareto": "Subnetworks that no other of their study, original and protocol beats in FLOPs and validation error.",
    "failures": "One row a failed run in a population, with its reason.",
}

VIEW_COLUMNS = {
    "study": "name of the study",
    "original": "key of the original",
    "network": "name of the original's network",
    "dataset": "name of the data set",
    "original_seed": "seed of the original's training",
    "original_flops": "FLOPs of the original",
    "original_params": "parameters of the original",
    "original_ratio": "FLOPs a parameter of the original",
    "regime": "target: FLOPs as a fraction of the original's",
    "space": "name of the space",
    "draw": "order of drawing in the population, from 0",
    "subnetwork": "key of the subnetwork",
    "widths": "kept filters in each group, a JSON array: widths ->> 2 is the third",
    "flops": "FLOPs of the subnetwork for one input",
    "params": "parameters of the subnetwork",
    "flops_fraction": "FLOPs as a fraction of the original's",
    "ratio": "FLOPs a parameter (buckets of one parameter)",
    "protocol": "name of the protocol",
    "seed": "seed of the run",
    "state": "'done' or 'failed'",
    "val_error": "error on the validation split, a fraction: what choices look at",
    "test_error": "error on the test split, a fraction: reported, never chosen by",
    "val_loss": "cross-entropy on the validation split, nats",
    "test_loss": "cross-entropy on the test split, nats",
    "train_loss": "cross-entropy over the last epoch of training, nats",
    "epochs": "epochs trained",
    "wall_s": "seconds from pruning to the last evaluation",
    "failure": "why it failed",
    "host": "machine that it ran on",
    "created_at": "when it was stored, UTC",
    "n_done": "runs that are done",
    "n_failed": "runs that failed",
    "val_error_min": "lowest validation error of its runs",
    "val_error_max": "highest validation error of its runs",
    "val_error_variance": "variance of the validation error between its seeds; NULL for one run",
    "edf": "share of the population with this validation error or a lower one",
    "n": "subnetworks in the population",
    "place": "rank by validation error, from 1; ties share a place",
    "protocol_key": "hash of the protocol's parameters",
    "population_id": "row of the population",
    "subnetwork_id": "row of the subnetwork",
    "protocol_id": "row of the protocol",
    "run_id": "row of the run",
    "latency_ms_1": "median milliseconds for a batch of 1, where the protocol asks for latency",
    "latency_ms_64": "median milliseconds for a batch of 64",
    "speedup_1": "latency of the original over that of the subnetwork, measured in turn: batch of 1",
    "speedup_64": "the same for a batch of 64",
    "pruned_val_error": "validation error before any training, where the protocol asks for proxies",
    "recalibrated_val_error": "the same after batch norm's statistics were estimated anew",
}


def write_comments(connection: Connection) -> None:
    """Write the comments of tables, views and columns into a PostgreSQL database."""
    for table in metadata.sorted_tables:
        _write(connection, f"TABLE {table.name}", table.comment)
        for column in table.columns:
            _write(connection, f"COLUMN {table.name}.{column.name}", column.comment)
    for view, comment in VIEWS.items():
        _write(connection, f"VIEW {view}", comment)
        for name in view_columns(connection, view):
            _write(connection, f"COLUMN {view}.{name}", VIEW_COLUMNS[name])


def view_columns(connection: Connection, view: str) -> list[str]:
    """Return the columns of a view in their order."""
    return list(connection.exec_driver_sql(f"SELECT * FROM {view} WHERE 1 = 0").keys())


def _write(connection: Connection, what: str, comment: str | None) -> None:
    quoted = (comment or "").replace("'", "''")
    connection.exec_driver_sql(f"COMMENT ON {what} IS '{quoted}'")
