"""The tables of the results database, with a comment on every one and on every column.

Units are in the names: ``error`` is 1 - top-1 accuracy as a fraction, ``loss`` is cross-entropy in nats, ``flops`` are
counted by the convention that the original states, ``wall_s`` is in seconds, ``created_at`` is in UTC.
"""

from __future__ import annotations

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
)

from prunestats.db.schema.columns import (
    amount,
    created,
    fraction,
    json_column,
    key_length,
    metric_checks,
    metrics,
    positive,
    real,
    reference,
    row_number,
    text_column,
    unique_name,
    whole,
)
from prunestats.db.schema.types import Row

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


_LATENCY = ("latency_ms_1", "latency_ms_64", "speedup_1", "speedup_64")
_PROXIES = ("pruned_val_error", "recalibrated_val_error")
# what a run has where its protocol asks for it
MEASURED = (*_LATENCY, *_PROXIES)
_METRICS = ("val_error", "test_error", "val_loss", "test_loss")

study = Table(
    "study",
    metadata,
    row_number(),
    text_column("name", "what tables, queries and reports call it"),
    text_column("text", "the study as it was written or read"),
    text_column("fingerprint", "hash of everything that decides its results: one name, one fingerprint"),
    whole("seed", "every random choice derives from it"),
    created(),
    CheckConstraint("length(name) >= 1", name="name_length"),
    *unique_name("study"),
    comment="A study: one file that says which originals, regimes, spaces, protocol and seeds.",
)

environment = Table(
    "environment",
    metadata,
    row_number(),
    text_column("key", "hash of the other columns"),
    text_column("host", "name of the machine"),
    text_column("platform", "operating system and processor"),
    text_column("python", "version of Python"),
    json_column("versions", "version of each package that matters, and of the devices"),
    UniqueConstraint("key"),
    key_length(),
    comment="A machine and its software, where originals were trained and runs were made.",
)

original = Table(
    "original",
    metadata,
    row_number(),
    text_column("key", "hash of network, data set, recipe and seed"),
    text_column("network", "name of the network, or module:function"),
    text_column("dataset", "name of the data set, with the hash of its contents"),
    whole("seed", "seed of its training; NULL where an import does not say", optional=True),
    json_column("recipe", "how it was trained"),
    json_column("group_names", "names of the groups of filters that are pruned together", optional=True),
    json_column("group_sizes", "filters in each group", optional=True),
    json_column("cost", "the cost model: FLOPs and parameters of each layer as functions of the widths", optional=True),
    text_column(
        "flops_convention", "what one FLOP is: 'multiply-adds' counts a multiplication and its addition as one"
    ),
    whole("flops", "FLOPs of the unpruned network for one input"),
    whole("params", "parameters of the unpruned network"),
    *metrics(),
    real("wall_s", "seconds of training and evaluation", optional=True),
    text_column("weights_sha256", "hash of the file of its weights", optional=True),
    reference("environment", "where it was trained", optional=True),
    created(),
    UniqueConstraint("key"),
    key_length(),
    CheckConstraint("flops_convention = 'multiply-adds'", name="flops_convention"),
    positive("flops"),
    positive("params"),
    *metric_checks(),
    amount("wall_s"),
    comment="A dense, trained network that is pruned: a network, a data set, a recipe and a seed.",
)

regime = Table(
    "regime",
    metadata,
    row_number(),
    reference("study", "the study that declares it"),
    real("flops_fraction", "target: FLOPs as a fraction of the original's"),
    real("tolerance", "relative tolerance: 0.02 takes targets from 0.98 to 1.02 times"),
    UniqueConstraint("study_id", "flops_fraction"),
    UniqueConstraint("study_id", "id"),
    CheckConstraint("flops_fraction > 0 AND flops_fraction <= 1", name="flops_fraction"),
    CheckConstraint("tolerance >= 0 AND tolerance <= 1", name="tolerance"),
    comment="A pruning regime: a band of FLOPs.",
)

space = Table(
    "space",
    metadata,
    row_number(),
    reference("study", "the study that declares it"),
    whole("position", "its place in the study, from 0; 0 is the initial space"),
    text_column("name", "its name in the study"),
    text_column("sampler", "kind of distribution over widths"),
    json_column("parameters", "parameters of the sampler and constraints"),
    text_column("law", "the distribution in words"),
    UniqueConstraint("study_id", "position"),
    UniqueConstraint("study_id", "id"),
    CheckConstraint("position >= 0", name="position"),
    CheckConstraint("length(name) >= 1", name="name_length"),
    *unique_name("space", "study_id"),
    comment="A pruning space: a distribution over widths.",
)

subnetwork = Table(
    "subnetwork",
    metadata,
    row_number(),
    reference("original", "the network that it is cut from"),
    text_column("key", "hash of the original's key and the widths, or a name from outside"),
    json_column("widths", "kept filters in each group, a JSON array; NULL where an import does not say", optional=True),
    whole("flops", "FLOPs for one input, by the convention of the original"),
    whole("params", "parameters"),
    UniqueConstraint("original_id", "key"),
    key_length(),
    positive("flops"),
    positive("params"),
    comment="A pruned network: with its original, the widths are the subnetwork.",
)

population = Table(
    "population",
    metadata,
    row_number(),
    reference("study", "the study that drew it"),
    reference("original", "the network whose subnetworks are drawn"),
    Column("regime_id", Row, nullable=False, comment="the band of FLOPs"),
    Column("space_id", Row, nullable=False, comment="the distribution that was drawn from"),
    whole("attempts", "proposals that were drawn"),
    whole("accepted", "proposals inside the band"),
    whole("duplicates", "accepted proposals that repeated an earlier subnetwork"),
    ForeignKeyConstraint(["study_id", "regime_id"], ["regime.study_id", "regime.id"]),
    ForeignKeyConstraint(["study_id", "space_id"], ["space.study_id", "space.id"]),
    UniqueConstraint("study_id", "original_id", "regime_id", "space_id"),
    CheckConstraint("0 <= duplicates AND duplicates <= accepted AND accepted <= attempts", name="counts"),
    comment="The subnetworks drawn from one space in one regime of one original.",
)

draw = Table(
    "draw",
    metadata,
    reference("population", "the population"),
    reference("subnetwork", "the subnetwork"),
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
    row_number(),
    text_column("key", "hash of the parameters"),
    text_column("name", "what the first study to use it called it"),
    json_column("parameters", "how subnetworks are pruned, trained and evaluated"),
    UniqueConstraint("key"),
    key_length(),
    CheckConstraint("length(name) >= 1", name="name_length"),
    comment="How a subnetwork is pruned, trained and evaluated.",
)

plan = Table(
    "plan",
    metadata,
    reference("study", "the study"),
    reference("protocol", "the protocol that each of its subnetworks is run with"),
    whole("seed", "a seed that each of its subnetworks is run with"),
    PrimaryKeyConstraint("study_id", "protocol_id", "seed"),
    comment="The runs that a study asks for; a study without a plan owns every run of its subnetworks.",
    sqlite_with_rowid=False,
)

run = Table(
    "run",
    metadata,
    row_number(),
    reference("subnetwork", "what was run"),
    reference("protocol", "how it was run"),
    whole("seed", "seed of the training"),
    reference("environment", "where it was run; NULL if its worker died", optional=True),
    text_column("state", "'done' or 'failed'; what is missing is not a row"),
    *metrics(),
    real("train_loss", "cross-entropy over the last epoch of training, nats", optional=True),
    whole("epochs", "epochs trained", optional=True),
    real("wall_s", "seconds from pruning to the last evaluation", optional=True),
    text_column("failure", "why it failed; NULL if it is done", optional=True),
    created(),
    real("latency_ms_1", "median milliseconds for a batch of 1; NULL where it was not asked for", optional=True),
    real("latency_ms_64", "median milliseconds for a batch of 64", optional=True),
    real("speedup_1", "latency of the original, measured in turn with it, over its own: batch of 1", optional=True),
    real("speedup_64", "the same for a batch of 64", optional=True),
    real("pruned_val_error", "validation error before any training; NULL where it was not asked for", optional=True),
    real("recalibrated_val_error", "the same after batch norm's statistics were estimated anew", optional=True),
    UniqueConstraint("subnetwork_id", "protocol_id", "seed"),
    CheckConstraint("state IN ('done', 'failed')", name="state"),
    CheckConstraint("state <> 'done' OR (val_error IS NOT NULL AND failure IS NULL)", name="done_has_error"),
    CheckConstraint("state <> 'failed' OR (failure IS NOT NULL AND length(failure) >= 1)", name="failed_has_reason"),
    CheckConstraint("epochs >= 0", name="epochs"),
    *metric_checks(),
    amount("train_loss"),
    amount("wall_s"),
    *(amount(name) for name in _LATENCY),
    *(fraction(name) for name in _PROXIES),
    comment="One training of one subnetwork: (subnetwork, protocol, seed) is its key.",
)

epoch_metric = Table(
    "epoch_metric",
    metadata,
    Column("run_id", Row, ForeignKey("run.id", ondelete="CASCADE"), nullable=False, comment="the run"),
    Column("epoch", Row, nullable=False, comment="epochs trained so far; 0 is before any"),
    real("train_loss", "cross-entropy over the epoch, nats; NULL at epoch 0 or if it diverged", optional=True),
    real("val_error", "error on the validation split, a fraction", optional=True),
    real("val_loss", "cross-entropy on the validation split, nats", optional=True),
    PrimaryKeyConstraint("run_id", "epoch"),
    CheckConstraint("epoch >= 0", name="epoch"),
    fraction("val_error"),
    amount("train_loss"),
    amount("val_loss"),
    comment="The course of a run, one row an epoch.",
    sqlite_with_rowid=False,
)

analysis = Table(
    "analysis",
    metadata,
    row_number(),
    text_column("key", "hash of study, kind, parameters, rows and versions"),
    reference("study", "the study that was analysed; NULL for several", optional=True),
    text_column("kind", "which analysis: edf, compare, optimum, report, ..."),
    json_column("parameters", "its arguments"),
    text_column("rows_hash", "hash of the rows that it looked at"),
    whole("n_rows", "how many rows those were"),
    json_column("result", "what was concluded"),
    json_column("versions", "versions of the code that concluded it"),
    created(),
    UniqueConstraint("key"),
    key_length(),
    CheckConstraint("n_rows >= 0", name="n_rows"),
    comment="What was concluded, from which rows, with which code: the provenance of a report.",
)
