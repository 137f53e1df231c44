"""Figures draw the results that they are given: no statistic is computed here."""
