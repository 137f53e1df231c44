"""Columns and constraints that the tables of the results database share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, UniqueConstraint, text

from prunestats.db.connection.plain_values import now
from prunestats.db.schema.types import Json, Real, Row, String, Whole, utc


def row_number(comment: str = "row number") -> Column[Any]:
    """Return the primary key: the number of a row."""
    return Column("id", Row, primary_key=True, comment=comment)


def reference(table: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """Return a column that refers to a row of another table."""
    return Column(f"{table}_id", Row, ForeignKey(f"{table}.id"), nullable=optional, comment=comment)


def text_column(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """Return a column of text."""
    return Column(name, String, nullable=optional, comment=comment)


def json_column(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """Return a column of JSON."""
    return Column(name, Json, nullable=optional, comment=comment)


def whole(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """Return a column of whole numbers."""
    return Column(name, Whole, nullable=optional, comment=comment)


def real(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """Return a column of real numbers."""
    return Column(name, Real, nullable=optional, comment=comment)


def created() -> Column[Any]:
    """Return the column for the time of storing."""
    return Column("created_at", utc(), nullable=False, default=now, comment="when the row was stored, UTC")


def fraction(name: str) -> CheckConstraint:
    """Check that a column lies in [0, 1]."""
    return CheckConstraint(f"{name} BETWEEN 0 AND 1", name=f"{name}_fraction")


def amount(name: str) -> CheckConstraint:
    """Check that a column is 0 or more and finite."""
    # the upper bound excludes infinity, and NaN, which PostgreSQL sorts above every number; 1e300 is a round number
    return CheckConstraint(f"{name} BETWEEN 0 AND 1e300", name=f"{name}_finite")


def positive(name: str) -> CheckConstraint:
    """Check that a column is 1 or more."""
    return CheckConstraint(f"{name} >= 1", name=f"{name}_positive")


def key_length(name: str = "key") -> CheckConstraint:
    """Check that a key is short enough for an index."""
    # an index entry of PostgreSQL holds at most 2,700 bytes, and a character takes up to 4
    return CheckConstraint(f"length({name}) BETWEEN 1 AND 500", name=f"{name}_length")


def unique_name(table: str, *before: str) -> tuple[UniqueConstraint, Index]:
    """Require unique names of any length; PostgreSQL indexes their hash, as its index entries are short."""
    constraint = UniqueConstraint(*before, "name", name=f"uq_{table}_name").ddl_if(dialect="sqlite")
    index = Index(f"uq_{table}_name_md5", *before, text("md5(name)"), unique=True).ddl_if(dialect="postgresql")
    return constraint, index


def metrics() -> list[Column[Any]]:
    """Return the columns of error and loss on both splits."""
    return [
        real("val_error", "error on the validation split, a fraction: used for selection", optional=True),
        real("test_error", "error on the test split, a fraction: reported, never used for selection", optional=True),
        real("val_loss", "cross-entropy on the validation split, nats", optional=True),
        real("test_loss", "cross-entropy on the test split, nats", optional=True),
    ]


def metric_checks() -> list[CheckConstraint]:
    """Check the columns of `metrics`."""
    return [fraction("val_error"), fraction("test_error"), amount("val_loss"), amount("test_loss")]


def own_metrics() -> list[Column[Any]]:
    """Return the columns of a metric of the study's own on both splits, and of all metrics that were returned."""
    return [
        real("val_metric", "the study's metric on the validation split; NULL where it is the error", optional=True),
        real("test_metric", "the study's metric on the test split; NULL where it is the error", optional=True),
        json_column("metrics", "all metrics by split, as the training of the user's own returned them", optional=True),
    ]


def own_metric_checks() -> list[CheckConstraint]:
    """Check the columns of `own_metrics`."""
    # NaN and infinities are excluded; 1e300 is a round number
    return [
        CheckConstraint(f"{name} BETWEEN -1e300 AND 1e300", name=f"{name}_finite")
        for name in ("val_metric", "test_metric")
    ]
