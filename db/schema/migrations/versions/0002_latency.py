"""Schema version 2: the measured latency of a run, and its speed-up over the original. Frozen."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # no batch: copying the table would drop it, and what refers to it with it
    for name in ("latency_ms_1", "latency_ms_64", "speedup_1", "speedup_64"):
        kind = "DOUBLE PRECISION" if op.get_bind().dialect.name == "postgresql" else "DOUBLE"
        check = f"CONSTRAINT ck_run_{name}_finite CHECK ({name} BETWEEN 0 AND 1e300)"
        op.execute(f"ALTER TABLE run ADD COLUMN {name} {kind} {check}")
