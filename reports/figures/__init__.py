"""Figures draw what they are given; nothing is estimated here."""
