"""Samples from a space inside a regime, exact for the declared distribution: a faster scheme may not change it."""

from prunestats.sampling.rejection import Sample, sample
from prunestats.sampling.tilting import Tilt, tilt_towards

__all__ = ["Sample", "Tilt", "sample", "tilt_towards"]
