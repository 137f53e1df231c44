"""Successive halving: the rounds of a search as studies, and the result of a search."""
