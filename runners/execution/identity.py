"""Which stored original a planned one is, by what its network computes, its data, recipe and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prunestats.cost.model import CostModel
from prunestats.runners.networks.builtin import is_own
from prunestats.runners.networks.fingerprint import KEY_PLACES, Fingerprint, from_stored
from prunestats.runners.networks.same_network import Difference, differing, explained, same_network
from prunestats.runners.study.file import content_key

# Where networks agree to the first number of decimal places and still differ, more places tell them apart.
_PLACES = (KEY_PLACES, 7, 9)


class StoredOriginal(Protocol):
    """A row of `prunestats.db.stored_originals`."""

    key: str
    network: str
    dataset: str
    seed: int
    recipe: Mapping[str, Any]
    group_sizes: Sequence[int] | None
    flops: int
    params: int
    fingerprint: Mapping[str, Any] | None


@dataclass(frozen=True)
class PlannedNetwork:
    """A network of a study, without the seed of its training.

    Parameters
    ----------
    name : str
        By which it is built.
    dataset, digest : str
        Name of the data set in the database, and the hash of its contents.
    recipe : mapping
        What identifies its training, or its checkpoint.
    fingerprint : Fingerprint
    cost : CostModel
    flops, params : int
    """

    name: str
    dataset: str
    digest: str
    recipe: Mapping[str, Any]
    fingerprint: Fingerprint
    cost: CostModel
    flops: int
    params: int

    @property
    def is_trained(self) -> bool:
        """Whether its initial weights count: all where it is trained from them, or those of a new head."""
        return "sha256" not in self.recipe or "new_head" in self.recipe

    def key(self, seed: int, stored: Sequence[StoredOriginal]) -> str:
        """Key of the stored original that this is with a training seed, or a new key.

        Networks that prunestats or a collection names are known by name as long as they compute the same; the user's
        own by what they compute. An original that was stored without a fingerprint is found by its name.
        """
        for row in stored:
            if self._is_trained_as(row, seed) and self._computes_as(row):
                return row.key
        taken = {row.key for row in stored}
        named = self._named(self.name, seed)
        if named not in taken and not is_own(self.name):
            return named
        keys = [self._named(self.fingerprint.rounded(places), seed) for places in _PLACES]
        return next((key for key in keys if key not in taken), keys[-1])

    def _named(self, network: Any, seed: int) -> str:
        return content_key({"network": network, "data": self.digest, "recipe": self.recipe, "seed": seed})

    def _is_trained_as(self, row: StoredOriginal, seed: int) -> bool:
        recipe = {name: value for name, value in row.recipe.items() if name not in ("checkpoint", "pretrained")}
        same = (row.dataset, row.seed) == (self.dataset, seed)
        return same and content_key(recipe) == content_key(dict(self.recipe))

    def _computes_as(self, row: StoredOriginal) -> bool:
        if row.fingerprint is not None:
            return same_network(from_stored(row.fingerprint), self.fingerprint, initial=self.is_trained)
        costs = (list(row.group_sizes or ()), row.flops, row.params)
        return row.key == self._named(self.name, row.seed) and costs == self._costs

    @property
    def _costs(self) -> tuple[list[int], int, int]:
        return list(self.cost.group_sizes), self.flops, self.params

    def differences(self, row: StoredOriginal, table: str) -> Iterator[Difference]:
        """What differs from a stored original, for the rows of a table; `table` names its keys."""
        if row.dataset != self.dataset:
            yield Difference("data", row.dataset, self.dataset)
        for function in ("train", "evaluate"):
            if row.recipe.get(function) != self.recipe.get(function):
                yield Difference(
                    f"{table}.{function}", f"source {row.recipe.get(function)}", f"source {self.recipe.get(function)}"
                )
        if row.fingerprint is None:
            if (list(row.group_sizes or ()), row.flops, row.params) != self._costs:
                now = f"{self.flops:,} FLOPs, {self.params:,} parameters"
                yield Difference(f"{table}.network", f"{row.flops:,} FLOPs, {row.params:,} parameters", now)
            return
        stored = from_stored(row.fingerprint)
        found = list(differing(stored, self.fingerprint, initial=self.is_trained))
        if found:
            quantities = "; ".join(f"{each.key} {each.now}" for each in found[:2])
            yield Difference(f"{table}.network", row.network, f"{self.name} computes something else: {quantities}")
            yield from explained(stored, self.fingerprint)
