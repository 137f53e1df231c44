"""The trace of a network: its layers, its groups of coupled filters and its cost model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prunestats.cost.model import CostModel
from prunestats.runners.pruning.coupling import Channels, Group


@dataclass(frozen=True)
class TracedLayer:
    """A layer that owns parameters, with the groups of its input and output channels.

    Parameters
    ----------
    name, kind : str
        The module's name and class.
    inputs, outputs : Channels
        Equal for batch norms and depthwise convolutions.
    positions : int
        Positions at which the layer is applied for one image: height x width of its output feature map, or the tokens
        of a linear layer, usually 1.
    """

    name: str
    kind: str
    inputs: Channels
    outputs: Channels
    positions: int


@dataclass(frozen=True)
class Trace:
    """Groups, layers and cost model of an original network, as pruning needs them.

    Parameters
    ----------
    groups : tuple of Group
    layers : tuple of TracedLayer
    cost : CostModel
    """

    groups: tuple[Group, ...]
    layers: tuple[TracedLayer, ...]
    cost: CostModel

    @property
    def flops(self) -> int:
        """Multiply-adds of the original for one input."""
        return int(self.cost.flops(self.cost.sizes)[0])

    @property
    def params(self) -> int:
        """Parameters of the original."""
        return int(self.cost.params(self.cost.sizes)[0])

    def kept(self, filters: list[NDArray[np.bool_]]) -> Trace:
        """The trace of the network that holds only the filters marked True in each group."""
        widths = tuple(int(marks.sum()) for marks in filters)
        ranks = [np.cumsum(marks) - 1 for marks in filters]

        def left(channels: Channels) -> Channels:
            return channels.restricted(ranks, filters)

        return Trace(
            tuple(replace(group, size=width) for group, width in zip(self.groups, widths, strict=True)),
            tuple(replace(layer, inputs=left(layer.inputs), outputs=left(layer.outputs)) for layer in self.layers),
            replace(self.cost, group_sizes=widths),
        )
