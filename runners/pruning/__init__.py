"""Tracing a network to groups of coupled filters, choosing filters, and removing them."""
