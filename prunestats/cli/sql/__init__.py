"""The query command: one answer, or a shell with history and completion."""

from prunestats.cli.sql.command import sql

__all__ = ["sql"]
