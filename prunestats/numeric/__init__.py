"""Numerical building blocks: order statistics, t intervals, results as plain data, memory limits.

They take arrays and numbers, and know neither networks nor frames nor studies.
"""
