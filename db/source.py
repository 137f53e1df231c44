"""A database to read from, whether it is open already or named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from prunestats.db.engine import read, read_only_engine

Source = Engine | str | os.PathLike[str]


@contextmanager
def reading(source: Source) -> Iterator[Connection]:
    """Open a transaction that reads from an engine, or from the database of a path or URL."""
    engine = source if isinstance(source, Engine) else read_only_engine(source)
    try:
        with read(engine) as connection:
            yield connection
    finally:
        if engine is not source:
            engine.dispose()
