"""Groups of coupled filters, which must be pruned together: Torch-Pruning's dependency graph as index arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunestats.errors import TraceError
from prunestats.runners.pruning.dependency_graph import coupled_layers

Side = tuple[str, str]
Labels = dict[Side, NDArray[np.int64]]


@dataclass(frozen=True)
class Channels:
    """Group and filter to which each input channel, or each output channel, of a layer belongs.

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
        """Indices of the channels that remain when each group keeps the filters marked True."""
        keep = self.group < 0
        for index, marks in enumerate(filters):
            mine = self.group == index
            keep[mine] = marks[self.filter[mine]]
        return np.flatnonzero(keep)

    def restricted(self, ranks: list[NDArray[np.int64]], filters: list[NDArray[np.bool_]]) -> Channels:
        """The remaining channels, with filters renumbered by their `ranks` among those kept."""
        stay = self.kept(filters)
        group, filter_ = self.group[stay], self.filter[stay].copy()
        for index in np.unique(group[group >= 0]):
            mine = group == index
            filter_[mine] = ranks[index][filter_[mine]]
        return Channels(group, filter_)


@dataclass(frozen=True)
class Group:
    """A group of filters: layers coupled to it must all keep the same ones.

    Parameters
    ----------
    name : str
        The first layer, in the order of the network, whose outputs belong to the group.
    size : int
        Number of filters in the original.
    writers, readers : tuple of str
        Names of the layers whose outputs, and whose inputs, belong to the group.
    """

    name: str
    size: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]


def coupled_groups(
    graph: Any, image: nn.Module, modules: dict[str, nn.Module]
) -> tuple[tuple[Group, ...], dict[Side, Channels]]:
    """Groups of coupled filters, and the group and filter of each channel of each layer.

    Parameters
    ----------
    graph : torch_pruning.DependencyGraph
    image : torch.nn.Module
        Marker layer of the image in the graph: channels tied to those of the image are never pruned.
    modules : dict of str to torch.nn.Module
        The layers that own parameters, in the order of the network.

    Returns
    -------
    groups : tuple of Group
        In the order of their first writers.
    channels : dict of (str, {"in", "out"}) to Channels
        Input and output channels of every layer.

    Raises
    ------
    TraceError
        If the graph couples channels that a layer does not have; the message names the layer.

    Notes
    -----
    A filter is a set of channels that must be removed together: a connected component of the ties between channels. A
    grouped convolution ties the inputs and outputs of each of its groups. Filters that occur equally often in the same
    layers form a group, as they are interchangeable: any subset of them may be kept.
    """
    filters = _filters(*_tied_labels(graph, image, modules))
    writers = [name for name, module in modules.items() if not isinstance(module, _BatchNorm)]
    names, group_of, index_of = _assign_groups(filters, _layer_profiles(filters), writers)
    channels = {
        side: Channels(np.where(behind >= 0, group_of[behind], -1), np.where(behind >= 0, index_of[behind], -1))
        for side, behind in filters.items()
    }
    sizes = np.bincount(group_of[group_of >= 0], minlength=len(names)).tolist()
    groups = (Group(name, sizes[index], *_touching(index, channels, writers)) for index, name in enumerate(names))
    return tuple(groups), channels


def independent_groups(module: nn.Module) -> int:
    """Number of groups of a convolution, each of which is pruned or kept as a whole; 1 for all other layers."""
    return int(getattr(module, "groups", 1)) if isinstance(module, nn.Conv2d) else 1


def is_depthwise(module: nn.Module) -> bool:
    """Whether each output channel of a convolution reads only the input channel of the same index."""
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels == module.out_channels


def _tied_labels(
    graph: Any, image: nn.Module, modules: dict[str, nn.Module]
) -> tuple[Labels, list[tuple[int, int]], int]:
    """Labels of the prunable channels (-1 for others), pairs of labels that are tied, and the number of labels.

    One more label, after the last, stands for all channels that are never pruned.
    """
    names = {module: name for name, module in modules.items()}
    labels: Labels = {}
    for name, module in modules.items():
        labels[name, "out"] = np.full(_outputs(module), -1, np.int64)
        copies = isinstance(module, _BatchNorm) or is_depthwise(module)
        labels[name, "in"] = labels[name, "out"] if copies else np.full(_inputs(module), -1, np.int64)
    ties: list[tuple[int, int]] = []
    fixed: list[int] = []
    n_labels = 0
    for group in coupled_layers(graph, _final_layers(graph)):
        for item in group:
            module = item.dep.target.module
            if module is image:
                fixed += [n_labels + root for root in item.root_idxs]
            if module not in names:
                continue
            writes = item.dep.handler.__name__.endswith("out_channels")
            target = labels[names[module], "out" if writes else "in"]
            positions = np.asarray(item.idxs, dtype=np.int64)
            if positions.max(initial=0) >= len(target):
                raise TraceError(
                    f"layer {names[module]!r} cannot be traced: its {len(target)} channels are combined with more "
                    "channels of another layer"
                )
            mine = n_labels + np.asarray(item.root_idxs, dtype=np.int64)
            taken = target[positions] >= 0
            ties += zip(target[positions[taken]].tolist(), mine[taken].tolist(), strict=True)
            target[positions[~taken]] = mine[~taken]
        n_labels += len(group[0].idxs)
    for name, module in modules.items():
        if (parts := independent_groups(module)) > 1 and not is_depthwise(module):
            for tied in np.hstack([labels[name, side].reshape(parts, -1) for side in ("in", "out")]):
                tied = np.where(tied < 0, n_labels, tied)
                ties += [(int(tied[0]), int(label)) for label in tied[1:]]
    return labels, ties + [(label, n_labels) for label in fixed], n_labels


def _filters(labels: Labels, ties: list[tuple[int, int]], n_labels: int) -> Labels:
    """Filter of each channel: the connected component of its label, or -1 for a channel that is never pruned."""
    left, right = np.asarray(ties, dtype=np.int64).reshape(-1, 2).T
    tie_matrix = coo_array((np.ones(len(left)), (left, right)), shape=(n_labels + 1, n_labels + 1))
    _, merged = connected_components(tie_matrix, directed=False)
    merged = np.where(merged == merged[n_labels], -1, merged)
    return {side: np.where(found >= 0, merged[found], -1) for side, found in labels.items()}


def _layer_profiles(filters: Labels) -> NDArray[np.int64]:
    """Class of each filter: equal for filters that occur equally often in the same layers."""
    n_filters = 1 + max(int(behind.max(initial=0)) for behind in filters.values())
    counts = np.zeros((n_filters, len(filters)), dtype=np.int32)
    for column, behind in enumerate(filters.values()):
        np.add.at(counts[:, column], behind[behind >= 0], 1)
    return np.unique(counts, axis=0, return_inverse=True)[1].ravel()


def _assign_groups(
    filters: Labels, kinds: NDArray[np.int64], writers: list[str]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Names of the groups, after their first writers; group of each filter, and its index in that writer's order."""
    group_of, index_of = np.full_like(kinds, -1), np.full_like(kinds, -1)
    names: list[str] = []
    for writer in writers:
        behind = filters[writer, "out"]
        written = np.array(list(dict.fromkeys(behind[behind >= 0].tolist())), dtype=np.int64)
        for kind in dict.fromkeys(kinds[written].tolist()):
            members = written[(kinds[written] == kind) & (group_of[written] < 0)]
            if len(members):
                group_of[members], index_of[members] = len(names), np.arange(len(members))
                names.append(writer if writer not in names else f"{writer}#{len(names)}")
    return names, group_of, index_of


def _touching(
    index: int, channels: dict[Side, Channels], writers: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the layers that write to a group, and of those that read from it."""

    def touching(side: str) -> tuple[str, ...]:
        return tuple(name for name in writers if (channels[name, side].group == index).any())

    return touching("out"), touching("in")


def _final_layers(graph: Any) -> list[nn.Module]:
    """Layers whose outputs are those of the network: they are classes, which are never pruned."""
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


def _inputs(module: Any) -> int:
    if isinstance(module, nn.Conv2d):
        return module.in_channels
    return int(module.in_features if isinstance(module, nn.Linear) else module.num_features)


def _outputs(module: Any) -> int:
    if isinstance(module, nn.Conv2d):
        return module.out_channels
    return int(module.out_features if isinstance(module, nn.Linear) else module.num_features)
