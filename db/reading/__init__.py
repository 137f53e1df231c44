"""Rows out: results frames, progress, declarations and what a report needs; nothing is written."""
