"""Descriptions of views and their columns, and writing of all descriptions as comments into PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Connection

from prunestats.db.schema.tables import metadata

VIEWS = {
    "results": "One row per run and population: a run of a subnetwork of two populations has two rows.",
    "populations": "One row per subnetwork, population and protocol; metrics are means over its runs in state 'done'.",
    "edf": "The empirical distribution function of the mean validation metric in each population and protocol.",
    "leaderboard": "Subnetworks by mean validation metric within an original, regime and protocol, over all spaces.",
    "pareto": "Pareto front of FLOPs and mean validation metric within a study, original and protocol.",
    "failures": "One row per failed run and population, with the reason.",
}

VIEW_COLUMNS = {
    "study": "name of the study",
    "original": "key of the original",
    "network": "name of the original's network",
    "dataset": "name of the data set",
    "original_seed": "training seed of the original",
    "original_flops": "FLOPs of the original",
    "original_params": "parameters of the original",
    "original_ratio": "FLOPs per parameter of the original",
    "regime": "target: FLOPs as a fraction of the original's",
    "regimes": "targets of all regimes of the study that it was drawn in, largest first: '0.5, 0.25'",
    "space": "name of the space",
    "draw": "sampling order in the population, from 0",
    "subnetwork": "key of the subnetwork",
    "widths": "kept filters in each group, a JSON array: widths ->> 2 is the third",
    "flops": "FLOPs of the subnetwork for one input",
    "params": "parameters of the subnetwork",
    "flops_fraction": "FLOPs as a fraction of the original's",
    "ratio": "FLOPs per parameter",
    "protocol": "name of the protocol",
    "seed": "training seed of the run",
    "state": "'done' or 'failed'",
    "val_error": "error on the validation split, a fraction: used for selection",
    "test_error": "error on the test split, a fraction: reported, never used for selection",
    "val_loss": "cross-entropy on the validation split, nats",
    "test_loss": "cross-entropy on the test split, nats",
    "train_loss": "cross-entropy over the last epoch of training, nats",
    "epochs": "epochs trained",
    "wall_s": "wall-clock seconds from pruning to the last evaluation",
    "failure": "reason of the failure; NULL for a run in state 'done'",
    "host": "name of the machine",
    "created_at": "time of storing, UTC",
    "n_done": "number of runs in state 'done'",
    "n_failed": "number of failed runs",
    "val_error_min": "lowest validation error of its runs",
    "val_error_max": "highest validation error of its runs",
    "val_error_variance": "sample variance of the validation error between seeds; NULL for one run",
    "edf": "fraction of the population with this validation metric or a better one",
    "n": "number of subnetworks in the population",
    "place": "rank by the validation metric, the best first, from 1; ties have equal ranks",
    "metric": "name of the study's metric; 'error' where the study names none",
    "direction": "'minimize' or 'maximize': whether lower or higher values of the metric are better",
    "val_metric": "the study's metric on the validation split, in its own unit: used for selection",
    "test_metric": "the study's metric on the test split: reported, never used for selection",
    "val_metric_variance": "sample variance of the validation metric between seeds; NULL for one run",
    "metrics": "all metrics by split, as a training of one's own returned them: metrics -> 'test' ->> 'miou'",
    "protocol_key": "hash of the protocol's parameters",
    "population_id": "row number of the population",
    "subnetwork_id": "row number of the subnetwork",
    "protocol_id": "row number of the protocol",
    "run_id": "row number of the run",
    "latency_ms_1": "median milliseconds for a batch of 1; NULL where latency is not measured",
    "latency_ms_64": "median milliseconds for a batch of 64",
    "speedup_1": "latency of the original over that of the subnetwork, measured alternately, batch of 1",
    "speedup_64": "the same for a batch of 64",
    "pruned_val_error": "validation error after pruning, before training; NULL where proxies are not measured",
    "recalibrated_val_error": "the same after re-estimating the batch-normalisation statistics",
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
    """Return the names of the columns of a view, in order."""
    return list(connection.exec_driver_sql(f"SELECT * FROM {view} WHERE 1 = 0").keys())


def _write(connection: Connection, what: str, comment: str | None) -> None:
    quoted = (comment or "").replace("'", "''")
    connection.exec_driver_sql(f"COMMENT ON {what} IS '{quoted}'")
