"""Queries: results frames, progress, declarations, and the record of a study for a report; nothing is written."""
