"""Idempotent inserts of studies, populations, outcomes and analyses."""
