"""The command `prunestats sql`: one query, or an interactive shell with history and completion."""

from prunestats.cli.sql.command import sql

__all__ = ["sql"]
