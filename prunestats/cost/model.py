"""Cost model of a network: FLOPs, parameters and parameter buckets of its subnetworks as exact functions of the widths.

A layer costs ``per_pair * inputs * outputs + per_out * outputs``, and its inputs and outputs are linear in the widths.
FLOPs and parameters are therefore quadratic forms in the widths, and many subnetworks take a few matrix products.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunestats.cost.buckets import check_bucket, filled_buckets
from prunestats.cost.layer import Layer, Terms
from prunestats.errors import InputError

__all__ = ["CONVENTION", "CostModel", "Layer", "Terms"]

CONVENTION = "multiply-adds"

_LARGEST_EXACT = 2**53
"""Integers up to it are exact in float64, whose matrix products are fast; integer matrix products are not."""

_CHUNK_CELLS = 250_000
"""Entries of one chunk, 2 MB: a chunk that fits the processor's cache is three times as fast as one that does not."""


@dataclass(frozen=True)
class CostModel:
    """FLOPs, parameters and parameter buckets of every subnetwork of one original network.

    Parameters
    ----------
    group_names : tuple of str
        A name for each group of filters, which are pruned together.
    group_sizes : tuple of int
        Filters that the original has in each group.
    layers : tuple of Layer
        Every module with parameters.

    Notes
    -----
    FLOPs are multiply-adds of convolution and linear layers, without bias and batch norm, for one input.
    A parameter bucket is a unit of storage of B parameters: a layer with P parameters fills ``ceil(P / B)`` buckets.

    Examples
    --------
    >>> layer = Layer("conv", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9 * 64, 0, 9, 0)
    >>> cost = CostModel(("a", "b"), (4, 8), (layer,))
    >>> cost.flops([[4, 8], [2, 4]])
    array([18432,  4608])
    >>> cost.buckets([[4, 8], [2, 4]], size=100)
    array([3, 1])
    """

    group_names: tuple[str, ...]
    group_sizes: tuple[int, ...]
    layers: tuple[Layer, ...]

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.group_sizes)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Widths of the original, shape (groups,)."""
        return np.asarray(self.group_sizes, dtype=np.int64)

    def flops(self, widths: ArrayLike) -> NDArray[np.int64]:
        """Multiply-adds of each subnetwork.

        Parameters
        ----------
        widths : array_like of int, shape (n, groups) or (groups,)
            Kept filters in each group.

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        return _quadratic_form(self.flops_form, self._check(widths))

    def params(self, widths: ArrayLike) -> NDArray[np.int64]:
        """Parameters of each subnetwork, shape (n,); `widths` as in `flops`."""
        return _quadratic_form(self._params_form, self._check(widths))

    def layer_params(self, widths: ArrayLike) -> NDArray[np.int64]:
        """Parameters of each layer of each subnetwork, shape (n, layers); `widths` as in `flops`."""
        return np.concatenate([block.astype(np.int64) for block in self._layer_params(self._check(widths))])

    def buckets(self, widths: ArrayLike, size: int = 1) -> NDArray[np.int64]:
        """Parameter buckets of `size` parameters that each subnetwork fills, shape (n,); `widths` as in `flops`.

        Raises
        ------
        InputError
            If `size` is not a positive integer.
        """
        check_bucket(size)
        checked = self._check(widths)
        if size == 1:
            return self.params(checked)
        blocks = []
        for rows in _chunks(len(checked), self.n_groups):
            columns = np.ascontiguousarray(checked[rows].T)
            blocks.append(
                sum(times * filled_buckets(layer.params(columns), size) for layer, times in self._distinct.items())
            )
        return np.concatenate(blocks).astype(np.int64)

    def ratio(self, widths: ArrayLike, bucket: int = 1) -> NDArray[np.float64]:
        """Ratio of FLOPs to buckets of `bucket` parameters of each subnetwork, shape (n,); `widths` as in `flops`."""
        return self.flops(widths) / self.buckets(widths, bucket)

    def inside(self, widths: NDArray[np.int64], low: float, high: float) -> NDArray[np.int64]:
        """Indices of the rows of `widths` with FLOPs in [`low`, `high`], increasing; widths are not checked.

        Notes
        -----
        All rows are evaluated in single precision, with a bound on the relative error: that of two nested sums of
        positive terms, one per group. Rows within that bound of the band are then evaluated exactly.
        """
        vectors = np.ones((len(widths), self.n_groups + 1), dtype=np.float32)
        vectors[:, :-1] = widths
        rough = np.einsum("ng,ng->n", vectors @ self.flops_form.astype(np.float32), vectors)
        # two nested sums of groups + 1 positive terms err by about 2 (groups + 3) eps at most; the bound is twice that
        slack = 4 * (self.n_groups + 3) * float(np.finfo(np.float32).eps)
        near = np.flatnonzero((rough >= low * (1 - slack)) & (rough <= high * (1 + slack)))
        flops = _quadratic_form(self.flops_form, widths[near].astype(np.float64))
        return near[(low <= flops) & (flops <= high)]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types, with the FLOPs convention."""
        return {
            "convention": CONVENTION,
            "group_names": list(self.group_names),
            "group_sizes": list(self.group_sizes),
            "layers": [asdict(layer) for layer in self.layers],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> CostModel:
        """Rebuild a cost model from the dict of `to_dict`, also after JSON has turned tuples into lists."""
        layers = tuple(
            Layer(**{**layer, "in_groups": _terms(layer["in_groups"]), "out_groups": _terms(layer["out_groups"])})
            for layer in stored["layers"]
        )
        return cls(tuple(stored["group_names"]), tuple(stored["group_sizes"]), layers)

    def _check(self, widths: ArrayLike) -> NDArray[np.float64]:
        """Widths as a float64 matrix, after refusing those that are no subnetwork."""
        found = np.atleast_2d(np.asarray(widths))
        if found.ndim != 2 or found.shape[1] != self.n_groups:
            raise InputError(
                f"widths must have one column for each of the {self.n_groups} groups; found shape {found.shape}"
            )
        if found.size and ((found < 1).any() or (found > self.sizes).any() or (found != np.floor(found)).any()):
            raise InputError(
                f"widths must be whole numbers from 1 to the original's {list(self.group_sizes)}; "
                f"found values from {found.min()} to {found.max()}"
            )
        return found.astype(np.float64)

    @cached_property
    def _distinct(self) -> Counter[Layer]:
        """Layers with equal numbers of parameters at all widths, and how many there are of each."""
        return Counter(layer.as_owner for layer in self.layers)

    @cached_property
    def _channels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrices, shape (groups + 1, layers), that map (widths, 1) to the layers' inputs and outputs."""
        inputs = np.zeros((self.n_groups + 1, len(self.layers)))
        outputs = np.zeros_like(inputs)
        for column, layer in enumerate(self.layers):
            for matrix, terms, fixed in (
                (inputs, layer.in_groups, layer.in_fixed),
                (outputs, layer.out_groups, layer.out_fixed),
            ):
                matrix[-1, column] = fixed
                for group, multiplicity in terms:
                    matrix[group, column] += multiplicity
        return inputs, outputs

    def _form(self, cost: Literal["flops", "params"]) -> NDArray[np.float64]:
        """Matrix Q with cost = v Q v' for v = (widths, 1)."""
        inputs, outputs = self._channels
        per_pair, per_out = self._unit_costs(cost)
        form: NDArray[np.float64] = (inputs * per_pair) @ outputs.T
        form[-1] += outputs @ per_out
        full = np.append(self.sizes, 1.0)
        if full @ form @ full >= _LARGEST_EXACT:
            raise InputError(
                f"costs are exact below 2**53 only; found {full @ form @ full:.3g} for the original: check its layers"
            )
        return form

    def _unit_costs(self, cost: Literal["flops", "params"]) -> NDArray[np.float64]:
        """Costs per (input, output) pair and per output, shape (2, layers)."""
        names = (f"{cost}_per_pair", f"{cost}_per_out")
        return np.array([[getattr(layer, name) for layer in self.layers] for name in names], dtype=np.float64)

    @cached_property
    def flops_form(self) -> NDArray[np.float64]:
        """Matrix Q, shape (groups + 1, groups + 1), with FLOPs = v Q v' for v = (widths, 1)."""
        return self._form("flops")

    @cached_property
    def _params_form(self) -> NDArray[np.float64]:
        return self._form("params")

    def _layer_params(self, widths: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """Yield the parameters, shape (rows, layers), of chunks of subnetworks."""
        inputs, outputs = self._channels
        per_pair, per_out = self._unit_costs("params")
        for rows in _chunks(len(widths), len(self.layers)):
            vectors = _augment(widths[rows])
            yield (vectors @ outputs) * (per_pair * (vectors @ inputs) + per_out)


def _quadratic_form(form: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.int64]:
    blocks = []
    for rows in _chunks(len(widths), form.shape[0]):
        vectors = _augment(widths[rows])
        blocks.append(np.einsum("ng,ng->n", vectors @ form, vectors).astype(np.int64))
    return np.concatenate(blocks)


def _augment(widths: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([widths, np.ones(len(widths))])


def _chunks(n: int, columns: int) -> Iterator[slice]:
    step = max(1, _CHUNK_CELLS // columns)
    for start in range(0, max(n, 1), step):
        yield slice(start, start + step)


def _terms(stored: Any) -> Terms:
    return tuple((int(group), int(multiplicity)) for group, multiplicity in stored)
