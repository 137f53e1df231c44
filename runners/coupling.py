"""Which filters leave together: Torch-Pruning's dependency graph, read into plain index arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.errors import TraceError


@dataclass(frozen=True)
class Channels:
    """The group and the filter behind each channel of one side of a layer.

    Parameters
    ----------
    group : ndarray of int64, shape (channels,)
        Index of the group, or -1 for a channel that is never pruned.
    filter : ndarray of int64, shape (channels,)
        Index of the filter within its group.
    """

    group: NDArray[np.int64]
    filter: NDArray[np.int64]

    def kept(self, filters: list[NDArray[np.bool_]]) -> NDArray[np.int64]:
        """Positions of the channels that stay when each group keeps the filters marked True."""
        keep = self.group < 0
        for index, marks in enumerate(filters):
            mine = self.group == index
            keep[mine] = marks[self.filter[mine]]
        return np.flatnonzero(keep)


@dataclass(frozen=True)
class Group:
    """Filters that must be pruned together.

    Parameters
    ----------
    name : str
        The first layer, in the order of the network, that writes to it.
    size : int
        Filters that the original has.
    writers, readers : tuple of str
        Names of the layers whose outputs and whose inputs belong to it.
    """

    name: str
    size: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]


def couple(graph: Any, modules: dict[str, nn.Module]) -> tuple[tuple[Group, ...], dict[tuple[str, str], Channels]]:
    """Groups of coupled filters, and the group and filter behind each channel of each layer.

    Parameters
    ----------
    graph : torch_pruning.DependencyGraph
        The built dependency graph.
    modules : dict of str to torch.nn.Module
        The layers that own parameters, in the order of the network.

    Returns
    -------
    groups : tuple of Group
        In the order of their first writers.
    channels : dict of (str, {"in", "out"}) to Channels
        Both sides of every layer.

    Raises
    ------
    TraceError
        If a channel belongs to two groups at once.
    """
    names = {module: name for name, module in modules.items()}
    channels = {
        (name, side): Channels(np.full(size, -1, np.int64), np.full(size, -1, np.int64))
        for name, module in modules.items()
        for side, size in (("in", _inputs(module)), ("out", _outputs(module)))
    }
    coupled = graph.get_all_groups(ignored_layers=_final_layers(graph), root_module_types=[nn.Conv2d, nn.Linear])
    members = sorted((_members(group, names, modules) for group in coupled), key=lambda found: min(found.order))
    groups = []
    for index, found in enumerate(members):
        for name, side, positions, filters in found.parts:
            target = channels[name, side]
            if (target.group[positions] >= 0).any():
                raise TraceError(f"layer {name!r} has channels in two groups at once, which cannot be pruned exactly")
            target.group[positions] = index
            target.filter[positions] = filters
        groups.append(Group(min(found.writers, key=list(modules).index), found.size, found.writers, found.readers))
    for name, module in modules.items():
        if isinstance(module, _BatchNorm) or getattr(module, "groups", 1) > 1:
            channels[name, "in"] = channels[name, "out"]
    return tuple(groups), channels


def _final_layers(graph: Any) -> list[nn.Module]:
    """Layers whose outputs leave the network: classes are not filters."""
    final: list[nn.Module] = []
    for node in graph.module2node.values():
        if isinstance(node.module, nn.Conv2d | nn.Linear | _BatchNorm) and not _feeds_a_layer(node):
            final.append(node.module)
    return final


def _feeds_a_layer(node: Any) -> bool:
    seen, frontier = set(), list(node.outputs)
    while frontier:
        following = frontier.pop()
        if following in seen:
            continue
        seen.add(following)
        if isinstance(following.module, nn.Conv2d | nn.Linear):
            return True
        frontier += following.outputs
    return False


@dataclass(frozen=True)
class _Members:
    size: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    parts: tuple[tuple[str, str, NDArray[np.int64], NDArray[np.int64]], ...]
    order: tuple[int, ...]


def _members(group: Any, names: dict[nn.Module, str], modules: dict[str, nn.Module]) -> _Members:
    """The layers of one of Torch-Pruning's groups, with each channel's filter."""
    size = len(group[0].idxs)
    writers: dict[str, None] = {}
    readers: dict[str, None] = {}
    parts = []
    for item in group:
        module = item.dep.target.module
        if module not in names:
            continue
        name = names[module]
        writes = item.dep.handler.__name__.endswith("out_channels") or isinstance(module, _BatchNorm)
        positions = np.asarray(item.idxs, dtype=np.int64)
        filters = np.asarray(item.root_idxs, dtype=np.int64)
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            writes = True
        parts.append((name, "out" if writes else "in", positions, filters))
        if not writes:
            readers[name] = None
        elif not isinstance(module, _BatchNorm):
            writers[name] = None
    unique = {
        (name, side, tuple(positions)): (name, side, positions, filters) for name, side, positions, filters in parts
    }
    everything = list(modules)
    return _Members(
        size, tuple(writers), tuple(readers), tuple(unique.values()), tuple(everything.index(name) for name in writers)
    )


def _inputs(module: Any) -> int:
    if isinstance(module, nn.Conv2d):
        return module.in_channels
    return int(module.in_features if isinstance(module, nn.Linear) else module.num_features)


def _outputs(module: Any) -> int:
    if isinstance(module, nn.Conv2d):
        return module.out_channels
    return int(module.out_features if isinstance(module, nn.Linear) else module.num_features)
