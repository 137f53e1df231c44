"""Tables of a study file (data, training recipe, originals, protocol): validated, and identified by their content."""

from __future__ import annotations

import difflib
import itertools
import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from prunestats.metric import Metric
from prunestats.results.known_metrics import RESERVED
from prunestats.runners.data.readers import READERS
from prunestats.runners.networks.builtin import NETWORKS
from prunestats.runners.study.study_table import StudyTable

Part = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
# Names stand in titles and tables of reports; 200 characters still fit on a few lines.
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _own_function(name: str) -> str:
    if name != "ask" and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        raise ValueError("must be module:function, as 'task:train' for the function train in task.py")
    return name


OwnFunction = Annotated[str, AfterValidator(_own_function)]


class DataConfig(StudyTable):
    """``[data]``: the data set and its split.

    Images are normalised by (pixels / `scale` - `mean`) / `std` for each channel where these are given.
    """

    later_keys = frozenset(
        {"image_size", "resize", "mean", "std", "scale", "stored_size", "train_images", "workers", "version"}
    )

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

    mean: Annotated[tuple[float, ...], Field(min_length=1)] | None = None
    std: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    scale: Positive | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in READERS and ":" not in name:
            raise ValueError(f"must be one of {', '.join(READERS)} or module:function{nearest(name, list(READERS))}")
        return name

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


ASK = "ask"
"""What `train` is where runs are handed out and trained elsewhere, by `prunestats.ask`."""


def trained_elsewhere(table: dict[str, Any]) -> dict[str, Any]:
    """A table with `train`, completed by the required keys of a recipe, which have no effect beside it.

    Raises
    ------
    ValueError
        For a key of the recipe beside `train`.
    """
    if table.get("train") is None:
        if table.get("version") is not None:
            raise ValueError(f"version = {table['version']!r} makes no sense without train, whose version it is")
        return table
    key = next((key for key in table if key in RecipeConfig.model_fields), None)
    # a stored study holds the completed keys
    if key is not None and {name: table[name] for name in table if name in _COMPLETED} != _COMPLETED:
        raise ValueError(f"{key} = {table[key]!r} makes no sense beside train, which brings its own recipe")
    return {**table, **_COMPLETED}


_COMPLETED: dict[str, Any] = {"epochs": 0, "learning_rate": 1.0}


class OriginalConfig(RecipeConfig):
    """``[[originals]]``: a network that is trained once for each seed, or whose weights are given.

    Weights are those of a file, `checkpoint`, or those that the network's package has on this machine, `pretrained`;
    with `finetune` they are trained further.
    """

    later_keys = RecipeConfig.later_keys | {
        "checkpoint", "pretrained", "finetune", "input", "train", "evaluate", "version",
    }  # fmt: skip

    network: str
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    checkpoint: Annotated[str, Field(min_length=1)] | None = None
    pretrained: bool | Annotated[str, Field(min_length=1)] = False
    finetune: RecipeConfig | None = None
    expected_error: Annotated[float, Field(ge=0, lt=1)] | None = None
    input: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    train: OwnFunction | None = None
    evaluate: OwnFunction | None = None
    version: Name | None = None

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
            return trained_elsewhere(table)
        key = next((key for key in table if key in RecipeConfig.model_fields), "")
        if key or table.get("train") is not None:
            raise ValueError(
                f"{key or 'train'} = {table[key or 'train']!r} makes no sense with {weights}, which is not trained "
                "further: to train it, add finetune = { epochs = 5, learning_rate = 0.01 }"
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
        return omitted | (frozenset(RecipeConfig.model_fields) if self.is_given or self.train else frozenset())

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS and ":" not in name:
            raise ValueError(f"must be one of {', '.join(NETWORKS)} or module:function{nearest(name, list(NETWORKS))}")
        return name

    @property
    def recipe(self) -> dict[str, Any]:
        """The training recipe; empty where weights are given, or trained by the user's own function."""
        return self.model_dump(exclude=_NO_RECIPE)


# Keys of an original that are no part of its training recipe.
_NO_RECIPE = {"network", "seeds", "checkpoint", "pretrained", "finetune", "input", "train", "evaluate", "version"}


def _weights_key(table: dict[str, Any]) -> str:
    """The key of `[[originals]]` that gives weights, in words; empty where none does."""
    checkpoint, pretrained = table.get("checkpoint") is not None, table.get("pretrained", False) is not False
    if checkpoint and pretrained:
        raise ValueError("checkpoint and pretrained both give weights: remove one of them")
    return "a checkpoint" if checkpoint else "pretrained" if pretrained else ""


# Keys of a protocol that steer the built-in training.
_OF_OUR_TRAINING = ("steps", "step_epochs", "bn_recalibration", "distill_weight", "distill_temperature", "proxies")


class ProtocolConfig(RecipeConfig):
    """``[protocol]``: how a subnetwork is pruned, trained and evaluated."""

    later_keys = RecipeConfig.later_keys | {
        "steps", "step_epochs", "taylor_batches", "bn_recalibration", "distill_weight", "distill_temperature",
        "latency", "proxies", "train", "evaluate", "version",
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
    train: OwnFunction | None = None
    evaluate: OwnFunction | None = None
    version: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_trained(cls, table: Any) -> Any:
        return trained_elsewhere(table) if isinstance(table, dict) else table

    @property
    def omitted_keys(self) -> frozenset[str]:
        """Keys that are omitted from the content that identifies the protocol."""
        return super().omitted_keys | (frozenset(RecipeConfig.model_fields) if self.train else frozenset())

    @model_validator(mode="after")
    def _prunes(self) -> Self:
        if self.train:
            if self.criterion == "taylor":
                raise ValueError("criterion = 'taylor' makes no sense with train, as it needs a loss: choose another")
            self.refuse(_OF_OUR_TRAINING, "with train, which trains the pruned network once")
            return self
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
        """All keys on which the result of a run depends, except the seed and the source of a training of one's own."""
        return self.model_dump(exclude={"name", "seeds", "train", "evaluate", "version"})


class MetricConfig(StudyTable):
    """``[metric]``: the metric by which subnetworks are selected and reported, where it is not the error."""

    later_keys = frozenset({"range"})

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
    direction: Literal["minimize", "maximize"]
    unit: Annotated[str, Field(max_length=20)] = ""
    range: tuple[float | None, float | None] | None = None

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in RESERVED or name.startswith(("val_", "test_")):
            raise ValueError(f"must not be the name of another column of results ({', '.join(sorted(RESERVED))})")
        return name

    @field_validator("range", mode="before")
    @classmethod
    def _one_sided(cls, bounds: Any) -> Any:
        # TOML has no null, but it has inf
        return [None if one in (-math.inf, math.inf) else one for one in bounds] if isinstance(bounds, list) else bounds

    @property
    def metric(self) -> Metric:
        """The metric; the range of fractions is [0, 1] where none is given."""
        low, high = self.range or ((0.0, 1.0) if self.unit == "fraction" else (None, None))
        return Metric(self.name, self.direction, self.unit, low, high)


class StorageConfig(StudyTable):
    """``[storage]``: what is stored beside the rows; no part of any identity, so it may be changed at any time."""

    keep_weights: Annotated[int, Field(ge=0)] = 3
    # ten minutes are the most that a stopped run repeats, and a short run writes nothing
    checkpoint_every_s: Annotated[float, Field(ge=0)] = 600.0


class CallbacksConfig(StudyTable):
    """``[callbacks]``: functions that are called with every run and every epoch; no part of any identity."""

    on_run: OwnFunction | None = None
    on_epoch: OwnFunction | None = None


def nearest(found: str, known: list[str]) -> str:
    """A suggestion for an unknown word: the most similar known one, or all of them."""
    near = difflib.get_close_matches(found, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(known)})"
