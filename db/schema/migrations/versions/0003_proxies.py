"""Schema version 3: a run's validation error before training, and after recalibration alone. Frozen."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # no batch: copying the table would drop it, and what refers to it with it
    for name in ("pruned_val_error", "recalibrated_val_error"):
        kind = "DOUBLE PRECISION" if op.get_bind().dialect.name == "postgresql" else "DOUBLE"
        check = f"CONSTRAINT ck_run_{name}_fraction CHECK ({name} BETWEEN 0 AND 1)"
        op.execute(f"ALTER TABLE run ADD COLUMN {name} {kind} {check}")
