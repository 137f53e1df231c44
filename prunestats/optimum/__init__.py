"""Is there an optimal ratio in one regime, where, and how sure: estimates, prerequisite tests and one verdict."""

from prunestats.optimum.optimum import Optimum, find_optimum

__all__ = ["Optimum", "find_optimum"]
