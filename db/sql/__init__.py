"""Queries that people write, run read-only, with errors that point at the mistake."""
