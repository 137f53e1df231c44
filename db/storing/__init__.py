"""Inserting studies, populations, outcomes and analyses; storing twice equals storing once."""
