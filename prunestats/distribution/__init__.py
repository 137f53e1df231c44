"""One population: its error distribution, the expected best of k, and the sample size that reaches a target error."""

from prunestats.distribution.best_of_k import BestOf, best_of
from prunestats.distribution.complexity import complexity_weights
from prunestats.distribution.empirical import Edf, edf
from prunestats.distribution.samples_needed import samples_to_reach

__all__ = ["BestOf", "Edf", "best_of", "complexity_weights", "edf", "samples_to_reach"]
