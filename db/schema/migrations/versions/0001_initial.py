"""Schema version 1: the first tables. Frozen: a later change of the schema is a later migration."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "environment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("python", sa.Text(), nullable=False),
        sa.Column("versions", JSON, nullable=False),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 500", name=op.f("ck_environment_key_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment")),
        sa.UniqueConstraint("key", name=op.f("uq_environment_key")),
    )
    op.create_table(
        "protocol",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 500", name=op.f("ck_protocol_key_length")),
        sa.CheckConstraint("length(name) >= 1", name=op.f("ck_protocol_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protocol")),
        sa.UniqueConstraint("key", name=op.f("uq_protocol_key")),
    )
    op.create_table(
        "study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("length(name) >= 1", name=op.f("ck_study_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        *_unique_name("study"),
    )
    op.create_table(
        "analysis",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("rows_hash", sa.Text(), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("result", JSON, nullable=False),
        sa.Column("versions", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 500", name=op.f("ck_analysis_key_length")),
        sa.CheckConstraint("n_rows >= 0", name=op.f("ck_analysis_n_rows")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_analysis_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis")),
        sa.UniqueConstraint("key", name=op.f("uq_analysis_key")),
    )
    op.create_table(
        "original",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("recipe", JSON, nullable=False),
        sa.Column("group_names", JSON, nullable=True),
        sa.Column("group_sizes", JSON, nullable=True),
        sa.Column("cost", JSON, nullable=True),
        sa.Column("flops_convention", sa.Text(), nullable=False),
        sa.Column("flops", sa.BigInteger(), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("val_error", sa.Double(), nullable=True),
        sa.Column("test_error", sa.Double(), nullable=True),
        sa.Column("val_loss", sa.Double(), nullable=True),
        sa.Column("test_loss", sa.Double(), nullable=True),
        sa.Column("wall_s", sa.Double(), nullable=True),
        sa.Column("weights_sha256", sa.Text(), nullable=True),
        sa.Column("environment_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("flops_convention = 'multiply-adds'", name=op.f("ck_original_flops_convention")),
        sa.CheckConstraint("flops >= 1", name=op.f("ck_original_flops_positive")),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 500", name=op.f("ck_original_key_length")),
        sa.CheckConstraint("params >= 1", name=op.f("ck_original_params_positive")),
        sa.CheckConstraint("test_error BETWEEN 0 AND 1", name=op.f("ck_original_test_error_fraction")),
        sa.CheckConstraint("test_loss BETWEEN 0 AND 1e300", name=op.f("ck_original_test_loss_finite")),
        sa.CheckConstraint("val_error BETWEEN 0 AND 1", name=op.f("ck_original_val_error_fraction")),
        sa.CheckConstraint("val_loss BETWEEN 0 AND 1e300", name=op.f("ck_original_val_loss_finite")),
        sa.CheckConstraint("wall_s BETWEEN 0 AND 1e300", name=op.f("ck_original_wall_s_finite")),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name=op.f("fk_original_environment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_original")),
        sa.UniqueConstraint("key", name=op.f("uq_original_key")),
    )
    op.create_table(
        "plan",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("protocol_id", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["protocol_id"], ["protocol.id"], name=op.f("fk_plan_protocol_id")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_plan_study_id")),
        sa.PrimaryKeyConstraint("study_id", "protocol_id", "seed", name=op.f("pk_plan")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "regime",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("flops_fraction", sa.Double(), nullable=False),
        sa.Column("tolerance", sa.Double(), nullable=False),
        sa.CheckConstraint("flops_fraction > 0 AND flops_fraction <= 1", name=op.f("ck_regime_flops_fraction")),
        sa.CheckConstraint("tolerance >= 0 AND tolerance <= 1", name=op.f("ck_regime_tolerance")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_regime_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regime")),
        sa.UniqueConstraint("study_id", "flops_fraction", name=op.f("uq_regime_study_id_flops_fraction")),
        sa.UniqueConstraint("study_id", "id", name=op.f("uq_regime_study_id_id")),
    )
    op.create_table(
        "space",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sampler", sa.Text(), nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("law", sa.Text(), nullable=False),
        sa.CheckConstraint("length(name) >= 1", name=op.f("ck_space_name_length")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_space_position")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_space_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
        sa.UniqueConstraint("study_id", "id", name=op.f("uq_space_study_id_id")),
        *_unique_name("space", "study_id"),
        sa.UniqueConstraint("study_id", "position", name=op.f("uq_space_study_id_position")),
    )
    op.create_table(
        "population",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("original_id", sa.Integer(), nullable=False),
        sa.Column("regime_id", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("duplicates", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "0 <= duplicates AND duplicates <= accepted AND accepted <= attempts", name=op.f("ck_population_counts")
        ),
        sa.ForeignKeyConstraint(["original_id"], ["original.id"], name=op.f("fk_population_original_id")),
        sa.ForeignKeyConstraint(
            ["study_id", "regime_id"], ["regime.study_id", "regime.id"], name=op.f("fk_population_study_id_regime_id")
        ),
        sa.ForeignKeyConstraint(
            ["study_id", "space_id"], ["space.study_id", "space.id"], name=op.f("fk_population_study_id_space_id")
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_population_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_population")),
        sa.UniqueConstraint(
            "study_id",
            "original_id",
            "regime_id",
            "space_id",
            name=op.f("uq_population_study_id_original_id_regime_id_space_id"),
        ),
    )
    op.create_table(
        "subnetwork",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("original_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("widths", JSON, nullable=True),
        sa.Column("flops", sa.BigInteger(), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("flops >= 1", name=op.f("ck_subnetwork_flops_positive")),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 500", name=op.f("ck_subnetwork_key_length")),
        sa.CheckConstraint("params >= 1", name=op.f("ck_subnetwork_params_positive")),
        sa.ForeignKeyConstraint(["original_id"], ["original.id"], name=op.f("fk_subnetwork_original_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnetwork")),
        sa.UniqueConstraint("original_id", "key", name=op.f("uq_subnetwork_original_id_key")),
    )
    op.create_table(
        "draw",
        sa.Column("population_id", sa.Integer(), nullable=False),
        sa.Column("subnetwork_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("ck_draw_position")),
        sa.ForeignKeyConstraint(["population_id"], ["population.id"], name=op.f("fk_draw_population_id")),
        sa.ForeignKeyConstraint(["subnetwork_id"], ["subnetwork.id"], name=op.f("fk_draw_subnetwork_id")),
        sa.PrimaryKeyConstraint("population_id", "subnetwork_id", name=op.f("pk_draw")),
        sa.UniqueConstraint("population_id", "position", name=op.f("uq_draw_population_id_position")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_draw_subnetwork_id", "draw", ["subnetwork_id"], unique=False)
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subnetwork_id", sa.Integer(), nullable=False),
        sa.Column("protocol_id", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("val_error", sa.Double(), nullable=True),
        sa.Column("test_error", sa.Double(), nullable=True),
        sa.Column("val_loss", sa.Double(), nullable=True),
        sa.Column("test_loss", sa.Double(), nullable=True),
        sa.Column("train_loss", sa.Double(), nullable=True),
        sa.Column("epochs", sa.BigInteger(), nullable=True),
        sa.Column("wall_s", sa.Double(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "state <> 'done' OR (val_error IS NOT NULL AND failure IS NULL)", name=op.f("ck_run_done_has_error")
        ),
        sa.CheckConstraint(
            "state <> 'failed' OR (failure IS NOT NULL AND length(failure) >= 1)", name=op.f("ck_run_failed_has_reason")
        ),
        sa.CheckConstraint("state IN ('done', 'failed')", name=op.f("ck_run_state")),
        sa.CheckConstraint("epochs >= 0", name=op.f("ck_run_epochs")),
        sa.CheckConstraint("test_error BETWEEN 0 AND 1", name=op.f("ck_run_test_error_fraction")),
        sa.CheckConstraint("test_loss BETWEEN 0 AND 1e300", name=op.f("ck_run_test_loss_finite")),
        sa.CheckConstraint("train_loss BETWEEN 0 AND 1e300", name=op.f("ck_run_train_loss_finite")),
        sa.CheckConstraint("val_error BETWEEN 0 AND 1", name=op.f("ck_run_val_error_fraction")),
        sa.CheckConstraint("val_loss BETWEEN 0 AND 1e300", name=op.f("ck_run_val_loss_finite")),
        sa.CheckConstraint("wall_s BETWEEN 0 AND 1e300", name=op.f("ck_run_wall_s_finite")),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name=op.f("fk_run_environment_id")),
        sa.ForeignKeyConstraint(["protocol_id"], ["protocol.id"], name=op.f("fk_run_protocol_id")),
        sa.ForeignKeyConstraint(["subnetwork_id"], ["subnetwork.id"], name=op.f("fk_run_subnetwork_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("subnetwork_id", "protocol_id", "seed", name=op.f("uq_run_subnetwork_id_protocol_id_seed")),
    )
    op.create_table(
        "epoch_metric",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("train_loss", sa.Double(), nullable=True),
        sa.Column("val_error", sa.Double(), nullable=True),
        sa.Column("val_loss", sa.Double(), nullable=True),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_epoch_metric_epoch")),
        sa.CheckConstraint("train_loss BETWEEN 0 AND 1e300", name=op.f("ck_epoch_metric_train_loss_finite")),
        sa.CheckConstraint("val_error BETWEEN 0 AND 1", name=op.f("ck_epoch_metric_val_error_fraction")),
        sa.CheckConstraint("val_loss BETWEEN 0 AND 1e300", name=op.f("ck_epoch_metric_val_loss_finite")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_epoch_metric_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "epoch", name=op.f("pk_epoch_metric")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        # index entries are short there, and names may be long
        op.create_index("uq_study_name_md5", "study", [sa.text("md5(name)")], unique=True)
        op.create_index("uq_space_name_md5", "space", ["study_id", sa.text("md5(name)")], unique=True)


def _unique_name(table: str, *before: str) -> list[sa.UniqueConstraint]:
    if op.get_bind().dialect.name == "postgresql":
        return []
    return [sa.UniqueConstraint(*before, "name", name=f"uq_{table}_name")]
