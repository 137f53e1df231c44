"""Runs on workers: what is planned, how a worker does it, and where workers are."""
