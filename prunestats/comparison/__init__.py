"""Two or more populations: effect sizes with intervals, tests, and corrections for their number."""

from prunestats.comparison.comparison import Comparison, compare
from prunestats.comparison.pair import PairComparison

__all__ = ["Comparison", "PairComparison", "compare"]
