"""Tables of a study file (data, training recipe, originals, protocol): validated, and identified by their content."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from prunestats.runners.networks.builtin import NETWORKS
from prunestats.runners.study.study_table import StudyTable

Part = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
# Names stand in titles and tables of reports; 200 characters still fit on a few lines.
Name = Annotated[str, Field(min_length=1, max_length=200)]


class DataConfig(StudyTable):
    """``[data]``: the data set and its split.

    Images are normalised by (pixels / `scale` - `mean`) / `std` for each channel where these are given.
    """

    later_keys = frozenset({"image_size", "resize", "mean", "std", "scale"})

    name: Literal["digits", "cifar10", "cifar100", "images", "npz"] = "digits"
    folder: str | None = None
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.25
    split_seed: Seed = 0
    image_size: Count | None = None
    resize: Count | None = None
    mean: Annotated[tuple[float, ...], Field(min_length=1)] | None = None
    std: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    scale: Positive | None = None

    @model_validator(mode="after")
    def _normalises(self) -> Self:
        if (self.mean is None) != (self.std is None):
            there, missing = ("mean", "std") if self.std is None else ("std", "mean")
            raise ValueError(f"{missing} is missing beside {there}: images are normalised by both, or give neither")
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise ValueError(f"mean and std must have one number a channel; found {len(self.mean)} and {len(self.std)}")
        return self

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.name != "images":
            self.refuse(("image_size", "resize"), f"with name = {self.name!r}, whose images have a size")
        elif self.image_size is None:
            raise ValueError("image_size is missing: it gives the side of the central crop in pixels")
        elif self.resize is not None and self.resize < self.image_size:
            raise ValueError(f"resize must be at least image_size, {self.image_size}; found {self.resize}")
        return self


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
    augment: Literal["none", "crop_flip"] = "none"
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
    """``[[originals]]``: a network that is trained once for each seed, or whose weights are given.

    Weights are those of a file, `checkpoint`, or those that the network's package has on this machine, `pretrained`;
    with `finetune` they are trained further.
    """

    later_keys = RecipeConfig.later_keys | {"checkpoint", "pretrained", "finetune"}

    network: str
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    checkpoint: Annotated[str, Field(min_length=1)] | None = None
    pretrained: bool | Annotated[str, Field(min_length=1)] = False
    finetune: RecipeConfig | None = None
    expected_error: Annotated[float, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_trained(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        weights = _weights_key(table)
        if not weights:
            for key in ("finetune", "expected_error"):
                if table.get(key) is not None:
                    raise ValueError(f"{key} makes no sense without given weights, checkpoint or pretrained")
            return table
        if set(table) & set(RecipeConfig.model_fields):
            key = next(key for key in table if key in RecipeConfig.model_fields)
            raise ValueError(
                f"{key} = {table[key]!r} makes no sense with {weights}, which is not trained further: to train it, add "
                "finetune = { epochs = 5, learning_rate = 0.01 }"
            )
        one_seed = table.get("seeds", [0]) == [0] or len(table["seeds"]) == 1
        if not one_seed and table.get("finetune") is None:
            raise ValueError(
                f"seeds = {table['seeds']} makes no sense with {weights}, which is one original without finetune"
            )
        # required keys of a recipe, without effect here and omitted from the identity
        return {**table, "epochs": 0, "learning_rate": 1.0}

    @property
    def is_given(self) -> bool:
        """Whether its weights are given, and not trained from their initial values."""
        return self.checkpoint is not None or self.pretrained is not False

    @property
    def omitted_keys(self) -> frozenset[str]:
        """Keys that are omitted from the content that identifies the original."""
        # what is only checked changes no result
        omitted = super().omitted_keys | {"expected_error"}
        return omitted | (frozenset(RecipeConfig.model_fields) if self.is_given else frozenset())

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS and ":" not in name:
            raise ValueError(f"must be one of {', '.join(NETWORKS)} or module:function{nearest(name, list(NETWORKS))}")
        return name

    @property
    def recipe(self) -> dict[str, Any]:
        """The training recipe; empty where weights are given."""
        return self.model_dump(exclude={"network", "seeds", "checkpoint", "pretrained", "finetune"})


def _weights_key(table: dict[str, Any]) -> str:
    """The key of `[[originals]]` that gives weights, in words; empty where none does."""
    checkpoint, pretrained = table.get("checkpoint") is not None, table.get("pretrained", False) is not False
    if checkpoint and pretrained:
        raise ValueError("checkpoint and pretrained both give weights: remove one of them")
    return "a checkpoint" if checkpoint else "pretrained" if pretrained else ""


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
