"""Tables of a study file (data, training recipe, originals, protocol): validated, and identified by their content."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from prunestats.runners.data.readers import READERS
from prunestats.runners.networks.builtin import NETWORKS

Part = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
# Names stand in titles and tables of reports; 200 characters still fit on a few lines.
Name = Annotated[str, Field(min_length=1, max_length=200)]


class StudyTable(BaseModel):
    """A table of a study file.

    Keys in `later_keys` were added after studies had been stored. At their defaults they are omitted from the content
    by which studies, originals and runs are identified, so that earlier results are found again. Therefore these
    defaults must never change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    later_keys: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if key not in self.omitted_keys}

    @property
    def omitted_keys(self) -> frozenset[str]:
        """Keys that are omitted from the content that identifies the table."""
        return frozenset(key for key in self.later_keys if not self.changes(key))

    def changes(self, key: str) -> bool:
        """Whether the value of a key differs from its default."""
        return bool(getattr(self, key) != type(self).model_fields[key].default)

    def refuse(self, keys: Iterable[str], reason: str) -> None:
        """Refuse keys whose value differs from the default, as they have no effect beside the other keys."""
        for key in keys:
            if self.changes(key):
                raise ValueError(f"{key} = {getattr(self, key)!r} makes no sense {reason}")


class DataConfig(StudyTable):
    """``[data]``: the data set and its split."""

    later_keys = frozenset({"image_size", "resize", "stored_size", "train_images", "workers", "version"})

    name: str = "digits"
    folder: str | None = None
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.25
    split_seed: Seed = 0
    image_size: Count | None = None
    resize: Count | None = None
    stored_size: Count | None = None
    train_images: Count | None = None
    workers: Annotated[int, Field(ge=0)] = 0
    version: Annotated[str, Field(min_length=1)] | int | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in READERS and ":" not in name:
            raise ValueError(f"must be one of {', '.join(READERS)} or module:function{nearest(name, list(READERS))}")
        return name

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.name not in ("images", "parquet"):
            self.refuse(("resize", "stored_size"), f"with name = {self.name!r}, whose images have a size")
        if self.name in ("digits", "cifar10", "cifar100", "idx"):
            self.refuse(("image_size",), f"with name = {self.name!r}, whose images have a size")
        if self.name == "images" and self.image_size is None:
            raise ValueError("image_size is missing: it gives the side of the central crop in pixels")
        if self.image_size is None:
            self.refuse(("resize", "stored_size"), "without image_size, the side of the central crop in pixels")
        if ":" in self.name:
            self.refuse(("folder",), f"with name = {self.name!r}, which finds its files itself")
        else:
            self.refuse(("workers", "version"), f"with name = {self.name!r}; they are for module:function")
        self._check_order()
        return self

    def _check_order(self) -> None:
        """Refuse a larger side than the one that is cropped."""
        sides = [(key, getattr(self, key)) for key in ("image_size", "stored_size", "resize")]
        given = [(key, side) for key, side in sides if side is not None]
        for (key, side), (larger, found) in itertools.pairwise(given):
            if found < side:
                raise ValueError(f"{larger} must be at least {key}, {side}; found {found}")


class RecipeConfig(StudyTable):
    """A training recipe, by default SGD with Nesterov momentum and cosine annealing to zero."""

    later_keys = frozenset(
        {"optimiser", "schedule", "milestones", "decay", "warmup_epochs", "label_smoothing", "augment", "precision"}
    )

    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Count = 128
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    optimiser: Literal["sgd", "adamw"] = "sgd"
    schedule: Literal["cosine", "step"] = "cosine"
    milestones: Annotated[tuple[Part, ...], Field(min_length=1)] = (0.5, 0.75)
    decay: Part = 0.1
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: Literal["none", "crop_flip", "resized_crop_flip"] = "none"
    precision: Literal["float32", "bf16", "fp16"] = "float32"

    @model_validator(mode="after")
    def _trains(self) -> Self:
        if self.optimiser != "sgd":
            self.refuse(("momentum",), f"with optimiser = {self.optimiser!r}")
        if self.schedule != "step":
            self.refuse(("milestones", "decay"), f"with schedule = {self.schedule!r}")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must increase from one to the next; found {list(self.milestones)}")
        if 0 < self.epochs <= self.warmup_epochs:
            raise ValueError(f"warmup_epochs must be fewer than epochs, {self.epochs}; found {self.warmup_epochs}")
        return self


class OriginalConfig(RecipeConfig):
    """``[[originals]]``: a network that is trained once for each seed, or loaded from a checkpoint."""

    later_keys = RecipeConfig.later_keys | {"checkpoint"}

    network: str
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    checkpoint: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_trained(cls, table: Any) -> Any:
        if not isinstance(table, dict) or table.get("checkpoint") is None:
            return table
        if set(table) & set(RecipeConfig.model_fields):
            key = next(key for key in table if key in RecipeConfig.model_fields)
            raise ValueError(f"{key} = {table[key]!r} makes no sense with a checkpoint, which is not trained further")
        if table.get("seeds", [0]) != [0] and len(table["seeds"]) != 1:
            raise ValueError(f"seeds = {table['seeds']} makes no sense with a checkpoint, which is one original")
        # required keys of a recipe, without effect here and omitted from the identity
        return {**table, "epochs": 0, "learning_rate": 1.0}

    @property
    def omitted_keys(self) -> frozenset[str]:
        """Keys that are omitted from the content that identifies the original."""
        return super().omitted_keys | (frozenset(RecipeConfig.model_fields) if self.checkpoint else frozenset())

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS and ":" not in name:
            raise ValueError(f"must be one of {', '.join(NETWORKS)} or module:function{nearest(name, list(NETWORKS))}")
        return name

    @property
    def recipe(self) -> dict[str, Any]:
        """The training recipe; empty for a checkpoint."""
        return self.model_dump(exclude={"network", "seeds", "checkpoint"})


class ProtocolConfig(RecipeConfig):
    """``[protocol]``: how a subnetwork is pruned, trained and evaluated."""

    later_keys = RecipeConfig.later_keys | {
        "steps", "step_epochs", "taylor_batches", "bn_recalibration", "distill_weight", "distill_temperature",
        "latency", "proxies",
    }  # fmt: skip

    name: Name = "finetune"
    criterion: Literal["l1", "l2", "bn_scale", "geometric_median", "taylor", "random", "first"] = "l1"
    init: Literal["inherited", "scratch"] = "inherited"
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    steps: Count = 1
    step_epochs: Annotated[int, Field(ge=0)] = 0
    taylor_batches: Count = 8
    bn_recalibration: Annotated[int, Field(ge=0)] = 0
    distill_weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    distill_temperature: Annotated[float, Field(gt=0)] = 4.0
    latency: bool = False
    proxies: bool = False

    @model_validator(mode="after")
    def _prunes(self) -> Self:
        if self.criterion != "taylor":
            self.refuse(("taylor_batches",), f"with criterion = {self.criterion!r}")
        if self.init == "scratch":
            self.refuse(("steps", "bn_recalibration"), "with init = 'scratch', which discards the weights")
        if self.distill_weight == 0:
            self.refuse(("distill_temperature",), "without distill_weight")
        if self.steps == 1:
            self.refuse(("step_epochs",), "with steps = 1")
            if self.epochs == 0:
                self.refuse(RecipeConfig.later_keys | {"distill_weight"}, "with epochs = 0, which trains nothing")
        elif self.step_epochs <= self.warmup_epochs:
            raise ValueError(
                f"step_epochs must be more than warmup_epochs, {self.warmup_epochs}, with steps = {self.steps}; "
                f"found {self.step_epochs}"
            )
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """All keys on which the result of a run depends, except the seed."""
        return self.model_dump(exclude={"name", "seeds"})


def nearest(found: str, known: list[str]) -> str:
    """A suggestion for an unknown word: the most similar known one, or all of them."""
    near = difflib.get_close_matches(found, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(known)})"
