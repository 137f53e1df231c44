"""FLOPs and parameters of one layer as a function of the widths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Terms = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layer:
    """A module with parameters, and its FLOPs and parameters as a function of the groups' widths.

    Parameters
    ----------
    name : str
        The module's name in the network, such as ``"stage1.0.conv1"``.
    kind : str
        The module's class, such as ``"Conv2d"``.
    in_groups, out_groups : tuple of (int, int)
        (group, multiplicity) pairs: inputs = ``in_fixed + sum(multiplicity * width)``; outputs likewise.
    in_fixed, out_fixed : int
        Inputs and outputs that are never pruned, such as image channels and classes.
    flops_per_pair, flops_per_out : int
        Multiply-adds per (input, output) pair, and per output (depthwise layers).
    params_per_pair, params_per_out : int
        Parameters per (input, output) pair, and per output (bias, batch norm).
    """

    name: str
    kind: str
    in_groups: Terms
    in_fixed: int
    out_groups: Terms
    out_fixed: int
    flops_per_pair: int
    flops_per_out: int
    params_per_pair: int
    params_per_out: int

    def params(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Parameters of the layer in n subnetworks, shape (n,), from their widths, shape (groups, n)."""
        outputs = _count(self.out_groups, self.out_fixed, columns)
        if not self.params_per_pair:
            return self.params_per_out * outputs
        inputs = _count(self.in_groups, self.in_fixed, columns)
        return outputs * (self.params_per_pair * inputs + self.params_per_out)

    @property
    def as_owner(self) -> Layer:
        """The layer reduced to what its number of parameters depends on: equal ones need to be counted only once."""
        bare = replace(self, name="", kind="", flops_per_pair=0, flops_per_out=0)
        return bare if self.params_per_pair else replace(bare, in_groups=(), in_fixed=0)


def _count(groups: Terms, fixed: int, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.full(columns.shape[1], float(fixed))
    for group, multiplicity in groups:
        total += multiplicity * columns[group]
    return total
