"""The tables of the results database, with a comment on each table and column.

Units: ``error`` is 1 - top-1 accuracy, a fraction; ``loss`` is cross-entropy in nats; ``flops`` follow the
convention in ``original.flops_convention``; ``wall_s`` is in seconds; ``created_at`` is in UTC. A study with a metric
of its own (``study.metric``) has that metric, in its own unit and direction, in ``val_metric`` and ``test_metric``.
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
    own_metric_checks,
    own_metrics,
    positive,
    real,
    reference,
    row_number,
    text_column,
    unique_name,
    whole,
)
from prunestats.db.schema.types import Row, String, utc

SCHEMA_VERSION = 5
"""Number of the last migration."""

VERSION_TABLE = "prunestats_version"
APPLICATION_ID = 0x70727374
"""The letters "prst": SQLite's mark of the application that a file belongs to."""

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
OPTIONAL_METRICS = (*_LATENCY, *_PROXIES)
"""Columns of `run` that are NULL unless the protocol measures latency or proxies."""

study = Table(
    "study",
    metadata,
    row_number(),
    text_column("name", "its name in tables, queries and reports"),
    text_column("text", "content of the study file; for an import, its source"),
    text_column("fingerprint", "hash of everything that determines its results; a name has one fingerprint"),
    whole("seed", "seed from which all random numbers of the study derive"),
    created(),
    json_column("metric", "name, direction, unit and range of its metric; NULL for error", optional=True),
    CheckConstraint("length(name) >= 1", name="name_length"),
    *unique_name("study"),
    comment="A study: originals, regimes, spaces, protocol and seeds, as declared in one file.",
)

environment = Table(
    "environment",
    metadata,
    row_number(),
    text_column("key", "hash of the other columns"),
    text_column("host", "name of the machine"),
    text_column("platform", "operating system and processor"),
    text_column("python", "version of Python"),
    json_column("versions", "versions of packages and names of devices"),
    UniqueConstraint("key"),
    key_length(),
    comment="A machine and its software, on which originals and subnetworks were trained.",
)

original = Table(
    "original",
    metadata,
    row_number(),
    text_column("key", "hash of network, data set, recipe and seed"),
    text_column("network", "name of the network, or module:name by which it was last built"),
    text_column("dataset", "name of the data set, with the hash of its contents"),
    whole("seed", "training seed; NULL where an import does not state it", optional=True),
    json_column("recipe", "how it was trained"),
    json_column("group_names", "names of the groups of filters that are pruned together", optional=True),
    json_column("group_sizes", "filters in each group", optional=True),
    json_column("cost", "the cost model: FLOPs and parameters of each layer as functions of the widths", optional=True),
    text_column(
        "flops_convention", "what one FLOP is: 'multiply-adds' counts a multiplication and its addition as one"
    ),
    whole(
        "flops", "FLOPs of the unpruned network for one input; NULL where an import does not state them", optional=True
    ),
    whole("params", "parameters of the unpruned network"),
    *metrics(),
    real("wall_s", "wall-clock seconds of training and evaluation", optional=True),
    text_column("weights_sha256", "SHA-256 of the file of its weights", optional=True),
    reference("environment", "machine and software of the training", optional=True),
    created(),
    json_column("fingerprint", "what the network computes on a fixed probe; NULL if not recorded", optional=True),
    *own_metrics(),
    UniqueConstraint("key"),
    key_length(),
    CheckConstraint("flops_convention = 'multiply-adds'", name="flops_convention"),
    positive("flops"),
    positive("params"),
    *metric_checks(),
    *own_metric_checks(),
    amount("wall_s"),
    comment="An original: a dense, trained network, identified by what its network computes, data, recipe and seed.",
)

regime = Table(
    "regime",
    metadata,
    row_number(),
    reference("study", "the study that declares it"),
    real("flops_fraction", "target: FLOPs as a fraction of the original's; NULL without FLOPs", optional=True),
    real("tolerance", "relative tolerance: 0.02 accepts 0.98 to 1.02 times the target"),
    UniqueConstraint("study_id", "flops_fraction"),
    UniqueConstraint("study_id", "id"),
    CheckConstraint("flops_fraction > 0 AND flops_fraction <= 1", name="flops_fraction"),
    CheckConstraint("tolerance >= 0 AND tolerance <= 1", name="tolerance"),
    comment="A pruning regime: a band of FLOPs around a target.",
)

space = Table(
    "space",
    metadata,
    row_number(),
    reference("study", "the study that declares it"),
    whole("position", "order in the study, from 0; 0 is the initial space"),
    text_column("name", "its name in the study"),
    text_column("sampler", "family of the distribution over widths"),
    json_column("parameters", "parameters of the distribution, and constraints on the widths"),
    text_column("law", "description of the distribution"),
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
    text_column("key", "hash of the original's key and the widths; its name in an import"),
    json_column(
        "widths", "kept filters in each group, a JSON array; NULL where an import does not state them", optional=True
    ),
    whole(
        "flops", "FLOPs for one input, by the convention of the original; NULL where an import has none", optional=True
    ),
    whole("params", "parameters"),
    UniqueConstraint("original_id", "key"),
    key_length(),
    positive("flops"),
    positive("params"),
    comment="A subnetwork: a pruned network, identified by its original and its widths.",
)

population = Table(
    "population",
    metadata,
    row_number(),
    reference("study", "the study that sampled it"),
    reference("original", "the network that is pruned"),
    Column("regime_id", Row, nullable=False, comment="the band of FLOPs"),
    Column("space_id", Row, nullable=False, comment="the distribution that was sampled"),
    whole("attempts", "number of proposals"),
    whole("accepted", "number of proposals inside the band"),
    whole("duplicates", "number of accepted proposals that repeated an earlier subnetwork"),
    ForeignKeyConstraint(["study_id", "regime_id"], ["regime.study_id", "regime.id"]),
    ForeignKeyConstraint(["study_id", "space_id"], ["space.study_id", "space.id"]),
    UniqueConstraint("study_id", "original_id", "regime_id", "space_id"),
    CheckConstraint("0 <= duplicates AND duplicates <= accepted AND accepted <= attempts", name="counts"),
    comment="A population: the subnetworks of one original, sampled from one space in one regime.",
)

draw = Table(
    "draw",
    metadata,
    reference("population", "the population"),
    reference("subnetwork", "the subnetwork"),
    Column("position", Row, nullable=False, comment="sampling order, from 0"),
    PrimaryKeyConstraint("population_id", "subnetwork_id"),
    UniqueConstraint("population_id", "position"),
    Index("ix_draw_subnetwork_id", "subnetwork_id"),
    CheckConstraint("position >= 0", name="position"),
    comment="The subnetworks of each population, in sampling order.",
    sqlite_with_rowid=False,
)

protocol = Table(
    "protocol",
    metadata,
    row_number(),
    text_column("key", "hash of the parameters"),
    text_column("name", "its name in the first study that used it"),
    json_column("parameters", "how subnetworks are pruned, trained and evaluated"),
    UniqueConstraint("key"),
    key_length(),
    CheckConstraint("length(name) >= 1", name="name_length"),
    comment="A protocol: how a subnetwork is pruned, trained and evaluated.",
)

plan = Table(
    "plan",
    metadata,
    reference("study", "the study"),
    reference("protocol", "protocol of the runs of its subnetworks"),
    whole("seed", "a training seed of each of its subnetworks"),
    PrimaryKeyConstraint("study_id", "protocol_id", "seed"),
    comment="The planned runs of a study; a study without a plan owns every run of its subnetworks.",
    sqlite_with_rowid=False,
)

run = Table(
    "run",
    metadata,
    row_number(),
    reference("subnetwork", "the subnetwork that was trained"),
    reference("protocol", "how it was pruned, trained and evaluated"),
    whole("seed", "training seed"),
    reference("environment", "machine and software; NULL if the worker died", optional=True),
    text_column("state", "'done' or 'failed'; a missing run has no row"),
    *metrics(),
    real("train_loss", "cross-entropy over the last epoch of training, nats", optional=True),
    whole("epochs", "epochs trained", optional=True),
    real("wall_s", "wall-clock seconds from pruning to the last evaluation", optional=True),
    text_column("failure", "reason of the failure; NULL for a run in state 'done'", optional=True),
    created(),
    real("latency_ms_1", "median milliseconds for a batch of 1; NULL where it was not measured", optional=True),
    real("latency_ms_64", "median milliseconds for a batch of 64", optional=True),
    real("speedup_1", "latency of the original over its own, measured alternately, batch of 1", optional=True),
    real("speedup_64", "the same for a batch of 64", optional=True),
    real("pruned_val_error", "validation error after pruning, before training; NULL where not measured", optional=True),
    real("recalibrated_val_error", "the same after re-estimating the batch-normalisation statistics", optional=True),
    *own_metrics(),
    UniqueConstraint("subnetwork_id", "protocol_id", "seed"),
    CheckConstraint("state IN ('done', 'failed')", name="state"),
    CheckConstraint(
        "state <> 'done' OR ((val_error IS NOT NULL OR val_metric IS NOT NULL) AND failure IS NULL)",
        name="done_has_error",
    ),
    CheckConstraint("state <> 'failed' OR (failure IS NOT NULL AND length(failure) >= 1)", name="failed_has_reason"),
    CheckConstraint("epochs >= 0", name="epochs"),
    *metric_checks(),
    *own_metric_checks(),
    amount("train_loss"),
    amount("wall_s"),
    *(amount(name) for name in _LATENCY),
    *(fraction(name) for name in _PROXIES),
    comment="A run: one training of one subnetwork, identified by subnetwork, protocol and seed.",
)

epoch_metric = Table(
    "epoch_metric",
    metadata,
    Column("run_id", Row, ForeignKey("run.id", ondelete="CASCADE"), nullable=False, comment="the run"),
    Column("epoch", Row, nullable=False, comment="epochs trained so far; 0 is before training"),
    real("train_loss", "cross-entropy over the epoch, nats; NULL at epoch 0 or if it diverged", optional=True),
    real("val_error", "error on the validation split, a fraction", optional=True),
    real("val_loss", "cross-entropy on the validation split, nats", optional=True),
    json_column("metrics", "metrics that a training of the user's own reports", optional=True),
    PrimaryKeyConstraint("run_id", "epoch"),
    CheckConstraint("epoch >= 0", name="epoch"),
    fraction("val_error"),
    amount("train_loss"),
    amount("val_loss"),
    comment="Metrics of a run after each epoch.",
    sqlite_with_rowid=False,
)

weights = Table(
    "weights",
    metadata,
    Column("run_id", Row, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True, comment="the run"),
    text_column("sha256", "SHA-256 of the file of its trained weights, beside the database"),
    whole("size", "bytes of the file"),
    created(),
    positive("size"),
    comment="Kept weights: trained weights of the best runs of a population, as files beside the database.",
)

latency = Table(
    "latency",
    metadata,
    row_number(),
    reference("subnetwork", "the subnetwork"),
    reference("environment", "machine and software of the measurement", optional=True),
    text_column("device", "name of the processor or GPU"),
    text_column("runtime", "'eager', 'compile', 'onnx', or module:function"),
    text_column("precision", "precision of weights and activations"),
    whole("batch", "images in a batch"),
    whole("threads", "threads of the process"),
    real("ms", "median milliseconds of a batch"),
    real("ms_low", "lower quartile", optional=True),
    real("ms_high", "upper quartile", optional=True),
    real("dense_ms", "median milliseconds of the dense network, measured in turn with it", optional=True),
    whole("repeats", "timed batches", optional=True),
    created(),
    UniqueConstraint("subnetwork_id", "device", "runtime", "precision", "batch", "threads"),
    *(amount(name) for name in ("ms", "ms_low", "ms_high", "dense_ms")),
    positive("batch"),
    positive("threads"),
    comment="A latency: milliseconds of a subnetwork on a device, with a runtime, precision, batch and threads.",
)

lease = Table(
    "lease",
    metadata,
    Column("key", String, primary_key=True, comment="the run, or the training of a dense network"),
    text_column("host", "name of the machine"),
    text_column("process", "number and start of the process that trains it"),
    Column("expires_at", utc(), nullable=False, comment="when it may be handed out again, UTC"),
    key_length(),
    comment="A lease: a run that was handed out to be trained elsewhere and is not stored yet.",
)

analysis = Table(
    "analysis",
    metadata,
    row_number(),
    text_column("key", "hash of study, kind, parameters, rows and versions"),
    reference("study", "the study that was analysed; NULL for several", optional=True),
    text_column("kind", "name of the analysis: edf, compare, optimum, report, ..."),
    json_column("parameters", "its arguments"),
    text_column("rows_hash", "hash of the analysed rows"),
    whole("n_rows", "number of analysed rows"),
    json_column("result", "the result"),
    json_column("versions", "versions of Python and packages"),
    created(),
    UniqueConstraint("key"),
    key_length(),
    CheckConstraint("n_rows >= 0", name="n_rows"),
    comment="An analysis: its result, and the rows, parameters and code versions that it came from.",
)
