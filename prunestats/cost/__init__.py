"""FLOPs, parameters and parameter buckets of subnetworks, computed exactly from their widths."""

from prunestats.cost.layer import Layer
from prunestats.cost.model import CostModel

__all__ = ["CostModel", "Layer"]
