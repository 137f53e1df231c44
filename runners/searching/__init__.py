"""Successive halving: rounds of a search as studies, and its result."""
