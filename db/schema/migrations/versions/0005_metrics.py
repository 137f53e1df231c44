"""Schema version 5: metrics of one's own, kept weights, latencies, leases of runs, tables without FLOPs. Frozen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_DONE = "state <> 'done' OR (val_error IS NOT NULL AND failure IS NULL)"
_DONE_WITH_A_METRIC = "state <> 'done' OR ((val_error IS NOT NULL OR val_metric IS NOT NULL) AND failure IS NULL)"
_OPTIONAL = (("original", "flops"), ("subnetwork", "flops"), ("regime", "flops_fraction"))


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    real, json = ("DOUBLE PRECISION", "JSONB") if on_postgresql else ("DOUBLE", "JSON")
    # no batch: copying a table would drop it, and what refers to it with it
    op.execute(f"ALTER TABLE study ADD COLUMN metric {json}")
    for table in ("original", "run"):
        for name in ("val_metric", "test_metric"):
            check = f"CONSTRAINT ck_{table}_{name}_finite CHECK ({name} BETWEEN -1e300 AND 1e300)"
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {real} {check}")
        op.execute(f"ALTER TABLE {table} ADD COLUMN metrics {json}")
    op.execute(f"ALTER TABLE epoch_metric ADD COLUMN metrics {json}")
    if on_postgresql:
        op.execute("ALTER TABLE run DROP CONSTRAINT ck_run_done_has_error")
        op.execute(f"ALTER TABLE run ADD CONSTRAINT ck_run_done_has_error CHECK ({_DONE_WITH_A_METRIC})")
        for table, column in _OPTIONAL:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
    else:
        _relax_on_sqlite()
    _create_weights()
    _create_latency()
    _create_lease()


def _relax_on_sqlite() -> None:
    """Drop NOT NULL of three columns and change one check, which leaves the stored rows as they are.

    SQLite's manual describes this way for constraints (ALTER TABLE, section "Making Other Kinds Of Table Schema
    Changes"): the text of the table is edited, and the schema read again.
    """
    connection = op.get_bind()
    changes = [("run", _DONE, _DONE_WITH_A_METRIC)]
    changes += [
        (table, f"{column} {kind} NOT NULL", f"{column} {kind}")
        for (table, column), kind in zip(_OPTIONAL, ("BIGINT", "BIGINT", "DOUBLE"), strict=True)
    ]
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for table, before, after in changes:
        text = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).scalar_one()
        if text.count(before) != 1:
            raise RuntimeError(f"expected {before!r} in the table {table}; found {text}")
        connection.exec_driver_sql(
            "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", (text.replace(before, after), table)
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def _create_weights() -> None:
    op.create_table(
        "weights",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("size >= 1", name=op.f("ck_weights_size_positive")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_weights_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_weights")),
    )


def _create_latency() -> None:
    op.create_table(
        "latency",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subnetwork_id", sa.Integer(), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=True),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("threads", sa.BigInteger(), nullable=False),
        sa.Column("ms", sa.Double(), nullable=False),
        sa.Column("ms_low", sa.Double(), nullable=True),
        sa.Column("ms_high", sa.Double(), nullable=True),
        sa.Column("dense_ms", sa.Double(), nullable=True),
        sa.Column("repeats", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        *(
            sa.CheckConstraint(f"{name} BETWEEN 0 AND 1e300", name=op.f(f"ck_latency_{name}_finite"))
            for name in ("ms", "ms_low", "ms_high", "dense_ms")
        ),
        sa.CheckConstraint("batch >= 1", name=op.f("ck_latency_batch_positive")),
        sa.CheckConstraint("threads >= 1", name=op.f("ck_latency_threads_positive")),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name=op.f("fk_latency_environment_id")),
        sa.ForeignKeyConstraint(["subnetwork_id"], ["subnetwork.id"], name=op.f("fk_latency_subnetwork_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_latency")),
        sa.UniqueConstraint(
            "subnetwork_id", "device", "runtime", "precision", "batch", "threads",
            name=op.f("uq_latency_subnetwork_id_device_runtime_precision_batch_threads"),
        ),
    )  # fmt: skip


def _create_lease() -> None:
    op.create_table(
        "lease",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 500", name=op.f("ck_lease_key_length")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_lease")),
    )
