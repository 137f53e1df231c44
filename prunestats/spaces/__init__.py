"""What may be sampled: probability distributions over widths, with constraints and FLOPs regimes.

A space declares a distribution; `prunestats.sampling` draws samples from it.
"""

from prunestats.spaces.constraints import MinimalWidth, WidthDivisor
from prunestats.spaces.cost_bands import FlopsBand, ParameterBand, RatioBand
from prunestats.spaces.listed_sampler import Listed
from prunestats.spaces.registry import Sampler
from prunestats.spaces.samplers import Independent, JitteredUniform, LinearInDepth, SpreadControlled, StageWise
from prunestats.spaces.space import Regime, Space
from prunestats.spaces.support import Support

__all__ = [
    "FlopsBand",
    "Independent",
    "JitteredUniform",
    "LinearInDepth",
    "Listed",
    "MinimalWidth",
    "ParameterBand",
    "RatioBand",
    "Regime",
    "Sampler",
    "Space",
    "SpreadControlled",
    "StageWise",
    "Support",
    "WidthDivisor",
]
