"""Schema version 4: what the network of an original computes on a fixed probe. Frozen."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # no batch: copying the table would drop it, and what refers to it with it
    kind = "JSONB" if op.get_bind().dialect.name == "postgresql" else "JSON"
    op.execute(f"ALTER TABLE original ADD COLUMN fingerprint {kind}")
