"""Checking, backing up, merging and upgrading whole databases."""
