"""Makes `v1.db.gz`, a small database of schema version 1. Run with version 1 of the schema only."""

import gzip
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from prunestats.cost.model import CostModel, Layer
from prunestats.db import (
    EpochMetric,
    OriginalRow,
    Outcome,
    SubnetworkRow,
    open_database,
    store_environment,
    store_original,
    store_outcome,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    write,
)

COST = CostModel(("a", "b"), (4, 8), (Layer("conv", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9 * 64, 0, 9, 2),))


def save(name: str, *fills: Callable[[Connection], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        engine = open_database(path)
        with write(engine) as connection:
            for each in fills:
                each(connection)
            connection.exec_driver_sql("UPDATE run SET created_at = '2026-01-01 00:00:00'")
        engine.dispose()
        with sqlite3.connect(path) as small:
            small.execute("PRAGMA journal_mode = DELETE")
            small.execute("PRAGMA page_size = 1024")
            small.execute("VACUUM")
        small.close()
        target = Path(__file__).with_name(f"{name}.gz")
        with target.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            shutil.copyfileobj(path.open("rb"), packed)


def fill(connection) -> None:
    study = store_study(connection, name="saved", text='name = "saved"', fingerprint="f1", seed=1)
    environment = store_environment(connection, host="lab", platform="Linux", python="3.11", versions={"numpy": "2"})
    original = store_original(
        connection,
        OriginalRow(
            key="o1",
            network="net",
            dataset="digits",
            seed=0,
            recipe={"epochs": 20},
            group_names=COST.group_names,
            group_sizes=COST.group_sizes,
            cost=COST.to_dict(),
            flops=18432,
            params=304,
            val_error=0.02,
            wall_s=1.0,
            environment_id=environment,
        ),
    )
    regime = store_regime(connection, study_id=study, flops_fraction=0.5, tolerance=0.02)
    space = store_space(connection, study_id=study, name="initial", sampler="independent", parameters={}, law="u")
    store_population(
        connection,
        study_id=study,
        original_id=original,
        regime_id=regime,
        space_id=space,
        attempts=9,
        accepted=3,
        duplicates=1,
        subnetworks=[SubnetworkRow("s1", (2, 8), 9216, 160), SubnetworkRow("s2", (4, 4), 9216, 152)],
    )
    protocol = store_protocol(connection, key="p1", name="finetune", parameters={"epochs": 2})
    store_plan(connection, study_id=study, protocol_id=protocol, seeds=[0, 1])
    log = (EpochMetric(0, None, 0.9, 3.0), EpochMetric(1, 0.7, 0.1, 0.3))
    for subnetwork, seed, outcome in (
        (1, 0, Outcome("done", 0.1, 0.11, 0.3, 0.31, 0.7, 1, 0.5, None, log)),
        (2, 0, Outcome("done", 0.2, 0.21, 0.6, 0.61, 0.9, 1, 0.5, None, log)),
        (1, 1, Outcome("failed", wall_s=0.1, failure="loss is nan")),
    ):
        key = {"subnetwork_id": subnetwork, "protocol_id": protocol, "seed": seed, "environment_id": environment}
        store_outcome(connection, **key, outcome=outcome)


if __name__ == "__main__":
    save("v1.db", fill)
