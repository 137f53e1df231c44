"""The tables of the results database, with a comment on every one and on every column.

Units are in the names: ``error`` is 1 - top-1 accuracy as a fraction, ``loss`` is cross-entropy in nats, ``flops`` are
counted by the convention that the original states, ``wall_s`` is in seconds, ``created_at`` is in UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from prunestats.db.types import Json, Real, Row, String, Whole, now, utc

SCHEMA_VERSION = 3
VERSION_TABLE = "prunestats_version"
# "prst": tells our SQLite files from those of other applications
APPLICATION_ID = 0x70727374

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def _id(comment: str = "row number") -> Column[Any]:
    return Column("id", Row, primary_key=True, comment=comment)


def _to(table: str, comment: str, *, optional: bool = False) -> Column[Any]:
    return Column(f"{table}_id", Row, ForeignKey(f"{table}.id"), nullable=optional, comment=comment)


def _text(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    return Column(name, String, nullable=optional, comment=comment)


def _json(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    return Column(name, Json, nullable=optional, comment=comment)


def _whole(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    return Column(name, Whole, nullable=optional, comment=comment)


def _real(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    return Column(name, Real, nullable=optional, comment=comment)


def _created() -> Column[Any]:
    return Column("created_at", utc(), nullable=False, default=now, comment="when the row was stored, UTC")


def _fraction(name: str) -> CheckConstraint:
    return CheckConstraint(f"{name} BETWEEN 0 AND 1", name=f"{name}_fraction")


def _amount(name: str) -> CheckConstraint:
    # the upper bound keeps out infinity, and NaN where the database has it
    return CheckConstraint(f"{name} BETWEEN 0 AND 1e300", name=f"{name}_finite")


def _positive(name: str) -> CheckConstraint:
    return CheckConstraint(f"{name} >= 1", name=f"{name}_positive")


def _key(name: str = "key") -> CheckConstraint:
    # PostgreSQL's indices hold at most 2,700 bytes an entry
    return CheckConstraint(f"length({name}) BETWEEN 1 AND 500", name=f"{name}_length")


def _unique_name(table: str, *before: str) -> tuple[UniqueConstraint, Index]:
    """Names are of any length: PostgreSQL indexes their hash, as its index entries are short."""
    constraint = UniqueConstraint(*before, "name", name=f"uq_{table}_name").ddl_if(dialect="sqlite")
    index = Index(f"uq_{table}_name_md5", *before, text("md5(name)"), unique=True).ddl_if(dialect="postgresql")
    return constraint, index


LATENCY = ("latency_ms_1", "latency_ms_64", "speedup_1", "speedup_64")
PROXIES = ("pruned_val_error", "recalibrated_val_error")
_METRICS = ("val_error", "test_error", "val_loss", "test_loss")


def _metrics() -> list[Column[Any]]:
    return [
        _real("val_error", "error on the validation split, a fraction: what choices look at", optional=True),
        _real("test_error", "error on the test split, a fraction: reported, never chosen by", optional=True),
        _real("val_loss", "cross-entropy on the validation split, nats", optional=True),
        _real("test_loss", "cross-entropy on the test split, nats", optional=True),
    ]


def _metric_checks() -> list[CheckConstraint]:
    return [_fraction("val_error"), _fraction("test_error"), _amount("val_loss"), _amount("test_loss")]


study = Table(
    "study",
    metadata,
    _id(),
    _text("name", "what tables, queries and reports call it"),
    _text("text", "the study as it was written or read"),
    _text("fingerprint", "hash of everything that decides its results: one name, one fingerprint"),
    _whole("seed", "every random choice derives from it"),
    _created(),
    CheckConstraint("length(name) >= 1", name="name_length"),
    *_unique_name("study"),
    comment="A study: one file that says which originals, regimes, spaces, protocol and seeds.",
)

environment = Table(
    "environment",
    metadata,
    _id(),
    _text("key", "hash of the other columns"),
    _text("host", "name of the machine"),
    _text("platform", "operating system and processor"),
    _text("python", "version of Python"),
    _json("versions", "version of each package that matters, and of the devices"),
    UniqueConstraint("key"),
    _key(),
    comment="A machine and its software, where originals were trained and runs were made.",
)

original = Table(
    "original",
    metadata,
    _id(),
    _text("key", "hash of network, data set, recipe and seed"),
    _text("network", "name of the network, or module:function"),
    _text("dataset", "name of the data set, with the hash of its contents"),
    _whole("seed", "seed of its training; NULL where an import does not say", optional=True),
    _json("recipe", "how it was trained"),
    _json("group_names", "names of the groups of filters that are pruned together", optional=True),
    _json("group_sizes", "filters in each group", optional=True),
    _json("cost", "the cost model: FLOPs and parameters of each layer as functions of the widths", optional=True),
    _text("flops_convention", "what one FLOP is: 'multiply-adds' counts a multiplication and its addition as one"),
    _whole("flops", "FLOPs of the unpruned network for one input"),
    _whole("params", "parameters of the unpruned network"),
    *_metrics(),
    _real("wall_s", "seconds of training and evaluation", optional=True),
    _text("weights_sha256", "hash of the file of its weights", optional=True),
    _to("environment", "where it was trained", optional=True),
    _created(),
    UniqueConstraint("key"),
    _key(),
    CheckConstraint("flops_convention = 'multiply-adds'", name="flops_convention"),
    _positive("flops"),
    _positive("params"),
    *_metric_checks(),
    _amount("wall_s"),
    comment="A dense, trained network that is pruned: a network, a data set, a recipe and a seed.",
)

regime = Table(
    "regime",
    metadata,
    _id(),
    _to("study", "the study that declares it"),
    _real("flops_fraction", "target: FLOPs as a fraction of the original's"),
    _real("tolerance", "relative tolerance: 0.02 takes targets from 0.98 to 1.02 times"),
    UniqueConstraint("study_id", "flops_fraction"),
    UniqueConstraint("study_id", "id"),
    CheckConstraint("flops_fraction > 0 AND flops_fraction <= 1", name="flops_fraction"),
    CheckConstraint("tolerance >= 0 AND tolerance <= 1", name="tolerance"),
    comment="A pruning regime: a band of FLOPs.",
)

space = Table(
    "space",
    metadata,
    _id(),
    _to("study", "the study that declares it"),
    _whole("position", "its place in the study, from 0; 0 is the initial space"),
    _text("name", "its name in the study"),
    _text("sampler", "kind of distribution over widths"),
    _json("parameters", "parameters of the sampler and constraints"),
    _text("law", "the distribution in words"),
    UniqueConstraint("study_id", "position"),
    UniqueConstraint("study_id", "id"),
    CheckConstraint("position >= 0", name="position"),
    CheckConstraint("length(name) >= 1", name="name_length"),
    *_unique_name("space", "study_id"),
    comment="A pruning space: a distribution over widths.",
)

subnetwork = Table(
    "subnetwork",
    metadata,
    _id(),
    _to("original", "the network that it is cut from"),
    _text("key", "hash of the original's key and the widths, or a name from outside"),
    _json("widths", "kept filters in each group, a JSON array; NULL where an import does not say", optional=True),
    _whole("flops", "FLOPs for one input, by the convention of the original"),
    _whole("params", "parameters"),
    UniqueConstraint("original_id", "key"),
    _key(),
    _positive("flops"),
    _positive("params"),
    comment="A pruned network: with its original, the widths are the subnetwork.",
)

population = Table(
    "population",
    metadata,
    _id(),
    _to("study", "the study that drew it"),
    _to("original", "the network whose subnetworks are drawn"),
    Column("regime_id", Row, nullable=False, comment="the band of FLOPs"),
    Column("space_id", Row, nullable=False, comment="the distribution that was drawn from"),
    _whole("attempts", "proposals that were drawn"),
    _whole("accepted", "proposals inside the band"),
    _whole("duplicates", "accepted proposals that repeated an earlier subnetwork"),
    ForeignKeyConstraint(["study_id", "regime_id"], ["regime.study_id", "regime.id"]),
    ForeignKeyConstraint(["study_id", "space_id"], ["space.study_id", "space.id"]),
    UniqueConstraint("study_id", "original_id", "regime_id", "space_id"),
    CheckConstraint("0 <= duplicates AND duplicates <= accepted AND accepted <= attempts", name="counts"),
    comment="The subnetworks drawn from one space in one regime of one original.",
)

draw = Table(
    "draw",
    metadata,
    _to("population", "the population"),
    _to("subnetwork", "the subnetwork"),
    Column("position", Row, nullable=False, comment="order of drawing, from 0"),
    PrimaryKeyConstraint("population_id", "subnetwork_id"),
    UniqueConstraint("population_id", "position"),
    Index("ix_draw_subnetwork_id", "subnetwork_id"),
    CheckConstraint("position >= 0", name="position"),
    comment="Which subnetworks a population holds, and in which order they were drawn.",
    sqlite_with_rowid=False,
)

protocol = Table(
    "protocol",
    metadata,
    _id(),
    _text("key", "hash of the parameters"),
    _text("name", "what the first study to use it called it"),
    _json("parameters", "how subnetworks are pruned, trained and evaluated"),
    UniqueConstraint("key"),
    _key(),
    CheckConstraint("length(name) >= 1", name="name_length"),
    comment="How a subnetwork is pruned, trained and evaluated.",
)

plan = Table(
    "plan",
    metadata,
    _to("study", "the study"),
    _to("protocol", "the protocol that each of its subnetworks is run with"),
    _whole("seed", "a seed that each of its subnetworks is run with"),
    PrimaryKeyConstraint("study_id", "protocol_id", "seed"),
    comment="The runs that a study asks for; a study without a plan owns every run of its subnetworks.",
    sqlite_with_rowid=False,
)

run = Table(
    "run",
    metadata,
    _id(),
    _to("subnetwork", "what was run"),
    _to("protocol", "how it was run"),
    _whole("seed", "seed of the training"),
    _to("environment", "where it was run; NULL if its worker died", optional=True),
    _text("state", "'done' or 'failed'; what is missing is not a row"),
    *_metrics(),
    _real("train_loss", "cross-entropy over the last epoch of training, nats", optional=True),
    _whole("epochs", "epochs trained", optional=True),
    _real("wall_s", "seconds from pruning to the last evaluation", optional=True),
    _text("failure", "why it failed; NULL if it is done", optional=True),
    _created(),
    _real("latency_ms_1", "median milliseconds for a batch of 1; NULL where it was not asked for", optional=True),
    _real("latency_ms_64", "median milliseconds for a batch of 64", optional=True),
    _real("speedup_1", "latency of the original, measured in turn with it, over its own: batch of 1", optional=True),
    _real("speedup_64", "the same for a batch of 64", optional=True),
    _real("pruned_val_error", "validation error before any training; NULL where it was not asked for", optional=True),
    _real("recalibrated_val_error", "the same after batch norm's statistics were estimated anew", optional=True),
    UniqueConstraint("subnetwork_id", "protocol_id", "seed"),
    CheckConstraint("state IN ('done', 'failed')", name="state"),
    CheckConstraint("state <> 'done' OR (val_error IS NOT NULL AND failure IS NULL)", name="done_has_error"),
    CheckConstraint("state <> 'failed' OR (failure IS NOT NULL AND length(failure) >= 1)", name="failed_has_reason"),
    CheckConstraint("epochs >= 0", name="epochs"),
    *_metric_checks(),
    _amount("train_loss"),
    _amount("wall_s"),
    *(_amount(name) for name in LATENCY),
    *(_fraction(name) for name in PROXIES),
    comment="One training of one subnetwork: (subnetwork, protocol, seed) is its key.",
)

epoch_metric = Table(
    "epoch_metric",
    metadata,
    Column("run_id", Row, ForeignKey("run.id", ondelete="CASCADE"), nullable=False, comment="the run"),
    Column("epoch", Row, nullable=False, comment="epochs trained so far; 0 is before any"),
    _real("train_loss", "cross-entropy over the epoch, nats; NULL at epoch 0 or if it diverged", optional=True),
    _real("val_error", "error on the validation split, a fraction", optional=True),
    _real("val_loss", "cross-entropy on the validation split, nats", optional=True),
    PrimaryKeyConstraint("run_id", "epoch"),
    CheckConstraint("epoch >= 0", name="epoch"),
    _fraction("val_error"),
    _amount("train_loss"),
    _amount("val_loss"),
    comment="The course of a run, one row an epoch.",
    sqlite_with_rowid=False,
)

analysis = Table(
    "analysis",
    metadata,
    _id(),
    _text("key", "hash of study, kind, parameters, rows and versions"),
    _to("study", "the study that was analysed; NULL for several", optional=True),
    _text("kind", "which analysis: edf, compare, optimum, report, ..."),
    _json("parameters", "its arguments"),
    _text("rows_hash", "hash of the rows that it looked at"),
    _whole("n_rows", "how many rows those were"),
    _json("result", "what was concluded"),
    _json("versions", "versions of the code that concluded it"),
    _created(),
    UniqueConstraint("key"),
    _key(),
    CheckConstraint("n_rows >= 0", name="n_rows"),
    comment="What was concluded, from which rows, with which code: the provenance of a report.",
)
