"""FLOPs, parameters and parameter buckets of subnetworks, exact, from the widths alone."""

from prunestats.cost.layer import Layer
from prunestats.cost.model import CostModel

__all__ = ["CostModel", "Layer"]
