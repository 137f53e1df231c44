"""Two or more populations: effect sizes with confidence intervals, tests, and corrections for multiplicity."""

from prunestats.comparison.comparison import Comparison, compare
from prunestats.comparison.pair_result import PairComparison

__all__ = ["Comparison", "PairComparison", "compare"]
