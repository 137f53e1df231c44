"""Checking, backup, merge, upgrade and vacuum of whole databases."""
