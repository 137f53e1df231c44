"""Exact samples from a space conditional on a regime: a faster scheme may not change the distribution."""

from prunestats.sampling.rejection import Sample, sample
from prunestats.sampling.tilting import Tilt, tilt_towards

__all__ = ["Sample", "Tilt", "sample", "tilt_towards"]
